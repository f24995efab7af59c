"""How one target tensor is made: which pieces of which source tensors, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from autoport.facts.reasons import Reason
from autoport.graph import Tensor
from autoport.weights.algebra import Array, Part, assemble, content, sum_of, view


@dataclass(frozen=True)
class Entry:
    """How one target tensor is made.

    Attributes:
        tensor: the target.
        parts: its pieces with their sources.
        twins: further parts that belong into the same places, because the target is tied and the source is not.
        reasons: why they belong together, of every two operations that read a part of it; two entries that
            are made alike are equal whatever the reasons.
        sources: paths of every source tensor.
    """

    tensor: Tensor
    parts: tuple[Part, ...]
    twins: tuple[Part, ...] = ()
    reasons: tuple[Reason, ...] = field(default=(), compare=False)

    @property
    def sources(self) -> list[str]:
        """Paths of the source tensors, each once."""
        paths = (term.source.tensor for part in (*self.parts, *self.twins) for term in part.terms)
        return list(dict.fromkeys(paths))

    def contradicts(self, read: Callable[[str], Array]) -> bool:
        """Whether a twin holds other values than the parts."""
        if not self.twins:
            return False
        made = assemble(self.tensor.shape, np.result_type(*map(read, self.sources)), self.parts, read)
        return any((view(made, twin.target) != content(twin, read)).any() for twin in self.twins)

    @property
    def expression(self) -> str:
        """The transform in one line."""
        texts = []
        for part in self.parts:
            made = sum_of(part.terms) if part.terms else f"{part.fill:g}"
            texts.append(f"{made} -> {part.target}")
        return "; ".join(dict.fromkeys(texts))
