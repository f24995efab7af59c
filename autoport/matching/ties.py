"""Nodes that structure alone cannot tell apart.

Finer evidence is tried in turn: hyper-parameters and what lies on the edges, then the position of
the model's inputs and outputs. It decides only where both sides agree on it completely. What is
still tied with all evidence equal is automorphic (every choice gives the same function): the first
is taken, and said so. Anything else stays open as ambiguous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

from autoport.canonical.evidence import Edge
from autoport.canonical.skeleton import Skeleton
from autoport.matching.keys import Keys, KeyTable, classes
from autoport.matching.matching import Matching

# Hyper-parameters that change the function; what they are is the same word on both sides.
FINE_ATTRS = ("stride", "dilation", "padding", "kernel_size", "groups", "epsilon", "activation", "reset_after")

Evidence = Callable[[Skeleton, str], Hashable]


def _attributes(graph: Skeleton, node: str) -> Hashable:
    op = graph.op(node)
    if op is None:
        return ()
    return tuple((name, _plain(op.attrs[name])) for name in FINE_ATTRS if name in op.attrs)


def _edges(graph: Skeleton, node: str) -> Hashable:
    """What was contracted onto the edges of a node."""
    below = [edge for other, _ in dict(graph.succs.get(node, ())).items() for edge in graph.edges[node, other]]
    above = [edge for other, _ in dict(graph.preds.get(node, ())).items() for edge in graph.edges[other, node]]
    return tuple(tuple(sorted(_signature(edge) for edge in side)) for side in (above, below))


def _signature(edge: Edge) -> str:
    names = (*FINE_ATTRS, "taken", "over")
    facts = [sorted((k, str(v)) for k, v in op.attrs.items() if k in names) for op in edge.expression.ops()]
    return f"{edge.position} {edge.expression.structure} {facts}"


def _positions(graph: Skeleton, node: str) -> Hashable:
    """Place among the model's inputs or outputs."""
    if node in graph.output_position:
        return graph.output_position[node]
    inputs = [n for n in graph.nodes if graph.colour[n] == ("input",)]
    return inputs.index(node) if graph.colour[node] == ("input",) else -1


def _plain(value: Any) -> Hashable:
    return str(value)


EVIDENCE: tuple[tuple[str, Evidence], ...] = (
    ("hyper-parameters", lambda graph, node: (_attributes(graph, node), _edges(graph, node))),
    ("what lies on the way to their neighbours", _edges),
    ("the position among the model's inputs or outputs", _positions),
)


def settle(matching: Matching, table: KeyTable) -> bool:
    """Breaks ties by the first evidence that can; True if new pairs were found."""
    plain = _keys(matching, table, lambda graph, node: ())
    for name, evidence in EVIDENCE:
        fine = _keys(matching, table, evidence)
        if _pair_unique(matching, plain, fine, f"same structure, told apart by {name}"):
            return True
    everything = _keys(matching, table, lambda graph, node: tuple(e(graph, node) for _, e in EVIDENCE))
    return _pair_first(matching, plain, everything)


def _keys(matching: Matching, table: KeyTable, evidence: Evidence) -> tuple[Keys, Keys]:
    """Fully refined keys of both sides, with the evidence as part of the colour."""
    result = []
    for graph, anchors in zip((matching.left, matching.right), matching.anchors(), strict=True):
        open_nodes = set(graph.nodes) - set(anchors)
        colours = {node: (graph.colour[node], evidence(graph, node)) for node in open_nodes}
        radius = min(len(open_nodes) + 1, 64)
        result.append(table.around(graph, colours.__getitem__, anchors, radius))
    return result[0], result[1]


def _pair_unique(matching: Matching, plain: tuple[Keys, Keys], fine: tuple[Keys, Keys], reason: str) -> bool:
    found = False
    for left, right in classes(*plain, matching.free_left, matching.free_right):
        counts = Counter(fine[0][n] for n in left), Counter(fine[1][n] for n in right)
        if len(left) != len(right) or counts[0] != counts[1]:
            continue
        by_key = {fine[1][n]: n for n in right}
        for node in left:
            if counts[0][fine[0][node]] == 1:
                matching.add(node, by_key[fine[0][node]], reason)
                found = True
    return found


def _pair_first(matching: Matching, plain: tuple[Keys, Keys], fine: tuple[Keys, Keys]) -> bool:
    """Individualises one node of the first class whose members no evidence tells apart."""
    for left, right in classes(*plain, matching.free_left, matching.free_right):
        same = len({fine[0][n] for n in left} | {fine[1][n] for n in right}) == 1
        if same and len(left) == len(right) > 1:
            reason = f"automorphic: {len(left)} choices that give the same function, the first was taken"
            matching.add(left[0], right[0], reason)
            return True
    return False


def tied(matching: Matching) -> list[tuple[list[str], list[str]]]:
    """Groups of open nodes, as many on either side, that structure does not tell apart."""
    keys = _keys(matching, KeyTable(), lambda graph, node: ())
    groups = classes(*keys, matching.free_left, matching.free_right)
    return [(left, right) for left, right in groups if len(left) == len(right) > 1]


def explain(matching: Matching, table: KeyTable) -> None:
    """Writes down why open nodes are ambiguous, where they are."""
    keys = _keys(matching, table, lambda graph, node: ())
    for left, right in classes(*keys, matching.free_left, matching.free_right):
        for side, nodes, others in ((0, left, right), (1, right, left)):
            text = f"ambiguous: {len(others)} operations of the other model fit equally well"
            for node in nodes:
                matching.ambiguous[side].setdefault(node, text)
    for side, graph, free in ((0, matching.left, matching.free_left), (1, matching.right, matching.free_right)):
        doubtful = {graph.colour[node] for node in matching.ambiguous[side] if node in free}
        for node in free:
            if graph.colour[node] in doubtful:
                text = "ambiguous: one of several equal operations, of which the other model has another number"
                matching.ambiguous[side].setdefault(node, text)
