"""Finds the pairs of nodes of two skeletons.

1. Nodes with exactly the same above and below them, unique on both sides, are pairs.
2. Where the graphs differ, both are read over the differences, once from above and once from below
   (`autoport.matching.reading`). Either reading may be mistaken: in a run of equal layers of which
   one is missing, each finds another one missing. So a pair needs two witnesses out of three: the
   reading from above, the reading from below, and that no other open node has its sizes.
3. Where a reading has lost its way, exactly the same in the other direction is enough, unless a
   node of the same sizes is left over.
4. A node between matched nodes is matched by its place between them (`autoport.matching.between`).
5. Finer evidence tells apart what structure alone leaves tied (`autoport.matching.ties`).
6. Where that pairs operands of a concatenation by their place against other evidence, all steps are
   repeated as if their order did not count (`autoport.matching.concatenations.crossed`).

Pairs split the open part into smaller ones, so after each step the first one is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autoport.facts.reasons import Code, Reason
from autoport.matching import ties
from autoport.matching.between import pair_between
from autoport.matching.concatenations.crossed import find_crossed
from autoport.matching.concatenations.orders import find_orders
from autoport.matching.hints import apply_hints
from autoport.matching.keys import keys_before, keys_of_both
from autoport.matching.matching import Matching
from autoport.matching.places import Keys, Places
from autoport.matching.reading import Reading
from autoport.matching.skeleton import Skeleton

Pairs = Mapping[int, int]


def match_skeletons(left: Skeleton, right: Skeleton, hints: Sequence[tuple[str, str]] = ()) -> Matching:
    """Matches two skeletons; see the module's text for the steps.

    Args:
        left: the Keras model's.
        right: the PyTorch model's.
        hints: pairs of paths that settle what steps 1 to 4 leave open.

    Raises:
        HintError: a hint names nothing, or contradicts the graphs.
    """
    matching = _match(Matching(left, right), hints)
    while any(more := find_crossed(matching)):
        free = matching.free[0] | more[0], matching.free[1] | more[1]
        matching = _match(Matching(left, right, free=free), hints)
    matching.orders = find_orders(matching)
    return matching


def _match(matching: Matching, hints: Sequence[tuple[str, str]]) -> Matching:
    _match_until_stable(matching)
    if hints:
        apply_hints(matching, hints)
        _match_until_stable(matching)
    _break_ties(matching)
    return matching


def extend(matching: Matching, left: str, right: str, reason: Reason) -> Matching:
    """A matching with one more pair, and all pairs that follow from it."""
    result = Matching(matching.left, matching.right, free=matching.free)
    for pair in matching.pairs:
        result.add(pair.left, pair.right, pair.reason)
    result.add(left, right, reason)
    _match_until_stable(result)
    _break_ties(result)
    result.orders = find_orders(result)
    return result


def _break_ties(matching: Matching) -> None:
    """Step 5."""
    while matching.free_left and matching.free_right and ties.settle(matching):
        _match_until_stable(matching)
    ties.explain(matching)


def _match_until_stable(matching: Matching) -> None:
    while matching.free_left and matching.free_right:
        paired = any(matching.add_places(pairs, Reason(code)) for pairs, code in _steps(matching))
        if not paired and not pair_between(matching):
            break


def _steps(matching: Matching) -> Iterator[tuple[Pairs, Code]]:
    """Steps 1 to 3, each done only if those before made no pairs."""
    down, up, anchors = matching.down, matching.up, matching.anchors
    colours = {place: colour for place, colour in enumerate(down.colours) if place not in anchors}
    exact = keys_of_both(down, up, anchors, colours)
    yield down.unique_pairs(exact), Code.SAME_AROUND

    readings = Reading(down, anchors), Reading(up, anchors)
    read_pairs = [_without_choices(down, exact, down.unique_pairs(reading.keys)) for reading in readings]
    rare = down.unique_pairs(colours)
    yield _common(read_pairs[0], read_pairs[1]), Code.SAME_AROUND
    yield _common(rare, read_pairs[0]), Code.ALONE_ABOVE
    yield _common(rare, read_pairs[1]), Code.ALONE_BELOW

    yield _alone(down, keys_before(down, anchors, colours), readings[1]), Code.SAME_ABOVE
    yield _alone(down, keys_before(up, anchors, colours), readings[0]), Code.SAME_BELOW
    _note_contradictions(matching, read_pairs)


def _without_choices(places: Places, exact: Keys, pairs: Pairs) -> Pairs:
    """Pairs whose nodes have as many doubles in their own graphs: of more doubles, nobody knows which is meant."""
    doubles = {place: len(side) for sides in places.by_key(exact).values() for side in sides for place in side}
    return {left: right for left, right in pairs.items() if doubles[left] == doubles[right]}


def _common(first: Pairs, second: Pairs) -> Pairs:
    return {left: right for left, right in first.items() if second.get(left) == right}


def _alone(places: Places, keys: Keys, other: Reading) -> Pairs:
    """Step 3."""
    sides = places.by_key(keys).values()
    left_over = {places.colours[place] for pair in sides if not all(pair) for side in pair for place in side}
    return {
        left: right
        for left, right in places.unique_pairs(keys).items()
        if places.colours[left] not in left_over and left not in other.sure and right not in other.sure
    }


def _note_contradictions(matching: Matching, read_pairs: Sequence[Pairs]) -> None:
    """Nodes for which the two readings name different partners are ambiguous."""
    names = matching.down.names
    for pairs, others in (read_pairs, read_pairs[::-1]):
        partners = set(others.values())
        for left, right in pairs.items():
            if others.get(left) != right and (left in others or right in partners):
                matching.ambiguous[0].setdefault(names[left], Reason(Code.TWO_READINGS))
                matching.ambiguous[1].setdefault(names[right], Reason(Code.TWO_READINGS))
