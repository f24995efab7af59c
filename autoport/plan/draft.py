"""One direction of a match: first as structure decides it, then with what the values of the weights decide."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from autoport.facts.reasons import Code, Reason, Several
from autoport.plan.entry import Entry
from autoport.weights.algebra import Array
from autoport.weights.piece import Piece


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A transfer as far as structure decides it, before any value is read.

    Attributes:
        entries: by path of the target tensor.
        conflicts: target tensors of which a part has no source, or whose sources differ, with the reason.
        neutral: source tensors without a place in the target, with the value at which they change nothing.
        refused: source tensors that are not ported, with the reason: biases that nothing can absorb, and different
            sources of one tensor.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    conflicts: Mapping[str, Reason] = field(default_factory=dict)
    neutral: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, Reason] = field(default_factory=dict)

    @property
    def used(self) -> set[str]:
        """Paths of the source tensors that some entry reads."""
        return {path for entry in self.entries.values() for path in entry.sources}

    @property
    def elements_used(self) -> Counter[str]:
        """By path of a source tensor, how many of its elements some entry reads; each piece counts once."""
        terms = (t for entry in self.entries.values() for part in (*entry.parts, *entry.twins) for t in part.terms)
        pieces = {place_of(term.source): term.source for term in terms}
        counts: Counter[str] = Counter()
        for piece in pieces.values():
            counts[piece.tensor] += math.prod(piece.axes.values())
        return counts

    def without_conflicts(self, read: Callable[[str], Array]) -> Draft:
        """The draft without tied tensors whose sources hold different values.

        If such a source is also read by other entries, the two sides share layers in different ways. Then those
        entries are dropped, too, because nothing decides which layer corresponds to which.

        Args:
            read: gives the stored source tensor of a path.
        """
        refused = [entry for entry in self.entries.values() if entry.contradicts(read)]
        if not refused:
            return self
        reasons = {e.tensor.path: Reason.of(Code.SOURCES_DIFFER, sources=Several(e.sources)) for e in refused}
        lost = {
            path: Reason.of(Code.ONE_TENSOR, tensor=e.tensor.path, reason=reasons[e.tensor.path])
            for e in refused
            for path in e.sources
        }
        for path, entry in self.entries.items():
            shared = [source for source in entry.sources if source in lost]
            if shared and path not in reasons:
                reasons[path] = Reason.of(Code.SHARED_OTHERWISE, tensor=shared[0], reason=lost[shared[0]])
        kept = {path: entry for path, entry in self.entries.items() if path not in reasons}
        return replace(self, entries=kept, conflicts={**self.conflicts, **reasons}, refused={**self.refused, **lost})


@dataclass(frozen=True, kw_only=True)
class Transfer(Draft):
    """A transfer that can be carried out: the entries, and the tensors that they leave out.

    Attributes:
        missing: tensors that the target's forward pass reads and no entry writes, with the reason.
        unexpected: tensors that the source's forward pass reads and no entry uses, with the reason.
    """

    missing: Mapping[str, Reason] = field(default_factory=dict)
    unexpected: Mapping[str, Reason] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the entries leave out no tensor that a forward pass reads."""
        return not self.missing and not self.unexpected


def place_of(piece: Piece) -> tuple[str, str]:
    """A piece's place in its tensor, independent of the names of its axes."""
    return piece.tensor, f"{sorted(piece.select.items())} {sorted(piece.narrow.items())}"
