"""What both models return: which outputs one lacks, and which are exchanged.

A caller takes an output by a key or by a place. Keys have no order, and further outputs of the PyTorch model (caches,
hidden states) only move the places of the others; neither is a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

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
    matched, returned = {first for first, _ in matched_outputs(matching)}, _returned(matching)
    outputs = enumerate(matching.left.graph.outputs)
    return [n for n, value in outputs if n not in matched and not _is_returned(matching, value, returned)]


def more_outputs(matching: Matching) -> int:
    """How many outputs of the PyTorch model have no partner."""
    return len(matching.right.graph.outputs) - len(matched_outputs(matching))


def matched_outputs(matching: Matching) -> list[tuple[int, int]]:
    """Outputs of both models that are one value, by number; also where other outputs are functions of that value."""
    places = matching.left.output_position, matching.right.output_position
    pairs = {places[0][a]: places[1][b] for a, b in matching.partner.items() if a in places[0]}
    returned = {value: n for value, n in _returned(matching).items() if n not in pairs.values()}
    for number, value in enumerate(matching.left.graph.outputs):
        partner = _partner(matching, value)
        if number not in pairs and partner in returned:
            pairs[number] = returned.pop(partner)
    return list(pairs.items())


def _returned(matching: Matching) -> dict[Value, int]:
    """The values that the PyTorch model returns, each with the number of the output."""
    graph = matching.right.graph
    return {_unmoved(graph, value): number for number, value in reversed([*enumerate(graph.outputs)])}


def _partner(matching: Matching, value: Value) -> Value | None:
    """The PyTorch value that belongs to a value, up to moves."""
    value = _unmoved(matching.left.graph, value)
    return Value(matching.partner[value.op], value.output) if value.op in matching.partner else None


def _exchanged(first: tuple[OutputPath, OutputPath], second: tuple[OutputPath, OutputPath]) -> bool:
    """Whether the parting of two outputs, where their paths part, is the other way round on the other side."""
    tf, torch = (_parting(*paths) for paths in zip(first, second, strict=True))
    places = [steps for steps in (tf, torch) if steps and all(isinstance(step, int) for step in steps)]
    if len(places) == 2:
        return (places[0] == tuple(sorted(places[0]))) != (places[1] == tuple(sorted(places[1])))
    return not places and tf is not None and torch is not None and tf == torch[::-1]


def _parting(first: OutputPath, second: OutputPath) -> tuple[str | int, str | int] | None:
    """The first steps in which two paths differ."""
    return next(((a, b) for a, b in zip(first, second, strict=False) if a != b), None)


def _is_returned(matching: Matching, value: Value, returned: Collection[Value]) -> bool:
    """Whether PyTorch returns the partner of a value, or of all that it joins, as a cache joins keys and values."""
    if _partner(matching, value) in returned:
        return True
    graph = matching.left.graph
    op = graph.op(_unmoved(graph, value).op)
    return op.kind.is_join and all(_is_returned(matching, part, returned) for part in op.inputs)


def _unmoved(graph: Graph, value: Value) -> Value:
    """The value before reshapes and transposes."""
    while graph.op(value.op).kind.is_shape_only:
        value = graph.op(value.op).inputs[0]
    return value
