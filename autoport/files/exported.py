"""`.pt2`: the weights of an exported program of PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from autoport.errors import FileError
from autoport.files.archive import Archive, Header
from autoport.files.torch_file import as_array

# The environment variable with which PyTorch itself forces `weights_only=True`.
PLAIN_PICKLES = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def open_exported(path: Path, *, trust_code: bool = False) -> Archive:
    """Opens the state dict of an exported program.

    Args:
        path: the file.
        trust_code: unpickle arbitrary objects in it, which may run any code.

    Raises:
        FileError: the file is damaged, or reading it would run code.
    """
    state = load_exported(path, trust_code).state_dict()
    headers = {name: Header(tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in state.items()}
    layouts = {"state_dict": {name: name for name in state}}
    return Archive(path, headers, layouts, lambda name: as_array(state[name]))


@contextmanager
def _plain_pickles() -> Iterator[None]:
    """Lets PyTorch unpickle nothing but tensors, even where a caller inside PyTorch asks for more."""
    before = os.environ.get(PLAIN_PICKLES)
    os.environ[PLAIN_PICKLES] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PLAIN_PICKLES]
        else:
            os.environ[PLAIN_PICKLES] = before


def load_exported(path: Path, trust_code: bool = False) -> Any:
    """Loads a model that `torch.export.save` wrote.

    Args:
        path: a `.pt2` file.
        trust_code: unpickle arbitrary objects in it, which may run any code.

    Raises:
        FileError: the file is damaged, or reading it would run code.
    """
    import torch

    try:
        with nullcontext() if trust_code else _plain_pickles():
            module = torch.export.load(path).module()
    except Exception as error:  # reading a damaged archive may raise anything
        refused = "Weights only load failed" in str(error)
        advice = "; --trust-code reads it all the same, which may run any code that is in it" if refused else ""
        raise FileError(f"{path} is not an exported program of PyTorch, or it is damaged: {error}{advice}") from error
    for name in ("train", "eval"):  # an exported module refuses both; it stays in the mode of its export
        vars(module).pop(name, None)
    module.training = False
    return module
