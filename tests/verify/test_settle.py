"""What structure leaves in doubt is settled by running both models, and only what proves right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
from keras import layers, ops
from torch import nn

import autoport
from autoport.facts.reasons import Code, Reason
from tests.support import keras_float64, randomise_keras, randomise_torch


def keras_model() -> keras.Model:
    image = keras.Input((8, 6, 3))
    first, second = layers.Conv2D(4, 3)(image), layers.Conv2D(5, 3)(image)
    joined = layers.LayerNormalization()(layers.Concatenate()([first, second]))
    return keras.Model(image, layers.Conv2D(2, 1)(joined))


class Branches(nn.Module):
    """The same network, with something between its parts that structure cannot see through."""

    def __init__(self, between: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.second, self.first = nn.Conv2d(3, 5, 3), nn.Conv2d(3, 4, 3)
        self.norm, self.out = nn.LayerNorm(9, eps=1e-3), nn.Conv2d(9, 2, 1)
        self.between = between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = self.between(self.first(x), self.second(x))
        return self.out(self.norm(joined.movedim(1, -1)).movedim(-1, 1))


def flipped_twice(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.cat([a, b], 1).flip(1).flip(1)


def flipped(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.cat([a, b], 1).flip(1)


def flipped_in_another_order(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.cat([b, a], 1).flip(1)


def matched(between: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> tuple[Any, nn.Module, autoport.Match]:
    with keras_float64():
        model = keras_model()
    module = Branches(between).double().eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    return model, module, autoport.match(model, module)


def test_weights_in_doubt_are_proved_by_running_both_models() -> None:
    _, _, match = matched(flipped_twice)
    assert match.missing()
    assert set(match.settle()) >= {"norm.weight", "norm.bias"}
    match.assign()
    assert match.verify().ok


@pytest.mark.parametrize("between", [flipped, flipped_in_another_order])
def test_what_is_not_the_same_is_not_settled(between: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
    _, _, match = matched(between)
    refused = match.missing()
    assert "norm.weight" in refused
    assert match.settle() == []
    assert match.missing() == refused


def test_settling_what_is_complete_changes_nothing() -> None:
    _, _, match = matched(lambda a, b: torch.cat([a, b], 1))
    assert match.complete
    assert match.settle() == []
    assert match.complete


def squares(x: Any) -> Any:
    return ops.square(x) * ops.square(x)


class Tied(nn.Module):
    """Two layers of one size, of which one feeds something that is spelled in another way than in Keras."""

    def __init__(self, spelled: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.plain, self.raised, self.out = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)
        self.spelled = spelled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.plain(x) + self.spelled(self.raised(x)))


def tied_model() -> keras.Model:
    x = keras.Input((7, 6))
    raised = layers.Dense(5, name="raised")(x)
    return keras.Model(x, layers.Dense(3)(squares(raised) + layers.Dense(5, name="plain")(x)))


def test_ties_are_broken_by_running_both_models() -> None:
    with keras_float64():
        model = tied_model()
    module = Tied(lambda x: x**4).double().eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    assert all(row.reason.is_ambiguous for row in match.unmatched_torch if row.tensors)
    match.settle()
    match.assign()
    assert match.verify().ok
    paired = {(pair.tf.path, pair.torch.path) for pair in match.pairs}
    assert {("raised", "raised"), ("plain", "plain")} <= paired


def test_ties_of_other_functions_stay_open() -> None:
    with keras_float64():
        model = tied_model()
    module = Tied(lambda x: x**6).double().eval()
    randomise_keras(model, 1)
    match = autoport.match(model, module)
    refused = match.missing()
    assert {"plain.weight", "raised.weight"} <= refused.keys()
    assert match.settle() == []
    assert match.missing() == refused


class CutThrough(nn.Module):
    """A flattened map that is cut through the middle, in an order that structure does not follow."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.out, self.conv = nn.Linear(11, 4), nn.Conv2d(3, 2, 3)
        self.order = order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.conv(x).permute(self.order).flatten(1)[:, 5:16])


def cut_through(order: tuple[int, ...]) -> autoport.Match:
    with keras_float64():
        image = keras.Input((6, 5, 3))
        flat = layers.Flatten()(layers.Conv2D(2, 3)(image))
        model = keras.Model(image, layers.Dense(4)(flat[:, 5:16]))
    module = CutThrough(order).double().eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    return autoport.match(model, module)


def test_an_order_that_cannot_be_followed_is_proved() -> None:
    match = cut_through((0, 2, 3, 1))
    assert list(match.missing()) == ["out.weight"]
    refusal = match.missing()["out.weight"].details
    assert (refusal["role"], refusal["reason"]) == ("kernel", Reason(Code.ORDER_LOST))
    assert match.settle() == ["out.weight"]
    match.assign()
    assert match.verify().ok


def test_another_order_that_cannot_be_followed_is_not_proved() -> None:
    match = cut_through((0, 1, 2, 3))
    assert match.settle() == []
    assert match.missing().keys() == {"out.weight"}
