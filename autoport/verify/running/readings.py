"""Both models as they were read: what runs when they are verified."""

from __future__ import annotations

from typing import NamedTuple

from autoport.keras.read import KerasReading
from autoport.pytorch.read import TorchReading


class Readings(NamedTuple):
    """A Keras model and a PyTorch model as they were read.

    Attributes:
        tf: the Keras model.
        torch: the PyTorch model.
    """

    tf: KerasReading
    torch: TorchReading
