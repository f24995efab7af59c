"""Facts about constants: their values as text, whether they count up, whether they are one-hot."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Constants with more elements are neither computed nor compared: a digest writes every value as text.
LARGEST_CONSTANT = 1_000_000


def digest(array: NDArray[Any]) -> str:
    """A text for the values of a constant: in order along a single axis, else sorted, which no layout changes."""
    flat = np.ravel(array).astype(np.float64) if array.dtype.kind in "biuf" else np.zeros(0)
    values = flat if sum(size != 1 for size in array.shape) <= 1 else np.sort(flat)
    shown = ", ".join(f"{value:.6g}" for value in values[:4])
    rounded = " ".join(f"{value:.6g}" for value in values)
    return f"{shown}{', ...' if values.size > 4 else ''} ({hashlib.sha256(rounded.encode()).hexdigest()[:8]})"


def counting_step(array: NDArray[Any]) -> int | None:
    """The step by which every row of an array counts through all numbers: 2 for 0 2 4 1 3 5; None if no step does."""
    size = array.shape[-1] if array.ndim else 0
    step = int(array.flat[1]) if array.size > 1 and array.dtype.kind in "iu" else 0
    if size < 2 or step < 2 or size % step:
        return None
    return step if (array == np.arange(size).reshape(-1, step).T.ravel()).all() else None


def is_one_hot(array: NDArray[Any]) -> bool:
    """Whether every row of an array is a one among zeros."""
    rows = array.ndim > 1 and array.shape[-1] > 1 and array.dtype.kind in "fiub"
    return rows and bool(((array == 0) | (array == 1)).all() and (array.sum(-1) == 1).all())


def consecutive_range(array: NDArray[Any]) -> tuple[int, int] | None:
    """Start and stop of the integers that every row of an array counts up; None if it does not count."""
    if array.ndim == 0 or array.size == 0 or array.dtype.kind not in "iu":
        return None
    start, length = int(array.flat[0]), array.shape[-1]
    return (start, start + length) if (array == np.arange(start, start + length)).all() else None
