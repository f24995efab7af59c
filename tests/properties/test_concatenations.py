"""What the random architectures found about concatenations in another order, as small as it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from tests.oracle import assert_ports
from tests.support import keras_float64, randomise_keras, randomise_torch


class Run(nn.Module):
    """Layers, and a forward pass that is given."""

    def __init__(self, run: Callable[..., Any], **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)
        self.run = run

    def forward(self, *values: torch.Tensor) -> Any:
        return self.run(self, *values)


def joined(*values: Any) -> Any:
    return layers.Concatenate()(list(values))


def matched(model: keras.Model, module: nn.Module) -> autoport.Match:
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    return autoport.match(model, module)


def test_shared_branches_belong_to_the_inputs_that_they_read() -> None:
    """They were paired by their place, and the inputs reported as exchanged."""

    def model() -> keras.Model:
        inputs, shared = [keras.Input((5,)), keras.Input((5,))], layers.Dense(4)
        return keras.Model(inputs, layers.Dense(3)(joined(*map(shared, inputs))))

    def run(self: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.shared(y), self.shared(x)], -1))

    assert_ports(model, Run(run, head=nn.Linear(8, 3), shared=nn.Linear(5, 4)))


def test_branches_of_one_size_are_told_apart_by_what_stands_beside_them() -> None:
    """They were paired by their place, and reported as different."""

    def model() -> keras.Model:
        x = keras.Input((6, 7, 3))
        y = joined(layers.Conv2D(4, 1, use_bias=False)(x), layers.ReLU(6.0)(layers.Dense(4)(x)))
        return keras.Model(x, layers.Conv2D(2, 3)(y))

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([F.relu6(self.second(x)), self.first(x)], 1))

    first, second = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(3, 4, 1)
    assert_ports(model, Run(run, head=nn.Conv2d(8, 2, 3), first=first, second=second))


def test_an_operand_whose_layer_has_no_partner_is_known_by_elimination() -> None:
    """What reads the concatenation was carried over as if it stood in the same order."""
    x = keras.Input((5,))
    model = keras.Model(x, layers.Dense(2)(joined(layers.Dense(3)(layers.Dense(7)(x)), layers.Dense(8)(x))))

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.wide(x), self.other(x)], -1))

    module = Run(run, head=nn.Linear(11, 2), wide=nn.Linear(5, 8), other=nn.Linear(5, 3))
    match = matched(model, module)
    kernel = np.asarray(model.layers[-1].kernel)
    right = np.concatenate([kernel[3:], kernel[:3]]).T
    assert np.array_equal(match.state_dict(strict=False)["head.weight"], right)


def test_an_order_that_is_open_is_refused() -> None:
    """What reads the concatenation was carried over as if it stood in the same order."""
    x = keras.Input((5,))
    model = keras.Model(
        x, layers.Dense(2)(joined(layers.Dense(4)(layers.Dense(7)(x)), layers.LayerNormalization()(layers.Dense(4)(x))))
    )

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.first(self.inner(x)), self.second(self.norm(x))], -1))

    parts = {"first": nn.Linear(9, 4), "inner": nn.Linear(5, 9), "second": nn.Linear(5, 4), "norm": nn.BatchNorm1d(5)}
    assert "head.weight" in matched(model, Run(run, head=nn.Linear(8, 2), **parts)).missing()


@pytest.mark.parametrize("torch_first", [True, False])
def test_channels_in_another_order_that_are_joined_again_are_permuted_there_too(torch_first: bool) -> None:
    """What reads the second concatenation was carried over as it is: silently wrong."""

    def model() -> keras.Model:
        x = keras.Input((5,))
        y = layers.BatchNormalization()(joined(x, layers.Dense(4)(x)))
        return keras.Model(x, layers.Dense(3)(joined(y, layers.Dense(2)(y))))

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(torch.cat([self.first(x), x], -1))
        return self.head(torch.cat([self.second(y), y] if torch_first else [y, self.second(y)], -1))

    parts = {"first": nn.Linear(5, 4), "norm": nn.BatchNorm1d(9, 1e-3), "second": nn.Linear(9, 2)}
    assert_ports(model, Run(run, head=nn.Linear(11, 3), **parts))


def test_channels_in_another_order_that_are_flattened_beside_others_port() -> None:
    def model() -> keras.Model:
        x, z = keras.Input((4, 5, 3)), keras.Input((6,))
        flat = layers.Flatten()(joined(x, layers.Conv2D(2, 1)(x)))
        return keras.Model([x, z], layers.Dense(3)(joined(flat, z)))

    def run(self: Any, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([torch.cat([self.conv(x), x], 1).flatten(1), z], -1))

    assert_ports(model, Run(run, head=nn.Linear(106, 3), conv=nn.Conv2d(3, 2, 1)))


def test_one_value_joined_with_itself_in_another_order_is_no_difference() -> None:
    def model() -> keras.Model:
        x = keras.Input((5,))
        y = layers.Dense(4)(x)
        return keras.Model(x, layers.Dense(3)(joined(ops.tanh(y), ops.relu(y), x)))

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        return self.head(torch.cat([x, F.relu(y), torch.tanh(y)], -1))

    assert_ports(model, Run(run, head=nn.Linear(13, 3), inner=nn.Linear(5, 4)))


def test_a_single_channel_beside_others_is_no_difference() -> None:
    def model() -> keras.Model:
        x = keras.Input((5, 4, 3))
        return keras.Model(x, layers.Conv2D(2, 2)(joined(layers.Conv2D(1, 1)(x), x)))

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([x, self.one(x)], 1))

    assert_ports(model, Run(run, head=nn.Conv2d(4, 2, 2), one=nn.Conv2d(3, 1, 1)))


def test_operands_exchanged_by_mistake_are_still_reported() -> None:
    """Nothing that stands beside these branches tells them apart but their place."""
    with keras_float64():
        x = keras.Input((5,))
        model = keras.Model(x, layers.Dense(3)(joined(ops.tanh(layers.Dense(4)(x)), layers.Dense(4)(x))))

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([F.relu(self.first(x)), self.second(x)], -1))

    module = Run(run, head=nn.Linear(8, 3), first=nn.Linear(5, 4), second=nn.Linear(5, 4))
    match = matched(model, module.double())
    assert match.complete
    assert [(d.tf_value, d.torch_value) for d in match.differences] == [("tanh", "relu")]


def test_constants_at_another_place_among_channels_are_refused() -> None:
    def model() -> keras.Model:
        x = keras.Input((5, 4, 3))
        given = ops.cast(np.ones((2, 5, 4, 2)), "float64")
        return keras.Model(x, layers.Conv2D(2, 2)(ops.concatenate([layers.Conv2D(4, 1)(x), x, given], -1)))

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        given = torch.ones(2, 2, 5, 4, dtype=x.dtype)
        return self.head(torch.cat([self.conv(x), given, x], 1))

    module = Run(run, head=nn.Conv2d(9, 2, 2), conv=nn.Conv2d(3, 4, 1))
    with keras_float64():
        match = autoport.match(model(), module.double(), inputs=np.ones((2, 5, 4, 3)))
    assert "head.weight" in match.missing()
