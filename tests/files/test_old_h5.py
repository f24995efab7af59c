"""`.h5` files of Keras 2 as its versions laid them out, written by hand: weights only and whole models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from torch import nn

import autoport
from autoport.keras.unfilled import fill
from autoport.loading.by_name import load_keras
from autoport.transfer.into_file import apply_plan
from tests.files.models import randomise

SHAPE = (8, 9, 3)


def nested(library: Any) -> Any:
    """A model that has a model for a layer, with weights that are not trained in either."""
    layers = library.layers
    inner = [layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm"), layers.Conv2D(4, 1, name="mix")]
    core = library.Sequential([library.Input(SHAPE), *inner], name="core")
    x = y = library.Input(SHAPE)
    for layer in (core, layers.BatchNormalization(name="out"), layers.Flatten(name="flat"), layers.Dense(5, name="d")):
        y = layer(y)
    model = library.Model(x, y)
    randomise(model.weights, 6)
    return model


def twin() -> nn.Module:
    norms = nn.BatchNorm2d(4, eps=1e-3), nn.BatchNorm2d(4, eps=1e-3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), norms[0], nn.Conv2d(4, 4, 1), norms[1], nn.Flatten(), nn.Linear(168, 5)
    ).eval()


def put_names(group: Any, name: str, values: list[str], chunks: int) -> None:
    """A list of names as one attribute, or as several: each may hold 64 KiB."""
    encoded = np.array([value.encode() for value in values])
    if chunks == 1:
        group.attrs[name] = encoded
        return
    for number, part in enumerate(np.array_split(encoded, chunks)):
        group.attrs[f"{name}{number}"] = part


def write_weights(model: Any, group: Any, version: str, chunks: int = 1, prefix: str = "") -> None:
    """Weights by layer, trained ones first, under the names that they have in Keras 2."""
    group.attrs["keras_version"], group.attrs["backend"] = np.bytes_(version), np.bytes_("tensorflow")
    put_names(group, "layer_names", [layer.name for layer in model.layers], chunks)
    for layer in model.layers:
        inner = group.create_group(layer.name)
        weights = [*layer.trainable_weights, *layer.non_trainable_weights]
        owners = {id(w): part.name for part in getattr(layer, "layers", [layer]) for w in part.weights}
        names = [f"{prefix}{owners[id(w)]}/{w.name.split(':')[0].split('/')[-1]}:0" for w in weights]
        put_names(inner, "weight_names", names, min(chunks, max(1, len(names))))
        for name, weight in zip(names, weights, strict=True):
            inner[name] = np.asarray(weight)


FORMS: dict[str, dict[str, Any]] = {
    "2.2.4": {},
    "2.3.1": {},
    "2.15.0": {},
    "names in several attributes": {"chunks": 2},
    "names below the path of the model": {"prefix": "model_1/"},
}


@pytest.mark.parametrize("whole", [False, True], ids=["weights only", "whole"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_weights_of_a_model_in_a_model(tmp_path: Path, library: Any, form: str, whole: bool) -> None:
    model = nested(library)
    match = autoport.match(model, twin())
    match.save_weights(tmp_path / "port.safetensors")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        group = file.create_group("model_weights") if whole else file
        write_weights(model, group, form if form[0] == "2" else "2.4.0", **FORMS[form])
    apply_plan(match.plan(), tmp_path / "old.h5", tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == (tmp_path / "port.safetensors").read_bytes()


def stack(library: Any = tf_keras) -> Any:
    layers = library.layers
    parts = [layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm"), layers.Flatten(name="flat")]
    model = library.Sequential([library.Input(SHAPE), *parts, layers.Dense(5, name="d")], name="stack")
    randomise(model.weights, 7)
    return model


def without_input_layer(config: Any) -> None:
    """The first layer says what it takes, as before Keras 2.3."""
    layers = config["config"]["layers"]
    shape = layers.pop(0)["config"]
    layers[0]["config"]["batch_input_shape"] = shape.get("batch_input_shape") or shape["batch_shape"]


def as_a_list(config: Any) -> None:
    """A sequential model is the list of its layers, as before Keras 2.2.3."""
    without_input_layer(config)
    config["config"] = config["config"]["layers"]


def as_they_are(config: Any) -> None:
    """Nothing is changed."""


@pytest.mark.parametrize("change", [as_they_are, without_input_layer, as_a_list])
@pytest.mark.parametrize("version", ["2.1.6", "2.2.4", "2.4.0", "2.15.0"])
@pytest.mark.parametrize("only", [True, False], ids=["Keras 3 only", "both"])
def test_whole_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, version: str, only: bool) -> None:
    model = stack()
    config = json.loads(model.to_json())
    change(config)
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = np.bytes_(version), np.bytes_("tensorflow")
        file.attrs["model_config"] = json.dumps(config).encode()
        write_weights(model, file.create_group("model_weights"), version)
        file.create_group("optimizer_weights").attrs["weight_names"] = np.array([b"Adam/iterations:0"])
        file["optimizer_weights"]["Adam/iterations:0"] = 3
    if only:
        monkeypatch.setattr("autoport.loading.by_file._by_tf_keras", _missing)
    found, image = load_keras(str(tmp_path / "old.h5")), np.random.default_rng(0).standard_normal((2, *SHAPE))
    np.testing.assert_allclose(found(image.astype("f")), model(image.astype("f")), rtol=1e-5)


def _missing(config: Any, trust_code: bool) -> Any:
    raise ImportError("tf_keras")


@pytest.mark.parametrize("in_place", [False, True])
def test_whole_models_in_models_and_with_operations_for_layers(tmp_path: Path, in_place: bool) -> None:
    core = nested(tf_keras)
    x = tf_keras.Input(SHAPE)
    y = tf.nn.relu(core(x * 2.0 + 1.0))[:, 1:]
    model = tf_keras.Model(x, tf_keras.layers.Dense(3, name="last")(tf.concat([y, y], -1)))
    randomise(model.weights, 8)
    model.save(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5") as file:
        assert {"TFOpLambda", "SlicingOpLambda"} <= {
            layer["class_name"] for layer in json.loads(file.attrs["model_config"])["config"]["layers"]
        }
    found = load_keras(str(tmp_path / "old.h5"), in_place=in_place)
    fill(found.weights)
    image = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(found(image), model(image), rtol=1e-5)
