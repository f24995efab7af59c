"""The skeleton of a graph: operations with weights, merges, inputs and outputs.

Everything weightless that reads from one skeleton node only is contracted onto the edge, also when
it branches and joins again on the way (a hand-written activation, a channel shuffle, a softmax): it
has one entry and one exit. What was contracted is the edge's evidence for the comparison of
hyper-parameters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from autoport.canonical.evidence import COMMUTATIVE, Edge, expression_of
from autoport.graph import Graph, Op, Value

# Kinds that are nodes whether or not they have weights.
STRUCTURAL = {
    "input",
    "output",
    "conv",
    "dense",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "rms_norm",
    "embedding",
    "lstm",
    "gru",
    "simple_rnn",
    "prelu",
}


@dataclass
class Skeleton:
    """What is matched.

    Attributes:
        graph: the whole graph.
        nodes: names in topological order; outputs of the model come last.
        colour: what must agree, by node.
        preds: (node, argument position) pairs that a node reads.
        succs: (node, argument position) pairs that read a node.
        edges: every use of one node's values by another, with what was contracted on the way.
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

    def uses(self, node: str) -> list[tuple[str, Edge]]:
        """The uses of other nodes by a node, in the order of its operands, each with the node that is used."""
        sources = dict(self.preds.get(node, ()))
        edges = [(source, edge) for source in sources for edge in self.edges[source, node]]
        return sorted(edges, key=lambda found: found[1].position)

    def add(self, node: str, colour: Any) -> None:
        """Appends a node."""
        self.nodes.append(node)
        self.colour[node] = colour

    def loosened(self, free: Collection[str]) -> Skeleton:
        """The same, but for the order of the operands of some nodes, which does not count."""

        def place(reader: str, position: int) -> int:
            return 0 if reader in free else position

        return replace(
            self,
            preds={node: [(other, place(node, k)) for other, k in found] for node, found in self.preds.items()},
            succs={node: [(other, place(other, k)) for other, k in found] for node, found in self.succs.items()},
            edges={
                (source, node): [replace(edge, position=place(node, edge.position)) for edge in found]
                for (source, node), found in self.edges.items()
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
        weighted = bool(op.weights) or op.kind in STRUCTURAL
        if weighted or len(origins) > 1:
            self._node(op)
        else:
            self.origin[op.name] = next(iter(origins), None)
            passed = [found for v in op.inputs for found in self.preprocessing.get(v.op, ())]
            own = [op] if op.kind == "preprocessing" else []
            self.preprocessing[op.name] = tuple({found.name: found for found in [*passed, *own]}.values())

    def _node(self, op: Op) -> None:
        self.origin[op.name] = op.name
        self.result.add(op.name, op.colour)
        for position, value in enumerate(self._operands(op)):
            origin = self.origin[value.op]
            if origin is not None:
                place = 0 if op.kind in COMMUTATIVE else position
                self.result.link(origin, op.name, self._edge(place, value))

    def _operands(self, op: Op) -> list[Value]:
        """Operands, with what is nested written as one: a + (b + c), concat(concat(a, b), c).

        A nested sum is taken apart only where nothing else reads it. A nested concatenation may
        be read elsewhere too: it only places values next to each other.
        """
        if op.weights or op.kind not in COMMUTATIVE | {"concat"}:
            return list(op.inputs)
        operands: list[Value] = []
        waiting = [(value, op) for value in reversed(op.inputs)]
        while waiting:
            value, reader = waiting.pop()
            inner = self.graph.op(value.op)
            only = self._only_read_by(inner, reader)
            same = not inner.weights and inner.kind == op.kind and inner.attrs.get("axis") == op.attrs.get("axis")
            if same and self.origin[value.op] == value.op and (only or op.kind == "concat"):
                waiting += [(nested, inner) for nested in reversed(inner.inputs)]
                if only:
                    self._remove(inner.name)
            else:
                operands.append(value)
        return operands

    def _only_read_by(self, inner: Op, op: Op) -> bool:
        single = self.graph.out_degree(inner.name) == 1 and inner.name not in self.read_by_outputs
        return single and self.graph.has_edge(inner.name, op.name)

    def _remove(self, name: str) -> None:
        result = self.result
        if name not in result.colour:
            return
        result.nodes.remove(name)
        del result.colour[name]
        for source, _ in result.preds.pop(name, []):
            result.succs[source] = [edge for edge in result.succs[source] if edge[0] != name]
            result.edges.pop((source, name), None)

    def _edge(self, position: int, value: Value) -> Edge:
        expression = expression_of(self.graph, value, self.result.colour)
        return Edge(position, value, expression, self.preprocessing.get(value.op, ()))
