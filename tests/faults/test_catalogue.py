"""Every class of error: it is in the catalogue, and this is how one meets it."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers
from safetensors.numpy import save_file
from torch import nn

import autoport
from autoport import errors
from autoport.loading import by_name as loading
from autoport.transfer import into_file as convert
from tests.faults.models import Around, keras_model, torch_model
from tests.oracle import sequential

CATALOGUE = Path(__file__).parents[2] / "docs" / "errors.md"
CLASSES = {name: cls for name, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__}


def raising(*given: Any) -> Any:
    raise RuntimeError("boom")


def incomplete() -> None:
    autoport.match(keras_model(), nn.Sequential(*torch_model(), nn.Linear(2, 2))).assign()


def poisoned() -> None:
    model = keras_model()
    model.layers[0].kernel.assign(np.full(model.layers[0].kernel.shape, np.nan))
    autoport.match(model, torch_model()).assign()


def applied(write: Callable[[Path], Any]) -> None:
    """Carries out a plan on a file that something else was written to."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.safetensors")
        write(weights)
        plan = autoport.match(keras_model(), torch_model()).plan("tf")
        convert.apply_plan(plan, weights, Path(folder, "out.weights.h5"))


def pickle_of_code() -> str:
    """A file that would call a function when it is read."""
    place = Path(tempfile.mkdtemp(), "state.pt")
    torch.save({"weight": CallsWhenRead()}, place)
    return str(place)


class CallsWhenRead:
    def __reduce__(self) -> Any:
        return print, ("read",)


def not_run_side_by_side() -> None:
    ids = keras.Input((4,), dtype="int32")
    match = autoport.match(keras.Model(ids, layers.Embedding(5, 3)(ids)), nn.Embedding(5, 3))
    match.verify(np.full((2, 4), 7, "int32"))  # rows that the tables lack


PROVOKED: dict[str, Callable[[], Any]] = {
    "ModelError": lambda: autoport.match(torch_model(), keras_model()),
    "UnbuiltModelError": lambda: autoport.match(keras.Sequential([layers.Dense(2)]), torch_model()),
    "InputError": lambda: autoport.match(keras_model(), Around(raising)),
    "TraceError": lambda: autoport.match(keras_model(), torch_model(), torch_inputs=np.zeros((2, 5), "float32")),
    "NothingInCommonError": lambda: autoport.match(sequential((8,), layers.Dense(5)), nn.Linear(8, 4)),
    "HintError": lambda: autoport.match(keras_model(), torch_model(), hints=[("nothing", "0")]),
    "LoadError": lambda: loading.load_torch("nowhere:model"),
    "SaveError": lambda: autoport.match(keras_model(), torch_model()).save_weights("/nowhere/weights.safetensors"),
    "IncompleteMatchError": incomplete,
    "TransferError": poisoned,
    "VerificationError": not_run_side_by_side,
    "PlanError": lambda: autoport.Plan.load(CATALOGUE),
    "FileError": lambda: applied(lambda place: place.write_bytes(b"\xff" * 20)),
    "UntrustedError": lambda: loading.load_torch("torch.nn:Linear(2, 2)@" + pickle_of_code()),
    "MismatchError": lambda: applied(lambda place: save_file({"other": np.zeros(3, "float32")}, place)),
}


def test_the_catalogue_lists_every_class_and_no_other() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", CATALOGUE.read_text(), re.MULTILINE)) == CLASSES.keys()


def test_every_class_is_provoked_here() -> None:
    assert CLASSES.keys() - {"AutoportError"} == PROVOKED.keys()


@pytest.mark.parametrize("name", PROVOKED)
def test_it_is_met_through_the_public_functions(name: str) -> None:
    with pytest.raises(errors.AutoportError) as caught:
        PROVOKED[name]()
    assert type(caught.value).__name__ == name
    assert str(caught.value)
