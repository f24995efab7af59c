"""A look-up of rows in a stored table is an embedding, transposed or not; so is a product with one-hot rows.

W[index] = V.T[index] = one_hot(index) @ W = embedding(index)
"""

from __future__ import annotations

from autoport.canonical.queries.views import View, stored_view
from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Piece, Weight


def fold_lookups(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
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


def _is_one_hot(rows: Op) -> bool:
    return rows.kind == "one_hot" or bool(rows.kind == "constant" and rows.attrs.get("one_hot"))


def _table(view: View) -> Piece:
    rows, columns = (str(name) for name in view.dims)
    return view.piece.renamed(rows, "v").renamed(columns, "c")


def _become_embedding(graph: Graph, op: Op, table: Piece, index: Value) -> None:
    graph.become(op, "embedding", index, outputs={"c": len(op.shapes[0]) - 1})
    op.weights = {"embedding": Weight((table,))}
    op.colour = ("embedding", table.sizes.get("v", 1), table.sizes.get("c", 1))
