"""Example inputs of the shapes that the command line names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from autoport.errors import InputError


def example_inputs(model: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """Seeded inputs of given shapes: normal noise, or zeros and ones where the model declares integers.

    Args:
        model: a Keras model.
        shapes: one for each input, in the order of the model.

    Returns:
        An array, or a list of arrays for several shapes.
    """
    declared = [str(getattr(tensor, "dtype", "")) for tensor in getattr(model, "inputs", None) or ()]
    rng = np.random.default_rng(0)
    arrays = []
    for number, shape in enumerate(shapes):
        is_integer = number < len(declared) and "int" in declared[number]
        arrays.append(rng.integers(0, 2, shape) if is_integer else rng.standard_normal(shape).astype("float32"))
    return arrays[0] if len(arrays) == 1 else arrays


def parse_shape(text: str) -> tuple[int, ...]:
    """Reads a shape as the command line takes it.

    Args:
        text: sizes between `x` or commas, the batch first.

    Raises:
        InputError: it is not a shape.

    Example:
        >>> parse_shape("2x224x224x3")
        (2, 224, 224, 3)
    """
    listed = re.fullmatch(r"\(?\s*(\d+(?:\s*[x,]\s*\d+)*)\s*,?\s*\)?", text.strip())
    shape = tuple(int(size) for size in re.split(r"[x,]", listed.group(1))) if listed else ()
    if not shape or 0 in shape:
        raise InputError(f"--input {text!r} is not a shape: write sizes like 2x224x224x3, the batch first")
    return shape
