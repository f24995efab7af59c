"""The command line. Every command is one call of the library.

Frameworks are imported inside the commands, so that `autoport --help` answers at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import autoport
from autoport.errors import AutoportError, HintError, VerificationError

if TYPE_CHECKING:
    from autoport.report import Report
    from autoport.result import Match
    from autoport.verify.verification import Verification

logger = logging.getLogger("autoport")

SAME, DIFFERENT, TROUBLE, INTERRUPTED = 0, 1, 2, 130
# Set unless the user did: the backend that is read, and what would otherwise talk on the terminal
# or take all of the GPU's memory away from PyTorch.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Format(str, Enum):
    """Views of a report."""

    table = "table"
    markdown = "markdown"
    json = "json"
    html = "html"
    graphml = "graphml"
    dot = "dot"


class Direction(str, Enum):
    """Whose weights are written."""

    torch = "torch"
    tf = "tf"


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NAMES = "package.module:callable, file.py:callable, either with literal arguments"
Source = Annotated[str, typer.Argument(metavar="SOURCE", help=f"The Keras model: {NAMES}, or a .keras or .h5 file.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help=f"The PyTorch model: {NAMES}.")]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="SHAPE", help="Example input as Keras takes it, like 2x224x224x3; once for each."),
]
Hinted = Annotated[
    list[str] | None,
    typer.Option(
        "--hint", metavar="KERAS=TORCH", help="Two paths that belong together, where the report says ambiguous."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what the frameworks log.")]


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
    debug: Debug = False,
) -> None:
    """Show what two models have in common, and everything that differs."""
    from autoport.report.formats import check_output, write

    with _trouble(debug):
        for place in outputs or ():
            check_output(place)
        match, _ = _match(source, target, shapes, hints, debug)
        found = _reported(match, verify)
        for place in outputs or ():
            write(found, place)
        if browse:
            _browse(found, outputs or ())
        if check:
            typer.echo(_plain(_verdict(found)))
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
    verify: Annotated[bool, typer.Option(help="Run both models with the weights and compare them.")] = True,
    shapes: Shapes = None,
    hints: Hinted = None,
    debug: Debug = False,
) -> None:
    """Write the weights of one model as the other takes them.

    Exit code 1: written, but the models differ in what is listed; 2: nothing was written.
    """
    from autoport.saving import check_destination, save_weights

    with _trouble(debug):
        check_destination(output, to)
        match, keras_model = _match(source, target, shapes, hints, debug)
        with contextlib.redirect_stdout(sys.stderr):
            _settle(match)
            save_weights(match, keras_model, output, to)
        typer.echo(f"wrote {_plain(str(output))}: {len(match.plan(to).entries)} tensors", err=True)
        for difference in match.differences:
            typer.echo(_plain(f"difference: {difference}"), err=True)
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
    debug: Debug = False,
) -> None:
    """Carry the Keras weights over and prove in float64, operation by operation, that both models compute the same.

    Exit code 1: they do not; what differs is listed with its cause.
    """
    from autoport.report.formats import write_text

    with _trouble(debug):
        match, _ = _match(source, target, shapes, hints, debug)
        with contextlib.redirect_stdout(sys.stderr):
            _settle(match)
            match.assign()
            reconciliation = match.reconcile() if reconcile else None
            verification = match.verify()
        if reconciliation is not None:
            typer.echo(_plain(f"{reconciliation}\n\n{reconciliation.patch}"))
        typer.echo(_plain(str(verification)))
        if output is not None:
            write_text(output, json.dumps(match.certificate(verification), indent=2) + "\n")
    raise typer.Exit(SAME if verification.ok else DIFFERENT)


def main() -> None:
    """The entry point of the `autoport` script."""
    app()


def _exit(match: Match, verified: bool = True) -> None:
    from autoport.report import build_report

    raise typer.Exit(SAME if build_report(match).same and verified else DIFFERENT)


def _settle(match: Match) -> None:
    """Lets numbers decide what structure leaves in doubt."""
    if match.complete:
        return
    try:
        for path in match.settle():
            typer.echo(_plain(f"proved by running both models: {path}"), err=True)
    except VerificationError as error:
        logger.info("what is in doubt could not be settled: %s", error)


def _verified(match: Match, to: str) -> Verification | None:
    """Says on standard error what a verification found; None if the models could not be run."""
    with contextlib.redirect_stdout(sys.stderr):
        if to == Direction.torch:
            match.assign()
        try:
            verification = match.verify()
        except VerificationError as error:
            typer.echo(_plain(f"not verified: {error}"), err=True)
            return None
    typer.echo(_plain(str(verification)), err=True)
    return verification


@contextlib.contextmanager
def _trouble(debug: bool) -> Iterator[None]:
    """Turns errors into one message and exit code 2."""
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(name)s: %(message)s")
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        expected = isinstance(error, (AutoportError, OSError))
        what = str(error) if expected else f"internal error, please report it: {type(error).__name__}: {error}"
        if debug:
            traceback.print_exc()
        typer.echo(f"autoport: {_plain(what)}" + ("" if expected or debug else " (--debug shows where)"), err=True)
        raise typer.Exit(TROUBLE) from error


def _plain(text: str) -> str:
    """Text of models and frameworks without what would steer the terminal."""
    from autoport.report.lines import printable

    return "\n".join(printable(line) for line in ESCAPES.sub("", text).splitlines())


def _match(
    source: str, target: str, shapes: Sequence[str] | None, hints: Sequence[str] | None, debug: bool
) -> tuple[Match, Any]:
    """Loads both models and matches them; what they print meanwhile goes to standard error."""
    from autoport.api import match
    from autoport.loading import example_inputs, load_keras, load_torch, parse_shape

    sizes = [parse_shape(shape) for shape in shapes or ()]
    named = [_hint(text) for text in hints or ()]
    with contextlib.redirect_stdout(sys.stderr):
        _import_tensorflow(debug)
        keras_model, module = load_keras(source), load_torch(target)
        inputs = example_inputs(keras_model, sizes) if sizes else None
        return match(keras_model, module, inputs=inputs, hints=named), keras_model


def _hint(text: str) -> tuple[str, str]:
    left, sign, right = text.partition("=")
    if not (left and sign and right):
        raise HintError(f"a hint is KERAS_PATH=TORCH_PATH, not {text!r}")
    return left, right


def _import_tensorflow(debug: bool) -> None:
    """Imports TensorFlow without its greetings: C++ writes them before any log level counts."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if debug:
        return
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _silent_stderr():
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Sends file descriptor 2, to which C++ writes, nowhere. Exceptions pass as ever."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _reported(match: Match, verify: bool) -> Report:
    """The report of a match; with `verify`, after the weights were carried over and both models run."""
    from autoport.report import build_report

    if not verify:
        return build_report(match)
    with contextlib.redirect_stdout(sys.stderr):
        _settle(match)
        match.assign(strict=False)
        try:
            return build_report(match, match.verify())
        except VerificationError as error:
            typer.echo(_plain(f"not verified: {error}"), err=True)
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
    typer.echo(f"{'opened' if opened else 'no browser could be opened for'} {_plain(str(place))}", err=True)


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
