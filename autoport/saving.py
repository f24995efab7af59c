"""Writes ported weights to files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoport.errors import SaveError

if TYPE_CHECKING:
    from autoport.result import Match

# Endings by direction; what writes them stands in `_WRITERS`.
SUFFIXES = {"torch": (".safetensors", ".pt", ".pth"), "tf": (".weights.h5", ".keras")}


def check_destination(path: Path, to: str) -> None:
    """Finds out before any work is done whether weights can go to a file.

    Args:
        path: where they should go.
        to: `torch` or `tf`.

    Raises:
        SaveError: its ending says nothing of the format, or its folder does not exist.
    """
    if _suffix(path, to) is None:
        endings = ", ".join(SUFFIXES[to])
        raise SaveError(f"{path}: the name of a file for {to} weights ends in one of {endings}")
    if not path.parent.is_dir():
        raise SaveError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise SaveError(f"{path} is a folder")


def save_weights(match: Match, keras_model: Any, path: Path, to: str = "torch") -> None:
    """Writes the ported weights of one model.

    Args:
        match: between the two models.
        keras_model: the Keras model of the match; `to="tf"` assigns to it.
        path: a `.safetensors`, `.pt` or `.pth` file for `torch`, `.weights.h5` or `.keras` for `tf`.
        to: whose weights are written: `torch` or `tf`.

    Raises:
        IncompleteMatchError: a tensor has no partner; no file is written.
        TransferError: a weight cannot be carried over; no file is written.
        SaveError: the file cannot be written; an old one is as it was.

    Example:
        >>> save_weights(match, keras_model, Path("weights.safetensors"))  # doctest: +SKIP
    """
    check_destination(path, to)
    if to == "torch":
        content: Any = match.state_dict()
    else:
        match.assign(to="tf")
        content = keras_model
    suffix = _suffix(path, to) or ""
    write_whole(path, lambda place: _WRITERS[suffix](content, place), suffix)


def write_whole(path: Path, write: Callable[[Path], None], suffix: str = "") -> None:
    """Writes a file beside its destination and puts it there when it is complete.

    Args:
        path: the destination; an old file is replaced in one step, or stays as it is.
        write: writes to the path that it is given.
        suffix: ending that `write` insists on.

    Raises:
        SaveError: writing failed.
    """
    try:
        number, name = tempfile.mkstemp(suffix, f".{path.name}-", path.parent)
    except OSError as error:
        raise SaveError(f"{path} could not be written: {error}") from error
    os.close(number)
    place = Path(name)
    try:
        write(place)
        _settle(place, path)
        place.replace(path)
    except Exception as error:  # writers of three libraries raise what they like
        raise SaveError(f"{path} could not be written: {error}") from error
    finally:
        place.unlink(missing_ok=True)


def _settle(place: Path, path: Path) -> None:
    """Brings a temporary file to the disk, with the rights that a new file would have."""
    umask = os.umask(0)
    os.umask(umask)
    place.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
    with place.open("rb") as file:
        os.fsync(file.fileno())


def _suffix(path: Path, to: str) -> str | None:
    return next((suffix for suffix in SUFFIXES[to] if path.name.endswith(suffix)), None)


def _save_safetensors(state: Any, place: Path) -> None:
    from safetensors.torch import save_file

    save_file({path: tensor.contiguous() for path, tensor in state.items()}, place, {"format": "pt"})


def _save_torch(state: Any, place: Path) -> None:
    import torch

    torch.save(state, place)


_WRITERS: dict[str, Callable[[Any, Path], None]] = {
    ".safetensors": _save_safetensors,
    ".pt": _save_torch,
    ".pth": _save_torch,
    ".weights.h5": lambda model, place: model.save_weights(place),
    ".keras": lambda model, place: model.save(place),
}
