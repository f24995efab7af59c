"""A pair that ports, and odd modules in its shape."""

from __future__ import annotations

from typing import Any

import keras
import torch
from keras import layers
from torch import nn

from tests.oracle import sequential
from tests.support import randomise_keras, randomise_torch


def keras_model() -> keras.Model:
    """A convolution, a norm and two dense layers."""
    model = sequential(
        (9, 12, 3),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(epsilon=1e-5),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Dense(5, activation="relu"),
        layers.Dense(2),
    )
    randomise_keras(model, 1)
    return model


def torch_model() -> nn.Sequential:
    """Its twin."""
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(280, 5), nn.ReLU(), nn.Linear(5, 2)
    )
    randomise_torch(module, 2)
    return module


TENSORS = 10


class Around(nn.Module):
    """A module whose forward pass does something before or after the twin's."""

    def __init__(self, before: Any = None, after: Any = None) -> None:
        super().__init__()
        self.inner = torch_model()
        self.before, self.after = before, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(x) if self.before else x
        y = self.inner(x)
        return self.after(y) if self.after else y
