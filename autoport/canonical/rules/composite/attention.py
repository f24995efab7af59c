"""Attention written by hand becomes one operation (Vaswani et al., arXiv:1706.03762).

    attention(q, k, v) = softmax(scale * (q @ k) + bias + mask) @ v

The search starts at the softmax: above it lies the product of queries and keys, below it the product with
the values. Factors, on the way or on the queries and keys themselves, become one `scale`. A summand that
depends on weights is a `bias`, any other one a mask. The axis of the softmax tells the query from the key:
the key brings it.

An `attention` reads query, key, value and biases. Its `equation` holds the letters of the first
three and of the output, as in an einsum; `tokens` are those of the queries' and the keys' positions.
Where several heads of queries share one head of keys, `tokens` also holds the letter of those heads, until
axes have names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isclose

from autoport.canonical.queries.tracing import source_dim
from autoport.graph import Graph, Op, Value

# Operands of masking by choice that may hold the scores.
CHOICES = {"where": (1, 2), "masked_fill": (0,)}


@dataclass(frozen=True)
class _Scores:
    """The operations between the product of queries and keys and the softmax: scale * tanh(within * product), say."""

    product: Op
    scale: float = 1.0
    within: float | None = None
    biases: tuple[Value, ...] = ()
    bias_scale: float = 1.0
    masked: bool = False


@dataclass
class _Context:
    """A graph, and the names of the operations that depend on weights."""

    graph: Graph
    weighted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for op in self.graph.ops():
            if op.weights or any(value.op in self.weighted for value in op.inputs):
                self.weighted.add(op.name)


def fold_attention(graph: Graph) -> None:
    """Applies the rule everywhere."""
    context = _Context(graph)
    for op in list(graph.ops()):
        if op.kind == "attention":
            _split_bias(context, op)
        if op.kind == "softmax" and op.name in graph:
            _fold(context, op)
    for op in list(graph.ops()):
        if op.kind == "attention":
            _collect_scales(graph, op)
            _drop_common_order(graph, op)


def _split_bias(context: _Context, op: Op) -> None:
    """Keeps only those summands of a fused call as operands that depend on weights; the others are masks."""
    biases = [value for added in op.inputs[3:] for value in _summands(context, added)]
    kept = tuple(value for value in biases if value.op in context.weighted)
    if kept != op.inputs[3:]:
        op.attrs["masked"] = op.attrs["masked"] or len(kept) < len(biases)
        context.graph.rewire(op, (*op.inputs[:3], *kept))


def _summands(context: _Context, value: Value) -> Iterator[Value]:
    op = context.graph.op(value.op)
    if op.kind == "add" and len(op.inputs) == 2 and not op.weights:
        for operand in op.inputs:
            yield from _summands(context, operand)
    else:
        yield value


def _fold(context: _Context, softmax: Op) -> None:
    graph = context.graph
    scores = _scores(context, softmax.inputs[0])
    product_and_place = _values(graph, softmax)
    if scores is None or product_and_place is None or len(softmax.attrs["dims"]) != 1:
        return
    if not isclose(scores.bias_scale, 1.0):
        return
    mixing, place = product_and_place
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


def _scores(context: _Context, value: Value) -> _Scores | None:
    """The scores that a value holds, from their product on; None if it holds none, or several."""
    op = context.graph.op(value.op)
    if op.kind == "matmul" and all(v.op in context.weighted for v in op.inputs):
        return _Scores(op)
    factor = _factor(op)
    if factor is not None:
        return _scale(_scores(context, op.inputs[0]), factor)
    if op.kind == "reshape" and op.shapes[0][-2:] == context.graph.shape(op.inputs[0])[-2:]:
        return _scores(context, op.inputs[0])
    if op.kind == "tanh":
        return _cap(_scores(context, op.inputs[0]))
    if op.kind in ("add", "sub", "mul", "maximum", *CHOICES):
        return _merge(context, op)
    return None


def _factor(op: Op) -> float | None:
    """The number that an operation multiplies its input by; None if it does anything else."""
    constant = op.attrs.get("constant")
    if constant is None or op.kind not in ("mul", "div") or (op.kind == "div" and op.attrs["constant_first"]):
        return None
    return float(constant) if op.kind == "mul" else 1 / constant


def _scale(scores: _Scores | None, factor: float) -> _Scores | None:
    """Scores times a number, which also scales the biases so far."""
    if scores is None:
        return None
    bias_scale = scores.bias_scale * factor if scores.biases else 1.0
    return replace(scores, scale=scores.scale * factor, bias_scale=bias_scale)


def _cap(scores: _Scores | None) -> _Scores | None:
    """Scores within the bounds of a tanh."""
    plain = scores is not None and scores.within is None and not scores.biases and not scores.masked
    return replace(scores, scale=1.0, within=scores.scale) if scores is not None and plain else None


def _merge(context: _Context, op: Op) -> _Scores | None:
    """Scores with a bias or a mask."""
    places = range(len(op.inputs)) if op.kind in ("add", "mul") else CHOICES.get(op.kind, (0,))
    candidates = [(place, _scores(context, op.inputs[place])) for place in places if place < len(op.inputs)]
    inner = [(place, scores) for place, scores in candidates if scores is not None]
    if len(inner) != 1:
        return None
    place, scores = inner[0]
    others = [value for k, operand in enumerate(op.inputs) if k != place for value in _summands(context, operand)]
    biases = tuple(value for value in others if value.op in context.weighted)
    if scores is None or (biases and (op.kind != "add" or scores.bias_scale != 1.0)):
        return None
    return replace(scores, biases=scores.biases + biases, masked=scores.masked or len(biases) < len(others))


def _values(graph: Graph, softmax: Op) -> tuple[Op, int] | None:
    """The only product that reads the probabilities, and the operand at which it does."""
    products: list[tuple[Op, int]] = []
    waiting = [softmax.name]
    while waiting:
        name = waiting.pop()
        for reader in graph.successors(name):
            op = graph.op(reader)
            if op.kind == "matmul":
                products += [(op, place) for place in graph.edges[name, reader]["positions"]]
            elif op.kind in CHOICES or (op.kind == "reshape" and op.shapes[0][-2:] == graph.shape(op.inputs[0])[-2:]):
                waiting.append(reader)
    return products[0] if len(products) == 1 else None


def _letters(product: Op, mixing: Op, place: int, softmax: Op) -> tuple[str, str, str, str, str] | None:
    """Letters of query, key, value, output and of the axis of keys, the same letter for one axis in all of them."""
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
    """Drops equal shuffles of the features of queries and keys: they change no product of both."""
    query, key, _, out = op.attrs["equation"]
    for letter in set(query) & set(key) - set(out):
        shuffles = [_shuffle(graph, op.inputs[place], term.index(letter)) for place, term in enumerate((query, key))]
        first, second = shuffles
        if first is not None and second is not None and first.attrs == second.attrs:
            for shuffle in (first, second):
                graph.bypass(shuffle.name, shuffle.inputs[0])


def _shuffle(graph: Graph, value: Value, dim: int) -> Op | None:
    """The operation that shuffles a dimension; None if there is none, or if it has other consumers."""
    place: int | None = dim
    while place is not None and graph.is_read_once(value):
        op = graph.op(value.op)
        if op.kind == "channel_shuffle":
            return op if place == len(op.shapes[0]) - 1 else None
        place = source_dim(graph, op, 0, place) if op.kind.is_shape_only else None
        value = op.inputs[0] if op.inputs else value
    return None
