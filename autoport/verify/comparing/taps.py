"""Where the two models are compared: values that matched operations make, and values that they read.

What a matched operation *reads* shows what lies on the edge to it (an activation, a padding, a
pooling); what it *makes* shows its own hyper-parameters and weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from autoport.comparison.differences import wiring
from autoport.facts.places import Place
from autoport.graph import Graph, Op, Value
from autoport.matching import Matching
from autoport.verify.comparing.arrange import Layouts

NODE, EDGE, OUTPUT = "node", "edge", "output"


@dataclass(frozen=True, eq=False)
class Tap:
    """Two values that should be equal.

    Attributes:
        kind: `node` for a result of a matched operation, `edge` for what one reads, `output` for
            what the models return.
        tf: name of the TensorFlow tensor.
        torch: the `fx.Node` and, if it has several results, the place of this one.
        places: the matched operations, or the output of either model.
        node: the skeleton node of the Keras side.
        layouts: the axes of both values.
        reader: the `fx.Node` that reads the value, where it is compared for this reader only: what
            others read of it is compared elsewhere.
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
        skipped: PyTorch values that are rightly others, because a bias is absorbed behind them.
    """
    found: dict[Any, Tap] = {}
    again: list[Tap] = []
    for tap in _candidates(matching, skipped):
        first = found.setdefault(tap.torch, replace(tap, reader=None))
        if first.tf != tap.tf and tap.reader is not None and tap.torch[1] is None:
            again.append(tap)
    return [*found.values(), *again]


def output_taps(matching: Matching) -> list[Tap]:
    """What both models return."""
    left, right = matching.left, matching.right
    taps: list[Tap] = []
    for node, place in left.output_position.items():
        if node in matching.partner:
            values = left.graph.outputs[place], right.graph.outputs[right.output_position[matching.partner[node]]]
            taps += _tap(matching, OUTPUT, node, *values)
    return taps


def _candidates(matching: Matching, skipped: Collection[Value]) -> Iterator[Tap]:
    """Taps at results before taps at what is read."""
    left, right = matching.left, matching.right
    pairs = [(node, left.op(node), right.op(partner)) for node, partner in matching.partner.items()]
    both = [(node, a, b) for node, a, b in pairs if a is not None and b is not None]
    made = [
        (NODE, node, Value(a.name, k), Value(b.name, k))
        for node, a, b in both
        for k in range(min(len(a.shapes), len(b.shapes)))
    ]
    read = [(EDGE, node, *values) for node, a, b in both for values in _operands(matching, a, b)]
    for kind, node, first, second in (*made, *read):
        if second not in skipped:
            yield from _tap(matching, kind, node, first, second)
    yield from output_taps(matching)


def _operands(matching: Matching, a: Op, b: Op) -> list[tuple[Value, Value]]:
    """What two matched operations read, where it is known which is which."""
    commutes = a.kind.is_commutative and len(a.inputs) > 1
    if commutes or len(a.inputs) != len(b.inputs) or any(wiring(matching, a, b)):
        return []
    return list(zip(a.inputs, b.inputs, strict=True))


def _known(graph: Graph, value: Value) -> Value:
    """The value, or the first thing that only changes its shape, that was one thing on its side."""
    while value not in graph.origins:
        readers = list(graph.successors(value.op))
        if len(readers) != 1 or not graph.op(readers[0]).kind.is_shape_only:
            break
        value = Value(readers[0])
    return value


def _tap(matching: Matching, kind: str, node: str, first: Value, second: Value) -> Iterator[Tap]:
    tf, torch = matching.left.graph, matching.right.graph
    made = first, second
    first, second = (first, second) if kind != NODE else (_known(tf, first), _known(torch, second))
    if first in tf.origins and second in torch.origins:
        axes = tf.axes.get(first, ()), torch.axes.get(second, ())
        # What the models return must be the same in the same order.
        moved = {} if kind == OUTPUT else matching.orders.moved
        layouts = Layouts(*axes, torch.shape(second), moved)
        if (first, second) != made and layouts.pattern is None:
            return
        partner = matching.partner[node]
        reader = torch.origins[second][0].graph.output_node() if kind == OUTPUT else None
        if kind == EDGE:
            reader = _first_reader(torch.origins[second][0], torch.origins.get(Value(partner), (None,))[0])
        places = matching.left.place(node), matching.right.place(partner)
        yield Tap(kind, tf.origins[first], torch.origins[second], places, node, layouts, reader)


def _first_reader(source: Any, reader: Any) -> Any:
    """Who reads a node first on the only way to another one: the padding in front of a convolution, say."""
    while reader is not None and source not in reader.all_input_nodes:
        above = [node for node in reader.all_input_nodes if node.op == "call_function"]
        reader = above[0] if len(above) == 1 else None
    return reader
