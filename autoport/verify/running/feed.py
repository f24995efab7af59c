"""What both models are fed: the same random numbers, each in its own layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from autoport.graph import Graph
from autoport.internals.pytorch import tree_leaves
from autoport.keras.read import KerasReading, flat_inputs
from autoport.pytorch.inputs import ORDERS, axes_of
from autoport.pytorch.read import TorchReading
from autoport.verify.running.replay import working_copy
from autoport.weights.algebra import Array


def draw(graph: Graph, reading: KerasReading, torch_reading: TorchReading, seed: int) -> list[Array]:
    """Random inputs of the shapes that the models were traced on.

    Floats are normally distributed. Integers that are looked up range over the whole table. Other integers (a mask,
    say) are those that the model was traced on, and so are all inputs if PyTorch was given some of its own.
    """
    rng = np.random.default_rng(seed)
    examples = flat_inputs(reading.inputs)
    tensors = [leaf for leaf in tree_leaves((torch_reading.args, torch_reading.kwargs)) if hasattr(leaf, "shape")]
    named = dict(zip([place for place, _ in torch_reading.names], tensors, strict=True))
    if None in named:
        return examples
    return [_draw(example, named.get(place), _rows(graph, place), rng) for place, example in enumerate(examples)]


def _draw(example: Array, tensor: Any, rows: int | None, rng: np.random.Generator) -> Array:
    if rows is not None:
        return rng.integers(0, rows, example.shape).astype(example.dtype)
    looked_up = tensor is not None and not tensor.is_floating_point()
    if not np.issubdtype(example.dtype, np.floating) or looked_up:
        return example
    return rng.standard_normal(example.shape)


def _rows(graph: Graph, place: int) -> int | None:
    """Number of rows of the smallest table that an input is looked up in."""
    waiting = [op.name for op in graph.ops() if op.kind.is_input and op.attrs.get("position") == place]
    sizes = []
    while waiting:
        for consumer in map(graph.op, graph.successors(waiting.pop())):
            if consumer.kind.is_lookup:
                sizes += [piece.sizes.get("v", 1) for weight in consumer.weights.values() for piece in weight.pieces]
            elif consumer.kind.is_shape_only:
                waiting.append(consumer.name)
    return min(sizes, default=None)


def input_orders(reading: TorchReading, arrays: Sequence[Array]) -> list[tuple[int, ...]]:
    """For every tensor that PyTorch takes, the order of the axes of its Keras input; guessed by shape if unknown."""
    leaves = [leaf for leaf in tree_leaves((reading.args, reading.kwargs)) if hasattr(leaf, "shape")]
    orders: list[tuple[int, ...]] = []
    for leaf, (place, names) in zip(leaves, reading.names, strict=True):
        if place is not None:
            known = axes_of(arrays[place])
            orders.append(tuple(known.index(name) for name in names))
            continue
        for array in (a for a in arrays if a.ndim == leaf.dim() and a.shape != tuple(leaf.shape)):
            likely = ORDERS.get(array.ndim, ())
            orders += [order for order in likely if array.transpose(order).shape == tuple(leaf.shape)]
    return orders


def torch_feed(reading: TorchReading, arrays: Sequence[Array]) -> list[torch.Tensor]:
    """The same inputs as the PyTorch graph takes them, in the order of its placeholders."""
    leaves = [leaf for leaf in tree_leaves((reading.args, reading.kwargs)) if hasattr(leaf, "shape")]
    return [_feed_leaf(leaf, *named, arrays) for leaf, named in zip(leaves, reading.names, strict=True)]


def _feed_leaf(leaf: Any, place: int | None, axes: Sequence[str], arrays: Sequence[Array]) -> torch.Tensor:
    if place is None:
        return working_copy(leaf)
    array = arrays[place]
    order = [axes_of(array).index(name) for name in axes]
    tensor = torch.from_numpy(np.ascontiguousarray(array.transpose(order)))
    return working_copy(tensor.to(leaf.dtype) if not leaf.is_floating_point() else tensor)
