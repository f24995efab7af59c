"""Raw convolutions on variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoport.graph.build import SPATIAL
from autoport.keras.calls import RawOp
from autoport.keras.layers.conv import explicit_padding, spatial_shape
from autoport.keras.table import op_rule


@op_rule("Conv2D DepthwiseConv2dNative")
def conv(raw: RawOp) -> Any:
    """`tf.nn.conv2d` and `tf.nn.depthwise_conv2d`; along a single row it is `tf.nn.conv1d`."""
    path, extents = _kernel(raw)
    if path is None:
        return raw.emit("conv_by_value")
    last = raw.op.get_attr("data_format").decode() == "NHWC"
    layout = f"n {SPATIAL[2]} c" if last else f"n c {SPATIAL[2]}"
    x, out = raw.data(0), raw.out
    inside = raw.build.graph.shape(x)
    depthwise = raw.op.type.startswith("Depthwise")
    groups = inside[layout.split().index("c")] // (1 if depthwise else extents[2])
    pattern = _stored_pattern("h w g o" if depthwise else "h w i (g o)", extents, raw.build.graph.tensors[path].shape)
    stride, dilation = (tuple(spatial_shape(raw.op.get_attr(name), layout)) for name in ("strides", "dilations"))
    padding = _padding(raw, layout, spatial_shape(inside, layout), extents[:2], stride, dilation)
    row = inside[layout.split().index("h")] == extents[0] == 1 and padding[0] == (0, 0)
    if row:
        rowless, layout = layout.split().index("h"), layout.replace("h ", "")
        out = out[:rowless] + out[rowless + 1 :]
        x = raw.build.emit("reshape", [x], inside[:rowless] + inside[rowless + 1 :])
    y = raw.build.conv(
        x,
        raw.build.piece(path, pattern, g=groups),
        None,
        out,
        layout=layout,
        stride=stride[row:],
        dilation=dilation[row:],
        padding=padding[row:],
        groups=groups,
    )
    return raw.build.emit("reshape", [y], raw.out) if row else y


def _kernel(raw: RawOp) -> tuple[str | None, tuple[int, ...]]:
    """The variable that is the kernel, and the shape in which it is read: `tf.nn.conv1d` adds a dimension to it."""
    path = raw.stored(1)
    if path is not None:
        return path, raw.build.graph.tensors[path].shape
    op = raw.build.graph.op(raw.data(1).op)
    shape = op.shapes[0]
    while op.kind == "reshape":
        op = raw.build.graph.op(op.inputs[0].op)
    same = [size for size in op.shapes[0] if size != 1] == [size for size in shape if size != 1]
    return (op.tensors[0] if op.kind == "parameter" and same else None), shape


def _stored_pattern(pattern: str, shape: Sequence[int], stored: Sequence[int]) -> str:
    """The layout of a stored tensor that has more or fewer dimensions of size 1 than the kernel."""
    names = pattern.replace("(g o)", "(g,o)").split()
    large = iter(name for name, size in zip(names, shape, strict=True) if size != 1)
    return " ".join("1" if size == 1 else next(large) for size in stored).replace(",", " ")


def _padding(
    raw: RawOp,
    layout: str,
    inside: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[tuple[int, int]]:
    mode = raw.op.get_attr("padding").decode().lower()
    if mode != "explicit":
        return list(explicit_padding(mode, inside, kernel, stride, dilation))
    amounts = raw.op.get_attr("explicit_paddings")
    low, high = (spatial_shape(list(amounts[first::2]), layout) for first in (0, 1))
    return list(zip(low, high, strict=True))
