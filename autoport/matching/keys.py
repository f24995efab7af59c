"""Keys of open places: equal where everything above, below or around is equal, back to the matched places."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from autoport.matching.places import Places

Anchors = Mapping[int, int]
_Label = TypeVar("_Label", bound=Hashable)


def number_equal(descriptions: Mapping[int, _Label]) -> dict[int, int]:
    """Equal numbers for equal descriptions."""
    numbers: dict[_Label, int] = {}
    return {place: numbers.setdefault(description, len(numbers)) for place, description in descriptions.items()}


def keys_before(places: Places, anchors: Anchors, colours: dict[int, int]) -> dict[int, int]:
    """Keys of everything before each open place, back to the nearest anchors.

    Args:
        places: both sides, in the direction of reading.
        anchors: the number of its pair for every matched place.
        colours: of the open places, in the direction of the data.
    """
    numbers: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    keys = {place: ~number for place, number in anchors.items()}
    open_keys = {}
    for place in reversed(colours) if places.upwards else colours:
        before = tuple(sorted((position, keys[source]) for source, position in places.sources[place]))
        open_keys[place] = keys[place] = numbers.setdefault((colours[place], before), len(numbers))
    return open_keys


def keys_of_both(down: Places, up: Places, anchors: Anchors, colours: dict[int, int]) -> dict[int, int]:
    """Keys of everything above and below each open place; a place without predecessors also has its readers' keys."""
    above, below = keys_before(down, anchors, colours), keys_before(up, anchors, colours)
    all_keys = above | {place: ~number for place, number in anchors.items()}

    def beside(place: int) -> tuple[int, ...]:
        return () if down.sources[place] else tuple(sorted(all_keys[reader] for reader, _ in up.sources[place]))

    return number_equal({place: (key, below[place], beside(place)) for place, key in above.items()})


def keys_around(down: Places, up: Places, anchors: Anchors, colours: dict[int, int]) -> dict[int, int]:
    """Keys of everything connected with each open place (the coarsest equitable colouring).

    The result is that of Weisfeiler-Leman refinement, but one pass of keys goes all the way through the graph.
    """
    keys, classes = colours, 0
    while classes < len(set(keys.values())):
        classes = len(set(keys.values()))
        keys = keys_of_both(down, up, anchors, keys)
    return keys
