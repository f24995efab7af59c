"""A product with a stored matrix is a dense layer, however the matrix is turned, sliced or unfolded first.

    x @ W = x @ V.T = einsum("bti,ihd->bthd", x, W) = dense(x)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Piece, Weight


@dataclass(frozen=True)
class View:
    """A stored tensor as it is read.

    Attributes:
        piece: the stored tensor.
        dims: for each dimension of what is read the piece's axis that lies along it; None for size 1.
    """

    piece: Piece
    dims: tuple[str | None, ...]


def fold_products(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "matmul" or op.attrs.get("normalize"):
            continue
        for place in (1, 0):
            view = stored_view(graph, op.inputs[place])
            if view is not None and _become_dense(graph, op, view, place):
                break


def stored_view(graph: Graph, value: Value) -> View | None:
    """What a value is a view of; None if anything is computed, or if the view cannot be followed."""
    op = graph.op(value.op)
    if op.kind == "parameter":
        (piece,) = op.weights["value"].pieces
        names = iter(piece.axes)
        return View(piece, tuple(None if size == 1 else next(names) for size in op.shapes[0]))
    if op.kind not in ("transpose", "slice", "reshape"):
        return None
    inner = stored_view(graph, op.inputs[0])
    if inner is None:
        return None
    if op.kind == "transpose":
        return View(inner.piece, tuple(inner.dims[dim] for dim in op.attrs["order"]))
    return _sliced(inner, op) if op.kind == "slice" else _reshaped(inner, op)


def _sliced(view: View, op: Op) -> View | None:
    piece = view.piece
    dims = list(view.dims)
    for dim, (start, stop, step) in (op.attrs["ranges"] or {}).items():
        name = dims[dim]
        if name is None or step != 1 or piece.pattern.split().count(name) != 1:
            return None
        piece = piece.take(name, start, stop)
        dims[dim] = None if stop - start == 1 else name
    return None if op.attrs["ranges"] is None else View(piece, tuple(dims))


def _reshaped(view: View, op: Op) -> View | None:
    """A reshape may add dimensions of size 1, and unfold a dimension."""
    piece, dims = view.piece, []
    waiting = [name for name in view.dims if name is not None]
    sizes = [size for size in op.shapes[0] if size != 1]
    names: list[str] = []
    for name in waiting:
        parts: list[int] = []
        while prod(parts) < piece.sizes[name] and sizes:
            parts.append(sizes.pop(0))
        if prod(parts) != piece.sizes[name]:
            return None
        unfolded = [name] if len(parts) == 1 else [f"{name}_{k}" for k in range(len(parts))]
        if len(parts) > 1:
            piece = piece.expand(name, list(zip(unfolded, parts, strict=True)))
        names += unfolded
    rest = iter(names)
    dims = [None if size == 1 else next(rest) for size in op.shapes[0]]
    return View(piece, tuple(dims))


def _become_dense(graph: Graph, op: Op, view: View, place: int) -> bool:
    """Turns a product into a dense layer; False if a dimension of the matrix is neither input nor output."""
    terms, out = op.attrs["equation"][:2], op.attrs["equation"][2]
    own, other = terms[place], terms[1 - place]
    summed = [letter for letter in other if letter in own and letter not in out]
    free = [letter for letter in out if letter in own and letter not in other]
    if set(own) != {*summed, *free} or any(c not in out and c not in own for c in other) or not summed:
        return False
    named = dict(zip(own, view.dims, strict=True))
    piece, binds, outputs = view.piece, {}, {}
    for base, letters, data, places in (("i", summed, other, binds), ("o", free, out, outputs)):
        for number, letter in enumerate(letters):
            axis = named[letter]
            name = base if len(letters) == 1 else f"{base}{number}"
            if axis is not None:
                piece = piece.renamed(axis, name)
                places[name] = (0, data.index(letter)) if base == "i" else data.index(letter)
    features = [prod(piece.sizes[name] for name in places) for places in (binds, outputs)]
    path, kind = op.path, op.type
    graph.become(op, "dense", op.inputs[1 - place], binds=binds, outputs=outputs, equation=(other, out))
    op.path, op.type, op.weights = path, kind, {"kernel": Weight((piece,))}
    op.colour = ("dense", *features)
    return True
