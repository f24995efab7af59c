"""`autoport verify`."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from autoport.cli.options import Debug, Hinted, Shapes, Source, Target, TrustCode
from autoport.cli.running import DIFFERENT, SAME, load_match, plain, settle, trouble


def verify(
    source: Source,
    target: Target,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write a certificate of the result, as JSON.")
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="First set on the PyTorch model what makes it equal; prints a patch.")
    ] = False,
    logits: Annotated[
        bool,
        typer.Option(
            "--logits", help="With --reconcile: return probabilities or logits, whichever the Keras model returns."
        ),
    ] = False,
    shapes: Shapes = None,
    hints: Hinted = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Carry the Keras weights over and prove in float64, operation by operation, that both models compute the same.

    Exit code 0: they do, or do but for constants that one of them rounded when it was made, which are named and proved.
    Exit code 1: they do not; what differs is listed with its cause.
    """
    from autoport.base.whole_files import write_text

    if logits and not reconcile:
        raise typer.BadParameter("--logits goes with --reconcile")
    with trouble(debug):
        match = load_match(source, target, shapes, hints, debug, trust_code)
        with contextlib.redirect_stdout(sys.stderr):
            settle(match)
            match.assign()
            reconciliation = match.reconcile(logits=logits) if reconcile else None
            verification = match.verify()
        if reconciliation is not None:
            typer.echo(plain(f"{reconciliation}\n\n{reconciliation.patch}"))
        typer.echo(plain(str(verification)))
        if output is not None:
            write_text(output, json.dumps(match.certificate(verification), indent=2) + "\n")
    raise typer.Exit(SAME if verification.ok else DIFFERENT)
