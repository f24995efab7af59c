"""Tables that one side rounded when it made them are found and named, and with Keras' numbers both models agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import layers, ops
from torch import fx, nn

import autoport
from autoport.facts.framework import Framework
from autoport.verify.comparing.compare import gap
from autoport.verify.explaining.constants import Replacements, rounded_constants
from autoport.verify.running.draws import Draws
from autoport.verify.running.feed import torch_feed
from autoport.verify.running.promote import PromotedGraph
from autoport.verify.running.replay import Replay, computing_in
from autoport.verify.verification import Answer, Verification
from tests.support import randomise_keras, randomise_torch

STEPS, WIDTH = 7, 12
SAME = 1e-13


@dataclass
class Compared:
    """What was found, and the relative errors of the output in float64.

    Attributes:
        found: the tables.
        error: of the output, by the PyTorch results to use instead.
        verify: what users call.
    """

    found: Replacements
    error: Callable[[Mapping[fx.Node, torch.Tensor]], float]
    verify: Callable[[], Verification]

    @property
    def paths(self) -> list[str]:
        """The tables in words, as PyTorch has them."""
        return [str(constant.torch) for constant in self.found.constants]


def compared(model: keras.Model, module: nn.Module, carried: Sequence[str] = ()) -> Compared:
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign(strict=False)
    current = match.current()
    reading, torch_reading = current.readings
    arrays = Draws(current.graph_tf, reading, torch_reading).first.arrays
    with computing_in("float64"):
        feed = torch_feed(torch_reading, arrays)
    promoted = PromotedGraph(reading.trace.graph, reading.trace.inputs)
    weights = {*current.analysis.transfer(Framework.TORCH).entries, *carried}
    name = reading.trace.outputs[0].name
    expected = torch.from_numpy(dict(promoted.run(arrays, [name]))[name].tensor.numpy())

    def error(results: Mapping[fx.Node, torch.Tensor]) -> float:
        outputs = []

        def watch(node: fx.Node, result: Any) -> Any:
            outputs.append(result)
            return result

        with computing_in("float64"):
            Replay(torch_reading.recorded, watch, results=results).run(*feed)
        return gap(expected, outputs[-1]).relative

    with computing_in("float64"):
        found = rounded_constants(reading.trace, promoted, arrays, torch_reading.recorded, weights)
    return Compared(found, error, match.verify)


def assert_proved(result: Compared) -> None:
    """The models differ, and do not with Keras' tables; a verification says so, and names them."""
    assert result.error({}) > 1e-9
    assert result.error(result.found.nodes) < SAME
    verification = result.verify()
    assert verification.answer is Answer.ROUNDED, str(verification)
    assert verification.constants == result.found.constants
    assert verification.relative < SAME


def between(function: Callable[[Any], Any]) -> keras.Model:
    """A function between two dense layers."""
    steps = keras.Input((STEPS, 5))
    x = layers.Lambda(function)(layers.Dense(WIDTH)(steps))
    return keras.Model(steps, layers.Dense(3)(x))


class Between(nn.Module):
    """The same with the tables of a subclass."""

    def __init__(self, **tables: torch.Tensor) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, WIDTH), nn.Linear(WIDTH, 3)
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def between(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.between(self.first(x)))


class Added(Between):
    """A stored table is added."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table


class Rotary(Between):
    """Positions turn pairs of features; the frequencies are a buffer."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        angles = torch.arange(STEPS).float()[:, None] * self.frequencies[None]
        angles = torch.cat([angles, angles], -1)
        low, high = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-high, low], -1) * angles.sin()


def turned(x: Any, cos: Any, sin: Any) -> Any:
    low, high = ops.split(x, 2, -1)
    return x * cos + ops.concatenate([-high, low], -1) * sin


def rotary_in_graph(x: Any, base: float = 10000.0) -> Any:
    frequencies = 1.0 / base ** (ops.arange(0, WIDTH, 2, dtype="float32") / WIDTH)
    angles = ops.arange(STEPS, dtype="float32")[:, None] * frequencies[None]
    angles = ops.concatenate([angles, angles], -1)
    return turned(x, ops.cos(angles), ops.sin(angles))


def rotary_by_numpy(x: Any) -> Any:
    angles = np.arange(STEPS, dtype="float32")[:, None] * frequencies().numpy()[None]
    angles = np.concatenate([angles, angles], -1)
    return turned(x, np.cos(angles), np.sin(angles))


def frequencies(base: float = 10000.0) -> torch.Tensor:
    return 1.0 / base ** (torch.arange(0, WIDTH, 2).float() / WIDTH)


def sines(base: float = 10000.0, offset: int = 0) -> np.ndarray:
    """Sines, then cosines, in float64."""
    angles = np.arange(offset, offset + STEPS)[:, None] * np.exp(np.arange(0, WIDTH, 2) * (-np.log(base) / WIDTH))
    return np.concatenate([np.sin(angles), np.cos(angles)], -1)


