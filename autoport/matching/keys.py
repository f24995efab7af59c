"""Keys of open places: equal where everything above, below or around is equal, back to what is matched."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from autoport.matching.places import Places

Anchors = Mapping[int, int]
_Key = TypeVar("_Key", bound=Hashable)


def numbered(descriptions: Mapping[int, _Key]) -> dict[int, int]:
    """Equal numbers for equal descriptions."""
    numbers: dict[_Key, int] = {}
    return {place: numbers.setdefault(description, len(numbers)) for place, description in descriptions.items()}


def keys_before(places: Places, anchors: Anchors, colours: dict[int, int]) -> dict[int, int]:
    """Keys of all that comes before each open place, back to the nearest anchors.

    Args:
        places: both sides, in the direction of reading.
        anchors: the number of its pair for every matched place.
        colours: of the open places, in the direction of the data.
    """
    numbers: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    keys = {place: ~number for place, number in anchors.items()}
    found = {}
    for place in reversed(colours) if places.upwards else colours:
        before = tuple(sorted((position, keys[source]) for source, position in places.sources[place]))
        found[place] = keys[place] = numbers.setdefault((colours[place], before), len(numbers))
    return found


def keys_of_both(down: Places, up: Places, anchors: Anchors, colours: dict[int, int]) -> dict[int, int]:
    """Keys of what lies above and what lies below together; of what has nothing above, what its readers have."""
    above, below = keys_before(down, anchors, colours), keys_before(up, anchors, colours)
    known = above | {place: ~number for place, number in anchors.items()}

    def beside(place: int) -> tuple[int, ...]:
        return () if down.sources[place] else tuple(sorted(known[reader] for reader, _ in up.sources[place]))

    return numbered({place: (key, below[place], beside(place)) for place, key in above.items()})


def keys_around(down: Places, up: Places, anchors: Anchors, colours: dict[int, int]) -> dict[int, int]:
    """Keys of all that is connected with each open place (the coarsest equitable colouring).

    The same as Weisfeiler-Leman refinement until it ends, but a key goes all the way at once.
    """
    keys, classes = colours, 0
    while classes < len(set(keys.values())):
        classes = len(set(keys.values()))
        keys = keys_of_both(down, up, anchors, keys)
    return keys
