"""How one target tensor is made: which pieces of which source tensors, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autoport.graph import Tensor
from autoport.weights.algebra import Array, Part, assemble, content, view


@dataclass(frozen=True)
class Entry:
    """How one target tensor is made.

    Attributes:
        tensor: the target.
        parts: its pieces with their sources.
        twins: further parts that belong into the same places, because the target is tied and the source is not.
        reason: why they belong together; of every operation that reads a part of it.
        sources: paths of every source tensor.
    """

    tensor: Tensor
    parts: tuple[Part, ...]
    twins: tuple[Part, ...] = ()
    reason: str = ""

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
            right = " + ".join(str(term) for term in part.terms) if part.terms else f"{part.fill:g}"
            texts.append(f"{right} -> {part.target}".replace("+ -", "- "))
        return "; ".join(dict.fromkeys(texts))
