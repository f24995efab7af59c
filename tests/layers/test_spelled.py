"""Another spelling of one function is no difference; its near misses are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from tests.layers.test_differences import images, keras_net, tokens
from tests.oracle import assert_ports, sequential

Between = Callable[[Any], Any]


def pool(**arguments: Any) -> Between:
    return lambda x: layers.MaxPooling2D(**arguments)(x)


def zeros_around(x: Any) -> Any:
    return pool(pool_size=3, strides=2)(layers.ZeroPadding2D(1)(x))


CHANGE_PLACES: dict[str, tuple[Between, Between]] = {
    "a tanh and a max pooling": (lambda x: pool(pool_size=2)(ops.tanh(x)), lambda x: torch.tanh(F.max_pool2d(x, 2))),
    "an activation and a padded max pooling": (
        lambda x: pool(pool_size=3, strides=1, padding="same")(ops.sigmoid(x)),
        lambda x: torch.sigmoid(F.max_pool2d(x, 3, 1, 1)),
    ),
    "a ReLU and zeros that a max pooling sees": (
        lambda x: ops.relu(zeros_around(x)),
        lambda x: F.max_pool2d(F.pad(F.relu(x), (1, 1, 1, 1)), 3, 2),
    ),
    "a slope and the largest of a map": (
        lambda x: ops.leaky_relu(ops.max(x, (1, 2), keepdims=True), 0.1),
        lambda x: F.adaptive_max_pool2d(F.leaky_relu(x, 0.1), 1),
    ),
    "an activation and a slice": (lambda x: ops.silu(x)[:, 1:7], lambda x: F.silu(x[:, :, 1:7])),
    "two activations and two slices": (
        lambda x: ops.tanh(ops.sin(x[:, 1:])[:, :, 2:]),
        lambda x: torch.tanh(torch.sin(x)[:, :, 1:])[..., 2:],
    ),
    "an activation and larger pixels": (
        lambda x: layers.UpSampling2D(2)(ops.gelu(x, approximate=False)),
        lambda x: F.gelu(F.interpolate(x, scale_factor=2)),
    ),
    "an activation and a mirrored map": (lambda x: ops.flip(ops.silu(x), 1), lambda x: F.silu(x.flip(2))),
}


@pytest.mark.parametrize("case", CHANGE_PLACES)
def test_a_function_of_single_elements_changes_places_with_what_only_picks_elements(case: str) -> None:
    first, second = CHANGE_PLACES[case]
    images(first, second, **({"equal": False} if "larger" in case else {}))


STAY: dict[str, tuple[Between, Between]] = {
    "a ReLU and an average pooling": (
        lambda x: layers.AveragePooling2D(2)(ops.relu(x)),
        lambda x: F.relu(F.avg_pool2d(x, 2)),
    ),
    "a function that falls": (lambda x: pool(pool_size=2)(ops.silu(x)), lambda x: F.silu(F.max_pool2d(x, 2))),
    "a negative factor": (lambda x: pool(pool_size=2)(x * -2.0), lambda x: F.max_pool2d(x, 2) * -2.0),
    "a sigmoid and zeros that a max pooling sees": (
        lambda x: ops.sigmoid(zeros_around(x)),
        lambda x: F.max_pool2d(F.pad(torch.sigmoid(x), (1, 1, 1, 1)), 3, 2),
    ),
    "an activation and smooth larger pixels": (
        lambda x: layers.UpSampling2D(2, interpolation="bilinear")(ops.relu(x)),
        lambda x: F.relu(F.interpolate(x, scale_factor=2, mode="bilinear")),
    ),
    "hard sigmoids of two kinds": (lambda x: ops.clip(0.2 * x + 0.5, 0, 1), F.hardsigmoid),
}


@pytest.mark.parametrize("case", STAY)
def test_a_function_that_does_not_change_places_is_a_difference(case: str) -> None:
    first, second = STAY[case]
    images(first, second, equal=False, differences={"pad_value" if "zeros" in case else "operation"})


def convolved(padding: int, cut: slice, stride: int = 1) -> nn.Module:
    class Chomped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(5, 2), nn.Conv1d(3, 5, 3, stride, padding, dilation=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x.transpose(1, 2))[:, :, cut].contiguous()).transpose(1, 2))

    return Chomped()


def causal() -> Any:
    return sequential((11, 3), layers.Conv1D(5, 3, dilation_rate=2, padding="causal"), layers.ReLU(), layers.Dense(2))


def test_what_is_cut_off_behind_a_convolution_is_padding_that_it_lacks() -> None:
    assert_ports(causal, convolved(4, slice(None, -4)))
    assert_ports(causal, convolved(4, slice(4, None)), equal=False, differences={"padding"})


def row_of(kernel: tuple[int, int], shape: tuple[int, ...]) -> Between:
    return lambda x: ops.reshape(layers.AveragePooling2D(kernel, padding="same")(ops.reshape(x, shape)), (-1, 4, 8))


def test_a_pooling_of_sequences_is_one_wherever_the_unit_axis_stands() -> None:
    def column(x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(x[:, None], (2, 1), ceil_mode=True)[:, 0]

    tokens(row_of((1, 2), (-1, 1, 7, 8)), column)
    tokens(row_of((2, 1), (-1, 7, 1, 8)), column)
    tokens(lambda x: layers.AveragePooling1D(2, padding="same")(x), column)


def test_a_pooling_of_another_axis_or_width_is_a_difference() -> None:
    def features(x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(x[:, None], (1, 3), (1, 1), (0, 1), count_include_pad=False)[:, 0]

    def width(size: int) -> Between:
        return lambda x: layers.AveragePooling1D(size, 1, padding="same")(x)

    for keras_between, names in ((width(3), {"axis"}), (width(5), {"kernel_size", "padding", "axis"})):
        model = keras_net((8, 6), lambda: layers.Dense(8), keras_between, lambda: layers.Dense(3))
        differences = autoport.match(model, Tokens(features)).differences
        assert names & {difference.name for difference in differences}, differences


class Tokens(nn.Module):
    def __init__(self, between: Between) -> None:
        super().__init__()
        self.last, self.first, self.between = nn.Linear(8, 3), nn.Linear(6, 8), between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.between(self.first(x)))


@keras.saving.register_keras_serializable("autoport_tests")
class Rows(layers.Layer):
    """Rows of a table, looked up by numbers that a function changes first."""

    def __init__(self, change: Between) -> None:
        super().__init__()
        self.change = change

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(shape=(9, 6), name="table")

    def call(self, x: Any) -> Any:
        return ops.take(self.table, self.change(x), axis=0)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda x: x, set()),
        (lambda x: ops.where(x < 0, x + 9, x), set()),
        (lambda x: ops.where(x < 0, x + 8, x), {"operation"}),
        (lambda x: ops.where(x < 1, x + 9, x), {"operation"}),
    ],
)
def test_numbers_counted_from_the_end_of_a_table_are_no_difference(change: Between, names: set[str]) -> None:
    x = keras.Input((7,), dtype="int32")
    model = keras.Model(x, layers.Dense(3)(Rows(change)(x)))
    match = autoport.match(model, nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, 3)))
    assert match.complete
    assert {difference.name for difference in match.differences} == names


def test_rows_of_a_table_of_one_and_of_every_sample_are_looked_up() -> None:
    x = keras.Input((7,), dtype="int32")
    one = keras.Model(x, layers.Dense(3)(layers.Embedding(1, 6)(x)))
    match = autoport.match(one, nn.Sequential(nn.Embedding(1, 6), nn.Linear(6, 3)))
    assert match.complete
    assert not match.differences
    largest = lambda x: tf.gather(x, tf.argmax(x[..., 0], 1), axis=1, batch_dims=1)  # noqa: E731
    model = keras_net((7, 6), lambda: layers.Dense(8), layers.Lambda(largest), lambda: layers.Dense(3))
    match = autoport.match(model, Tokens(lambda x: x[torch.arange(len(x)), x[..., 0].argmax(1)]))
    assert {difference.name for difference in match.differences} == {"operation"}


def test_masks_that_do_nothing_are_no_difference() -> None:
    nothing, ones = np.zeros((7, 8), bool), np.ones((7, 8), "float32")
    tokens(lambda x: x, lambda x: x.masked_fill(torch.zeros(7, 8, dtype=torch.bool), -math.inf))
    tokens(lambda x: ops.where(nothing, ops.zeros_like(x), x), lambda x: x)
    tokens(lambda x: x * ones, lambda x: x + torch.zeros(7, 8))


def test_a_mask_that_does_something_is_a_difference() -> None:
    some = torch.zeros(7, 8, dtype=torch.bool)
    some[2, 3] = True
    tokens(lambda x: x, lambda x: x.masked_fill(some, 0.0), equal=False, differences={"operation"})


def test_a_number_that_is_computed_of_sizes_is_known() -> None:
    def scaled(x: torch.Tensor) -> torch.Tensor:
        return x / torch.sqrt(torch.tensor(x.size(-1), dtype=x.dtype) * 2)

    tokens(lambda x: x / 4.0, scaled)
    tokens(lambda x: x / 5.0, scaled, equal=False, differences={"constant"})


class Ends(nn.Module):
    """Two outputs, returned as a function says."""

    def __init__(self, returned: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.last, self.first, self.returned = nn.Linear(5, 6), nn.Linear(4, 5), returned

    def forward(self, x: torch.Tensor) -> Any:
        x = self.first(x)
        return self.returned(x, self.last(torch.relu(x)))


def ends(keras_returned: Callable[[Any, Any], Any], returned: Callable[[Any, Any], Any]) -> autoport.Match:
    x = keras.Input((7, 4))
    first = layers.Dense(5)(x)
    model = keras.Model(x, keras_returned(first, layers.Dense(6)(layers.ReLU()(first))))
    return autoport.match(model, Ends(returned))


def joined(a: Any, b: Any) -> Any:
    return layers.Concatenate()([a, b])


SAME_OUTPUTS: dict[str, tuple[Any, Any]] = {
    "by name on one side": (lambda a, b: [a, b], lambda a, b: {"b": b, "a": a}),
    "by name on both": (lambda a, b: {"a": a, "b": b}, lambda a, b: {"b": b, "a": a}),
    "by other names": (lambda a, b: {"a": a, "b": b}, lambda a, b: {"y": b, "x": a}),
    "more of them in front": (lambda a, b: [b], lambda a, b: (a, b)),
    "in parts": (lambda a, b: [b, joined(a, b)], lambda a, b: (b, a)),
    "within others": (lambda a, b: [a, b], lambda a, b: ((a,), [b])),
}
OTHER_OUTPUTS: dict[str, tuple[Any, Any]] = {
    "exchanged": (lambda a, b: [a, b], lambda a, b: (b, a)),
    "exchanged, and one more": (lambda a, b: [a, b], lambda a, b: (a * 2, b, a)),
    "exchanged names": (lambda a, b: {"a": a, "b": b}, lambda a, b: {"a": b, "b": a}),
    "one that is lacking": (lambda a, b: [a, b], lambda a, b: (b,)),
    "a part that is lacking": (lambda a, b: [b, joined(a, b)], lambda a, b: (b,)),
}


@pytest.mark.parametrize("case", SAME_OUTPUTS)
def test_outputs_that_a_caller_finds_are_no_difference(case: str) -> None:
    match = ends(*SAME_OUTPUTS[case])
    assert match.complete
    assert not match.differences


@pytest.mark.parametrize("case", OTHER_OUTPUTS)
def test_outputs_that_a_caller_does_not_find_are_a_difference(case: str) -> None:
    match = ends(*OTHER_OUTPUTS[case])
    assert match.complete
    assert {difference.name for difference in match.differences} == {"outputs"}
