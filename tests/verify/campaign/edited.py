"""Classic mistakes that are another hyper-parameter or other wiring: edits of the architecture of one side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.properties import edits
from tests.properties.architecture import Architecture, Invalid, Node, paddings, rebuilt
from tests.properties.edits import Edit, Impossible, Nodes


@dataclass(frozen=True)
class Wrong:
    """A kind of edit.

    Attributes:
        edit: changes the nodes of an architecture; returns where.
        causes: names that are right for it.
    """

    edit: Edit
    causes: frozenset[str]


def _changed(fits: Callable[[Node], bool], params: Callable[[Node, Any], dict[str, Any]]) -> Edit:
    """An edit of the parameters of one node that fits."""

    def edit(nodes: Nodes, random: Random) -> set[int]:
        shapes = {node.id: node.shape for node in nodes}
        fitting = [node for node in nodes if node.kind != "input" and node.shared is None and fits(node)]
        if not fitting:
            raise Impossible
        node = random.choice(fitting)
        given = {**node.params, **params(node, shapes[node.sources[0]])}
        if given == node.params:
            raise Impossible
        nodes[nodes.index(node)] = replace(node, params=given)
        return {node.id}

    return edit


def _other_side(node: Node, source: Any) -> dict[str, Any]:
    return {"padding": tuple((high, low) for low, high in paddings(node.params, source[:-1]))}


def _shuffled(node: Node, source: Any) -> dict[str, Any]:
    return {"groups": source[-1] // node["groups"]}


CONVOLUTIONS = {"conv", "depthwise", "separable"}
OPERATIONS = frozenset({"operation", "activation", "softmax", "scale", "sign"})
hardly_another_epsilon = _changed(lambda n: "epsilon" in n.params, lambda n, _: {"epsilon": n["epsilon"] * 1.01})
padding_on_the_other_side = _changed(lambda n: n.kind in CONVOLUTIONS and n["padding"] != "valid", _other_side)
another_mask = _changed(lambda n: n.kind == "attention", lambda n, _: {"causal": not n["causal"]})
another_shuffle = _changed(lambda n: n.kind == "shuffle", _shuffled)
cropped_elsewhere = _changed(lambda n: n.kind == "crop", lambda n, _: {"low": n["high"], "high": n["low"]})


def _wrong(edit: Edit, *causes: str) -> Wrong:
    return Wrong(edit, frozenset(causes))


EDITS: dict[str, Wrong] = {
    "another activation": _wrong(edits.another_activation, "activation", "operation", "softmax"),
    "another epsilon": _wrong(edits.another_epsilon, "epsilon"),
    "an epsilon by 1 %": _wrong(hardly_another_epsilon, "epsilon"),
    "another stride": _wrong(edits.another_stride, "stride", "padding"),
    "another dilation": _wrong(edits.another_dilation, "dilation", "padding"),
    "another padding": _wrong(edits.another_padding, "padding"),
    "padding on the other side": _wrong(padding_on_the_other_side, "padding"),
    "maximum and average": _wrong(edits.another_pooling, "operation"),
    "another number of groups": _wrong(edits.another_groups, "groups"),
    "another merge": _wrong(edits.another_merge, "operation", "sign"),
    "operands exchanged": _wrong(edits.other_operands, "operand order", "sign"),
    "another number of heads": _wrong(edits.other_heads, "heads", "scale", "other shape"),
    "another mask": _wrong(another_mask, "mask"),
    "other shuffle groups": _wrong(another_shuffle, "shuffle groups", "channel order"),
    "cropped elsewhere": _wrong(cropped_elsewhere, "taken", "shift", "padding"),
    "another source": _wrong(edits.another_source, "wiring", *OPERATIONS),
    "one less": Wrong(edits.one_less, OPERATIONS | {"weights", "wiring"}),
    "one more": Wrong(edits.one_more, OPERATIONS | {"weights", "wiring"}),
}


def edited(architecture: Architecture, name: str, random: Random) -> tuple[Architecture, set[int]] | None:
    """An architecture with one mistake, and the nodes at which it is; None if it has no place for it.

    Args:
        architecture: the right one.
        name: a key of `EDITS`.
        random: chooses the place.
    """
    nodes = list(architecture.nodes)
    try:
        touched = EDITS[name].edit(nodes, random)
        left = {node.id for node in nodes}
        ends = [id if id in left else architecture[id].sources[0] for id in architecture.outputs]
        return rebuilt(nodes, ends), touched
    except (Impossible, Invalid):
        return None
