"""What the PyTorch graph is fed: the inputs of the Keras model, in the layout and the types that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import fx

from autoport.internals.pytorch import tree_leaves
from autoport.pytorch.inputs import ORDERS, axes_of
from autoport.pytorch.read import TorchReading
from autoport.verify.running.replay import working_copy
from autoport.weights.algebra import Array


def input_tensors(reading: TorchReading) -> list[Any]:
    """The tensors that a PyTorch model was recorded on, in the order of its placeholders."""
    return [leaf for leaf in tree_leaves((reading.args, reading.kwargs)) if hasattr(leaf, "shape")]


def input_orders(reading: TorchReading, arrays: Sequence[Array]) -> list[tuple[int, ...]]:
    """For every tensor that PyTorch takes, the order of the axes of its Keras input; guessed by shape if unknown."""
    orders: list[tuple[int, ...]] = []
    for leaf, (place, names) in zip(input_tensors(reading), reading.names, strict=True):
        if place is not None:
            known = axes_of(arrays[place])
            orders.append(tuple(known.index(name) for name in names))
            continue
        for array in (a for a in arrays if a.ndim == leaf.dim() and a.shape != tuple(leaf.shape)):
            likely = ORDERS.get(array.ndim, ())
            orders += [order for order in likely if array.transpose(order).shape == tuple(leaf.shape)]
    return orders


def inputs_apart(reading: TorchReading) -> dict[fx.Node, int]:
    """The placeholders whose values are no input of the Keras model, each with its number: users gave them apart."""
    placeholders = [node for node in reading.recorded.graph.nodes if node.op == "placeholder"]
    named = enumerate(zip(placeholders, reading.names, strict=True))
    return {node: number for number, (node, (place, _)) in named if place is None}


def torch_feed(reading: TorchReading, arrays: Sequence[Array]) -> list[torch.Tensor]:
    """The same inputs as the PyTorch graph takes them, in the order of its placeholders."""
    return [_feed_leaf(leaf, *named, arrays) for leaf, named in zip(input_tensors(reading), reading.names, strict=True)]


def _feed_leaf(leaf: Any, place: int | None, axes: Sequence[str], arrays: Sequence[Array]) -> torch.Tensor:
    if place is None:
        return working_copy(leaf)
    array = arrays[place]
    order = [axes_of(array).index(name) for name in axes]
    tensor = torch.from_numpy(np.ascontiguousarray(array.transpose(order)))
    return working_copy(tensor.to(leaf.dtype) if not leaf.is_floating_point() else tensor)
