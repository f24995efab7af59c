"""Other spellings of layers: fused and gated layers, norms by hand, look-ups, tables of positions, grouped heads."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn
from torch.nn.utils import parametrizations

from autoport.facts.reasons import Code
from tests.oracle import assert_ports


class Apply(nn.Module):
    """Layers, and a forward pass that is given."""

    def __init__(self, forward: Any, **children: Any) -> None:
        super().__init__()
        for name, child in children.items():
            setattr(self, name, child)
        self.run = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, x)


def tokens(*steps: Any, width: int = 6) -> keras.Model:
    x = inputs = keras.Input((7, width))
    for step in steps:
        x = step(x)
    return keras.Model(inputs, x)


def gated(x: Any) -> Any:
    return layers.Dense(6)(ops.silu(layers.Dense(10, use_bias=False)(x)) * layers.Dense(10, use_bias=False)(x))


def chunked(self: Any, x: torch.Tensor) -> torch.Tensor:
    gate, up = self.both(x).chunk(2, -1)
    return self.down(F.silu(gate) * up)


def swapped(self: Any, x: torch.Tensor) -> torch.Tensor:
    up, gate = self.both(x).split(10, -1)
    return self.down(up * F.silu(gate))


@pytest.mark.parametrize("forward", [chunked, swapped])
def test_a_fused_gated_mlp_is_two_layers(forward: Any) -> None:
    module = Apply(forward, down=nn.Linear(10, 6), both=nn.Linear(6, 20, bias=False))
    assert_ports(lambda: tokens(gated), module)


def test_unequal_parts_of_a_fused_layer_port() -> None:
    def model() -> keras.Model:
        return tokens(lambda x: ops.tanh(layers.Dense(4)(x)) @ ops.ones((4, 9)) + layers.Dense(9)(x))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        wide, small = self.both(x).split([9, 4], -1)
        return torch.tanh(small) @ torch.ones(4, 9, dtype=x.dtype) + wide

    assert_ports(model, Apply(forward, both=nn.Linear(6, 13)))


def mean_square(x: torch.Tensor) -> torch.Tensor:
    return x.pow(2).mean(-1, keepdim=True)


def rms(self: Any, x: torch.Tensor) -> torch.Tensor:
    return self.weight * (x * torch.rsqrt(mean_square(x) + 1e-6))


def centred(self: Any, x: torch.Tensor) -> torch.Tensor:
    rest = x - x.mean(-1, keepdim=True)
    return rest / torch.sqrt(mean_square(rest) + 1e-3) * self.weight + self.bias


def test_norms_by_hand_port() -> None:
    vector = [nn.Parameter(torch.empty(6)) for _ in range(3)]
    assert_ports(lambda: tokens(layers.RMSNormalization(epsilon=1e-6)), Apply(rms, weight=vector[0]))
    assert_ports(lambda: tokens(layers.LayerNormalization()), Apply(centred, weight=vector[1], bias=vector[2]))


def test_grouped_heads_port() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (layer(x).view(*x.shape[:2], -1, 4).transpose(1, 2) for layer in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return self.out(y.transpose(1, 2).flatten(2))

    def model() -> keras.Model:
        x = keras.Input((7, 6))
        return keras.Model(x, layers.GroupQueryAttention(4, num_query_heads=6, num_key_value_heads=2)(x, x))

    linear = {"q": nn.Linear(6, 24), "k": nn.Linear(6, 8), "v": nn.Linear(6, 8), "out": nn.Linear(24, 6)}
    assert_ports(model, Apply(forward, **linear))


class Places(layers.Layer):  # type: ignore[misc]
    """Adds a row of a table for each position."""

    def build(self, shape: Any) -> None:
        self.table = layers.Embedding(9, shape[-1])
        self.table.build(None)

    def call(self, x: Any) -> Any:
        return x + self.table(ops.arange(x.shape[1]))


def test_a_table_of_positions_ports_whether_it_is_added_or_looked_up() -> None:
    def model() -> keras.Model:
        ids = keras.Input((7,), dtype="int32")
        return keras.Model(ids, layers.Dense(5)(Places()(layers.Embedding(11, 6)(ids))))

    def looked_up(self: Any, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.words(ids) + self.places(torch.arange(ids.shape[1])[None]))

    def sliced(self: Any, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.words(ids) + self.places.weight[: ids.shape[1]])

    for forward in (looked_up, sliced):
        module = Apply(forward, out=nn.Linear(6, 5), places=nn.Embedding(9, 6), words=nn.Embedding(11, 6))
        assert_ports(model, module)


def test_one_hot_rows_times_a_matrix_are_a_look_up() -> None:
    def model() -> keras.Model:
        ids = keras.Input((7,), dtype="int32")
        return keras.Model(ids, layers.Dense(5, activation="tanh")(layers.Embedding(11, 6)(ids)))

    def forward(self: Any, ids: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.out(F.one_hot(ids, 11).to(self.table.dtype) @ self.table))

    assert_ports(model, Apply(forward, out=nn.Linear(6, 5), table=nn.Parameter(torch.empty(11, 6))))


def test_a_block_that_runs_several_times_ports() -> None:
    def model() -> keras.Model:
        shared, norm = layers.Dense(6, activation="tanh"), layers.LayerNormalization()
        return tokens(*[lambda x: norm(x + shared(x))] * 3)

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = self.norm(x + torch.tanh(self.shared(x)))
        return x

    assert_ports(model, Apply(forward, norm=nn.LayerNorm(6, eps=1e-3), shared=nn.Linear(6, 6)))


def test_an_encoder_layer_ports() -> None:
    def model() -> keras.Model:
        x = inputs = keras.Input((7, 8))
        x = layers.LayerNormalization(epsilon=1e-5)(x + layers.MultiHeadAttention(2, 4)(x, x))
        y = layers.Dense(8)(layers.Dense(10, activation="relu")(x))
        return keras.Model(inputs, layers.LayerNormalization(epsilon=1e-5)(x + y))

    assert_ports(model, nn.TransformerEncoderLayer(8, 2, 10, batch_first=True))


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, nn.utils.weight_norm])
def test_a_weight_that_is_computed_is_not_guessed(norm: Any) -> None:
    import autoport

    module = nn.Sequential(norm(nn.Linear(6, 5)), nn.Linear(5, 4))
    match = autoport.match(tokens(layers.Dense(5), layers.Dense(4)), module)
    assert set(match.plan("torch").entries) <= {"0.bias", "1.weight", "1.bias"}
    assert {"1.weight", "1.bias"} <= set(match.plan("torch").entries)
    assert any(reason.code is Code.COMPUTED for reason in match.missing().values())
