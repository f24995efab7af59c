"""What the inputs of two models may hold: indices that their tables have, a value that means padding, a mask.

Nothing is known by name. Both models are asked: what they compute of their inputs before any weight comes in is
computed on trial inputs, and shows which indices are looked up, and which comparisons tell padded steps from others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoport.errors import VerificationError
from autoport.verify.running.inputs.reads import Comparison, Reads
from autoport.weights.algebra import Array

# What running a part of a graph on trial inputs may raise.
FAILURES = (VerificationError, RuntimeError, ValueError, TypeError, IndexError, KeyError)
# Values to begin the search for valid indices at: a model may count from 1.
STARTS = (0, 1, 2, 4, 8)
# By how much one number is changed to see which rows it chooses: a model may halve it, or clip it.
STEPS = (1, -1, 2, -2, 8)


@dataclass(frozen=True)
class Domain:
    """What one input may hold.

    Attributes:
        indices: the row numbers, if it is looked up.
        padding: the value that marks a padded step; it is not drawn.
        is_mask: whether it says which steps count.
        is_drawn: whether it is drawn anew; otherwise it keeps the values that the models were matched on.
    """

    indices: range | None = None
    padding: float | None = None
    is_mask: bool = False
    is_drawn: bool = True

    @property
    def is_scaled(self) -> bool:
        """Whether it holds numbers of any size."""
        return self.is_drawn and self.indices is None

    @property
    def has_padding(self) -> bool:
        """Whether it tells which steps are padding."""
        return self.is_mask or self.padding is not None

    @property
    def filler(self) -> float | None:
        """What stands at padded steps: the value that marks them, or else the first row of a table."""
        return self.padding if self.padding is not None or self.indices is None else float(self.indices[0])

    def draw(self, example: Array, rng: np.random.Generator) -> Array:
        """Random values in the shape of an example."""
        if not self.is_drawn:
            return example
        if self.indices is None:
            return rng.standard_normal(example.shape)
        rows = np.asarray([row for row in self.indices if row != self.padding])
        return _cover(rows, example.size, rng).reshape(example.shape).astype(example.dtype)


def _cover(rows: Array, size: int, rng: np.random.Generator) -> Array:
    """As many of the rows as fit, the outermost two first, each about as often."""
    if size < len(rows):
        inner = rng.permutation(rows[1:-1])[: max(0, size - 2)]
        return rng.permutation(np.concatenate([rows[[-1, 0]], inner])[:size])
    rounds = [rng.permutation(rows) for _ in range(-(-size // len(rows)))]
    return rng.permutation(np.concatenate(rounds)[:size])


def valid_steps(batch: int, steps: int, *, at_end: bool) -> Array:
    """Which steps are not padding: another number in every row, and all of the first row if there are several."""
    rows = np.arange(batch) if batch > 1 else np.asarray([0.5])
    padded = np.ceil(rows * (steps - 1) / batch)
    valid: Array = np.arange(steps) < steps - padded[:, None]
    return valid if at_end else valid[:, ::-1]


def has_steps(array: Array) -> bool:
    """Whether an input has steps that could be padded."""
    return array.ndim > 1 and array.shape[1] > 1


class Domains:
    """The domains of all inputs.

    Args:
        examples: inputs that both models accept.
        sides: what either model does with them; one that cannot be computed on the examples is not asked.
        whole: places of inputs that PyTorch takes as integers.
        tables: rows of the tables of inputs that are looked up where neither side can be asked.
    """

    def __init__(
        self, examples: Sequence[Array], sides: Sequence[Reads], whole: Collection[int], tables: Mapping[int, int]
    ) -> None:
        self._examples, self._sides = examples, [side for side in sides if _computes(side, examples)]
        self._tables = tables
        self._rng = np.random.default_rng(0)
        self._found = [self._kind_of(place, place in whole) for place in range(len(examples))]
        masks = self._masks()
        self._found = [replace(domain, is_mask=place in masks) for place, domain in enumerate(self._found)]
        self._found = [replace(domain, is_drawn=domain.is_drawn and not domain.is_mask) for domain in self._found]
        self._found = [replace(domain, padding=self._padding_of(k)) for k, domain in enumerate(self._found)]

    def __iter__(self) -> Iterator[Domain]:
        return iter(self._found)

    def draw(self, rng: np.random.Generator) -> list[Array]:
        """All inputs, random; looked up ones keep their values where they would leave a table together."""
        arrays = [domain.draw(example, rng) for domain, example in zip(self._found, self._examples, strict=True)]
        looked_up = {place for place, domain in enumerate(self._found) if domain.indices is not None}
        if self._fit(arrays, looked_up):
            return arrays
        return [self._examples[k] if k in looked_up else array for k, array in enumerate(arrays)]

    def _kind_of(self, place: int, whole: bool) -> Domain:
        example = self._examples[place]
        indices = self._indices_of(place) if self._is_looked_up(place) else None
        is_float = np.issubdtype(example.dtype, np.floating) and not whole
        return Domain(indices, is_drawn=indices is not None or is_float)

    def _is_looked_up(self, place: int) -> bool:
        """Whether some row is chosen by one number of an input; positions that are counted from a mask are not."""
        example = self._examples[place]
        lookups = [(side, look.index) for side in self._sides for look in side.lookups if place in look.inputs]
        if not lookups:
            return True  # where neither side can be asked, its table may be known
        others = []
        for step in STEPS if example.size else ():
            others.append(example.copy())
            others[-1].flat[0] += step
        return any(self._changed(side, index, place, other) == 1 for side, index in lookups for other in others)

    def _changed(self, side: Reads, value: Any, place: int, array: Array) -> int:
        """How many numbers of a value change with an input; none if it cannot be computed."""
        before, after = (_values(side, self._with(place, each), [value]) for each in (self._examples[place], array))
        return 0 if before is None or after is None else int((before[0] != after[0]).sum())

    def _indices_of(self, place: int) -> range | None:
        """The indices from the smallest to the largest with which every table is left by none."""
        rows = [look.rows for side in self._sides for look in side.lookups if place in look.inputs]
        if not rows:
            return range(self._tables[place]) if place in self._tables else None
        own = (int(self._examples[place].min()), int(self._examples[place].max())) if self._examples[place].size else ()
        start = next((value for value in (*STARTS, *own) if value >= 0 and self._is_valid(place, value)), None)
        if start is None:
            return None
        low = bisect_left(range(start), True, key=lambda value: self._is_valid(place, value))
        values = range(start, 2 * max(rows) + 1)
        stop = start + bisect_left(values, True, key=lambda value: not self._is_valid(place, value))
        return range(low, min(rows) if stop == values.stop else stop)  # an index that is clipped is always valid

    def _is_valid(self, place: int, value: int) -> bool:
        example = self._examples[place]
        return self._fit(self._with(place, np.full(example.shape, value, example.dtype)), {place})

    def _fit(self, arrays: Sequence[Array], places: Collection[int]) -> bool:
        """Whether the tables have every row that certain inputs choose."""
        for side in self._sides:
            lookups = [look for look in side.lookups if not look.inputs.isdisjoint(places)]
            values = _values(side, arrays, [look.index for look in lookups])
            if values is None or any(
                v.size and (v.min() < 0 or v.max() >= look.rows) for v, look in zip(values, lookups, strict=True)
            ):
                return False
        return True

    def _masks(self) -> set[int]:
        """Inputs of zeros and ones along one axis that meet no weights: they choose among what does."""
        data = set[int]().union(*(side.data for side in self._sides))
        masks = {k for k, array in enumerate(self._examples) if k not in data and self._looks_like_mask(k, array)}
        return masks if len(masks) < len(self._examples) and self._sides else set()

    def _looks_like_mask(self, place: int, array: Array) -> bool:
        along = [size for size in array.shape[1:] if size > 1]
        return len(along) == 1 and self._found[place].indices is None and bool(np.isin(array, (0, 1)).all())

    def _padding_of(self, place: int) -> float | None:
        """The value by which either model knows a padded step; None if it knows none."""
        compared = [[test for test in side.comparisons if test.place == place] for side in self._sides]
        constants = [number for tests in compared for test in tests for number in test.constants]
        whole = [number - 1 for number in constants if not self._found[place].is_scaled]  # `x >= 1` tells 0 from others
        candidates = dict.fromkeys([*constants, *whole])
        if not has_steps(self._examples[place]) or not candidates:
            return None
        votes = Counter({value: self._votes(place, value, compared) for value in candidates})
        value, count = votes.most_common(1)[0]
        return value if count else None

    def _votes(self, place: int, value: float, compared: Sequence[Sequence[Comparison]]) -> int:
        """How many comparisons tell steps that hold a value from all others."""
        example, domain = self._examples[place], self._found[place]
        if np.asarray(value).astype(example.dtype) != value:
            return 0
        if domain.indices is not None and (value not in domain.indices or len(domain.indices) < 2):
            return 0
        plain = replace(domain, padding=value).draw(example, self._rng)
        padded = np.where(self._valid_of(plain), plain, value).astype(plain.dtype)
        votes = 0
        for side, tests in zip(self._sides, compared, strict=True):
            results = [test.result for test in tests]
            before, after = (_values(side, self._with(place, array), results) for array in (plain, padded))
            votes += sum(map(self._tells, before or (), after or (), [example] * len(results)))
        return votes

    def _valid_of(self, array: Array) -> Array:
        valid = valid_steps(*array.shape[:2], at_end=True)
        return valid.reshape(valid.shape + (1,) * (array.ndim - 2))

    def _tells(self, before: Array, after: Array, example: Array) -> bool:
        """Whether a result was one value, and is another one at padded steps only, whatever its layout."""
        padded = ~valid_steps(*example.shape[:2], at_end=True)
        uniform = before.size > 0 and bool((before == before.flat[0]).all())
        if not uniform or before.shape != after.shape:
            return False
        return int((before != after).sum()) * padded.size == int(padded.sum()) * before.size

    def _with(self, place: int, array: Array) -> list[Array]:
        return [array if k == place else example for k, example in enumerate(self._examples)]


def _values(side: Reads, arrays: Sequence[Array], keys: Sequence[Any]) -> list[Array] | None:
    """Values of a graph; None if it fails on these inputs."""
    try:
        return side.compute(arrays, keys) if keys else []
    except FAILURES:
        return None


def _computes(side: Reads, examples: Sequence[Array]) -> bool:
    keys = [*(look.index for look in side.lookups), *(test.result for test in side.comparisons)]
    return _values(side, examples, keys) is not None
