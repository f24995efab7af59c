"""Both graphs as one: matched operations are one node, drawn on both sides at the same place.

So one layout serves both sides, and an operation of one model alone leaves a gap in the other, as in a diff side by
side. Reshapes, transposes and constants are left out, because every framework spells them its own way.
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
class DrawnOp:
    """An operation of one model.

    Attributes:
        name: its key in the graph of its side.
        path: of its layer or module.
        kind: class of that layer, or name of the function.
        operation: its kind in the vocabulary of both sides.
        shape: of its first output.
    """

    name: str
    path: str
    kind: str
    operation: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node(TwoSided[DrawnOp | None]):
    """An operation of one model, or two matched ones.

    Attributes:
        tf: the operation of the Keras model.
        torch: the operation of the PyTorch model.
        status: the worst of its rows; None for a weightless operation that is not compared by itself.
        rows: numbers of its rows.
        group: number of its block.
    """

    tf: DrawnOp | None
    torch: DrawnOp | None
    status: Status | None = None
    rows: tuple[int, ...] = ()
    group: int | None = None


@dataclass(frozen=True)
class DrawnEdge(TwoSided[bool]):
    """One node reads another, in either model or in both."""

    source: int
    target: int
    tf: bool
    torch: bool


@dataclass(frozen=True)
class Group(TwoSided[str]):
    """A block of nodes: a module with all it contains.

    Attributes:
        name: the last part of its path.
        tf: common part of the paths of its Keras layers.
        torch: common part of the paths of its PyTorch modules.
        kind: class of the module, if an operation directly in it tells.
        parent: number of the block around it.
    """

    name: str
    tf: str = ""
    torch: str = ""
    kind: str = ""
    parent: int | None = None


@dataclass(frozen=True)
class Drawing:
    """Both graphs as one.

    Attributes:
        nodes: in the order of the Keras model; operations of PyTorch alone stand behind those that they follow.
        edges: between them.
        groups: outer ones before inner ones.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[DrawnEdge, ...] = ()
    groups: tuple[Group, ...] = ()


class DrawnModel:
    """One model's drawn operations, and their edges.

    Attributes:
        ops: drawn operations by name.
        reads: names of the drawn operations that each one reads.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        graph = skeleton.graph
        kept = {op.name for op in graph.ops() if op.name in skeleton.colour or _drawn(op, graph)}
        passed: dict[str, list[str]] = {}
        self.ops: dict[str, DrawnOp] = {}
        self.reads: dict[str, list[str]] = {}
        for op in graph.ops():
            sources = _unique(name for value in op.inputs for name in passed[value.op])
            passed[op.name] = [op.name] if op.name in kept else sources
            if op.name in kept:
                shape = tuple(int(size) for size in op.shapes[0]) if op.shapes else ()
                self.ops[op.name] = DrawnOp(op.name, op.path, op.type or str(op.kind), str(op.kind), shape)
                self.reads[op.name] = sources
        for name, number in skeleton.output_position.items():
            value = graph.outputs[number]
            shape = tuple(int(size) for size in graph.shape(value))
            self.ops[name] = DrawnOp(name, "", "output", "output", shape)
            self.reads[name] = passed[value.op]


def _drawn(op: Op, graph: Graph) -> bool:
    """Whether an operation outside of the skeleton is drawn: not if it is a part of a longer sum."""
    readers = [graph.op(name) for name in graph.successors(op.name)]
    nested = op.kind.is_merge and len(op.inputs) > 1 and bool(readers)
    return op.kind.is_drawn and not (nested and all(reader.kind == op.kind for reader in readers))


def pairs_of(analysis: Analysis) -> dict[str, str]:
    """Matched operations by name, including those without weights on edges between matched nodes."""
    partner = dict(analysis.matching.partner)
    paired = set(partner.values())
    for node in analysis.matching.partner:
        for a, b in edge_operations(analysis.matching, node):
            if a.inputs and b.inputs and a.name not in partner and b.name not in paired:
                partner[a.name] = b.name
                paired.add(b.name)
    return partner


def nodes_of(models: Both[DrawnModel], partner: Mapping[str, str]) -> list[Node]:
    """Nodes in the order of the Keras model."""
    tf, torch = models
    order = {name: number for number, name in enumerate(tf.ops)}
    back = {right: left for left, right in partner.items()}
    placed = [
        ((float(order[name]), 0), Node(place, torch.ops.get(partner.get(name, "")))) for name, place in tf.ops.items()
    ]
    last = -1.0
    for number, (name, place) in enumerate(torch.ops.items()):
        if back.get(name) in order:
            last = max(last, order[back[name]])
        else:
            placed.append(((last, number + 1), Node(None, place)))
    return [node for _, node in sorted(placed, key=lambda entry: entry[0])]


def edges_of(nodes: Sequence[Node], models: Both[DrawnModel]) -> tuple[DrawnEdge, ...]:
    """The edges, by numbers of the nodes."""
    sides_of: dict[tuple[int, int], set[Framework]] = {}
    for framework in Framework:
        numbers = {place.name: n for n, node in enumerate(nodes) if (place := node[framework]) is not None}
        for name, sources in models[framework].reads.items():
            for source in sources:
                sides_of.setdefault((numbers[source], numbers[name]), set()).add(framework)
    return tuple(DrawnEdge(*ends, Framework.TF in sides, Framework.TORCH in sides) for ends, sides in sides_of.items())


def _unique(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))
