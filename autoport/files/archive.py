"""What all files of weights have in common: named tensors, read or written one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autoport.errors import FileError
from autoport.weights.algebra import Array

FLOAT_TYPES = ("float16", "float32", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2")
INTEGER_TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOAT_TYPES, *INTEGER_TYPES, "complex64", "complex128")
# Bytes of an element, for names that numpy does not know or that lack a number.
_WIDTHS = {"bool": 1, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}


@dataclass(frozen=True)
class Header:
    """What a file says of a tensor before it is read.

    Attributes:
        shape: as stored.
        dtype: name of the element type, one of `DTYPES`.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        width = _WIDTHS.get(self.dtype) or np.dtype(self.dtype).itemsize
        return math.prod(self.shape) * width

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclass
class Archive:
    """The tensors of a file, or of several that belong together.

    Attributes:
        path: the file, or the index of several.
        headers: by key; messages show keys.
        layouts: by layout, the key of each name; see `autoport.files.names`.
        fetch: reads the tensor of a key.
        resources: the open files.
    """

    path: Path
    headers: Mapping[str, Header]
    layouts: Mapping[str, Mapping[str, str]]
    fetch: Callable[[str], Array]
    resources: ExitStack = field(default_factory=ExitStack)

    def read(self, key: str) -> Array:
        """Reads one tensor; bfloat16, which numpy lacks, as float32.

        Raises:
            FileError: the file is damaged, or the tensor is of an 8-bit float type.
        """
        if self.headers[key].dtype.startswith("float8"):
            raise FileError(
                f"{self.path}: {key} is {self.headers[key].dtype}, which is not ported: convert it to a wider type"
            )
        try:
            tensor = self.fetch(key)
        except FileError:
            raise
        except Exception as error:  # readers of four libraries raise what they like on damaged files
            raise FileError(f"{self.path}: {key} cannot be read: {error}") from error
        return tensor

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *raised: object) -> None:
        self.resources.close()


@dataclass(frozen=True)
class Output:
    """A tensor to write.

    Attributes:
        name: what the file calls it.
        header: its shape and type.
        make: computes it when its turn comes, one slab along its first dimension at a time.
    """

    name: str
    header: Header
    make: Callable[[], Iterable[Array]]


def stream(outputs: Iterable[Output]) -> Iterator[tuple[Output, Array]]:
    """Yields slabs with their outputs, in order; computes the next one while the caller writes the last one."""
    pieces = ((output, piece) for output in outputs for piece in output.make())
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, pieces, None)
        while (item := coming.result()) is not None:
            coming = worker.submit(next, pieces, None)
            yield item


def from_bfloat16(raw: Array) -> Array:
    """The values of bfloat16 elements, which are given as their 16 bits, in float32."""
    wide: Array = (raw.astype(np.uint32) << 16).view(np.float32)
    return wide


def to_bfloat16(values: Array) -> Array:
    """The 16 bits of bfloat16 elements, which are given in float32; none may need rounding."""
    narrow: Array = (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)
    return narrow


def require_dtype(dtype: str, place: str) -> str:
    """Returns a dtype that weights can have.

    Args:
        dtype: its name.
        place: file and tensor, for the message.

    Raises:
        FileError: autoport reads no weights of that dtype.
    """
    if dtype not in DTYPES:
        raise FileError(f"{place} is of type {dtype}; weights are of one of {', '.join(DTYPES)}")
    return dtype
