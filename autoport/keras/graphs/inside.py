"""Where inside of a layer the result of one of its operations is: before the activation, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def last_reader(operations: Sequence[Any], handles: set[str]) -> Any:
    """The last result that weights enter, and that data has entered, too.

    Args:
        operations: TensorFlow operations of one layer, in order.
        handles: names of the tensors through which the layer reads its weights.

    Returns:
        The tensor; None if the weights are read in no such place. Changes of shape behind it, which
        keep the order of elements, still belong to it.
    """
    weights, data = set(handles), set()
    found = None
    for op in operations:
        read = {tensor.name for tensor in op.inputs}
        from_data = bool(read - weights - _constants(op)) and not read <= weights
        if read & weights and not from_data:
            weights |= {tensor.name for tensor in op.outputs}
        elif read & weights or (found is not None and op.type in ("Reshape", "Squeeze") and read & data):
            found = op.outputs[0]
            data = {found.name}
    return found


def _constants(op: Any) -> set[str]:
    return {tensor.name for tensor in op.inputs if tensor.op.type == "Const"}
