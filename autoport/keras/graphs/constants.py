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
    graph: Any, given: Mapping[str, Any] = MappingProxyType({}), read: Iterable[Any] = ()
) -> tuple[set[str], dict[str, Any]]:
    """Computes what inputs and variables do not take part in, where something else reads it.

    Args:
        graph: the traced graph, or the body of a function that it calls.
        given: arrays that are known for some inputs of the body, by tensor name.
        read: further tensors that something reads: what layers are called with.

    Returns:
        Names of the operations that only constants take part in, and arrays by tensor name.
    """
    fixed: set[str] = set()
    wanted: dict[str, Any] = {}
    for op in graph.get_operations():
        if _is_fixed(op, fixed) or (op.outputs and op.outputs[0].name in given):
            fixed.add(op.name)
        else:
            wanted.update({t.name: t for t in op.inputs if t.op.name in fixed and _is_worth_it(t)})
    wanted.update({t.name: t for t in (*graph.outputs, *read) if t.op.name in fixed and _is_worth_it(t)})
    found = _evaluated(graph, list(wanted.keys() - given.keys()), given) if wanted else {}
    return fixed, {**found, **given}


def _is_fixed(op: Any, fixed: Container[str]) -> bool:
    if op.type == "Const":
        return True
    pure = not op.op_def.is_stateful and op.type not in ("Placeholder", "NoOp") and not op.control_inputs
    return pure and bool(op.inputs or op.outputs) and all(t.op.name in fixed for t in op.inputs)


def _is_worth_it(tensor: Any) -> bool:
    """Whether a tensor is computed, and not known to be too large."""
    if tensor.op.type == "Const" or tensor.dtype in (tf.resource, tf.variant, tf.string) or tensor.shape.rank is None:
        return False
    known: list[int] = [size for size in tensor.shape if size is not None]
    return math.prod(known) <= LARGEST_CONSTANT


def _evaluated(graph: Any, names: list[str], given: Mapping[str, Any]) -> dict[str, Any]:
    nodes = list({name.split(":")[0] for name in (*names, *given)})
    definition = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), nodes)

    def compute() -> Any:
        fed = {name: tf.constant(array) for name, array in given.items()}
        return tf.graph_util.import_graph_def(definition, input_map=fed, return_elements=names)

    try:
        run = tf.compat.v1.wrap_function(compute, [])
        return {name: np.asarray(value) for name, value in zip(names, run(), strict=True)}
    except (tf.errors.OpError, ValueError, TypeError) as failure:
        logger.debug("constants were not computed: %s", failure)
        return {}
