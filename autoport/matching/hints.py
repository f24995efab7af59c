"""Pairs that the user names, for operations that structure leaves ambiguous.

A hint is a last resort. A hint that names a settled operation, or two operations that cannot be the
same, is an error that says why.
"""

from __future__ import annotations

from collections.abc import Sequence

from autoport.errors import HintError
from autoport.facts.reasons import Code, Reason
from autoport.matching.matching import Matching
from autoport.matching.skeleton import Skeleton


def apply_hints(matching: Matching, hints: Sequence[tuple[str, str]]) -> None:
    """Adds the pairs that hints name.

    Args:
        matching: the pairs so far.
        hints: pairs of a Keras path and a PyTorch path, as the report shows them.

    Raises:
        HintError: a hint names nothing, something that is settled, or two different operations.
    """
    for left_path, right_path in hints:
        left, right = _nodes_at(matching.left, left_path), _nodes_at(matching.right, right_path)
        if all(matching.partner.get(a) == b for a, b in zip(left, right, strict=False)):
            continue
        _refuse_settled(matching, (left_path, right_path), left, right)
        colours = [matching.left.colour[a] for a in left], [matching.right.colour[b] for b in right]
        if colours[0] != colours[1]:
            raise HintError(
                f"the hint {left_path!r} = {right_path!r} contradicts the graphs: "
                f"{_colours_in_words(colours[0])} is not {_colours_in_words(colours[1])}"
            )
        for a, b in zip(left, right, strict=True):
            matching.add(a, b, Reason(Code.HINTED))


def _nodes_at(graph: Skeleton, path: str) -> list[str]:
    nodes = [node for node in graph.nodes if node in graph.graph and graph.graph.op(node).path == path]
    if not nodes:
        raise HintError(f"no operation is called {path!r}; the report lists the paths")
    return nodes


def _refuse_settled(matching: Matching, hint: tuple[str, str], left: list[str], right: list[str]) -> None:
    reverse = {b: a for a, b in matching.partner.items()}
    for path, nodes, partner, graph in (
        (hint[0], left, matching.partner, matching.right),
        (hint[1], right, reverse, matching.left),
    ):
        for node in nodes:
            if node in partner:
                other = graph.graph.op(partner[node]).path
                raise HintError(f"the hint for {path!r} is not needed: the graphs pair it with {other!r}")


def _colours_in_words(colours: list[object]) -> str:
    return " and ".join(str(colour) for colour in colours)
