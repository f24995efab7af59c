"""Carries a plan out: into a model, or into a dictionary of arrays. All or nothing.

Every source tensor is checked before the first target tensor is written. The old values go to a temporary file, tensor
by tensor, from which a failure in the middle is undone. Memory beyond the models stays at a few slabs, or at one tensor
where that is made of several parts.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autoport.base.progress import stage
from autoport.errors import IncompleteMatchError, TransferError
from autoport.graph import Tensor
from autoport.graph.store import Store
from autoport.plan.draft import Draft, Transfer
from autoport.weights.algebra import Array, all_finite, assemble, flat_slabs, ranges, slabs

logger = logging.getLogger(__name__)
SLAB_BYTES = 2**20  # fits into memory that the process has already; fresh pages cost more than the arithmetic


class Watched:
    """Checks source tensors as they are read; keeps the last one, because several pieces of it may follow."""

    def __init__(self, read: Callable[[str], Array]) -> None:
        self._read = read
        self._last: tuple[str, Array] | None = None

    def source_of(self, target: Tensor) -> Callable[[str], Array]:
        """Returns a reader for one target tensor.

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


def require_complete(plan: Transfer, read: Callable[[str], Array]) -> None:
    """Raises if a transfer would leave out something that changes the function.

    A weight without a place is no loss if all its values are the constant that its absence stands for: a bias of
    zeros, a scale of ones.

    Raises:
        IncompleteMatchError: it would; the message says what is left out, and why.
    """
    unexpected = {
        path: reason
        for path, reason in plan.unexpected.items()
        if path not in plan.neutral or (read(path) != plan.neutral[path]).any()
    }
    if plan.missing or unexpected:
        raise IncompleteMatchError(plan.missing.items(), unexpected.items())


def check(plan: Draft, read: Callable[[str], Array]) -> None:
    """Checks every source tensor before anything is written.

    Raises:
        TransferError: one holds NaN or infinity, or values that its target's type cannot hold.
    """
    for entry in plan.entries.values():
        for source in entry.sources:
            value = read(source)
            _check_finite(source, value)
            _check_exact(source, value, entry.tensor)


def produce(plan: Draft, path: str, read: Callable[[str], Array]) -> Array:
    """Computes one target tensor."""
    entry = plan.entries[path]
    return assemble(entry.tensor.shape, entry.tensor.numpy_dtype, entry.parts, read)


def produce_slabs(plan: Draft, path: str, read: Callable[[str], Array]) -> Iterator[Array]:
    """Computes one target tensor, one slab along its first dimension at a time."""
    entry = plan.entries[path]
    return slabs(entry.tensor.shape, entry.tensor.numpy_dtype, entry.parts, read, SLAB_BYTES)


def _check_finite(path: str, value: Array) -> None:
    if not all_finite(value):
        count = int(value.size - np.isfinite(value).sum())
        raise TransferError(f"{path} holds NaN or infinity in {count} of {value.size} places; nothing was assigned")


def _check_exact(path: str, value: Array, target: Tensor) -> None:
    if np.can_cast(value.dtype, target.numpy_dtype) and target.dtype != "bfloat16":
        return
    if not all(_is_exact(slab, target) for slab in flat_slabs(value)):
        raise TransferError(
            f"{target.path} is {target.dtype} and cannot hold the {value.dtype} values of {path} exactly; "
            "convert one model to the type of the other first; nothing was assigned"
        )


def _is_exact(value: Array, target: Tensor) -> bool:
    """Whether every value is the same in the target's type."""
    dtype = target.numpy_dtype
    if value.dtype.kind == "c" and dtype.kind != "c":
        return False
    rounded = value.astype(dtype, copy=False)
    if target.dtype == "bfloat16":
        rounded = (np.ascontiguousarray(rounded).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return bool(np.array_equal(rounded, value))


def carry_out(plan: Draft, source: Store, target: Store) -> None:
    """Writes every entry of a plan, or none.

    Args:
        plan: what goes where.
        source: tensors of the model that is read.
        target: tensors of the model that is written.

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
    """Writes a tensor's bytes to the journal without a copy in memory; returns its dtype and shape."""
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


def _read_back(journal: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[Array]:
    """Reads the next tensor of the journal, slab by slab."""
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
        target.write(path, _read_back(journal, dtype, shape))
    logger.info("undid %d assignments", len(written))
