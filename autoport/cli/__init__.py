"""The command line: one command a file, each of them one call of the library.

Frameworks are imported inside the commands, so that `autoport --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

import autoport
from autoport.cli.plans import apply, plan, script
from autoport.cli.port import port
from autoport.cli.report import report
from autoport.cli.verify import verify

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (report, port, verify, plan, apply, script):
    app.command()(command)


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


def main() -> None:
    """The entry point of the `autoport` script."""
    app()
