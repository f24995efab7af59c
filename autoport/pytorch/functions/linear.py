"""Matrices: products, solutions, diagonals, triangles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autoport.graph import Value
from autoport.graph.einsum import lower_einsum
from autoport.graph.equations import product_equation
from autoport.graph.writer import Writer
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register


@register("linear", "input weight bias")
def linear(call: Call) -> Any:
    """`F.linear`: the kernel is `o i`."""
    path, bias = call.stored("weight"), call.stored("bias")
    if path is None:
        y = _product(call, call.value("input"), call.value("weight"), swapped=True)
    else:
        piece = None if bias is None else call.build.piece(bias, "o")
        y = call.build.dense(call.value("input"), call.build.piece(path, "o i"), piece, call.out)
    separate = call.get("bias") is not None and (path is None or bias is None)
    return call.build.emit("add", [y, call.value("bias")], call.out) if separate else y


@register("matmul bmm mm mv dot vdot", "input other")
def matmul(call: Call) -> Any:
    """`@`."""
    return _product(call, call.value("input"), call.value("other"))


@register("rmatmul", "other input")
def reflected_matmul(call: Call) -> Any:
    """`@` called on its right operand."""
    return _product(call, call.value("input"), call.value("other"))


@register("addmm baddbmm", "input mat1 mat2")
def addmm(call: Call) -> Any:
    """`beta * bias + alpha * left @ right`; GPT-2 writes its layers so."""
    bias, left, right = (call.value(name) for name in call.arguments if name not in ("alpha", "beta", "out"))
    y = _product(call, left, right)
    alpha, beta = call.get("alpha", 1), call.get("beta", 1)
    if alpha != 1:
        y = call.build.emit("mul", [y], call.out, constant=float(alpha), constant_first=False)
    if beta not in (0, 1):
        bias = call.build.emit("mul", [bias], call.out, constant=float(beta), constant_first=False)
    return call.build.emit("add", [bias, y], call.out) if beta else y


@register("tensordot", "input other dims")
def tensordot(call: Call) -> Any:
    """A product of two tensors as one of matrices: summed dimensions form one axis of each, the rest the other."""
    x, y, summed = call.value("input"), call.value("other"), call.get("dims", 2)
    ranks = [len(call.build.graph.shape(value)) for value in (x, y)]
    first, second = [range(ranks[0] - summed, ranks[0]), range(summed)] if isinstance(summed, int) else summed
    left = _as_matrix(call, x, [dim % ranks[0] for dim in first], last=True)
    right = _as_matrix(call, y, [dim % ranks[1] for dim in second], last=False)
    sizes = call.build.graph.shape(left)[0], call.build.graph.shape(right)[1]
    product = call.build.matmul(left, right, sizes, ("ij", "jk", "ik"))
    return call.build.emit("reshape", [product], call.out)


def _as_matrix(call: Call, x: Value, dims: list[int], *, last: bool) -> Value:
    """A tensor as a matrix with some dimensions in front or last."""
    shape = call.build.graph.shape(x)
    kept = [dim for dim in range(len(shape)) if dim not in dims]
    order = (*kept, *dims) if last else (*dims, *kept)
    if order != tuple(range(len(shape))):
        x = call.build.emit("transpose", [x], tuple(shape[dim] for dim in order), order=order)
    sizes = [math.prod(shape[dim] for dim in side) for side in (kept, dims)]
    return call.build.emit("reshape", [x], tuple(sizes if last else reversed(sizes)))


DECOMPOSITIONS = {"det": "det", "slogdet": "slogdet", "qr": "qr", "cholesky": "cholesky"}
DECOMPOSITIONS |= {f"linalg_{name}": kind for name, kind in DECOMPOSITIONS.items()}


@register(" ".join(DECOMPOSITIONS), "input")
def decomposition(call: Call) -> Any:
    """Determinants and factors of matrices."""
    return call.emit(DECOMPOSITIONS[call.name], [call.value("input")])


@register("outer ger", "input other")
def outer(call: Call) -> Any:
    """Every entry of one vector times every entry of another."""
    return call.build.matmul(call.value("input"), call.value("other"), call.out, ("i", "j", "ij"))


@register("einsum", "equation")
def einsum(call: Call) -> Any:
    """`torch.einsum`, of tensors one by one or as a list."""
    return lower_einsum(call.build, str(call.get("equation")), call.inputs(), call.out)


def _product(call: Call, x: Value, y: Value, *, swapped: bool = False) -> Value:
    """`x @ y`, or `x @ y.T` if `swapped`."""
    left, right = (len(call.build.graph.shape(value)) for value in (x, y))
    column = right - 1 if swapped else max(right - 2, 0)
    return call.build.matmul(x, y, call.out, product_equation(left, right, (left - 1, column)))


@register("cholesky_inverse", "input upper")
def cholesky_inverse(call: Call) -> Any:
    """The inverse of a matrix by its Cholesky factor."""
    upper, shape = bool(call.get("upper", False)), call.out
    identity = call.build.constant(np.eye(shape[-1]), shape[-2:])
    solved = call.build.emit("triangular_solve", [call.value("input"), identity], shape, lower=not upper, turned=False)
    rank = len(shape)
    places = (rank - 1, rank - 1) if upper else (rank - 2, rank - 2)
    return call.build.matmul(solved, solved, shape, product_equation(rank, rank, places))


@register("searchsorted", "sequence values")
def searchsorted(call: Call) -> Any:
    """Insertion points in sorted numbers."""
    right = bool(call.get("right", False)) or call.get("side") == "right"
    return call.emit("searchsorted", [call.value("sequence"), call.value("values")], right=right)


@register("tril triu", "input diagonal")
def triangle(call: Call) -> Any:
    """A matrix with zeros above or below a diagonal."""
    offset, lower = call.get("diagonal", 0), call.name == "tril"
    if (offset >= 0) == lower or offset == 0:
        return call.emit("band", [call.value("input")], lower=-1 if lower else -offset, upper=offset if lower else -1)
    mask = (np.tril if lower else np.triu)(np.ones(call.out, bool), offset)
    zero = call.build.constant(np.zeros(()), ())
    return call.emit("where", [call.build.constant(mask, call.out), call.value("input"), zero])


@register("diagonal", "input offset dim1 dim2")
def diagonal(call: Call) -> Any:
    """The diagonal of a plane as the last dimension."""
    x, shape = call.value("input"), call.shape("input")
    plane = [call.get(name, default) % len(shape) for name, default in (("dim1", 0), ("dim2", 1))]
    order = [*(dim for dim in range(len(shape)) if dim not in plane), *plane]
    if order != sorted(order):
        x = call.build.emit("transpose", [x], tuple(shape[dim] for dim in order), order=tuple(order))
    return call.emit("diagonal", [x], offset=call.get("offset", 0))


@register("diag", "input diagonal")
def diag(call: Call) -> Any:
    """The diagonal of a matrix, or a matrix with that diagonal."""
    kind = "diagonal" if len(call.shape("input")) == 2 else "diag_embed"
    return call.emit(kind, [call.value("input")], offset=call.get("diagonal", 0))


@register("diagflat", "input offset")
def diagflat(call: Call) -> Any:
    """A matrix with all the entries of a tensor on a diagonal."""
    flat = call.build.emit("reshape", [call.value("input")], (math.prod(call.shape("input")),))
    return call.emit("diag_embed", [flat], offset=call.get("offset", 0))


@register("trace", "input")
def trace(call: Call) -> Any:
    """The sum of the diagonal of a matrix."""
    x, write = call.value("input"), Writer(call.build)
    diagonal = call.build.constant(np.eye(*write.shape(x), dtype=bool), write.shape(x))
    return write.reduce("reduce_sum", write.apply("where", diagonal, x, 0.0), (0, 1))


@register("vander", "input N increasing")
def vander(call: Call) -> Any:
    """Powers of every entry."""
    powers = np.arange(call.out[-1]) if call.get("increasing", False) else np.arange(call.out[-1])[::-1]
    column = call.build.emit("reshape", [call.value("input")], (call.out[0], 1))
    return Writer(call.build).apply("pow", column, call.build.constant(powers, powers.shape))
