"""The Markdown view, for a pull request (GitHub's dialect, for its tables)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autoport.report.rows.rows import Report
from autoport.report.views.folding import Fold, Heading, Line, fold_rows
from autoport.report.views.lines import SPELLED, details, difference_lines, legend, printable
from autoport.report.views.summary import summary

PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def render_markdown(report: Report) -> str:
    """A report as Markdown.

    Args:
        report: the rows of a match.

    Returns:
        The summary as a list, the table, the differences; with a newline at the end. Names of models are escaped, so
        that they are never read as Markdown or HTML.

    Example:
        >>> print(render_markdown(report))  # doctest: +SKIP
        - **Matched:** 5 of 5 Keras and 5 of 5 PyTorch tensors, in 2 layers
    """
    return "\n".join(_lines(report)) + "\n"


def code(text: str) -> str:
    """Text of a model as a code span that cannot break a table cell.

    Example:
        >>> code("a|b")
        '`a\\\\|b`'
    """
    text = printable(text)
    if not text or set(text) & set("`\\"):
        return PUNCTUATION.sub(r"\\\1", text)
    return "`" + text.replace("|", "\\|") + "`"


def _lines(report: Report) -> Iterator[str]:
    for title, sentence in summary(report):
        yield f"- **{title}:** {sentence}"
    if report.listed:
        yield from ("", "| | Keras | PyTorch | Tensors and differences |", "|---|---|---|---|")
        yield from (f"| {' | '.join(_cells(line))} |" for line in fold_rows(report))
        yield from ("", code(legend(report)))
    for title, differences in (("Differences", report.differences), (SPELLED, report.spellings)):
        if differences:
            yield from ("", f"**{title}** (Keras, PyTorch)", "")
        for headline, places in difference_lines(differences):
            yield f"- {code(headline)}"
            yield from (f"  - {code(place)}" for place in places)


def _cells(line: Line | Fold | Heading) -> tuple[str, ...]:
    if not isinstance(line, Line):
        return tuple(code(cell) for cell in line.cells)
    row = line.row
    return (
        code(str(row.status)),
        _place(row.tf, row.tf_kind),
        _place(row.torch, row.torch_kind),
        "<br>".join(code(line.text) for line in details(row)),
    )


def _place(path: str, kind: str) -> str:
    return " ".join(code(part) for part in (path, kind) if part)
