"""Checks the global heaps of HDF5 files, which hold variable-length text, because HDF5 loops for ever in damaged ones.

A heap is a header (`GCOL`, a version, the size of the heap) and objects back to back, each with a number and a size.
The free space at the end has the number 0, and its size includes its own header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from autoport.errors import FileError

SIGNATURE = b"GCOL\x01"
HEAP_HEADER = 16  # bytes in front of the first object; the last 8 are the size of the heap
OBJECT_HEADER = struct.Struct("<HHIQ")
SCANNED = 2**24  # bytes that are searched for heaps at a time


def check_heaps(file: Any, content: BinaryIO, datasets: Iterable[Any], place: str) -> None:
    """Walks through the heaps of a file, as HDF5 will.

    Args:
        file: as h5py opened it.
        content: the same file as bytes.
        datasets: of the file; their values are skipped.
        place: the file, for the message.

    Raises:
        FileError: an object of a heap has a size that it cannot have.
    """
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise FileError(f"{place} has addresses or lengths that are not 8 bytes long, or it is damaged")
    for start in _heaps(content, list(_between(content, datasets))):
        content.seek(start)
        size = int.from_bytes(content.read(HEAP_HEADER)[8:], "little")
        if not _is_sound(content, start + HEAP_HEADER, start + size):
            raise FileError(f"{place} is damaged: an object of a global heap has an impossible size")


def _between(content: BinaryIO, datasets: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """The ranges of the file between the values of its datasets."""
    places = ((dataset.id.get_offset(), dataset.id.get_storage_size()) for dataset in datasets)
    position = 0
    for start, size in sorted((start, size) for start, size in places if start is not None):
        yield position, start
        position = max(position, start + size)
    yield position, content.seek(0, 2)


def _heaps(content: BinaryIO, ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    for start, stop in ranges:
        for position in range(start, stop, SCANNED):
            content.seek(position)
            block = content.read(min(SCANNED + len(SIGNATURE) - 1, stop - position))
            offset = block.find(SIGNATURE)
            while offset >= 0:
                yield position + offset
                offset = block.find(SIGNATURE, offset + 1)


def _is_sound(content: BinaryIO, position: int, stop: int) -> bool:
    """Whether walking from object to object, from a position on, reaches `stop` and never runs past it."""
    while position + OBJECT_HEADER.size <= stop:
        content.seek(position)
        head = content.read(OBJECT_HEADER.size)
        if len(head) < OBJECT_HEADER.size:
            return False
        number, _, _, size = OBJECT_HEADER.unpack(head)
        step = OBJECT_HEADER.size + -(-size // 8) * 8 if number else size
        if step < OBJECT_HEADER.size or position + step > stop:
            return False
        position += step
    return True
