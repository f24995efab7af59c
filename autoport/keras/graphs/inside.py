"""The tensor inside of a layer that one of its operations makes: the result before the activation, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def last_reader(operations: Sequence[Any], handles: set[str]) -> Any:
    """The last result that both weights and data enter.

    Args:
        operations: TensorFlow operations of one layer, in order.
        handles: names of the tensors through which the layer reads its weights.

    Returns:
        The tensor; None if no operation reads weights and data. Changes of shape behind it, which keep the order
        of elements, still belong to it.
    """
    weights, data = set(handles), set()
    last = None
    for op in operations:
        names = {tensor.name for tensor in op.inputs}
        from_data = bool(names - weights - _constants(op)) and not names <= weights
        if names & weights and not from_data:
            weights |= {tensor.name for tensor in op.outputs}
        elif names & weights or (last is not None and op.type in ("Reshape", "Squeeze") and names & data):
            last = op.outputs[0]
            data = {last.name}
    return last


def _constants(op: Any) -> set[str]:
    return {tensor.name for tensor in op.inputs if tensor.op.type == "Const"}
