"""`.safetensors`, one file or shards with an index, as the format's specification says.

The library maps a file into memory, and writes only tensors that are all in memory. This module reads and writes one
tensor at a time. Its files are byte for byte those of the library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from autoport.base.whole_files import write_all
from autoport.errors import FileError
from autoport.files.archive import Archive, Header, Output, from_bfloat16, stream, to_bfloat16
from autoport.weights.algebra import Array

LAYOUT = "state_dict"
INDEX = ".safetensors.index.json"
LARGEST_HEADER = 100_000_000  # bytes; the limit of the library
# dtypes by their code in the format, widest first: the order in which the library lays tensors out.
TYPES = {
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
    "F32": "float32",
    "U32": "uint32",
    "I32": "int32",
    "BF16": "bfloat16",
    "F16": "float16",
    "U16": "uint16",
    "I16": "int16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
CODES = {dtype: name for name, dtype in TYPES.items()}
RANKS = {dtype: rank for rank, dtype in enumerate(CODES)}


def open_safetensors(path: Path) -> Archive:
    """Opens one file.

    Raises:
        FileError: it is damaged, or of another format.
    """
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        headers, offsets = _read_header(file, path)
        return Archive(path, headers, _layouts(headers), _fetcher(file, headers, offsets, path), stack.pop_all())


def open_index(path: Path) -> Archive:
    """Opens shards by their index.

    Raises:
        FileError: a shard is missing or damaged, or holds other tensors than the index says.
    """
    try:
        weight_map = json.loads(path.read_bytes())["weight_map"]
        places = {str(name): str(shard) for name, shard in weight_map.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is not an index of shards: {error!r}") from error
    with ExitStack() as stack:
        shards = {name: stack.enter_context(open_safetensors(_beside(path, name))) for name in set(places.values())}
        wrong = [name for name, shard in places.items() if name not in shards[shard].headers]
        if wrong:
            raise FileError(f"{path}: {places[wrong[0]]} lacks {', '.join(wrong)}")
        headers = {name: shards[shard].headers[name] for name, shard in places.items()}
        return Archive(path, headers, _layouts(headers), lambda key: shards[places[key]].read(key), stack.pop_all())


def _beside(path: Path, name: str) -> Path:
    if Path(name).name != name:
        raise FileError(f"{path}: {name!r} is not the name of a file beside it")
    return path.with_name(name)


def _layouts(headers: Mapping[str, Header]) -> dict[str, dict[str, str]]:
    return {LAYOUT: {name: name for name in headers}}


def _read_header(file: BinaryIO, path: Path) -> tuple[dict[str, Header], dict[str, int]]:
    """Headers of the tensors, and the offsets at which their values begin."""
    size = path.stat().st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise FileError(f"{path} is not a safetensors file, or it is cut off: its header would have {length} bytes")
    try:
        document = json.loads(file.read(length))
        rows = {name: row for name, row in document.items() if name != "__metadata__"}
        headers = {name: Header(tuple(map(_size, row["shape"])), TYPES[row["dtype"]]) for name, row in rows.items()}
        spans = {name: tuple(map(_size, row["data_offsets"])) for name, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path}: the header of the safetensors file is damaged: {error!r}") from error
    _check_spans(headers, spans, size - 8 - length, path)
    return headers, {name: 8 + length + start for name, (start, _) in spans.items()}


def _size(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a size")
    return value


def _check_spans(headers: Mapping[str, Header], spans: Mapping[str, tuple[int, ...]], size: int, path: Path) -> None:
    """Raises unless the tensors lie back to back, without a gap, up to the end of the file."""
    position = 0
    for name, (start, stop) in sorted(spans.items(), key=lambda row: row[1]):
        if start != position or stop - start != headers[name].nbytes:
            raise FileError(f"{path}: {name} does not lie where its shape and type ask for")
        position = stop
    if position != size:
        raise FileError(f"{path} should hold {position} bytes of tensors and holds {size}: it is cut off or damaged")


def _fetcher(
    file: BinaryIO, headers: Mapping[str, Header], offsets: Mapping[str, int], path: Path
) -> Callable[[str], Array]:
    def fetch(name: str) -> Array:
        header = headers[name]
        stored = np.dtype("uint16" if header.dtype == "bfloat16" else header.dtype)
        array = np.empty(header.shape, stored)
        file.seek(offsets[name])
        if file.readinto(array.reshape(-1).view(np.uint8).data) != header.nbytes:  # type: ignore[attr-defined]
            raise FileError(f"{path} was cut off while it was read")
        return from_bfloat16(array) if header.dtype == "bfloat16" else array

    return fetch


def write_safetensors(outputs: Sequence[Output], place: Path) -> None:
    """Writes one file: the header, then tensor by tensor.

    Args:
        outputs: what to write.
        place: the file.
    """
    ordered = sorted(outputs, key=lambda output: (RANKS[output.header.dtype], output.name))
    with place.open("wb") as file:
        file.write(_header(ordered))
        for output, piece in stream(ordered):
            values = to_bfloat16(piece) if output.header.dtype == "bfloat16" else np.ascontiguousarray(piece)
            file.write(values.reshape(-1).view(np.uint8).data)


def _header(outputs: Sequence[Output]) -> bytes:
    rows: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for output in outputs:
        stop = position + output.header.nbytes
        rows[output.name] = {
            "dtype": CODES[output.header.dtype],
            "shape": list(output.header.shape),
            "data_offsets": [position, stop],
        }
        position = stop
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the values to 8 bytes
    return len(text).to_bytes(8, "little") + text


def write_shards(outputs: Sequence[Output], path: Path, limit: int) -> None:
    """Writes shards of at most `limit` bytes, and their index, as Hugging Face does.

    Args:
        outputs: what to write, in the order in which shards are filled.
        path: `name.safetensors`; with more than one shard these are `name-00001-of-00002.safetensors`, ... and
            `name.safetensors.index.json`.
        limit: bytes of tensors in one shard; a larger tensor has a shard of its own.

    Raises:
        SaveError: a file could not be written; old ones are as they were.
    """
    shards = _shards(outputs, limit)
    if len(shards) == 1:
        write_all([path], lambda places: write_safetensors(outputs, places[0]))
        return
    stem = path.name.removesuffix(".safetensors")
    names = [f"{stem}-{k:05}-of-{len(shards):05}.safetensors" for k in range(1, len(shards) + 1)]
    index = {
        "metadata": {"total_size": sum(output.header.nbytes for output in outputs)},
        "weight_map": {o.name: name for name, shard in zip(names, shards, strict=True) for o in shard},
    }

    def write(places: list[Path]) -> None:
        for place, shard in zip(places, shards, strict=False):
            write_safetensors(shard, place)
        places[-1].write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    write_all([*(path.with_name(name) for name in names), path.with_name(stem + INDEX)], write)


def _shards(outputs: Sequence[Output], limit: int) -> list[list[Output]]:
    shards: list[list[Output]] = [[]]
    size = 0
    for output in outputs:
        if shards[-1] and size + output.header.nbytes > limit:
            shards.append([])
            size = 0
        shards[-1].append(output)
        size += output.header.nbytes
    return shards
