"""Raw operations that move values without computing; their shape arguments are not data."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoport.graph import Value
from autoport.keras.calls import RawOp, static_axes
from autoport.keras.table import op_rule


@op_rule("Reshape Squeeze ExpandDims")
def reshape(raw: RawOp) -> Any:
    """A change of shape that keeps the order of elements."""
    return raw.emit("reshape", [0])


@op_rule("Transpose")
def transpose(raw: RawOp) -> Any:
    """`tf.transpose`."""
    order = raw.constant(1)
    if order is None:
        return raw.emit("transpose_by_value", [0])
    return raw.emit("transpose", [0], order=tuple(int(k) for k in order))


@op_rule("ConcatV2")
def concat(raw: RawOp) -> Any:
    """`tf.concat`."""
    count = len(raw.op.inputs) - 1
    parts = [k for k in range(count) if 0 not in raw.lowering.shape_of(raw.op.inputs[k])]
    return raw.emit("concat", parts, axis=int(raw.constant(count)) % len(raw.out))


@op_rule("Pack")
def stack(raw: RawOp) -> Any:
    """`tf.stack`."""
    values = [raw.data(k) for k in range(len(raw.op.inputs))]
    return raw.build.stack(values, int(raw.op.get_attr("axis")) % len(raw.out), raw.out)


@op_rule("Split")
def split(raw: RawOp) -> Any:
    """`tf.split` into equal parts."""
    return _split(raw, 1, int(raw.constant(0)))


@op_rule("SplitV")
def split_sizes(raw: RawOp) -> Any:
    """`tf.split` into parts of given sizes."""
    return _split(raw, 0, int(raw.constant(2)))


@op_rule("Unpack")
def unstack(raw: RawOp) -> Any:
    """`tf.unstack`."""
    return _split(raw, 0, int(raw.op.get_attr("axis")))


def _split(raw: RawOp, index: int, axis: int) -> list[Value]:
    x = raw.data(index)
    return raw.build.split(x, axis % len(raw.build.graph.shape(x)), [raw.lowering.shape_of(t) for t in raw.op.outputs])


@op_rule("TopKV2")
def top_k(raw: RawOp) -> Any:
    """The largest entries and their places; of all entries it is a sort."""
    k, size = raw.constant(1), raw.build.graph.shape(raw.data(0))[-1]
    complete = k is not None and int(k) == size
    first = raw.emit("sort" if complete else "topk", [0], dims=(len(raw.out) - 1,), descending=True)
    return [Value(first.op, 0), Value(first.op, 1)]


@op_rule("StridedSlice")
def strided_slice(raw: RawOp) -> Any:
    """`x[...]`; a slice that takes everything is nothing."""
    if raw.out == raw.build.graph.shape(raw.data(0)):
        strides = raw.constant(3)
        if strides is not None and np.all(strides == 1):
            return raw.source(0)
    return raw.build.slice(raw.data(0), _strided_ranges(raw), raw.out)


def _strided_ranges(raw: RawOp) -> dict[int, tuple[int, int, int]] | None:
    """The range along each dimension that is cut; None if the bounds are not constant."""
    bounds = [raw.constant(k) for k in (1, 2, 3)]
    if any(bound is None for bound in bounds):
        return None
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    no_begin, no_end, ellipsis, new_axis, single = (raw.op.get_attr(name) for name in names)
    shape = raw.build.graph.shape(raw.data(0))
    count = len(bounds[0])
    ranges, dim = {}, 0
    for place, (begin, end, step) in enumerate(zip(*(map(int, bound) for bound in bounds), strict=True)):
        bit = 1 << place
        if ellipsis & bit:
            dim += len(shape) - (count - 1 - bin(new_axis).count("1"))
            continue
        if new_axis & bit:
            continue
        if single & bit:
            first = begin % shape[dim]
            cut = slice(first, first + 1)
        else:
            cut = slice(None if no_begin & bit else begin, None if no_end & bit else end, step)
        ends = cut.indices(shape[dim])
        if ends != (0, shape[dim], 1):
            ranges[dim] = ends
        dim += 1
    return ranges


@op_rule("Slice")
def slice_(raw: RawOp) -> Any:
    """`tf.slice`."""
    begin, size = raw.constant(1), raw.constant(2)
    if begin is None or size is None:
        return raw.build.slice(raw.data(0), None, raw.out)
    shape = raw.build.graph.shape(raw.data(0))
    ends = [(int(b), whole if s == -1 else int(b + s), 1) for b, s, whole in zip(begin, size, shape, strict=True)]
    ranges = {dim: bounds for dim, bounds in enumerate(ends) if bounds != (0, shape[dim], 1)}
    return raw.build.slice(raw.data(0), ranges, raw.out)


REDUCTIONS = {"Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Prod": "prod", "All": "all", "Any": "any"}


@op_rule(" ".join(REDUCTIONS))
def reduce(raw: RawOp) -> Any:
    """A reduction over constant dimensions."""
    rank = len(raw.build.graph.shape(raw.data(0)))
    axes = raw.constant(1)
    dims = tuple(range(rank)) if axes is None else static_axes(axes, rank)
    return raw.emit(f"reduce_{REDUCTIONS[raw.op.type]}", [0], dims=dims)


PLACES = {"ArgMax": "argmax", "ArgMin": "argmin"}
CUMULATIVE = {"Cumsum": "cumsum", "Cumprod": "cumprod"}


@op_rule(" ".join(PLACES))
def place_of_extreme(raw: RawOp) -> Any:
    """The place of the largest or the smallest entry along a dimension."""
    rank = len(raw.build.graph.shape(raw.data(0)))
    dims = None if raw.constant(1) is None else static_axes(raw.constant(1), rank)
    return raw.emit(PLACES[raw.op.type], [0], dims=dims)


@op_rule(" ".join(CUMULATIVE))
def cumulative(raw: RawOp) -> Any:
    """`tf.cumsum`, `tf.math.cumprod`."""
    kind = CUMULATIVE[raw.op.type]
    if raw.constant(1) is None:
        return raw.emit(f"{kind}_by_value", [0])
    otherwise = {name: True for name in ("exclusive", "reverse") if raw.op.get_attr(name)}
    return raw.emit(kind, [0], dims=(int(raw.constant(1)) % len(raw.out),), **otherwise)


@op_rule("MatrixBandPart")
def band(raw: RawOp) -> Any:
    """A band around the diagonal of a matrix, and zeros elsewhere; a negative bound keeps all entries on its side."""
    lower, upper = (raw.constant(k) for k in (1, 2))
    constant = lower is not None and upper is not None
    return raw.emit("band", [0], lower=int(lower) if constant else None, upper=int(upper) if constant else None)


@op_rule("MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiag MatrixDiagV2 MatrixDiagV3")
def diagonal(raw: RawOp) -> Any:
    """The diagonal of a matrix, or a matrix with that diagonal."""
    offset = raw.constant(1) if len(raw.op.inputs) > 1 else 0
    constant = offset is not None and np.size(offset) == 1
    kind = "diagonal" if "Part" in raw.op.type else "diag_embed"
    return raw.emit(kind, [0], offset=int(np.ravel(offset)[0]) if constant else None)


@op_rule("Pad PadV2 MirrorPad")
def pad(raw: RawOp) -> Any:
    """`tf.pad`."""
    pads = raw.constant(1)
    if pads is None:
        return raw.emit("pad_by_value", [0])
    value = float(raw.constant(2)) if raw.op.type == "PadV2" else 0.0
    mode = raw.op.get_attr("mode").decode().lower() if raw.op.type == "MirrorPad" else "constant"
    padding = tuple((int(low), int(high)) for low, high in pads)
    if not any(low or high for low, high in padding):
        return raw.source(0)
    return raw.emit("pad", [0], amounts=padding, mode=mode, value=value)


@op_rule("DepthToSpace")
def depth_to_space(raw: RawOp) -> Any:
    """`tf.nn.depth_to_space`: channels are `(r r c)`."""
    return raw.emit("depth_to_space", factor=raw.op.get_attr("block_size"))


@op_rule("SpaceToDepth")
def space_to_depth(raw: RawOp) -> Any:
    """`tf.nn.space_to_depth`: channels become `(r r c)`."""
    return raw.emit("space_to_depth", factor=raw.op.get_attr("block_size"))


@op_rule("Where")
def nonzero(raw: RawOp) -> Any:
    """`tf.where(condition)`: the places where it holds."""
    return raw.emit("nonzero")


@op_rule("VarHandleOp")
def resource(raw: RawOp) -> Any:
    """A variable that a function creates for itself."""
    return raw.emit("resource")


@op_rule("SelectV2 Select")
def where(raw: RawOp) -> Any:
    """`tf.where(condition, x, y)`."""
    return raw.emit("where")


@op_rule("OneHot")
def one_hot(raw: RawOp) -> Any:
    """`tf.one_hot`, with ones in rows of zeros along the last dimension."""
    values = [raw.constant(k) for k in (2, 3)]
    usual = values == [1, 0] and raw.op.get_attr("axis") == -1
    return raw.emit("one_hot" if usual else "one_hot_of_values", [0])


@op_rule("Roll")
def roll(raw: RawOp) -> Any:
    """`tf.roll`."""
    shift, axes = raw.constant(1), raw.constant(2)
    if shift is None or axes is None:
        return raw.emit("roll_by_value", [0])
    return raw.build.roll(raw.data(0), [int(s) for s in np.ravel(shift)], [int(axis) for axis in np.ravel(axes)])


@op_rule("ReverseV2")
def flip(raw: RawOp) -> Any:
    """`tf.reverse`."""
    axes = raw.constant(1)
    if axes is None:
        return raw.emit("flip_by_value", [0])
    return raw.build.flip(raw.data(0), [int(axis) for axis in np.ravel(axes)])


@op_rule("Tile BroadcastTo")
def expand(raw: RawOp) -> Any:
    """Copies along dimensions."""
    return raw.build.copies(raw.data(0), raw.out)
