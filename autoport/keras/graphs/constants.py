"""Values that a TensorFlow graph computes from constants alone: position numbers, masks, scale factors."""

from __future__ import annotations

import logging
import math
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.graph.constants import LARGEST_CONSTANT

logger = logging.getLogger(__name__)


def fold_constants(
    graph: Any, input_arrays: Mapping[str, Any] = MappingProxyType({}), further: Iterable[Any] = ()
) -> tuple[set[str], dict[str, Any]]:
    """Computes values that depend on no input or variable, where other operations or layers read them.

    Args:
        graph: the traced graph, or the body of a function that it calls.
        input_arrays: values of constant inputs of the body, by tensor name.
        further: further tensors to compute: the arguments of layer calls.

    Returns:
        Names of the operations that depend on constants only, and arrays by tensor name.
    """
    fixed: set[str] = set()
    wanted: dict[str, Any] = {}
    for op in graph.get_operations():
        if _is_fixed(op, fixed) or (op.outputs and op.outputs[0].name in input_arrays):
            fixed.add(op.name)
        else:
            wanted.update({t.name: t for t in op.inputs if t.op.name in fixed and _is_worth_it(t)})
    wanted.update({t.name: t for t in (*graph.outputs, *further) if t.op.name in fixed and _is_worth_it(t)})
    arrays = _evaluate(graph, list(wanted.keys() - input_arrays.keys()), input_arrays) if wanted else {}
    return fixed, {**arrays, **input_arrays}


def _is_fixed(op: Any, fixed: Container[str]) -> bool:
    if op.type == "Const":
        return True
    pure = not op.op_def.is_stateful and op.type not in ("Placeholder", "NoOp") and not op.control_inputs
    return pure and bool(op.inputs or op.outputs) and all(t.op.name in fixed for t in op.inputs)


def _is_worth_it(tensor: Any) -> bool:
    """Whether a tensor is computed, and not known to be too large."""
    if tensor.op.type == "Const" or tensor.dtype in (tf.resource, tf.variant, tf.string) or tensor.shape.rank is None:
        return False
    known_sizes: list[int] = [size for size in tensor.shape if size is not None]
    return math.prod(known_sizes) <= LARGEST_CONSTANT


def _evaluate(graph: Any, names: list[str], input_arrays: Mapping[str, Any]) -> dict[str, Any]:
    nodes = list({name.split(":")[0] for name in (*names, *input_arrays)})
    definition = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), nodes)

    def compute() -> Any:
        fed = {name: tf.constant(array) for name, array in input_arrays.items()}
        return tf.graph_util.import_graph_def(definition, input_map=fed, return_elements=names)

    try:
        run = tf.compat.v1.wrap_function(compute, [])
        return {name: np.asarray(value) for name, value in zip(names, run(), strict=True)}
    except (tf.errors.OpError, ValueError, TypeError) as failure:
        logger.debug("constants were not computed: %s", failure)
        return {}
