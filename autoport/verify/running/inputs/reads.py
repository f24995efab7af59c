"""What a model does with its inputs before any weight comes in, as either side tells it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autoport.weights.algebra import Array


class Reach(NamedTuple):
    """What a value of a graph depends on.

    Attributes:
        inputs: places of inputs.
        weighted: whether it depends on weights, or on anything else that a trial should not compute.
    """

    inputs: frozenset[int] = frozenset()
    weighted: bool = False

    @property
    def is_trial(self) -> bool:
        """Whether it is computed of inputs alone."""
        return bool(self.inputs) and not self.weighted

    @staticmethod
    def of(operands: Collection[Reach], weighted: bool = False) -> Reach:
        """What the result of an operation depends on."""
        inputs = frozenset[int]().union(*(operand.inputs for operand in operands))
        return Reach(inputs, weighted or any(operand.weighted for operand in operands))


@dataclass(frozen=True)
class Lookup:
    """Rows of a stored table that inputs choose.

    Attributes:
        index: the value in its graph that holds their numbers.
        rows: how many the table has.
        inputs: places of the inputs.
    """

    index: Any
    rows: int
    inputs: frozenset[int]


@dataclass(frozen=True)
class Comparison:
    """A comparison of an input.

    Attributes:
        result: the value in its graph that holds the result.
        place: of the input.
        constants: numbers that it is compared with; 0 where there is none to be seen.
    """

    result: Any
    place: int
    constants: tuple[float, ...]


@dataclass
class Reads:
    """What a model does with its inputs before any weight comes in.

    Attributes:
        compute: values of its graph, for inputs of the Keras model.
        lookups: of rows.
        comparisons: of inputs.
        data: places of inputs that meet weights, or are put beside other data: they are no masks.
    """

    compute: Callable[[Sequence[Array], Sequence[Any]], list[Array]]
    lookups: list[Lookup]
    comparisons: list[Comparison]
    data: set[int]
