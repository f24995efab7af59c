"""The recipe of one target tensor: which pieces of which source tensors, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from autoport.facts.reasons import Reason
from autoport.graph import Tensor
from autoport.weights.algebra import Array, Part, assemble, content, sum_of, view


@dataclass(frozen=True)
class Entry:
    """The recipe of one target tensor.

    Attributes:
        tensor: the target.
        parts: its pieces with their sources.
        twins: further parts for the same places, because the target ties what the source stores twice.
        reasons: why the operations that read it are pairs. They do not count when entries are compared.
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
        value = assemble(self.tensor.shape, np.result_type(*map(read, self.sources)), self.parts, read)
        return any((view(value, twin.target) != content(twin, read)).any() for twin in self.twins)

    @property
    def expression(self) -> str:
        """The transform in one line."""
        texts = []
        for part in self.parts:
            source = sum_of(part.terms) if part.terms else f"{part.fill:g}"
            texts.append(f"{source} -> {part.target}")
        return "; ".join(dict.fromkeys(texts))
