"""A padding operation is folded into the convolution or the pooling that it feeds.

    conv(pad(x, p), q)     = conv(x, p + q)          for zeros
    max_pool(pad(x, p), q) = max_pool(x, p + q)      for minus infinity, or zeros where x >= 0
    avg_pool(pad(x, p), 0) = avg_pool(x, p) that counts the padding, for zeros
    concat(v, x, v)        = pad(x)                  for constants that are v everywhere

In front of a pooling, a slice of space is padding by less than nothing.

A max pooling that sees zeros where x may be negative keeps `pad_value = 0`: another function.
"""

from __future__ import annotations

from typing import Any

from autoport.canonical.rules.layers.pooling import SPACE
from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax


def fold_padding(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        while op.kind in ("conv", "dense", "max_pool", "avg_pool") and "padding" in op.attrs:
            pad = graph.op(op.inputs[0].op)
            foldable = ("pad",) if op.kind in ("conv", "dense") else ("pad", "slice")
            if pad.kind not in foldable or not _fold(graph, op, pad):
                break
            graph.replace_inputs(op, (pad.inputs[0], *op.inputs[1:]))
            graph.drop_unused(pad.name)


def fold_filled(graph: Graph) -> None:
    """Turns a concatenation of a tensor and constants of one number, along space, into a padding; axes have names."""
    for op in list(graph.ops()):
        filled = _filled_operand(graph, op) if op.kind == "concat" else None
        if filled is not None:
            graph.become(op, "pad", filled[0], amounts=filled[1], mode="constant", value=filled[2])


def _filled_operand(graph: Graph, op: Op) -> tuple[Value, tuple[tuple[int, int], ...], float] | None:
    """The only operand that is no such constant, the amounts of padding around it, and the number."""
    axis = op.attrs["axis"]
    fills = [graph.op(value.op).attrs.get("fill") for value in op.inputs]
    places = [k for k, fill in enumerate(fills) if fill is None]
    numbers = {fill for fill in fills if fill is not None}
    if len(places) != 1 or len(numbers) != 1:
        return None
    (place,), (number,) = places, numbers
    x = op.inputs[place]
    if ax.plain_name(graph.axes[x][axis]) not in SPACE:
        return None
    sizes = [graph.shape(value)[axis] for value in op.inputs]
    around = sum(sizes[:place]), sum(sizes[place + 1 :])
    return x, tuple(around if dim == axis else (0, 0) for dim in range(len(op.shapes[0]))), number


def _fold(graph: Graph, op: Op, pad: Op) -> bool:
    """Moves the padding into `op.attrs`; False if that would change the function."""
    outer = spatial_padding(graph, op, pad)
    if outer is None or op.attrs.get("transposed"):
        return False
    inner = op.attrs["padding"]
    if pad.kind == "pad" and not _compatible(graph, op, pad, any(amount > 0 for pair in inner for amount in pair)):
        return False
    op.attrs["padding"] = tuple((a + c, b + d) for (a, b), (c, d) in zip(outer, inner, strict=True))
    return True


def spatial_padding(graph: Graph, op: Op, pad: Op) -> list[tuple[int, int]] | None:
    """The amounts by which a padding or a slice pads spatial axes; None if it touches other axes, too."""
    axes = op.attrs["layout"]
    amounts = _amounts(graph, pad)
    if amounts is None or len(axes) != len(amounts):
        return None
    pairs = dict(zip(axes, amounts, strict=True))
    if any(pairs["n"]) or any(pairs["c"]):
        return None
    return [pairs[axis] for axis in axes if axis not in "nc"]


def _amounts(graph: Graph, op: Op) -> list[tuple[int, int]] | None:
    """Positions added before and after each dimension; a slice adds less than none."""
    if op.kind == "pad":
        return list(op.attrs["amounts"]) if op.attrs["mode"] == "constant" else None
    shape, ranges = graph.shape(op.inputs[0]), op.attrs.get("ranges")
    if ranges is None or len(shape) != len(op.shapes[0]) or any(step != 1 for _, _, step in ranges.values()):
        return None
    bounds = [ranges.get(dim, (0, size, 1)) for dim, size in enumerate(shape)]
    return [(-start, stop - size) for (start, stop, _), size in zip(bounds, shape, strict=True)]


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
    if op.kind.is_non_negative:
        return True
    kept = op.kind.keeps_sign and "constant" not in op.attrs
    return kept and all(non_negative(graph, value.op) for value in op.inputs)
