"""`.pt` and `.pth`: state dicts of PyTorch, read without running code that a pickle may hold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoport.errors import FileError, UntrustedError
from autoport.files.archive import Archive, Header, Output, require_dtype, stream, to_bfloat16
from autoport.internals.pytorch import save_room
from autoport.weights.algebra import Array

LAYOUT = "state_dict"
READ_ANYWAY = "reads it all the same, which may run any code that is in it"
DEEPEST_DICT = 8  # levels of dictionaries in which tensors are looked for


def open_torch(path: Path, *, trust_code: bool = False) -> Archive:
    """Opens a state dict, also one inside of a training checkpoint.

    Args:
        path: the file.
        trust_code: unpickle arbitrary objects, which may run any code.

    Raises:
        FileError: it is damaged.
        UntrustedError: reading it would run code.
    """
    tensors = dict(_tensors(_load(path, trust_code)))
    if not tensors:
        raise FileError(f"{path} holds no tensors")
    headers = {
        name: Header(tuple(tensor.shape), require_dtype(str(tensor.dtype).removeprefix("torch."), f"{path}: {name}"))
        for name, tensor in tensors.items()
    }
    return Archive(path, headers, {LAYOUT: {name: name for name in headers}}, lambda name: as_array(tensors[name]))


def _load(path: Path, trust_code: bool) -> Any:
    failure: Exception | None = None
    for mapped in (True, False):  # files from before PyTorch 1.6 cannot be mapped into memory
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(path, map_location="cpu", weights_only=not trust_code, mmap=mapped)
        except Exception as error:  # unpickling a damaged file may raise anything
            failure = error
    text = str(failure).splitlines()[0] if str(failure) else repr(failure)
    problem = f"{path} cannot be read as a state dict of PyTorch: {text}"
    if "Weights only load failed" in str(failure) and "GLOBAL" in str(failure):
        raise UntrustedError(problem, READ_ANYWAY) from failure
    raise FileError(problem) from failure


def _tensors(content: Any, prefix: str = "", depth: int = 0) -> Any:
    """Tensors of nested dictionaries, by the path to them."""
    if isinstance(content, torch.nn.Module):
        content = content.state_dict()
    if isinstance(content, torch.Tensor):
        yield prefix[:-1], content
    elif isinstance(content, Mapping) and depth < DEEPEST_DICT:
        for key, value in content.items():
            yield from _tensors(value, f"{prefix}{key}.", depth + 1)


def as_array(tensor: Any) -> Array:
    """A tensor of PyTorch as an array; bfloat16, which numpy lacks, as float32."""
    plain = tensor.detach().cpu()
    plain = plain.float() if plain.dtype == torch.bfloat16 else plain
    array: Array = plain.numpy()
    return array


def write_torch(outputs: Sequence[Output], place: Path) -> None:
    """Writes a state dict, tensor by tensor: first an archive with room for the values, then the values.

    Args:
        outputs: what to write.
        place: the file.
    """
    offsets = save_room({output.name: (output.header.shape, output.header.dtype) for output in outputs}, place)
    with place.open("r+b") as file:
        latest = None
        for output, piece in stream(outputs):
            if output is not latest:
                file.seek(offsets[output.name])
                latest = output
            values = to_bfloat16(piece) if output.header.dtype == "bfloat16" else np.ascontiguousarray(piece)
            file.write(values.reshape(-1).view(np.uint8).data)
