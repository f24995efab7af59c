"""Pairs that between them show every kind of line."""

from __future__ import annotations

import keras
import torch
from keras import layers
from torch import nn

import autoport


class Normed(nn.Module):
    """A convolution, a batch norm, a flattened map, and a layer that forward never calls."""

    def __init__(self, eps: float, momentum: float = 0.01, bias: bool = True) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, bias=bias)
        self.norm = nn.BatchNorm2d(4, eps=eps, momentum=momentum)
        self.spare = nn.Linear(2, 2)
        self.last = nn.Linear(4 * 4 * 5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.last(torch.relu(self.norm(self.first(x))).flatten(1))
        return y


def keras_normed() -> keras.Model:
    """The same in Keras, with its own epsilon and momentum."""
    stack = [layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="bn"), layers.ReLU()]
    return keras.Sequential([keras.Input((6, 7, 3)), *stack, layers.Flatten(), layers.Dense(2, name="head")])


def normed(eps: float = 1e-3, momentum: float = 0.01, bias: bool = True) -> autoport.Match:
    """A match that differs in what is asked for."""
    return autoport.match(keras_normed(), Normed(eps, momentum, bias))


class Recurrent(nn.Module):
    """A GRU and both directions of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 3, batch_first=True)
        self.lstm = nn.LSTM(3, 3, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = self.lstm(self.gru(x)[0])[1][0]
        return torch.cat([last[0], last[1]], -1)


def recurrent() -> autoport.Match:
    """A match of gates in two orders."""
    stack = [layers.GRU(3, return_sequences=True, name="gates"), layers.Bidirectional(layers.LSTM(3), name="both")]
    return autoport.match(keras.Sequential([keras.Input((6, 4)), *stack]), Recurrent())


def uneven() -> autoport.Match:
    """A match of stacks of which each has a layer that the other lacks."""
    names = [layers.Dense(5, name="a"), layers.Dense(6, name="b"), layers.LayerNormalization(name="ln")]
    tf = keras.Sequential([keras.Input((8,)), *names, layers.Dense(3, name="c")])
    return autoport.match(tf, nn.Sequential(nn.Linear(8, 5), nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 3)))


def lost_bias() -> autoport.Match:
    """A match in which Keras has a bias that nothing in PyTorch can carry."""
    tf = keras.Sequential([keras.Input((8,)), layers.Dense(5, name="a", activation="relu"), layers.Dense(3, name="b")])
    return autoport.match(tf, nn.Sequential(nn.Linear(8, 5, bias=False), nn.ReLU(), nn.Linear(5, 3)))


def activations() -> autoport.Match:
    """A match of models that differ in a weightless operation only."""
    tf = keras.Sequential([keras.Input((8,)), layers.Dense(5, name="a", activation="relu")])
    return autoport.match(tf, nn.Sequential(nn.Linear(8, 5), nn.Tanh()))


def named(name: str) -> autoport.Match:
    """A match whose PyTorch layer has the given name."""
    module = nn.Sequential()
    module.add_module(name, nn.Linear(8, 5))
    return autoport.match(keras.Sequential([keras.Input((8,)), layers.Dense(5, name="a")]), module)


class Nested(nn.Module):
    """Two blocks of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleDict({"a": nn.Linear(8, 5), "b": nn.Linear(5, 6)})
        self.body = nn.ModuleDict({"c": nn.Linear(6, 7), "d": nn.Linear(7, 3)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (*self.stem.values(), *self.body.values()):
            x = layer(x)
        return x


def nested() -> autoport.Match:
    """A match of a flat list of Keras layers with modules in blocks."""
    stack = [layers.Dense(5, name="stem_a"), layers.Dense(6, name="stem_b"), layers.Dense(7, name="c")]
    return autoport.match(keras.Sequential([keras.Input((8,)), *stack, layers.Dense(3, name="d")]), Nested())
