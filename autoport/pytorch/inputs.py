"""What a PyTorch model may want to be fed where a Keras model is fed given arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from autoport.graph.build import input_axes

# Orders of axes worth trying, by rank: channels first, as it is, time first.
ORDERS: Mapping[int, tuple[tuple[int, ...], ...]] = {
    3: ((0, 1, 2), (0, 2, 1), (1, 0, 2)),
    4: ((0, 3, 1, 2), (0, 1, 2, 3)),
    5: ((0, 4, 1, 2, 3), (0, 1, 2, 3, 4)),
}
# Inputs of a model that are tried in every order; more are taken in the order of the Keras model.
MOST_ARRANGED = 4
# All their arrangements, as they are and as whole numbers: 4! * 2.
MOST_COMBINATIONS = 48

Order = tuple[int, ...]
# The Keras input that a tensor is (None if that is unknown), and the names of its axes.
Named = tuple[int | None, tuple[str, ...]]


def placed_like(model: nn.Module, array: Any, order: Order | None = None, *, whole: bool = False) -> torch.Tensor:
    """An array as the model's device and floating type want it.

    Args:
        model: where it goes.
        array: numpy array or tensor.
        order: order of axes to permute to.
        whole: turn floating values into integers, for a model that looks them up.
    """
    tensor = array if isinstance(array, torch.Tensor) else torch.from_numpy(np.array(array, copy=True))
    if order is not None:
        tensor = tensor.permute(order)
    example = next((p for p in model.parameters() if p.is_floating_point()), None)
    if whole or not tensor.is_floating_point():
        tensor = tensor.long() if tensor.dtype != torch.bool else tensor
    elif example is not None:
        tensor = tensor.to(example.dtype)
    return tensor if example is None else tensor.to(example.device)


def candidates(model: nn.Module, arrays: Sequence[Any]) -> Iterator[tuple[list[torch.Tensor], list[Named]]]:
    """Ways to feed the Keras model's arrays to a PyTorch model, the likeliest first.

    Yields:
        The tensors in positional order, and for each its place among the arrays and its axes.
    """
    places = range(len(arrays))
    arrangements = itertools.permutations(places) if len(arrays) <= MOST_ARRANGED else [tuple(places)]
    plans = (
        (arrangement, whole, orders)
        for arrangement in arrangements
        for whole in (False, True)
        for orders in itertools.product(*(ORDERS.get(np.ndim(a), (tuple(range(np.ndim(a))),)) for a in arrays))
    )
    for arrangement, whole, orders in itertools.islice(plans, MOST_COMBINATIONS):
        tensors = [placed_like(model, arrays[k], orders[k], whole=whole) for k in arrangement]
        names: list[Named] = [(k, tuple(axes_of(arrays[k])[d] for d in orders[k])) for k in arrangement]
        yield tensors, names


def axes_of(array: Any) -> tuple[str, ...]:
    """Names of the axes of a Keras input."""
    return input_axes(np.ndim(array), whole=np.asarray(array).dtype.kind in "iub")


def named_axes(array: Any, tensors: Sequence[Any]) -> Named:
    """Which Keras input a tensor that the user gave is a permutation of, and what its axes are then."""
    values = array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)
    for place, other in enumerate(map(np.asarray, tensors)):
        if sorted(other.shape) != sorted(values.shape):
            continue
        for order in ORDERS.get(other.ndim, (tuple(range(other.ndim)),)):
            turned = other.transpose(order)
            if turned.shape == values.shape and np.allclose(turned, values, atol=1e-6):
                names = axes_of(other)
                return place, tuple(names[d] for d in order)
    return None, ("?",) * values.ndim
