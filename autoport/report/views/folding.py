"""Tables for people: rows under the blocks they belong to, with long runs of nothing new left out.

As in `diff -U`, what says nothing that a row above has not said is folded, but for its neighbours. A batch norm
of which the epsilon differs is news once; fifty of them are a line that says so.
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
from autoport.report.views.lines import counted, details, printable

# Rows kept around news, and the fewest that are left out.
CONTEXT, FEWEST = 1, 3
NUMBERED = re.compile(r"\d$")


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
        return "..", counted(len(self.rows), "row"), printable(f"{ends[0]} to {ends[1]}"), f"nothing new: {what}"


@dataclass(frozen=True)
class Heading:
    """A block of layers, by what it is called on either side."""

    tf: str
    torch: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The line above them."""
        return "@@", printable(self.tf), printable(self.torch), ""


@dataclass(frozen=True)
class Line:
    """A row below a heading, which says the beginning of its paths."""

    row: Row
    heading: Heading | None = None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What stands in the four columns; kinds are on lines of their own."""
        row, heading = self.row, self.heading or Heading("", "")
        tf = _place(row.tf, row.tf_kind, heading.tf, Framework.TF)
        torch = _place(row.torch, row.torch_kind, heading.torch, Framework.TORCH)
        return str(row.status), tf, torch, "\n".join(printable(line.text) for line in details(row))


def folded(report: Report) -> list[Line | Fold | Heading]:
    """The lines of a table.

    Args:
        report: the rows of a match.

    Returns:
        Rows, what is left out between them, and headings where a block begins.
    """
    rows = report.listed
    shown = _shown(rows)
    lines: list[Line | Fold | Heading] = []
    last: Heading | None = None
    numbered = list(zip(rows, _headings(rows), shown, strict=True))
    for kept, run in groupby(numbered, key=lambda entry: entry[2]):
        if not kept:
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
    return [line.cells for line in folded(report)]


def _shown(rows: Sequence[Row]) -> list[bool]:
    """Which rows are shown: news and their neighbours, and runs too short to be left out."""
    seen: set[Hashable] = set()
    news = []
    for row in rows:
        said = {line.news for line in details(row)}
        news.append(row.one_sided or not said <= seen)
        seen |= said
    near = [any(news[max(0, n - CONTEXT) : n + CONTEXT + 1]) for n in range(len(rows))]
    shown: list[bool] = []
    for kept, run in groupby(near):
        length = len(list(run))
        shown += [kept or length < FEWEST] * length
    return shown


def _headings(rows: Sequence[Row]) -> list[Heading | None]:
    """The block of every row; none for flat models. A row of the other side stays in the block it is in."""
    paths = Both.of(lambda side: [parts(row[side], side) for row in rows])
    inside = paths.map(containers)
    lead = Framework.TORCH if len(inside.torch) >= len(inside.tf) else Framework.TF
    blocks: list[tuple[str, ...]] = []
    for path in paths[lead]:
        blocks.append(_block(path) if path else blocks[-1] if blocks else ())
    headings: list[Heading | None] = []
    for block, run in groupby(zip(blocks, rows, strict=True), key=lambda entry: entry[0]):
        held = [row for _, row in run]
        other = label([row[lead.other] for row in held], lead.other)
        own = SEPARATORS[lead].join(block)
        names = (other, own) if lead is Framework.TORCH else (own, other)
        headings += [Heading(*names) if block else None] * len(held)
    return headings


def _block(path: tuple[str, ...]) -> tuple[str, ...]:
    """What people call a block: as far as the last numbered module around a layer, or the outermost one."""
    numbered = [depth for depth, name in enumerate(path[:-1], 1) if NUMBERED.search(name)]
    return path[: numbered[-1] if numbered else 1] if len(path) > 1 else ()


def _place(path: str, kind: str, heading: str, side: Framework) -> str:
    start = f"{heading}{SEPARATORS[side]}"
    short = path[len(start) :] if heading and path.startswith(start) else path
    return "\n".join(printable(text) for text in (short, f"({kind})" if kind and path else "") if text)
