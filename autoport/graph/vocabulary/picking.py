"""Which kinds only pick elements, so that functions of single elements may change places with them.

f(slice(x)) = slice(f(x))                    for any function of single elements
f(max_pool(x)) = max_pool(f(x))              for a function that never falls
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Picks(Enum):
    """What an operation makes of the elements that it reads."""

    ELEMENTS = "elements"
    LARGEST = "largest"
    SMALLEST = "smallest"
    ELEMENTS_AND_PADDING = "elements_and_padding"


_ELEMENTS = "slice flip roll channel_shuffle pixel_shuffle pixel_unshuffle depth_to_space space_to_depth gather lookup"
_LARGEST = "max_pool global_max_pool adaptive_max_pool reduce_max"
PICKING: Mapping[str, Picks] = {
    **dict.fromkeys(_ELEMENTS.split(), Picks.ELEMENTS),
    **dict.fromkeys(_LARGEST.split(), Picks.LARGEST),
    "reduce_min": Picks.SMALLEST,
}
# A pooling over all of space is a reduction; one that runs along axes without names has only the latter's name.
REDUCTIONS: Mapping[str, str] = {"global_avg_pool": "reduce_mean", "global_max_pool": "reduce_max"}


def picks(kind: str, attrs: Mapping[str, Any]) -> Picks | None:
    """What an operation picks; None if it computes.

    Args:
        kind: of the operation.
        attrs: its attributes.
    """
    if kind == "resize":
        return Picks.ELEMENTS if attrs.get("mode") == "nearest" else None
    if kind == "pad":
        return Picks.ELEMENTS_AND_PADDING if attrs["mode"] == "constant" else Picks.ELEMENTS
    return PICKING.get(kind)
