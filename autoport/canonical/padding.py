"""A padding operation is folded into the convolution or the pooling that it feeds.

    conv(pad(x, p), q)     = conv(x, p + q)          for zeros
    max_pool(pad(x, p), q) = max_pool(x, p + q)      for minus infinity, or zeros where x >= 0
    avg_pool(pad(x, p), 0) = avg_pool(x, p) that counts the padding, for zeros

A max pooling that sees zeros where x may be negative keeps `pad_value = 0`: another function.
"""

from __future__ import annotations

from typing import Any

from autoport.graph import Graph, Op

# Operations whose outputs are never negative.
NON_NEGATIVE = {"relu", "relu6", "sigmoid", "hard_sigmoid", "softmax", "exp", "square", "abs"}
TRANSPARENT = {"max_pool", "avg_pool", "reshape", "transpose", "global_avg_pool", "global_max_pool"}


def fold_padding(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        while op.kind in ("conv", "dense", "max_pool", "avg_pool") and "padding" in op.attrs:
            pad = graph.op(op.inputs[0].op)
            if pad.kind != "pad" or not _fold(graph, op, pad):
                break
            graph.replace_inputs(op, (pad.inputs[0], *op.inputs[1:]))
            graph.drop_unused(pad.name)


def _fold(graph: Graph, op: Op, pad: Op) -> bool:
    """Moves the padding into `op.attrs`; False if that would change the function."""
    outer = _spatial_padding(op, pad)
    if outer is None or op.attrs.get("transposed"):
        return False
    inner = op.attrs["padding"]
    if not _compatible(graph, op, pad, any(map(any, inner))):
        return False
    op.attrs["padding"] = tuple((a + c, b + d) for (a, b), (c, d) in zip(outer, inner, strict=True))
    return True


def _spatial_padding(op: Op, pad: Op) -> list[tuple[int, int]] | None:
    axes = op.attrs["layout"]
    if pad.attrs["mode"] != "constant" or len(axes) != len(pad.attrs["padding"]):
        return None
    pairs = dict(zip(axes, pad.attrs["padding"], strict=True))
    if any(pairs["n"]) or any(pairs["c"]):
        return None
    return [pairs[axis] for axis in axes if axis not in "nc"]


def _compatible(graph: Graph, op: Op, pad: Op, padded: bool) -> bool:
    value: Any = pad.attrs["value"]
    if op.kind in ("conv", "dense"):
        return bool(value == 0)
    if op.kind == "avg_pool":
        if value == 0 and (not padded or op.attrs.get("count_include_pad")):
            op.attrs["count_include_pad"] = True
            return True
        return False
    if value == 0 and not non_negative(graph, pad.inputs[0].op):
        if padded:
            return False
        op.attrs["pad_value"] = 0.0
    return bool(value <= 0)


def non_negative(graph: Graph, name: str) -> bool:
    """Whether an operation's outputs are known to be at least zero."""
    op = graph.op(name)
    if op.kind in NON_NEGATIVE:
        return True
    sum_of_tensors = op.kind in ("concat", "add") and "constant" not in op.attrs
    transparent = op.kind in TRANSPARENT or sum_of_tensors
    return transparent and all(non_negative(graph, value.op) for value in op.inputs)
