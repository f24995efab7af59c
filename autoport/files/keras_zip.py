"""`.keras`: a configuration and weights in a zip archive or a folder.

No member is unpacked to the path that it names.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from autoport.errors import FileError
from autoport.files.archive import Archive
from autoport.files.hdf5 import open_hdf5

WEIGHTS = "model.weights.h5"
CONFIG = "config.json"
METADATA = "metadata.json"
PICKLES = "model.weights.npz"
LARGEST_CONFIG = 2**28  # bytes
# Weights hardly compress; a member that grows by more than this factor was made to fill the disk.
LARGEST_GROWTH = 200


def open_keras(path: Path) -> Archive:
    """Opens the weights of a `.keras` file.

    Raises:
        FileError: it is damaged, or holds its weights in another form.
    """
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        archive = stack.enter_context(_open_zip(file, path))
        info = _member(archive, WEIGHTS, path)
        content = stack.enter_context(_content(file, archive, info, path))
        weights = stack.enter_context(open_hdf5(path, content))
        return Archive(path, weights.headers, weights.layouts, weights.fetch, stack.pop_all())


def config_of(path: Path) -> tuple[Any, str]:
    """The configuration of the model in a `.keras` file or folder, and the version of Keras that wrote it.

    Raises:
        FileError: it is damaged.
    """
    if path.is_dir():
        config, metadata = (_json((path / name).read_bytes, name, path) for name in (CONFIG, METADATA))
    else:
        with path.open("rb") as file, _open_zip(file, path) as archive:
            members = {name: _member(archive, name, path) for name in (CONFIG, METADATA)}
            config, metadata = (_json(partial(archive.read, info), name, path) for name, info in members.items())
    return config, str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""


def _json(read: Callable[[], bytes], name: str, path: Path) -> Any:
    try:
        return json.loads(read())
    except Exception as error:  # zipfile, zlib and json raise nearly anything on damaged files
        raise FileError(f"{path}: {name} is damaged: {error}") from error


def _open_zip(file: BinaryIO, path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises nearly anything on a damaged file
        raise FileError(f"{path} is not a .keras file, or it is damaged: {error}") from error
    for name in archive.namelist():
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in name:
            raise FileError(f"{path}: {name!r} would lie outside of the archive")
    return archive


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> zipfile.ZipInfo:
    if PICKLES in archive.namelist():
        raise FileError(f"{path} holds its weights in {PICKLES}, as pickles, which Keras does not read either")
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FileError(f"{path} lacks {name}: it is not a .keras file") from None
    if name != WEIGHTS and info.file_size > LARGEST_CONFIG:
        raise FileError(f"{path}: {name} has {info.file_size} bytes; at most {LARGEST_CONFIG} are read")
    return info


def _content(file: BinaryIO, archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Any:
    """A member as a seekable file; only a compressed one is unpacked first."""
    try:
        with archive.open(info) as member:  # checks its local header
            if info.compress_type == zipfile.ZIP_STORED:
                # A local header has 30 bytes; the last four are the lengths of the name and the extra field behind it.
                file.seek(info.header_offset + 26)
                lengths = [int.from_bytes(file.read(2), "little") for _ in range(2)]
                return Window(file, info.header_offset + 30 + sum(lengths), info.file_size)
            if info.file_size > LARGEST_GROWTH * max(1, info.compress_size):
                raise FileError(f"{path}: {info.filename} would grow to {info.file_size} bytes")
            unpacked = tempfile.TemporaryFile(prefix="autoport-")  # noqa: SIM115  the caller closes it
            shutil.copyfileobj(member, unpacked, 2**20)
            return unpacked
    except FileError:
        raise
    except Exception as error:  # zipfile raises nearly anything on a damaged file
        raise FileError(f"{path}: {info.filename} is damaged: {error}") from error


class Window(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._position = file, start, size, 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As `io.RawIOBase` says."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """As `io.RawIOBase` says."""
        room = memoryview(buffer).cast("B")[: max(0, self._size - self._position)]
        self._file.seek(self._start + self._position)
        count = int(self._file.readinto(room))  # type: ignore[attr-defined]
        self._position += count
        return count
