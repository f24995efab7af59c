"""`autoport report`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoport.cli.options import Debug, Hinted, Shapes, Source, Target, TrustCode
from autoport.cli.running import DIFFERENT, SAME, load_match, plain, settle, trouble
from autoport.errors import VerificationError

if TYPE_CHECKING:
    from autoport.api import Match
    from autoport.report import Report


class Format(str, Enum):
    """Views of a report."""

    table = "table"
    markdown = "markdown"
    json = "json"
    html = "html"
    graphml = "graphml"
    dot = "dot"


def report(
    source: Source,
    target: Target,
    format: Annotated[Format, typer.Option("--format", help="How to write it to standard output.")] = Format.table,
    outputs: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write to .html, .md, .json, .txt, .graphml or .dot, or to a folder .explorer; may be repeated.",
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say in one line whether the models are the same.")] = False,
    browse: Annotated[bool, typer.Option("--open", help="Show both graphs in the browser.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Carry the weights over and run both, to show errors and their causes.")
    ] = False,
    shapes: Shapes = None,
    hints: Hinted = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Show what two models have in common, and everything that differs."""
    from autoport.report.formats import check_output, write

    with trouble(debug):
        for place in outputs or ():
            check_output(place)
        match = load_match(source, target, shapes, hints, debug, trust_code)
        result = _build(match, verify)
        for place in outputs or ():
            write(result, place)
        if browse:
            _browse(result, outputs or ())
        if check:
            typer.echo(plain(_verdict(result)))
        elif not (outputs or browse):
            _show(result, format)
    raise typer.Exit(SAME if result.same else DIFFERENT)


def _build(match: Match, verify: bool) -> Report:
    """Builds the report of a match; with `verify`, assigns the weights and runs both models first."""
    from autoport.report import build_report

    if not verify:
        return build_report(match.analysis)
    with contextlib.redirect_stdout(sys.stderr):
        settle(match)
        match.assign(strict=False)
        try:
            return build_report(match.analysis, match.verify())
        except VerificationError as error:
            typer.echo(plain(f"not verified: {error}"), err=True)
            return build_report(match.analysis)


def _verdict(result: Report) -> str:
    """The answer in one line."""
    from autoport.report.views.summary import summary

    matched, wrong, _ = (sentence for _, sentence in summary(result))
    return f"same: {matched}" if result.same else f"not the same: {wrong}"


def _browse(result: Report, outputs: Sequence[Path]) -> None:
    """Shows a report in the browser, from the HTML file among the outputs or from a temporary one."""
    import tempfile
    import webbrowser

    from autoport.report.formats import write

    place = next((place for place in outputs if place.suffix == ".html"), None)
    if place is None:
        place = Path(tempfile.mkdtemp(prefix="autoport-"), "report.html")
        write(result, place)
    opened = webbrowser.open(place.absolute().as_uri())
    typer.echo(f"{'opened' if opened else 'no browser could be opened for'} {plain(str(place))}", err=True)


def _show(result: Report, format: Format) -> None:
    from autoport.report.formats import render
    from autoport.report.views.table import print_report

    # A terminal that lacks a character of a layer's name shows its code instead of failing.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if format is Format.table:
        print_report(result)
    else:
        sys.stdout.write(render(result, format.value))
