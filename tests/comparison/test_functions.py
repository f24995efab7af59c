"""Numbers are a second witness of what two expressions compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autoport.comparison.differences import alike
from autoport.comparison.functions import same_function
from autoport.graph import Value
from autoport.graph.build import Builder
from autoport.graph.vocabulary import KINDS
from autoport.graph.vocabulary.functions import FUNCTIONS, compute
from autoport.matching.evidence import Expression, expression_of

SHAPE = (2, 3)


class Writer:
    """Appends pointwise operations to a graph."""

    def __init__(self) -> None:
        self.build = Builder()
        self.x = self.build.emit("input", [], SHAPE, axes=["n", "c"], position=0)

    def __call__(self, kind: str, *values: Value, **attrs: Any) -> Value:
        if "constant" in attrs:
            attrs.setdefault("constant_first", False)
        return self.build.emit(kind, values, SHAPE, **attrs)

    def number(self, number: float) -> Value:
        return self.build.constant(np.asarray(number), ())

    def mean(self, x: Value, dim: int) -> Value:
        return self.build.emit("reduce_mean", [x], SHAPE, dims=(dim,), over=("nc"[dim],))


Spelled = Callable[[Writer], Value]


def expression(spelled: Spelled) -> Expression:
    write = Writer()
    return expression_of(write.build.graph, spelled(write), {write.x.op: None})


SAME: dict[str, tuple[Spelled, Spelled]] = {
    "silu": (lambda w: w("silu", w.x), lambda w: w("mul", w("sigmoid", w.x), w.x)),
    "sigmoid by exp": (
        lambda w: w("sigmoid", w.x),
        lambda w: w("reciprocal", w("add", w("exp", w("neg", w.x)), constant=1.0)),
    ),
    "softsign": (
        lambda w: w("softsign", w.x),
        lambda w: w("div", w.x, w("add", w("abs", w.x), constant=1.0)),
    ),
    "a bound": (lambda w: w("clamp", w.x, high=2.0), lambda w: w("minimum", w.x, constant=2.0)),
    "behind a mean": (
        lambda w: w("sub", w.x, w.mean(w.x, 1)),
        lambda w: w("add", w("neg", w.mean(w.x, 1)), w.x),
    ),
    "in front of a mean": (
        lambda w: w.mean(w("square", w.x), 1),
        lambda w: w.mean(w("mul", w.x, w.x), 1),
    ),
    "a choice": (
        lambda w: w("relu", w.x),
        lambda w: w("where", w("lt", w.x, constant=0.0), w.number(0.0), w.x),
    ),
}
OTHER: dict[str, tuple[Spelled, Spelled]] = {
    "another function": (lambda w: w("floor", w.x), lambda w: w("ceil", w.x)),
    "the approximation of GELU": (
        lambda w: w("gelu", w.x, approximate="none"),
        lambda w: w("gelu", w.x, approximate="tanh"),
    ),
    "another slope": (
        lambda w: w("leaky_relu", w.x, negative_slope=0.2),
        lambda w: w("leaky_relu", w.x, negative_slope=0.3),
    ),
    "a far bound": (lambda w: w("relu6", w.x), lambda w: w("relu", w.x)),
    "a tiny epsilon": (lambda w: w("log", w.x), lambda w: w("log", w("add", w.x, constant=1e-9))),
    "halves to even": (
        lambda w: w("round", w.x, decimals=0),
        lambda w: w("floor", w("add", w.x, constant=0.5)),
    ),
    "the other infinity": (lambda w: w("eq", w.x, constant=math.inf), lambda w: w("eq", w.x, constant=-math.inf)),
    "what is no number": (lambda w: w.x, lambda w: w("where", w("isnan", w.x), w.number(0.0), w.x)),
    "another axis": (lambda w: w("sub", w.x, w.mean(w.x, 1)), lambda w: w("sub", w.x, w.mean(w.x, 0))),
    "an unknown function": (lambda w: w("det", w.x), lambda w: w("cholesky", w.x)),
    "what is nowhere defined": (
        lambda w: w("sqrt", w("sub", w("neg", w("abs", w.x)), constant=1.0)),
        lambda w: w("log", w("sub", w("neg", w("abs", w.x)), constant=1.0)),
    ),
}


@pytest.mark.parametrize("pair", SAME)
def test_another_spelling_is_the_same_function(pair: str) -> None:
    first, second = map(expression, SAME[pair])
    assert first != second
    assert same_function(first, second, alike)


@pytest.mark.parametrize("pair", OTHER)
def test_another_function_is_not_the_same(pair: str) -> None:
    first, second = map(expression, OTHER[pair])
    assert not same_function(first, second, alike)


def test_operands_on_each_other_along_other_axes_are_not_computed() -> None:
    def crossed(write: Writer) -> Value:
        return write("add", write.x, write.mean(write.x, 1), reads={"operands": "c on n"})

    def plain(write: Writer) -> Value:
        return write("add", write.mean(write.x, 1), write.x, reads={"operands": ""})

    assert not same_function(expression(crossed), expression(plain), alike)


def test_a_deep_expression_is_computed_without_recursion() -> None:
    def deep(write: Writer) -> Value:
        value = write.x
        for _ in range(3000):
            value = write("neg", value)
        return value

    assert same_function(expression(deep), expression(lambda write: write.x), alike)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_what_is_computed_is_declared(kind: str) -> None:
    assert KINDS[kind].is_pointwise
    assert {*FUNCTIONS[kind][1]} <= KINDS[kind].attributes.keys()


def test_what_lacks_a_hyper_parameter_is_not_computed() -> None:
    assert compute("leaky_relu", {}, [np.ones(3)]) is None
