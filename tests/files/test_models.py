"""Whole models from files: what was saved is matched without the code that built it."""

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
import torch
from torch import nn

import autoport
from autoport.errors import UntrustedError
from autoport.loading.by_name import load_keras, load_torch
from tests.files.models import Module, Net, Plain, keras_model, randomise, tf_keras_model


def norms(library: Any) -> Any:
    layers = library.layers
    stack = [layers.Dense(8, activation="gelu"), layers.LayerNormalization(), layers.Dense(2)]
    model = library.Sequential([library.Input((5, 6)), *stack])
    randomise(model.weights, 2)
    return model


def norms_twin() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.LayerNorm(8, eps=1e-3), nn.Linear(8, 2))


def export(model: Any, path: str) -> None:
    model.export(path, verbose=False)


SAVED: dict[str, tuple[Any, Any, Any]] = {
    "Keras 2": (tf_keras_model, lambda model, path: model.save(path), Net),
    "Keras 3": (keras_model, export, Net),
    "norms, Keras 2": (lambda: norms(tf_keras), lambda model, path: model.save(path), norms_twin),
    "norms, Keras 3": (lambda: norms(keras), export, norms_twin),
    "tf.Module": (Module, lambda model, path: tf.saved_model.save(model, path), Plain),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_model_is_read_by_its_operations(name: str, tmp_path: Path) -> None:
    build, save, twin = SAVED[name]
    save(build(), str(tmp_path / "saved"))
    match = autoport.match(load_keras(str(tmp_path / "saved")), twin())
    assert match.complete, str(match)
    match.assign()
    verification = match.verify()
    assert verification.ok, str(verification)


def test_a_layer_norm_over_another_axis_is_not_taken_for_one_over_the_last() -> None:
    class Middle(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(np.random.default_rng(0).standard_normal((8, 8)), dtype=tf.float32)

        def __call__(self, x: Any) -> Any:
            mean, variance = tf.nn.moments(x, [1], keepdims=True)
            return tf.linalg.matmul((x - mean) * tf.math.rsqrt(variance + 1e-3), self.kernel)

    twin = nn.Sequential(nn.LayerNorm(8, eps=1e-3, elementwise_affine=False), nn.Linear(8, 8, bias=False))
    match = autoport.match(Middle(), twin, inputs=np.ones((2, 8, 8), np.float32))
    assert not match.complete or match.differences


def old_file(model: Any, path: Path, change: Any) -> None:
    """A whole-model `.h5` file of Keras 2 with something in its configuration that versions disagree about."""
    model.save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        change(config["config"]["layers"])
        file.attrs["model_config"] = json.dumps(config)


def transposed(library: Any) -> Any:
    layers = library.layers
    stack = [layers.Conv2DTranspose(4, 3, name="up"), layers.DepthwiseConv2D(3, name="deep"), layers.Dense(2, name="d")]
    model = library.Sequential([library.Input((6, 7, 3)), *stack])
    randomise(model.weights, 4)
    return model


def _groups(layers: list[Any]) -> None:
    for layer in layers:
        if layer["class_name"] in ("Conv2DTranspose", "DepthwiseConv2D"):
            layer["config"]["groups"] = 1


def _batch_shape(layers: list[Any]) -> None:
    inner = layers[0]["config"]
    inner["batch_shape"] = inner.pop("batch_input_shape", None) or inner.pop("batch_shape")


def _custom(layers: list[Any]) -> None:
    layers[-1]["class_name"] = "Custom>Dense"


@pytest.mark.parametrize("change", [_groups, _batch_shape, _custom])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("only", [True, False], ids=["Keras 3 only", "both"])
def test_configurations_that_versions_disagree_about_are_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, library: Any, only: bool
) -> None:
    model = transposed(library)
    old_file(model, tmp_path / "old.h5", change)
    if only:
        monkeypatch.setattr("autoport.loading.by_file._by_tf_keras", _missing)
    found = load_keras(str(tmp_path / "old.h5"))
    image = np.random.default_rng(0).standard_normal((2, 6, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(found(image)), np.asarray(model(image)), rtol=1e-5)


def _missing(config: Any, trust_code: bool) -> Any:
    raise ImportError("tf_keras")


def test_a_class_that_only_its_code_knows_is_named_with_what_to_do(tmp_path: Path) -> None:
    old_file(transposed(tf_keras), tmp_path / "old.h5", lambda layers: layers[-1].update(class_name="Custom>Mine"))
    with pytest.raises(UntrustedError, match=r"Mine.*name the code that builds it: module:callable@.*old\.h5"):
        load_keras(str(tmp_path / "old.h5"))


def test_a_file_of_weights_only_has_no_graph(tmp_path: Path) -> None:
    tf_keras_model().save_weights(str(tmp_path / "w.h5"))
    with pytest.raises(autoport.errors.FileError, match=r"write module:callable@.*w\.h5"):
        load_keras(str(tmp_path / "w.h5"))


def test_a_folder_of_keras_is_a_model_with_its_weights(tmp_path: Path) -> None:
    model = keras_model(seed=8)
    model.save(tmp_path / "model", zipped=False)
    for in_place in (False, True):
        found = load_keras(str(tmp_path / "model"), in_place=in_place)
        assert autoport.match(found, Net()).complete
    for mine, theirs in zip(load_keras(str(tmp_path / "model")).weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize("build", [keras_model, tf_keras_model], ids=["keras", "tf_keras"])
def test_models_of_either_keras_come_with_their_weights(tmp_path: Path, name: str, build: Any) -> None:
    model = build(seed=8)
    model.save(tmp_path / name)
    for mine, theirs in zip(load_keras(str(tmp_path / name)).weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_model_normalises_by_what_its_file_says(tmp_path: Path, library: Any, name: str) -> None:
    """Such a layer computes with constants that it makes of its weights."""
    rng = np.random.default_rng(0)
    norm = library.layers.Normalization()
    norm.adapt(rng.uniform(3, 9, (50, 5, 3)).astype(np.float32))
    model = library.Sequential([library.Input((5, 3)), norm, library.layers.Dense(2)])
    model.save(tmp_path / name)
    found, x = load_keras(str(tmp_path / name)), rng.standard_normal((2, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(found(x)), np.asarray(model(x)))


def test_weights_stay_where_they_are_if_the_file_is_of_another_model(tmp_path: Path) -> None:
    from autoport.loading.fill import fill_torch

    net = Net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    torch.save({**before, "conv.bias": torch.ones(9)}, tmp_path / "x.pt")
    with pytest.raises(autoport.errors.MismatchError, match=r"conv\.bias is float32 \[9\]"):
        fill_torch(net, tmp_path / "x.pt")
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in before.items())


def test_an_exported_program_is_a_target(tmp_path: Path) -> None:
    net = Net().eval()
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, 8, 9),)), tmp_path / "net.pt2")
    match = autoport.match(keras_model(), load_torch(str(tmp_path / "net.pt2")))
    assert match.complete, str(match)
    match.assign()
    verification = match.verify()
    assert verification.ok, str(verification)
    assert match.state_dict().keys() == net.state_dict().keys()
