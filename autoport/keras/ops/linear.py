"""Raw matrix products, look-ups and convolutions on variables."""

from __future__ import annotations

from typing import Any

from autoport.graph.build import SPATIAL
from autoport.graph.equations import einsum_equation, product_equation
from autoport.keras.layers.conv import explicit_padding, spatial_shape
from autoport.keras.rules import RawOp, op_rule


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
    """`tf.einsum` of two tensors is a product."""
    values = [raw.data(k) for k in range(len(raw.op.inputs))]
    ranks = [len(raw.build.graph.shape(value)) for value in values]
    equation = einsum_equation(raw.op.get_attr("equation").decode(), ranks)
    return raw.emit("einsum") if equation is None else raw.build.matmul(values[0], values[1], raw.out, equation)


@op_rule("ResourceGather GatherV2")
def gather(raw: RawOp) -> Any:
    """A look-up in a stored table is an embedding."""
    path = raw.stored(0)
    if path is None or len(raw.build.graph.tensors[path].shape) != 2:
        first = raw.op.type == "ResourceGather" or (raw.constant(2) == 0 and not raw.op.get_attr("batch_dims"))
        return raw.emit("lookup" if first else "gather", [0, 1])
    return raw.build.embedding(raw.data(1), raw.build.piece(path, "v c"), raw.out)


@op_rule("Conv2D DepthwiseConv2dNative")
def conv(raw: RawOp) -> Any:
    """`tf.nn.conv2d` and `tf.nn.depthwise_conv2d` on a variable."""
    path = raw.stored(1)
    if path is None:
        return raw.emit("conv_by_value")
    last = raw.op.get_attr("data_format").decode() == "NHWC"
    layout = f"n {SPATIAL[2]} c" if last else f"n c {SPATIAL[2]}"
    shape = raw.build.graph.tensors[path].shape
    x = raw.data(0)
    channels = raw.build.graph.shape(x)[-1 if last else 1]
    depthwise = raw.op.type.startswith("Depthwise")
    groups = channels if depthwise else channels // shape[2]
    kernel = raw.build.piece(path, "h w g o" if depthwise else "h w i (g o)", g=groups)
    stride, dilation = (tuple(spatial_shape(raw.op.get_attr(name), layout)) for name in ("strides", "dilations"))
    inside = spatial_shape(raw.build.graph.shape(x), layout)
    mode = raw.op.get_attr("padding").decode().lower()
    if mode == "explicit":
        given = raw.op.get_attr("explicit_paddings")
        low, high = (spatial_shape(list(given[first::2]), layout) for first in (0, 1))
        padding = list(zip(low, high, strict=True))
    else:
        padding = explicit_padding(mode, inside, shape[:2], stride, dilation)
    return raw.build.conv(
        x,
        kernel,
        None,
        raw.out,
        layout=layout,
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=groups,
    )
