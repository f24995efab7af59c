"""The views by format, and by suffix of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoport.base.whole_files import write_text
from autoport.errors import SaveError
from autoport.facts.framework import Framework
from autoport.report.html import render_html
from autoport.report.rows.rows import Report
from autoport.report.views.explorer import explorer_files
from autoport.report.views.graphs import render_dot, render_graphml
from autoport.report.views.json_view import render_json
from autoport.report.views.markdown import render_markdown
from autoport.report.views.table import render_table

FORMATS: dict[str, Callable[[Report], str]] = {
    "table": render_table,
    "markdown": render_markdown,
    "json": render_json,
    "html": render_html,
    "graphml": render_graphml,
    "dot": render_dot,
}
SUFFIXES = {
    ".txt": "table",
    ".md": "markdown",
    ".json": "json",
    ".html": "html",
    ".graphml": "graphml",
    ".dot": "dot",
}
# A folder of this suffix takes files for Model Explorer.
EXPLORER = ".explorer"


def render(report: Report, format: str) -> str:
    """A report as text.

    Args:
        report: the rows of a match.
        format: one of `FORMATS`.

    Raises:
        ValueError: there is no such format.

    Example:
        >>> print(render(report, "markdown"))  # doctest: +SKIP
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {format!r}")
    return FORMATS[format](report)


def check_output(place: Path) -> None:
    """Checks before any work is done that a report can be written to a path.

    Raises:
        SaveError: its suffix names no format, or its folder does not exist.
    """
    if place.suffix not in (*SUFFIXES, EXPLORER):
        raise SaveError(f"{place}: the name of a report ends in one of {', '.join((*SUFFIXES, EXPLORER))}")
    if not place.parent.is_dir():
        raise SaveError(f"{place}: there is no folder {place.parent}")


def write(report: Report, place: Path) -> None:
    """Writes a report in the format that the suffix of a path names.

    Args:
        report: the rows of a match.
        place: a file; with the suffix `.explorer` a folder, which is made. Of `.graphml` and `.dot` files those
            that are called `.tf.dot` or `.torch.dot` take one graph, others both.

    Raises:
        SaveError: the suffix names no format, or it cannot be written; an old file is as it was then.

    Example:
        >>> write(report, Path("report.html"))  # doctest: +SKIP
    """
    check_output(place)
    if place.suffix == EXPLORER:
        place.mkdir(exist_ok=True)
        for name, text in explorer_files(report).items():
            write_text(place / name, text)
        return
    side = Path(place.stem).suffix[1:]
    sided = {".graphml": render_graphml, ".dot": render_dot}
    if place.suffix in sided and side in list(Framework):
        write_text(place, sided[place.suffix](report, side))
    else:
        write_text(place, render(report, SUFFIXES[place.suffix]))
