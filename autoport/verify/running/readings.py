"""Both models as they were read: what runs when they are verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import fx

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
    left = iter(feed)

    def given(leaf: Any) -> Any:
        return next(left).to(leaf.device, leaf.dtype) if hasattr(leaf, "shape") else leaf

    args, kwargs = tree_map(given, (reading.args, reading.kwargs))
    recorded = trace(reading.model, args, kwargs)
    return recorded if holds_values(recorded) else trace(reading.model, args, kwargs, real=True)
