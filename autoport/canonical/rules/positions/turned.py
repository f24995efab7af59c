"""A product of two values whose result is transposed, or unfolded again, is a product with another equation.

transpose(einsum("bqd,bkd->bkq", q, k)) = einsum("bqd,bkd->bqk", q, k)
unfold(einsum("brd,bkd->brk", fold(q), k)) = einsum("bgqd,bkd->bgqk", q, k)
"""

from __future__ import annotations

from math import prod

from autoport.graph import Graph, Op, Value
from autoport.graph.equations import Equation
from autoport.graph.op import Shape


def fold_turned(graph: Graph) -> None:
    """Applies the rules everywhere."""
    for op in list(graph.ops()):
        if op.kind in RULES and op.name in graph:
            product = graph.op(op.inputs[0].op)
            if product.kind == "matmul" and graph.is_read_once(op.inputs[0]):
                RULES[op.kind](graph, op, product)


def _turn(graph: Graph, op: Op, product: Op) -> None:
    """Turns a transpose of a product into the product."""
    left, right, out = product.attrs["equation"]
    turned = "".join(out[dim] for dim in op.attrs["order"])
    _become_product(graph, op, product, (left, right, turned), product.inputs)


def _unfold(graph: Graph, op: Op, product: Op) -> None:
    """Turns a reshape of a product into the product of an operand as it was before the opposite reshape."""
    *terms, out = product.attrs["equation"]
    dim, sizes = _unfolded_dim(product.shapes[0], op.shapes[0]) or (0, ())
    places = [place for place, term in enumerate(terms) if out[dim] in term]
    if not sizes or len(places) != 1:
        return
    folded = graph.op(product.inputs[places[0]].op)
    same = places[0], terms[places[0]].index(out[dim])
    if folded.kind != "reshape" or _unfolded_dim(folded.shapes[0], graph.shape(folded.inputs[0])) != (same[1], sizes):
        return
    fresh = "".join(letter for letter in "stuvwxyz" if letter not in "".join(terms))[: len(sizes)]
    left, right, out = (term.replace(out[dim], fresh) for term in (*terms, out))
    inputs = tuple(folded.inputs[0] if place == same[0] else value for place, value in enumerate(product.inputs))
    _become_product(graph, op, product, (left, right, out), inputs)


def _unfolded_dim(folded: Shape, shape: Shape) -> tuple[int, Shape] | None:
    """The dimension that a shape unfolds, and the sizes that it becomes; None unless it unfolds exactly one."""
    extra = len(shape) - len(folded)
    dim = next((d for d, size in enumerate(folded) if d >= len(shape) or shape[d] != size), len(folded))
    if extra < 1 or dim == len(folded):
        return None
    sizes, rest = shape[dim : dim + extra + 1], shape[dim + extra + 1 :]
    return (dim, sizes) if prod(sizes) == folded[dim] and rest == folded[dim + 1 :] else None


def _become_product(graph: Graph, op: Op, product: Op, equation: Equation, inputs: tuple[Value, ...]) -> None:
    op.kind, op.colour, op.path, op.type = product.kind, product.colour, product.path, product.type
    op.attrs = {**product.attrs, "equation": equation}
    graph.rewire(op, inputs)


RULES = {"transpose": _turn, "reshape": _unfold}
