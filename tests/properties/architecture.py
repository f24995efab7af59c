"""An abstract architecture: layers with all their hyper-parameters, and no word on how they are spelled.

Values have shapes without the batch, channels last: `(h, w, c)` a map, `(t, c)` a sequence, `(c,)` a vector,
`(t,)` whole numbers. A node's shape follows from its kind, its parameters and what it reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Shape = tuple[int, ...]


class Invalid(Exception):
    """Layers that do not fit each other."""


@dataclass(frozen=True)
class Node:
    """A layer, a merge, or an input.

    Attributes:
        id: stays the same when the architecture is edited.
        kind: a key of `SHAPES`.
        sources: ids of the nodes that it reads.
        shape: of what it makes.
        params: hyper-parameters.
        shared: id of the node whose layer it uses again.
    """

    id: int
    kind: str
    sources: tuple[int, ...]
    shape: Shape
    params: Mapping[str, Any]
    shared: int | None = None

    @property
    def owner(self) -> int:
        """The id under which its layer is kept."""
        return self.id if self.shared is None else self.shared

    def __getitem__(self, name: str) -> Any:
        return self.params[name]


@dataclass(frozen=True)
class Architecture:
    """Nodes in an order in which they can run, and the ids of those that are returned."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    def __getitem__(self, id: int) -> Node:
        return next(node for node in self.nodes if node.id == id)

    def sources(self, node: Node) -> list[Shape]:
        """Shapes of what a node reads."""
        return [self[source].shape for source in node.sources]

    @property
    def inputs(self) -> list[Node]:
        """The inputs, in order."""
        return [node for node in self.nodes if node.kind == "input"]

    def readers(self, id: int) -> list[Node]:
        """Nodes that read another."""
        return [node for node in self.nodes if id in node.sources]


@dataclass
class Sketch:
    """An architecture that is being drawn."""

    nodes: list[Node] = field(default_factory=list)

    def add(self, kind: str, *sources: int, shared: int | None = None, **params: Any) -> int:
        """Appends a node; its id."""
        if shared is not None:
            params = dict(self.nodes[shared].params)
        shape = shape_of(kind, params, [self.nodes[source].shape for source in sources])
        self.nodes.append(Node(len(self.nodes), kind, sources, shape, params, shared))
        return len(self.nodes) - 1

    def shape(self, id: int) -> Shape:
        """Shape of what a node makes."""
        return self.nodes[id].shape

    def done(self, *outputs: int) -> Architecture:
        """The architecture that returns those nodes, without what they do not need."""
        return pruned(self.nodes, outputs)


def pruned(nodes: Sequence[Node], outputs: Iterable[int]) -> Architecture:
    """An architecture of the nodes that its outputs need; inputs stay."""
    outputs = tuple(dict.fromkeys(outputs))
    needed = set(outputs)
    for node in reversed(nodes):
        if node.id in needed:
            needed |= {*node.sources, node.owner}
    return Architecture(tuple(n for n in nodes if n.id in needed or n.kind == "input"), outputs)


def rebuilt(nodes: Sequence[Node], outputs: Iterable[int]) -> Architecture:
    """An architecture after edits: every shape anew.

    Raises:
        Invalid: what is left does not fit.
    """
    shapes: dict[int, Shape] = {}
    made = []
    for node in nodes:
        shape = shape_of(node.kind, node.params, [shapes[source] for source in node.sources])
        shapes[node.id] = shape
        made.append(replace(node, shape=shape))
    return pruned(made, outputs)


def shape_of(kind: str, params: Mapping[str, Any], sources: Sequence[Shape]) -> Shape:
    """Shape of what a node makes.

    Raises:
        Invalid: it cannot read such shapes.
    """
    try:
        shape = SHAPES[kind](params, *sources)
    except (TypeError, ValueError, IndexError) as error:
        raise Invalid(f"{kind} on {sources}") from error
    if min(shape) < 1:
        raise Invalid(f"{kind} on {sources}")
    return shape


