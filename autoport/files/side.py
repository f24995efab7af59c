"""One model as files know it."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoport.graph import Tensor
from autoport.weights.algebra import Array


@dataclass
class Side:
    """One model of a plan as files know it.

    Attributes:
        framework: `tf` or `torch`.
        model: its name, shown to people.
        tensors: every tensor it stores, by path, used or not.
        names: what a tensor is called in files, by path and by layout; see `autoport.files.names`.
        aliases: further paths of tied tensors, each with the path it is stored under.
        kept: what a file of this side holds besides (counters, states of random generators), by path.
    """

    framework: str
    model: str = ""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Array] = field(default_factory=dict)
