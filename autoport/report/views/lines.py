"""Lines about one row, in plain text, for the views that people read."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from autoport.comparison.differences import Difference
from autoport.facts.reasons import Code
from autoport.report.rows.rows import Report, Row
from autoport.report.rows.tensors import Status, TensorRow
from autoport.verify.verification import UNKNOWN, Divergence
from autoport.weights.role import Role

LEGEND = {
    Status.SAME: "same",
    Status.TRANSFORMED: "transformed",
    Status.DIFFERENT: "differs",
    Status.TF_ONLY: "only Keras",
    Status.TORCH_ONLY: "only PyTorch",
    Status.AMBIGUOUS: "ambiguous",
}
# Reasons that tables leave out, because the structure alone is the reason.
EVIDENT = {Code.SAME_AROUND, Code.SAME_ABOVE, Code.SAME_BELOW}
# What is said of differences that a verification proved to change nothing.
SPELLED = "Spelled differently, proved equal"
# Equal differences at more places than this are listed by their first three.
MOST_PLACES = 6


def printable(text: str) -> str:
    """Text of a model with control characters escaped, so that it cannot control a terminal.

    Example:
        >>> printable("conv\\x1b[31m")
        'conv\\\\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def legend(report: Report) -> str:
    """The statuses that occur, with their meanings."""
    present = {row.status for row in report.listed}
    return "  ".join(f"{status} {meaning}" for status, meaning in LEGEND.items() if status in present)


@dataclass(frozen=True)
class Detail:
    """One line of a row.

    Attributes:
        text: the line.
        news: its content without what is the row's own (paths of tensors, sizes of errors), to compare rows by.
    """

    text: str
    news: Hashable


def details(row: Row) -> list[Detail]:
    """Tensors, differences that inference shows, and reasons of a row, one a line."""
    lines = list(_tensors(row))
    for d in row.differences:
        if not d.training_only:
            lines.append(Detail(f"{d.name}: {d.tf_value} | {d.torch_value}", (d.name, d.values)))
    lines += [line for divergence in row.divergences for line in _measurements(divergence)]
    if not {reason.code for reason in row.reasons} <= EVIDENT:
        lines.append(Detail(row.reason, row.reasons))
    return lines


def _measurements(divergence: Divergence) -> tuple[Detail, Detail]:
    """The result of verification: how far apart the values are, and why."""
    unlike = math.isinf(divergence.relative)
    size = "shapes differ" if unlike else f"relative error {divergence.relative:.1e}"
    causes = [cause for cause in divergence.causes if cause.name != UNKNOWN]
    names = ", ".join(cause.name + ("" if cause.confirmed else "?") for cause in causes)
    return Detail(size, ("error", unlike)), Detail(f"cause: {names or UNKNOWN}", ("cause", names))


def _tensors(row: Row) -> Iterator[Detail]:
    if row.one_sided:
        return
    labels = [_roles(tensor.roles) for tensor in row.tensors]
    unclear = len(set(labels)) < len(labels)
    copied = []
    for label, tensor in zip(labels, row.tensors, strict=True):
        if tensor.is_copy and not unclear:
            copied.append(label)
        else:
            name = _tail(row, tensor) if unclear else label
            yield Detail(f"{name}: {tensor.expression}", (name, tensor.transform and tensor.transform.anonymous))
    if copied:
        yield Detail(", ".join(copied), tuple(copied))


def _roles(roles: tuple[Role, ...]) -> str:
    """`kernel` for `kernel_i, kernel_f`; roles that are not gates of one kind are all listed."""
    bases = list(dict.fromkeys(role.base for role in roles))
    gates = len(roles) > 1 and len(bases) == 1 and all(role.gate for role in roles)
    return bases[0] if gates else ", ".join(roles)


def _tail(row: Row, tensor: TensorRow) -> str:
    """The part of a tensor's path behind that of its layer."""
    path = (tensor.tf or tensor.torch)[0].path
    own = row.tf if tensor.tf else row.torch
    return path.rpartition(f"{own}/")[2] if f"{own}/" in path else path


def quantity(number: int, noun: str) -> str:
    """A number and its noun.

    Example:
        >>> quantity(2, "layer")
        '2 layers'
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


def difference_lines(differences: Iterable[Difference]) -> list[tuple[str, list[str]]]:
    """Groups equal differences: a headline with both values, and the places.

    Args:
        differences: in any order.

    Returns:
        For each combination of name and values a headline and one line for each place. Of many places only the first
        are listed, because the rows mark all of them.
    """
    groups: dict[Hashable, list[Difference]] = {}
    for d in differences:
        groups.setdefault((d.name, d.values, d.training_only), []).append(d)
    return [(_headline(alike), _first_places([f"{d.tf} | {d.torch}" for d in alike])) for alike in groups.values()]


def _headline(alike: Sequence[Difference]) -> str:
    d = alike[0]
    note = ", in training only" if d.training_only else ""
    values = f"{d.tf_value} in Keras, {d.torch_value} in PyTorch"
    return f"{d.name}: {values}{note}, at {quantity(len(alike), 'place')}"


def _first_places(places: list[str]) -> list[str]:
    if len(places) <= MOST_PLACES:
        return places
    return [*places[:3], f"... and {len(places) - 3} more"]
