"""Private API of PyTorch.

Every function imports what it needs when it is called, so a move breaks only what needs it.
`tests/internals/test_pytorch.py` uses each for real and names the one that moved.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch


def fake_tensor_mode() -> Any:
    """The class of modes under which tensors have shapes and no values.

    Tensors on the meta device are public, but mixing them with tensors on a CPU fails.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode


def is_fake(value: Any) -> bool:
    """Whether a value is a fake tensor: one without values, whose public type is `torch.Tensor`."""
    return isinstance(value, _fake_tensor())


def known_value(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor itself; of a fake one that was computed from numbers alone, the real one beside it."""
    known = getattr(tensor, "constant", None) if is_fake(tensor) else None
    return tensor if known is None else known


@cache
def _fake_tensor() -> Any:
    from torch._subclasses.fake_tensor import FakeTensor

    return FakeTensor


def fake_tensor_log() -> logging.Logger:
    """Where fake tensors log what they cannot compute; the logger has no public name."""
    return logging.getLogger(fake_tensor_mode().__module__)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """A structure with every leaf replaced.

    It handles lists, tuples, dictionaries and classes that libraries register (outputs of transformers). PyTorch has no
    public function for this.
    """
    from torch.utils import _pytree

    return _pytree.tree_map(function, tree)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of such a structure, in order."""
    from torch.utils import _pytree

    leaves: list[Any] = _pytree.tree_leaves(tree, is_leaf=is_leaf)
    return leaves


def in_transform() -> bool:
    """Whether a transform of `torch.func`, such as `vmap`, is running; nothing public tells."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def memory_of(tensor: torch.Tensor) -> int:
    """A number that only tensors in the same memory share; the public `data_ptr` is 0 for all without values."""
    memory: int = tensor.untyped_storage()._cdata
    return memory


def save_room(tensors: Mapping[str, tuple[tuple[int, ...], str]], place: Path) -> dict[str, int]:
    """Writes a `state_dict` with room for the values of its tensors; returns where in the file those of each begin.

    `torch.serialization.skip_data` leaves the room. Nothing public makes tensors that take no memory and can be saved,
    nor tells where their room is.

    Args:
        tensors: shapes and types, by name.
        place: path of the file.

    Returns:
        Offsets in bytes, by name.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.serialization import skip_data

    with FakeTensorMode():
        state = {name: torch.empty(shape, dtype=getattr(torch, dtype)) for name, (shape, dtype) in tensors.items()}
    with skip_data(materialize_fake_tensors=True):
        torch.save(state, place)
    with FakeTensorMode():
        room = torch.load(place, weights_only=True)
    return {name: tensor.untyped_storage()._checkpoint_offset for name, tensor in room.items()}


def parameters_of(operator: Any) -> list[str] | None:
    """Names of the parameters of an operator such as `torch.ops.aten.add.Tensor`; None for any other function.

    Operators have no signature that `inspect` could read.
    """
    schema = getattr(operator, "_schema", None)
    return None if schema is None else [argument.name for argument in schema.arguments]


def archive_members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The members of an archive as PyTorch's own reader finds them, and as `zipfile` does; contents are read on demand.

    The public API loads what is in them. Both readers are used to load, and may find different members in one file.
    """
    import torch

    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            yield info.filename, partial(archive.read, info)
    try:
        reader = torch._C.PyTorchFileReader(str(path))
    except RuntimeError:  # which is then not used to load it
        return
    for name in reader.get_all_records():
        yield name, partial(reader.get_record, name)
