"""Functions without weights in other words: powers, lengths, orders, bounds and resizing are no differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from tests.layers.test_spellings import Apply
from tests.oracle import assert_ports
from tests.support import keras_float64, randomise_keras, randomise_torch

Torch = Callable[[torch.Tensor], torch.Tensor]


def between(keras_step: Callable[[Any], Any]) -> keras.Model:
    """Two dense layers with something in between."""
    tokens = keras.Input((7, 6))
    return keras.Model(tokens, layers.Dense(4)(keras_step(layers.Dense(5)(tokens))))


def module(step: Torch) -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.last(step(self.first(x)))

    return Apply(forward, last=nn.Linear(5, 4), first=nn.Linear(6, 5))


def length(x: torch.Tensor) -> torch.Tensor:
    return x.pow(2).sum(-1, keepdim=True) ** 0.5


SAME: list[tuple[str, Callable[[Any], Any], Torch]] = [
    ("square", ops.square, lambda x: x * x),
    ("power", lambda x: x**2, torch.square),
    ("root", lambda x: ops.sqrt(ops.abs(x)), lambda x: x.abs() ** 0.5),
    ("inverse root", lambda x: ops.rsqrt(1 + ops.abs(x)), lambda x: 1 / (x.abs() + 1).sqrt()),
    ("length", lambda x: x / ops.norm(x, axis=-1, keepdims=True), lambda x: x / length(x)),
    ("unit", lambda x: ops.normalize(x, axis=-1, epsilon=1e-6), lambda x: F.normalize(x, dim=-1, eps=1e-6)),
    ("bound", lambda x: ops.maximum(x, 0.25), lambda x: x.clamp(min=0.25)),
    ("order", lambda x: x + ops.cast(ops.argsort(x), x.dtype), lambda x: x + x.argsort(-1).to(x.dtype)),
]


@pytest.mark.parametrize(("keras_step", "step"), [pytest.param(*pair, id=name) for name, *pair in SAME])
def test_other_words_are_no_difference(keras_step: Callable[[Any], Any], step: Torch) -> None:
    assert_ports(lambda: between(keras_step), module(step))


def test_another_least_length_is_a_difference() -> None:
    def unit(x: torch.Tensor) -> torch.Tensor:
        return F.normalize(x, dim=-1)

    assert_ports(lambda: between(lambda x: ops.normalize(x, axis=-1)), module(unit), differences={"epsilon"})


def test_sorting_the_other_way_is_a_difference() -> None:
    def descending(x: torch.Tensor) -> torch.Tensor:
        return x + x.argsort(-1, descending=True).to(x.dtype)

    ascending = next(step for name, step, _ in SAME if name == "order")
    assert_ports(lambda: between(ascending), module(descending), differences={"descending"}, equal=False)


RESIZED = [
    ("nearest", (12, 15), {"mode": "nearest"}, set()),
    ("nearest", (9, 7), {"mode": "nearest-exact"}, set()),
    ("bilinear", (9, 7), {"mode": "bilinear"}, set()),
    ("bilinear", (9, 7), {"mode": "bilinear", "align_corners": True}, {"align_corners"}),
    ("bicubic", (12, 15), {"mode": "bicubic"}, {"mode"}),
]


@pytest.mark.parametrize(("method", "size", "options", "differences"), RESIZED)
def test_images_resized_by_tensorflow(
    method: str, size: tuple[int, int], options: dict[str, Any], differences: set[str]
) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.out(F.interpolate(self.conv(x), size, **options))

    class Resize(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return tf.image.resize(x, size, method)

    with keras_float64():
        image = keras.Input((6, 5, 3))
        model = keras.Model(image, layers.Conv2D(2, 3)(Resize()(layers.Conv2D(4, 1)(image))))
    torch_model = Apply(forward, out=nn.Conv2d(4, 2, 3), conv=nn.Conv2d(3, 4, 1)).double().eval()
    randomise_keras(model, 1)
    randomise_torch(torch_model, 2)
    match = autoport.match(model, torch_model)
    assert {found.name for found in match.differences} == differences
    match.assign()
    assert match.verify(rtol=1e-6).ok is not bool(differences)
