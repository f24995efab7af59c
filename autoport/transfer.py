"""Carries a plan out: into a model, or into a dictionary of arrays. All or nothing.

Every tensor is computed and checked before the first one is written. While they are written, the
old values go to a temporary file, tensor by tensor, from which a failure in the middle is undone;
memory beyond the models stays at a few slabs, or at one tensor where that is made of several.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from autoport.errors import IncompleteMatchError, TransferError
from autoport.graph import Tensor
from autoport.plan import Plan
from autoport.progress import stage
from autoport.weights.algebra import Array, assemble, leading, placed, ranges, slabs

logger = logging.getLogger(__name__)
SLAB = 2**20
SLAB_BYTES = 2**20  # what fits into memory that is in use already; fresh pages cost more than the arithmetic


class Store(Protocol):
    """Where tensors are read from or written to."""

    def read(self, path: str) -> Array:
        """A stored tensor."""

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Overwrites a stored tensor with its pieces, one behind the other."""

    def holds(self, path: str) -> bool:
        """Whether a stored tensor has values."""


class KerasStore:
    """The variables of a Keras model."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def read(self, path: str) -> Array:
        """A variable as an array that shares its memory where TensorFlow allows; from its file if it is still there."""
        holder = self._holder(path)
        if _is_waiting(holder):
            found: Array = holder.waiting()
            return found
        stored = holder.read_value()
        try:
            return np.asarray(memoryview(stored))  # np.asarray of the tensor itself would copy
        except (TypeError, ValueError, BufferError):  # on a GPU, or of a type that has no buffer
            return np.asarray(stored)

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Assigns a variable, range by range where it is large: whoever assigns all of it holds the values twice."""
        from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

        holder = self._holder(path)
        shape = tuple(holder.shape)
        in_memory = isinstance(holder, BaseResourceVariable) and "CPU" in holder.device  # not on several devices, say
        if not shape or not in_memory:
            whole, *others = pieces
            self._variables[path].assign(np.concatenate([whole, *others], leading(shape)) if others else whole)
            return
        for index, piece in placed(shape, pieces):
            _assign_range(holder, index, piece)

    def _holder(self, path: str) -> Any:
        """The variable of TensorFlow."""
        variable = self._variables[path]
        return variable if hasattr(variable, "read_value") else variable.value

    def holds(self, path: str) -> bool:
        """Every variable has values."""
        return path in self._variables


class TorchStore:
    """The parameters and buffers of a PyTorch model."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self._tensors = tensors

    def read(self, path: str) -> Array:
        """A tensor as an array; bfloat16, which numpy lacks, as float32."""
        import torch

        tensor = self._tensors[path].detach()
        if tensor.is_meta:
            raise TransferError(
                f"{path} is on the meta device and holds no values; take match.state_dict() and load it "
                "with load_state_dict(..., assign=True)"
            )
        tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        array: Array = tensor.cpu().numpy()
        return array

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Copies into a tensor, on whatever device it is."""
        import torch

        tensor = self._tensors[path]
        with torch.no_grad():
            for index, piece in placed(tensor.shape, pieces):
                tensor[index].copy_(torch.from_numpy(piece))

    def holds(self, path: str) -> bool:
        """Whether a tensor is anywhere but on the meta device."""
        return not self._tensors[path].is_meta


def _is_waiting(holder: Any) -> bool:
    """Whether the values of a variable of TensorFlow are still in a file."""
    return getattr(holder, "waiting", None) is not None and not holder.is_initialized()


def _assign_range(holder: Any, index: tuple[slice, ...], piece: Array) -> None:
    """Assigns a part of a variable of TensorFlow, in its own memory."""
    import tensorflow as tf

    if _is_waiting(holder):
        holder.assign(holder.waiting())
    places = [place.indices(size) for place, size in zip(index, holder.shape, strict=False)]
    begin, end, strides = zip(*places, strict=True)
    values = tf.cast(piece, holder.dtype)
    tf.raw_ops.ResourceStridedSliceAssign(ref=holder.handle, begin=begin, end=end, strides=strides, value=values)


class Watched:
    """Looks at source tensors as they are read; keeps the last one, of which several pieces may be wanted."""

    def __init__(self, read: Callable[[str], Array]) -> None:
        self._read = read
        self._last: tuple[str, Array] | None = None

    def source_of(self, target: Tensor) -> Callable[[str], Array]:
        """Reads for one target tensor.

        Raises:
            TransferError: a tensor holds NaN or infinity, or values that the target's type cannot hold.
        """

        def read(path: str) -> Array:
            if self._last is None or self._last[0] != path:
                self._last = None  # before the next one takes its memory
                value = self._read(path)
                _check_finite(path, value)
                self._last = path, value
            _check_exact(path, self._last[1], target)
            return self._last[1]

        return read


def require_complete(plan: Plan, read: Callable[[str], Array]) -> None:
    """Raises if a transfer would leave something out that changes the function.

    A weight without a place is no loss if it holds nothing but the constant that its absence stands
    for: a bias of zeros, a scale of ones.

    Raises:
        IncompleteMatchError: it would; the text says what, and why.
    """
    unexpected = {
        path: reason
        for path, reason in plan.unexpected.items()
        if path not in plan.neutral or (read(path) != plan.neutral[path]).any()
    }
    if plan.missing or unexpected:
        raise IncompleteMatchError(list(plan.missing.items()), list(unexpected.items()))


