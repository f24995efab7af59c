"""Rows of what has no partner: operations, tensors of matched operations, tensors that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from autoport.facts.reasons import Reason
from autoport.report.rows.order import Key, Order
from autoport.report.rows.rows import Row, label
from autoport.report.rows.tensors import Status, TensorRow
from autoport.weights.role import Role

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.comparison.pairs import Unmatched
    from autoport.graph import Op
    from autoport.plan.draft import Transfer

# A side and the path of one of its tensors.
Stored = tuple[str, str]


def lost_tensors(transfer: Transfer) -> dict[Stored, Reason]:
    """Tensors that a forward pass reads and the plan does not carry over, by side and path, with reasons."""
    sides = (("tf", transfer.unexpected), ("torch", transfer.missing))
    return {(side, path): reason for side, reasons in sides for path, reason in reasons.items()}


def _unmatched(analysis: Analysis) -> Iterator[tuple[str, Unmatched]]:
    yield from (("tf", row) for row in analysis.unmatched.tf)
    yield from (("torch", row) for row in analysis.unmatched.torch)


def unmatched_rows(analysis: Analysis, order: Order) -> Iterator[tuple[Key, Row]]:
    """Operations without a partner, and tensors that nothing reads."""
    read = {"tf": analysis.graphs.tf.read_tensors(), "torch": analysis.graphs.torch.read_tensors()}
    for side, row in _unmatched(analysis):
        unread = bool(row.tensors) and read[side].isdisjoint(row.tensors)
        if row.op is not None or unread:
            yield order.key(side, row.op), _one_sided(analysis, side, row.op, row.tensors, row.reason, unread=unread)


def lost_rows(analysis: Analysis, lost: Mapping[Stored, Reason], order: Order) -> Iterator[tuple[Key, Row]]:
    """Tensors of matched operations that are not carried over."""
    shown = {(side, path) for side, row in _unmatched(analysis) if row.op for path in row.tensors}
    for (side, path), reason in lost.items():
        if (side, path) not in shown:
            reader = order.reader(side, path)
            row = _one_sided(analysis, side, None, (path,), reason, reader=reader)
            yield order.key(side, reader), row


def _one_sided(
    analysis: Analysis,
    side: str,
    op: Op | None,
    paths: tuple[str, ...],
    reason: Reason,
    *,
    unread: bool = False,
    reader: Op | None = None,
) -> Row:
    graph = analysis.graphs.tf if side == "tf" else analysis.graphs.torch
    only = Status.TF_ONLY if side == "tf" else Status.TORCH_ONLY
    status = Status.AMBIGUOUS if reason.is_ambiguous else only
    roles = {
        piece.tensor: (Role.of(role),) for role, weight in (op.weights if op else {}).items() for piece in weight.pieces
    }
    place, kind = label(op.place) if op else (", ".join(paths), "tensor")
    nodes = tuple(found.name for found in (op, reader) if found)
    stored = [graph.tensors[path] for path in paths]
    row = Row(status, reasons=(reason,), unread=unread)
    if side == "tf":
        tensors = tuple(TensorRow(status, roles.get(t.path, ()), (t,), ()) for t in stored)
        return replace(row, tf=place, tf_kind=kind, tensors=tensors, tf_nodes=nodes)
    tensors = tuple(TensorRow(status, roles.get(t.path, ()), (), (t,)) for t in stored)
    return replace(row, torch=place, torch_kind=kind, tensors=tensors, torch_nodes=nodes)
