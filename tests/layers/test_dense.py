"""Matrix products: behind a flatten, as 1x1 convolutions, look-ups."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import pytest
import torch
from keras import layers
from torch import nn

import autoport
from autoport.errors import NothingInCommonError
from tests.oracle import assert_ports, sequential

FLATTEN_CASES = {
    "a map": (
        (9, 12, 3),
        lambda: [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)],
        [nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(280, 5)],
    ),
    "a square map with as many channels as rows": (
        (6, 6, 3),
        lambda: [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)],
        [nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 5)],
    ),
    "a volume": (
        (4, 5, 6, 3),
        lambda: [layers.Conv3D(4, 3), layers.Flatten(), layers.Dense(5), layers.BatchNormalization(epsilon=1e-5)],
        [nn.Conv3d(3, 4, 3), nn.Flatten(), nn.Linear(96, 5), nn.BatchNorm1d(5)],
    ),
    "a map, normalised while it is flat": (
        (9, 12, 3),
        lambda: [layers.Conv2D(4, 3), layers.Flatten(), layers.BatchNormalization(epsilon=1e-5), layers.Dense(5)],
        [nn.Conv2d(3, 4, 3), nn.Flatten(), nn.BatchNorm1d(280), nn.Linear(280, 5)],
    ),
    "the image itself": (
        (7, 6, 2),
        lambda: [layers.Flatten(), layers.Dense(5)],
        [nn.Flatten(), nn.Linear(84, 5)],
    ),
}


@pytest.mark.parametrize("case", FLATTEN_CASES)
def test_rows_behind_a_flatten_are_permuted(case: str) -> None:
    shape, keras_layers, modules = FLATTEN_CASES[case]
    match = assert_ports(lambda: sequential(shape, *keras_layers()), nn.Sequential(*modules))
    expressions = [w.expression for pair in match.pairs for w in pair.weights if w.role == "kernel"]
    assert any("(c h w)" in text or "(c d h w)" in text for text in expressions) or case.endswith("while it is flat")


def test_a_flattened_sequence_is_permuted() -> None:
    assert_ports(
        lambda: sequential((9, 3), layers.Conv1D(4, 3), layers.Flatten(), layers.Dense(5)),
        nn.Sequential(nn.Conv1d(3, 4, 3), nn.Flatten(), nn.Linear(28, 5)),
        orders=[(0, 2, 1)],
    )


def test_only_the_flattened_part_of_a_concatenation_is_permuted() -> None:
    def build() -> keras.Model:
        image, vector = keras.Input((9, 12, 3)), keras.Input((4,))
        flat = layers.Flatten()(layers.Conv2D(4, 3)(image))
        joined = layers.Concatenate()([flat, layers.Dense(6)(vector)])
        return keras.Model([image, vector], layers.Dense(5)(joined))

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first, self.conv = nn.Linear(286, 5), nn.Linear(4, 6), nn.Conv2d(3, 4, 3)

        def forward(self, image: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
            return self.last(torch.cat([self.conv(image).flatten(1), self.first(vector)], 1))

    assert_ports(build, Wide())


def test_a_flatten_behind_a_transpose_needs_no_permutation() -> None:
    def build() -> keras.Model:
        image = keras.Input((9, 12, 3))
        turned = keras.ops.transpose(layers.Conv2D(4, 3)(image), (0, 3, 1, 2))
        return keras.Model(image, layers.Dense(5)(layers.Flatten()(turned)))

    match = assert_ports(build, nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(280, 5)))
    assert "(c h w) o -> o (c h w)" in [w.expression for pair in match.pairs for w in pair.weights]


class OnChannelsLast(nn.Module):
    """A linear layer on the channels of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.project(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_dense_and_1x1_convolution_are_the_same() -> None:
    assert_ports(lambda: sequential((9, 12, 3), layers.Dense(4)), nn.Conv2d(3, 4, 1))
    assert_ports(lambda: sequential((9, 12, 3), layers.Conv2D(4, 1)), OnChannelsLast())


class Activated(nn.Module):
    """A linear layer with a ReLU."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.inner = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.inner(x))


def test_a_dense_layer_at_every_step_ports() -> None:
    dense = lambda: layers.TimeDistributed(layers.Dense(5, activation="relu"))  # noqa: E731
    assert_ports(lambda: sequential((7, 6), dense()), Activated(nn.Linear(6, 5)))


def test_an_embedding_of_integers_ports() -> None:
    def build() -> keras.Model:
        tokens = keras.Input((7,), dtype="int32")
        return keras.Model(tokens, layers.Dense(3)(layers.Embedding(11, 6)(tokens)))

    assert_ports(build, nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 3)))


class Generator(nn.Module):
    """A linear layer whose outputs are reshaped to a map, with a norm in between."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1)
        self.norm, self.first = nn.BatchNorm1d(60), nn.Linear(7, 60)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(torch.relu(self.norm(self.first(x))).view(-1, 4, 3, 5)).permute(0, 2, 3, 1)


@pytest.mark.parametrize("upsample", [False, True])
def test_outputs_that_are_reshaped_to_a_map_are_permuted(upsample: bool) -> None:
    def build() -> keras.Model:
        x = keras.Input((7,))
        flat = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(layers.Dense(60)(x)))
        image = layers.Reshape((3, 5, 4))(flat)
        if upsample:
            image = layers.UpSampling2D()(image)
        return keras.Model(x, layers.Conv2DTranspose(3, 4, strides=2, padding="same")(image))

    module = Generator()
    if upsample:
        module.up = nn.Sequential(nn.Upsample(scale_factor=2), module.up)
    match = assert_ports(build, module)
    expressions = [w.expression for pair in match.pairs for w in pair.weights]
    assert expressions[:3] == ["i (h w c) -> (c h w) i", "(h w c) -> (c h w)", "(h w c) -> (c h w)"]


def test_a_convolution_over_the_whole_map_is_a_dense_layer_on_the_flattened_one() -> None:
    match = assert_ports(
        lambda: sequential((9, 12, 3), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, (7, 10)), nn.Flatten()),
    )
    assert "(h w c) o -> o c h w" in [w.expression for pair in match.pairs for w in pair.weights]
    assert_ports(
        lambda: sequential((9, 12, 3), layers.Conv2D(4, 3), layers.Conv2D(5, (7, 10)), layers.Flatten()),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(280, 5)),
    )


ALTERED = {
    "int8": lambda layer: layer.quantize("int8"),
    "float8": lambda layer: layer.quantize("float8"),
    "low-rank updates": lambda layer: layer.enable_lora(2),
}


@pytest.mark.parametrize("case", ALTERED)
@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.TimeDistributed], ids=["plain", "in each step"])
def test_a_kernel_that_something_else_is_made_of_is_not_a_kernel(case: str, wrap: Any) -> None:
    """Quantised kernels are scaled, and low-rank updates added to them, before they are used."""
    dense = layers.Dense(8)
    model = keras.Sequential([keras.Input((5, 16)), wrap(dense), layers.Dense(4)])
    ALTERED[case](dense)
    match = autoport.match(model, nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 4)))
    assert "0.weight" in match.missing() or match.differences
    ALTERED[case](model.layers[-1])
    with contextlib.suppress(NothingInCommonError):
        match = autoport.match(model, nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 4)))
        assert "1.weight" in match.missing() or match.differences