def paddings(params: Mapping[str, Any], space: Sequence[int]) -> list[tuple[int, int]]:
    """Zeros before and after each spatial axis; TensorFlow puts the odd one behind."""
    if params["padding"] == "valid":
        return [(0, 0)] * len(space)
    if params["padding"] == "causal":
        return [(d * (k - 1), 0) for k, _, d in zip(*_extents(params, len(space)), strict=True)]
    if params["padding"] != "same":
        return [tuple(pair) for pair in params["padding"]]
    pairs = []
    for size, kernel, stride, dilation in zip(space, *_extents(params, len(space)), strict=True):
        total = max((math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
        pairs.append((total // 2, total - total // 2))
    return pairs


def _extents(params: Mapping[str, Any], rank: int) -> list[tuple[int, ...]]:
    ones = (1,) * rank
    return [tuple(params.get(name, ones)[:rank]) for name in ("kernel", "stride", "dilation")]


def _convolved(params: Mapping[str, Any], space: Sequence[int]) -> Shape:
    pads = paddings(params, space)
    sizes = zip(space, pads, *_extents(params, len(space)), strict=True)
    return tuple((size + sum(pad) - d * (k - 1) - 1) // s + 1 for size, pad, k, s, d in sizes)


def _need(condition: bool) -> None:
    if not condition:
        raise ValueError


def _conv(p: Mapping[str, Any], x: Shape) -> Shape:
    groups = p.get("groups", 1)
    _need(len(x) > 1 and x[-1] % groups == 0 and p["filters"] % groups == 0)
    return (*_convolved(p, x[:-1]), p["filters"])


def _depthwise(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) in (2, 3))
    return (*_convolved(p, x[:-1]), x[-1] * p["multiplier"])


def _separable(p: Mapping[str, Any], x: Shape) -> Shape:
    return (*_depthwise(p, x)[:-1], p["filters"])


def _conv_transpose(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) > 1)
    extents = zip(x[:-1], p["kernel"], p["stride"], strict=False)
    more = [0 if p["padding"] == "same" else max(k - s, 0) for k, s in zip(p["kernel"], p["stride"], strict=True)]
    return (*(size * s + extra for (size, _, s), extra in zip(extents, more, strict=False)), p["filters"])


def _pool(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) > 1)
    return (*_convolved(p, x[:-1]), x[-1])


def _same(p: Mapping[str, Any], *xs: Shape) -> Shape:
    _need(len(set(xs)) == 1)
    return xs[0]


def _group_norm(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) > 1 and x[-1] % p["groups"] == 0)
    return x


def _concat(p: Mapping[str, Any], *xs: Shape) -> Shape:
    axis = p["axis"]
    _need(len({x[:-1] if axis == -1 else x[1:] for x in xs}) == 1 and (axis == -1 or len(xs[0]) == 2))
    total = sum(x[axis] for x in xs)
    return (*xs[0][:-1], total) if axis == -1 else (total, *xs[0][1:])


def _map(make: Callable[[Shape], Shape], *ranks: int) -> Callable[..., Shape]:
    def rule(p: Mapping[str, Any], x: Shape) -> Shape:
        _need(len(x) in ranks)
        return make(x)

    return rule


def _global(x: Shape) -> Shape:
    _need(math.prod(x[:-1]) > 1)  # over one position it is nothing at all, and may be left out
    return x[-1:]


def _rnn(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) == 2)
    width = p["units"] * (2 if p["bidirectional"] else 1)
    return (x[0], width) if p["sequences"] else (width,)


def _attention(p: Mapping[str, Any], query: Shape, source: Shape) -> Shape:
    _need(len(query) == len(source) == 2 and p["heads"] % p["kv_heads"] == 0)
    return query


def _gate(p: Mapping[str, Any], x: Shape, gate: Shape) -> Shape:
    _need(len(gate) == 1 and len(x) > 1 and x[-1] == gate[0])
    return x


def _crop(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) in (2, 3))
    return (x[0] - p["low"] - p["high"], *x[1:])


def _part(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(0 <= p["start"] < p["stop"] <= x[-1])
    return (*x[:-1], p["stop"] - p["start"])


def _shuffle(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) == 3 and x[-1] % p["groups"] == 0)
    return x


def _positions(p: Mapping[str, Any], x: Shape) -> Shape:
    _need(len(x) == 2)
    return x


SHAPES: dict[str, Callable[..., Shape]] = {
    "input": lambda p: p["shape"],
    "embedding": lambda p, x: (*x, p["width"]),
    "positions": _positions,
    "conv": _conv,
    "depthwise": _depthwise,
    "separable": _separable,
    "conv_transpose": _conv_transpose,
    "dense": lambda p, x: (*x[:-1], p["units"]),
    "whole": lambda p, x: (p["units"],) if len(x) in (2, 3) else (),
    "gated": lambda p, x: x,
    "generator": lambda p, x: p["shape"] if len(x) == 1 else (),
    "batch_norm": _same,
    "layer_norm": _same,
    "rms_norm": _same,
    "group_norm": _group_norm,
    "prelu": _map(lambda x: x, 1, 2, 3),
    "activation": _same,
    "scale": _same,
    "dropout": _same,
    "max_pool": _pool,
    "avg_pool": _pool,
    "global_pool": _map(_global, 2, 3, 4),
    "upsample": lambda p, x: (*(size * p["factor"] for size in x[:-1]), x[-1]) if len(x) == 3 else (),
    "flatten": _map(lambda x: (math.prod(x),), 2, 3, 4),
    "rows": _map(lambda x: (x[0], x[1] * x[2]), 3),
    "pixels": _map(lambda x: (x[0] * x[1], x[2]), 3),
    "rnn": _rnn,
    "attention": _attention,
    "gate": _gate,
    "crop": _crop,
    "part": _part,
    "shuffle": _shuffle,
    "concat": _concat,
    **dict.fromkeys(("add", "mul", "sub", "maximum", "minimum", "average"), _same),
}
COMMUTATIVE = {"add", "mul", "maximum", "minimum", "average"}
WEIGHTED = {
    "embedding", "positions", "conv", "depthwise", "separable", "conv_transpose", "dense", "whole", "gated",
    "generator", "batch_norm", "layer_norm", "rms_norm", "group_norm", "prelu", "rnn", "attention",
}  # fmt: skip
