"""Finds the pairs of nodes that two skeletons have in common.

1. Nodes with the same structure above and below them, unique on both sides, are pairs; then those
   where only one of the two agrees and the other does not contradict, unless the sides differ in how
   many such nodes they have.
2. Where the graphs differ, neighbourhoods of shrinking radius that occur once on each side give new
   anchors, from which step 1 starts again. This is done twice, once trusting first what lies above
   and once what lies below. Only what both readings agree on is kept: in a run of equal layers of
   which one is missing, they disagree, and nobody can know which one it was.
3. What reads and is read by matched nodes alone is matched by its place between them.
4. What structure alone leaves tied is told apart by finer evidence (`autoport.matching.ties`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoport.canonical.skeleton import Skeleton
from autoport.matching import ties
from autoport.matching.between import pair_between
from autoport.matching.census import Census
from autoport.matching.hints import apply_hints
from autoport.matching.keys import KeyTable, unique_pairs
from autoport.matching.matching import Matching

RADII = (12, 8, 5, 3, 2, 1)


def match_skeletons(left: Skeleton, right: Skeleton, hints: Sequence[tuple[str, str]] = ()) -> Matching:
    """Matches two skeletons; see the module's text for the steps.

    Args:
        left: the Keras model's.
        right: the PyTorch model's.
        hints: pairs of paths that settle what steps 1 and 2 leave open.

    Raises:
        HintError: a hint names nothing, or contradicts the graphs.
    """
    matching = Matching(left, right)
    table = KeyTable()
    _sweep_until_stable(matching, table)
    if matching.free_left and matching.free_right:
        _read_both_ways(matching, table)
    apply_hints(matching, hints)
    _finish(matching, table)
    return matching


def extended(matching: Matching, left: str, right: str, reason: str) -> Matching:
    """A matching with one pair more, and all that follows from it."""
    result = matching.copy()
    result.ambiguous = dict(matching.ambiguous[0]), dict(matching.ambiguous[1])
    result.add(left, right, reason)
    _finish(result, KeyTable())
    return result


def _finish(matching: Matching, table: KeyTable) -> None:
    """Steps 3 and 4."""
    _sweep_until_stable(matching, table)
    while pair_between(matching):
        _sweep_until_stable(matching, table)
    while matching.free_left and matching.free_right and ties.settle(matching, table):
        _sweep_until_stable(matching, table)
    ties.explain(matching, table)


def _read_both_ways(matching: Matching, table: KeyTable) -> None:
    """Step 2."""
    from_above, from_below = matching.copy(), matching.copy()
    for reading, first in ((from_above, "above"), (from_below, "below")):
        _sweep_until_stable(reading, table, first)
        while reading.free_left and reading.free_right and _seed(reading, table):
            _sweep_until_stable(reading, table, first)
    census = Census.of(matching, table, 1)
    for pair in from_above.pairs[len(matching.pairs) :]:
        if from_below.partner.get(pair.left) == pair.right and census.agrees(pair.left, pair.right):
            matching.add(pair.left, pair.right, pair.reason)
    text = "ambiguous: counted from the inputs and from the outputs it belongs to different operations"
    for reading in (from_above, from_below):
        for a, b in reading.partner.items():
            if matching.partner.get(a) != b:
                matching.ambiguous[0].setdefault(a, text)
                matching.ambiguous[1].setdefault(b, text)


def _sweep_until_stable(matching: Matching, table: KeyTable, first: str | None = None) -> None:
    while _sweep(matching, table, first):
        pass


def _sweep(matching: Matching, table: KeyTable, first: str | None = None) -> bool:
    """Step 1; True if it found pairs.

    With `first` one direction is trusted even where the other contradicts.
    """
    left, right = matching.left, matching.right
    anchors_left, anchors_right = matching.anchors()
    free = matching.free_left, matching.free_right
    if not all(free):
        return False
    up = (
        table.forward(left, left.colour.__getitem__, anchors_left),
        table.forward(right, right.colour.__getitem__, anchors_right),
    )
    down = (
        table.backward(left, left.colour.__getitem__, anchors_left),
        table.backward(right, right.colour.__getitem__, anchors_right),
    )
    both = tuple(
        {node: table.number((above[node], below[node])) for node in above}
        for above, below in zip(up, down, strict=True)
    )
    found = unique_pairs(both[0], both[1], *free)
    for a, b in found.items():
        matching.add(a, b, "same structure above and below")
    if found:
        return True
    claims = {"above": unique_pairs(*up, *free), "below": unique_pairs(*down, *free)}
    if not any(claims.values()):
        return False
    census = [] if first else [Census.of(matching, table, radius) for radius in (0, 1)]
    for direction in ("below", "above") if first == "below" else ("above", "below"):
        other = claims["below" if direction == "above" else "above"]
        trusted = claims[direction] if first == direction else _uncontradicted(claims[direction], other)
        for a, b in trusted.items():
            counted = not census or any(each.agrees(a, b) for each in census)
            if counted and a not in matching.partner and b not in matching.taken:
                matching.add(a, b, f"same structure {direction}")
                found[a] = b
    return bool(found)


def _uncontradicted(found: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Pairs about which the other direction says the same, or nothing of either node."""
    claimed = set(other.values())
    return {a: b for a, b in found.items() if other.get(a) == b or (a not in other and b not in claimed)}


def _seed(matching: Matching, table: KeyTable) -> bool:
    """Step 2; True if it found pairs."""
    left, right = matching.left, matching.right
    anchors_left, anchors_right = matching.anchors()
    for radius in RADII:
        keys = (
            table.around(left, left.colour.__getitem__, anchors_left, radius),
            table.around(right, right.colour.__getitem__, anchors_right, radius),
        )
        found = unique_pairs(*keys, matching.free_left, matching.free_right)
        for a, b in found.items():
            matching.add(a, b, f"a neighbourhood of radius {radius} that occurs once on each side")
        if found:
            return True
    return False
