"""HDF5: `.weights.h5` of Keras 3 (also its shards), and `.h5` of Keras 2, whole models or weights only.

Links to other files, which HDF5 allows nearly anywhere, are not followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from autoport.errors import FileError
from autoport.files.archive import Archive, Header, Output, from_bfloat16, require_dtype, stream, to_bfloat16
from autoport.files.heaps import check_heaps
from autoport.weights.algebra import Array, enumerate_slabs

KERAS, LEGACY, VARIABLE = "keras", "h5", "variable"
# Levels of groups; a group that links to itself has no end.
DEEPEST = 64


def open_hdf5(path: Path, content: Any = None) -> Archive:
    """Opens one file.

    Args:
        path: for messages; opened if there is no `content`.
        content: an open binary file to read instead.

    Raises:
        FileError: it is damaged, or Keras did not write it.
    """
    with ExitStack() as stack:
        try:
            file, datasets = _open(stack, path, content)
            headers = {key: _header(dataset, f"{path}: {key}") for key, dataset in datasets.items()}
            layouts = _layouts(file, datasets, path)
        except FileError:
            raise
        except Exception as error:  # h5py raises nearly anything on a damaged file
            raise FileError(f"{path} is not an HDF5 file, or it is damaged: {error}") from error
        return Archive(path, headers, layouts, lambda key: _read(datasets[key]), stack.pop_all())


def open_shards(path: Path) -> Archive:
    """Opens shards by the `.weights.json` that Keras writes.

    Raises:
        FileError: a shard is missing or damaged.
    """
    try:
        rows = json.loads(path.read_bytes())["weight_map"].values()
        names = dict.fromkeys(str(name) for row in rows for name in ([row] if isinstance(row, str) else row))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is not an index of shards: {error!r}") from error
    with ExitStack() as stack:
        headers: dict[str, Header] = {}
        shards: dict[str, Archive] = {}
        for name in names:
            if Path(name).name != name:
                raise FileError(f"{path}: {name!r} is not the name of a file beside it")
            shard = stack.enter_context(open_hdf5(path.with_name(name)))
            headers.update(shard.headers)
            shards.update(dict.fromkeys(shard.headers, shard))
        layouts = {KERAS: {_tidy(key): key for key in headers}}
        return Archive(path, headers, layouts, lambda key: shards[key].read(key), stack.pop_all())


def config_of(path: Path) -> tuple[Any, str]:
    """The configuration of the model in a whole-model `.h5` file, and the version of Keras that wrote it.

    Raises:
        FileError: the file is damaged, or holds weights only.
    """
    try:
        with ExitStack() as stack:
            file, _ = _open(stack, path)
            config, version = file.attrs.get("model_config"), _text(file.attrs.get("keras_version", ""))
        if config is not None:
            return json.loads(_text(config)), version
    except FileError:
        raise
    except Exception as error:  # h5py raises nearly anything on a damaged file
        raise FileError(f"{path} is not an HDF5 file, or it is damaged: {error}") from error
    raise FileError(f"{path} holds weights only, and weights have no graph: write module:callable@{path}")


def _open(stack: ExitStack, path: Path, content: Any = None) -> tuple[Any, dict[str, Any]]:
    """The file, and every dataset in it by its name."""
    binary = content or stack.enter_context(path.open("rb"))
    file = stack.enter_context(h5py.File(content or path, "r"))
    datasets = dict(_datasets(file, path))
    check_heaps(file, binary, datasets.values(), str(path))
    return file, datasets


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _datasets(group: Any, path: Path, place: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every dataset by its name; links that leave the file are errors."""
    if depth > DEEPEST:
        raise FileError(f"{path}: groups are nested more than {DEEPEST} levels deep")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise FileError(f"{path}: {place}{name} is a link to another place, which is not followed")
        member = group[name]
        if isinstance(member, h5py.Group):
            yield from _datasets(member, path, f"{place}{name}/", depth + 1)
        elif isinstance(member, h5py.Dataset) and member.dtype.kind not in "OSU":
            if member.is_virtual or member.external:
                raise FileError(f"{path}: {place}{name} takes its values from another file, which is not read")
            yield f"{place}{name}", member


