"""The skeleton of a graph: operations with weights, merges, inputs and outputs.

Operations without weights that read from one skeleton node only are contracted onto the edge, even
where they branch and join again (a hand-written activation, a channel shuffle, a softmax): they have
one entry and one exit. The edge keeps them as evidence for the comparison of hyper-parameters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from autoport.facts.places import Place, Port
from autoport.graph import Graph, Op, Value
from autoport.matching.evidence import Edge, expression_of


@dataclass
class Skeleton:
    """The nodes and edges that are matched.

    Attributes:
        graph: the whole graph.
        nodes: names in topological order; outputs of the model come last.
        colour: by node, what must agree between counterparts.
        preds: (node, argument position) pairs that a node reads.
        succs: (node, argument position) pairs that read a node.
        edges: every use of one node's values by another, with the operations that were contracted onto it.
        output_position: place of each output node among the model's outputs.
    """

    graph: Graph
    nodes: list[str] = field(default_factory=list)
    colour: dict[str, Any] = field(default_factory=dict)
    preds: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    succs: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    edges: dict[tuple[str, str], list[Edge]] = field(default_factory=dict)
    output_position: dict[str, int] = field(default_factory=dict)

    def op(self, node: str) -> Op | None:
        """The operation of a node; None for an output of the model."""
        return self.graph.op(node) if node in self.graph else None

    def place(self, node: str) -> Place:
        """Where a node is, as people know it."""
        op = self.op(node)
        return Place(port=Port("output", self.output_position[node]), name=node) if op is None else op.place

    def edge(self, source: str, node: str) -> Place:
        """The edge from one node to another that reads it."""
        return replace(self.place(node), producer=self.place(source))

    def uses(self, node: str) -> list[tuple[str, Edge]]:
        """The uses of other nodes by a node, in the order of its operands, each with the node that is used."""
        sources = dict(self.preds.get(node, ()))
        edges = [(source, edge) for source in sources for edge in self.edges[source, node]]
        return sorted(edges, key=lambda use: use[1].position)

    def add(self, node: str, colour: Any) -> None:
        """Appends a node."""
        self.nodes.append(node)
        self.colour[node] = colour

    def with_free_operands(self, free: Collection[str]) -> Skeleton:
        """The same skeleton, in which the order of the operands of some nodes does not count."""

        def place(reader: str, position: int) -> int:
            return 0 if reader in free else position

        return replace(
            self,
            preds={node: [(other, place(node, k)) for other, k in preds] for node, preds in self.preds.items()},
            succs={node: [(other, place(other, k)) for other, k in succs] for node, succs in self.succs.items()},
            edges={
                (source, node): [replace(edge, position=place(node, edge.position)) for edge in edges]
                for (source, node), edges in self.edges.items()
            },
        )

    def link(self, source: str, target: str, edge: Edge) -> None:
        """Adds an edge."""
        self.preds[target].append((source, edge.position))
        self.succs[source].append((target, edge.position))
        self.edges.setdefault((source, target), []).append(edge)


def skeleton(graph: Graph) -> Skeleton:
    """Contracts a graph."""
    return _Contraction(graph).run()


class _Contraction:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.result = Skeleton(graph)
        self.origin: dict[str, str | None] = {}
        self.preprocessing: dict[str, tuple[Op, ...]] = {}
        self.nested: set[str] = set()
        self.read_by_outputs = {value.op for value in graph.outputs}

    def run(self) -> Skeleton:
        for op in self.graph.ops():
            self._visit(op)
        for number, value in enumerate(self.graph.outputs):
            origin = self.origin[value.op]
            if origin is not None:
                node = f"output {number}"
                self.result.output_position[node] = number
                self.result.add(node, ("output",))
                self.result.link(origin, node, self._edge(0, value))
        return self.result

    def _visit(self, op: Op) -> None:
        origins = dict.fromkeys(self.origin[v.op] for v in op.inputs if self.origin[v.op] is not None)
        weighted = bool(op.weights) or op.kind.is_structural
        if weighted or len(origins) > 1:
            self._node(op)
        else:
            for nested in {v.op for v in op.inputs} & self.nested:
                self._node(self.graph.op(nested), alone=True)
            self.origin[op.name] = next(iter(origins), None)
            above = [layer for v in op.inputs for layer in self.preprocessing.get(v.op, ())]
            own = [op] if op.kind.is_preprocessing else []
            self.preprocessing[op.name] = tuple({layer.name: layer for layer in [*above, *own]}.values())

    def _node(self, op: Op, *, alone: bool = False) -> None:
        """Makes an operation a node, unless it is part of the merge that reads it; `alone` makes it one anyway."""
        self.origin[op.name] = op.name
        if self._is_nested(op) and not alone:
            self.nested.add(op.name)
            return
        self.result.add(op.name, op.colour)
        for position, value in enumerate(self._operands(op)):
            origin = self.origin[value.op]
            if origin is not None:
                place = 0 if op.kind.is_commutative else position
                self.result.link(origin, op.name, self._edge(place, value))

    def _operands(self, op: Op) -> list[Value]:
        """Operands, where nested merges count as one: a + (b + c), concat(concat(a, b), c).

        A nested sum is taken apart only if nothing else reads it. A nested concatenation may have other
        consumers: it only puts values next to each other.
        """
        if op.weights or not op.kind.is_merge:
            return list(op.inputs)
        operands: list[Value] = []
        waiting = list(reversed(op.inputs))
        while waiting:
            value = waiting.pop()
            inner = self.graph.op(value.op)
            placed = op.kind.is_join and _same_merge(inner, op) and self.origin[value.op] == value.op
            if placed or value.op in self.nested:
                waiting += reversed(inner.inputs)
            else:
                operands.append(value)
        return operands

    def _is_nested(self, op: Op) -> bool:
        """Whether a merge is read by another one of its kind only."""
        if not op.kind.is_merge or op.name in self.read_by_outputs:
            return False
        readers = list(self.graph.successors(op.name))
        return len(readers) == 1 and _same_merge(op, self.graph.op(readers[0]))

    def _edge(self, position: int, value: Value) -> Edge:
        expression = expression_of(self.graph, value, self.result.colour)
        return Edge(position, value, expression, self.preprocessing.get(value.op, ()))


def _same_merge(inner: Op, outer: Op) -> bool:
    """Whether two operations without weights join values in the same way."""
    same = inner.kind == outer.kind and inner.attrs.get("axis") == outer.attrs.get("axis")
    return same and not inner.weights and not outer.weights
