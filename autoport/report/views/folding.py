"""Tables for people: rows under the headings of their blocks; long runs without news are folded.

A row has news if it says something that no row above has said. As in `diff -U`, only news and their neighbours are
shown. A batch norm with another epsilon is news once; fifty of them fold into one line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby

from autoport.facts.framework import Both, Framework
from autoport.report.rows.blocks import SEPARATORS, containers, label, parts
from autoport.report.rows.rows import Report, Row
from autoport.report.views.lines import details, printable, quantity

# Rows that are shown around news, and the fewest rows that are folded.
CONTEXT, FEWEST = 1, 3
ENDS_IN_DIGIT = re.compile(r"\d$")


@dataclass(frozen=True)
class Fold:
    """Rows that are left out."""

    rows: tuple[Row, ...]

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The line that stands for them."""
        counts = Counter(str(row.status) for row in self.rows)
        ends = [row.torch or row.tf for row in (self.rows[0], self.rows[-1])]
        what = ", ".join(f"{number} {status}" for status, number in counts.items())
        return "..", quantity(len(self.rows), "row"), printable(f"{ends[0]} to {ends[1]}"), f"nothing new: {what}"


@dataclass(frozen=True)
class Heading:
    """The heading of a block of layers: its name on either side."""

    tf: str
    torch: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The line above the block."""
        return "@@", printable(self.tf), printable(self.torch), ""


@dataclass(frozen=True)
class Line:
    """A row below a heading; the heading is left out of its paths."""

    row: Row
    heading: Heading | None = None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The four columns; kinds are on lines of their own."""
        row, heading = self.row, self.heading or Heading("", "")
        tf = _place(row.tf, row.tf_kind, heading.tf, Framework.TF)
        torch = _place(row.torch, row.torch_kind, heading.torch, Framework.TORCH)
        return str(row.status), tf, torch, "\n".join(printable(line.text) for line in details(row))


def fold_rows(report: Report) -> list[Line | Fold | Heading]:
    """The lines of a table.

    Args:
        report: the rows of a match.

    Returns:
        Rows, folds between them, and headings where a block begins.
    """
    rows = report.listed
    visible = _visible(rows)
    lines: list[Line | Fold | Heading] = []
    last: Heading | None = None
    numbered = list(zip(rows, _headings(rows), visible, strict=True))
    for is_shown, run in groupby(numbered, key=lambda entry: entry[2]):
        if not is_shown:
            lines.append(Fold(tuple(row for row, _, _ in run)))
            continue
        for row, heading, _ in run:
            if heading is not None and heading != last:
                lines.append(heading)
            last = heading or last
            lines.append(Line(row, heading))
    return lines


def lines_of(report: Report) -> list[tuple[str, str, str, str]]:
    """The four cells of every line."""
    return [line.cells for line in fold_rows(report)]


def _visible(rows: Sequence[Row]) -> list[bool]:
    """For each row whether it is shown: news, their neighbours, and runs that are too short to fold."""
    seen: set[Hashable] = set()
    news = []
    for row in rows:
        facts = {line.news for line in details(row)}
        news.append(row.one_sided or not facts <= seen)
        seen |= facts
    near = [any(news[max(0, n - CONTEXT) : n + CONTEXT + 1]) for n in range(len(rows))]
    shown: list[bool] = []
    for is_near, run in groupby(near):
        length = len(list(run))
        shown += [is_near or length < FEWEST] * length
    return shown


def _headings(rows: Sequence[Row]) -> list[Heading | None]:
    """The heading of every row; None in flat models. A row of the other side alone stays in the last block."""
    paths = Both.of(lambda side: [parts(row[side], side) for row in rows])
    inside = paths.map(containers)
    lead = Framework.TORCH if len(inside.torch) >= len(inside.tf) else Framework.TF
    blocks: list[tuple[str, ...]] = []
    for path in paths[lead]:
        blocks.append(_block(path) if path else blocks[-1] if blocks else ())
    headings: list[Heading | None] = []
    for block, run in groupby(zip(blocks, rows, strict=True), key=lambda entry: entry[0]):
        members = [row for _, row in run]
        other = label([row[lead.other] for row in members], lead.other)
        own = SEPARATORS[lead].join(block)
        names = (other, own) if lead is Framework.TORCH else (own, other)
        headings += [Heading(*names) if block else None] * len(members)
    return headings


def _block(path: tuple[str, ...]) -> tuple[str, ...]:
    """The path of a block: up to the last numbered module around a layer, or else the outermost module."""
    numbered = [depth for depth, name in enumerate(path[:-1], 1) if ENDS_IN_DIGIT.search(name)]
    return path[: numbered[-1] if numbered else 1] if len(path) > 1 else ()


def _place(path: str, kind: str, heading: str, side: Framework) -> str:
    start = f"{heading}{SEPARATORS[side]}"
    short = path[len(start) :] if heading and path.startswith(start) else path
    return "\n".join(printable(text) for text in (short, f"({kind})" if kind and path else "") if text)
