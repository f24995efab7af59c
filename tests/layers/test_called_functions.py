"""Functions of TensorFlow that a model calls are read with the shapes that they are called with."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import torch
from keras import layers
from torch import nn

from tests.oracle import assert_ports, sequential


@tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.float64)])
def turned_and_flattened(x: Any) -> Any:
    sizes = tf.shape(x)
    return tf.reshape(tf.transpose(x, [0, 2, 1]), [sizes[0], sizes[1] * sizes[2]])


class Turned(layers.Layer):
    def call(self, x: Any) -> Any:
        flat = turned_and_flattened(x)
        flat.set_shape((None, x.shape[1] * x.shape[2]))
        return flat


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Linear(5, 6)
        self.after = nn.Linear(42, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(self.before(x).transpose(1, 2).flatten(1))


def test_a_function_that_was_traced_for_open_shapes() -> None:
    assert_ports(lambda: sequential((7, 5), layers.Dense(6), Turned(), layers.Dense(3)), Module())
