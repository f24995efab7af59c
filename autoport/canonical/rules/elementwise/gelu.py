"""GELU spelled out in arithmetic becomes one operation (Hendrycks and Gimpel, arXiv:1606.08415).

gelu(x) = 0.5 x (1 + erf(x / sqrt(2))) = 0.5 x erfc(-x / sqrt(2))
gelu(x) = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))      the approximation
"""

from __future__ import annotations

import math

from autoport.graph import Graph, Op, Value

# Graphs hold numbers as float32, each off by up to 2**-24, and a factor may be a product of several.
FLOAT32 = 1e-6
# The coefficient of the cube is published with five digits.
CUBIC, FIVE_DIGITS = 0.044715, 1e-5
# Function inside the gate -> value of `approximate`, factor of its argument.
INNER = {
    "erf": ("none", 1 / math.sqrt(2)),
    "erfc": ("none", -1 / math.sqrt(2)),
    "tanh": ("tanh", math.sqrt(2 / math.pi)),
}


def fold_gelu(graph: Graph) -> None:
    """Applies the rule everywhere; of nested products the outermost becomes the GELU."""
    for op in list(graph.ops()):
        source_and_form = _gelu(graph, op)
        if source_and_form is not None:
            source, approximate = source_and_form
            graph.become(op, "gelu", source, approximate=approximate)


def _gelu(graph: Graph, op: Op) -> tuple[Value, str] | None:
    scale, factors = _product(graph, Value(op.name))
    if not math.isclose(scale, 0.5, rel_tol=FLOAT32) or len(factors) != 2:
        return None
    for x, gate in (factors, factors[::-1]):
        inner = graph.op(gate.op)
        if inner.kind == "add" and inner.attrs.get("constant") == 1:
            inner = graph.op(inner.inputs[0].op)
        elif inner.kind != "erfc":
            continue
        if inner.kind in INNER and _argument(graph, inner, x):
            return x, INNER[inner.kind][0]
    return None


def _product(graph: Graph, value: Value) -> tuple[float, list[Value]]:
    """A nested product as its constant and its other factors."""
    op = graph.op(value.op)
    constant = op.attrs.get("constant")
    if op.kind == "mul":
        scale, factors = 1.0 if constant is None else constant, []
        for operand in op.inputs:
            inner_scale, inner = _product(graph, operand)
            scale *= inner_scale
            factors += inner
        return scale, factors
    if op.kind == "neg":
        scale, factors = _product(graph, op.inputs[0])
        return -scale, factors
    if op.kind == "div" and constant is not None and not op.attrs["constant_first"]:
        inner_scale, factors = _product(graph, op.inputs[0])
        return inner_scale / constant, factors
    return 1.0, [value]


def _argument(graph: Graph, inner: Op, x: Value) -> bool:
    """Whether the argument of erf or tanh is the one of a GELU of `x`."""
    scale, factors = _product(graph, inner.inputs[0])
    if not math.isclose(scale, INNER[inner.kind][1], rel_tol=FLOAT32) or len(factors) != 1:
        return False
    return _cubic(graph, factors[0], x) if inner.kind == "tanh" else factors[0] == x


def _cubic(graph: Graph, value: Value, x: Value) -> bool:
    """Whether a value is x + 0.044715 x^3."""
    op = graph.op(value.op)
    if op.kind != "add" or len(op.inputs) != 2 or x not in op.inputs:
        return False
    scale, factors = _product(graph, next(v for v in op.inputs if v != x))
    return math.isclose(scale, CUBIC, rel_tol=FIVE_DIGITS) and (factors == [x] * 3 or _is_cube(graph, factors, x))


def _is_cube(graph: Graph, factors: list[Value], x: Value) -> bool:
    power = graph.op(factors[0].op)
    return len(factors) == 1 and power.kind == "pow" and power.attrs.get("constant") == 3 and power.inputs[0] == x
