"""Views of stored tensors: values that are stored tensors, transposed, sliced or unfolded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Piece, Weight


@dataclass(frozen=True)
class View:
    """A view of a stored tensor.

    Attributes:
        piece: the stored tensor.
        dims: for each dimension of the view the piece's axis along it; None for size 1.
    """

    piece: Piece
    dims: tuple[str | None, ...]


def stored_view(graph: Graph, value: Value) -> View | None:
    """The view that a value is; None if something is computed on the way, or the view cannot be followed."""
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
    return _slice(inner, op) if op.kind == "slice" else _reshape(inner, op)


def _slice(view: View, op: Op) -> View | None:
    piece = view.piece
    dims = list(view.dims)
    for dim, (start, stop, step) in (op.attrs["ranges"] or {}).items():
        name = dims[dim]
        if name is None or step != 1 or piece.pattern.split().count(name) != 1:
            return None
        piece = piece.take(name, start, stop)
        dims[dim] = None if stop - start == 1 else name
    return None if op.attrs["ranges"] is None else View(piece, tuple(dims))


def _reshape(view: View, op: Op) -> View | None:
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


def stored_vector(graph: Graph, vector: Value, shape: tuple[int, ...], axes: Mapping[str, int]) -> Weight | None:
    """A stored tensor as the weight of a layer, if it has one entry for each position along `axes`; None otherwise.

    Args:
        graph: the whole graph.
        vector: the value that is added to the layer's output, or multiplied with it.
        shape: of that output.
        axes: names for the weight's axes, each with the dimension of `shape` that it lies along.
    """
    view = stored_view(graph, vector)
    if view is None:
        return None
    rank = len(shape)
    wanted = [size if dim in axes.values() else 1 for dim, size in enumerate(shape)]
    if ([1] * rank + list(graph.shape(vector)))[-rank:] != wanted:
        return None
    aligned = ([None] * rank + list(view.dims))[-rank:]
    piece = view.piece
    for name, dim in axes.items():
        piece = piece.renamed(str(aligned[dim]), name)
    return Weight((piece,))
