"""Recurrent layers: gate order, one bias against two, directions, stacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from keras import layers
from torch import nn

from tests.oracle import assert_ports, sequential


class Pick(nn.Module):
    """A recurrent module of which one output is used."""

    def __init__(self, module: nn.Module, pick: Callable[[Any], torch.Tensor], head: nn.Module | None = None) -> None:
        super().__init__()
        self.head = head or nn.Identity()
        self.inner = module
        self.pick = pick

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pick(self.inner(x)))


def sequence(result: Any) -> torch.Tensor:
    return result[0]


def last_states(result: Any) -> torch.Tensor:
    states = result[1]
    return torch.cat([states[-2], states[-1]], 1)


WHOLE = {"return_sequences": True}
CASES = {
    "rnn": (lambda: [layers.SimpleRNN(4, **WHOLE)], Pick(nn.RNN(6, 4, batch_first=True), sequence)),
    "lstm": (lambda: [layers.LSTM(4, **WHOLE)], Pick(nn.LSTM(6, 4, batch_first=True), sequence)),
    "gru": (lambda: [layers.GRU(4, **WHOLE)], Pick(nn.GRU(6, 4, batch_first=True), sequence)),
    "lstm without bias": (
        lambda: [layers.LSTM(4, use_bias=False, **WHOLE)],
        Pick(nn.LSTM(6, 4, batch_first=True), sequence),
    ),
    "last state of an lstm": (
        lambda: [layers.LSTM(4), layers.Dense(3)],
        Pick(nn.LSTM(6, 4, batch_first=True), lambda result: result[1][0][-1], nn.Linear(4, 3)),
    ),
    "both directions of an lstm": (
        lambda: [layers.Bidirectional(layers.LSTM(4, **WHOLE))],
        Pick(nn.LSTM(6, 4, batch_first=True, bidirectional=True), sequence),
    ),
    "last states of both directions of a gru": (
        lambda: [layers.Bidirectional(layers.GRU(4))],
        Pick(nn.GRU(6, 4, batch_first=True, bidirectional=True), last_states),
    ),
    "two layers as one module": (
        lambda: [layers.GRU(4, **WHOLE), layers.GRU(4, **WHOLE)],
        Pick(nn.GRU(6, 4, 2, batch_first=True), sequence),
    ),
    "two layers of both directions as one module": (
        lambda: [layers.Bidirectional(layers.LSTM(4, **WHOLE)), layers.Bidirectional(layers.LSTM(4, **WHOLE))],
        Pick(nn.LSTM(6, 4, 2, batch_first=True, bidirectional=True), sequence),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_recurrent_layers_port(case: str) -> None:
    keras_layers, module = CASES[case]
    assert_ports(lambda: sequential((7, 6), *keras_layers()), module)


def test_a_gru_that_resets_before_is_another_function_and_says_so() -> None:
    assert_ports(
        lambda: sequential((7, 6), layers.GRU(4, reset_after=False, **WHOLE)),
        Pick(nn.GRU(6, 4, batch_first=True), sequence),
        equal=False,
        differences={"reset_after"},
    )
