"""Concatenations whose operands stand in another order: the weights behind them are permuted, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import pytest
import torch
from keras import layers
from torch import nn
from torch.nn import functional as F

import autoport
from tests.layers.test_differences import Joined, joined_keras
from tests.oracle import assert_ports

Image = tuple[int, int, int]
MAP: Image = (7, 9, 3)
# Convolutions of other sizes, so that structure tells the branches apart.
BRANCHES = ((4, 1), (6, 3), (2, 5))


def branches_keras(x: Any, order: Sequence[int] = (0, 1, 2)) -> Any:
    parts = [layers.Conv2D(width, size, padding="same")(x) for width, size in BRANCHES]
    return layers.Concatenate()([parts[k] for k in order])


class Branches(nn.Module):
    """Convolutions next to each other, in any order."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = order
        self.parts = nn.ModuleList(nn.Conv2d(3, width, size, padding=size // 2) for width, size in BRANCHES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [part(x) for part in self.parts]
        return torch.cat([parts[k] for k in self.order], 1)


class Behind(nn.Module):
    """Something behind the branches."""

    def __init__(self, order: Sequence[int], forward: Callable[..., torch.Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self.branches = Branches(order)
        self.run = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, self.branches(x), x)


Tail = tuple[Callable[[Any, Any], Any], Callable[..., torch.Tensor], Callable[[], dict[str, nn.Module]]]


def squeezed(y: Any) -> Any:
    gate = layers.GlobalAveragePooling2D()(y)
    gate = layers.Dense(12, activation="sigmoid")(layers.Dense(5, activation="relu")(gate))
    return layers.Conv2D(4, 3)(y * layers.Reshape((1, 1, 12))(gate))


def squeeze(self: Any, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    gate = torch.sigmoid(self.wide(F.relu(self.narrow(y.mean((2, 3))))))
    return self.out(y * gate[:, :, None, None])


TAILS: dict[str, Tail] = {
    "norm, activation and convolution": (
        lambda y, x: layers.Conv2D(5, 3)(layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(y))),
        lambda self, y, x: self.out(F.relu(self.norm(y))),
        lambda: {"norm": nn.BatchNorm2d(12), "out": nn.Conv2d(12, 5, 3)},
    ),
    "pooling and a dense layer behind a flattened map": (
        lambda y, x: layers.Dense(5)(layers.Flatten()(layers.MaxPooling2D(2)(y))),
        lambda self, y, x: self.out(F.max_pool2d(y, 2).flatten(1)),
        lambda: {"out": nn.Linear(12 * 3 * 4, 5)},
    ),
    "a convolution that is added": (
        lambda y, x: layers.Conv2D(5, 3)(y + layers.Conv2D(12, 3, padding="same")(x)),
        lambda self, y, x: self.out(self.skip(x) + y),
        lambda: {"skip": nn.Conv2d(3, 12, 3, padding=1), "out": nn.Conv2d(12, 5, 3)},
    ),
    "squeeze and excitation": (
        lambda y, x: squeezed(y),
        squeeze,
        lambda: {"narrow": nn.Linear(12, 5), "wide": nn.Linear(5, 12), "out": nn.Conv2d(12, 4, 3)},
    ),
    "a layer norm": (
        lambda y, x: layers.Dense(5)(layers.LayerNormalization(epsilon=1e-5)(layers.GlobalAveragePooling2D()(y))),
        lambda self, y, x: self.out(self.norm(y.mean((2, 3)))),
        lambda: {"norm": nn.LayerNorm(12), "out": nn.Linear(12, 5)},
    ),
    "a mean over the channels": (
        lambda y, x: layers.Conv2D(5, 3)(keras.ops.mean(y, axis=-1, keepdims=True)),
        lambda self, y, x: self.out(y.mean(1, keepdim=True)),
        lambda: {"out": nn.Conv2d(1, 5, 3)},
    ),
    "a recurrent layer": (
        lambda y, x: layers.LSTM(5)(layers.Reshape((63, 12))(y)),
        lambda self, y, x: self.out(y.flatten(2).transpose(1, 2))[0][:, -1],
        lambda: {"out": nn.LSTM(12, 5, batch_first=True)},
    ),
}


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("name", TAILS)
def test_what_reads_a_concatenation_in_another_order_is_permuted(name: str, order: Sequence[int]) -> None:
    tail, forward, modules = TAILS[name]

    def build() -> keras.Model:
        x = keras.Input(MAP)
        return keras.Model(x, tail(branches_keras(x), x))

    assert_ports(build, Behind(order, forward, **modules()))


def test_features_are_permuted_too() -> None:
    assert_ports(joined_keras, Joined(False))
    assert_ports(joined_keras, Joined(True))


class DenseBlock(nn.Module):
    """Every layer reads all that was made before, the newest first or last."""

    def __init__(self, newest_first: bool) -> None:
        super().__init__()
        self.newest_first = newest_first
        widths = [3 + 4 * k for k in range(3)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in widths)
        self.convs = nn.ModuleList(nn.Conv2d(width, 4, 3, padding=1) for width in widths)
        self.out = nn.Linear(15, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(F.relu(norm(x)))
            x = torch.cat([y, x] if self.newest_first else [x, y], 1)
        return self.out(x.mean((2, 3)))


def dense_block() -> keras.Model:
    x = image = keras.Input(MAP)
    for _ in range(3):
        y = layers.Conv2D(4, 3, padding="same")(layers.ReLU()(layers.BatchNormalization()(x)))
        x = layers.Concatenate()([x, y])
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_dense_block_in_either_order(newest_first: bool) -> None:
    assert_ports(dense_block, DenseBlock(newest_first))


def test_an_order_that_the_outputs_show_is_reported() -> None:
    def build() -> keras.Model:
        x = keras.Input(MAP)
        return keras.Model(x, layers.BatchNormalization(epsilon=1e-5)(branches_keras(x)))

    module = Behind((2, 0, 1), lambda self, y, x: self.norm(y), norm=nn.BatchNorm2d(12))
    assert_ports(build, module, differences={"operand order"}, equal=False)


class Shuffled(nn.Module):
    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        n, c, h, w = y.shape
        return y.view(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def shuffled(y: Any) -> Any:
    y = layers.Reshape((7, 9, 2, 6))(y)
    return layers.Reshape((7, 9, 12))(layers.Permute((1, 2, 4, 3))(y))


REFUSED: dict[str, Tail] = {
    "groups of channels": (
        lambda y, x: layers.Conv2D(6, 3, groups=2)(y),
        lambda self, y, x: self.out(y),
        lambda: {"out": nn.Conv2d(12, 6, 3, groups=2)},
    ),
    "a norm of groups": (
        lambda y, x: layers.GroupNormalization(4, epsilon=1e-5)(y),
        lambda self, y, x: self.out(y),
        lambda: {"out": nn.GroupNorm(4, 12)},
    ),
    "a shuffle": (
        lambda y, x: layers.Conv2D(6, 3)(shuffled(y)),
        lambda self, y, x: self.out(self.shuffle(y)),
        lambda: {"shuffle": Shuffled(2), "out": nn.Conv2d(12, 6, 3)},
    ),
    "some of the channels": (
        lambda y, x: layers.Conv2D(6, 3)(y[..., :5]),
        lambda self, y, x: self.out(y[:, :5]),
        lambda: {"out": nn.Conv2d(5, 6, 3)},
    ),
    "channels backwards": (
        lambda y, x: layers.Conv2D(6, 3)(keras.ops.flip(y, -1)),
        lambda self, y, x: self.out(y.flip(1)),
        lambda: {"out": nn.Conv2d(12, 6, 3)},
    ),
    "a sum along the channels": (
        lambda y, x: layers.Conv2D(6, 3)(keras.ops.cumsum(y, -1)),
        lambda self, y, x: self.out(y.cumsum(1)),
        lambda: {"out": nn.Conv2d(12, 6, 3)},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_permuted_is_refused(name: str) -> None:
    tail, forward, modules = REFUSED[name]
    x = keras.Input(MAP)
    model = keras.Model(x, tail(branches_keras(x), x))
    match = autoport.match(model, Behind((2, 0, 1), forward, **modules()))
    assert "out.weight" in match.missing()
    assert "operand order" in {difference.name for difference in match.differences}
