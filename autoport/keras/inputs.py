"""Example inputs of a Keras model, from the shapes that it declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, cycle
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.errors import InputError, UnbuiltModelError
from autoport.internals.keras import structured_inputs
from autoport.keras.trace import layer_classes

# More than one, because layouts leave out axes of size 1.
BATCH = 2
# Sizes for open dimensions, by the rank of the input: even and not square first, so that
# asymmetric padding and exchanged axes show; then the squares that fixed heads were made for.
OPEN_SIZES: dict[int, tuple[tuple[int, ...], ...]] = {
    2: ((12,), (16,), (32,), (64,), (128,)),
    3: ((24,), (32,), (64,), (100,), (128,), (256,), (512,)),
    4: (
        (96, 128),
        (224, 192),
        (64, 64),
        (224, 224),
        (32, 32),
        (28, 28),
        (128, 128),
        (256, 256),
        (299, 299),
        (331, 331),
        (384, 384),
        (512, 512),
        (48, 48),
        (24, 24),
        (12, 12),
    ),
    5: ((16, 24, 32), (16, 112, 112), (32, 32, 32)),
}


def declared_specs(model: Any) -> Any:
    """Shapes and dtypes that a Keras model declares, in the structure of its inputs.

    Raises:
        UnbuiltModelError: it has no weights yet.
        InputError: it is built, but declares no input shape.
    """
    inputs = getattr(model, "inputs", None)
    if inputs:
        structure = structured_inputs(model)
        specs = tf.nest.map_structure(_spec, inputs if structure is None else structure)
        return specs[0] if isinstance(specs, (list, tuple)) and len(specs) == 1 else specs
    if not getattr(model, "built", True):
        raise UnbuiltModelError(
            f"the Keras model {model.name!r} is not built, so it has no weights yet: "
            "call it once on example inputs, or model.build(input_shape)"
        )
    built: dict[str, Any] = getattr(model, "get_build_config", dict)() or {}
    shape = built.get("input_shape") or next(iter(built.get("shapes_dict", {}).values()), None)
    if shape is None:
        raise InputError(f"the Keras model {getattr(model, 'name', model)!r} declares no input shape: pass inputs=")
    dtype = getattr(model, "compute_dtype", None) or "float32"
    if isinstance(shape, dict):
        return {key: tf.TensorSpec(value, dtype) for key, value in shape.items()}
    if isinstance(shape, (list, tuple)) and shape and isinstance(shape[0], (list, tuple)):
        return [tf.TensorSpec(value, dtype) for value in shape]
    return tf.TensorSpec(tuple(shape), dtype)


def _spec(tensor: Any) -> Any:
    shape = getattr(tensor, "shape", None)
    return tf.TensorSpec(tuple(shape) if shape is not None else None, tensor.dtype)


def examples(model: Any) -> Iterator[Any]:
    """Example inputs of every size worth trying, in the structure that the model takes."""
    specs = declared_specs(model)
    flat = tf.nest.flatten(specs)
    ranks = {spec.shape.rank for spec in flat if None in spec.shape.as_list()[1:]}
    rank = max(ranks, default=0)
    rng = np.random.default_rng(0)
    for sizes in OPEN_SIZES.get(rank, ((16,) * rank,)) if rank else ((),):
        yield tf.nest.map_structure(lambda spec, s=sizes: _example(spec, s, rng), specs)


def _example(spec: Any, sizes: Sequence[int], rng: np.random.Generator) -> Any:
    """Normally distributed floats, or integers 0 and 1, which any table and any mask has."""
    free = chain(sizes, cycle(sizes[-1:]))
    shape = [BATCH] + [next(free) if size is None else int(size) for size in spec.shape.as_list()[1:]]
    dtype = spec.dtype.as_numpy_dtype
    if np.issubdtype(dtype, np.floating):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)


def is_keras_model(model: Any) -> bool:
    """Whether an object is a layer or a model of a loaded Keras."""
    return isinstance(model, tuple(layer_classes()))
