"""Models as people write them: nested, shared, branching, with several inputs and outputs."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch
from keras import layers
from torch import nn

import autoport
from autoport.errors import IncompleteMatchError
from autoport.facts.reasons import Code
from tests.oracle import assert_ports, sequential


class Siamese(nn.Module):
    """One encoder on two images."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 2)
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
        )

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(a) - self.encoder(b))


def test_an_encoder_that_is_called_twice_ports() -> None:
    def build() -> keras.Model:
        a, b = keras.Input((9, 12, 3)), keras.Input((9, 12, 3))
        encoder = keras.Sequential(
            [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(5)]
        )
        return keras.Model([a, b], layers.Dense(2)(layers.Subtract()([encoder(a), encoder(b)])))

    assert_ports(build, Siamese())


class Nested(nn.Module):
    """A residual block whose modules are declared in another order than they run."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 3)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.stem = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.last(torch.amax(self.block(x) + x, (2, 3)))


def nested_keras() -> keras.Model:
    block = keras.Sequential(
        [keras.Input((9, 12, 4)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(epsilon=1e-5)]
    )
    inner_input = keras.Input((9, 12, 3))
    stem = layers.Conv2D(4, 3, padding="same")(inner_input)
    body = keras.Model(inner_input, stem + block(stem))
    image = keras.Input((9, 12, 3))
    return keras.Model(image, layers.Dense(3)(layers.GlobalMaxPooling2D()(body(image))))


def test_a_model_in_a_model_ports() -> None:
    assert_ports(nested_keras, Nested())


class ThreeBranches(nn.Module):
    """Branches with other dilations, declared and added the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.far, self.near, self.middle = (nn.Conv2d(4, 5, 3, padding=d, dilation=d) for d in (3, 1, 2))
        self.stem = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.far(x) + self.middle(x) + self.near(x)


def test_branches_that_differ_in_dilation_only_are_told_apart() -> None:
    def build() -> keras.Model:
        image = keras.Input((9, 12, 3))
        stem = layers.Conv2D(4, 3, padding="same")(image)
        branches = [layers.Conv2D(5, 3, padding="same", dilation_rate=d)(stem) for d in (1, 2, 3)]
        return keras.Model(image, branches[0] + branches[1] + branches[2])

    assert_ports(build, ThreeBranches())


class TwoBranches(nn.Module):
    """Two equal branches, with the activations given."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.b, self.a, self.out = nn.Linear(8, 5), nn.Linear(8, 5), nn.Linear(5, 3)
        self.second, self.first = second, first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.second(self.b(x)) + self.first(self.a(x)))


def two_branches(first: str, second: str) -> keras.Model:
    x = keras.Input((8,))
    branches = [layers.Dense(5, activation=name)(x) for name in (first, second)]
    return keras.Model(x, layers.Dense(3)(branches[0] + branches[1]))


def test_branches_that_differ_in_activation_only_are_told_apart() -> None:
    match = assert_ports(lambda: two_branches("relu", "sigmoid"), TwoBranches(nn.ReLU(), nn.Sigmoid()))
    assert any(pair.reason.code is Code.TOLD_BY_PARAMETERS for pair in match.pairs)


def test_equal_branches_are_called_automorphic() -> None:
    match = assert_ports(lambda: two_branches("relu", "relu"), TwoBranches(nn.ReLU(), nn.ReLU()))
    assert [pair.reason.code for pair in match.pairs].count(Code.AUTOMORPHIC) == 1


class Heads(nn.Module):
    """Three outputs, two of one shape."""

    def __init__(self) -> None:
        super().__init__()
        self.c, self.b, self.a, self.stem = nn.Linear(5, 4), nn.Linear(5, 2), nn.Linear(5, 2), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = torch.relu(self.stem(x))
        return self.a(x), self.b(x), self.c(x)


def test_outputs_of_one_shape_are_told_apart_by_their_position() -> None:
    def build() -> keras.Model:
        x = keras.Input((8,))
        stem = layers.Dense(5, activation="relu")(x)
        return keras.Model(x, [layers.Dense(n)(stem) for n in (2, 2, 4)])

    match = assert_ports(build, Heads())
    assert any(pair.reason.code is Code.TOLD_BY_PORT for pair in match.pairs)


class TwoInputs(nn.Module):
    """An image and a vector, in either order."""

    def __init__(self, image_first: bool) -> None:
        super().__init__()
        self.image_first = image_first
        self.of_vector, self.of_image = nn.Linear(8, 5), nn.Linear(3, 5)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        image, vector = (first, second) if self.image_first else (second, first)
        return self.of_image(image.mean((2, 3))) + self.of_vector(vector)


@pytest.mark.parametrize("image_first", [False, True])
def test_two_inputs_port_in_whatever_order_the_module_takes_them(image_first: bool) -> None:
    def build() -> keras.Model:
        vector, image = keras.Input((8,)), keras.Input((9, 12, 3))
        pooled = layers.GlobalAveragePooling2D()(image)
        return keras.Model([vector, image], layers.Dense(5)(vector) + layers.Dense(5)(pooled))

    assert_ports(build, TwoInputs(image_first), equal=not image_first)


class ByHand(layers.Layer):
    """A dense layer out of raw weights, with a scale behind it."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.matrix = self.add_weight(shape=(shape[-1], 5), name="m")
        self.vector = self.add_weight(shape=(5,), name="v")
        self.scale = self.add_weight(shape=(5,), name="s")

    def call(self, x: torch.Tensor) -> torch.Tensor:
        return keras.ops.relu(keras.ops.matmul(x, self.matrix) + self.vector) * self.scale


