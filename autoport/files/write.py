"""Which writer a file belongs to, by its ending."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path

from autoport.base.whole_files import write_whole
from autoport.errors import SaveError
from autoport.files.archive import Output

# By side and ending: the layout of the names, and the writer.
WRITERS = {
    "torch": {
        ".safetensors": ("state_dict", "safetensors:write_safetensors"),
        ".pt": ("state_dict", "torch_file:write_torch"),
        ".pth": ("state_dict", "torch_file:write_torch"),
    },
    "tf": {".weights.h5": ("keras", "hdf5:write_hdf5")},
}
# Endings that only the model's own `save` writes.
BY_MODEL = {"torch": (), "tf": (".keras",)}
UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def check_destination(path: Path, to: str, *, model: bool = True, shard_size: int | None = None) -> None:
    """Checks before any work is done that weights can be written to a file.

    Args:
        path: the file.
        to: `torch` or `tf`.
        model: whether a model is at hand, which some formats need.
        shard_size: bytes of one shard; None for one file.

    Raises:
        SaveError: its ending names no format, or its folder does not exist.
    """
    endings = (*WRITERS[to], *(BY_MODEL[to] if model else ()))
    if not path.name.endswith(endings):
        raise SaveError(f"{path}: the name of a file for {to} weights ends in one of {', '.join(endings)}")
    if shard_size is not None and path.suffix != ".safetensors":
        raise SaveError(f"{path}: only .safetensors files are sharded")
    if not path.parent.is_dir():
        raise SaveError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise SaveError(f"{path} is a folder")


def is_saved_by_model(path: Path, to: str) -> bool:
    """Whether only the model's own `save` can write a file."""
    return path.name.endswith(BY_MODEL[to] or ("/",))


def ending(path: Path, to: str) -> str:
    """The ending, which decides on the format."""
    return next(suffix for suffix in (*WRITERS[to], *BY_MODEL[to]) if path.name.endswith(suffix))


def layout_of(path: Path, to: str) -> str:
    """The layout of the names in a file."""
    return WRITERS[to][ending(path, to)][0]


def write_weights(outputs: Sequence[Output], path: Path, to: str, *, shard_size: int | None = None) -> None:
    """Writes tensors, one at a time, into a file that is complete or does not exist.

    Args:
        outputs: what to write.
        path: where to.
        to: whose weights they are, `torch` or `tf`.
        shard_size: most bytes in one file, for `.safetensors`.

    Raises:
        SaveError: the file cannot be written; an old one is as it was.
    """
    if shard_size is not None:
        from autoport.files.safetensors import write_shards

        write_shards(outputs, path, shard_size)
        return
    module, _, function = WRITERS[to][ending(path, to)][1].partition(":")
    writer = getattr(importlib.import_module(f"autoport.files.{module}"), function)
    write_whole(path, lambda place: writer(outputs, place), ending(path, to))


def parse_size(text: str) -> int:
    """Reads a number of bytes as people write it.

    Raises:
        SaveError: it is not a size.

    Example:
        >>> parse_size("5GB")
        5000000000
    """
    parsed = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?I?B?)", text.strip().upper())
    unit = UNITS.get(parsed[2] if parsed and parsed[2] != "B" else "") if parsed else None
    size = int(float(parsed[1]) * unit) if parsed and unit else 0
    if size <= 0:
        raise SaveError(f"{text!r} is not a size: write 5GB, 500MB or 2GiB")
    return size
