"""Reports of a match: one model of rows, and views that are drawn from it.

table       for a terminal, in 80 columns and without colour as well
markdown    for a pull request
json        for machines; `autoport.report.json` describes it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autoport.report.build import build_report
from autoport.report.json import render_json
from autoport.report.markdown import render_markdown
from autoport.report.rows import Report, Row
from autoport.report.table import print_report, render_table
from autoport.report.tensors import Status, TensorRow

if TYPE_CHECKING:
    from autoport.result import Match

__all__ = ["FORMATS", "Report", "Row", "Status", "TensorRow", "build_report", "print_table", "render"]

FORMATS: dict[str, Callable[[Report], str]] = {
    "table": render_table,
    "markdown": render_markdown,
    "json": render_json,
}


def print_table(match: Match) -> None:
    """Prints a match to standard output: in colour on a terminal unless NO_COLOR is set.

    Args:
        match: what `autoport.match` returned.
    """
    print_report(build_report(match))


def render(match: Match, format: str) -> str:
    """A match as text.

    Args:
        match: what `autoport.match` returned.
        format: `table`, `markdown` or `json`.

    Raises:
        ValueError: there is no such format.

    Example:
        >>> print(render(match, "markdown"))  # doctest: +SKIP
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {format!r}")
    return FORMATS[format](build_report(match))
