"""Builds the rows of a match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from autoport.differences import Difference
from autoport.report.rows import Count, Report, Row
from autoport.report.tensors import Status, TensorRow, Tensors, tensor_rows

if TYPE_CHECKING:
    from autoport.graph import Graph, Op
    from autoport.pairing import Pair, Unmatched
from autoport.result import Match

# Place of a row: that of an operation in the Keras graph, then matched rows before one-sided ones.
Key = tuple[float, int]
Place = tuple[str, str]


def build_report(match: Match) -> Report:
    """Turns a match into rows.

    Args:
        match: what `autoport.match` returned.

    Returns:
        The rows with their totals. The match stays as it is.

    Example:
        >>> [str(row.status) for row in build_report(match).rows]  # doctest: +SKIP
        ['=', '=', '!']
    """
    lost = _lost_tensors(match)
    tensors = _tensors(match, set(lost))
    order = _Order(match)
    placed = [*_pair_rows(match, tensors, order), *_unmatched_rows(match, order), *_lost_rows(match, lost, order)]
    placed += _weightless_rows(match, order)
    placed.sort(key=lambda entry: entry[0])
    read = match.graph_tf.read_tensors(), match.graph_torch.read_tensors()
    open_places = [len([side for side, _ in lost if side == which]) for which in ("tf", "torch")]
    return Report(
        tuple(row for _, row in placed),
        tuple(match.differences),
        match.complete,
        Count(len(read[0]) - open_places[0], len(read[0])),
        Count(len(read[1]) - open_places[1], len(read[1])),
    )


def _lost_tensors(match: Match) -> dict[Place, str]:
    """Tensors that a forward pass reads and the plan does not carry over, by side and path, with reasons."""
    sides = (("tf", match.unexpected("torch")), ("torch", match.missing("torch")))
    return {(side, path): reason for side, reasons in sides for path, reason in reasons.items()}


def _tensors(match: Match, lost: set[Place]) -> Tensors:
    absorbed: dict[str, list[str]] = {}
    absorbing: dict[str, list[str]] = {}
    for path, entry in match.plan("torch").entries.items():
        for term in (term for part in entry.parts for term in part.terms if term.factor != 1):
            absorbed.setdefault(term.source.tensor, []).append(path)
            absorbing.setdefault(path, []).append(term.source.tensor)
    return Tensors(match.graph_tf.tensors, match.graph_torch.tensors, lost, absorbed, absorbing)


class _Order:
    """Where rows stand: places in the Keras graph, to which PyTorch operations are tied by their pairs."""

    def __init__(self, match: Match) -> None:
        self.tf = {op.name: number for number, op in enumerate(match.graph_tf.ops())}
        self.torch = self._tied(match)
        graphs = (("tf", match.graph_tf), ("torch", match.graph_torch))
        self._readers = {(side, path): op for side, graph in graphs for path, op in _readers(graph)}

    def _tied(self, match: Match) -> dict[str, int]:
        partner = {pair.torch.name: self.tf[pair.tf.name] for pair in match.pairs if pair.tf.name in self.tf}
        tied, last = {}, -1
        for op in match.graph_torch.ops():
            last = partner.get(op.name, last)
            tied[op.name] = last
        return tied

    def key(self, side: str, op: Op | None) -> Key:
        """Place of a one-sided row; what nothing reads stands last."""
        places = self.tf if side == "tf" else self.torch
        place = places.get(op.name) if op else None
        return (float("inf") if place is None else place, 1 if side == "tf" else 2)

    def key_of_tensor(self, side: str, path: str) -> Key:
        """Place of a row for a single tensor: behind the operation that reads it."""
        return self.key(side, self._readers.get((side, path)))


def _readers(graph: Graph) -> Iterator[tuple[str, Op]]:
    """The first operation that reads each tensor (the last one yielded wins)."""
    return ((path, op) for op in reversed(list(graph.ops())) for path in op.tensors)


def _pair_rows(match: Match, tensors: Tensors, order: _Order) -> Iterator[tuple[Key, Row]]:
    """One row for each pair of layers, of which each may be several operations: query, key, value, out."""
    groups: dict[Place, list[Pair]] = {}
    for pair in match.pairs:
        groups.setdefault((str(pair.tf), str(pair.torch)), []).append(pair)
    told = _told(match.differences)
    for places, pairs in groups.items():
        rows = tensor_rows([weight for pair in pairs for weight in pair.weights], tensors)
        differences = tuple(told.get(places, ()))
        yield (
            (order.key("tf", pairs[0].tf)[0], 0),
            Row(
                _pair_status(rows, differences),
                *_label(pairs[0].tf),
                *_label(pairs[0].torch),
                tensors=rows,
                reason="; ".join(dict.fromkeys(pair.reason for pair in pairs)),
                differences=differences,
            ),
        )


def _pair_status(tensors: Iterable[TensorRow], differences: Iterable[Difference]) -> Status:
    if any(not difference.training_only for difference in differences):
        return Status.DIFFERENT
    transformed = any(row.status is Status.TRANSFORMED for row in tensors)
    return Status.TRANSFORMED if transformed else Status.SAME


def _told(differences: Iterable[Difference]) -> dict[Place, list[Difference]]:
    """Differences by the two operations of which they are told, or to which the edges lead."""
    told: dict[Place, list[Difference]] = {}
    for difference in differences:
        told.setdefault((_consumer(difference.tf), _consumer(difference.torch)), []).append(difference)
    return told


def _consumer(place: str) -> str:
    """The operation a place names: of an edge, written `producer -> consumer`, the consumer."""
    return place.rpartition(" -> ")[2]


def _unmatched(match: Match) -> Iterator[tuple[str, Unmatched]]:
    yield from (("tf", row) for row in match.unmatched_tf)
    yield from (("torch", row) for row in match.unmatched_torch)


def _unmatched_rows(match: Match, order: _Order) -> Iterator[tuple[Key, Row]]:
    """Operations without a partner, and tensors that nothing reads."""
    read = {"tf": match.graph_tf.read_tensors(), "torch": match.graph_torch.read_tensors()}
    for side, row in _unmatched(match):
        unread = bool(row.tensors) and read[side].isdisjoint(row.tensors)
        if row.op is not None or unread:
            yield order.key(side, row.op), _one_sided(match, side, row.op, row.tensors, row.reason, unread=unread)


def _lost_rows(match: Match, lost: dict[Place, str], order: _Order) -> Iterator[tuple[Key, Row]]:
    """Tensors of matched operations that are not carried over."""
    shown = {(side, path) for side, row in _unmatched(match) if row.op for path in row.tensors}
    for (side, path), reason in lost.items():
        if (side, path) not in shown:
            yield order.key_of_tensor(side, path), _one_sided(match, side, None, (path,), reason)


def _one_sided(
    match: Match, side: str, op: Op | None, paths: tuple[str, ...], reason: str, *, unread: bool = False
) -> Row:
    graph = match.graph_tf if side == "tf" else match.graph_torch
    only = Status.TF_ONLY if side == "tf" else Status.TORCH_ONLY
    status = Status.AMBIGUOUS if reason.startswith("ambiguous") else only
    roles = {piece.tensor: (role,) for role, weight in (op.weights if op else {}).items() for piece in weight.pieces}
    place, kind = _label(op) if op else (", ".join(paths), "tensor")
    tensors = tuple(
        TensorRow(
            status,
            roles.get(path, ()),
            (graph.tensors[path],) if side == "tf" else (),
            (graph.tensors[path],) if side == "torch" else (),
            "",
        )
        for path in paths
    )
    if side == "tf":
        return Row(status, tf=place, tf_kind=kind, tensors=tensors, reason=reason, unread=unread)
    return Row(status, torch=place, torch_kind=kind, tensors=tensors, reason=reason, unread=unread)


def _weightless_rows(match: Match, order: _Order) -> Iterator[tuple[Key, Row]]:
    """Differences between operations without tensors: a pooling, an activation, an output."""
    paired = {(str(pair.tf), str(pair.torch)) for pair in match.pairs}
    ops = {str(op): op for graph in (match.graph_torch, match.graph_tf) for op in graph.ops()}
    for places, found in _told(match.differences).items():
        if places in paired:
            continue
        tf, torch = (_label(ops.get(place), place) for place in places)
        yield order.key("tf", ops.get(places[0])), Row(_pair_status((), found), *tf, *torch, differences=tuple(found))


def _label(op: Op | None, otherwise: str = "") -> tuple[str, str]:
    """Path and kind of an operation, as people know them."""
    return (op.path or op.name, op.type or op.kind) if op else (otherwise, "")
