"""An einsum as the operations that it stands for."""

from __future__ import annotations

import string
from collections.abc import Sequence

from autoport.graph.build import Builder
from autoport.graph.op import Shape, Value


def lower_einsum(build: Builder, text: str, values: Sequence[Value], out: Shape) -> Value:
    """An einsum of one tensor is sums and a transpose, one of two tensors a product; others stay one operation.

    Args:
        build: the builder of the graph.
        text: the equation, for example `btd,dhe->bthe` or `...i->i...`.
        values: the operands.
        out: shape of the output.
    """
    *terms, result = _terms(text, [len(build.graph.shape(value)) for value in values])
    if any(len(set(term)) < len(term) for term in (*terms, result)) or len(terms) != len(values):
        return build.emit("einsum", values, out, subscripts=text)
    if len(terms) == 2:
        return build.matmul(values[0], values[1], out, (terms[0], terms[1], result))
    if len(terms) == 1:
        return _sum_and_transpose(build, values[0], terms[0], result, out)
    return build.emit("einsum", values, out, subscripts=text)


def _sum_and_transpose(build: Builder, x: Value, term: str, result: str, out: Shape) -> Value:
    sizes = dict(zip(term, build.graph.shape(x), strict=True))
    kept = "".join(letter for letter in term if letter in result)
    if kept != term:
        dims = tuple(dim for dim, letter in enumerate(term) if letter not in result)
        x = build.emit("reduce_sum", [x], tuple(sizes[letter] for letter in kept), dims=dims)
    if kept == result:
        return x
    return build.emit("transpose", [x], out, order=tuple(kept.index(letter) for letter in result))


def _terms(text: str, ranks: Sequence[int]) -> list[str]:
    """Letters of the dimensions of each operand, then of the result, without ellipses."""
    left, arrow, result = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        result = "..." * ("..." in left) + "".join(sorted(c for c in {*left} - {*",."} if left.count(c) == 1))
    free = "".join(c for c in string.ascii_letters if c not in text)
    hidden = [
        rank - len(term.replace("...", "")) if "..." in term else 0 for term, rank in zip(terms, ranks, strict=False)
    ]
    most = max(hidden, default=0)
    without_ellipses = [term.replace("...", free[most - n : most]) for term, n in zip(terms, hidden, strict=False)]
    return [*without_ellipses, result.replace("...", free[:most])]
