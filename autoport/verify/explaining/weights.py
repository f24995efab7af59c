"""Compares the tensors of the PyTorch model with those that the plan makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from autoport.facts.framework import Both, Framework
from autoport.facts.reasons import Code, Reason
from autoport.graph import Graph
from autoport.plan.entry import Entry
from autoport.verify.explaining.unobservable import cannot_show
from autoport.weights.algebra import Array, Term, assemble, view
from autoport.weights.pair import WeightPair
from autoport.weights.piece import Weight

if TYPE_CHECKING:
    from autoport.analysis import Analysis

ReadTensor = Callable[[str], Array]
# Two sums of float32 terms may differ by this much of themselves: four roundings to 24 bits of mantissa.
ROUNDING_OF_SUMS = 2**-22
# The same absolutely, for sums that cancel to nothing.
NEARLY_ZERO = 1e-12


@dataclass(frozen=True)
class WrongTensor:
    """A stored tensor that differs from what the plan makes.

    Attributes:
        path: its key in the PyTorch model.
        expected: what it should hold, in float64.
        difference: the largest difference.
        places: operation and role of every wrong weight in it.
        instead: what it seems to hold, if that can be told.
    """

    path: str
    expected: torch.Tensor
    difference: float
    places: frozenset[tuple[str, str]]
    instead: Reason | None = None

    @property
    def reason(self) -> Reason:
        """What is wrong with it."""
        wrong = Reason.of(Code.WRONG_TENSOR, tensor=self.path, difference=self.difference)
        return wrong if self.instead is None else Reason.of(Code.WRONG_BECAUSE, wrong=wrong, reason=self.instead)

    def why_harmless(self, graph: Graph) -> Reason | None:
        """Why it cannot show in what a PyTorch graph computes; None if it can."""
        codes = [cannot_show(graph, name, role) for name, role in self.places]
        certain = [code for code in codes if code is not None]
        if not certain or len(certain) < len(codes):
            return None
        return Reason.of(Code.CANNOT_SHOW, wrong=self.reason, reason=Reason(certain[0]))

    def __str__(self) -> str:
        return str(self.reason)


@dataclass
class WeightComparison:
    """The result of the comparison, by path.

    Attributes:
        exact: the unrounded sum, for tensors that hold a rounded sum of Keras tensors.
        wrong: tensors that hold something else.
    """

    exact: dict[str, torch.Tensor] = field(default_factory=dict)
    wrong: dict[str, WrongTensor] = field(default_factory=dict)


def compare_weights(analysis: Analysis) -> WeightComparison:
    """Compares every tensor that the plan makes."""
    transfer = analysis.transfer(Framework.TORCH)
    source, target = Both.of(analysis.open_store)
    result = WeightComparison()
    pairs = [weight for pair in analysis.pairs for weight in pair.weights]
    for path, entry in transfer.entries.items():
        actual = target.read(path)
        expected = _expected_tensor(entry, source.read)
        rounded = expected.astype(actual.dtype)
        if _is_sum(entry) and np.all(np.abs(actual - expected) <= _rounding(entry, source.read)):
            result.exact[path] = torch.from_numpy(expected)
        elif np.array_equal(rounded, actual):
            continue
        elif not _same_sums(path, pairs, source.read, target.read):
            difference = float(np.abs(actual - expected).max())
            places = _places(analysis, path, actual, rounded)
            result.wrong[path] = WrongTensor(path, torch.from_numpy(expected), difference, places)
    _explain(result, target.read)
    return result


def _places(analysis: Analysis, path: str, actual: Array, expected: Array) -> frozenset[tuple[str, str]]:
    """Which weights of which PyTorch operations are wrong in a tensor."""
    return frozenset(
        (pair.torch.name, weight.role)
        for pair in analysis.pairs
        for weight in pair.weights
        for piece in (weight.torch.pieces if weight.torch else ())
        if piece.tensor == path and not np.array_equal(view(actual, piece), view(expected, piece))
    )


def _expected_tensor(entry: Entry, read: ReadTensor) -> Array:
    def wide(path: str) -> Array:
        return read(path).astype(np.float64)

    return assemble(entry.tensor.shape, np.dtype(np.float64), entry.parts, wide)


def _rounding(entry: Entry, read: ReadTensor) -> Array:
    """How far rounding may move a sum that was formed in the type of its terms."""

    def size(path: str) -> Array:
        return np.abs(read(path).astype(np.float64))

    parts = [replace(part, terms=tuple(Term(t.source, abs(t.factor)) for t in part.terms)) for part in entry.parts]
    count = max(len(part.terms) for part in parts)
    epsilon = max(float(np.finfo(read(path).dtype).eps) for path in entry.sources)
    return assemble(entry.tensor.shape, np.dtype(np.float64), parts, size) * (count * epsilon)


def _is_sum(entry: Entry) -> bool:
    return any(len(part.terms) > 1 for part in entry.parts)


def _same_sums(path: str, pairs: list[WeightPair], read_tf: ReadTensor, read_torch: ReadTensor) -> bool:
    """Whether only the sum of a tensor and others counts, and that sum is right."""
    summed = [pair for pair in pairs if pair.torch and any(piece.tensor == path for piece in pair.torch.pieces)]
    if not summed or any(pair.torch is None or len(pair.torch.pieces) < 2 or pair.tf is None for pair in summed):
        return False
    return all(
        np.allclose(_total(pair.tf, read_tf), _total(pair.torch, read_torch), rtol=ROUNDING_OF_SUMS, atol=NEARLY_ZERO)
        for pair in summed
        if pair.tf is not None and pair.torch is not None
    )


def _total(weight: Weight, read: ReadTensor) -> Array:
    total: Array = np.sum([view(read(piece.tensor), piece).astype(np.float64) for piece in weight.pieces], axis=0)
    return total


def _explain(result: WeightComparison, read: ReadTensor) -> None:
    """Notes which wrong tensors hold the values of another one, or have two axes exchanged."""
    wrong = result.wrong
    for path, tensor in list(wrong.items()):
        actual = read(path).astype(np.float64)
        instead = _other_tensor(path, actual, wrong) or _exchanged_axes(actual, tensor.expected.numpy())
        wrong[path] = replace(tensor, instead=instead)


def _other_tensor(path: str, actual: Array, wrong: Mapping[str, WrongTensor]) -> Reason | None:
    for other, tensor in wrong.items():
        expected = tensor.expected.numpy()
        if other != path and expected.shape == actual.shape and np.array_equal(expected.astype(np.float32), actual):
            return Reason.of(Code.HOLDS_ANOTHER, tensor=other)
    return None


def _exchanged_axes(actual: Array, expected: Array) -> Reason | None:
    for first in range(actual.ndim):
        for second in range(first + 1, actual.ndim):
            turned = expected.swapaxes(first, second).astype(np.float32)
            if turned.shape == actual.shape and np.array_equal(turned, actual.astype(np.float32)):
                return Reason.of(Code.AXES_EXCHANGED, first=first, second=second)
    return None
