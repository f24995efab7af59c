"""Functions and layers in place of an activation's name: what they compute counts, not what they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
from keras import layers, ops
from torch import nn

import autoport
from tests.oracle import assert_ports, sequential


def relu(x: Any) -> Any:
    """Called like another function."""
    return ops.where(x > 0, x, 0.3 * x)


# Each is made with its model, of which a layer takes the type of numbers.
OWN: dict[str, tuple[Callable[[], Any], nn.Module]] = {
    "another function of the name": (lambda: relu, nn.LeakyReLU(0.3)),
    "a lambda": (lambda: lambda x: x * ops.sigmoid(x), nn.SiLU()),
    "a layer": (lambda: layers.ReLU(negative_slope=0.25), nn.LeakyReLU(0.25)),
    "a layer with a bound": (lambda: layers.ReLU(max_value=6.0), nn.ReLU6()),
    "tanh by another name": (lambda: ops.tanh, nn.Tanh()),
}
LAYERS: dict[str, tuple[Callable[[Any], Any], nn.Module]] = {
    "Dense": (lambda own: layers.Dense(5, activation=own), nn.Linear(4, 5)),
    "Conv1D": (lambda own: layers.Conv1D(5, 3, activation=own), nn.Conv1d(4, 5, 3)),
    "Activation": (layers.Activation, nn.Identity()),
}


class Tokens(nn.Module):
    """A layer, an activation and a head, with channels last around them."""

    def __init__(self, layer: nn.Module, activation: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.activation, self.head = layer, activation, nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        is_conv = isinstance(self.layer, nn.Conv1d)
        y = self.layer(x.transpose(1, 2)).transpose(1, 2) if is_conv else self.layer(x)
        return self.head(self.activation(y))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("own", OWN)
def test_a_function_in_place_of_a_name_is_followed(layer: str, own: str) -> None:
    make, module = LAYERS[layer]
    activation, twin = OWN[own]
    width = 4 if layer == "Activation" else 5
    assert_ports(lambda: sequential((7, 4), make(activation()), layers.Dense(3)), Tokens(module, twin, width))


@pytest.mark.parametrize(
    ("own", "twin"),
    [(relu, nn.ReLU()), (layers.ReLU(negative_slope=0.3), nn.ReLU()), (ops.gelu, nn.GELU())],
    ids=["function", "layer", "another default"],
)
def test_what_is_only_called_alike_is_a_difference(own: Any, twin: nn.Module) -> None:
    model = keras.Sequential([keras.Input((7, 4)), layers.Dense(5, activation=own), layers.Dense(3)])
    match = autoport.match(model, Tokens(nn.Linear(4, 5), twin, 5))
    match.assign(strict=False)
    assert [difference for difference in match.differences if not difference.training_only]
    assert not match.verify().ok
