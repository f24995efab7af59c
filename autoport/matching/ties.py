"""Ties: nodes that structure alone cannot tell apart.

Finer evidence is tried in turn: hyper-parameters and the operations on edges, then the position of the
model's inputs and outputs. Evidence decides only where both sides agree on it completely. Nodes that are
tied although all evidence is equal are automorphic: every choice gives the same function, so the first is
taken, and the reason says so. Anything else stays ambiguous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator

import networkx as nx
import numpy as np

from autoport.facts.reasons import Code, Reason
from autoport.graph import Op
from autoport.matching.evidence import Edge
from autoport.matching.keys import keys_around, number_equal
from autoport.matching.matching import Matching
from autoport.matching.places import Keys, Places
from autoport.matching.skeleton import Skeleton

Evidence = Callable[[Skeleton, str], Hashable]


def attributes(graph: Skeleton, node: str) -> Hashable:
    """Hyper-parameters of a node."""
    op = graph.op(node)
    if op is None:
        return ()
    telling = sorted((a for a in op.kind.attributes.values() if a.tells_apart), key=lambda attribute: attribute.name)
    values = ((attribute, op.attrs.get(attribute.name, attribute.plain)) for attribute in telling)
    return tuple((a.name, str(value)) for a, value in values if set(np.ravel(np.asarray(value))) != {a.plain})


def _edges(graph: Skeleton, node: str) -> Hashable:
    """The operations that were contracted onto the edges of a node, as texts."""
    below = [edge for other, _ in dict(graph.succs.get(node, ())).items() for edge in graph.edges[node, other]]
    above = [edge for other, _ in dict(graph.preds.get(node, ())).items() for edge in graph.edges[other, node]]
    return tuple(tuple(sorted(f"{edge.position} {signature(edge)}" for edge in side)) for side in (above, below))


def signature(edge: Edge) -> str:
    """The operations that were contracted onto an edge, in one text."""
    facts = [sorted((k, str(v)) for k, v in op.attrs.items() if _tells(op, k)) for op in edge.expression.ops()]
    return f"{edge.expression.structure} {facts}"


def _tells(op: Op, name: str) -> bool:
    """Whether an attribute tells operations apart, or holds the axes that they work along."""
    attributes = op.kind.attributes
    return op.kind.attribute(name).tells_apart or any(other.by_dim == name for other in attributes.values())


def positions(graph: Skeleton, node: str) -> Hashable:
    """Place among the model's inputs or outputs."""
    if node in graph.output_position:
        return graph.output_position[node]
    op = graph.op(node)
    return op.attrs.get("position") if op is not None and op.kind.is_input else None


EVIDENCE: tuple[tuple[Code, Evidence], ...] = (
    (Code.TOLD_BY_PARAMETERS, lambda graph, node: (attributes(graph, node), _edges(graph, node))),
    (Code.TOLD_BY_EDGES, _edges),
    (Code.TOLD_BY_PORT, positions),
)


def settle(matching: Matching) -> bool:
    """Breaks ties by the first evidence that can; True if it made pairs."""
    plain = _keys(matching, lambda graph, node: ())
    for code, evidence in EVIDENCE:
        fine = _keys(matching, evidence)
        if matching.add_places(_distinct_pairs(matching, plain, fine), Reason(code)):
            return True
    everything = _keys(matching, lambda graph, node: tuple(e(graph, node) for _, e in EVIDENCE))
    return _pair_first(matching, plain, everything)


def _keys(matching: Matching, evidence: Evidence) -> Keys:
    """Fully refined keys of open places, with the evidence as part of the colour."""
    places, anchors = matching.down, matching.anchors
    sides = matching.skeletons
    colours = {
        place: (places.colours[place], evidence(sides[places.side(place)], node))
        for place, node in enumerate(places.names)
        if place not in anchors
    }
    return keys_around(places, matching.up, anchors, number_equal(colours))


def _distinct_pairs(matching: Matching, plain: Keys, fine: Keys) -> dict[int, int]:
    """Pairs that are unique by the fine keys, in classes on whose fine keys both sides agree."""
    pairs: dict[int, int] = {}
    for sides in matching.down.by_key(plain).values():
        counts = [Counter(fine[place] for place in side) for side in sides]
        if counts[0] == counts[1]:
            pairs |= matching.down.unique_pairs({place: fine[place] for side in sides for place in side})
    return pairs


def _pair_first(matching: Matching, plain: Keys, fine: Keys) -> bool:
    """Pairs parts that no evidence tells apart; of a part with ties inside, only one place.

    Parts are the connected components of the open places of one side: a choice in one part does not
    affect another.
    """
    places = matching.down
    tied = {
        place
        for left, right in places.by_key(plain).values()
        if Counter(fine[place] for place in left) == Counter(fine[place] for place in right)
        for place in (*left, *right)
    }
    alike: dict[tuple[int, ...], tuple[list[list[int]], list[list[int]]]] = {}
    for part in _parts(places, fine):
        if tied.issuperset(part):
            part.sort(key=fine.__getitem__)
            signature = tuple(fine[place] for place in part)
            alike.setdefault(signature, ([], []))[places.side(part[0])].append(part)
    pairs = [pair for signature, sides in alike.items() for pair in _choices(signature, *sides)]
    for chosen, choices in pairs:
        matching.add_places(chosen, Reason.of(Code.AUTOMORPHIC, choices=choices))
    return bool(pairs)


def _parts(places: Places, open_places: Iterable[int]) -> Iterator[list[int]]:
    graph = nx.Graph()
    graph.add_nodes_from(open_places)
    graph.add_edges_from((place, other) for place in graph for other in places.readers[place] if other in graph)
    return map(list, nx.connected_components(graph))


def _choices(
    signature: tuple[int, ...], left: list[list[int]], right: list[list[int]]
) -> Iterator[tuple[dict[int, int], int]]:
    """Pairs of places in equal parts, and among how many choices each was chosen."""
    counts = Counter(signature)
    inside = next((index for index, key in enumerate(signature) if counts[key] > 1), None)
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if inside is not None:
            yield {one[inside]: other[inside]}, (len(left) - number) * counts[signature[inside]]
        elif number < len(left) - 1:
            yield dict(zip(one, other, strict=True)), len(left) - number


def tied_groups(matching: Matching) -> list[tuple[list[str], list[str]]]:
    """Groups of open nodes that structure does not tell apart, with as many nodes on either side."""
    names = matching.down.names
    groups = matching.down.by_key(_keys(matching, lambda graph, node: ())).values()
    return [
        ([names[place] for place in left], [names[place] for place in right])
        for left, right in groups
        if len(left) == len(right) > 1
    ]


def explain(matching: Matching) -> None:
    """Notes the reason of every open node that is ambiguous."""
    places, keys = matching.down, _keys(matching, lambda graph, node: ())
    for sides in places.by_key(keys).values():
        for side, others in ((0, sides[1]), (1, sides[0])):
            for place in sides[side] if others else ():
                several = Reason.of(Code.SEVERAL_PARTNERS, number=len(others))
                matching.ambiguous[side].setdefault(places.names[place], several)
    for side in (0, 1):
        free = [place for place in keys if places.side(place) == side]
        doubtful = {places.colours[place] for place in free if places.names[place] in matching.ambiguous[side]}
        for place in free:
            if places.colours[place] in doubtful:
                matching.ambiguous[side].setdefault(places.names[place], Reason(Code.OTHER_NUMBER))
