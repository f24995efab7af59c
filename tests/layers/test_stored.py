"""Stored tensors: buffers that are weights or constants, tables that one side ties, layers that no output needs."""

from __future__ import annotations

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
from autoport.errors import IncompleteMatchError
from autoport.facts.reasons import Code
from tests.layers.test_spellings import Apply, tokens
from tests.oracle import assert_ports, sequential
from tests.support import randomise_keras


class Table(layers.Layer):  # type: ignore[misc]
    """Adds a stored row, or one that is written down."""

    def __init__(self, fixed: Any = None) -> None:
        super().__init__()
        self.fixed = fixed

    def build(self, shape: Any) -> None:
        self.row = self.add_weight(shape=(1, shape[-1])) if self.fixed is None else self.fixed

    def call(self, x: Any) -> Any:
        return x + self.row


def shifted(self: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(self.out(x) + self.shift)


def with_buffer(row: torch.Tensor) -> Apply:
    module = Apply(shifted, out=nn.Linear(6, 5))
    module.register_buffer("shift", row)
    return module


def test_a_buffer_is_a_weight_where_the_other_model_has_a_variable() -> None:
    def model() -> keras.Model:
        return tokens(layers.Dense(5), Table(), ops.tanh)

    match = assert_ports(model, with_buffer(torch.zeros(1, 5)))
    assert "shift" in match.plan("torch").entries


def test_a_buffer_is_a_constant_where_the_other_model_has_one() -> None:
    row = np.linspace(-1, 1, 5, dtype=np.float32)[None]
    model = tokens(layers.Dense(5), Table(ops.convert_to_tensor(row)), ops.tanh)
    match = autoport.match(model, with_buffer(torch.from_numpy(row.copy())))
    assert match.complete
    assert not match.differences
    assert set(match.plan("torch").entries) == {"out.weight", "out.bias"}


class Twice(layers.Layer):  # type: ignore[misc]
    """Looks words up in one table, and compares with the rows of another."""

    def build(self, shape: Any) -> None:
        self.words, self.rows = self.add_weight(shape=(11, 6)), self.add_weight(shape=(11, 6))

    def call(self, ids: Any) -> Any:
        return ops.matmul(ops.tanh(ops.take(self.words, ids, axis=0)), ops.transpose(self.rows))


def untied() -> tuple[keras.Model, nn.Module]:
    ids = keras.Input((7,), dtype="int32")
    model = keras.Model(ids, Twice()(ids))
    randomise_keras(model, 1)

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.words(x)) @ self.words.weight.T

    return model, Apply(forward, words=nn.Embedding(11, 6))


def test_equal_tables_fill_a_tied_one() -> None:
    model, module = untied()
    match = autoport.match(model, module)
    first, second = model.weights
    second.assign(first)
    assert match.complete
    match.assign()
    assert np.array_equal(module.words.weight.detach(), first)
    module.words.weight.data.mul_(2)
    match.assign(to="tf")
    assert np.array_equal(first, second)
    assert np.array_equal(module.words.weight.detach(), second)


def test_tables_that_differ_do_not_fill_a_tied_one() -> None:
    model, module = untied()
    before = module.words.weight.detach().clone()
    match = autoport.match(model, module)
    with pytest.raises(IncompleteMatchError) as failure:
        match.assign()
    assert all(variable.path in str(failure.value) for variable in model.weights)
    match.assign(strict=False)
    assert torch.equal(module.words.weight, before)


class Spare(layers.Layer):  # type: ignore[misc]
    """Computes something that it does not return."""

    def build(self, shape: Any) -> None:
        self.used, self.spare = layers.Dense(5), layers.Dense(4)

    def call(self, x: Any) -> Any:
        self.spare(x)
        return self.used(x)


