"""Both models as they were read: what runs when they are verified."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from autoport.errors import TraceError
from autoport.internals.pytorch import tree_map
from autoport.keras.read import KerasReading
from autoport.pytorch.read import TorchReading
from autoport.pytorch.trace import holds_values, trace


class Readings(NamedTuple):
    """A Keras model and a PyTorch model as they were read.

    Attributes:
        tf: the Keras model.
        torch: the PyTorch model.
    """

    tf: KerasReading
    torch: TorchReading


def recorded_on(reading: TorchReading, feed: Sequence[torch.Tensor]) -> fx.GraphModule:
    """The recorded graph of a PyTorch model on other inputs: which calls run may depend on them.

    Args:
        reading: the model, as it was read on its example inputs.
        feed: what its graph is to be fed, in the order of its placeholders.
    """
    return _recorded(reading.model, *_inputs(reading, feed))


def recorded_with_mask(
    reading: TorchReading, feed: Sequence[torch.Tensor], mask: torch.Tensor
) -> Iterator[tuple[str, fx.GraphModule]]:
    """Recorded graphs of a PyTorch model that is given a mask, too, by any parameter that was left out so far.

    Args:
        reading: the model, as it was read on its example inputs.
        feed: what its graph is to be fed, in the order of its placeholders; the mask comes behind it.
        mask: which steps count, as whole numbers.

    Yields:
        The name of a parameter, and the graph; parameters with which the model does not run are left out.
    """
    args, kwargs = _inputs(reading, feed)
    parameters = list(inspect.signature(reading.model.forward).parameters.values())
    for parameter in parameters[len(args) :]:
        if parameter.default is None and kwargs.get(parameter.name) is None:
            others = {name: value for name, value in kwargs.items() if name != parameter.name}
            try:
                yield parameter.name, _recorded(reading.model, args, {**others, parameter.name: mask})
            except TraceError:
                continue


def _inputs(reading: TorchReading, feed: Sequence[torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    left = iter(feed)

    def given(leaf: Any) -> Any:
        return next(left).to(leaf.device, leaf.dtype) if hasattr(leaf, "shape") else leaf

    args, kwargs = tree_map(given, (reading.args, reading.kwargs))
    return args, kwargs


def _recorded(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.GraphModule:
    recorded = trace(model, args, kwargs)
    return recorded if holds_values(recorded) else trace(model, args, kwargs, real=True)
