"""What both models return: which outputs one lacks, and which are exchanged.

A caller takes an output by a key or by a place. Keys have no order, and further outputs of the PyTorch model (caches,
hidden states) only move the places of the others; neither is a difference.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoport.graph import Graph, Value
from autoport.graph.op import OutputPath
from autoport.matching import Matching


def exchanged(pairs: Iterable[tuple[int, int]], tf: Graph, torch: Graph) -> list[tuple[int, int]]:
    """Outputs that a caller finds where the other model has another output that both return.

    Args:
        pairs: numbers of an output in the Keras model and in the PyTorch model.
        tf: the graph of the Keras model.
        torch: the graph of the PyTorch model.
    """
    pairs = sorted(pairs)
    paths = [(tf.output_path(first), torch.output_path(second)) for first, second in pairs]
    moved = {
        number
        for place, path in enumerate(paths)
        for other in range(place)
        if _exchanged(paths[other], path)
        for number in (other, place)
    }
    return [pair for number, pair in enumerate(pairs) if number in moved]


def lacking(matching: Matching) -> list[int]:
    """Outputs of the Keras model that the PyTorch model returns neither as they are nor in parts."""
    matched = {first for first, _ in matched_outputs(matching)}
    right = matching.right.graph
    returned = {_unmoved(right, value) for value in right.outputs}
    outputs = enumerate(matching.left.graph.outputs)
    return [n for n, value in outputs if n not in matched and not _is_returned(matching, value, returned)]


def more_outputs(matching: Matching) -> int:
    """How many outputs of the PyTorch model have no partner."""
    return len(matching.right.graph.outputs) - len(matched_outputs(matching))


def matched_outputs(matching: Matching) -> list[tuple[int, int]]:
    """Matched outputs by number."""
    places = matching.left.output_position, matching.right.output_position
    return [(places[0][a], places[1][b]) for a, b in matching.partner.items() if a in places[0]]


def _exchanged(first: tuple[OutputPath, OutputPath], second: tuple[OutputPath, OutputPath]) -> bool:
    """Whether the parting of two outputs, where their paths part, is the other way round on the other side."""
    tf, torch = (_parting(*paths) for paths in zip(first, second, strict=True))
    if None in (tf, torch):
        return False
    in_order = [all(isinstance(step, int) for step in steps) for steps in (tf, torch)]
    if all(in_order):
        return (tf[0] < tf[1]) != (torch[0] < torch[1])
    return not any(in_order) and tf == torch[::-1]


def _parting(first: OutputPath, second: OutputPath) -> tuple[str | int, str | int] | None:
    """The first steps in which two paths differ."""
    return next(((a, b) for a, b in zip(first, second, strict=False) if a != b), None)


def _is_returned(matching: Matching, value: Value, returned: set[Value]) -> bool:
    """Whether PyTorch returns the partner of a value, or of all that it joins, as a cache joins keys and values."""
    graph = matching.left.graph
    value = _unmoved(graph, value)
    partner, op = matching.partner.get(value.op), graph.op(value.op)
    if partner is not None and Value(partner, value.output) in returned:
        return True
    return op.kind.is_join and all(_is_returned(matching, part, returned) for part in op.inputs)


def _unmoved(graph: Graph, value: Value) -> Value:
    """The value before reshapes and transposes."""
    while graph.op(value.op).kind.is_shape_only:
        value = graph.op(value.op).inputs[0]
    return value
