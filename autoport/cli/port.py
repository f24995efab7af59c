"""`autoport port`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoport.cli.options import Debug, Direction, Hinted, Shapes, ShardSize, Source, Target, TrustCode
from autoport.cli.running import DIFFERENT, SAME, load_match, plain, settle, trouble
from autoport.errors import TransferError, VerificationError

if TYPE_CHECKING:
    from autoport.api import Match
    from autoport.verify.verification import Verification


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
    from autoport.files.write import check_destination, parse_size
    from autoport.report import build_report
    from autoport.report.views.lines import quantity

    with trouble(debug):
        limit = parse_size(shard_size) if shard_size else None
        check_destination(output, to, shard_size=limit)
        match = load_match(source, target, shapes, hints, debug, trust_code)
        with contextlib.redirect_stdout(sys.stderr):
            settle(match)
            match.save_weights(output, to, shard_size=limit)
        typer.echo(f"wrote {plain(str(output))}: {len(match.plan(to).entries)} tensors", err=True)
        verification = _verify(match, to) if verify else None
        result = build_report(match.analysis, verification)
        for difference in result.differences:
            typer.echo(plain(f"difference: {difference}"), err=True)
        if result.spellings:
            typer.echo(f"{quantity(len(result.spellings), 'difference')} of spelling only, proved equal", err=True)
    raise typer.Exit(SAME if result.same else DIFFERENT)


def _verify(match: Match, to: str) -> Verification | None:
    """Verifies, and writes the result to standard error; None if the models could not be run."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            match.assign(to)
            verification = match.verify(to=to)
        except (TransferError, VerificationError) as error:
            typer.echo(plain(f"not verified: {error}"), err=True)
            return None
    typer.echo(plain(str(verification)), err=True)
    return verification
