"""Models of Keras in files from strangers: what they name is not built, opened or fetched unless it is known."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras
import torch
from typer.testing import CliRunner

from autoport.cli import app
from autoport.errors import UntrustedError
from autoport.loading import by_file
from autoport.loading.by_name import load_keras
from autoport.loading.known.configuration import find_unknown
from autoport.loading.known.keras_names import KINDS
from tests.files.watch import watched

# Layers of Keras that are not built: they hold code, open files, or are there to be derived from.
REFUSED_NAMES = (
    "AbstractRNNCell DenseFeatures FlaxLayer InputSpec IntegerLookup JaxLayer Lambda Layer StringLookup TFSMLayer "
    "TextVectorization TorchModuleWrapper Wrapper"
)
REFUSED = set(REFUSED_NAMES.split())


@pytest.fixture
def baits(tmp_path: Path) -> Path:
    folder = tmp_path / "baits"
    folder.mkdir()
    (folder / "secret").write_text("hello")
    return folder


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where a framework is shown a configuration."""

    def build(config: Any, trust_code: bool) -> Any:
        raise AssertionError("a framework saw the configuration")

    monkeypatch.setattr(by_file, "_by_keras", build)
    monkeypatch.setattr(by_file, "_by_tf_keras", build)


def refused(path: Path, baits: Path, thing: str, layer: str = "") -> None:
    """A file is refused with a text that says why, and nothing happened."""
    with watched(baits) as seen, pytest.raises(UntrustedError) as caught:
        load_keras(str(path))
    assert seen == []
    text = str(caught.value)
    for part in (str(path), thing, layer, "trust_code=True", "--trust-code"):
        assert part in text
    assert "trust_code=True" not in caught.value.on_command_line


def changed(path: Path, change: Callable[[list[Any]], object]) -> Path:
    """A `.keras` file with a change to the layers in its configuration."""
    keras.Sequential([keras.Input((4,), name="in"), keras.layers.Dense(3, name="d")]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"]["layers"])
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def added(**layer: Any) -> Callable[[list[Any]], object]:
    """Adds a layer."""
    node = {"module": "keras.layers", "registered_name": None, **layer}
    node["config"] = {"name": "w", "trainable": True, **layer["config"]}
    return lambda layers: layers.insert(1, node)


def told(**config: Any) -> Callable[[list[Any]], object]:
    """Changes arguments of the dense layer."""
    return lambda layers: layers[1]["config"].update(config)


def pickled() -> str:
    buffer = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2), buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def dense(**node: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None, **node}


