"""What every command does: loads models, reports errors, ends with an exit code."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from autoport.errors import AutoportError, HintError, UntrustedError, VerificationError

if TYPE_CHECKING:
    from autoport.api import Match

logger = logging.getLogger("autoport")

SAME, DIFFERENT, TROUBLE, INTERRUPTED = 0, 1, 2, 130
# Set unless the user did: the backend that autoport reads, and options that keep TensorFlow from writing to the
# terminal and from taking all of the GPU's memory away from PyTorch.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
ESCAPE_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@contextlib.contextmanager
def trouble(debug: bool) -> Iterator[None]:
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
        what = said(error) if expected else f"internal error, please report it: {type(error).__name__}: {error}"
        if debug:
            traceback.print_exc()
        typer.echo(f"autoport: {plain(what)}" + ("" if expected or debug else " (--debug shows where)"), err=True)
        raise typer.Exit(TROUBLE) from error


def said(error: Exception) -> str:
    """An error's text, with advice for who called the command line."""
    return error.on_command_line if isinstance(error, UntrustedError) else str(error)


def plain(text: str) -> str:
    """Text of models and frameworks, without escape sequences and control characters."""
    from autoport.report.views.lines import printable

    return "\n".join(printable(line) for line in ESCAPE_SEQUENCES.sub("", text).splitlines())


def load_match(
    source: str,
    target: str,
    shapes: Sequence[str] | None,
    hints: Sequence[str] | None,
    debug: bool,
    trust_code: bool = False,
) -> Match:
    """Loads both models and matches them; redirects what they print to standard error."""
    from autoport.api import match
    from autoport.loading.by_name import load_keras, load_torch
    from autoport.loading.shapes import example_inputs, parse_shape

    sizes = [parse_shape(shape) for shape in shapes or ()]
    pairs = [_hint(text) for text in hints or ()]
    with contextlib.redirect_stdout(sys.stderr):
        import_tensorflow(debug)
        keras_model, module = load_keras(source, trust_code, in_place=True), load_torch(target, trust_code)
        inputs = example_inputs(keras_model, sizes) if sizes else None
        return match(keras_model, module, inputs=inputs, hints=pairs)


def settle(match: Match) -> None:
    """Proves in numbers what structure leaves in doubt; without success the match stays as it is."""
    if match.complete:
        return
    try:
        for path in match.settle():
            typer.echo(plain(f"proved by running both models: {path}"), err=True)
    except VerificationError as error:
        logger.info("what is in doubt could not be settled: %s", error)


def _hint(text: str) -> tuple[str, str]:
    left, sign, right = text.partition("=")
    if not (left and sign and right):
        raise HintError(f"a hint is KERAS_PATH=TORCH_PATH, not {text!r}")
    return left, right


def import_tensorflow(debug: bool) -> None:
    """Imports TensorFlow without its messages, which C++ writes before any log level is in force."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if debug:
        return
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _silent_stderr():
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Redirects file descriptor 2, to which C++ writes, to nowhere. Exceptions pass."""
    try:
        stderr = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
