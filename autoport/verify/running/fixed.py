"""The part of either graph that neither an input nor a weight enters: position numbers, tables of sines, masks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import tensorflow as tf
from torch import fx


def fixed_nodes(recorded: fx.GraphModule, carried: Collection[str]) -> list[fx.Node]:
    """The PyTorch nodes that depend on no input and on none of the tensors `carried`, in order.

    Args:
        recorded: the graph.
        carried: paths of stored tensors.
    """
    fixed: dict[fx.Node, None] = {}
    for node in recorded.graph.nodes:
        if node.op == "get_attr":
            depends = node.meta["path"] in carried
        else:
            depends = node.op != "call_function" or not all(source in fixed for source in node.all_input_nodes)
        if not depends:
            fixed[node] = None
    return list(fixed)


def fixed_tensors(graph: Any) -> dict[str, int]:
    """The TensorFlow tensors that depend on no input and on no variable.

    Args:
        graph: the `FuncGraph`.

    Returns:
        The index of the operation that makes each, by the name of the tensor, in order.
    """
    captured = {inner.name for outer, inner in graph.captures if outer.dtype != tf.resource}
    fixed: dict[str, int] = {}
    for index, op in enumerate(graph.get_operations()):
        names = [tensor.name for tensor in op.outputs]
        pure = op.type != "Placeholder" and not op.op_def.is_stateful and all(t.name in fixed for t in op.inputs)
        if pure or captured.issuperset(names):
            fixed.update(dict.fromkeys(names, index))
    return fixed
