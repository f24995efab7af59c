"""A computation as a `networkx.DiGraph` whose nodes carry an `Op`."""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from typing import Any

import networkx as nx

from autoport.graph.axes import Axes
from autoport.graph.op import Op, OutputPath, Tensor, Value


class Graph(nx.DiGraph):
    """Operations in the order they ran.

    Node keys are `Op.name`, node data hold `op`; an edge holds `positions`, the places among
    the consumer's inputs at which the producer's values stand.

    Attributes:
        tensors: every tensor the model stores, by path, used or not.
        outputs: the values the model returns, in order.
        output_paths: for each of them the keys and places that lead to it in what the model returns.
        aliases: further paths of tied tensors, each with the path it is registered under.
        ignored: paths of stored tensors that belong to preprocessing, with the reason.
        axes: names of the data axes of every value, once `canonical.axes.layout` has named them.
        origins: the origin of a value in its framework: name of a TensorFlow tensor, or `fx.Node` and place
            among its results. Values without a counterpart there have none.
        repeated: by operation, the origins of duplicates that were merged into it.
    """

    def __init__(self, incoming: Any = None, **attrs: Any) -> None:
        super().__init__(incoming, **attrs)
        self.tensors: dict[str, Tensor] = {}
        self.outputs: list[Value] = []
        self.output_paths: list[OutputPath] = []
        self.aliases: dict[str, str] = {}
        self.ignored: dict[str, str] = {}
        self.axes: dict[Value, Axes] = {}
        self.origins: dict[Value, Any] = {}
        self.repeated: dict[str, list[Any]] = {}

    def add_op(self, op: Op) -> Value:
        """Appends an operation and returns its first output."""
        if op.name in self:
            raise ValueError(f"two operations are named {op.name!r}")
        self.add_node(op.name, op=op)
        self._connect(op)
        return Value(op.name)

    def replace_inputs(self, op: Op, inputs: tuple[Value, ...]) -> None:
        """Rewires an operation."""
        self.remove_edges_from([(value.op, op.name) for value in op.inputs])
        op.inputs = inputs
        self._connect(op)

    def rewire(self, op: Op, inputs: tuple[Value, ...]) -> None:
        """Rewires an operation, and removes operations that nothing else reads."""
        former = op.inputs
        self.replace_inputs(op, inputs)
        for value in former:
            if value.op in self:
                self.drop_unused(value.op)

    def become(self, op: Op, kind: str, source: Value, **attrs: Any) -> None:
        """Turns the last operation of a pattern into the operation that the pattern spells.

        Args:
            op: that operation.
            kind: what it becomes.
            source: the pattern's input; operations that only the pattern read are removed.
            **attrs: hyper-parameters.
        """
        op.kind, op.attrs = kind, attrs
        op.colour = (op.kind,)
        self.rewire(op, (source,))

    def redirect(self, old: Value, new: Value) -> None:
        """Lets every consumer of one value read another instead."""
        for consumer in list(self.successors(old.op)):
            op = self.op(consumer)
            if old in op.inputs:
                self.replace_inputs(op, tuple(new if value == old else value for value in op.inputs))
        self.outputs = [new if value == old else value for value in self.outputs]

    def bypass(self, name: str, value: Value) -> None:
        """Removes an operation; its consumers read `value` instead."""
        for output in range(max(1, len(self.op(name).shapes))):
            self.redirect(Value(name, output), value)
        self.remove_node(name)

    def fold(self, name: str, value: Value) -> None:
        """Bypasses an operation that became a part of the one in front: `value` takes over its origin."""
        origin = self.origins.pop(Value(name), None)
        self.origins.pop(value, None)
        if origin is not None:
            self.origins[value] = origin
        self.bypass(name, value)

    def drop_unused(self, name: str) -> None:
        """Removes an operation without consumers, then producers that lose their last one; layers and inputs stay."""
        waiting = [name]
        while waiting:
            name = waiting.pop()
            if name not in self:  # two operations had read it, and both are gone
                continue
            op = self.op(name)
            if self.out_degree(op.name) or (op.weights and not op.kind.is_parameter) or op.kind.is_input:
                continue
            if any(value.op == op.name for value in self.outputs):
                continue
            self.remove_node(op.name)
            waiting += {value.op for value in op.inputs if value.op in self}

    def sort(self) -> None:
        """Puts operations that a rule appended behind their producers; otherwise the order stays."""
        place = {name: number for number, name in enumerate(self)}
        order = list(nx.lexicographical_topological_sort(self, key=place.__getitem__))
        nodes, edges = [(name, self.nodes[name]) for name in order], list(self.edges(data=True))
        self.remove_nodes_from(order)
        self.add_nodes_from(nodes)
        self.add_edges_from(edges)

    def _connect(self, op: Op) -> None:
        for position, value in enumerate(op.inputs):
            if self.has_edge(value.op, op.name):
                self.edges[value.op, op.name]["positions"].append(position)
            else:
                self.add_edge(value.op, op.name, positions=[position])

    def op(self, name: str) -> Op:
        """The operation of that name."""
        operation: Op = self.nodes[name]["op"]
        return operation

    def ops(self) -> Iterator[Op]:
        """Every operation in the order they ran, which is topological."""
        return (data["op"] for _, data in self.nodes(data=True))

    def is_read_once(self, value: Value) -> bool:
        """Whether the operation of a value has one consumer, which reads it as one operand, and is no output."""
        readers = [place for _, _, places in self.out_edges(value.op, data="positions") for place in places]
        return len(readers) == 1 and all(output.op != value.op for output in self.outputs)

    def shape(self, value: Value) -> tuple[int, ...]:
        """Shape of a value; empty when unknown."""
        shapes = self.op(value.op).shapes
        return shapes[value.output] if value.output < len(shapes) else ()

    def output_path(self, number: int) -> OutputPath:
        """The way to an output in what the model returns; a graph that was made by hand returns one tuple."""
        return self.output_paths[number] if self.output_paths else (number,)

    def read_tensors(self) -> KeysView[str]:
        """Paths of the tensors that an output depends on, in the order they are read."""
        behind = self.reverse(copy=False)
        live = {name for value in self.outputs for name in nx.descendants(behind, value.op) | {value.op}}
        return dict.fromkeys(path for op in self.ops() if op.name in live for path in op.tensors).keys()
