"""Raw matrix products and look-ups on variables."""

from __future__ import annotations

from typing import Any

from autoport.graph import Value
from autoport.graph.einsum import lower_einsum
from autoport.graph.equations import product_equation
from autoport.keras.calls import RawOp
from autoport.keras.table import op_rule


@op_rule("MatMul BatchMatMulV2 BatchMatMul BatchMatMulV3")
def matmul(raw: RawOp) -> Any:
    """`tf.matmul`."""
    names = ("transpose_a", "transpose_b") if raw.op.type == "MatMul" else ("adj_x", "adj_y")
    turned, swapped = (bool(raw.op.get_attr(name)) for name in names)
    x, y = raw.data(0), raw.data(1)
    ranks = [len(raw.build.graph.shape(value)) for value in (x, y)]
    equation = product_equation(ranks[0], ranks[1], (ranks[0] - 1 - turned, ranks[1] - 2 + swapped))
    return raw.build.matmul(x, y, raw.out, equation)


@op_rule("Einsum")
def einsum(raw: RawOp) -> Any:
    """`tf.einsum`."""
    values = [raw.data(k) for k in range(len(raw.op.inputs))]
    return lower_einsum(raw.build, raw.op.get_attr("equation").decode(), values, raw.out)


@op_rule("ResourceGather GatherV2")
def gather(raw: RawOp) -> Any:
    """A look-up in a stored table is an embedding."""
    path = raw.stored(0)
    if path is None or len(raw.build.graph.tensors[path].shape) != 2:
        axis = 0 if raw.op.type == "ResourceGather" else raw.constant(2)
        if axis is None:
            return raw.emit("gather", [0, 1])
        axis = int(axis) % len(raw.build.graph.shape(raw.data(0)))
        if raw.op.get_attr("batch_dims"):
            return raw.emit("gather", [0, 1], axis=axis)
        return raw.build.take(raw.data(0), raw.data(1), axis, raw.out)
    return raw.build.embedding(raw.data(1), raw.build.piece(path, "v c"), raw.out)


DECOMPOSITIONS = {"MatrixDeterminant": "det", "LogMatrixDeterminant": "slogdet", "Qr": "qr", "Cholesky": "cholesky"}


@op_rule(" ".join(DECOMPOSITIONS))
def decomposition(raw: RawOp) -> Any:
    """Determinants and factors of matrices."""
    first = raw.emit(DECOMPOSITIONS[raw.op.type])
    return [Value(first.op, place) for place in range(len(raw.op.outputs))]


@op_rule("MatrixTriangularSolve")
def triangular_solve(raw: RawOp) -> Any:
    """The solution of linear equations by one triangle of their matrix."""
    return raw.emit("triangular_solve", lower=raw.op.get_attr("lower"), turned=raw.op.get_attr("adjoint"))


@op_rule("LowerBound UpperBound")
def searchsorted(raw: RawOp) -> Any:
    """Insertion points in rows of sorted numbers."""
    return raw.emit("searchsorted", right=raw.op.type == "UpperBound")
