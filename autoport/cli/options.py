"""The arguments that several commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class Direction(str, Enum):
    """Whose weights are written."""

    torch = "torch"
    tf = "tf"


NAME_FORMS = "package.module:callable or file.py:callable, with literal arguments, with weights as NAME@FILE"
Source = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help=f"The Keras model: {NAME_FORMS}; a .keras or .h5 file; a SavedModel."),
]
Target = Annotated[str, typer.Argument(metavar="TARGET", help=f"The PyTorch model: {NAME_FORMS}; a .pt2 file.")]
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
ShardSize = Annotated[
    str | None, typer.Option("--shard-size", metavar="SIZE", help="Cut .safetensors into files of this size, like 5GB.")
]
TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code",
        help="Also read files that may do anything: Lambda layers, pickles, unknown classes.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what the frameworks log.")]
