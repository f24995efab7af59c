"""Weights stay in their file until something runs the model; nothing reads what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import torch

import autoport
from autoport.keras import unfilled as module
from autoport.keras.unfilled import unfilled_variable
from autoport.loading.by_name import load_keras
from tests.files.models import Net, keras_model, randomise, tf_keras_model

BUILDERS = {"keras": keras_model, "tf_keras": tf_keras_model}
ENDINGS = ("model.keras", "model.h5", "w.weights.h5")


@pytest.fixture(autouse=True)
def nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL", 0)


@pytest.fixture(params=[(library, ending) for library in BUILDERS for ending in ENDINGS], ids="-".join)
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A model by a name in which a file stands."""
    library, ending = request.param
    model = BUILDERS[library](seed=5)
    path = tmp_path / ending
    (model.save_weights if "weights" in ending else model.save)(path)
    return f"tests.files.models:{BUILDERS[library].__name__}(seed=None)@{path}" if "weights" in ending else str(path)


def waiting(model: Any) -> list[Any]:
    return [variable for variable in model.weights if unfilled_variable(variable) is not None]


def test_a_port_leaves_the_weights_in_the_file(name: str, tmp_path: Path) -> None:
    plain, model = load_keras(name), load_keras(name, in_place=True)
    assert len(waiting(model)) == len(model.weights)
    for number, each in enumerate((plain, model)):
        match = autoport.match(each, Net())
        assert match.plan().entries
        match.save_weights(tmp_path / f"{number}.safetensors")
    assert len(waiting(model)) == len(model.weights)
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()


def test_what_runs_the_model_reads_the_file(name: str, tmp_path: Path) -> None:
    plain, model = load_keras(name), load_keras(name, in_place=True)
    match = autoport.match(model, Net())
    match.assign()
    verification = match.verify()
    assert verification.ok, str(verification)
    assert not waiting(model)
    for mine, theirs in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


def test_a_model_is_a_target_without_its_weights(name: str, tmp_path: Path) -> None:
    model, net = load_keras(name, in_place=True), Net().eval()
    match = autoport.match(model, net)
    match.save_weights(tmp_path / "out.weights.h5", "tf")
    match.save_weights(tmp_path / "out.keras", "tf")
    for file in ("out.weights.h5", "out.keras"):
        other = keras_model()
        other.load_weights(tmp_path / file)
        np.testing.assert_array_equal(np.asarray(other.layers[-1].bias), net.heads[1].bias.detach().numpy())


def test_code_may_set_weights_before_the_file_does(tmp_path: Path) -> None:
    keras_model(seed=3).save_weights(tmp_path / "w.weights.h5")
    model = load_keras(f"tests.files.models:keras_model(seed=9)@{tmp_path}/w.weights.h5", in_place=True)
    assert not waiting(model)
    np.testing.assert_array_equal(np.asarray(model.weights[0]), np.asarray(keras_model(seed=3).weights[0]))


def test_nothing_reads_what_is_not_there(tmp_path: Path) -> None:
    keras_model().save(tmp_path / "x.keras")
    model = load_keras(str(tmp_path / "x.keras"), in_place=True)
    for read in (np.asarray, keras.ops.sum, lambda variable: tf.abs(variable.value)):
        with pytest.raises(tf.errors.FailedPreconditionError):
            read(model.weights[0])
    with pytest.raises(tf.errors.FailedPreconditionError):
        model(np.ones((1, 8, 9, 3), np.float32))


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_model_that_reads_its_weights_while_it_is_built_has_them(library: Any, tmp_path: Path) -> None:
    model = library.Sequential([library.Input((5, 3)), library.layers.Normalization(), library.layers.Dense(4)])
    randomise(model.weights, 2)
    model.save(tmp_path / "x.keras")
    found = load_keras(str(tmp_path / "x.keras"), in_place=True)
    for mine, theirs in zip(found.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


def test_variables_that_no_file_has_get_their_initial_values(tmp_path: Path) -> None:
    class More(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.hidden = [tf.Variable(lambda: tf.ones((7, 3)))]

        def call(self, x: Any) -> Any:
            return x @ self.hidden[0]

    def build() -> Any:
        return keras.Sequential([keras.Input((5,)), keras.layers.Dense(7), More()])

    build().save_weights(tmp_path / "w.weights.h5")

    def load() -> Any:
        from autoport.loading.fill import fill_keras

        model = build()
        fill_keras(model, tmp_path / "w.weights.h5")
        return model

    model = module.without_values(load)
    assert len(waiting(model)) == 2
    np.testing.assert_array_equal(model.layers[-1].hidden[0], np.ones((7, 3)))
    net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Linear(7, 3, bias=False))
    match = autoport.match(model, net)
    match.assign()
    np.testing.assert_array_equal(net[1].weight.detach(), np.ones((3, 7)))
