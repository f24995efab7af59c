"""Grouped attention: several heads of queries share one of keys, in whatever order either side counts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

from tests.oracle import assert_ports

WIDTH, HEADS, SHARED, DEPTH, LENGTH = 12, 6, 2, 4, 7
TIMES = HEADS // SHARED


def unfolded(x: Any, *heads: int) -> Any:
    return ops.reshape(layers.Dense(DEPTH * keras.ops.prod(heads).numpy().item())(x), (-1, LENGTH, *heads, DEPTH))


def copied(copies: Callable[[Any], Any]) -> Callable[[], keras.Model]:
    """Keys and values are copied for every head of queries."""

    def build() -> keras.Model:
        x = keras.Input((LENGTH, WIDTH))
        q, k, v = unfolded(x, HEADS), copies(unfolded(x, SHARED)), copies(unfolded(x, SHARED))
        scores = ops.softmax(ops.einsum("bthd,bshd->bhts", q, k) * DEPTH**-0.5)
        mixed = ops.reshape(ops.einsum("bhts,bshd->bthd", scores, v), (-1, LENGTH, HEADS * DEPTH))
        return keras.Model(x, layers.Dense(WIDTH)(mixed))

    return build


def shared(term: str, heads: tuple[int, int]) -> Callable[[], keras.Model]:
    """Heads of queries are counted by two axes, of which keys have one."""

    def build() -> keras.Model:
        x = keras.Input((LENGTH, WIDTH))
        q, k, v = unfolded(x, *heads), unfolded(x, SHARED), unfolded(x, SHARED)
        scores = ops.softmax(ops.einsum(f"{term},bskd->bkgts", q, k) * DEPTH**-0.5)
        mixed = ops.reshape(ops.einsum(f"bkgts,bskd->{term}", scores, v), (-1, LENGTH, HEADS * DEPTH))
        return keras.Model(x, layers.Dense(WIDTH)(mixed))

    return build


def layer() -> keras.Model:
    x = keras.Input((LENGTH, WIDTH))
    return keras.Model(x, layers.GroupQueryAttention(DEPTH, HEADS, SHARED)(x, x))


MODELS = {
    "each": copied(lambda x: ops.repeat(x, TIMES, axis=2)),
    "all": copied(lambda x: ops.tile(x, (1, 1, TIMES, 1))),
    "sharing inside": shared("btkgd", (SHARED, TIMES)),
    "sharing outside": shared("btgkd", (TIMES, SHARED)),
    "layer": layer,
}
COPIES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "each": lambda x: x.repeat_interleave(TIMES, 1),
    "all": lambda x: x.repeat(1, TIMES, 1, 1),
    "expanded": lambda x: x[:, :, None].expand(-1, -1, TIMES, -1, -1).reshape(x.shape[0], HEADS, -1, DEPTH),
}


class Grouped(nn.Module):
    def __init__(self, copies: Callable[[torch.Tensor], torch.Tensor] | None) -> None:
        super().__init__()
        self.q, self.o = nn.Linear(WIDTH, HEADS * DEPTH), nn.Linear(HEADS * DEPTH, WIDTH)
        self.k, self.v = (nn.Linear(WIDTH, SHARED * DEPTH) for _ in range(2))
        self.copies = copies

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (y(x).view(*x.shape[:2], -1, DEPTH).transpose(1, 2) for y in (self.q, self.k, self.v))
        if self.copies:
            k, v = self.copies(k), self.copies(v)
        mixed = F.scaled_dot_product_attention(q, k, v, enable_gqa=self.copies is None)
        return self.o(mixed.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("copies", [*COPIES, None])
@pytest.mark.parametrize("model", MODELS)
def test_grouped_attention_ports(model: str, copies: str | None) -> None:
    assert_ports(MODELS[model], Grouped(COPIES[copies] if copies else None))


class Apart(nn.Module):
    """A layer for each role, as many heads of keys as of queries."""

    def __init__(self, core: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(WIDTH, HEADS * DEPTH) for _ in range(3))
        self.d, self.core = nn.Linear(HEADS * DEPTH, WIDTH), core

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (y(x).view(*x.shape[:2], HEADS, DEPTH).transpose(1, 2) for y in (self.b, self.a, self.c))
        return self.d(self.core(q, k, v).transpose(1, 2).flatten(2))


def test_bounded_scores_port() -> None:
    """Scores that a tanh keeps within bounds, as Gemma 2 has them."""

    def build() -> keras.Model:
        x = keras.Input((LENGTH, WIDTH))
        q, k, v = (unfolded(x, HEADS) for _ in range(3))
        scores = ops.tanh(ops.einsum("bthd,bshd->bhts", q, k) * DEPTH**-0.5 / 3.0) * 3.0
        mixed = ops.einsum("bhts,bshd->bthd", ops.softmax(scores), v)
        return keras.Model(x, layers.Dense(WIDTH)(ops.reshape(mixed, (-1, LENGTH, HEADS * DEPTH))))

    def bounded(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = 3.0 * torch.tanh((q * DEPTH**-0.5) @ k.mT / 3.0)
        return scores.softmax(-1) @ v

    assert_ports(build, Apart(bounded))


def test_one_layer_with_an_axis_for_heads_is_split() -> None:
    """Queries, keys and values of each head side by side, as GPT-NeoX has them."""

    def build() -> keras.Model:
        x = keras.Input((LENGTH, WIDTH))
        y = layers.EinsumDense("btm,mhd->bthd", (LENGTH, HEADS, 3 * DEPTH), bias_axes="hd")(x)
        q, k, v = ops.split(y, 3, axis=-1)
        mixed = ops.dot_product_attention(q, k, v)
        return keras.Model(x, layers.Dense(WIDTH)(ops.reshape(mixed, (-1, LENGTH, HEADS * DEPTH))))

    assert_ports(build, Apart(F.scaled_dot_product_attention))
