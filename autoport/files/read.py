"""Which reader a file belongs to, by its ending."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from autoport.errors import FileError
from autoport.files.archive import Archive

# Endings with their readers, longer endings first; a reader's module is imported when it is needed.
READERS: tuple[tuple[str, str], ...] = (
    (".safetensors.index.json", "safetensors:open_index"),
    (".safetensors", "safetensors:open_safetensors"),
    (".weights.json", "hdf5:open_shards"),
    (".h5", "hdf5:open_hdf5"),
    (".hdf5", "hdf5:open_hdf5"),
    (".keras", "keras_zip:open_keras"),
    (".index", "checkpoint:open_checkpoint"),
    (".pth", "torch_file:open_torch"),
    (".pt", "torch_file:open_torch"),
    (".bin", "torch_file:open_torch"),
    (".pt2", "exported:open_exported"),
)
PICKLED = (".pt", ".pth", ".bin", ".pt2")
# What a folder with weights contains.
INSIDE = ("model.weights.h5", "variables/variables.index", "model.safetensors.index.json", "model.safetensors")


def weights_file(path: Path) -> Path | None:
    """The file that a path stands for: itself, the weights in a folder, or those behind the prefix of a checkpoint.

    Returns:
        The file; None if the path does not name weights.
    """
    if path.is_dir():
        return next((path / name for name in INSIDE if (path / name).is_file()), None)
    index = path.with_name(path.name + ".index")
    if not path.exists() and index.is_file():
        return index
    return path if path.name.endswith(tuple(ending for ending, _ in READERS)) else None


def open_weights(path: Path, *, trust_code: bool = False) -> Archive:
    """Opens a file of weights, of whatever format.

    Args:
        path: a file, the prefix of a TensorFlow checkpoint, or the folder of a SavedModel.
        trust_code: also read pickles that may run code.

    Returns:
        Its tensors; a context manager.

    Raises:
        FileError: it does not exist, is damaged or of an unknown format, or reading it would run code.

    Example:
        >>> with open_weights(Path("model.weights.h5")) as archive:  # doctest: +SKIP
        ...     archive.headers["layers/dense/vars/0"].shape
        (144, 3)
    """
    file = weights_file(path)
    if file is None or not file.exists():
        endings = ", ".join(ending for ending, _ in READERS)
        raise FileError(f"{path} " + (f"is not a file of weights ({endings})" if path.exists() else "does not exist"))
    name = next(name for ending, name in READERS if file.name.endswith(ending))
    module, _, function = name.partition(":")
    options: dict[str, Any] = {"trust_code": trust_code} if file.suffix in PICKLED else {}
    try:
        if file.stat().st_size == 0:
            raise FileError(f"{file} is empty")
        archive: Archive = getattr(importlib.import_module(f"autoport.files.{module}"), function)(file, **options)
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error}") from error
    return archive
