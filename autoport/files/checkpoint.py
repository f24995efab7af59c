"""Checkpoints of TensorFlow (`.index` and `.data-...`), by themselves or inside of a SavedModel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.errors import FileError
from autoport.files.archive import DTYPES, Archive, Header
from autoport.files.hdf5 import VARIABLE, variable_name
from autoport.internals.keras import objects_of_checkpoint
from autoport.weights.algebra import Array

OBJECT = "object"
GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def open_checkpoint(path: Path) -> Archive:
    """Opens a checkpoint.

    Args:
        path: its `.index` file.

    Raises:
        FileError: it is damaged.
    """
    prefix = str(path).removesuffix(".index")
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        names = {key: types[key].name for key in shapes if types[key].name in DTYPES}
        headers = {key: Header(tuple(shapes[key]), dtype) for key, dtype in names.items()}
        keys_of = _full_names(reader, headers) if GRAPH in shapes else {variable_name(key): [key] for key in headers}
        layouts = {
            VARIABLE: {name: keys[0] for name, keys in keys_of.items() if _alike(reader, keys)},
            OBJECT: {key.removesuffix(SUFFIX): key for key in headers},
        }
    except Exception as error:  # TensorFlow has an exception for every way a file can be damaged
        raise FileError(f"{path} is not a TensorFlow checkpoint, or it is damaged: {error}") from error
    return Archive(path, headers, layouts, lambda key: _read(reader, key))


def _full_names(reader: Any, headers: Mapping[str, Header]) -> Mapping[str, list[str]]:
    """Keys by the full name of their variable in Python."""
    keys: dict[str, list[str]] = defaultdict(list)
    for node in objects_of_checkpoint(reader.get_tensor(GRAPH)):
        for attribute in node.attributes:
            if attribute.full_name and attribute.checkpoint_key in headers:
                keys[variable_name(attribute.full_name)].append(attribute.checkpoint_key)
    return keys


def _alike(reader: Any, keys: list[str]) -> bool:
    """Whether a name stands for one tensor; Keras writes some twice."""
    first, *others = keys
    return all(np.array_equal(_read(reader, first), _read(reader, key)) for key in others)


def _read(reader: Any, key: str) -> Array:
    array: Array = np.asarray(reader.get_tensor(key))
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
