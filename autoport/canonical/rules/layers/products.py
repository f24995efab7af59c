"""A product with a stored matrix is a dense layer, even if the matrix is first transposed, sliced or unfolded.

x @ W = x @ V.T = einsum("bti,ihd->bthd", x, W) = dense(x)
"""

from __future__ import annotations

from math import prod
from typing import Any

from autoport.canonical.queries.views import View, stored_view
from autoport.graph import Graph, Op
from autoport.weights.piece import Weight


def fold_products(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "matmul" or op.attrs.get("normalize"):
            continue
        for place in (1, 0):
            view = stored_view(graph, op.inputs[place])
            if view is not None and _become_dense(graph, op, view, place):
                break


def _become_dense(graph: Graph, op: Op, view: View, place: int) -> bool:
    """Turns a product into a dense layer; False if a dimension of the matrix is neither input nor output."""
    terms, out = op.attrs["equation"][:2], op.attrs["equation"][2]
    own, other = terms[place], terms[1 - place]
    summed = [letter for letter in other if letter in own and letter not in out]
    free = [letter for letter in out if letter in own and letter not in other]
    named = dict(zip(own, view.dims, strict=True))
    shared = {letter for letter in own if letter in other and letter in out}
    if set(own) != {*summed, *free, *shared} or any(c not in out and c not in own for c in other) or not summed:
        return False
    if any(named[letter] is not None for letter in shared):
        return False
    piece = view.piece
    binds: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for base, letters, data, places in (("i", summed, other, binds), ("o", free, out, outputs)):
        large = [(letter, axis) for letter in letters if (axis := named[letter]) is not None]
        for number, (letter, axis) in enumerate(large):
            name = base if len(large) == 1 else f"{base}{number}"
            piece = piece.renamed(axis, name)
            places[name] = (0, data.index(letter)) if base == "i" else data.index(letter)
    features = [prod(piece.sizes[name] for name in places) for places in (binds, outputs)]
    path, kind = op.path, op.type
    graph.become(op, "dense", op.inputs[1 - place], binds=binds, outputs=outputs, equation=(other, out))
    op.path, op.type, op.weights = path, kind, {"kernel": Weight((piece,))}
    op.colour = ("dense", *features)
    return True
