"""Attention in every spelling: projections separate or fused, heads in any order, products by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from tests.oracle import assert_ports

WIDTH, HEADS, DEPTH = 12, 3, 4
SCALE = DEPTH**-0.5
Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def split(x: torch.Tensor) -> torch.Tensor:
    """(n, t, h d) -> (n, h, t, d)"""
    return x.view(*x.shape[:2], HEADS, DEPTH).transpose(1, 2)


def join(x: torch.Tensor) -> torch.Tensor:
    """(n, h, t, d) -> (n, t, h d)"""
    return x.transpose(1, 2).reshape(x.shape[0], -1, WIDTH)


def fused_call(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def by_hand(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return (q @ k.transpose(-2, -1) / DEPTH**0.5).softmax(-1) @ v


def scaled_query(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return F.dropout(torch.softmax((q * SCALE) @ k.mT, -1), 0.1, False) @ v


def einsums(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    scores = torch.einsum("bhid,bhjd->bhij", q, k) * SCALE
    return torch.einsum("bhij,bhjd->bhid", scores.softmax(dim=-1), v)


def keys_first(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    scores = torch.einsum("bhjd,bhid->bhji", k, q) * SCALE
    return torch.einsum("bhjd,bhji->bhid", v, scores.softmax(dim=2))


def batched(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    n, h, t, d = q.shape
    q, k, v = (x.reshape(n * h, -1, d) for x in (q, k, v))
    probabilities = torch.bmm(q, k.transpose(1, 2)).mul(SCALE).view(n, h, t, -1).softmax(-1)
    return torch.bmm(probabilities.view(n * h, t, -1), v).view(n, h, t, d)


def added(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    n, h, t, d = q.shape
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))
    scores = torch.baddbmm(torch.empty(n * h, t, k.shape[1], dtype=q.dtype), q, k.mT, beta=0, alpha=SCALE)
    return (scores.softmax(-1) @ v).view(n, h, t, d)


def relaxed(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Without the largest score, on a smaller scale (Ding et al., arXiv:2105.13290)."""
    scores = q * SCALE @ k.mT / 32
    return ((scores - scores.amax(-1, keepdim=True)) * 32).softmax(-1) @ v


CORES = [fused_call, by_hand, scaled_query, einsums, keys_first, batched, added, relaxed]


class Separate(nn.Module):
    """Four layers."""

    def __init__(self, core: Attention) -> None:
        super().__init__()
        self.d, self.c, self.b, self.a = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.core = core

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.d(join(self.core(split(self.a(x)), split(self.b(x)), split(self.c(x)))))


class Fused(nn.Module):
    """One layer for queries, keys and values, which `cut` takes apart."""

    def __init__(self, cut: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.out, self.qkv = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3 * WIDTH)
        self.cut = cut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(join(fused_call(*self.cut(self.qkv(x)))))


class Turned(nn.Module):
    """Matrices stored as `i o`, as in GPT-2, one for each role or all in one."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.empty(WIDTH, 3 * WIDTH)), nn.Parameter(torch.empty(3 * WIDTH))
        self.out, self.bias = nn.Parameter(torch.empty(WIDTH, WIDTH)), nn.Parameter(torch.empty(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = torch.addmm(self.b, x.view(-1, WIDTH), self.w).view(*x.shape[:2], -1).split(WIDTH, 2)
        return join(by_hand(split(q), split(k), split(v))) @ self.out + self.bias


class PerHead(nn.Module):
    """Kernels with an axis for heads."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.ParameterList(nn.Parameter(torch.empty(HEADS, DEPTH, WIDTH)) for _ in range(4))
        self.b = nn.ParameterList(nn.Parameter(torch.empty(HEADS, 1, DEPTH)) for _ in range(3))
        self.last = nn.Parameter(torch.empty(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (torch.einsum("nti,hdi->nhtd", x, w) + b for w, b in zip(self.w[:3], self.b, strict=True))
        return torch.einsum("nhtd,hdo->nto", by_hand(q, k, v), self.w[3]) + self.last


def unbound(y: torch.Tensor) -> Any:
    return y.reshape(*y.shape[:2], 3, HEADS, DEPTH).permute(2, 0, 3, 1, 4).unbind(0)


def chunked(y: torch.Tensor) -> Any:
    return map(split, y.chunk(3, -1))


def by_head(y: torch.Tensor) -> Any:
    return y.view(*y.shape[:2], HEADS, 3 * DEPTH).transpose(1, 2).chunk(3, -1)


def by_feature(y: torch.Tensor) -> Any:
    y = y.view(*y.shape[:2], HEADS, DEPTH, 3).permute(4, 0, 2, 1, 3)
    return y[0], y[1], y[2]


def keras_model() -> keras.Model:
    tokens = keras.Input((7, WIDTH))
    return keras.Model(tokens, layers.MultiHeadAttention(HEADS, DEPTH)(tokens, tokens))


def by_einsum() -> keras.Model:
    """With dropout Keras writes the products out, the keys first, and turns what comes out."""
    tokens = keras.Input((7, WIDTH))
    return keras.Model(tokens, layers.MultiHeadAttention(HEADS, DEPTH, dropout=0.1)(tokens, tokens))


def hand_written() -> keras.Model:
    def heads(x: Any) -> Any:
        return ops.transpose(ops.reshape(x, (-1, 7, HEADS, DEPTH)), (0, 2, 1, 3))

    tokens = keras.Input((7, WIDTH))
    q, k, v = (heads(layers.Dense(WIDTH)(tokens)) for _ in range(3))
    scores = ops.matmul(q * SCALE, ops.transpose(k, (0, 1, 3, 2)))
    mixed = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
    return keras.Model(tokens, layers.Dense(WIDTH)(ops.reshape(mixed, (-1, 7, WIDTH))))


@pytest.mark.parametrize("build", [keras_model, by_einsum, hand_written])
@pytest.mark.parametrize("core", CORES)
def test_separate_projections_port(build: Callable[[], keras.Model], core: Attention) -> None:
    assert_ports(build, Separate(core))


@pytest.mark.parametrize("build", [keras_model, hand_written])
@pytest.mark.parametrize("cut", [unbound, chunked, by_head, by_feature])
def test_fused_projections_port(build: Callable[[], keras.Model], cut: Callable[[torch.Tensor], Any]) -> None:
    assert_ports(build, Fused(cut))


@pytest.mark.parametrize("module", [Turned, PerHead])
def test_raw_parameters_port(module: type[nn.Module]) -> None:
    assert_ports(keras_model, module())


def test_another_number_of_heads_is_refused() -> None:
    class Other(Separate):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = (f(x).view(*x.shape[:2], DEPTH, HEADS).transpose(1, 2) for f in (self.a, self.b, self.c))
            return self.d(join(by_hand(q, k, v)))

    match = autoport.match(keras_model(), Other(by_hand))
    assert "num_heads" in {difference.name for difference in match.differences}


def test_another_scale_is_a_difference() -> None:
    def unscaled(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return (q @ k.mT).softmax(-1) @ v

    assert_ports(keras_model, Separate(unscaled), equal=False, differences={"scale"})


@pytest.mark.parametrize("masked", [True, False])
def test_a_mask_that_a_softmax_layer_takes_is_compared(masked: bool) -> None:
    tokens = keras.Input((7, WIDTH))
    attend = layers.MultiHeadAttention(HEADS, DEPTH, dropout=0.1)
    model = keras.Model(tokens, attend(tokens, tokens, use_causal_mask=masked))
    match = autoport.match(model, Separate(fused_call))
    assert match.complete
    assert ("masked" in {difference.name for difference in match.differences}) == masked