class Scaled(nn.Module):
    """A linear layer with a scale behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.randn(5))
        self.linear = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gamma * torch.relu(self.linear(x))


def test_raw_weights_of_a_custom_layer_port() -> None:
    assert_ports(lambda: sequential((7, 6), ByHand()), Scaled())


class Subclassed(keras.Model):
    """A subclassed model without declared inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.flat, self.out = layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)

    def call(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.flat(self.conv(x)))


def test_a_subclassed_model_ports_from_the_shape_it_was_called_on() -> None:
    model = Subclassed()
    model(np.zeros((1, 9, 12, 3), "float32"))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(280, 3))
    autoport.match(model, module).assign()
    x = np.random.default_rng(0).standard_normal((2, 9, 12, 3)).astype("float32")
    with torch.no_grad():
        found = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(found.numpy(), model(x), atol=1e-5)


def chain(count: int) -> keras.Model:
    middle = [layers.Dense(8, activation="relu") for _ in range(count)]
    return sequential((6,), layers.Dense(8), *middle, layers.Dense(2))


def torch_chain(count: int) -> nn.Module:
    middle = [module for _ in range(count) for module in (nn.Linear(8, 8), nn.ReLU())]
    return nn.Sequential(nn.Linear(6, 8), *middle, nn.Linear(8, 2))


@pytest.mark.parametrize("counts", [(5, 4), (4, 5), (9, 2)])
def test_a_layer_missing_from_a_run_of_equal_ones_is_ambiguous(counts: tuple[int, int]) -> None:
    match = autoport.match(chain(counts[0]), torch_chain(counts[1]))
    assert [str(pair.tf.attrs["binds"]) and pair.tf.colour for pair in match.pairs] == [
        ("dense", 6, 8),
        ("dense", 8, 2),
    ]
    assert all(row.reason.is_ambiguous for row in match.unmatched_tf + match.unmatched_torch)
    with pytest.raises(IncompleteMatchError, match="missing"):
        match.assign()


def test_another_head_costs_only_the_head() -> None:
    model = sequential((9, 12, 3), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(7))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    match = autoport.match(model, module)
    assert not match.complete
    assert [pair.torch.path for pair in match.pairs] == ["0"]
    match.assign(strict=False)
    kernel = np.asarray(model.layers[0].kernel.value)
    assert np.array_equal(module[0].weight.detach().numpy(), kernel.transpose(3, 2, 0, 1))