def check(plan: Plan, read: Callable[[str], Array]) -> None:
    """Looks at every source tensor before anything is written.

    Raises:
        TransferError: one holds NaN or infinity, or values that its target's type cannot hold.
    """
    for entry in plan.entries.values():
        for source in entry.sources:
            value = read(source)
            _check_finite(source, value)
            _check_exact(source, value, entry.tensor)


def produce(plan: Plan, path: str, read: Callable[[str], Array]) -> Array:
    """Computes one target tensor."""
    entry = plan.entries[path]
    return assemble(entry.tensor.shape, entry.tensor.numpy_dtype, entry.parts, read)


def all_finite(value: Array) -> bool:
    """Whether a tensor holds neither NaN nor infinity; the check needs next to no memory.

    A sum is NaN or infinite if one of its terms is. That it may also overflow is found out by looking at each term.
    """
    if not np.issubdtype(value.dtype, np.inexact):
        return True
    with np.errstate(all="ignore"):
        return all(np.isfinite(slab.sum()) or np.isfinite(slab).all() for slab in _flat_slabs(value))


def produce_slabs(plan: Plan, path: str, read: Callable[[str], Array]) -> Iterator[Array]:
    """Computes one target tensor, a range of its first dimension at a time."""
    entry = plan.entries[path]
    return slabs(entry.tensor.shape, entry.tensor.numpy_dtype, entry.parts, read, SLAB_BYTES)


def _check_finite(path: str, value: Array) -> None:
    if not all_finite(value):
        count = int(value.size - np.isfinite(value).sum())
        raise TransferError(f"{path} holds NaN or infinity in {count} of {value.size} places; nothing was assigned")


def _check_exact(path: str, value: Array, target: Tensor) -> None:
    if np.can_cast(value.dtype, target.numpy_dtype) and target.dtype != "bfloat16":
        return
    if not all(_is_exact(slab, target) for slab in _flat_slabs(value)):
        raise TransferError(
            f"{target.path} is {target.dtype} and cannot hold the {value.dtype} values of {path} exactly; "
            "convert one model to the type of the other first; nothing was assigned"
        )


def _is_exact(value: Array, target: Tensor) -> bool:
    """Whether every value is the same in the target's type."""
    dtype = target.numpy_dtype
    if value.dtype.kind == "c" and dtype.kind != "c":
        return False
    narrowed = value.astype(dtype, copy=False)
    if target.dtype == "bfloat16":
        narrowed = (np.ascontiguousarray(narrowed).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return bool(np.array_equal(narrowed, value))


def _flat_slabs(value: Array) -> Iterator[Array]:
    flat = value.reshape(-1)
    return (flat[start : start + SLAB] for start in range(0, flat.size, SLAB))


def carry_out(plan: Plan, source: Store, target: Store) -> None:
    """Writes every entry of a plan, or none.

    Args:
        plan: what goes where.
        source: where it comes from.
        target: where it goes.

    Raises:
        TransferError: a tensor cannot be carried over; nothing was changed.
    """
    check(plan, source.read)
    # Without a buffer: what is still in one when the disk is full could not be read back.
    with tempfile.TemporaryFile(prefix="autoport-", buffering=0) as journal:
        written: list[tuple[str, Any, tuple[int, ...]]] = []
        try:
            with stage("carrying weights over", len(plan.entries)) as step:
                for path in plan.entries:
                    written.append((path, *_keep(path, target.read(path), journal)))
                    target.write(path, produce_slabs(plan, path, source.read))
                    step()
        except BaseException:
            _undo(journal, written, target)
            raise


def _keep(path: str, old: Array, journal: Any) -> tuple[Any, tuple[int, ...]]:
    """Writes a tensor's bytes to the journal without a copy in memory; its type and shape."""
    rest = memoryview(np.ascontiguousarray(old).reshape(-1).view(np.uint8))
    try:
        while rest:
            rest = rest[journal.write(rest) :]
    except OSError as error:
        raise TransferError(
            f"the old values of {path} could not be kept in a temporary file ({error}); nothing was assigned; "
            "the environment variable TMPDIR says in which folder such files are made"
        ) from error
    return old.dtype, old.shape


def _kept(journal: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[Array]:
    """The next tensor of the journal, piece by piece."""
    frame = np.broadcast_to(np.empty((), dtype), shape)
    for place in ranges(frame, SLAB_BYTES):
        piece = np.empty(place.shape, dtype)
        rest = memoryview(piece.reshape(-1).view(np.uint8))
        while rest:
            rest = rest[journal.readinto(rest) :]
        yield piece


def _undo(journal: Any, written: list[tuple[str, Any, tuple[int, ...]]], target: Store) -> None:
    journal.seek(0)
    for path, dtype, shape in written:
        target.write(path, _kept(journal, dtype, shape))
    logger.info("undid %d assignments", len(written))
