"""What differs is named; what is spelled differently but computes the same is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from tests.oracle import assert_ports


class Net(nn.Module):
    """Two layers with something in between."""

    def __init__(self, first: nn.Module, between: Callable[[torch.Tensor], Any], last: nn.Module) -> None:
        super().__init__()
        self.last, self.first, self.between = last, first, between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.between(self.first(x)))


def keras_net(shape: tuple[int, ...], first: Any, between: Callable[[Any], Any], last: Any) -> keras.Model:
    x = keras.Input(shape)
    return keras.Model(x, last()(between(first()(x))))


def images(keras_between: Any, torch_between: Any, **expected: Any) -> None:
    """Between a convolution to 4 channels and one to 3, on 9 x 12 pixels."""
    assert_ports(
        lambda: keras_net((9, 12, 3), lambda: layers.Conv2D(4, 1), keras_between, lambda: layers.Conv2D(3, 1)),
        Net(nn.Conv2d(3, 4, 1), torch_between, nn.Conv2d(4, 3, 1)),
        **expected,
    )


def tokens(keras_between: Any, torch_between: Any, **expected: Any) -> None:
    """Between a dense layer to 8 features and one to 3, on 7 steps."""
    assert_ports(
        lambda: keras_net((7, 6), lambda: layers.Dense(8), keras_between, lambda: layers.Dense(3)),
        Net(nn.Linear(6, 8), torch_between, nn.Linear(8 if expected.pop("whole", True) else 4, 3)),
        **expected,
    )


EQUAL = {
    "silu by hand": (lambda x: x * ops.sigmoid(x), F.silu),
    "hard swish by hand": (lambda x: x * ops.relu6(x + 3.0) * (1.0 / 6.0), lambda x: x * F.relu6(x + 3) / 6),
    "hard sigmoid by hand": (lambda x: ops.relu6(x + 3.0) * (1.0 / 6.0), F.hardsigmoid),
    "a division and a product": (lambda x: x / 4.0, lambda x: x * 0.25),
    "max pooling and ReLU change places": (
        lambda x: layers.MaxPooling2D(2)(layers.ReLU()(x)),
        lambda x: F.relu(F.max_pool2d(x, 2)),
    ),
    "zeros in front of a max pooling of what is not negative": (
        lambda x: layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(layers.ReLU()(x))),
        lambda x: F.max_pool2d(F.relu(x), 3, 2, 1),
    ),
    "a mean over space": (
        lambda x: layers.GlobalAveragePooling2D(keepdims=True)(x),
        lambda x: x.mean((2, 3), keepdim=True),
    ),
    "a softmax over channels": (lambda x: layers.Softmax(-1)(x), lambda x: torch.softmax(x, 1)),
    "a slice of rows": (lambda x: x[:, 1:5], lambda x: x[:, :, 1:5]),
    "relu6": (lambda x: ops.relu6(x), F.relu6),
    "a vector": (
        lambda x: x * ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0]),
        lambda x: x * torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1),
    ),
    "a clip": (lambda x: ops.clip(x, -1.0, 1.0), lambda x: x.clamp(-1, 1)),
}


@pytest.mark.parametrize("case", EQUAL)
def test_other_spellings_of_one_function_are_no_difference(case: str) -> None:
    images(*EQUAL[case])


# TensorFlow rounds the constants of a GELU to float32 even in float64, so these agree to 1e-8 only.
GELUS = {
    "exact": (lambda x: ops.gelu(x, approximate=False), F.gelu),
    "approximate": (lambda x: ops.gelu(x), lambda x: F.gelu(x, approximate="tanh")),
}


@pytest.mark.parametrize("case", GELUS)
def test_a_gelu_by_hand_is_no_difference(case: str) -> None:
    images(*GELUS[case], equal=False)


DIFFERENT = {
    "another activation": (lambda x: ops.relu(x), torch.sigmoid, {"operation"}),
    "an activation missing": (lambda x: ops.relu(x), lambda x: x, {"operation"}),
    "another slope": (
        lambda x: layers.LeakyReLU(negative_slope=0.3)(x),
        lambda x: F.leaky_relu(x, 0.1),
        {"negative_slope"},
    ),
    "another approximation": (
        lambda x: ops.gelu(x, approximate=False),
        lambda x: F.gelu(x, approximate="tanh"),
        {"approximate"},
    ),
    "another pooling": (lambda x: layers.MaxPooling2D(2)(x), lambda x: F.avg_pool2d(x, 2), {"operation"}),
    "pooling that counts the padding": (
        lambda x: layers.AveragePooling2D(3, 1, padding="same")(x),
        lambda x: F.avg_pool2d(x, 3, 1, 1),
        {"count_include_pad"},
    ),
    "zeros in front of a max pooling": (
        lambda x: layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x)),
        lambda x: F.max_pool2d(x, 3, 2, 1),
        {"pad_value"},
    ),
    "a softmax over columns": (lambda x: layers.Softmax(-1)(x), lambda x: torch.softmax(x, 3), {"over"}),
    "another slice": (lambda x: x[:, 1:5], lambda x: x[:, :, 2:6], {"taken"}),
    "a slice of columns": (lambda x: x[:, 1:5], lambda x: x[:, :, :, 1:5], {"taken"}),
    "a mean over rows": (lambda x: ops.mean(x, 1, keepdims=True), lambda x: x.mean(3, keepdim=True), {"over", "axis"}),
    "another factor": (
        lambda x: layers.UpSampling2D(2)(x),
        lambda x: F.interpolate(x, scale_factor=3),
        {"factor"},
    ),
    "another upper bound": (lambda x: ops.clip(x, 0.0, 1.0), lambda x: x.clamp(max=1.0), {"low"}),
    "another vector": (
        lambda x: x * ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0]),
        lambda x: x * torch.tensor([1.0, 2.0, 4.0, 3.0]).view(1, 4, 1, 1),
        {"values"},
    ),
    "another vector, made in the graph": (
        lambda x: x * np.array([1.0, 2.0, 3.0, 4.0], "float32"),
        lambda x: x * torch.tensor([1.0, 2.0, 4.0, 3.0]).view(1, 4, 1, 1),
        {"values"},
    ),
    "another constant": (lambda x: x * 0.5, lambda x: x * 0.25, {"constant"}),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_another_function_is_reported(case: str) -> None:
    keras_between, torch_between, names = DIFFERENT[case]
    model = keras_net((9, 12, 3), lambda: layers.Conv2D(4, 1), keras_between, lambda: layers.Conv2D(3, 1))
    match = autoport.match(model, Net(nn.Conv2d(3, 4, 1), torch_between, nn.Conv2d(4, 3, 1)))
    assert match.complete
    found = {difference.name for difference in match.differences}
    assert found == names


def written(x: torch.Tensor) -> torch.Tensor:
    x = x * 1.0
    x[:, :2].mul_(3.0)
    return x


def test_a_write_into_a_view_is_seen_by_what_it_is_a_view_of() -> None:
    model = keras_net((9, 12, 3), lambda: layers.Conv2D(4, 1), lambda x: x * 1.0, lambda: layers.Conv2D(3, 1))
    match = autoport.match(model, Net(nn.Conv2d(3, 4, 1), written, nn.Conv2d(4, 3, 1)))
    assert {difference.name for difference in match.differences} == {"operation"}


def halves(x: Any) -> list[Any]:
    return ops.split(x, 2, -1)


def test_a_gate_is_the_same_whether_it_is_split_or_sliced() -> None:
    def chunked(x: torch.Tensor) -> torch.Tensor:
        value, gate = x.chunk(2, -1)
        return value * torch.sigmoid(gate)

    def gated(x: Any) -> Any:
        value, gate = halves(x)
        return value * ops.sigmoid(gate)

    tokens(gated, chunked, whole=False)
    tokens(gated, lambda x: x[..., :4] * torch.sigmoid(x[..., 4:]), whole=False)
    tokens(gated, lambda x: torch.sigmoid(x[..., :4]) * x[..., 4:], whole=False)
    tokens(gated, lambda x: nn.functional.glu(x, -1), whole=False)


def test_the_last_step_is_not_the_first_one() -> None:
    tokens(lambda x: x[:, -1], lambda x: x[:, -1])
    tokens(lambda x: x[:, 0], lambda x: x[:, -1], equal=False, differences={"taken"})
    tokens(lambda x: ops.mean(x, 1), lambda x: x[:, -1], equal=False, differences={"operation"})


class Recurrent(nn.Module):
    """A recurrent layer of which the last step is used."""

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 4, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0][:, -1]


def recurrent(layer: Callable[[], Any]) -> keras.Model:
    x = keras.Input((7, 6))
    return keras.Model(x, layer()(x))


def test_the_last_step_of_a_sequence_is_the_last_state_in_one_direction_only() -> None:
    assert_ports(lambda: recurrent(lambda: layers.LSTM(4)), Recurrent(False))
    both = lambda: layers.Bidirectional(layers.LSTM(4))  # noqa: E731
    assert_ports(lambda: recurrent(both), Recurrent(True), equal=False, differences={"operation"})


def test_a_skip_connection_that_is_missing_is_reported() -> None:
    def build() -> keras.Model:
        x = keras.Input((9, 12, 3))
        y = layers.Conv2D(4, 1)(x)
        return keras.Model(x, y + layers.Conv2D(4, 3, padding="same", activation="relu")(y))

    match = autoport.match(build(), nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()))
    assert match.complete
    assert [row.op.kind for row in match.unmatched_tf if row.op] == ["add"]


class Joined(nn.Module):
    """Two branches put next to each other, in either order."""

    def __init__(self, swapped: bool) -> None:
        super().__init__()
        self.out, self.norm = nn.Linear(9, 3), nn.BatchNorm1d(9)
        self.b, self.a = nn.Linear(6, 5), nn.Linear(6, 4)
        self.swapped = swapped

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [torch.relu(self.a(x)), torch.tanh(self.b(x))]
        return self.out(self.norm(torch.cat(parts[::-1] if self.swapped else parts, 1)))


def joined_keras() -> keras.Model:
    x = keras.Input((6,))
    parts = [layers.Dense(4, activation="relu")(x), layers.Dense(5, activation="tanh")(x)]
    return keras.Model(x, layers.Dense(3)(layers.BatchNormalization(epsilon=1e-5)(layers.Concatenate()(parts))))


@pytest.mark.parametrize("case", ["x - y", "outputs", "inputs"])
def test_an_order_that_can_be_seen_is_reported(case: str) -> None:
    sizes = {"x - y": (5, 4), "outputs": (6, 5), "inputs": (6, 4)}[case]

    class Ordered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 4), nn.Linear(*sizes)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
            x, y = (y, x) if case == "inputs" else (x, y)
            x, y = self.a(x), torch.relu(self.b(y))
            return (y, x) if case == "outputs" else (y - x if case == "x - y" else x - y)

    x, y = keras.Input((6,)), keras.Input(sizes[:1])
    a, b = layers.Dense(4)(x), layers.Dense(sizes[1], activation="relu")(y)
    model = keras.Model([x, y], [a, b] if case == "outputs" else a - b)
    names = {difference.name for difference in autoport.match(model, Ordered()).differences}
    assert names == {"operand order" if case == "x - y" else case}


class Transposed(nn.Module):
    """A square kernel that reads rows as columns."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = nn.Conv2d(4, 3, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x).transpose(2, 3))


