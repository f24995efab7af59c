"""The command line. Every command is one call of the library.

Frameworks are imported inside the commands, so that `autoport --help` answers at once.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import autoport
from autoport import cli_files
from autoport.errors import TransferError, VerificationError
from autoport.terminal import (
    DIFFERENT,
    SAME,
    Debug,
    Direction,
    Hinted,
    Shapes,
    ShardSize,
    Source,
    Target,
    TrustCode,
    load_match,
    plain,
    settle,
    trouble,
)

if TYPE_CHECKING:
    from autoport.report import Report
    from autoport.result import Match
    from autoport.verify.verification import Verification


class Format(str, Enum):
    """Views of a report."""

    table = "table"
    markdown = "markdown"
    json = "json"
    html = "html"
    graphml = "graphml"
    dot = "dot"


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("plan")(cli_files.plan)
app.command("apply")(cli_files.apply)
app.command("script")(cli_files.script)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autoport {autoport.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Port weights between Keras/TensorFlow and PyTorch models by structure, without names.

    Exit code 0: everything matched and nothing differs that inference would show; 1: something
    does; 2: trouble.
    """


@app.command()
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
        match, _ = load_match(source, target, shapes, hints, debug, trust_code)
        found = _reported(match, verify)
        for place in outputs or ():
            write(found, place)
        if browse:
            _browse(found, outputs or ())
        if check:
            typer.echo(plain(_verdict(found)))
        elif not (outputs or browse):
            _show(found, format)
    raise typer.Exit(SAME if found.same else DIFFERENT)


@app.command()
def port(
    source: Source,
    target: Target,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="A .safetensors or .pt file; with --to tf, .weights.h5 or .keras."
        ),
    ],
    to: Annotated[Direction, typer.Option("--to", help="Whose weights to write.")] = Direction.torch,
    shard_size: ShardSize = None,
    verify: Annotated[bool, typer.Option(help="Run both models with the weights and compare them.")] = True,
    shapes: Shapes = None,
    hints: Hinted = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Write the weights of one model as the other takes them.

    Exit code 1: written, but the models differ in what is listed; 2: nothing was written.
    """
    from autoport.convert import save_weights
    from autoport.files.write import check_destination, parse_size

    with trouble(debug):
        limit = parse_size(shard_size) if shard_size else None
        check_destination(output, to, shard_size=limit)
        match, keras_model = load_match(source, target, shapes, hints, debug, trust_code)
        with contextlib.redirect_stdout(sys.stderr):
            settle(match)
            save_weights(match, keras_model, output, to, limit)
        typer.echo(f"wrote {plain(str(output))}: {len(match.plan(to).entries)} tensors", err=True)
        for difference in match.differences:
            typer.echo(plain(f"difference: {difference}"), err=True)
        verification = _verified(match, to) if verify else None
    _exit(match, verification is None or verification.ok)


@app.command()
def verify(
    source: Source,
    target: Target,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write a certificate of the result, as JSON.")
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="First set on the PyTorch model what makes it equal; prints a patch.")
    ] = False,
    shapes: Shapes = None,
    hints: Hinted = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Carry the Keras weights over and prove in float64, operation by operation, that both models compute the same.

    Exit code 1: they do not; what differs is listed with its cause.
    """
    from autoport.report.formats import write_text

    with trouble(debug):
        match, _ = load_match(source, target, shapes, hints, debug, trust_code)
        with contextlib.redirect_stdout(sys.stderr):
            settle(match)
            match.assign()
            reconciliation = match.reconcile() if reconcile else None
            verification = match.verify()
        if reconciliation is not None:
            typer.echo(plain(f"{reconciliation}\n\n{reconciliation.patch}"))
        typer.echo(plain(str(verification)))
        if output is not None:
            write_text(output, json.dumps(match.certificate(verification), indent=2) + "\n")
    raise typer.Exit(SAME if verification.ok else DIFFERENT)


def main() -> None:
    """The entry point of the `autoport` script."""
    app()


def _exit(match: Match, verified: bool = True) -> None:
    from autoport.report import build_report

    raise typer.Exit(SAME if build_report(match).same and verified else DIFFERENT)


def _verified(match: Match, to: str) -> Verification | None:
    """Says on standard error what a verification found; None if the models could not be run."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            match.assign(to)
            verification = match.verify()
        except (TransferError, VerificationError) as error:
            typer.echo(plain(f"not verified: {error}"), err=True)
            return None
    typer.echo(plain(str(verification)), err=True)
    return verification


def _reported(match: Match, verify: bool) -> Report:
    """The report of a match; with `verify`, after the weights were carried over and both models run."""
    from autoport.report import build_report

    if not verify:
        return build_report(match)
    with contextlib.redirect_stdout(sys.stderr):
        settle(match)
        match.assign(strict=False)
        try:
            return build_report(match, match.verify())
        except VerificationError as error:
            typer.echo(plain(f"not verified: {error}"), err=True)
            return build_report(match)


def _verdict(found: Report) -> str:
    """The answer in one line."""
    from autoport.report.summary import summary

    matched, wrong, _ = (sentence for _, sentence in summary(found))
    return f"same: {matched}" if found.same else f"not the same: {wrong}"


def _browse(found: Report, outputs: Sequence[Path]) -> None:
    """Shows a report in the browser, from the file that was asked for or a temporary one."""
    import tempfile
    import webbrowser

    from autoport.report.formats import write

    place = next((place for place in outputs if place.suffix == ".html"), None)
    if place is None:
        place = Path(tempfile.mkdtemp(prefix="autoport-"), "report.html")
        write(found, place)
    opened = webbrowser.open(place.absolute().as_uri())
    typer.echo(f"{'opened' if opened else 'no browser could be opened for'} {plain(str(place))}", err=True)


def _show(found: Report, format: Format) -> None:
    from autoport.report.formats import render
    from autoport.report.table import print_report

    # A terminal that lacks a character of a layer's name shows its code instead of failing.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if format is Format.table:
        print_report(found)
    else:
        sys.stdout.write(render(found, format.value))


if __name__ == "__main__":
    main()
