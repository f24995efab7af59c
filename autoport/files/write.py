"""Which writer a file belongs to, by its ending."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path

from autoport.base.whole_files import write_whole
from autoport.errors import SaveError
from autoport.files.archive import Output

# For each side its endings; with each the layout of the names, and the writer.
WRITERS = {
    "torch": {
        ".safetensors": ("state_dict", "safetensors:write_safetensors"),
        ".pt": ("state_dict", "torch_file:write_torch"),
        ".pth": ("state_dict", "torch_file:write_torch"),
    },
    "tf": {".weights.h5": ("keras", "hdf5:write_hdf5")},
}
# What only a model at hand can write, by its own `save`.
BY_MODEL = {"torch": (), "tf": (".keras",)}
UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def check_destination(path: Path, to: str, *, model: bool = True, shard_size: int | None = None) -> None:
    """Finds out before any work is done whether weights can go to a file.

    Args:
        path: where they should go.
        to: `torch` or `tf`.
        model: whether there is a model, which some formats need.
        shard_size: bytes of one shard, if they should be sharded.

    Raises:
        SaveError: its ending says nothing of the format, or its folder does not exist.
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
    """The ending that decides on the format."""
    return next(found for found in (*WRITERS[to], *BY_MODEL[to]) if path.name.endswith(found))


def layout_of(path: Path, to: str) -> str:
    """The layout of the names in a file."""
    return WRITERS[to][ending(path, to)][0]


def write_weights(outputs: Sequence[Output], path: Path, to: str, *, shard_size: int | None = None) -> None:
    """Writes tensors, one at a time, into a file that is whole or not there.

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
        SaveError: it is none.

    Example:
        >>> parse_size("5GB")
        5000000000
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?I?B?)", text.strip().upper())
    unit = UNITS.get(found[2] if found and found[2] != "B" else "") if found else None
    size = int(float(found[1]) * unit) if found and unit else 0
    if size <= 0:
        raise SaveError(f"{text!r} is no size: write 5GB, 500MB or 2GiB")
    return size
