"""What moves channels to other places: alike on both sides it ports, otherwise the weights around it are refused."""

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
from autoport.facts.reasons import Code, Reason
from autoport.graph import vocabulary
from tests.oracle import assert_ports

Step = Callable[[Any], Any]
ORDER, OTHER = [3, 1, 0, 2, 4, 5, 7, 6], [1, 0, 2, 3, 4, 5, 6, 7]


class Between(nn.Module):
    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step, channels = step, step(torch.zeros(1, 8, 8, 8)).shape[1]
        self.a, self.b = nn.Conv2d(3, 8, 3, bias=False), nn.Conv2d(channels, 5, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.step(self.a(x)))


class Applied(layers.Layer):  # type: ignore[misc]
    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def call(self, x: Any) -> Any:
        return self.step(x)


def between(step: Step) -> keras.Model:
    x = keras.Input((10, 10, 3))
    y = Applied(step)(layers.Conv2D(8, 3, use_bias=False)(x))
    return keras.Model(x, layers.Conv2D(5, 3, use_bias=False)(y))


def shuffled(x: Any, groups: int) -> Any:
    _, height, width, channels = x.shape
    unfolded = ops.reshape(x, (-1, height, width, groups, channels // groups))
    return ops.reshape(ops.swapaxes(unfolded, -1, -2), (-1, height, width, channels))


ALIKE: list[tuple[str, Step, Step]] = [
    ("flipped channels", lambda x: ops.flip(x, -1), lambda x: x.flip(1)),
    ("flipped left to right", lambda x: ops.flip(x, -1), torch.fliplr),
    ("flipped by a slice", lambda x: x[..., ::-1], lambda x: x.flip(1)),
    ("flipped rows", lambda x: ops.flip(x, 1), lambda x: x.flip(2)),
    ("all flipped", lambda x: ops.flip(x, (1, 2, 3)), lambda x: x.flip(1, 2, 3)),
    ("rolled channels", lambda x: ops.roll(x, 1, -1), lambda x: x.roll(1, 1)),
    ("rolled backwards", lambda x: ops.roll(x, -3, -1), lambda x: x.roll(5, 1)),
    ("rolled rows", lambda x: ops.roll(x, 2, 1), lambda x: x.roll(2, 2)),
    ("channels in an order", lambda x: ops.take(x, ORDER, axis=-1), lambda x: x[:, ORDER]),
    ("selected channels", lambda x: ops.take(x, ORDER, axis=-1), lambda x: x.index_select(1, torch.tensor(ORDER))),
    ("sorted channels", lambda x: ops.sort(x, axis=-1), lambda x: x.sort(1)[0]),
    ("shuffled channels", lambda x: shuffled(x, 2), lambda x: F.channel_shuffle(x, 2)),
    ("summed channels", lambda x: ops.cumsum(x, -1), lambda x: x.cumsum(1)),
]
UNLIKE: list[tuple[str, Step, Step]] = [
    ("flipped rows", lambda x: ops.flip(x, -1), lambda x: x.flip(2)),
    ("flipped on one side", lambda x: ops.flip(x, -1), lambda x: x),
    ("rolled further", lambda x: ops.roll(x, 1, -1), lambda x: x.roll(2, 1)),
    ("rolled rows", lambda x: ops.roll(x, 1, -1), lambda x: x.roll(1, 2)),
    ("another order", lambda x: ops.take(x, ORDER, axis=-1), lambda x: x[:, OTHER]),
    ("rows in that order", lambda x: ops.take(x, ORDER, axis=-1), lambda x: x[:, :, ORDER]),
    ("sorted rows", lambda x: ops.sort(x, axis=-1), lambda x: x.sort(2)[0]),
    ("put into space otherwise", lambda x: tf.nn.depth_to_space(x, 2), lambda x: F.pixel_shuffle(x, 2)),
    ("taken out of space otherwise", lambda x: tf.nn.space_to_depth(x, 2), lambda x: F.pixel_unshuffle(x, 2)),
    ("another matrix", lambda x: x @ ops.eye(8)[::-1], lambda x: (x.movedim(1, -1) @ torch.eye(8)).movedim(-1, 1)),
]


@pytest.mark.parametrize(("keras_step", "step"), [pytest.param(*pair, id=name) for name, *pair in ALIKE])
def test_equal_moves_port(keras_step: Step, step: Step) -> None:
    assert_ports(lambda: between(keras_step), Between(step))


@pytest.mark.parametrize(("keras_step", "step"), [pytest.param(*pair, id=name) for name, *pair in UNLIKE])
def test_around_other_moves_nothing_is_carried_over(keras_step: Step, step: Step) -> None:
    match = autoport.match(between(keras_step), Between(step).eval())
    assert not match.complete
    assert not {"a.weight", "b.weight"} & match.plan().entries.keys()


def test_shuffled_in_other_groups_is_another_order() -> None:
    match = autoport.match(between(lambda x: shuffled(x, 2)), Between(lambda x: F.channel_shuffle(x, 4)).eval())
    assert "b.weight" not in match.plan().entries


def test_of_a_function_without_a_row_nothing_is_assumed() -> None:
    with vocabulary.strict(False):
        match = autoport.match(between(lambda x: tf.math.bessel_i1(x)), Between(torch.special.bessel_j0).eval())
    assert not match.plan().entries
    assert {str(unmatched.reason) for unmatched in match.unmatched_torch} == {f"kernel: {Reason(Code.REARRANGED)}"}


def test_flattened_rows_that_are_rolled_have_no_order() -> None:
    def model() -> keras.Model:
        x = keras.Input((4, 5, 3))
        y = layers.Flatten()(layers.Conv2D(2, 1)(x))
        return keras.Model(x, layers.Dense(3)(ops.roll(y, 1, -1)))

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.dense = nn.Conv2d(3, 2, 1), nn.Linear(40, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.dense(self.conv(x).flatten(1).roll(1, 1))

    assert "dense.weight" not in autoport.match(model(), Module().eval()).plan().entries
