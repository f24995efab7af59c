"""Writes files atomically: a file is complete or does not exist."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from autoport.errors import AutoportError, SaveError


def write_whole(path: Path, write: Callable[[Path], object], suffix: str = "") -> None:
    """Writes a file beside its destination, and moves it there when it is complete.

    Args:
        path: the destination; an old file is replaced in one step, or stays as it is.
        write: writes to the path that it gets.
        suffix: ending that `write` requires.

    Raises:
        SaveError: writing failed.
    """
    write_all([path], lambda places: write(places[0]), suffix)


def write_text(path: Path, text: str) -> None:
    """Writes a text file that is complete or does not exist.

    Raises:
        SaveError: it cannot be written; an old file is as it was then.
    """
    write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def write_all(paths: list[Path], write: Callable[[list[Path]], object], suffix: str = "") -> None:
    """Writes files that belong together; moves them to their destinations, one by one, when all are complete.

    Args:
        paths: the destinations.
        write: writes to the paths that it gets.
        suffix: ending that `write` requires.

    Raises:
        SaveError: writing failed.
    """
    places: list[Path] = []
    try:
        for path in paths:
            places.append(_beside(path, suffix))
        write(places)
        for place, path in zip(places, paths, strict=True):
            _settle(place, path)
        for place, path in zip(places, paths, strict=True):
            place.replace(path)
    except AutoportError:
        raise
    except Exception as error:  # writers of three libraries raise what they like
        raise SaveError(f"{paths[-1]} could not be written: {error}") from error
    finally:
        for place in places:
            place.unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    number, name = tempfile.mkstemp(suffix, f".{path.name}-", path.parent)
    os.close(number)
    return Path(name)


def _settle(place: Path, path: Path) -> None:
    """Flushes a temporary file to the disk, and gives it the permissions of the old file or of a new one."""
    umask = os.umask(0)
    os.umask(umask)
    place.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
    with place.open("rb") as file:
        os.fsync(file.fileno())
