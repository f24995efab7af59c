"""What the views for people say of one row, in plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import takewhile

from autoport.comparison.differences import Difference
from autoport.report.rows.rows import Report, Row
from autoport.report.rows.tensors import Status, TensorRow
from autoport.verify.verification import UNKNOWN, Divergence

LEGEND = {
    Status.SAME: "same",
    Status.TRANSFORMED: "transformed",
    Status.DIFFERENT: "differs",
    Status.TF_ONLY: "only Keras",
    Status.TORCH_ONLY: "only PyTorch",
    Status.AMBIGUOUS: "ambiguous",
}
# Reasons that need no mention: the structure says it all.
EVIDENT = {"same structure above and below", "same structure above", "same structure below"}
# Equal differences at more places than this are listed by their first three.
MOST_PLACES = 6


def printable(text: str) -> str:
    """Text of a model with control characters written out, so that it cannot steer a terminal.

    Example:
        >>> printable("conv\\x1b[31m")
        'conv\\\\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def legend(report: Report) -> str:
    """The statuses that occur, with their meaning."""
    present = {row.status for row in report.listed}
    return "  ".join(f"{status} {meaning}" for status, meaning in LEGEND.items() if status in present)


def details(row: Row) -> list[str]:
    """Tensors, differences that inference shows, and reason of a row, one a line."""
    lines = _tensors(row)
    lines += [f"{d.name}: {d.tf_value} | {d.torch_value}" for d in row.differences if not d.training_only]
    lines += [line for divergence in row.divergences for line in _measured(divergence)]
    return lines + ([] if row.reason in EVIDENT or not row.reason else [row.reason])


def _measured(divergence: Divergence) -> tuple[str, str]:
    """What verification found: how far apart, and why."""
    size = "shapes differ" if math.isinf(divergence.relative) else f"relative error {divergence.relative:.1e}"
    known = [cause for cause in divergence.causes if cause.name != UNKNOWN]
    causes = ", ".join(cause.name + ("" if cause.confirmed else "?") for cause in known)
    return size, f"cause: {causes or UNKNOWN}"


def _tensors(row: Row) -> list[str]:
    if row.one_sided:
        return []
    labels = [_roles(tensor.roles) for tensor in row.tensors]
    unclear = len(set(labels)) < len(labels)
    copied = [label for label, t in zip(labels, row.tensors, strict=True) if not unclear and _is_copy(t)]
    lines = [
        f"{_tail(row, tensor) if unclear else label}: {tensor.expression}"
        for label, tensor in zip(labels, row.tensors, strict=True)
        if unclear or not _is_copy(tensor)
    ]
    return lines + ([", ".join(copied)] if copied else [])


def _is_copy(tensor: TensorRow) -> bool:
    left, _, right = tensor.expression.partition(" -> ")
    return tensor.status is Status.SAME and left == right


def _roles(roles: tuple[str, ...]) -> str:
    """`kernel_i, kernel_f` as `kernel`; roles that share no beginning are all named."""
    columns = zip(*(role.split("_") for role in roles), strict=False)
    common = takewhile(lambda words: len(set(words)) == 1, columns)
    return "_".join(words[0] for words in common) or ", ".join(roles)


def _tail(row: Row, tensor: TensorRow) -> str:
    """The part of a tensor's path that its layer's does not say."""
    path = (tensor.tf or tensor.torch)[0].path
    own = row.tf if tensor.tf else row.torch
    return path.rpartition(f"{own}/")[2] if f"{own}/" in path else path


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    Example:
        >>> counted(2, "layer")
        '2 layers'
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


def difference_lines(differences: Iterable[Difference]) -> list[tuple[str, list[str]]]:
    """Equal disagreements together: a headline with both values, and the places.

    Args:
        differences: in any order.

    Returns:
        For each combination of name and values a headline and one line for each place; of many
        places only the first, because the rows mark all of them.
    """
    groups: dict[str, list[str]] = {}
    for d in differences:
        note = ", in training only" if d.training_only else ""
        headline = f"{d.name}: {d.tf_value} in Keras, {d.torch_value} in PyTorch{note}"
        groups.setdefault(headline, []).append(f"{d.tf} | {d.torch}")
    return [(f"{headline}, at {counted(len(places), 'place')}", _first(places)) for headline, places in groups.items()]


def _first(places: list[str]) -> list[str]:
    if len(places) <= MOST_PLACES:
        return places
    return [*places[:3], f"... and {len(places) - 3} more"]
