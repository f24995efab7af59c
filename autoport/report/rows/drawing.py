"""Both graphs as one: matched operations are one node, drawn on both sides at the same place.

So one layout serves both sides, and what only one model has leaves a gap in the other, as in a diff
side by side. Reshapes, transposes and constants are left out: every framework spells them its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoport.comparison.differences import edge_operations
from autoport.facts.framework import Both, Framework, TwoSided
from autoport.report.rows.tensors import Status

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.graph import Graph, Op
    from autoport.matching.skeleton import Skeleton


@dataclass(frozen=True)
class Place:
    """An operation of one model.

    Attributes:
        name: its key in the graph of its side.
        path: the layer or module it belongs to.
        kind: class of that layer, or name of the function.
        operation: what it computes, in the vocabulary of both sides.
        shape: of what it makes.
    """

    name: str
    path: str
    kind: str
    operation: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node(TwoSided[Place | None]):
    """An operation of either model, or two matched ones.

    Attributes:
        tf: the operation of the Keras model.
        torch: the operation of the PyTorch model.
        status: the worst of its rows; None for a weightless operation that is not compared by itself.
        rows: numbers of the rows that speak of it.
        group: number of the block it stands in.
    """

    tf: Place | None
    torch: Place | None
    status: Status | None = None
    rows: tuple[int, ...] = ()
    group: int | None = None


@dataclass(frozen=True)
class Edge(TwoSided[bool]):
    """One node reads another, in either model or in both."""

    source: int
    target: int
    tf: bool
    torch: bool


@dataclass(frozen=True)
class Group(TwoSided[str]):
    """A block of nodes: a module with all it contains.

    Attributes:
        name: its last part in the hierarchy.
        tf: what its layers are called in Keras.
        torch: what its modules are called in PyTorch.
        kind: class of the module, if an operation of its own tells.
        parent: number of the block around it.
    """

    name: str
    tf: str = ""
    torch: str = ""
    kind: str = ""
    parent: int | None = None


@dataclass(frozen=True)
class Drawing:
    """What is drawn.

    Attributes:
        nodes: in the order of the Keras model; what only PyTorch has stands behind what it follows.
        edges: between them.
        groups: outer ones before inner ones.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()


class DrawnModel:
    """One model's drawn operations, and which of them each reads."""

    def __init__(self, skeleton: Skeleton) -> None:
        graph = skeleton.graph
        kept = {op.name for op in graph.ops() if op.name in skeleton.colour or _drawn(op, graph)}
        passed: dict[str, list[str]] = {}
        self.places: dict[str, Place] = {}
        self.reads: dict[str, list[str]] = {}
        for op in graph.ops():
            sources = _unique(name for value in op.inputs for name in passed[value.op])
            passed[op.name] = [op.name] if op.name in kept else sources
            if op.name in kept:
                shape = tuple(int(size) for size in op.shapes[0]) if op.shapes else ()
                self.places[op.name] = Place(op.name, op.path, op.type or str(op.kind), str(op.kind), shape)
                self.reads[op.name] = sources
        for name, number in skeleton.output_position.items():
            value = graph.outputs[number]
            shape = tuple(int(size) for size in graph.shape(value))
            self.places[name] = Place(name, "", "output", "output", shape)
            self.reads[name] = passed[value.op]


def _drawn(op: Op, graph: Graph) -> bool:
    """Whether an operation that is no node of the skeleton is drawn: not if it is a part of a longer sum."""
    readers = [graph.op(name) for name in graph.successors(op.name)]
    nested = op.kind.is_merge and len(op.inputs) > 1 and bool(readers)
    return op.kind.is_drawn and not (nested and all(reader.kind == op.kind for reader in readers))


def pairs_of(analysis: Analysis) -> dict[str, str]:
    """Matched operations by name, also those without weights on the way between two matched ones."""
    found = dict(analysis.matching.partner)
    taken = set(found.values())
    for node in analysis.matching.partner:
        for a, b in edge_operations(analysis.matching, node):
            if a.inputs and b.inputs and a.name not in found and b.name not in taken:
                found[a.name] = b.name
                taken.add(b.name)
    return found


def nodes_of(models: Both[DrawnModel], partner: Mapping[str, str]) -> list[Node]:
    """Nodes in the order of the Keras model."""
    tf, torch = models
    order = {name: number for number, name in enumerate(tf.places)}
    back = {right: left for left, right in partner.items()}
    placed = [
        ((float(order[name]), 0), Node(place, torch.places.get(partner.get(name, ""))))
        for name, place in tf.places.items()
    ]
    last = -1.0
    for number, (name, place) in enumerate(torch.places.items()):
        if back.get(name) in order:
            last = max(last, order[back[name]])
        else:
            placed.append(((last, number + 1), Node(None, place)))
    return [node for _, node in sorted(placed, key=lambda entry: entry[0])]


def edges_of(nodes: Sequence[Node], models: Both[DrawnModel]) -> tuple[Edge, ...]:
    """What reads what, by number of the node."""
    found: dict[tuple[int, int], set[Framework]] = {}
    for framework in Framework:
        numbers = {place.name: n for n, node in enumerate(nodes) if (place := node[framework]) is not None}
        for name, sources in models[framework].reads.items():
            for source in sources:
                found.setdefault((numbers[source], numbers[name]), set()).add(framework)
    return tuple(Edge(*ends, Framework.TF in those, Framework.TORCH in those) for ends, those in found.items())


def _unique(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))
