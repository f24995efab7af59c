"""`.pt2`: the weights of an exported program of PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from autoport.errors import FileError, UntrustedError
from autoport.files.archive import Archive, Header
from autoport.files.known.programs import unknown_in_program
from autoport.files.torch_file import READ_ANYWAY, as_array
from autoport.internals.pytorch import archive_members

# The environment variable with which PyTorch itself forces `weights_only=True`.
PLAIN_PICKLES = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
# Findings that a message has room for, and characters of each.
MOST_FOUND, LONGEST_FOUND = 4, 160


def open_exported(path: Path, *, trust_code: bool = False) -> Archive:
    """Opens the state dict of an exported program.

    Args:
        path: the file.
        trust_code: unpickle arbitrary objects in it, which may run any code.

    Raises:
        FileError: the file is damaged.
        UntrustedError: it holds what is not known to compute only, as libraries, objects or functions.
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
        FileError: the file is damaged.
        UntrustedError: it holds what is not known to compute only, as libraries, objects or functions.
    """
    import torch

    try:
        unknown = [] if trust_code else unknown_in_program(archive_members(path))
        if not unknown:
            with nullcontext() if trust_code else _plain_pickles():
                module = torch.export.load(path).module()
    except Exception as error:  # reading a damaged archive may raise anything
        problem = f"{path} is not an exported program of PyTorch, or it is damaged: {error}"
        if "Weights only load failed" in str(error):
            raise UntrustedError(problem, READ_ANYWAY) from error
        raise FileError(problem) from error
    if unknown:
        more = [f"{len(unknown) - MOST_FOUND} more"] if len(unknown) > MOST_FOUND else []
        said = [text[:LONGEST_FOUND] for text in unknown[:MOST_FOUND]]
        raise UntrustedError(
            f"{path} holds {' and '.join(said + more)}, of which autoport does not know that it computes only",
            READ_ANYWAY,
        )
    for name in ("train", "eval"):  # an exported module refuses both; it stays in the mode of its export
        vars(module).pop(name, None)
    module.training = False
    return module
