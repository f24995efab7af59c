"""Convolutions. Keras keeps `h w i o`, transposed ones `h w o i`, depthwise ones `h w c m`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autoport.graph import Value
from autoport.graph.build import SPATIAL
from autoport.keras.calls import Layer
from autoport.keras.layers.activation import with_activation
from autoport.keras.table import layer_rule

SpatialPadding = list[tuple[int, int]]


def data_layout(layer: Any, rank: int) -> str:
    """Names of the data axes, by the layer's `data_format`."""
    space = SPATIAL[rank]
    first = getattr(layer, "data_format", None) == "channels_first"
    return f"n c {space}" if first else f"n {space} c"


def spatial_shape(shape: Sequence[int], layout: str) -> list[int]:
    """The spatial sizes of a shape."""
    return [size for size, axis in zip(shape, layout.split(), strict=True) if axis not in "nc"]


def explicit_padding(
    mode: str, inside: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> SpatialPadding:
    """Zeros before and after each spatial axis.

    `same` pads to ceil(size / stride) outputs and puts the odd zero behind
    (https://www.tensorflow.org/api_docs/python/tf/nn, "Notes on padding").
    """
    if mode == "valid":
        return [(0, 0)] * len(kernel)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if mode == "causal":
        return [(r, 0) for r in reach]
    totals = [max((math.ceil(i / s) - 1) * s + r + 1 - i, 0) for i, s, r in zip(inside, stride, reach, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


@layer_rule("Conv1D Conv2D Conv3D")
def conv(call: Layer) -> Any:
    """`Conv1D`, `Conv2D`, `Conv3D`."""
    layer, rank = call.layer, call.layer.rank
    kernel = call.piece(layer.kernel, f"{SPATIAL[rank]} i (g o)", g=layer.groups)
    return _finish(call, call.x, kernel, layer.bias, call.out, groups=layer.groups)


@layer_rule("DepthwiseConv1D DepthwiseConv2D")
def depthwise_conv(call: Layer) -> Any:
    """One group for each input channel."""
    rank = _rank(call)
    variable = _depthwise_variable(call.layer)
    kernel = call.piece(variable, f"{SPATIAL[rank]} g o")
    return _finish(call, call.x, kernel, call.layer.bias, call.out, groups=int(variable.shape[-2]))


@layer_rule("SeparableConv1D SeparableConv2D")
def separable_conv(call: Layer) -> Any:
    """A depthwise convolution without bias, then a pointwise one: two PyTorch modules."""
    layer, rank = call.layer, _rank(call)
    kernel = call.piece(layer.depthwise_kernel, f"{SPATIAL[rank]} g o")
    channels = int(layer.depthwise_kernel.shape[-1] * layer.depthwise_kernel.shape[-2])
    axes = data_layout(layer, rank).split()
    between = tuple(channels if axis == "c" else size for axis, size in zip(axes, call.out, strict=True))
    groups = int(layer.depthwise_kernel.shape[-2])
    y = _conv(call, call.x, kernel, None, between, groups=groups)
    pointwise = call.piece(layer.pointwise_kernel, f"{SPATIAL[rank]} i o")
    ones = (1,) * rank
    z = call.build.conv(
        y,
        pointwise,
        call.path_of(layer.bias),
        call.out,
        layout=" ".join(axes),
        stride=ones,
        dilation=ones,
        padding=[(0, 0)] * rank,
    )
    return with_activation(call, z)


@layer_rule("Conv1DTranspose Conv2DTranspose Conv3DTranspose")
def conv_transpose(call: Layer) -> Any:
    """The gradient of a convolution; the crop of `same` follows from the output's size."""
    layer, rank = call.layer, call.layer.rank
    groups = getattr(layer, "groups", 1)
    kernel = call.piece(layer.kernel, f"{SPATIAL[rank]} o (g i)", g=groups)
    layout = data_layout(layer, rank)
    extents = [int(k) for k in layer.kernel.shape[:rank]]
    stride, dilation = _per_axis(layer.strides, rank), _per_axis(layer.dilation_rate, rank)
    sizes = zip(
        spatial_shape(call.input_shape, layout),
        spatial_shape(call.out, layout),
        extents,
        stride,
        dilation,
        strict=True,
    )
    cropped = [(i - 1) * s + d * (k - 1) + 1 - o for i, o, k, s, d in sizes]
    low = [max(total, 0) // 2 if layer.padding == "same" else 0 for total in cropped]
    y = call.build.conv(
        call.x,
        kernel,
        call.path_of(layer.bias),
        call.out,
        layout=layout,
        stride=stride,
        dilation=dilation,
        padding=[(before, total - before) for before, total in zip(low, cropped, strict=True)],
        groups=groups,
        transposed=True,
    )
    return with_activation(call, y)


def _finish(call: Layer, x: Value, kernel: Any, bias: Any, out: tuple[int, ...], groups: int) -> Value:
    return with_activation(call, _conv(call, x, kernel, bias, out, groups=groups))


def _conv(call: Layer, x: Value, kernel: Any, bias: Any, out: tuple[int, ...], groups: int) -> Value:
    layer, rank = call.layer, _rank(call)
    layout = data_layout(layer, rank)
    variable = call.build.graph.tensors[kernel.tensor]
    extents = variable.shape[:rank]
    stride, dilation = _per_axis(layer.strides, rank), _per_axis(layer.dilation_rate, rank)
    inside = spatial_shape(call.build.graph.shape(x), layout)
    return call.build.conv(
        x,
        kernel,
        call.path_of(bias),
        out,
        layout=layout,
        stride=stride,
        dilation=dilation,
        padding=explicit_padding(layer.padding, inside, extents, stride, dilation),
        groups=groups,
    )


def _rank(call: Layer) -> int:
    return len(call.input_shape) - 2


def _depthwise_variable(layer: Any) -> Any:
    return getattr(layer, "depthwise_kernel", None) if hasattr(layer, "depthwise_kernel") else layer.kernel


def _per_axis(value: Any, rank: int) -> tuple[int, ...]:
    return (int(value),) * rank if isinstance(value, int) else tuple(int(v) for v in value)