def sines_in_float32() -> np.ndarray:
    """The same, computed in float32: off by more than the last bit."""
    angles = np.arange(STEPS, dtype="float32")[:, None] * frequencies().numpy()
    return np.concatenate([np.sin(angles), np.cos(angles)], -1)


def nudged(table: np.ndarray) -> np.ndarray:
    """Every number is the next one that float32 has, up or down."""
    toward = np.where(np.random.default_rng(0).random(table.shape) < 0.5, -2, 2).astype("float32")
    return np.nextafter(table.astype("float32"), toward)


def test_frequencies_that_pytorch_keeps_in_float32_are_named_and_not_what_is_made_from_them() -> None:
    result = compared(between(rotary_in_graph), Rotary(frequencies=frequencies()))
    assert_proved(result)
    (constant,) = result.found.constants
    assert str(constant.torch) == "frequencies"
    assert constant.rounded is Framework.TORCH
    assert constant.shape == (WIDTH // 2,)
    assert 1e-10 < constant.difference < 1e-7


def test_where_only_tables_of_angles_have_partners_both_are_named() -> None:
    result = compared(between(rotary_by_numpy), Rotary(frequencies=frequencies()))
    assert_proved(result)
    assert {constant.rounded for constant in result.found.constants} == {Framework.TF}
    assert result.paths == ["cos", "sin"]


def test_a_table_that_pytorch_computes_and_keras_has_rounded_is_named_on_both_sides() -> None:
    class Computed(Between):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.arange(STEPS).double()[:, None].div(3).sin()

    table = np.sin(np.arange(STEPS)[:, None] / 3).astype("float32")
    result = compared(between(lambda x: x + table), Computed())
    assert_proved(result)
    (constant,) = result.found.constants
    assert constant.rounded is Framework.TF
    assert constant.tf.path
    assert str(constant.torch) == "sin"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(sines_in_float32(), sines()), (sines(), nudged(sines())), (nudged(sines()), sines_in_float32())],
    ids=["one computed in float32", "an ulp apart", "both wrong"],
)
def test_tables_that_both_sides_have_rounded(ours: np.ndarray, theirs: np.ndarray) -> None:
    table = torch.from_numpy(theirs.astype("float32"))
    result = compared(between(lambda x: x + ours.astype("float32")), Added(table=table))
    assert_proved(result)
    (constant,) = result.found.constants
    assert (str(constant.torch), constant.rounded) == ("table", None)


class Transposed(Between):
    """The table has its axes in another order, and one more."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table.squeeze(1).transpose(0, 1)


class Longer(Between):
    """The table has more rows than are read."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table[:STEPS]


class Interleaved(Between):
    """Sines and cosines take turns in the table, and are put in order when it is read."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.cat([self.table[:, ::2], self.table[:, 1::2]], -1)


class Repeated(Between):
    """The table has half the width, and is repeated when it is read."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.cat([self.table, self.table], -1)


