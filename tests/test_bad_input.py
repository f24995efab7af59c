"""What goes wrong is named, with the place and the remedy, and nothing is left changed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch
from keras import layers
from torch import nn

import autoport
from autoport.errors import (
    AutoportError,
    InputError,
    ModelError,
    NothingInCommonError,
    TraceError,
    TransferError,
    UnbuiltModelError,
)
from tests.oracle import sequential


def keras_model() -> keras.Model:
    return sequential((9, 12, 3), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(5))


def torch_model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(280, 5))


def test_models_the_wrong_way_round() -> None:
    with pytest.raises(ModelError, match="wrong way round"):
        autoport.match(torch_model(), keras_model())


@pytest.mark.parametrize("pair", [(torch_model, torch_model), (keras_model, keras_model), (int, torch_model)])
def test_something_that_is_not_a_model_of_its_side(pair: tuple[type, type]) -> None:
    with pytest.raises(ModelError, match="must be"):
        autoport.match(pair[0](), pair[1]())


def test_two_models_that_share_nothing() -> None:
    with pytest.raises(NothingInCommonError, match="share no operation"):
        autoport.match(sequential((8,), layers.Dense(5)), nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 3)))


@pytest.mark.parametrize(
    "model",
    [keras.Sequential([layers.Dense(5)]), keras.Sequential([layers.Conv2D(4, 3), layers.Dense(2)])],
    ids=["dense", "conv"],
)
def test_an_unbuilt_keras_model(model: keras.Model) -> None:
    with pytest.raises(UnbuiltModelError, match="not built"):
        autoport.match(model, nn.Linear(8, 5))
    with pytest.raises(UnbuiltModelError, match="not built"):
        autoport.match(model, nn.Linear(8, 5), inputs=np.zeros((2, 8), "float32"))
    assert not model.weights


@pytest.mark.parametrize("shape", [(2, 9, 12), (2, 9, 12, 4), (2, 30, 12, 3)])
def test_inputs_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(AutoportError, match=str(shape[1])):
        autoport.match(keras_model(), torch_model(), inputs=np.zeros(shape, "float32"))


def test_inputs_of_the_wrong_number() -> None:
    image = np.zeros((2, 9, 12, 3), "float32")
    with pytest.raises(AutoportError):
        autoport.match(keras_model(), torch_model(), inputs=[image, image])
    with pytest.raises(TraceError, match="Sequential"):
        autoport.match(keras_model(), torch_model(), torch_inputs=(torch.zeros(2, 3, 9, 12), torch.zeros(1)))


class Broken(nn.Module):
    """A module that always fails."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch_model()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("no such thing")


def test_a_torch_model_that_cannot_be_traced() -> None:
    with pytest.raises(InputError, match="no such thing"):
        autoport.match(keras_model(), Broken())


class BrokenLayer(layers.Layer):
    """A layer that fails once it is told to."""

    broken = False

    def call(self, x: torch.Tensor) -> torch.Tensor:
        if self.broken:
            raise KeyError("no such layer")
        return x


def test_a_keras_model_that_cannot_be_traced() -> None:
    model = sequential((9, 12, 3), BrokenLayer(), layers.Conv2D(4, 3))
    model.layers[0].broken = True
    with pytest.raises(TraceError, match="no such layer"):
        autoport.match(model, nn.Conv2d(3, 4, 3))
    assert keras.layers.Layer.__call__.__module__.startswith("keras")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_refused_before_anything_is_written(value: float) -> None:
    model, module = keras_model(), torch_model()
    kernel = np.array(model.layers[-1].kernel.value)
    kernel[3, 2] = value
    model.layers[-1].kernel.assign(kernel)
    before = {path: tensor.clone() for path, tensor in module.state_dict().items()}
    match = autoport.match(model, module)
    for act in (match.assign, match.state_dict):
        with pytest.raises(TransferError, match=r"dense.*/kernel holds NaN or infinity in 1 of 1400"):
            act()
    assert all(torch.equal(tensor, before[path]) for path, tensor in module.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_type_that_would_round_the_weights_is_refused(dtype: torch.dtype) -> None:
    module = torch_model().to(dtype)
    before = {path: tensor.clone() for path, tensor in module.state_dict().items()}
    with pytest.raises(TransferError, match="exactly"):
        autoport.match(keras_model(), module).assign()
    assert all(torch.equal(tensor, before[path]) for path, tensor in module.state_dict().items())


def test_a_wider_type_takes_the_weights() -> None:
    model, module = keras_model(), torch_model().double()
    autoport.match(model, module).assign()
    assert module[3].weight.dtype == torch.float64
    assert np.array_equal(module[3].bias.detach().numpy(), np.asarray(model.layers[-1].bias.value))


def test_a_model_on_the_meta_device_is_matched_and_gets_a_state_dict() -> None:
    model = keras_model()
    with torch.device("meta"):
        module = torch_model()
    match = autoport.match(model, module)
    with pytest.raises(TransferError, match="meta device"):
        match.assign()
    module.load_state_dict(match.state_dict(), assign=True)
    assert np.array_equal(module[3].bias.detach().numpy(), np.asarray(model.layers[-1].bias.value))


def test_a_direction_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="'torch' or 'tf'"):
        autoport.match(keras_model(), torch_model()).assign(to="jax")
