"""The answer in three lines: how many tensors matched, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Iterable

from autoport.comparison.differences import Difference
from autoport.report.rows.rows import Report
from autoport.report.rows.tensors import Status
from autoport.report.views.lines import counted


def summary(report: Report) -> tuple[tuple[str, str], ...]:
    """Three pairs of a title and a sentence.

    Args:
        report: the rows of a match.

    Returns:
        What matched, what is wrong, what to do next.
    """
    return ("Matched", _matched(report)), ("Wrong", _wrong(report)), ("Next", _next(report))


def _matched(report: Report) -> str:
    tf, torch = report.tf_tensors, report.torch_tensors
    counts = f"{tf.matched} of {tf.total} Keras and {torch.matched} of {torch.total} PyTorch tensors"
    return f"{counts}, in {counted(report.pairs, 'layer')}" + _verified(report)


def _verified(report: Report) -> str:
    found = report.verification
    return f"; verified to {found.relative:.1e} in {found.dtype}" if found and found.ok else ""


def _wrong(report: Report) -> str:
    heard = [d for d in report.differences if not d.training_only]
    silent = [d for d in report.differences if d.training_only]
    found = [
        *(f"{number} only in {side}" for side, number in _one_sided(report) if number),
        *([f"{number} ambiguous"] if (number := _number(report, Status.AMBIGUOUS)) else []),
        *([_named(heard)] if heard else []),
    ]
    noted = f"{len(silent)} more" if heard else counted(len(silent), "difference")
    parts = [", ".join(found) or "nothing", *([f"{noted} in training only"] if silent else []), *_diverging(report)]
    return "; ".join(parts)


def _diverging(report: Report) -> list[str]:
    found = report.verification
    if found is None or found.ok:
        return []
    places = counted(len(found.divergences), "divergence")
    return [f"{places} (relative error {found.relative:.2g} end to end)"]


def _one_sided(report: Report) -> Iterable[tuple[str, int]]:
    return ("Keras", _number(report, Status.TF_ONLY)), ("PyTorch", _number(report, Status.TORCH_ONLY))


def _number(report: Report, status: Status) -> int:
    return sum(row.status is status and not row.unread for row in report.rows)


def _named(found: list[Difference]) -> str:
    names = ", ".join(dict.fromkeys(difference.name for difference in found))
    return f"{counted(len(found), 'difference')} ({names})"


def _next(report: Report) -> str:
    if report.same:
        return "port with match.assign() or `autoport port`; no difference is left"
    if _number(report, Status.AMBIGUOUS):
        return "settle the lines ? with hints=[(Keras path, PyTorch path)]"
    if any(row.one_sided and not row.unread for row in report.rows) or not report.complete:
        return "mend the lines - and +, or port the rest: match.assign(strict=False)"
    return "port, and make one model agree with the other in the differences below"
