"""Twins in float32 with random weights, ported: right until a test breaks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch
from keras import layers
from torch import nn

import autoport
from tests.support import randomise_keras, randomise_torch

Twins = tuple[Callable[[], Any], Callable[[], nn.Module]]


class ConvNet(nn.Module):
    """Two branches that are put side by side, norms, a depthwise convolution, a dense layer on a flattened map."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(3, 6, 5, padding=2)
        self.norm = nn.BatchNorm2d(12, eps=1e-3)
        self.square, self.again = nn.Conv2d(12, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1)
        self.depthwise = nn.Conv2d(12, 12, 3, groups=12)
        self.pool, self.head = nn.AvgPool2d(3), nn.Linear(12 * 2 * 3, 5)
        self.swapped = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = torch.relu(self.left(x)), torch.tanh(self.right(x))
        x = self.norm(torch.cat((right, left) if self.swapped else (left, right), 1))
        x = x + self.again(torch.relu(self.square(x)))
        return self.head(self.pool(self.depthwise(x)).flatten(1))


def conv_net() -> keras.Model:
    image = keras.Input((9, 12, 3))
    left = layers.Conv2D(6, 3, padding="same", activation="relu")(image)
    right = layers.Conv2D(6, 5, padding="same", activation="tanh")(image)
    x = layers.BatchNormalization()(layers.Concatenate()([left, right]))
    y = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.Add()([x, layers.Conv2D(12, 3, padding="same")(y)])
    x = layers.AveragePooling2D(3)(layers.DepthwiseConv2D(3)(x))
    return keras.Model(image, layers.Dense(5)(layers.Flatten()(x)))


class Attending(nn.Module):
    """Attention with a residual, a norm, a GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.up, self.down = nn.LayerNorm(8, eps=1e-3), nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x + self.attention(x, x, x)[0])
        return self.down(nn.functional.gelu(self.up(x)))


def attending() -> keras.Model:
    tokens = keras.Input((7, 8))
    x = layers.LayerNormalization()(layers.Add()([tokens, layers.MultiHeadAttention(2, 4)(tokens, tokens)]))
    return keras.Model(tokens, layers.Dense(8)(layers.Dense(16, activation="gelu")(x)))


class Recurrent(nn.Module):
    """An LSTM, a GRU, a dense layer on the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTM(6, 5, batch_first=True), nn.GRU(5, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(self.lstm(x)[0])[1][-1])


def recurrent() -> keras.Model:
    steps = keras.Input((7, 6))
    return keras.Model(steps, layers.Dense(3)(layers.GRU(4)(layers.LSTM(5, return_sequences=True)(steps))))


PAIRS: dict[str, Twins] = {
    "convolutions": (conv_net, ConvNet),
    "attention": (attending, Attending),
    "recurrent": (recurrent, Recurrent),
}


def ported(name: str) -> tuple[autoport.Match, nn.Module]:
    """A match whose weights are assigned, and its PyTorch model."""
    build, twin = PAIRS[name]
    model, module = build(), twin()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    return match, module
