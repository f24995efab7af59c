"""Small pairs for the tests of files: a Keras model of either Keras and its PyTorch twin."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
import torch
from torch import nn


def keras_model(library: Any = keras, *, counters: int = 0, seed: int | None = 1) -> Any:
    """Convolutions, norms, a state of a random generator, and dense layers; built after others of their kind."""
    layers = library.layers
    for _ in range(counters):
        layers.Conv2D(1, 1), layers.Dense(1), layers.BatchNormalization()
    stack = [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.2)]
    stack += [layers.DepthwiseConv2D((2, 3), use_bias=False), layers.Flatten(), layers.Dense(5), layers.Dense(5)]
    stack += [layers.Dense(2)]
    model = library.Sequential([library.Input((8, 9, 3)), *stack])
    if seed is not None:
        randomise(model.weights, seed)
    return model


def randomise(variables: Any, seed: int) -> None:
    """Random numbers for variables, positive as a variance has to be."""
    rng = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(rng.uniform(0.5, 1.5, tuple(variable.shape)).astype(np.float32))


class Net(nn.Module):
    """The twin, with its layers in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList([nn.Linear(5, 5), nn.Linear(5, 2)])
        self.first = nn.Linear(4 * 5 * 5, 5)
        self.norm = nn.BatchNorm2d(4, eps=1e-3)
        self.wide = nn.Conv2d(4, 4, (2, 3), groups=4, bias=False)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.wide(self.norm(self.conv(x).relu())).flatten(1)
        for layer in (self.first, *self.heads):
            x = layer(x)
        return x


def sequences() -> tuple[Any, nn.Module]:
    """Recurrent layers and attention: gates, fused projections, and a bias that is a sum."""
    x = keras.Input((5, 3))
    y = keras.layers.LSTM(4, return_sequences=True)(x)
    y = keras.layers.MultiHeadAttention(2, 2)(y, y)
    model = keras.Model(x, y)
    randomise(model.weights, 3)
    return model, Sequences()


class Sequences(nn.Module):
    """The twin of `sequences`."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(3, 4, batch_first=True)
        self.mix = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.cells(x)[0]
        return self.mix(y, y, y)[0]


class Module(tf.Module):
    """Plain TensorFlow: a convolution, GELU, a layer norm in arithmetic, a product; two variables of one name."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(5)

        def variable(*shape: int, name: str | None = None) -> tf.Variable:
            return tf.Variable(rng.uniform(0.5, 1.5, shape).astype(np.float32), name=name)

        self.kernel, self.bias = variable(3, 3, 3, 4), variable(4, name="bias")
        self.scale, self.offset = variable(168), variable(168, name="bias")
        self.product = variable(168, 3)

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 9, 3), tf.float32)])
    def __call__(self, x: Any) -> Any:
        x = tf.nn.gelu(tf.nn.bias_add(tf.nn.conv2d(x, self.kernel, 1, "VALID"), self.bias))
        x = tf.reshape(x, (-1, 168))
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return tf.linalg.matmul((x - mean) * tf.math.rsqrt(variance + 1e-5) * self.scale + self.offset, self.product)


class Plain(nn.Module):
    """The twin of `Module`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.LayerNorm(168)
        self.product = nn.Linear(168, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.gelu(self.conv(x)).permute(0, 2, 3, 1).flatten(1)
        return self.product(self.norm(x))


def tf_keras_model(seed: int | None = 1) -> Any:
    """The same network in Keras 2, built after others, so that its counters differ."""
    return keras_model(tf_keras, counters=2, seed=seed)
