"""Whether wrong pairs explain two graphs as well as the right ones do.

A layer may be gone and another one stand just where it stood. Who does not know the history cannot see that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import autoport
from autoport.matching.skeleton import Skeleton
from tests.properties.keras_side import KerasTwin
from tests.properties.torch_side import TorchTwin

Pairs = Mapping[str, str]


def explains_as_much(match: autoport.Match, keras: KerasTwin, module: TorchTwin) -> bool:
    """Whether the pairs that were found keep as many operations and connections as those that edits have left.

    Args:
        match: what was found.
        keras: the Keras twin.
        module: the edited twin.
    """
    matching = match.matching
    left, right, found = matching.left, matching.right, matching.partner
    owners = (
        {v.path: id for id, part in keras.parts.items() for layer in part.layers for v in layer.variables},
        {path: id for id, part in module.parts.items() for path in _paths(module.names[id], part)},
    )
    ids = _by_owner(left, owners[0]), _by_owner(right, owners[1])
    true: dict[str, str] = {}
    for key, nodes in ids[0].items():
        others = ids[1].get(key, [])
        kept = {a: found[a] for a in nodes if found.get(a) in others}
        rest = [a for a in nodes if a not in kept], [b for b in others if b not in kept.values()]
        true |= kept | dict(zip(*rest, strict=False))
    weightless = {a: b for a, b in found.items() if not _tensors(left, a)}
    return _common(left, right, found) >= _common(left, right, {**weightless, **true})


def _paths(name: str, part: object) -> list[str]:
    return [f"{name}.{path}" for path in part.state_dict()]  # type: ignore[attr-defined]


def _tensors(graph: Skeleton, node: str) -> list[str]:
    op = graph.op(node)
    return op.tensors if op is not None else []


def _by_owner(graph: Skeleton, owners: Mapping[str, int]) -> dict[tuple[int, object], list[str]]:
    """Operations in order, by the layer of the architecture that they belong to and their sizes."""
    found: dict[tuple[int, object], list[str]] = defaultdict(list)
    for node in graph.nodes:
        for tensor in _tensors(graph, node)[:1]:
            found[owners[tensor], graph.colour[node]].append(node)
    return found


def _common(left: Skeleton, right: Skeleton, pairs: Pairs) -> int:
    """How many operations and connections both sides have under some pairs."""
    edges = {(source, node, place) for node in right.nodes for source, place in right.preds.get(node, ())}
    kept = sum(
        (pairs.get(source), pairs.get(node), place) in edges
        for node in left.nodes
        for source, place in left.preds.get(node, ())
    )
    return len(pairs) + kept
