"""The command line. Every command is one call of the library.

Frameworks are imported inside the commands, so that `autoport --help` answers at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
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
    write_text,
)

if TYPE_CHECKING:
    from autoport.result import Match
    from autoport.verify.verification import Verification

logger = logging.getLogger("autoport")


class Format(str, Enum):
    """Views of a report."""

    table = "table"
    markdown = "markdown"
    json = "json"


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
    format: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.table,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file.")] = None,
    shapes: Shapes = None,
    hints: Hinted = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Show what two models have in common, and everything that differs."""
    with trouble(debug):
        match, _ = load_match(source, target, shapes, hints, debug, trust_code)
        _answer(match, format, output)
    _exit(match)


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
            text = json.dumps(match.certificate(verification), indent=2) + "\n"
            write_text(output, text)
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


def _answer(match: Match, format: str, output: Path | None) -> None:
    from autoport.report import print_table, render

    if output is not None:
        write_text(output, render(match, format))
        return
    # A terminal that lacks a character of a layer's name shows its code instead of failing.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if format == Format.table:
        print_table(match)
    else:
        sys.stdout.write(render(match, format))


if __name__ == "__main__":
    main()
