"""Weights whose value cannot show, whatever they are: a difference there is none of the function.

softmax((q + bq) · (k + bk)) = softmax((q + bq) · k)      the bias of a key shifts every score of a row alike
norm(x + b) = norm(x)                                     a norm over each channel by itself removes its bias
"""

from __future__ import annotations

from autoport.facts.reasons import Code
from autoport.graph import Graph, Op, Value
from autoport.graph.vocabulary import Motion
from autoport.weights.role import Role


def cannot_show(graph: Graph, name: str, role: str) -> Code | None:
    """The reason why a weight of an operation cannot show; None if it can.

    Args:
        graph: the whole graph.
        name: the operation; one that only training mode runs is not in the graph.
        role: the weight's.
    """
    if Role.of(role).whole != "bias" or name not in graph:
        return None
    if _always(graph, Value(name), _is_key):
        return Code.KEY_BIAS
    if _always(graph, Value(name), _is_removed):
        return Code.REMOVED_BIAS
    return None


def _always(graph: Graph, value: Value, rule: object) -> bool:
    """Whether a rule holds for everything that reads a value, directly or in another shape."""
    if value in graph.outputs:
        return False
    readers = [graph.op(name) for name in graph.successors(value.op)]
    return bool(readers) and all(_holds(graph, op, value, rule) for op in readers)


def _holds(graph: Graph, op: Op, value: Value, rule: object) -> bool:
    scaled = op.kind.scales and "constant" in op.attrs and not op.attrs.get("constant_first")
    if op.kind.moves.motion is Motion.FOLLOWED or scaled:
        return _always(graph, Value(op.name), rule)
    return rule(graph, op, value)  # type: ignore[operator, no-any-return]


def _is_key(graph: Graph, op: Op, value: Value) -> bool:
    if op.kind.is_attention:
        return op.inputs[1] == value and value not in (op.inputs[0], *op.inputs[2:3])
    if not op.kind.is_product or op.inputs[0] == value or op.inputs[1:2] != (value,):
        return False
    return _always(graph, Value(op.name), _is_softmax)


def _is_softmax(graph: Graph, op: Op, value: Value) -> bool:
    """Scores may be shifted by a mask on the way."""
    if op.kind.adds:
        return _always(graph, Value(op.name), _is_softmax)
    last = len(graph.shape(value)) - 1
    return op.kind.ignores_shifts and tuple(op.attrs.get("dims", ())) == (last,)


def _is_removed(graph: Graph, op: Op, value: Value) -> bool:
    channels = [size for weight in op.weights.values() for size in weight.axes.values()]
    return op.kind.is_norm and op.attrs.get("groups") in channels
