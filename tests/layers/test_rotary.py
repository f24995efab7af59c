"""Rotary embeddings: halves or neighbours are turned, which differ in the order of the features of queries and keys."""

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

HEADS, DEPTH, LENGTH = 3, 4, 7
WIDTH = HEADS * DEPTH
ANGLES = np.arange(LENGTH)[:, None] * 100.0 ** -(np.arange(0, DEPTH, 2) / DEPTH)
Turn = Callable[[Any], Any]


def angles(each: bool) -> tuple[Any, Any]:
    wide = np.repeat(ANGLES, 2, -1) if each else np.concatenate([ANGLES, ANGLES], -1)
    return np.cos(wide)[None, :, None], np.sin(wide)[None, :, None]


def turned(x: Any, swapped: Any, *, each: bool) -> Any:
    if isinstance(x, torch.Tensor):
        cos, sin = (torch.from_numpy(part).to(x.dtype) for part in angles(each))
    else:
        cos, sin = (ops.convert_to_tensor(part, x.dtype) for part in angles(each))
    return x * cos + swapped * sin


def keras_halves(x: Any) -> Any:
    a, b = ops.split(x, 2, axis=-1)
    return turned(x, ops.concatenate([-b, a], axis=-1), each=False)


def keras_stacked_halves(x: Any) -> Any:
    a, b = ops.split(x, 2, axis=-1)
    return turned(x, ops.reshape(ops.stack([-b, a], axis=-2), (-1, LENGTH, HEADS, DEPTH)), each=False)


def keras_neighbours(x: Any) -> Any:
    swapped = ops.stack([-x[..., 1::2], x[..., ::2]], axis=-1)
    return turned(x, ops.reshape(swapped, (-1, LENGTH, HEADS, DEPTH)), each=True)


def keras_shuffled(x: Any) -> Any:
    """Halves that are turned and then interleaved, in queries and keys alike."""
    y = ops.stack(ops.split(keras_halves(x), 2, axis=-1), axis=-1)
    return ops.reshape(y, (-1, LENGTH, HEADS, DEPTH))


def halves(x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return turned(x, torch.cat([-b, a], -1), each=False)


def neighbours(x: torch.Tensor) -> torch.Tensor:
    return turned(x, torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2), each=True)


def complex_numbers(x: torch.Tensor) -> torch.Tensor:
    turns = torch.polar(torch.ones(ANGLES.shape, dtype=torch.float64), torch.from_numpy(ANGLES))
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns[:, None]).flatten(-2).to(x.dtype)


def model(turn: Turn) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        x = keras.Input((LENGTH, WIDTH))
        q, k, v = (ops.reshape(layers.Dense(WIDTH)(x), (-1, LENGTH, HEADS, DEPTH)) for _ in range(3))
        scores = ops.softmax(ops.einsum("bthd,bshd->bhts", turn(q), turn(k)) * DEPTH**-0.5)
        mixed = ops.reshape(ops.einsum("bhts,bshd->bthd", scores, v), (-1, LENGTH, WIDTH))
        return keras.Model(x, layers.Dense(WIDTH)(mixed))

    return build


class Attention(nn.Module):
    def __init__(self, turn: Turn) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.turn = turn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (layer(x).view(*x.shape[:2], HEADS, DEPTH) for layer in (self.q, self.k, self.v))
        q, k = self.turn(q), self.turn(k)
        mixed = F.scaled_dot_product_attention(*(y.transpose(1, 2) for y in (q, k, v)))
        return self.o(mixed.transpose(1, 2).flatten(2))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (keras_halves, halves),
        (keras_stacked_halves, halves),
        (keras_shuffled, halves),
        (keras_neighbours, neighbours),
    ],
)
def test_the_same_turn_in_another_spelling_ports(ours: Turn, theirs: Turn) -> None:
    assert_ports(model(ours), Attention(theirs))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (keras_halves, neighbours),
        (keras_halves, complex_numbers),
        (keras_stacked_halves, neighbours),
        (keras_neighbours, halves),
    ],
)
def test_queries_and_keys_in_another_order_are_not_carried_over(ours: Turn, theirs: Turn) -> None:
    match = autoport.match(model(ours)(), Attention(theirs))
    assert match.missing().keys() == {"q.weight", "q.bias", "k.weight", "k.bias"}
