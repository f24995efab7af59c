"""Rows without a partner: operations, tensors of matched operations, tensors that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from autoport.facts.framework import Both, Framework
from autoport.facts.reasons import Reason
from autoport.graph import Graph
from autoport.report.rows.order import Key, RowOrder
from autoport.report.rows.rows import Row, label
from autoport.report.rows.tensors import Status, TensorRow
from autoport.weights.role import Role

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.comparison.pairs import Unmatched
    from autoport.graph import Op
    from autoport.plan.draft import Transfer

ONLY = Both(Status.TF_ONLY, Status.TORCH_ONLY)
# A side and the path of one of its tensors.
SidedPath = tuple[Framework, str]


def lost_tensors(transfer: Transfer) -> dict[SidedPath, Reason]:
    """By side and path, tensors that a forward pass reads and the plan does not port, with reasons."""
    lost = Both(transfer.unexpected, transfer.missing)
    return {(side, path): reason for side in Framework for path, reason in lost[side].items()}


def _unmatched(analysis: Analysis) -> Iterator[tuple[Framework, Unmatched]]:
    return ((side, row) for side in Framework for row in analysis.unmatched[side])


def unmatched_rows(analysis: Analysis, order: RowOrder) -> Iterator[tuple[Key, Row]]:
    """Operations without a partner, and tensors that nothing reads."""
    read = analysis.graphs.map(Graph.read_tensors)
    for side, row in _unmatched(analysis):
        unread = bool(row.tensors) and read[side].isdisjoint(row.tensors)
        if row.op is not None or unread:
            yield order.key(side, row.op), _one_sided(analysis, side, row.op, row.tensors, row.reason, unread=unread)


def lost_rows(analysis: Analysis, lost: Mapping[SidedPath, Reason], order: RowOrder) -> Iterator[tuple[Key, Row]]:
    """Tensors of matched operations that are not ported."""
    shown = {(side, path) for side, row in _unmatched(analysis) if row.op for path in row.tensors}
    for (side, path), reason in lost.items():
        if (side, path) not in shown:
            reader = order.reader(side, path)
            row = _one_sided(analysis, side, None, (path,), reason, reader=reader)
            yield order.key(side, reader), row


def _one_sided(
    analysis: Analysis,
    side: Framework,
    op: Op | None,
    paths: tuple[str, ...],
    reason: Reason,
    *,
    unread: bool = False,
    reader: Op | None = None,
) -> Row:
    status = Status.AMBIGUOUS if reason.is_ambiguous else ONLY[side]
    roles = {
        piece.tensor: (Role.of(role),) for role, weight in (op.weights if op else {}).items() for piece in weight.pieces
    }
    place, kind = label(op.place) if op else (", ".join(paths), "tensor")
    nodes = tuple(node.name for node in (op, reader) if node)
    stored = [analysis.graphs[side].tensors[path] for path in paths]
    row = Row(status, reasons=(reason,), unread=unread)
    if side is Framework.TF:
        tensors = tuple(TensorRow(status, roles.get(t.path, ()), (t,), ()) for t in stored)
        return replace(row, tf=place, tf_kind=kind, tensors=tensors, tf_nodes=nodes)
    tensors = tuple(TensorRow(status, roles.get(t.path, ()), (), (t,)) for t in stored)
    return replace(row, torch=place, torch_kind=kind, tensors=tensors, torch_nodes=nodes)