def _header(dataset: Any, place: str) -> Header:
    dtype = dataset.dtype.newbyteorder("=").name
    if dataset.dtype.kind == "V" and _text(dataset.attrs.get("dtype", "")) == "bfloat16":
        dtype = "bfloat16"
    return Header(tuple(dataset.shape), require_dtype(dtype, place))


def _read(dataset: Any) -> Array:
    if dataset.dtype.kind == "V":
        raw = np.empty(dataset.shape, dataset.dtype)
        dataset.read_direct(raw)
        return from_bfloat16(raw.view(np.uint16))
    array = np.empty(dataset.shape, dataset.dtype.newbyteorder("="))
    if array.size:
        dataset.read_direct(array)
    return array


def _layouts(file: Any, datasets: Mapping[str, Any], path: Path) -> dict[str, dict[str, str]]:
    top = "model_weights/" if "model_weights" in file else ""
    group = file[top] if top else file
    layers = _attribute(group, "layer_names")
    if layers is None:
        return {KERAS: {_tidy(key): key for key in datasets}}
    by_place: dict[str, str] = {}
    by_name: dict[str, str] = {}
    for layer in dict.fromkeys([*layers, "top_level_model_weights"]):
        for number, name in enumerate(_attribute(group[layer], "weight_names") or () if layer in group else ()):
            key = f"{top}{layer}/{name}"
            if key not in datasets:
                raise FileError(f"{path}: {key} is listed among the weights, but the file does not contain it")
            by_place[legacy_name(layer, number, name)] = key
            by_name[variable_name(name)] = key
    return {LEGACY: by_place, VARIABLE: by_name}


def variable_name(name: str) -> str:
    """A variable's name in Keras 3, whichever version wrote it: `depthwise_kernel` became `kernel`."""
    plain = name.split(":")[0]
    return f"{plain.removesuffix('depthwise_kernel')}kernel" if plain.endswith("/depthwise_kernel") else plain


def legacy_name(layer: str, place: int, name: str) -> str:
    """A name of the layout `h5`.

    Args:
        layer: of the model.
        place: index of the variable among those of the layer.
        name: of the variable.
    """
    return f"{layer}/{place}/{variable_name(name).rpartition('/')[2]}"


def _attribute(group: Any, name: str) -> list[str] | None:
    """A list of names; Keras cuts long ones into `name0`, `name1`, ..."""
    if name in group.attrs:
        return [_text(part) for part in group.attrs[name]]
    parts, count = [], 0
    while f"{name}{count}" in group.attrs:
        parts += [_text(part) for part in group.attrs[f"{name}{count}"]]
        count += 1
    return parts if count else None


def _tidy(key: str) -> str:
    """A name as Keras 3 writes it; Keras 2.12 spelled paths differently."""
    return key.replace("\\", "/").replace("_layer_checkpoint_dependencies/", "layers/")


def write_hdf5(outputs: Sequence[Output], place: Path) -> None:
    """Writes `.weights.h5` as Keras 3 reads it, tensor by tensor.

    Args:
        outputs: what to write, by names of the layout `keras`.
        place: the file.
    """
    with h5py.File(place, "w") as file:
        file.create_group("vars")  # Keras 2 and early releases of Keras 3 require it
        for output, slabs in groupby(stream(outputs), itemgetter(0)):
            shape, narrow = output.header.shape, output.header.dtype == "bfloat16"
            dataset = file.create_dataset(output.name, shape, "V2" if narrow else output.header.dtype)
            dataset.attrs.update({"dtype": "bfloat16"} if narrow else {})
            for index, piece in enumerate_slabs(shape, (piece for _, piece in slabs)):
                dataset[index] = to_bfloat16(piece).view("V2") if narrow else piece
