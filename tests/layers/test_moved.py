"""Values that are padded, gathered, shuffled or filled: spellings that move values around the weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
import torch.nn.functional as F
from keras import layers
from torch import nn

import autoport
from tests.layers.test_spellings import Apply, tokens
from tests.oracle import assert_ports, sequential


class Written(layers.Layer):  # type: ignore[misc]
    """A function of TensorFlow as a layer; its first weight, if it has one, is handed over."""

    def __init__(self, function: Any, out: Any, shape: Any = None) -> None:
        super().__init__()
        self.function, self.out, self.stored = function, out, shape

    def build(self, shape: Any) -> None:
        self.matrix = self.add_weight(shape=self.stored) if self.stored else None

    def call(self, x: Any) -> Any:
        return self.function(x) if self.matrix is None else self.function(x, self.matrix.value)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], *self.out)


def test_a_convolution_along_a_row_ports() -> None:
    def along(x: Any, kernel: Any) -> Any:
        return tf.nn.conv1d(x, kernel, stride=2, padding="VALID")

    assert_ports(
        lambda: sequential((9, 3), Written(along, (4, 5), (3, 3, 5))),
        nn.Conv1d(3, 5, 3, stride=2, bias=False),
        orders=[(0, 2, 1)],
    )


def test_zeros_around_a_sequence_are_padding() -> None:
    def padded(x: Any) -> Any:
        zeros = tf.zeros((tf.shape(x)[0], 2, 3), x.dtype)
        return tf.concat([zeros, x, zeros[:, :1]], 1)

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.pad(x, (2, 1)))

    module = Apply(forward, conv=nn.Conv1d(3, 4, 3))
    assert_ports(lambda: sequential((9, 3), Written(padded, (12, 3)), layers.Conv1D(4, 3)), module, orders=[(0, 2, 1)])


@pytest.mark.parametrize("first", [True, False])
def test_channels_between_zeros_are_not_moved_in_silence(first: bool) -> None:
    def wider(x: Any) -> Any:
        zeros = tf.zeros((tf.shape(x)[0], 7, 2), x.dtype)
        return tf.concat([zeros, x], -1) if first else tf.pad(x, [[0, 0], [0, 0], [2, 0]])

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.out(F.pad(self.mid(x), (0, 2)))

    module = Apply(forward, mid=nn.Linear(6, 5), out=nn.Linear(7, 4))
    match = autoport.match(tokens(layers.Dense(5), Written(wider, (7, 7)), layers.Dense(4)), module)
    assert not match.complete
    assert "out.weight" not in match.plan("torch").entries


def test_a_shuffle_into_space_ports() -> None:
    order = np.arange(12).reshape(3, 4).T.ravel()

    def shuffled(x: Any) -> Any:
        return tf.nn.depth_to_space(tf.gather(x, order, axis=-1), 2)

    module = nn.Sequential(nn.Conv2d(3, 12, 3), nn.PixelShuffle(2), nn.Conv2d(3, 4, 2))
    assert_ports(
        lambda: sequential((9, 12, 3), layers.Conv2D(12, 3), Written(shuffled, (14, 20, 3)), layers.Conv2D(4, 2)),
        module,
    )


def test_another_shuffle_into_space_is_refused() -> None:
    module = nn.Sequential(nn.Conv2d(3, 12, 3), nn.PixelShuffle(2), nn.Conv2d(3, 4, 2))
    shuffle = Written(lambda x: tf.nn.depth_to_space(x, 2), (14, 20, 3))
    match = autoport.match(sequential((9, 12, 3), layers.Conv2D(12, 3), shuffle, layers.Conv2D(4, 2)), module)
    assert "0.weight" not in match.plan("torch").entries


def test_fixed_one_hot_rows_times_a_matrix_are_a_look_up() -> None:
    index = np.array([3, 0, 2, 4, 4, 1, 0])

    def biased(x: Any, matrix: Any) -> Any:
        return x + tf.one_hot(index, 5, dtype=x.dtype) @ matrix

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.out(x) + self.table[torch.from_numpy(index)]

    module = Apply(forward, out=nn.Linear(6, 8), table=nn.Parameter(torch.empty(5, 8)))
    assert_ports(lambda: tokens(layers.Dense(8), Written(biased, (7, 8), (5, 8))), module)


def test_tokens_may_be_chosen_in_between() -> None:
    index = np.array([3, 0, 2, 4])

    def model() -> keras.Model:
        return tokens(layers.Dense(5), Written(lambda x: tf.gather(x, index, axis=1), (4, 5)), layers.Dense(3))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        chosen = torch.from_numpy(index)[None, :, None].expand(len(x), -1, 5)
        return self.out(torch.gather(self.mid(x), 1, chosen))

    match = autoport.match(model(), Apply(forward, mid=nn.Linear(6, 5), out=nn.Linear(5, 3)))
    assert match.complete


def test_channels_that_are_chosen_in_between_are_refused() -> None:
    index = np.array([3, 0, 2, 4, 1])
    model = tokens(layers.Dense(5), Written(lambda x: tf.gather(x, index, axis=-1), (7, 5)), layers.Dense(3))
    match = autoport.match(model, nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3)))
    assert "1.weight" not in match.plan("torch").entries