def test_a_layer_that_no_output_needs_is_unused() -> None:
    model = tokens(Spare())
    match = autoport.match(model, Apply(lambda self, x: self.out(x), out=nn.Linear(6, 5)))
    assert match.complete
    match.assign()
    (row,) = match.unmatched_tf
    assert row.reason.code is Code.DEAD
    assert str(row.reason) in str(match.report("markdown"))


def test_joining_one_tensor_or_all_parts_of_one_is_nothing() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = torch.stack([torch.cat([torch.tanh(self.out(x))], 1)])
        return torch.cat([y[0][:, :3], y[0][:, 3:]], 1)

    assert_ports(lambda: tokens(layers.Dense(5, activation="tanh")), Apply(forward, out=nn.Linear(6, 5)))


def test_moves_that_undo_each_other_are_nothing() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        table = self.places.weight[:6].T[None]
        resized = F.interpolate(table, size=6, mode="linear", align_corners=False)[0].T
        return self.out(x) + torch.cat([resized, self.places.weight[6:]])

    module = Apply(forward, out=nn.Linear(6, 5), places=nn.Embedding(7, 5))
    assert_ports(lambda: tokens(layers.Dense(5), Rows()), module)


def test_a_resize_by_a_factor_that_keeps_the_size_is_something() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.interpolate(x, scale_factor=1.05, mode="bilinear"))

    module = Apply(forward, conv=nn.Conv2d(3, 4, 3))
    match = autoport.match(sequential((9, 12, 3), layers.Conv2D(4, 3)), module)
    assert {d.name for d in match.differences} == {"operation"}


class Rows(layers.Layer):  # type: ignore[misc]
    """Adds a table with a row for each position, or one for each place of a map."""

    def build(self, shape: Any) -> None:
        self.rows = self.add_weight(shape=(1, *shape[1:]))

    def call(self, x: Any) -> Any:
        return x + self.rows


@pytest.mark.parametrize("last", [True, False])
def test_a_square_table_of_places_ports_where_its_axes_have_names(last: bool) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.out((y.permute(0, 2, 3, 1) + self.rows).permute(0, 3, 1, 2) if last else y + self.rows)

    rows = nn.Parameter(torch.empty((1, 7, 7, 4) if last else (1, 4, 7, 7)))
    module = Apply(forward, conv=nn.Conv2d(3, 4, 3), out=nn.Conv2d(4, 5, 2), rows=rows)
    build = lambda: sequential((9, 9, 3), layers.Conv2D(4, 3), Rows(), layers.Conv2D(5, 2))  # noqa: E731
    assert_ports(build, module)


class Stacked(layers.Layer):  # type: ignore[misc]
    """A product with a stack of one matrix."""

    def build(self, shape: Any) -> None:
        self.matrix = self.add_weight(shape=(5, shape[-1]))

    def call(self, x: Any) -> Any:
        return tf.matmul(x, tf.stack([self.matrix.value]), transpose_b=True)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], 5)


def test_a_product_with_a_stack_of_one_matrix_is_a_dense_layer() -> None:
    assert_ports(lambda: tokens(Stacked()), nn.Linear(6, 5, bias=False))


class Affine(layers.Layer):  # type: ignore[misc]
    """One number that everything is multiplied with, and one that is added."""

    def build(self, shape: Any) -> None:
        self.scale, self.shift = (self.add_weight(shape=(), name=name) for name in ("scale", "shift"))

    def call(self, x: Any) -> Any:
        return self.scale * x + self.shift


def test_numbers_behind_a_layer_that_one_model_lacks_have_no_partner() -> None:
    class Longer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 5), nn.Linear(5, 5, bias=False)
            self.scales, self.shifts = (nn.ParameterList(torch.empty(1) for _ in range(2)) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.scales[0] * torch.relu(self.a(x)) + self.shifts[0]
            return self.scales[1] * torch.relu(self.b(x)) + self.shifts[1]

    match = autoport.match(tokens(layers.Dense(5), ops.relu, Affine()), Longer())
    assert not {"scales.1", "shifts.1", "b.weight"} & match.plan().entries.keys()
