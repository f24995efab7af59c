"""Configurations of names drawn from all that the frameworks have: whatever is built reaches nothing outside.

The default run draws some; `make fuzz` draws 10,000 for each format.
"""

from __future__ import annotations

import contextlib
import json
import random
import types
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import pytest
import tensorflow as tf
import tf_keras

from autoport.errors import AutoportError
from autoport.loading.by_file import load_keras_file
from autoport.loading.known.keras_names import FUNCTIONS, KINDS
from autoport.loading.known.tensorflow_names import FUNCTIONS as TF_FUNCTIONS
from tests.files.watch import watched

SOME, MANY = 100, 10_000
ARGUMENTS = (
    "units filters kernel_size vocabulary filepath origin fname path function activation kernel_initializer layer"
)
ARGUMENTS += " cell dtype module config call_fn layers weights value equation f source output_stream url file_name"


@cache
def public_names() -> list[tuple[str, str]]:
    """Modules and names in them, of everything public in the frameworks."""
    found: dict[tuple[str, str], None] = {}
    for library in (keras, tf_keras, tf):
        waiting: list[tuple[str, Any, int]] = [(library.__name__, library, 0)]
        while waiting:
            place, module, depth = waiting.pop()
            for name in list(vars(module)) if depth < 4 else ():
                thing = vars(module)[name] if not name.startswith("_") else None
                if isinstance(thing, types.ModuleType):
                    waiting.append((f"{place}.{name}", thing, depth + 1))
                elif callable(thing):
                    found[place, name] = None
    return list(found)


class Draw:
    """Draws configurations: half of their names are known, the others are any that the frameworks have."""

    def __init__(self, seed: int, baits: Path) -> None:
        self.random, self.baits = random.Random(seed), baits

    def name(self) -> tuple[str | None, str]:
        if self.random.random() < 0.5:
            return self.random.choice(public_names())
        kind = self.random.choice(KINDS)
        return self.random.choice([*sorted(kind.modules), None]), self.random.choice(sorted(kind.names))

    def function(self) -> str:
        place, name = self.random.choice(public_names())
        known = self.random.choice([*sorted(FUNCTIONS), *sorted(TF_FUNCTIONS)])
        return self.random.choice([known, name, f"{place}.{name}", f"{place}.{name}".partition(".")[2]])

    def value(self, depth: int = 0) -> Any:
        plain: list[Callable[[], Any]] = [
            lambda: self.random.choice([0, 1, 2, 3, -1, None, True, 0.5, [2, 2], "same", "float32"]),
            lambda: str(self.baits / "secret"),
            lambda: (self.baits / "new").as_uri(),
            lambda: "http://127.0.0.1:9/x",
            self.function,
        ]
        if depth < 3:
            plain += [lambda: self.node(depth + 1), lambda: [self.value(depth + 1) for _ in range(2)]]
        return self.random.choice(plain)()

    def node(self, depth: int = 0) -> dict[str, Any]:
        module, name = self.name()
        config = {key: self.value(depth) for key in self.random.sample(ARGUMENTS.split(), self.random.randrange(4))}
        node = {"class_name": name, "config": {"name": f"n{self.random.randrange(99)}", **config}}
        if module is not None:
            node |= {"module": module, "registered_name": self.random.choice([None, None, name])}
        if self.random.random() < 0.2:
            node |= {"class_name": "function", "config": name}
        if self.random.random() < 0.2:
            node["build_config"] = {"input_shape": [None, 4]}
        return node

    def model(self, library: Any) -> dict[str, Any]:
        x = library.Input((4,))
        model = library.Sequential([x, library.layers.Dense(3)])
        config = json.loads(model.to_json())
        layers = config["config"]["layers"]
        if self.random.random() < 0.5:
            layers.insert(1, self.node())
        else:
            layers[-1]["config"][self.random.choice([*layers[-1]["config"], *ARGUMENTS.split()])] = self.value()
        if self.random.random() < 0.2:
            function = {"name": "op", "trainable": True, "dtype": "float32", "function": self.function()}
            layers.append({"class_name": "TFOpLambda", "config": function})
        return config  # type: ignore[no-any-return]


def write_keras(config: Any, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": keras.__version__}))


def write_h5(config: Any, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "2.15.0"


FORMATS: dict[str, tuple[Any, Callable[[Any, Path], None]]] = {
    "x.keras": (keras, write_keras),
    "y.keras": (tf_keras, write_keras),
    "x.h5": (tf_keras, write_h5),
    "y.h5": (keras, write_h5),
}


def reaches(name: str, folder: Path, seeds: range) -> Iterator[tuple[int, list[str]]]:
    """Seeds whose files reached out, with what they did."""
    library, write = FORMATS[name]
    baits = folder / "baits"
    baits.mkdir()
    (baits / "secret").write_text("hello\n")
    for seed in seeds:
        write(Draw(seed, baits).model(library), folder / name)
        with watched(baits) as seen, contextlib.suppress(AutoportError):
            load_keras_file(folder / name)
        if seed % 1000 == 0:
            keras.backend.clear_session()
            tf_keras.backend.clear_session()
        if seen:
            yield seed, seen


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_drawn_reaches_nothing(tmp_path: Path, name: str) -> None:
    assert list(reaches(name, tmp_path, range(SOME))) == []


@pytest.mark.fuzz
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_drawn_ten_thousand_times_reaches_nothing(tmp_path: Path, name: str) -> None:
    assert list(reaches(name, tmp_path, range(MANY))) == []
