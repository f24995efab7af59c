"""The answer in three lines: how many tensors matched, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Iterable

from autoport.comparison.differences import Difference
from autoport.report.rows.rows import Report
from autoport.report.rows.tensors import Status
from autoport.report.views.lines import quantity
from autoport.verify.verification import Answer


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
    more = f"; {quantity(report.more_outputs, 'more output')} in PyTorch" if report.more_outputs else ""
    return f"{counts}, in {quantity(report.pairs, 'layer')}{more}" + _verified(report)


def _verified(report: Report) -> str:
    verification = report.verification
    if verification is None or not verification.ok:
        return ""
    exception = " but for rounded constants" if verification.answer is Answer.ROUNDED else ""
    return f"; verified{exception} to {verification.relative:.1e} in {verification.dtype}"


def _wrong(report: Report) -> str:
    in_inference = [d for d in report.differences if not d.training_only]
    in_training = [d for d in report.differences if d.training_only]
    problems = [
        *(f"{number} only in {side}" for side, number in _one_sided(report) if number),
        *([f"{number} ambiguous"] if (number := _number(report, Status.AMBIGUOUS)) else []),
        *([_names(in_inference)] if in_inference else []),
    ]
    noted = f"{len(in_training)} more" if in_inference else quantity(len(in_training), "difference")
    parts = [
        ", ".join(problems) or "nothing",
        *([f"{noted} in training only"] if in_training else []),
        *(f"{quantity(number, what)} of spelling only" for what, number in _spelled(report) if number),
        *_diverging(report),
    ]
    return "; ".join(parts)


def _spelled(report: Report) -> Iterable[tuple[str, int]]:
    return ("difference", len(report.spellings)), ("operation", sum(row.spelled for row in report.rows))


def _diverging(report: Report) -> list[str]:
    verification = report.verification
    if verification is None or verification.ok:
        return []
    places = quantity(len(verification.divergences), "divergence")
    return [f"{places} (relative error {verification.relative:.2g} end to end)"]


def _one_sided(report: Report) -> Iterable[tuple[str, int]]:
    return ("Keras", _number(report, Status.TF_ONLY)), ("PyTorch", _number(report, Status.TORCH_ONLY))


def _number(report: Report, status: Status) -> int:
    return sum(row.status is status and row.lost for row in report.rows)


def _names(differences: list[Difference]) -> str:
    names = ", ".join(dict.fromkeys(difference.name for difference in differences))
    return f"{quantity(len(differences), 'difference')} ({names})"


def _next(report: Report) -> str:
    if report.same:
        return "port with match.assign() or `autoport port`; no difference is left"
    if _number(report, Status.AMBIGUOUS):
        return "settle the lines ? with hints=[(Keras path, PyTorch path)]"
    if any(row.lost for row in report.rows) or not report.complete:
        return "mend the lines - and +, or port the rest: match.assign(strict=False)"
    return "port, and make one model agree with the other in the differences below"
