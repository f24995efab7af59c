"""Multi-head attention: roles, fused and separate projections."""

from __future__ import annotations

from typing import Any

import keras
import torch
from keras import layers
from torch import nn

from tests.oracle import assert_ports


class Attend(nn.Module):
    """Attention whose arguments come in the order that Keras takes them: query, value, key."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **options)

    def forward(self, query: torch.Tensor, value: torch.Tensor | None = None, key: Any = None) -> torch.Tensor:
        value = query if value is None else value
        return self.attention(query, value if key is None else key, value)[0]


def keras_attention(*shapes: tuple[int, int]) -> keras.Model:
    inputs = [keras.Input(shape) for shape in shapes]
    arguments = inputs if len(inputs) > 1 else inputs * 2
    return keras.Model(inputs, layers.MultiHeadAttention(2, 4)(*arguments))


def test_self_attention_with_fused_projections_ports() -> None:
    match = assert_ports(lambda: keras_attention((7, 8)), Attend())
    kernels = [w.expression for pair in match.pairs for w in pair.weights if w.role == "kernel"]
    assert kernels[0] == "i heads d -> (qkv heads d) i [qkv=0]"


def test_cross_attention_ports() -> None:
    assert_ports(lambda: keras_attention((7, 8), (5, 8)), Attend())


def test_attention_on_keys_and_values_of_other_widths_ports() -> None:
    assert_ports(lambda: keras_attention((7, 8), (5, 6), (5, 4)), Attend(kdim=4, vdim=6))


def test_attention_without_bias_ports_into_attention_with_bias() -> None:
    def build() -> keras.Model:
        tokens = keras.Input((7, 8))
        return keras.Model(tokens, layers.MultiHeadAttention(2, 4, use_bias=False)(tokens, tokens))

    assert_ports(build, Attend())
