"""Where float32 cannot be left, rounding is measured: right ports pass, wrong ones do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import layers, ops
from torch import nn

import autoport
from autoport.facts.reasons import Code, Reason, Several
from tests.support import randomise_keras, randomise_torch
from tests.verify.models import PAIRS, ported


def assigned(model: keras.Model, module: nn.Module) -> autoport.Match:
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    return match


def between_convolutions(between: Callable[[Any], Any]) -> keras.Model:
    image = keras.Input((9, 12, 3))
    x = layers.Lambda(between)(layers.Conv2D(8, 3)(image))
    return keras.Model(image, layers.Conv2D(5, 3)(x))


def normalised(alpha: float) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(5, 5 * alpha, 0.75, 1.0), nn.Conv2d(8, 5, 3))


def test_an_operation_without_a_float64_kernel_is_held_to_its_own_rounding() -> None:
    model = between_convolutions(lambda x: tf.nn.lrn(x, 2, 1.0, 0.25, 0.75))
    verification = assigned(model, normalised(0.25)).verify()
    assert verification.ok, str(verification)
    assert Reason.of(Code.IN_FLOAT32, operations=Several(["LRN"])) in verification.notes
    (held,) = (node for node in verification.nodes if node.tolerance > verification.rtol)
    assert held.kind == "edge"
    assert 1e-9 < held.relative < held.tolerance < 1e-5


def test_behind_such_an_operation_a_difference_above_rounding_is_a_divergence() -> None:
    model = between_convolutions(lambda x: tf.nn.lrn(x, 2, 1.0, 0.25, 0.75))
    verification = assigned(model, normalised(0.2501)).verify()
    assert not verification.ok
    assert len(verification.divergences) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_result_without_axes_is_compared_too(dtype: str) -> None:
    class Total(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.dense(x).sum()

    rows = keras.Input((4,))
    verification = assigned(keras.Model(rows, ops.sum(layers.Dense(3)(rows))), Total()).verify(dtype=dtype)
    assert verification.ok, str(verification)


class Positions(nn.Module):
    """A table of sines between two layers."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.first, self.last, self.table = nn.Linear(4, 6), nn.Linear(6, 3), table

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x) + self.table)


ANGLES = np.arange(7, dtype=np.float32)[:, None] * np.exp(-np.arange(6, dtype=np.float32))


@pytest.mark.parametrize(("shift", "ok"), [(0.0, True), (1e-7, True), (1e-5, False)])
def test_tables_that_were_made_in_float32_differ_by_rounding_at_most(shift: float, ok: bool) -> None:
    steps = keras.Input((7, 4))
    table = tf.sin(ANGLES)
    model = keras.Model(steps, layers.Dense(3)(layers.Lambda(lambda x: x + table)(layers.Dense(6)(steps))))
    verification = assigned(model, Positions(torch.sin(torch.from_numpy(ANGLES)) * (1 + shift))).verify()
    assert verification.ok == ok, str(verification)
    assert [constant.shape for constant in verification.constants] == [(7, 6)] * ok


class Chaos(nn.Module):
    """Steps that each double an error."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(6, eps=1e-3) for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm in self.norms:
            x = 1.9 * torch.cos(3 * norm(x))
        return x


def chaos(count: int) -> keras.Model:
    x = inputs = keras.Input((6,))
    for _ in range(count):
        x = 1.9 * ops.cos(3 * layers.BatchNormalization()(x))
    return keras.Model(inputs, x)


def test_a_right_port_is_not_rejected_because_many_layers_amplify_rounding() -> None:
    match = assigned(chaos(20), Chaos(20))
    verification = match.verify()
    assert verification.relative > 100 * verification.rtol
    assert verification.ok, str(verification)


def test_a_wrong_number_in_a_network_that_amplifies_rounding_is_caught() -> None:
    module = Chaos(20)
    match = assigned(chaos(20), module)
    with torch.no_grad():
        module.norms[7].bias[2] += 1e-6
    verification = match.verify()
    assert not verification.ok
    assert [d.torch.path for d in verification.divergences] == ["norms.7"]


@pytest.mark.parametrize("pair", PAIRS)
def test_in_float32_every_place_is_held_to_what_rounding_does_there(pair: str) -> None:
    match, _ = ported(pair)
    verification = match.verify(dtype="float32")
    assert verification.ok, str(verification)
    assert verification.dtype == "float32"
    assert 1e-9 < verification.relative < 1e-4
    assert max(node.tolerance for node in verification.nodes) < 1e-3
    (note,) = (note for note in verification.notes if note.code is Code.ROUNDING_ALLOWED)
    assert note.details["multiple"] == 8


def test_in_float32_a_wrong_weight_is_found_and_another_type_is_refused() -> None:
    match, module = ported("convolutions")
    with torch.no_grad():
        module.square.bias[0] += 1e-3
    verification = match.verify(dtype="float32")
    assert [d.cause for d in verification.divergences] == ["weights"]
    with pytest.raises(ValueError, match="dtype must be"):
        match.verify(dtype="float16")
