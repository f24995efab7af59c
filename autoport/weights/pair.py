"""One role of two matched operations: the weights of both, in one layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoport.facts.framework import TwoSided
from autoport.weights.piece import Weight
from autoport.weights.role import Role

# The value at which a weight changes nothing, by role: a side that lacks the weight computes x * 1 + 0.
NEUTRAL_VALUES: Mapping[str, float] = {"bias": 0.0, "recurrent_bias": 0.0, "offset": 0.0, "scale": 1.0}


def neutral_value(role: str) -> float | None:
    """The constant that stands for an absent weight; None if there is no such constant."""
    return NEUTRAL_VALUES.get(Role.of(role).base)


@dataclass(frozen=True)
class WeightPair(TwoSided[Weight | None]):
    """One role of two matched operations.

    Attributes:
        role: `kernel`, `bias`, `scale`, ...
        tf: what the Keras side reads; None if it lacks the weight.
        torch: what the PyTorch side reads; None if it lacks the weight.
    """

    role: Role
    tf: Weight | None
    torch: Weight | None

    @property
    def expression(self) -> str:
        """The transform from Keras to PyTorch, as einops writes it."""
        left = " + ".join(str(piece) for piece in self.tf.pieces) if self.tf else str(neutral_value(self.role))
        right = " + ".join(str(piece) for piece in self.torch.pieces) if self.torch else "(absent)"
        return f"{left} -> {right}"
