"""Taps: the values at which the two models are compared.

An *input* of a matched operation shows what lies on the edge to it (an activation, a padding, a pooling). Its *result*
shows its own hyper-parameters and weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from autoport.comparison.differences import wiring
from autoport.facts.places import Place
from autoport.graph import Graph, Op, Value
from autoport.internals.pytorch import tree_leaves
from autoport.matching import Matching
from autoport.verify.comparing.arrange import Layouts

NODE, EDGE, OUTPUT = "node", "edge", "output"


@dataclass(frozen=True, eq=False)
class Tap:
    """Two values that should be equal.

    Attributes:
        kind: `node` for a result of a matched operation, `edge` for an input of one, `output` for
            an output of the models.
        tf: name of the TensorFlow tensor.
        torch: the `fx.Node` and, if it has several results, the index of this one.
        places: the matched operations, or the outputs.
        node: the skeleton node of the Keras side.
        layouts: the axes of both values.
        reader: the `fx.Node` that reads the value, if the value is compared for this consumer only: other
            consumers have a tap of their own.
    """

    kind: str
    tf: str
    torch: tuple[Any, int | None]
    places: tuple[Place, Place]
    node: str
    layouts: Layouts
    reader: Any = None


def find_taps(matching: Matching, skipped: Collection[Value]) -> list[Tap]:
    """Every place at which both sides hold a value of their own.

    Args:
        matching: the pairs.
        skipped: PyTorch values that rightly differ, because a bias is absorbed behind them.
    """
    by_value: dict[Any, Tap] = {}
    by_consumer: list[Tap] = []
    for tap in _candidates(matching, skipped):
        first = by_value.setdefault(tap.torch, replace(tap, reader=None))
        if first.tf != tap.tf and tap.reader is not None and tap.torch[1] is None:
            by_consumer.append(tap)
    return [*by_value.values(), *by_consumer]


def output_taps(matching: Matching) -> list[Tap]:
    """A tap for every output that both models return."""
    left, right = matching.left, matching.right
    taps: list[Tap] = []
    for node, place in left.output_position.items():
        if node in matching.partner:
            position = right.output_position[matching.partner[node]]
            values = left.graph.outputs[place], right.graph.outputs[position]
            taps += _tap(matching, OUTPUT, node, *values, position)
    return taps


def _candidates(matching: Matching, skipped: Collection[Value]) -> Iterator[Tap]:
    """Taps at results first, then taps at inputs, then taps at outputs."""
    left, right = matching.left, matching.right
    pairs = [(node, left.op(node), right.op(partner)) for node, partner in matching.partner.items()]
    both = [(node, a, b) for node, a, b in pairs if a is not None and b is not None]
    results = [
        (NODE, node, Value(a.name, k), Value(b.name, k))
        for node, a, b in both
        for k in range(min(len(a.shapes), len(b.shapes)))
    ]
    inputs = [(EDGE, node, *values) for node, a, b in both for values in _operands(matching, a, b)]
    for kind, node, first, second in (*results, *inputs):
        if second not in skipped:
            yield from _tap(matching, kind, node, first, second)
    yield from output_taps(matching)


def _operands(matching: Matching, a: Op, b: Op) -> list[tuple[Value, Value]]:
    """The inputs of two matched operations in pairs; none if their order may differ."""
    commutes = a.kind.is_commutative and len(a.inputs) > 1
    if commutes or len(a.inputs) != len(b.inputs) or any(wiring(matching, a, b)):
        return []
    return list(zip(a.inputs, b.inputs, strict=True))


def _value_with_origin(graph: Graph, value: Value) -> Value:
    """The value, or the same in another shape right behind it, whichever first has an origin."""
    while value not in graph.origins:
        consumers = list(graph.successors(value.op))
        if len(consumers) != 1 or not graph.op(consumers[0]).kind.is_shape_only:
            break
        value = Value(consumers[0])
    return value


def _tap(matching: Matching, kind: str, node: str, first: Value, second: Value, position: int = 0) -> Iterator[Tap]:
    tf, torch = matching.left.graph, matching.right.graph
    values = first, second
    first, second = (
        (first, second) if kind != NODE else (_value_with_origin(tf, first), _value_with_origin(torch, second))
    )
    if first in tf.origins and second in torch.origins:
        axes = tf.axes.get(first, ()), torch.axes.get(second, ())
        # Outputs must agree in the same order of positions.
        moved = {} if kind == OUTPUT else matching.orders.moved
        layouts = Layouts(*axes, torch.shape(second), moved)
        if (first, second) != values and layouts.pattern is None:
            return
        partner = matching.partner[node]
        origin = torch.origins[second]
        reader = _reader_of_output(origin[0], position) if kind == OUTPUT else None
        if kind == EDGE:
            origin, reader = _read_by(torch, second, torch.origins.get(Value(partner), (None,))[0])
        places = matching.left.place(node), matching.right.place(partner)
        yield Tap(kind, tf.origins[first], origin, places, node, layouts, reader)


def _read_by(graph: Graph, value: Value, reader: Any) -> tuple[Any, Any]:
    """The call that computes a value for a reader (equal calls are one value), and what reads it first."""
    for origin in (graph.origins[value], *graph.repeated.get(value.op, ())):
        first = _first_consumer(origin[0], reader)
        if first is not None:
            return origin, first
    return graph.origins[value], None


def _reader_of_output(source: Any, position: int) -> Any:
    """What reads the value that becomes an output: the end of the graph, or a view in front of it."""
    end = source.graph.output_node()
    returned = list(tree_leaves(end.args))[position]
    return end if returned is source else _first_consumer(source, returned) or end


def _first_consumer(source: Any, reader: Any) -> Any:
    """The first consumer of a node on the only way to another one: the padding in front of a convolution, say."""
    while reader is not None and source not in reader.all_input_nodes:
        above = [node for node in reader.all_input_nodes if node.op == "call_function"]
        reader = above[0] if len(above) == 1 else None
    return reader