LOOKUP = {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "secret"}}
GET_FILE = {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file"}
KERAS_3: dict[str, tuple[Any, str, str]] = {
    "a pickle": (
        lambda: added(class_name="TorchModuleWrapper", config={"module": pickled()}),
        "TorchModuleWrapper",
        "w",
    ),
    "a vocabulary": (lambda: added(class_name="StringLookup", config={"vocabulary": "secret"}), "StringLookup", "w"),
    "numbers": (lambda: added(class_name="IntegerLookup", config={"vocabulary": "secret"}), "IntegerLookup", "w"),
    "texts": (lambda: added(class_name="TextVectorization", config={"vocabulary": "secret"}), "TextVectorization", "w"),
    "a SavedModel": (lambda: added(class_name="TFSMLayer", config={"filepath": "baits"}), "TFSMLayer", "w"),
    "flax": (lambda: added(class_name="FlaxLayer", config={"module": {}}), "FlaxLayer", "w"),
    "jax": (lambda: added(class_name="JaxLayer", config={"call_fn": {}}), "JaxLayer", "w"),
    "around": (lambda: added(class_name="TimeDistributed", config={"layer": LOOKUP}), "StringLookup", "w"),
    "both ways": (lambda: added(class_name="Bidirectional", config={"layer": LOOKUP}), "StringLookup", "w"),
    "backwards": (
        lambda: added(class_name="Bidirectional", config={"layer": dense(), "backward_layer": LOOKUP}),
        "StringLookup",
        "w",
    ),
    "a lambda as activation": (
        lambda: told(activation={"class_name": "__lambda__", "config": {}}),
        "a Lambda layer",
        "d",
    ),
    "a function": (lambda: told(activation=GET_FILE), "get_file of the module keras.utils", "d"),
    "a function by name": (lambda: told(activation="get_file"), "get_file", "d"),
    "a function by another name": (
        lambda: told(activation={**GET_FILE, "module": "builtins", "config": "relu"}),
        "relu of the module builtins",
        "d",
    ),
    "an initializer": (lambda: told(kernel_initializer="keras.utils.get_file"), "keras.utils.get_file", "d"),
    "an initializer of a class": (lambda: told(kernel_initializer=dense(module="os")), "Dense of the module os", "d"),
    "a class elsewhere": (
        lambda: lambda layers: layers[1].update(module="keras.utils"),
        "Dense of the module keras.utils",
        "d",
    ),
    "no class": (lambda: lambda layers: layers[1].update(class_name=["Dense"]), "Dense", "d"),
    "a module that is none": (lambda: lambda layers: layers[1].update(module=["keras"]), "keras", "d"),
    "a registered class": (lambda: lambda layers: layers[1].update(registered_name="my>Dense"), "my>Dense", "d"),
    "a type": (
        lambda: told(spec={"class_name": "__typespec__", "config": [], "spec_name": "os", "module": "os"}),
        "__typespec__",
        "d",
    ),
    "unsafe": (
        lambda: told(
            bias_initializer={
                "class_name": "function",
                "module": "keras.config",
                "config": "enable_unsafe_deserialization",
                "registered_name": "enable_unsafe_deserialization",
            }
        ),
        "enable_unsafe_deserialization",
        "d",
    ),
    "a policy": (
        lambda: told(dtype={**GET_FILE, "class_name": "Policy", "module": "os"}),
        "Policy of the module os",
        "d",
    ),
    "a loop": (
        lambda: added(module="keras.src.ops.core", class_name="Map", config={"f": GET_FILE}),
        "Map of the module keras.src.ops.core",
        "w",
    ),
    "an address": (lambda: told(source="https://example.com/x"), "https://example.com/x", "d"),
    "a path": (lambda: told(kernel=["..\\secret"]), "secret", "d"),
    "a file's name": (lambda: told(vocabulary="words.txt"), "words.txt", "d"),
    "an argument": (
        lambda: lambda layers: layers[1].update(inbound_nodes=[{"args": ["file:secret"], "kwargs": {}}]),
        "file:secret",
        "d",
    ),
    "another package": (lambda: lambda layers: layers[1].update(module="keras_hub.models"), "keras_hub.models", "d"),
}


@pytest.mark.parametrize("name", KERAS_3)
@pytest.mark.usefixtures("unseen")
def test_keras_3_is_shown_nothing_that_is_not_known(tmp_path: Path, baits: Path, name: str) -> None:
    make, thing, layer = KERAS_3[name]
    refused(changed(tmp_path / "x.keras", make()), baits, thing, f"(layer '{layer}')")


def operations(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A whole-model `.h5` file of Keras 2 with a change to its layer that is a function of TensorFlow."""
    x = tf_keras.Input((4,))
    y = tf_keras.layers.Dense(2)(tf_keras.layers.Dense(3)(x) + 1.0)
    tf_keras.Model(x, y).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "TFOpLambda":
                change(layer)
        file.attrs["model_config"] = json.dumps(config)
    return path


def calling(function: str, **arguments: Any) -> Callable[[dict[str, Any]], object]:
    def change(layer: dict[str, Any]) -> None:
        layer["config"]["function"] = function
        if arguments:
            layer["inbound_nodes"] = [["_CONSTANT_VALUE", -1, "fetched", arguments]]

    return change


def being(kind: str, **config: Any) -> Callable[[dict[str, Any]], object]:
    return lambda layer: layer.update(class_name=kind, config={"name": "w", **config})


KERAS_2: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "fetches": (calling("keras.utils.get_file", origin="file:///secret"), "the function keras.utils.get_file"),
    "reads": (calling("io.read_file"), "the function io.read_file"),
    "writes": (calling("io.write_file"), "the function io.write_file"),
    "reads words": (calling("nn.fixed_unigram_candidate_sampler"), "fixed_unigram_candidate_sampler"),
    "runs Python": (calling("py_function"), "py_function"),
    "loads a library": (calling("compat.v1.load_op_library"), "load_op_library"),
    "prints": (calling("print", output_stream="file://secret"), "the function print"),
    "no name": (calling(["io.read_file"]), "io.read_file"),  # type: ignore[arg-type]
    "an address for a known function": (calling("math.add", x="http://example.com"), "http://example.com"),
    "a method of a class": (being("ClassMethod", cls_ref="io.gfile", method_name="open"), "ClassMethod"),
    "a method": (being("InstanceMethod", attr_name="eval"), "InstanceMethod"),
    "an attribute": (being("InstanceProperty", attr_name="graph"), "InstanceProperty"),
    "any operation": (being("TensorFlowOpLayer", node_def='{"op": "WriteFile"}'), "TensorFlowOpLayer"),
    "columns": (being("DenseFeatures", feature_columns=[]), "DenseFeatures"),
    "a wrapper": (being("DeviceWrapper", layer={}), "DeviceWrapper"),
    "a custom class": (being("Custom>Lambda"), "Custom>Lambda"),
}


@pytest.mark.parametrize("name", KERAS_2)
@pytest.mark.usefixtures("unseen")
def test_keras_2_is_shown_nothing_that_is_not_known(tmp_path: Path, baits: Path, name: str) -> None:
    change, thing = KERAS_2[name]
    refused(operations(tmp_path / "op.h5", change), baits, thing, "(layer '")


def test_what_a_model_was_trained_with_is_not_read(tmp_path: Path, baits: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    model.save(tmp_path / "x.keras")
    with zipfile.ZipFile(tmp_path / "x.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["compile_config"]["loss"] = GET_FILE
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        for name, data in {**members, "config.json": json.dumps(config).encode()}.items():
            archive.writestr(name, data)
    with watched(baits) as seen:
        found = load_keras(str(tmp_path / "x.keras"))
    assert seen == []
    np.testing.assert_array_equal(np.asarray(found.weights[0]), np.asarray(model.weights[0]))


def test_the_command_line_speaks_of_its_own_option(tmp_path: Path) -> None:
    path = changed(tmp_path / "x.keras", added(class_name="StringLookup", config={"vocabulary": "secret"}))
    result = CliRunner().invoke(app, ["report", str(path), "torch.nn:Linear(4, 3)"])
    assert result.exit_code == 2
    assert "--trust-code allows it" in result.output
    assert "trust_code=True" not in result.output


def all_layers(library: Any) -> Iterator[str]:
    for name in dir(library.layers):
        if isinstance(getattr(library.layers, name), type):
            yield name


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_every_layer_is_known_or_refused_on_purpose(library: Any) -> None:
    assert set(all_layers(library)) - KINDS[0].names <= REFUSED
    assert not KINDS[0].names & REFUSED


def test_names_of_layers_may_hold_slashes() -> None:
    x = tf_keras.Input((4,), name="in/x")
    model = tf_keras.Model(x, tf_keras.layers.Dense(3, name="a/b.c")(x))
    assert find_unknown(json.loads(model.to_json())) == []
