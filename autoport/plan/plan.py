"""The answer as data: which pieces of which source tensors make up each target tensor, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from autoport.facts.reasons import Code, Reason, Several
from autoport.files.side import Side
from autoport.graph import Graph, Tensor
from autoport.plan.absorption import Absorption
from autoport.weights.algebra import Array, Part, Term, assemble, content, same_part, sum_of, view
from autoport.weights.pair import WeightPair, neutral_value
from autoport.weights.piece import Piece


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


@dataclass
class Plan:
    """A transfer in one direction, as data: it needs neither model to be read or carried out.

    Attributes:
        source: the side that is read.
        target: the side that is written.
        entries: by path of the target tensor.
        conflicts: target tensors that cannot be made as a whole, with the reason.
        neutral: source tensors that have no place in the target, with the value at which they
            change nothing.
        refused: source tensors that the target has no place for, with the reason: biases that nothing could
            absorb, sources of one tensor that differ.
        missing: tensors that the target's forward pass reads and no entry writes, with the reason.
        unexpected: tensors that the source's forward pass reads and no entry uses, with the reason.
    """

    source: Side
    target: Side
    entries: dict[str, Entry] = field(default_factory=dict)
    conflicts: dict[str, Reason] = field(default_factory=dict)
    neutral: dict[str, float] = field(default_factory=dict)
    refused: dict[str, Reason] = field(default_factory=dict)
    missing: dict[str, Reason] = field(default_factory=dict)
    unexpected: dict[str, Reason] = field(default_factory=dict)

    @property
    def used(self) -> set[str]:
        """Paths of the source tensors that some entry reads."""
        return {path for entry in self.entries.values() for path in entry.sources}

    @property
    def carried(self) -> Counter[str]:
        """How many numbers of every source tensor some entry reads; each part counts once."""
        terms = (t for entry in self.entries.values() for part in (*entry.parts, *entry.twins) for t in part.terms)
        pieces = {_identity(term.source): term.source for term in terms}
        counts: Counter[str] = Counter()
        for piece in pieces.values():
            counts[piece.tensor] += math.prod(piece.axes.values())
        return counts

    def decided(self, read: Callable[[str], Array]) -> Plan:
        """The plan without tied tensors into which sources of different values belong.

        Where such a source belongs elsewhere, too, layers are shared in another way on each side: who belongs to whom
        is open, and nothing of it is written.

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
        return replace(self, entries=kept, conflicts=self.conflicts | reasons, refused=self.refused | lost)

    def save(self, path: str | Path) -> None:
        """Writes the plan as JSON, as `docs/plan-format.md` says.

        Args:
            path: of the file, by custom with the ending `.plan.json`.

        Raises:
            AutoportError: the file cannot be written; an old one is as it was.

        Example:
            >>> match.plan().save("resnet50.plan.json")  # doctest: +SKIP
        """
        from autoport.plan.document import save_plan

        save_plan(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> Plan:
        """Reads a plan that `save` wrote.

        Args:
            path: of the file.

        Raises:
            PlanError: it is no plan, or none that this version reads.

        Example:
            >>> autoport.Plan.load("resnet50.plan.json").entries["fc.weight"].expression  # doctest: +SKIP
            'i o -> o i'
        """
        from autoport.plan.document import load_plan

        return load_plan(Path(path))


def build_plan(pairs: Iterable[WeightPair], target: Graph, *, to: str, absorptions: Sequence[Absorption] = ()) -> Plan:
    """Orders weight pairs by target tensor.

    Args:
        pairs: all weights of all matched operations.
        target: graph of the side that is written.
        to: `torch` or `tf`.
        absorptions: biases of the source that go into means of the target.
    """
    values: dict[str, dict[tuple[str, str], Part]] = {}
    twins: dict[str, list[Part]] = {}
    plan = Plan(Side("tf" if to == "torch" else "torch"), Side(to))
    extra: dict[tuple[str, str], list[Term]] = {}
    for absorption in absorptions:
        term = Term(absorption.bias, -1.0)
        extra.setdefault(_identity(absorption.mean), []).append(term)
    for pair in pairs:
        source, written = (pair.tf, pair.torch) if to == "torch" else (pair.torch, pair.tf)
        value = neutral_value(pair.role)
        if source is not None and written is None and value is not None:
            plan.neutral.update({piece.tensor: value for piece in source.pieces})
        for part in _parts(pair, to, extra):
            known = values.setdefault(part.target.tensor, {})
            if not same_part(known.setdefault(_identity(part.target), part), part):
                twins.setdefault(part.target.tensor, []).append(part)
    for path, found in values.items():
        tensor = target.tensors[path]
        parts, others = _once(list(found.values()), math.prod(tensor.shape))
        if sum(map(_extent, parts)) == math.prod(tensor.shape):
            plan.entries[path] = Entry(tensor, tuple(parts), (*others, *twins.get(path, ())))
        else:
            plan.conflicts[path] = Reason(Code.PART_MISSING)
    return plan


def _once(parts: list[Part], size: int) -> tuple[list[Part], list[Part]]:
    """Parts that make up a tensor, and those that make parts of it once more: a layer that is split at one use only."""
    whole = [part for part in parts if _extent(part) == size][:1]
    return (whole, [part for part in parts if part not in whole]) if whole else (parts, [])


def _extent(part: Part) -> int:
    """Number of elements that a part makes."""
    return math.prod(part.target.axes.values())


def _identity(piece: Piece) -> tuple[str, str]:
    """A piece's place in its tensor, whatever its axes are called."""
    return piece.tensor, f"{sorted(piece.select.items())} {sorted(piece.narrow.items())}"


def _parts(pair: WeightPair, to: str, extra: Mapping[tuple[str, str], list[Term]]) -> list[Part]:
    source, target = (pair.tf, pair.torch) if to == "torch" else (pair.torch, pair.tf)
    if target is None:
        return []
    neutral = neutral_value(pair.role)
    if source is None:
        return [Part(piece, fill=neutral or 0.0) for piece in target.pieces[:1]] + [
            Part(piece, fill=0.0) for piece in target.pieces[1:]
        ]
    if len(source.pieces) == len(target.pieces):
        return [
            Part(t, (Term(s), *extra.get(_identity(t), ()))) for s, t in zip(source.pieces, target.pieces, strict=True)
        ]
    first, *others = target.pieces
    return [Part(first, tuple(Term(piece) for piece in source.pieces))] + [Part(piece) for piece in others]
