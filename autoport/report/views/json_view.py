"""The JSON view, for machines and for the page of the HTML view. `docs/report.md` describes every key."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from autoport.comparison.differences import Difference
from autoport.facts.places import Place
from autoport.graph import Tensor
from autoport.report.rows.advice import advice
from autoport.report.rows.drawing import Drawing, DrawnOp, Group, Node
from autoport.report.rows.rows import Count, Report, Row
from autoport.report.rows.tensors import TensorRow
from autoport.report.views.facts import as_json
from autoport.report.views.summary import summary
from autoport.verify.verification import Cause, NodeError, Verification

# Goes up when a reader of the old form would misread the new one; new keys alone do not count.
DOCUMENT_VERSION = 2


def render_json(report: Report) -> str:
    """A report as JSON text.

    Args:
        report: the rows of a match.

    Returns:
        The document that `docs/report.md` describes, with a newline at its end.

    Example:
        >>> json.loads(render_json(report))["version"]  # doctest: +SKIP
        2
    """
    return json.dumps(as_dict(report), indent=2, allow_nan=False) + "\n"


def as_dict(report: Report) -> dict[str, Any]:
    """The document as dictionaries, lists, strings, numbers and booleans."""
    return {
        "version": DOCUMENT_VERSION,
        "models": {"tf": report.tf_name, "torch": report.torch_name},
        "complete": report.complete,
        "same": report.same,
        "summary": {title.lower(): sentence for title, sentence in summary(report)},
        "more_outputs": report.more_outputs,
        "tensors": {"tf": _count(report.tf_tensors), "torch": _count(report.torch_tensors)},
        "verification": _verification(report.verification) if report.verification else None,
        "rows": [_row(row) for row in report.rows],
        "differences": _differences(report),
        "graph": _graph(report.drawing),
    }


def _count(count: Count) -> dict[str, int]:
    return {"matched": count.matched, "total": count.total}


def _verification(verification: Verification) -> dict[str, Any]:
    return {
        "ok": verification.ok,
        "answer": str(verification.answer),
        "dtype": verification.dtype,
        "rtol": verification.rtol,
        "absolute": _finite(verification.absolute),
        "relative": _finite(verification.relative),
        "places": len(verification.nodes),
        "notes": [
            *(f"constant: {constant}" for constant in verification.constants),
            *map(str, verification.layouts),
            *map(str, verification.notes),
            *(f"not observable: {reason}" for reason in verification.unobservable),
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "status": str(row.status),
        "listed": row.listed,
        "tf": _path(row.tf, row.tf_kind),
        "torch": _path(row.torch, row.torch_kind),
        "reason": row.reason,
        "reasons": [as_json(reason) for reason in row.reasons],
        "unread": row.unread,
        "spelled": row.spelled,
        "tensors": [_tensor_row(tensor) for tensor in row.tensors],
        "differences": _differences(row),
        "error": _error(row.error),
        "causes": [_cause(cause) for cause in row.causes],
        "diverges": bool(row.divergences),
        "advice": advice(row),
    }


def _path(path: str, kind: str) -> dict[str, str] | None:
    return {"path": path, "kind": kind} if path else None


def _tensor_row(row: TensorRow) -> dict[str, Any]:
    return {
        "status": str(row.status),
        "roles": list(row.roles),
        "tf": _stored(row.tf),
        "torch": _stored(row.torch),
        "expression": row.expression,
    }


def _stored(tensors: Iterable[Tensor]) -> list[dict[str, Any]]:
    return [{"path": t.path, "shape": [int(n) for n in t.shape], "dtype": t.dtype} for t in tensors]


def _differences(of: Report | Row) -> list[dict[str, Any]]:
    """Disagreements of a row or of everything: those that matter, then those of spelling."""
    matter = [_difference(d, "training" if d.training_only else "differs") for d in of.differences]
    return matter + [_difference(d, "spelling") for d in of.spellings]


def _difference(difference: Difference, status: str) -> dict[str, Any]:
    return {
        "name": difference.name,
        "status": status,
        "tf": _side_of_difference(difference.tf, difference.tf_value, difference.values[0]),
        "torch": _side_of_difference(difference.torch, difference.torch_value, difference.values[1]),
        "training_only": difference.training_only,
    }


def _side_of_difference(place: Place, text: str, value: Any) -> dict[str, Any]:
    """One side of a difference, in words and as data."""
    return {"place": str(place), "value": text, "at": as_json(place), "data": as_json(value)}


def _error(error: NodeError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"absolute": _finite(error.absolute), "relative": _finite(error.relative)}


def _finite(number: float) -> float | None:
    """A number; None, which JSON writes as null, where the shapes differ and nothing can be measured."""
    return number if math.isfinite(number) else None


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "name": cause.name,
        "tf": cause.tf_value,
        "torch": cause.torch_value,
        "evidence": cause.evidence,
        "reasons": [as_json(reason) for reason in cause.reasons],
        "confirmed": cause.confirmed,
    }


def _graph(drawing: Drawing) -> dict[str, Any]:
    return {
        "groups": [_group(group) for group in drawing.groups],
        "nodes": [_node(node) for node in drawing.nodes],
        "edges": [
            [e.source, e.target, "both" if e.tf and e.torch else "tf" if e.tf else "torch"] for e in drawing.edges
        ],
    }


def _group(group: Group) -> dict[str, Any]:
    return {"name": group.name, "tf": group.tf, "torch": group.torch, "kind": group.kind, "parent": group.parent}


def _node(node: Node) -> dict[str, Any]:
    return {
        "tf": _drawn(node.tf),
        "torch": _drawn(node.torch),
        "status": None if node.status is None else str(node.status),
        "rows": list(node.rows),
        "group": node.group,
    }


def _drawn(place: DrawnOp | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {
        "name": place.name,
        "path": place.path,
        "kind": place.kind,
        "operation": place.operation,
        "shape": list(place.shape),
    }
