"""Matrix products."""

from __future__ import annotations

from typing import Any

from autoport.graph import Value
from autoport.pytorch.lower import Call, register


@register("linear", "input weight bias")
def linear(call: Call) -> Any:
    """`F.linear`: the kernel is `o i`."""
    path, bias = call.stored("weight"), call.stored("bias")
    if path is None:
        return call.emit("matmul")
    kernel = call.build.piece(path, "o i")
    piece = None if bias is None else call.build.piece(bias, "o")
    y = call.build.dense(call.value("input"), kernel, piece, call.out)
    computed = call.get("bias")
    return call.build.emit("add", [y, computed], call.out) if isinstance(computed, Value) else y


@register("matmul bmm mm rmatmul", "input other")
def matmul(call: Call) -> Any:
    """`@`; with a stored matrix on the right it is a dense layer whose kernel is `i o`."""
    path = call.stored("other")
    if path is None or len(call.build.graph.tensors[path].shape) != 2:
        ranks = len(call.shape("input")), len(call.shape("other"))
        contracted: dict[str, Any] = {"contracted": (ranks[0] - 1, ranks[1] - 2)} if min(ranks) > 1 else {}
        return call.emit("matmul", **contracted)
    return call.build.dense(call.value("input"), call.build.piece(path, "i o"), None, call.out)


@register("addmm", "bias input weight")
def addmm(call: Call) -> Any:
    """`bias + input @ weight`: the kernel is `i o`, as in GPT-2."""
    path, bias = call.stored("weight"), call.stored("bias")
    if path is None:
        return call.emit("addmm")
    kernel = call.build.piece(path, "i o")
    piece = None if bias is None else call.build.piece(bias, "o")
    return call.build.dense(call.value("input"), kernel, piece, call.out)
