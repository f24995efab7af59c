"""Keys of places: equal where everything above, below or around is equal, back to what is matched."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from autoport.matching.places import Places


def exact_keys(places: Places, anchors: Mapping[int, int]) -> dict[int, int]:
    """Keys of all that comes before each open place, back to the nearest anchors.

    Args:
        places: both sides, in the direction of reading.
        anchors: the number of its pair for every matched place.
    """
    numbers: dict[Hashable, int] = {}
    keys = {place: ~number for place, number in anchors.items()}
    every = range(len(places.names))
    for place in reversed(every) if places.upwards else every:
        if place not in anchors:
            before = tuple(sorted((position, keys[source]) for source, position in places.sources[place]))
            keys[place] = numbers.setdefault((places.colours[place], before), len(numbers))
    return {place: key for place, key in keys.items() if place not in anchors}


def refined_keys(
    down: Places, up: Places, anchors: Mapping[int, int], colours: Mapping[int, Hashable]
) -> dict[int, int]:
    """Keys of all that lies around each open place (Weisfeiler-Leman refinement until it ends).

    Args:
        down: both sides, read from above.
        up: both sides, read from below.
        anchors: the number of its pair for every matched place.
        colours: what is known of each open place itself.
    """
    numbers: dict[Hashable, int] = {}
    keys = {place: numbers.setdefault(colour, len(numbers)) for place, colour in colours.items()}
    classes = 0
    while classes < len(set(keys.values())):
        classes = len(set(keys.values()))
        known = {**{place: ~number for place, number in anchors.items()}, **keys}
        numbers = {}
        keys = {
            place: numbers.setdefault(
                (key, *(tuple(sorted((p, known[n]) for n, p in view.sources[place])) for view in (down, up))),
                len(numbers),
            )
            for place, key in keys.items()
        }
    return keys
