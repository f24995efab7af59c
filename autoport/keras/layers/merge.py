"""Layers that merge several tensors: sums, products, concatenations."""

from __future__ import annotations

from typing import Any

from autoport.graph.equations import product_equation
from autoport.keras.calls import Layer
from autoport.keras.table import layer_rule

ELEMENTWISE = {"Add": "add", "Multiply": "mul", "Subtract": "sub", "Maximum": "maximum", "Minimum": "minimum"}


@layer_rule(" ".join(ELEMENTWISE))
def elementwise(call: Layer) -> Any:
    """`Add`, `Multiply`, `Subtract`, `Maximum`, `Minimum`."""
    kind = next(ELEMENTWISE[cls.__name__] for cls in type(call.layer).__mro__ if cls.__name__ in ELEMENTWISE)
    return call.emit(kind, call.inputs())


@layer_rule("Average")
def average(call: Layer) -> Any:
    """A sum divided by the number of tensors."""
    values = call.inputs()
    total = call.emit("add", values)
    return call.emit("div", [total], constant=float(len(values)), constant_first=False)


@layer_rule("Concatenate")
def concatenate(call: Layer) -> Any:
    """`Concatenate(axis)`."""
    return call.emit("concat", call.inputs(), axis=call.layer.axis % len(call.out))


@layer_rule("Dot")
def dot(call: Layer) -> Any:
    """`Dot(axes)`."""
    axes = call.layer.axes
    pair = (axes, axes) if isinstance(axes, int) else axes
    values = call.inputs()
    dims = tuple(axis % len(call.build.graph.shape(value)) for axis, value in zip(pair, values, strict=True))
    ranks = [len(call.build.graph.shape(value)) for value in values]
    equation = product_equation(ranks[0], ranks[1], (dims[0], dims[1]), shared=1)
    return call.build.matmul(values[0], values[1], call.out, equation, normalize=bool(call.layer.normalize))
