"""Weights that cannot change what a model computes, whatever their values are.

softmax((q + bq) · (k + bk)) = softmax((q + bq) · k)      the bias of a key shifts every score of a row alike
norm(x + b) = norm(x)                                     a norm over each channel by itself removes its bias
"""

from __future__ import annotations

from collections.abc import Callable

from autoport.facts.reasons import Code
from autoport.graph import Graph, Op, Value
from autoport.graph.vocabulary import Motion
from autoport.weights.role import Role

# Whether an operation removes a bias from a value that it reads.
Removal = Callable[[Graph, Op, Value], bool]


def cannot_show(graph: Graph, name: str, role: str) -> Code | None:
    """The reason why a weight of an operation cannot show; None if it can.

    Args:
        graph: the graph.
        name: the operation; an operation of training mode alone is not in the graph.
        role: of the weight.
    """
    if Role.of(role).whole != "bias" or name not in graph:
        return None
    if _removed_everywhere(graph, Value(name), _is_key):
        return Code.KEY_BIAS
    if _removed_everywhere(graph, Value(name), _norm_of_channels):
        return Code.REMOVED_BIAS
    return None


def _removed_everywhere(graph: Graph, value: Value, removes: Removal) -> bool:
    """Whether every consumer of a value, directly or in another shape, removes a bias from it."""
    if value in graph.outputs:
        return False
    consumers = [graph.op(name) for name in graph.successors(value.op)]
    return bool(consumers) and all(_removed_by(graph, op, value, removes) for op in consumers)


def _removed_by(graph: Graph, op: Op, value: Value, removes: Removal) -> bool:
    scaled = op.kind.scales and "constant" in op.attrs and not op.attrs.get("constant_first")
    if op.kind.moves.motion is Motion.FOLLOWED or scaled:
        return _removed_everywhere(graph, Value(op.name), removes)
    return removes(graph, op, value)


def _is_key(graph: Graph, op: Op, value: Value) -> bool:
    if op.kind.is_attention:
        return op.inputs[1] == value and value not in (op.inputs[0], *op.inputs[2:3])
    if not op.kind.is_product or op.inputs[0] == value or op.inputs[1:2] != (value,):
        return False
    return _removed_everywhere(graph, Value(op.name), _softmax_of_scores)


def _softmax_of_scores(graph: Graph, op: Op, value: Value) -> bool:
    """A mask may be added to the scores on the way."""
    if op.kind.adds:
        return _removed_everywhere(graph, Value(op.name), _softmax_of_scores)
    last = len(graph.shape(value)) - 1
    return op.kind.ignores_shifts and tuple(op.attrs.get("dims", ())) == (last,)


def _norm_of_channels(graph: Graph, op: Op, value: Value) -> bool:
    channels = [size for weight in op.weights.values() for size in weight.axes.values()]
    return op.kind.is_norm and op.attrs.get("groups") in channels
