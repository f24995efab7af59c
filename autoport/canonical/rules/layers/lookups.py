"""A look-up of rows in a stored table is an embedding, transposed or not; so is a product with one-hot rows.

W[index] = V.T[index] = one_hot(index) @ W = embedding(index)
W[where(index < 0, index + rows, index)] = W[index], which counts from the end where it can be negative at all
"""

from __future__ import annotations

from autoport.canonical.queries.views import View, stored_view
from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Piece, Weight

# Kinds that take positions by number, and the operand that holds the numbers.
INDEXED = {"embedding": 0, "lookup": 1, "gather": 1}


def fold_lookups(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind in INDEXED and len(op.inputs) > INDEXED[op.kind]:
            _drop_wrapping(graph, op, INDEXED[op.kind])
        if op.kind == "lookup":
            view = stored_view(graph, op.inputs[0])
            if view is not None and len(view.dims) == 2 and None not in view.dims:
                _become_embedding(graph, op, _table(view), op.inputs[1])
        elif op.kind == "dense" and op.weights.keys() == {"kernel"} and list(op.attrs["outputs"]) == ["o"]:
            rows = graph.op(op.inputs[0].op)
            (kernel,) = op.weights["kernel"].pieces
            if _is_one_hot(rows) and op.attrs["binds"] == {"i": (0, len(rows.shapes[0]) - 1)}:
                index = rows.inputs[0] if rows.inputs else op.inputs[0]
                _become_embedding(graph, op, kernel.renamed("i", "v").renamed("o", "c"), index)


def _drop_wrapping(graph: Graph, op: Op, place: int) -> None:
    """Reads the index itself where numbers below zero are first counted from the end of what is indexed."""
    while (index := _wrapped(graph, graph.op(op.inputs[place].op), _rows(graph, op))) is not None:
        inputs = list(op.inputs)
        inputs[place] = index
        graph.rewire(op, tuple(inputs))


def _wrapped(graph: Graph, choice: Op, rows: int | None) -> Value | None:
    """The index of which an operation counts numbers below zero from the end; None if it does anything else."""
    if choice.kind != "where" or len(choice.inputs) != 3 or rows is None:
        return None
    condition, shifted, index = choice.inputs
    below, above = graph.op(condition.op), graph.op(shifted.op)
    negative = below.kind == "lt" and below.attrs.get("constant") == 0 and not below.attrs["constant_first"]
    added = above.kind == "add" and above.attrs.get("constant") == rows
    return index if negative and added and below.inputs == above.inputs == (index,) else None


def _rows(graph: Graph, op: Op) -> int | None:
    """The number of positions that an index counts; None if it is not known."""
    if op.kind == "embedding":
        (table,) = op.weights["embedding"].pieces
        return table.sizes.get("v")
    axis: int | None = op.attrs.get("axis")
    return None if axis is None else graph.shape(op.inputs[0])[axis]


def _is_one_hot(rows: Op) -> bool:
    return rows.kind == "one_hot" or bool(rows.kind == "constant" and rows.attrs.get("one_hot"))


def _table(view: View) -> Piece:
    rows, columns = (str(name) for name in view.dims)
    return view.piece.renamed(rows, "v").renamed(columns, "c")


def _become_embedding(graph: Graph, op: Op, table: Piece, index: Value) -> None:
    graph.become(op, "embedding", index, outputs={"c": len(op.shapes[0]) - 1})
    op.weights = {"embedding": Weight((table,))}
    op.colour = ("embedding", table.sizes.get("v", 1), table.sizes.get("c", 1))
