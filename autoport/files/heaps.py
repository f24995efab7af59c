"""Global heaps of HDF5 files, which hold texts: checked before HDF5 walks through them, through some of them for ever.

A heap is a header (`GCOL`, a version, the size of it all) and objects one behind the other, each with a number and a
size. The number of the free space at the end is 0, and its size includes its own head.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from autoport.errors import FileError

START = b"GCOL\x01"
SIZED = 16  # bytes of a heap up to its first object; the last 8 are the size
HEAD = struct.Struct("<HHIQ")
BLOCK = 2**24


def check_heaps(file: Any, content: BinaryIO, datasets: Iterable[Any], place: str) -> None:
    """Walks through the heaps of a file.

    Args:
        file: as h5py opened it.
        content: the same file as bytes.
        datasets: of the file; what they hold is not looked at.
        place: what people know the file by.

    Raises:
        FileError: an object of a heap does not end where it could.
    """
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise FileError(f"{place} has addresses or lengths of other than 8 bytes, or is damaged")
    for start in _heaps(content, list(_between(content, datasets))):
        content.seek(start)
        size = int.from_bytes(content.read(SIZED)[8:], "little")
        if not _is_sound(content, start + SIZED, start + size):
            raise FileError(f"{place} is damaged: the texts in it do not lie one behind the other")


def _between(content: BinaryIO, datasets: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """What is not the values of a dataset, as ranges of the file."""
    places = ((dataset.id.get_offset(), dataset.id.get_storage_size()) for dataset in datasets)
    position = 0
    for start, size in sorted((start, size) for start, size in places if start is not None):
        yield position, start
        position = max(position, start + size)
    yield position, content.seek(0, 2)


def _heaps(content: BinaryIO, ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    for start, stop in ranges:
        for position in range(start, stop, BLOCK):
            content.seek(position)
            block = content.read(min(BLOCK + len(START) - 1, stop - position))
            found = block.find(START)
            while found >= 0:
                yield position + found
                found = block.find(START, found + 1)


def _is_sound(content: BinaryIO, position: int, stop: int) -> bool:
    """Whether objects lie between two places so that whoever walks through them arrives."""
    while position + HEAD.size <= stop:
        content.seek(position)
        head = content.read(HEAD.size)
        if len(head) < HEAD.size:
            return False
        number, _, _, size = HEAD.unpack(head)
        step = HEAD.size + -(-size // 8) * 8 if number else size
        if step < HEAD.size or position + step > stop:
            return False
        position += step
    return True
