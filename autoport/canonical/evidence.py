"""What was contracted onto an edge of the skeleton, as an expression that both frameworks share.

Reshapes, transposes and copies are left out: they are spelled differently everywhere, and what
they do to the order of elements is followed by `canonical.layout`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autoport.graph import Graph, Op, Value
from autoport.graph.build import RNN_GATES

# Operations that move values to other dimensions, each once.
SHAPE_ONLY = {"reshape", "transpose"}
SILENT = SHAPE_ONLY | {"expand", "preprocessing"}
COMMUTATIVE = {"add", "mul", "maximum", "minimum"}


@dataclass(frozen=True)
class Expression:
    """A contracted operation with its operands.

    Attributes:
        label: the operation, or `input` for the value that the edge starts from.
        operands: in order; sorted where the order does not count.
        op: the operation itself, with its attributes in comparable form; not part of equality.
    """

    label: str
    operands: tuple[Expression, ...] = ()
    op: Op | None = field(default=None, compare=False)

    def ops(self) -> Iterator[Op]:
        """Operations from the input on, in an order that equal expressions share."""
        for operand in self.operands:
            yield from operand.ops()
        if self.op is not None:
            yield self.op

    @property
    def structure(self) -> str:
        """The expression without attributes, as text."""
        return f"{self.label}({', '.join(o.structure for o in self.operands)})" if self.operands else self.label


# Something computed from constants, of which only one framework may know the value.
CONSTANT = Expression("constant", op=Op("constant", "constant", "", attrs={"values": None}))


@dataclass(frozen=True)
class Edge:
    """One use of a node's value by another.

    Attributes:
        position: place among the consumer's operands; 0 if it does not count.
        value: what the consumer reads.
        expression: what was contracted onto the edge.
        preprocessing: preprocessing layers on the edge.
    """

    position: int
    value: Value
    expression: Expression
    preprocessing: tuple[Op, ...]


def expression_of(graph: Graph, value: Value, nodes: Mapping[str, Any]) -> Expression:
    """The expression of a value over the skeleton node that it comes from.

    Args:
        graph: the whole graph.
        value: what the consumer reads.
        nodes: names of skeleton nodes.
    """
    op = graph.op(value.op)
    if op.name in nodes:
        return Expression(f"state {value.output}" if op.kind in RNN_GATES and value.output else "input")
    if not op.inputs:
        return Expression("constant", op=op) if op.kind == "constant" else CONSTANT
    if op.kind in SILENT:
        return expression_of(graph, op.inputs[0], nodes)
    operands = tuple(expression_of(graph, v, nodes) for v in op.inputs)
    if all(operand.label == "constant" for operand in operands):
        return CONSTANT
    plain = _plain(op)
    if plain.kind in COMMUTATIVE:
        operands = tuple(sorted(operands, key=lambda o: o.structure))
    return _commuted(Expression("concat" if op.kind == "stack" else plain.kind, operands, plain))


def _plain(op: Op) -> Op:
    """Arithmetic with a constant as a shift or a scale, so that `/ 2` equals `* 0.5`."""
    constant = op.attrs.get("constant")
    if constant is None or (op.attrs.get("constant_first") and op.kind in ("sub", "div")):
        return op
    if op.kind in ("add", "sub"):
        return replace(op, kind="add", attrs={"constant": constant if op.kind == "add" else -constant})
    if op.kind in ("mul", "div"):
        scale = constant if op.kind == "mul" else 1 / constant if constant else math.inf
        return replace(op, kind="mul", attrs={"constant": scale})
    return op


def _commuted(outer: Expression) -> Expression:
    """max_pool(relu(x)) for relu(max_pool(x)), which is the same."""
    if outer.label != "relu" or outer.operands[0].label != "max_pool":
        return outer
    inner = outer.operands[0]
    return replace(inner, operands=(replace(outer, operands=inner.operands),))
