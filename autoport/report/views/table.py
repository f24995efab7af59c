"""The terminal view: three lines of summary, the table, the differences.

Names of models are never read as markup, nothing depends on colour, and the table itself is ASCII, so that it reads the
same in a pipe.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Iterator

from rich.box import Box
from rich.console import Console, ConsoleRenderable
from rich.table import Table
from rich.text import Text

from autoport.comparison.differences import Difference
from autoport.report.rows.rows import Report
from autoport.report.rows.tensors import Status
from autoport.report.views.folding import Heading, Line, fold_rows
from autoport.report.views.lines import SPELLED, difference_lines, legend, printable
from autoport.report.views.summary import summary

WIDTH = 80
STATUS_STYLES = {
    Status.SAME: "",
    Status.TRANSFORMED: "cyan",
    Status.DIFFERENT: "yellow",
    Status.TF_ONLY: "red",
    Status.TORCH_ONLY: "green",
    Status.AMBIGUOUS: "magenta",
}
# A line below the header, and no other lines.
HEADED = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def print_report(report: Report, console: Console | None = None) -> None:
    """Prints a report: in colour on a terminal unless NO_COLOR is set, as plain text elsewhere.

    Args:
        report: the rows of a match.
        console: where to; standard output when left out.
    """
    console = console or Console(highlight=False)
    if console.is_terminal or console.is_jupyter:
        _print(report, console)
    else:
        console.file.write(render_table(report, console.width))


def _print(report: Report, console: Console) -> None:
    for part in _parts(report, console.width):
        console.print(part)


def render_table(report: Report, width: int = WIDTH) -> str:
    """A report as plain text, without colour.

    Args:
        report: the rows of a match.
        width: columns to use.

    Returns:
        Lines without trailing blanks, with a newline at the end.

    Example:
        >>> print(render_table(report))  # doctest: +SKIP
        Matched  5 of 5 Keras and 5 of 5 PyTorch tensors, in 2 layers
    """
    stream = io.StringIO()
    # Colour is decided here, not by the environment: FORCE_COLOR is meant for the terminal.
    _print(report, Console(file=stream, width=width, color_system=None, force_terminal=False, highlight=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _parts(report: Report, width: int) -> Iterator[ConsoleRenderable]:
    yield _summary(report)
    if report.listed:
        yield Text()
        yield _table(report, width)
        yield Text()
        yield Text(legend(report), style="dim")
    for title, differences in (("Differences", report.differences), (SPELLED, report.spellings)):
        if differences:
            yield Text()
            yield _differences(title, differences, width)


def _summary(report: Report) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column()
    grid.add_column(overflow="fold")
    for title, sentence in summary(report):
        grid.add_row(Text(title, style="bold"), Text(sentence))
    return grid


def _table(report: Report, width: int) -> Table:
    # The rest of the width is for the transforms: enough for `kernel: (h w c) o -> o (c h w)` in 80 columns.
    place = max(12, (width - 10) * 2 // 7)
    table = Table(box=HEADED, show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("Keras", overflow="fold", max_width=place)
    table.add_column("PyTorch", overflow="fold", max_width=place)
    table.add_column("Tensors and differences", overflow="fold")
    for line in fold_rows(report):
        status, tf, torch, facts = line.cells
        style = (
            STATUS_STYLES[line.row.status] if isinstance(line, Line) else "bold" if isinstance(line, Heading) else "dim"
        )
        table.add_row(Text(status), _join(tf, place), _join(torch, place), Text(facts), style=style)
    return table


def _join(place: str, width: int) -> Text:
    """Path and kind on one line where they fit."""
    line = place.replace("\n", " ")
    if len(line) <= width:
        return Text(line)
    return Text("\n".join(part for text in place.split("\n") for part in _wrap(text, width)))


def _wrap(path: str, width: int) -> Iterator[str]:
    """Breaks a path behind separators into lines of at most `width`, where it has separators."""
    line = ""
    for part in re.split(r"(?<=[/._ ])", path):
        if line and len(line) + len(part) > width:
            yield line
            line = ""
        line += part
    yield line


def _differences(title: str, differences: Iterable[Difference], width: int) -> Text:
    lines = [f"{title} (Keras | PyTorch)"]
    for headline, places in difference_lines(differences):
        lines.append(_hanging(headline, width, "  "))
        lines += [_hanging(place, width, "    ") for place in places]
    return Text("\n".join(lines))


def _hanging(text: str, width: int, indent: str) -> str:
    """A line of text whose continuations stand further to the right."""
    return textwrap.fill(
        printable(text), width, initial_indent=indent, subsequent_indent=f"{indent}    ", break_on_hyphens=False
    )