def test_a_kernel_along_other_axes_is_refused() -> None:
    x = keras.Input((9, 9, 3))
    model = keras.Model(x, layers.Conv2D(3, 3)(layers.Conv2D(4, 3)(x)))
    match = autoport.match(model, Transposed())
    assert not match.complete
    assert list(match.missing()) == ["last.weight", "last.bias"]
    assert "axis" in {difference.name for difference in match.differences}


def test_a_forgotten_batch_first_is_reported() -> None:
    model = recurrent(lambda: layers.LSTM(4, return_sequences=True))

    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(6, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0]

    assert {d.name for d in autoport.match(model, TimeFirst()).differences} == {"axis"}


def test_channels_shuffled_in_front_of_groups_on_one_side_are_a_difference() -> None:
    def shuffled(x: Any) -> Any:
        parts = ops.transpose(ops.reshape(x, (-1, 7, 10, 2, 4)), (0, 1, 2, 4, 3))
        return layers.Conv2D(6, 1, groups=2, use_bias=False)(ops.reshape(parts, (-1, 7, 10, 8)))

    image = keras.Input((7, 10, 4))
    model = keras.Model(image, shuffled(layers.Conv2D(8, 3, padding="same")(image)))
    module = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 6, 1, groups=2, bias=False))
    match = autoport.match(model, module)
    assert match.differences
    assert "1.weight" in match.missing()
