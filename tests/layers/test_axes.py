"""Axes are followed through moves of every spelling: einsums, slices of what was joined, stacks, windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

from tests.layers.test_spellings import Apply
from tests.oracle import assert_ports


@pytest.mark.parametrize("subscripts", ["nchpwq->nhwpqc", "nc...->n...c"])
def test_patches_by_an_einsum_port(subscripts: str) -> None:
    """A dense layer whose features are compared with patches of a map knows them as pixels."""

    def keras_model() -> keras.Model:
        image = keras.Input((6, 4, 3))
        patches = ops.reshape(ops.einsum("nhpwqc->nhwpqc", ops.reshape(image, (-1, 3, 2, 2, 2, 3))), (-1, 6, 12))
        hidden = layers.Conv2D(5, 2, strides=2)(image)
        predicted = layers.Dense(12)(ops.reshape(hidden, (-1, 6, 5)))
        return keras.Model(image, ops.sum(ops.square(predicted - patches), -1))

    def forward(self: Any, image: torch.Tensor) -> torch.Tensor:
        patches = image.reshape(image.shape[0], 3, 3, 2, 2, 2)
        if "..." in subscripts:
            patches = torch.einsum(subscripts, patches).permute(0, 1, 3, 2, 4, 5)
        else:
            patches = torch.einsum(subscripts, patches)
        predicted = self.dense(self.conv(image).flatten(2).mT)
        return (predicted - patches.reshape(-1, 6, 12)).square().sum(-1)

    assert_ports(keras_model, Apply(forward, dense=nn.Linear(5, 12), conv=nn.Conv2d(3, 5, 2, 2)))


def test_an_einsum_of_one_tensor_sums() -> None:
    def model() -> keras.Model:
        tokens = keras.Input((7, 6))
        return keras.Model(tokens, layers.Dense(4)(ops.sum(layers.Dense(5)(tokens), 1)))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.einsum("ntc->nc", self.first(x)))

    assert_ports(model, Apply(forward, last=nn.Linear(5, 4), first=nn.Linear(6, 5)))


def test_layers_along_tokens_port_behind_tokens_that_were_joined_and_cut() -> None:
    def model() -> keras.Model:
        image = keras.Input((6, 4, 3))
        patches = ops.reshape(layers.Conv2D(5, 2, strides=2)(image), (-1, 6, 5))
        summary = layers.Dense(20)(layers.GlobalAveragePooling2D()(image))
        joined = layers.LayerNormalization()(ops.concatenate([patches, ops.reshape(summary, (-1, 4, 5))], 1))
        mixed = layers.Dense(8)(ops.transpose(joined[:, 6:], (0, 2, 1)))
        return keras.Model(image, [mixed, layers.Dense(3)(joined[:, :6])])

    def forward(self: Any, image: torch.Tensor) -> Any:
        patches = self.conv(image).flatten(2).mT
        summary = self.more(image.mean((2, 3))).reshape(-1, 4, 5)
        joined = self.norm(torch.cat([patches, summary], 1))
        first, last = joined.split([6, 4], 1)
        return self.mix(last.mT), self.out(first)

    modules = {"mix": nn.Linear(4, 8), "out": nn.Linear(5, 3), "more": nn.Linear(3, 20)}
    assert_ports(model, Apply(forward, norm=nn.LayerNorm(5, eps=1e-3), conv=nn.Conv2d(3, 5, 2, 2), **modules))


def window_keras(x: Any) -> Any:
    padded = ops.pad(x, [[0, 0], [1, 1], [0, 0]])
    return ops.stack([padded[:, k : k + 7] for k in range(3)], -1)


def unfolded(x: torch.Tensor) -> torch.Tensor:
    columns = F.unfold(x.mT[..., None], (3, 1), padding=(1, 0))
    return columns.mT.reshape(x.shape[0], 7, -1, 3)


def stacked(x: torch.Tensor) -> torch.Tensor:
    padded = F.pad(x, (0, 0, 1, 1))
    return torch.stack([padded[:, k : k + 7] for k in range(3)], dim=-1)


@pytest.mark.parametrize("windows", [unfolded, stacked])
def test_windows_beside_heads_port(windows: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Heads of a dynamic convolution (Jiang et al., arXiv:2008.02496) stand beside those of other features."""

    def model() -> keras.Model:
        tokens = keras.Input((7, 6))
        seen = ops.reshape(window_keras(layers.Dense(6)(tokens)), (-1, 3, 3))
        weights = ops.reshape(ops.softmax(ops.reshape(layers.Dense(6)(tokens), (-1, 3))), (-1, 3, 1))
        mixed = ops.reshape(ops.matmul(seen, weights), (-1, 7, 2, 3))
        beside = ops.reshape(layers.Dense(12)(tokens), (-1, 7, 4, 3))
        joined = ops.reshape(ops.concatenate([beside, mixed], 2), (-1, 7, 18))
        return keras.Model(tokens, layers.Dense(5)(joined))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        seen = windows(self.values(x)).reshape(-1, 3, 3)
        weights = self.weights(x).reshape(-1, 3).softmax(1).reshape(-1, 3, 1)
        mixed = (seen @ weights).reshape(-1, 7, 2, 3)
        joined = torch.cat([self.beside(x).reshape(-1, 7, 4, 3), mixed], 2)
        return self.out(joined.reshape(-1, 7, 18))

    modules = {"weights": nn.Linear(6, 6), "values": nn.Linear(6, 6), "beside": nn.Linear(6, 12)}
    assert_ports(model, Apply(forward, out=nn.Linear(18, 5), **modules))


@pytest.mark.parametrize("order", ["norm", "linalg"])
def test_a_norm_of_a_vector_is_no_difference(order: str) -> None:
    def model() -> keras.Model:
        tokens = keras.Input((7, 6))
        y = layers.Dense(5)(tokens)
        return keras.Model(tokens, layers.Dense(4)(y / ops.norm(y, axis=-1, keepdims=True)))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        norm = y.norm(dim=-1, keepdim=True) if order == "norm" else torch.linalg.vector_norm(y, dim=-1, keepdim=True)
        return self.last(y / norm)

    assert_ports(model, Apply(forward, last=nn.Linear(5, 4), first=nn.Linear(6, 5)))
