"""The commands around plans: `plan` writes one, `apply` carries one out, `script` writes one as Python."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoport.cli.options import Debug, Direction, Hinted, Shapes, ShardSize, Source, Target, TrustCode
from autoport.cli.running import DIFFERENT, SAME, load_match, plain, said, settle, trouble
from autoport.errors import AutoportError, SaveError

if TYPE_CHECKING:
    from autoport.plan.plan import Plan

To = Annotated[Direction, typer.Option("--to", help="Whose weights are to be written.")]


def plan(
    source: Source,
    target: Target,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write it; by custom .plan.json.")
    ],
    to: To = Direction.torch,
    shapes: Shapes = None,
    hints: Hinted = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Write down which weight goes where, so that `apply` can carry over any checkpoint of the same two models.

    Exit code 1: written, but tensors are missing, so that `apply` will refuse.
    """
    with trouble(debug):
        result = _plan(source, target, to, shapes, hints, trust_code, debug)
        result.save(output)
        typer.echo(f"wrote {plain(str(output))}: {len(result.entries)} tensors", err=True)
        for path, reason in {**result.missing, **result.unexpected}.items():
            typer.echo(plain(f"left out: {path}: {reason}"), err=True)
    raise typer.Exit(DIFFERENT if result.missing else SAME)


def apply(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="What `autoport plan` wrote.")],
    weights: Annotated[
        Path,
        typer.Argument(metavar="WEIGHTS", help="Weights of the plan's source: a file, or a folder of files."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Where to write; a folder if WEIGHTS is one.")
    ],
    format: Annotated[
        str | None, typer.Option("--format", metavar="ENDING", help="For a folder: the ending of what is written.")
    ] = None,
    shard_size: ShardSize = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Carry weights from file to file as a plan says; neither model nor framework is needed.

    Exit code 2: a file was not carried over, and is not written.
    """
    from autoport.files.read import weights_file
    from autoport.files.write import parse_size
    from autoport.plan.plan import Plan

    with trouble(debug):
        limit = parse_size(shard_size) if shard_size else None
        loaded = Plan.load(plan)
        folder = weights.is_dir() and weights_file(weights) is None
        if format is not None and not folder:
            raise SaveError("--format is for a folder of weights; for a file the ending of OUT decides")
        places = _places(loaded, weights, output, format) if folder else {weights: output}
        _apply(loaded, places, limit, trust_code)


def script(
    source: Source,
    target: Target,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="A .py file.")],
    to: To = Direction.torch,
    shapes: Shapes = None,
    hints: Hinted = None,
    trust_code: TrustCode = False,
    debug: Debug = False,
) -> None:
    """Write a readable script that converts such weights, and needs neither autoport nor a framework."""
    from autoport.base.whole_files import write_text
    from autoport.script import render_script

    with trouble(debug):
        result = _plan(source, target, to, shapes, hints, trust_code, debug)
        write_text(output, render_script(result))
        typer.echo(f"wrote {plain(str(output))}: {len(result.entries)} tensors", err=True)


def _plan(
    source: str,
    target: str,
    to: str,
    shapes: list[str] | None,
    hints: list[str] | None,
    trust_code: bool,
    debug: bool,
) -> Plan:
    match = load_match(source, target, shapes, hints, debug, trust_code)
    with contextlib.redirect_stdout(sys.stderr):
        settle(match)
        return match.plan(to)


def _places(plan: Plan, folder: Path, output: Path, format: str | None) -> dict[Path, Path]:
    from autoport.files.write import WRITERS
    from autoport.transfer.into_file import outputs_of

    endings = tuple(WRITERS[plan.target.framework])
    ending = format if format is None or format.startswith(".") else f".{format}"
    if ending is not None and ending not in endings:
        raise SaveError(f"--format {format!r} is none of {', '.join(endings)}")
    output.mkdir(exist_ok=True)
    return outputs_of(folder, output, ending or endings[0])


def _apply(plan: Plan, places: Mapping[Path, Path], limit: int | None, trust_code: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from autoport.transfer.into_file import apply_plan, target_bytes

    failed = []
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=target_bytes(plan) * len(places))
        for weights, output in places.items():
            bar.update(task, description=plain(weights.name))
            try:
                left_out = apply_plan(
                    plan,
                    weights,
                    output,
                    shard_size=limit,
                    trust_code=trust_code,
                    report=lambda n: bar.advance(task, n),
                )
            except AutoportError as error:
                failed.append(weights)
                bar.console.print(plain(f"autoport: {said(error)}"), markup=False, highlight=False)
                continue
            typer.echo(f"wrote {plain(str(output))}: {len(plan.entries)} tensors", err=True)
            for name in left_out:
                typer.echo(plain(f"left out: {name}: neither the plan nor the file knows its values"), err=True)
    if failed:
        raise SaveError(f"{len(failed)} of {len(places)} files were not carried over")
