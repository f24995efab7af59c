"""Random edits of one side: another hyper-parameter, another operation, a layer more or less, other wiring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.properties.architecture import COMMUTATIVE, WEIGHTED, Architecture, Invalid, Node, pruned, rebuilt

Nodes = list[Node]
Edit = Callable[[Nodes, Random], set[int]]


@dataclass(frozen=True)
class Edited:
    """What became of an architecture.

    Attributes:
        architecture: the edited one; nodes that were not edited keep their ids.
        touched: for each edit its name, and the nodes at whose place it must be reported.
    """

    architecture: Architecture
    touched: list[tuple[str, set[int]]]


class Impossible(Exception):
    """There is nothing that could be edited so."""


def _choose(nodes: Nodes, random: Random, fits: Callable[[Node], bool]) -> Node:
    """A node that shares its layer with no other."""
    shared = {node.owner for node in nodes if node.shared is not None}
    found = [node for node in nodes if node.kind != "input" and node.owner not in shared and fits(node)]
    if not found:
        raise Impossible
    return random.choice(found)


def _set(nodes: Nodes, node: Node, **params: Any) -> set[int]:
    nodes[nodes.index(node)] = replace(node, params={**node.params, **params})
    return {node.id}


def another_activation(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: n.kind == "activation")
    return _set(nodes, node, name=random.choice([n for n in ("relu", "tanh", "softsign", "elu") if n != node["name"]]))


def another_epsilon(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: "epsilon" in n.params)
    return _set(nodes, node, epsilon=node["epsilon"] * 3)


def another_stride(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: n.kind in ("conv", "depthwise", "separable", "max_pool"))
    if set(node.params.get("dilation", (1,))) != {1}:
        raise Impossible
    return _set(nodes, node, stride=tuple(size % 3 + 1 for size in node["stride"]))


def another_dilation(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: n.kind == "conv" and max(n["kernel"]) > 1 and set(n["stride"]) == {1})
    return _set(nodes, node, dilation=tuple(size % 2 + 1 for size in node["dilation"]))


def another_padding(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: n.kind in ("conv", "depthwise") and isinstance(n["padding"], str))
    rank = len(node["kernel"])
    return _set(nodes, node, padding=tuple((2, 1) for _ in range(rank)))


def another_pooling(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: n.kind == "global_pool")
    return _set(nodes, node, mode={"avg": "max", "max": "avg"}[node["mode"]])


def another_groups(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: n.kind == "group_norm" and n["groups"] > 1)
    return _set(nodes, node, groups=1)


def another_width(nodes: Nodes, random: Random) -> set[int]:
    """A layer with more outputs, and all behind it that follow from it."""
    node = _choose(nodes, random, lambda n: "filters" in n.params or "units" in n.params)
    name = "filters" if "filters" in node.params else "units"
    return _set(nodes, node, **{name: node[name] + 23 * node.params.get("groups", 1)})


def another_merge(nodes: Nodes, random: Random) -> set[int]:
    node = _choose(nodes, random, lambda n: n.kind in COMMUTATIVE | {"sub"})
    kinds = [kind for kind in ("add", "mul", "maximum", "sub") if kind != node.kind]
    nodes[nodes.index(node)] = replace(node, kind=random.choice(kinds))
    return {node.id}


def other_operands(nodes: Nodes, random: Random) -> set[int]:
    """Operands in another order, where it counts; those of a concatenation are a matter of spelling."""
    node = _choose(nodes, random, lambda n: n.kind == "sub" and len(set(n.sources)) > 1)
    nodes[nodes.index(node)] = replace(node, sources=node.sources[1:] + node.sources[:1])
    return {node.id}


def other_heads(nodes: Nodes, random: Random) -> set[int]:
    """As many features, in another number of heads."""
    node = _choose(nodes, random, lambda n: n.kind == "attention" and n["kv_heads"] == n["heads"] and n["depth"] == 4)
    heads = node["heads"] * 4
    return _set(nodes, node, heads=heads, kv_heads=heads, depth=1)


def another_source(nodes: Nodes, random: Random) -> set[int]:
    """A node reads another value of the same shape."""
    node = _choose(nodes, random, lambda n: n.kind not in ("attention", "gate"))
    shapes = {other.id: other.shape for other in nodes[: nodes.index(node)]}
    place = random.randrange(len(node.sources))
    others = [id for id, shape in shapes.items() if shape == shapes[node.sources[place]] and id not in node.sources]
    if not others:
        raise Impossible
    sources = list(node.sources)
    sources[place] = random.choice(others)
    nodes[nodes.index(node)] = replace(node, sources=tuple(sources))
    return {node.id}


def one_less(nodes: Nodes, random: Random) -> set[int]:
    """A node is gone; who read it reads what it had read."""
    shapes = {node.id: node.shape for node in nodes}
    node = _choose(nodes, random, lambda n: n.shape == shapes[n.sources[0]] and n.kind != "embedding")
    nodes.remove(node)
    _reroute(nodes, node.id, node.sources[0])
    return {node.id, node.sources[0]}


def one_more(nodes: Nodes, random: Random) -> set[int]:
    """A layer that keeps the shape stands behind another."""
    node = _choose(nodes, random, lambda n: len(n.shape) in (1, 2, 3))
    kind, params = random.choice(
        [
            ("dense", {"units": node.shape[-1], "bias": True}),
            ("batch_norm", {"epsilon": 1e-3, "scale": True, "center": True}),
            ("activation", {"name": "tanh"}),
        ]
    )
    id = max(other.id for other in nodes) + 1
    _reroute(nodes, node.id, id)
    nodes.insert(nodes.index(node) + 1, Node(id, kind, (node.id,), node.shape, params))
    return {node.id, id}


def _reroute(nodes: Nodes, old: int, new: int) -> None:
    for place, node in enumerate(nodes):
        if old in node.sources:
            nodes[place] = replace(node, sources=tuple(new if source == old else source for source in node.sources))


EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        another_activation, another_epsilon, another_stride, another_dilation, another_padding, another_pooling,
        another_groups, another_width, another_merge, other_operands, other_heads, another_source, one_less, one_more,
    )
}  # fmt: skip
# A layer may be gone and another one have become just like it; who does not know the history cannot see that.
OPPOSITES = {"one_less": "one_more", "one_more": "one_less"}


def edited(architecture: Architecture, count: int, seed: int) -> Edited | None:
    """An architecture with so many random edits; None if none of the tries was possible."""
    random = Random(seed)
    nodes, outputs = list(architecture.nodes), list(architecture.outputs)
    touched: list[tuple[str, set[int]]] = []
    for _ in range(8 * count):
        names = [name for name in EDITS if OPPOSITES.get(name) not in {other for other, _ in touched}]
        name = random.choice(names)
        trial = list(nodes)
        try:
            places = EDITS[name](trial, random)
            ends = [id if any(n.id == id for n in trial) else architecture[id].sources[0] for id in outputs]
            rebuilt(trial, ends)
        except (Impossible, Invalid):
            continue
        nodes, outputs = trial, ends
        touched.append((name, places))
        if len(touched) == count:
            break
    if not touched:
        return None
    made = rebuilt(nodes, outputs)
    kept = {node.id for node in made.nodes}
    alive = pruned(list(architecture.nodes), architecture.outputs)
    known = kept | {node.id for node in alive.nodes}
    return Edited(made, [(name, places & known) for name, places in touched if places & known])


def weighted(architecture: Architecture) -> list[Node]:
    """Nodes with weights of their own."""
    return [node for node in architecture.nodes if node.kind in WEIGHTED and node.shared is None]
