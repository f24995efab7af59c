"""Attention written by hand becomes one operation (Vaswani et al., arXiv:1706.03762).

    attention(q, k, v) = softmax(scale * (q @ k) + bias + mask) @ v

The pattern is found from the softmax: above it lies the product of queries and keys, below it the
product with the values. Factors, on the way or on the queries and keys themselves, become one `scale`;
what is added is a `bias` where weights take part in it, and a mask where none do. Which operand is
the query is told by the axis that the softmax runs along: the keys bring it.

An `attention` reads query, key, value and biases. Its `equation` holds the letters of the first
three and of the output, as in an einsum; `tokens` are those of the queries' and the keys' positions.
Where several heads of queries share one of keys, the letter that counts them is among the former
until axes have names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isclose

from autoport.canonical.queries.tracing import source_dim
from autoport.graph import Graph, Op, Value

# Where masking by choice may have what it lets pass.
CHOICES = {"where": (1, 2), "masked_fill": (0,)}


@dataclass(frozen=True)
class _Scores:
    """What lies between the product of queries and keys and the softmax: scale * tanh(within * product), say."""

    product: Op
    scale: float = 1.0
    within: float | None = None
    biases: tuple[Value, ...] = ()
    bias_scale: float = 1.0
    masked: bool = False


@dataclass
class _Graph:
    """A graph, with the operations in whose values weights take part."""

    graph: Graph
    weighted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for op in self.graph.ops():
            if op.weights or any(value.op in self.weighted for value in op.inputs):
                self.weighted.add(op.name)


def fold_attention(graph: Graph) -> None:
    """Applies the rule everywhere."""
    known = _Graph(graph)
    for op in list(graph.ops()):
        if op.kind == "attention":
            _split_bias(known, op)
        if op.kind == "softmax" and op.name in graph:
            _fold(known, op)
    for op in list(graph.ops()):
        if op.kind == "attention":
            _collect_scales(graph, op)
            _drop_common_order(graph, op)


def _split_bias(known: _Graph, op: Op) -> None:
    """Of what a fused call is told to add, only what has weights is an operand."""
    biases = [value for added in op.inputs[3:] for value in _summands(known, added)]
    kept = tuple(value for value in biases if value.op in known.weighted)
    if kept != op.inputs[3:]:
        op.attrs["masked"] = op.attrs["masked"] or len(kept) < len(biases)
        known.graph.rewire(op, (*op.inputs[:3], *kept))


def _summands(known: _Graph, value: Value) -> Iterator[Value]:
    op = known.graph.op(value.op)
    if op.kind == "add" and len(op.inputs) == 2 and not op.weights:
        for operand in op.inputs:
            yield from _summands(known, operand)
    else:
        yield value


def _fold(known: _Graph, softmax: Op) -> None:
    graph = known.graph
    scores = _scores(known, softmax.inputs[0])
    found = _values(graph, softmax)
    if scores is None or found is None or len(softmax.attrs["dims"]) != 1:
        return
    if not isclose(scores.bias_scale, 1.0):
        return
    mixing, place = found
    letters = _letters(scores.product, mixing, place, softmax)
    if letters is None:
        return
    key = next(p for p, term in enumerate(scores.product.attrs["equation"][:2]) if letters[4] in term)
    query, key_value = scores.product.inputs[1 - key], scores.product.inputs[key]
    value = mixing.inputs[1 - place]
    path, kind = softmax.path, softmax.type
    mixing.kind, mixing.colour, mixing.path, mixing.type = "attention", ("attention",), path, kind
    tokens = "".join(c for c in letters[0] if c not in letters[1]) + letters[4]
    mixing.attrs = {"equation": letters[:4], "tokens": tokens, "scale": scores.scale, "masked": scores.masked}
    if scores.within is not None:
        mixing.attrs |= {"scale": scores.scale * scores.within, "softcap": scores.scale}
    graph.rewire(mixing, (query, key_value, value, *scores.biases))


def _scores(known: _Graph, value: Value) -> _Scores | None:
    """The product of queries and keys that a value is made of; None if there is none, or several."""
    op = known.graph.op(value.op)
    if op.kind == "matmul" and all(v.op in known.weighted for v in op.inputs):
        return _Scores(op)
    factor = _factor(op)
    if factor is not None:
        return _scaled(_scores(known, op.inputs[0]), factor)
    if op.kind == "reshape" and op.shapes[0][-2:] == known.graph.shape(op.inputs[0])[-2:]:
        return _scores(known, op.inputs[0])
    if op.kind == "tanh":
        return _capped(_scores(known, op.inputs[0]))
    if op.kind in ("add", "sub", "mul", "maximum", *CHOICES):
        return _merged(known, op)
    return None


def _factor(op: Op) -> float | None:
    """The number that an operation multiplies its input with."""
    constant = op.attrs.get("constant")
    if constant is None or op.kind not in ("mul", "div") or (op.kind == "div" and op.attrs["constant_first"]):
        return None
    return float(constant) if op.kind == "mul" else 1 / constant


def _scaled(scores: _Scores | None, factor: float) -> _Scores | None:
    """Scores times a number, with the biases that they have by then."""
    if scores is None:
        return None
    bias_scale = scores.bias_scale * factor if scores.biases else 1.0
    return replace(scores, scale=scores.scale * factor, bias_scale=bias_scale)


def _capped(scores: _Scores | None) -> _Scores | None:
    """Scores that a tanh keeps within bounds."""
    plain = scores is not None and scores.within is None and not scores.biases and not scores.masked
    return replace(scores, scale=1.0, within=scores.scale) if scores is not None and plain else None


def _merged(known: _Graph, op: Op) -> _Scores | None:
    """Scores with a bias or a mask."""
    places = range(len(op.inputs)) if op.kind in ("add", "mul") else CHOICES.get(op.kind, (0,))
    found = [(place, _scores(known, op.inputs[place])) for place in places if place < len(op.inputs)]
    inner = [(place, scores) for place, scores in found if scores is not None]
    if len(inner) != 1:
        return None
    place, scores = inner[0]
    others = [value for k, operand in enumerate(op.inputs) if k != place for value in _summands(known, operand)]
    biases = tuple(value for value in others if value.op in known.weighted)
    if scores is None or (biases and (op.kind != "add" or scores.bias_scale != 1.0)):
        return None
    return replace(scores, biases=scores.biases + biases, masked=scores.masked or len(biases) < len(others))


def _values(graph: Graph, softmax: Op) -> tuple[Op, int] | None:
    """The one product that reads the probabilities, and the place at which it does."""
    found: list[tuple[Op, int]] = []
    waiting = [softmax.name]
    while waiting:
        name = waiting.pop()
        for reader in graph.successors(name):
            op = graph.op(reader)
            if op.kind == "matmul":
                found += [(op, place) for place in graph.edges[name, reader]["positions"]]
            elif op.kind in CHOICES or (op.kind == "reshape" and op.shapes[0][-2:] == graph.shape(op.inputs[0])[-2:]):
                waiting.append(reader)
    return found[0] if len(found) == 1 else None


def _letters(product: Op, mixing: Op, place: int, softmax: Op) -> tuple[str, str, str, str, str] | None:
    """Letters of query, key, value, output and of the axis of keys, where all are written in one alphabet."""
    *terms, scores = product.attrs["equation"]
    probabilities, values = mixing.attrs["equation"][place], mixing.attrs["equation"][1 - place]
    (dim,) = softmax.attrs["dims"]
    last = dim == len(softmax.shapes[0]) - 1
    dim = len(scores) - 1 if last else dim
    if len(probabilities) != len(scores) or dim >= len(scores):
        return None
    shared = dict(zip(probabilities, scores, strict=True))
    fresh = iter(c for c in "ABCDEFGH" if c not in scores)
    for letter in values:
        shared.setdefault(letter, next(fresh))
    token = scores[dim]
    summed = probabilities[dim] in values and probabilities[dim] not in mixing.attrs["equation"][2]
    if not summed or sum(token in term for term in terms) != 1:
        return None
    query, key = sorted(terms, key=lambda term: token in term)
    if not set(query) - set(key):
        return None
    value, out = ("".join(shared[c] for c in term) for term in (values, mixing.attrs["equation"][2]))
    return query, key, value, out, token


def _collect_scales(graph: Graph, op: Op) -> None:
    """Factors on the queries and keys become part of the scale."""
    for place in (0, 1):
        value = op.inputs[place]
        passed: list[Value] = []
        while graph.is_read_once(value):
            producer = graph.op(value.op)
            factor = _factor(producer)
            if factor is not None:
                op.attrs["scale"] *= factor
                value = producer.inputs[0]
                graph.bypass(producer.name, value)
                for scaled in passed:
                    graph.origins.pop(scaled, None)
            elif producer.kind.is_shape_only:
                passed.append(value)
                value = producer.inputs[0]
            else:
                break


def _drop_common_order(graph: Graph, op: Op) -> None:
    """What puts the features of queries and keys into another order, alike, changes no product of them."""
    query, key, _, out = op.attrs["equation"]
    for letter in set(query) & set(key) - set(out):
        found = [_shuffle(graph, op.inputs[place], term.index(letter)) for place, term in enumerate((query, key))]
        first, second = found
        if first is not None and second is not None and first.attrs == second.attrs:
            for shuffle in (first, second):
                graph.bypass(shuffle.name, shuffle.inputs[0])


def _shuffle(graph: Graph, value: Value, dim: int) -> Op | None:
    """The operation that puts a dimension into another order; None if there is none, or if it is read elsewhere."""
    place: int | None = dim
    while place is not None and graph.is_read_once(value):
        op = graph.op(value.op)
        if op.kind == "channel_shuffle":
            return op if place == len(op.shapes[0]) - 1 else None
        place = source_dim(graph, op, 0, place) if op.kind.is_shape_only else None
        value = op.inputs[0] if op.inputs else value
    return None
