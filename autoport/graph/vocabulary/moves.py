"""How kinds of operations move positions: every analysis that follows positions asks this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Motion(Enum):
    """How operations move positions.

    `KEEPS`: every position stays, or goes with its axis. `FOLLOWED`: a change of shape, which the names of
    axes follow. `ALONG`: positions move along some axes only. `FEATURES`: positions move between features, or
    between features and space. `UNKNOWN`: anything may happen.
    """

    KEEPS = "keeps"
    FOLLOWED = "followed"
    ALONG = "along"
    FEATURES = "features"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Moves:
    """How a kind moves positions; a kind that declares nothing may move them anywhere.

    Attributes:
        motion: the way it moves them.
        dims: the attribute that holds the dimensions it moves along: one, several, or values by dimension.
        named: the attribute that holds the same by names of axes.
        known_by: further attributes that tell one move from another.
        by_operand: whether further operands tell where positions go, as an index does.
        picks: whether it takes positions of its first operand, as the others say: rows of a table.
        any_order: whether the order of positions before does not count, as for a sort.
        mirrors: whether a composite axis is moved as each of its parts is, as by a flip.
    """

    motion: Motion
    dims: str | None = None
    named: str | None = None
    known_by: tuple[str, ...] = ()
    by_operand: bool = False
    picks: bool = False
    any_order: bool = False
    mirrors: bool = False

    @property
    def rearranges(self) -> bool:
        """Whether positions may end up in other places than the names of axes say."""
        return self.motion in (Motion.ALONG, Motion.FEATURES, Motion.UNKNOWN)

    def along(self, attributes: Mapping[str, Any]) -> frozenset[int] | None:
        """The dimensions along which an operation moves positions; None if it may be any.

        Args:
            attributes: of the operation.
        """
        if not self.rearranges:
            return frozenset()
        values = by_dim(attributes.get(self.dims)) if self.dims is not None else None
        return None if values is None else frozenset(values)


KEEPS, FOLLOWED, UNKNOWN = Moves(Motion.KEEPS), Moves(Motion.FOLLOWED), Moves(Motion.UNKNOWN)


def by_dim(value: Any) -> Mapping[int, Any] | None:
    """The value of an attribute for each dimension that it concerns; None if the dimensions are unknown.

    Args:
        value: one dimension, several, values by dimension, or a pair for each of which (0, 0) concerns none.

    Example:
        >>> by_dim(1), by_dim((0, 2)), by_dim(((0, 0), (1, 2)))
        ({1: None}, {0: None, 2: None}, {1: (1, 2)})
    """
    if value is None or isinstance(value, Mapping):
        return value
    if isinstance(value, int):
        return {value: None}
    if all(isinstance(part, int) for part in value):
        return dict.fromkeys(value)
    return {dim: pair for dim, pair in enumerate(value) if any(pair)}
