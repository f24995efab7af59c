"""Buffers that a forward pass reads as data: constants of the model, or weights.

A table of angles that `__init__` makes is a constant, a bias from a checkpoint is a weight. Both are saved, and
only the other model tells them apart: if it stores a tensor of the same sizes for which no parameter is left, the
buffer is the counterpart of that tensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from autoport.graph import Graph, Tensor
from autoport.graph.emitter import parameter_of

Sizes = tuple[int, ...]


def find_weights(graph: Graph, other: Graph) -> None:
    """Turns stored constants into parameters, where the other model has tensors left for them.

    Args:
        graph: the graph with the buffers, not canonical yet.
        other: the other model's graph.
    """
    constants = [op for op in graph.ops() if op.kind == "constant" and "stored" in op.attrs]
    stored = {op.attrs["stored"] for op in constants}
    left = _count(other.tensors[path] for path in other.read_tensors())
    left -= _count(graph.tensors[path] for path in graph.read_tensors() if path not in stored)
    for op in constants:
        value, sizes = parameter_of(graph.tensors[op.attrs["stored"]])
        if left[sizes] > 0:
            left[sizes] -= 1
            op.kind, op.colour, op.attrs, op.weights = "parameter", ("parameter", *sizes), {}, {"value": value}


def _count(tensors: Iterable[Tensor]) -> Counter[Sizes]:
    return Counter(parameter_of(tensor)[1] for tensor in tensors if "float" in tensor.dtype)
