"""Logits against probabilities: left by default, and said so; on demand PyTorch returns what Keras returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
from keras import layers
from torch import nn

from tests.verify.reconciled import check_mended, pair


class Forward(nn.Module):
    """A convolution, and its map as rows of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x).flatten(2).transpose(1, 2)


def dense(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 4), *more)


CASES: dict[str, tuple[str, list[Any], Callable[[], nn.Module], tuple[int, ...]]] = {
    "softmax in Keras": (
        "softmax",
        [layers.Dense(8), layers.Dense(4, activation="softmax")],
        dense,
        (5,),
    ),
    "softmax in PyTorch": (
        "softmax",
        [layers.Dense(8), layers.Dense(4)],
        lambda: dense(nn.Softmax(-1)),
        (5,),
    ),
    "sigmoid in Keras": (
        "sigmoid",
        [layers.Dense(8), layers.Dense(4, activation="sigmoid")],
        dense,
        (5,),
    ),
    "sigmoid in PyTorch": (
        "sigmoid",
        [layers.Dense(8), layers.Dense(4)],
        lambda: dense(nn.Sigmoid()),
        (5,),
    ),
    "log softmax in PyTorch": (
        "log_softmax",
        [layers.Dense(8), layers.Dense(4)],
        lambda: dense(nn.LogSoftmax(-1)),
        (5,),
    ),
    "over the channels of a map": (
        "softmax",
        [layers.Conv2D(4, 3), layers.Softmax()],
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3)),
        (6, 6, 3),
    ),
    "over the channels of pixels": (
        "softmax",
        [layers.Conv2D(4, 3), layers.Reshape((16, 4)), layers.Softmax()],
        Forward,
        (6, 6, 3),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_softmax_at_the_end_is_left_unless_it_is_asked_for(case: str) -> None:
    name, ours, build, shape = CASES[case]
    match = pair(ours, build(), shape)
    reconciliation = match.reconcile()
    assert not reconciliation.done
    (left,) = reconciliation.left
    assert f"equal up to the {name}" in left
    assert not match.verify().ok
    assert len(check_mended(match, logits=True).done) == 1


def test_where_something_else_is_left_nothing_is_said_to_be_equal() -> None:
    ours = [layers.Dense(8), layers.Lambda(keras.ops.sin), layers.Dense(4, activation="softmax")]
    match = pair(ours, dense(), (5,))
    reconciliation = match.reconcile()
    assert len(reconciliation.left) == 2
    assert "equal up to" not in str(reconciliation)
    assert "logits=True" in str(reconciliation)


def test_logits_that_are_read_elsewhere_are_left() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(5, 4), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x = self.a(x)
            return x, self.b(x)

    import autoport

    image = keras.Input((5,))
    x = layers.Dense(4)(image)
    model = keras.Model(image, [layers.Softmax()(x), layers.Dense(3)(x)])
    match = autoport.match(model, Net())
    match.assign()
    reconciliation = match.reconcile(logits=True)
    assert not reconciliation.done
    assert "is read elsewhere" in reconciliation.left[0]
