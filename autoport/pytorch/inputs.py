"""The inputs that a PyTorch model may take where the Keras model takes certain arrays."""

from __future__ import annotations

import itertools
import math
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
# The most inputs to try in every order; more are passed in the order of the Keras model.
MOST_ARRANGED = 4
# The arrangements of that many inputs, as floats and as integers.
MOST_COMBINATIONS = 2 * math.factorial(MOST_ARRANGED)
# Two inputs are the same data up to this: users may have rounded one of them to another float type.
SAME_INPUT = 1e-6

AxisOrder = tuple[int, ...]
# The place of the Keras input that a tensor is (None if it is none of them), and the names of the tensor's axes.
Named = tuple[int | None, tuple[str, ...]]


def as_model_input(
    model: nn.Module, array: Any, order: AxisOrder | None = None, *, as_integers: bool = False
) -> torch.Tensor:
    """An array as a tensor on the model's device, in its float type.

    Args:
        model: the model that takes it.
        array: numpy array or tensor.
        order: order of axes to permute to.
        as_integers: turn floats into integers, for a model that looks them up; noise becomes ones, which every table
            has, and which mean no padding.
    """
    tensor = array if isinstance(array, torch.Tensor) else torch.from_numpy(np.array(array, copy=True))
    if order is not None:
        tensor = tensor.permute(order)
    example = next((p for p in model.parameters() if p.is_floating_point()), None)
    if as_integers and tensor.is_floating_point() and not torch.equal(tensor, tensor.round()):
        tensor = torch.ones_like(tensor)
    if as_integers or not tensor.is_floating_point():
        tensor = tensor.long() if tensor.dtype != torch.bool else tensor
    elif example is not None:
        tensor = tensor.to(example.dtype)
    return tensor if example is None else tensor.to(example.device)


def candidates(model: nn.Module, arrays: Sequence[Any]) -> Iterator[tuple[list[torch.Tensor], list[Named]]]:
    """Ways to pass the Keras model's arrays to a PyTorch model, the likeliest first.

    Yields:
        The tensors in positional order, and for each the place of its array and the names of its axes.
    """
    places = range(len(arrays))
    arrangements = itertools.permutations(places) if len(arrays) <= MOST_ARRANGED else [tuple(places)]
    plans = (
        (arrangement, as_integers, orders)
        for arrangement in arrangements
        for as_integers in (False, True)
        for orders in itertools.product(*(ORDERS.get(np.ndim(a), (tuple(range(np.ndim(a))),)) for a in arrays))
    )
    for arrangement, as_integers, orders in itertools.islice(plans, MOST_COMBINATIONS):
        tensors = [as_model_input(model, arrays[k], orders[k], as_integers=as_integers) for k in arrangement]
        names: list[Named] = [(k, tuple(axes_of(arrays[k])[d] for d in orders[k])) for k in arrangement]
        yield tensors, names


def axes_of(array: Any) -> tuple[str, ...]:
    """Names of the axes of a Keras input."""
    return input_axes(np.ndim(array), whole=np.asarray(array).dtype.kind in "iub")


def named_axes(arrays: Sequence[Any], tensors: Sequence[Any]) -> list[Named]:
    """The Keras inputs of which a user's tensors are permutations, and the names of the tensors' axes.

    Args:
        arrays: the user's tensors, in order.
        tensors: the Keras inputs. Of those with equal values, one that is not taken yet comes first.
    """
    found: list[Named] = []
    for array in arrays:
        taken = [place for place, _ in found if place is not None]
        places = [*(place for place in range(len(tensors)) if place not in taken), *taken]
        matches = (named for place in places if (named := _named(array, place, np.asarray(tensors[place]))))
        found.append(next(matches, (None, ("?",) * np.ndim(_values(array)))))
    return found


def _values(array: Any) -> Any:
    return array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)


def _named(array: Any, place: int, other: Any) -> Named | None:
    """The place of a Keras input and the names of a tensor's axes, if the tensor is a permutation of it."""
    values = _values(array)
    if sorted(other.shape) != sorted(values.shape):
        return None
    for order in ORDERS.get(other.ndim, (tuple(range(other.ndim)),)):
        turned = other.transpose(order)
        if turned.shape == values.shape and np.allclose(turned, values, atol=SAME_INPUT):
            names = axes_of(other)
            return place, tuple(names[d] for d in order)
    return None
