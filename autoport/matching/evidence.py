"""The operations that were contracted onto an edge of the skeleton, as an expression that both frameworks share.

Reshapes, transposes and copies are left out: models spell them differently, and `canonical.axes.layout`
follows what they do to the order of elements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from autoport.graph import Graph, Op, Value
from autoport.graph.vocabulary import kind_of
from autoport.graph.vocabulary.picking import REDUCTIONS
from autoport.matching.commuting import behind, change_places

SOURCE = "input"

# Functions that an operation is moved past: of thousands in a row, each would be looked at thousands of times.
MOST_PASSED = 32


@dataclass(frozen=True)
class Expression:
    """A contracted operation with its operands. Nothing here recurses: expressions may be very deep.

    Attributes:
        label: the operation, or `input` for the value that the edge starts from.
        operands: in order; sorted where the order does not count.
        op: the operation itself, with its attributes in comparable form; not part of equality.
        structure: a digest of the expression without attributes; equal for equal expressions.
    """

    label: str = field(compare=False)
    operands: tuple[Expression, ...] = field(default=(), compare=False)
    op: Op | None = field(default=None, compare=False)
    structure: str = field(init=False)

    def __post_init__(self) -> None:
        text = "|".join((self.label, *(operand.structure for operand in self.operands)))
        object.__setattr__(self, "structure", blake2b(text.encode(), digest_size=16).hexdigest())

    @property
    def is_source(self) -> bool:
        """Whether it is the value that the edge starts from."""
        return self.label == SOURCE

    @property
    def is_constant(self) -> bool:
        """Whether it depends on no value of the model."""
        return self.label == "constant"

    def ops(self) -> Iterator[Op]:
        """Operations from the input on, in an order that equal expressions share."""
        return (expression.op for expression in self.parts() if expression.op is not None)

    def over(self, operand: Expression) -> Expression:
        """The same operation over another first operand."""
        return replace(self, operands=(operand, *self.operands[1:]))

    def parts(self) -> Iterator[Expression]:
        """It and all its operands, in that order."""
        expressions: list[Expression] = []
        waiting = [self]
        while waiting:
            expression = waiting.pop()
            waiting += expression.operands
            expressions.append(expression)
        return reversed(expressions)


# A value that is computed from constants: possibly only one framework knows it.
CONSTANT = Expression("constant", op=Op("constant", "constant", "", attrs={"values": None}))


@dataclass(frozen=True)
class Edge:
    """One use of a node's value by another.

    Attributes:
        position: place among the consumer's operands; 0 if it does not count.
        value: what the consumer reads.
        expression: the operations that were contracted onto the edge.
        preprocessing: preprocessing layers on the edge.
    """

    position: int
    value: Value
    expression: Expression
    preprocessing: tuple[Op, ...]


def expression_of(graph: Graph, value: Value, nodes: Mapping[str, Any]) -> Expression:
    """The expression of a value over its source node in the skeleton.

    Args:
        graph: the whole graph.
        value: what the consumer reads.
        nodes: names of skeleton nodes.
    """
    expressions: dict[Value, Expression] = {}
    waiting = [value]
    while waiting:
        current = waiting[-1]
        op = graph.op(current.op)
        operands = () if op.name in nodes else op.inputs[:1] if op.kind.is_silent else op.inputs
        below = [operand for operand in operands if operand not in expressions]
        if below:
            waiting += below
        else:
            parts = tuple(expressions[operand] for operand in operands)
            expressions[waiting.pop()] = _expression(op, current, op.name in nodes, parts)
    return expressions[value]


def _expression(op: Op, value: Value, is_node: bool, operands: tuple[Expression, ...]) -> Expression:
    """The expression of one value over those of its operands."""
    if is_node:
        return Expression(f"state {value.output}" if op.kind.is_recurrent and value.output else SOURCE)
    if not op.inputs:
        return Expression("constant", op=op) if op.kind == "constant" else CONSTANT
    if op.kind.is_silent:
        return operands[0]
    if all(operand.is_constant for operand in operands):
        return CONSTANT
    plain = _as_shift_or_scale(op)
    if plain.kind.is_commutative:
        operands = tuple(sorted(operands, key=lambda o: o.structure))
    return _in_order(Expression(REDUCTIONS.get(plain.kind, plain.kind), operands, plain))


def _as_shift_or_scale(op: Op) -> Op:
    """Arithmetic with a constant as a shift or a scale, so that `/ 2` equals `* 0.5`."""
    constant, kind = op.attrs.get("constant"), kind_of(op.kind.undoes or op.kind)
    if constant is None or not op.kind.is_affine or (op.kind.undoes and op.attrs.get("constant_first")):
        return op
    if op.kind.undoes:
        constant = -constant if kind.adds else 1 / constant if constant else math.inf
    return replace(op, kind=kind, attrs={"constant": constant})


def _in_order(outer: Expression) -> Expression:
    """An expression with functions of single elements behind all that they change places with, where they show."""
    if not outer.operands:
        return outer
    functions: list[Expression] = []
    inner = outer.operands[0]
    if all(operand.is_constant for operand in outer.operands[1:]):
        while len(functions) < MOST_PASSED and _change_places(inner, outer):
            functions.append(inner)
            inner = inner.operands[0]
    result = _over(outer, inner)
    for function in reversed(functions):
        result = _over(function, result)
    return result


def _change_places(function: Expression, picking: Expression) -> bool:
    """Whether an expression is a function of single elements that may as well stand behind another one."""
    first, second = function.op, picking.op
    if first is None or second is None or not first.kind.is_pointwise or len(function.operands) != 1:
        return False
    return not function.operands[0].is_constant and change_places(first, second)


def _over(function: Expression, operand: Expression) -> Expression:
    """An operation over an operand; what a padding holds is left out where the function does not show it."""
    if operand.op is not None and _change_places(function, operand):
        operand = replace(operand, op=behind(function.op, operand.op) if function.op else operand.op)
    return function.over(operand)
