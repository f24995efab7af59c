"""A traced TensorFlow graph runs in float64, whatever it was written for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from autoport.keras.read import read
from autoport.verify.running.numbers import intended_number, intended_numbers
from autoport.verify.running.promote import PromotedGraph
from tests.oracle import sequential
from tests.support import keras_float64, randomise_keras, relative_error

STANDS_FOR = [
    1e-3,
    1.001e-5,
    1e-12,
    0.044715,
    0.2,
    1 / 255,
    1 / 127.5,
    1 / 6,
    2 / 3,
    math.sqrt(0.5),
    -math.sqrt(0.5),
    math.sqrt(2 / math.pi),
    1 / math.sqrt(80),
    64**-0.5,
    1.702,
    math.pi,
    2 * math.pi,
    -math.pi / 4,
]


@pytest.mark.parametrize("number", STANDS_FOR)
def test_a_float32_constant_is_taken_as_what_it_stands_for(number: float) -> None:
    rounded = float(np.float32(number))
    assert intended_number(rounded) == pytest.approx(number, rel=1e-15, abs=0)
    assert intended_number(intended_number(rounded)) == intended_number(rounded)


def test_what_float32_holds_exactly_and_large_tables_stay_as_they_are() -> None:
    for number in (0.0, 1.0, -3.0, 0.5, 0.125, 255.0, -1e9, math.inf):
        assert intended_number(number) == number
    table = np.random.default_rng(0).standard_normal(17).astype(np.float32)
    np.testing.assert_array_equal(intended_numbers(table), table.astype(np.float64))


STACKS: dict[str, tuple[tuple[int, ...], Callable[[], list[Any]]]] = {
    "convolutions": (
        (9, 12, 4),
        lambda: [
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Conv2D(8, 3, groups=2, padding="same"),
            layers.SeparableConv2D(6, 3, padding="same"),
            layers.Conv2DTranspose(4, 3, strides=2),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ],
    ),
    "norms": (
        (9, 12, 4),
        lambda: [
            layers.BatchNormalization(epsilon=1.001e-5),
            layers.LayerNormalization(),
            layers.GroupNormalization(2),
            layers.LeakyReLU(negative_slope=0.25),
        ],
    ),
    "recurrent layers": (
        (7, 6),
        lambda: [
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(4, return_sequences=True),
            layers.SimpleRNN(3),
        ],
    ),
}


@pytest.mark.parametrize("case", STACKS)
def test_a_float32_model_computes_what_it_computes_in_float64(case: str) -> None:
    shape, stack = STACKS[case]
    narrow = sequential(shape, *stack())
    randomise_keras(narrow, 1)
    with keras_float64():
        wide = sequential(shape, *stack())
    for its, mine in zip(wide.weights, narrow.weights, strict=True):
        its.assign(mine)
    x = np.random.default_rng(2).standard_normal((2, *shape))
    assert relative_error(run(narrow, x), np.asarray(wide(x, training=False))) < 1e-12


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resizing_has_a_kernel_of_its_own(interpolation: str) -> None:
    model = sequential((6, 7, 3), layers.Resizing(13, 10, interpolation=interpolation))
    x = np.random.default_rng(2).standard_normal((2, 6, 7, 3))
    assert relative_error(run(model, x), np.asarray(model(x))) < 1e-5


def test_a_function_on_tensors_with_a_branch_and_a_loop_runs() -> None:
    def model(x: Any) -> Any:
        y = tf.while_loop(lambda k, y: k < 3, lambda k, y: (k + 1, y * 1.1), (0, x))[1]
        return tf.cond(tf.reduce_sum(x) > 1e9, lambda: y, lambda: y + 0.1)

    x = np.random.default_rng(2).standard_normal((2, 5))
    assert relative_error(run(model, x), x * 1.1**3 + 0.1) < 1e-12


def run(model: Any, x: Any) -> Any:
    """First output of the promoted graph."""
    if isinstance(model, keras.Model):
        trace = read(model, x.astype(np.float32)).trace
    else:
        from autoport.keras.trace import trace as traced

        trace = traced(model, x.astype(np.float32), lambda layer: False)
    name = trace.outputs[0].name
    found = dict(PromotedGraph(trace.graph, trace.inputs).run([x], [name]))[name].tensor
    assert found.dtype == tf.float64
    return found.numpy()