OTHERWISE: Mapping[str, tuple[type[Between], np.ndarray, np.ndarray, str]] = {
    "transposed": (Transposed, sines_in_float32(), sines().T[:, None], "table"),
    "longer": (Longer, sines_in_float32(), np.concatenate([sines(), sines(offset=STEPS)]), "table"),
    "interleaved": (
        Interleaved,
        sines_in_float32(),
        np.stack(np.split(sines(), 2, 1), -1).reshape(STEPS, WIDTH),
        "getitem",
    ),
    "repeated": (Repeated, np.tile(sines_in_float32()[:, ::2], 2), sines()[:, ::2], "table"),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_tables_that_are_laid_out_otherwise(name: str) -> None:
    twin, ours, theirs, path = OTHERWISE[name]
    module = twin(table=torch.from_numpy(theirs.astype("float32")))
    result = compared(between(lambda x: x + ours.astype("float32")), module)
    assert_proved(result)
    assert result.paths == [path]


def test_slopes_of_biases_that_grow_with_distance() -> None:
    class Biased(Between):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            distance = torch.arange(STEPS)[None] - torch.arange(STEPS)[:, None]
            bias = self.slopes[:, None, None] * distance
            return x.unflatten(-1, (4, 3)).mul(bias.sum(-1).T[..., None]).flatten(-2)

    def biased(x: Any) -> Any:
        distance = ops.arange(STEPS, dtype="float32")[None] - ops.arange(STEPS, dtype="float32")[:, None]
        slopes = 2.0 ** (-(ops.arange(4, dtype="float32") + 1) / 3)
        bias = slopes[:, None, None] * distance
        x = ops.reshape(x, (-1, STEPS, 4, 3)) * ops.transpose(ops.sum(bias, -1))[..., None]
        return ops.reshape(x, (-1, STEPS, 12))

    slopes = 2.0 ** (-(torch.arange(4).float() + 1) / 3)
    result = compared(between(biased), Biased(slopes=slopes))
    assert_proved(result)
    assert result.paths == ["slopes"]


def test_buckets_whose_bounds_rounding_moves() -> None:
    """16 positions away is the bound of a bucket: with a logarithm in float32, it falls below."""
    distances = np.arange(8, 40)

    class Buckets(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.biases, self.last = nn.Embedding(20, WIDTH), nn.Linear(WIDTH, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bucket = torch.log(torch.arange(8, 40).float() / 8) / np.log(16.0) * 8
            return self.last(x + self.biases(bucket.to(torch.long)))

    steps = keras.Input((len(distances), WIDTH))
    table = layers.Embedding(20, WIDTH)

    class Bucketed(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.biases = table

        def call(self, x: Any) -> Any:
            bucket = ops.log(ops.arange(8, 40, dtype="float32") / 8) / np.float32(np.log(16.0)) * 8
            return x + self.biases(ops.cast(bucket, "int32"))

    table.build()
    result = compared(keras.Model(steps, layers.Dense(3)(Bucketed()(steps))), Buckets())
    assert_proved(result)
    assert result.error({}) > 1e-2
    assert len(result.found.constants) == 1


def test_a_single_number() -> None:
    class Scaled(Between):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

    result = compared(between(lambda x: x * ops.exp(ops.cast(1.0, "float32"))), Scaled(scale=torch.tensor(np.e)))
    assert_proved(result)
    assert result.paths == ["scale"]


def test_a_table_written_part_by_part() -> None:
    class Written(Between):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            angles = torch.arange(STEPS)[:, None] * self.frequencies
            table = torch.zeros(STEPS, WIDTH)
            halves = table[:, : WIDTH // 2]
            table[:, : WIDTH // 2] = angles.sin()
            table[:, WIDTH // 2 :] = angles.cos()
            return x + table + torch.cat([halves, halves], -1)

    def added(x: Any) -> Any:
        table = sines_in_float32()
        return x + table + np.tile(table[:, : WIDTH // 2], 2)

    result = compared(between(added), Written(frequencies=frequencies()))
    assert_proved(result)


def test_a_table_that_several_layers_make_is_one() -> None:
    class Twice(Between):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(x + self.table) + self.copy

    table = sines_in_float32()
    stored = torch.from_numpy(sines().astype("float32"))
    result = compared(between(lambda x: ops.tanh(x + table) + table), Twice(table=stored, copy=stored.clone()))
    assert_proved(result)
    assert result.paths == ["table"]
    assert len(result.found.nodes) == 2


WRONG: Mapping[str, tuple[Callable[[Any], Any], Between]] = {
    "base of the frequencies": (rotary_in_graph, Rotary(frequencies=frequencies(10001.0))),
    "base of the sines": (
        lambda x: x + sines_in_float32(),
        Added(table=torch.from_numpy(sines(10001.0).astype("float32"))),
    ),
    "offset": (lambda x: x + sines_in_float32(), Added(table=torch.from_numpy(sines(offset=1).astype("float32")))),
    "scale": (lambda x: x + sines_in_float32(), Added(table=torch.from_numpy(sines().astype("float32")) * 1.00001)),
    "order": (lambda x: x + sines_in_float32(), Added(table=torch.from_numpy(sines().astype("float32")).flip(-1))),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_table_that_differs_by_more_than_rounding_is_none(name: str) -> None:
    function, module = WRONG[name]
    result = compared(between(function), module)
    assert result.error({}) > 1e-7
    assert result.found.constants == ()
    assert result.verify().answer is Answer.DIFFERENT


def test_a_weight_that_was_carried_over_is_no_constant() -> None:
    """It stays wrong if it differs by as little as rounding does."""
    model, module = between(lambda x: x + sines_in_float32()), Added(table=torch.from_numpy(sines()).float())
    assert compared(model, module).paths == ["table"]
    assert compared(model, module, carried=("table",)).paths == []


def test_only_needed_tables_are_kept() -> None:
    class Idle(Between):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.table + 0 * self.idle

    table, other = sines_in_float32(), nudged(np.cos(sines()))
    stored = {"table": torch.from_numpy(sines().astype("float32")), "idle": torch.from_numpy(np.cos(sines())).float()}
    result = compared(between(lambda x: x + table + 0 * tf.identity(other)), Idle(**stored))
    assert sorted(result.paths) == ["idle", "table"]
    needed = result.found.needed(lambda nodes: result.error(nodes) < SAME)
    assert [str(constant.torch) for constant in needed.constants] == ["table"]
    assert result.error(needed.nodes) < SAME
