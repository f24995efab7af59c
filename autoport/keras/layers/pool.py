"""Pooling, padding, cropping and resizing."""

from __future__ import annotations

from typing import Any

from autoport.keras.calls import Layer
from autoport.keras.layers.conv import data_layout, explicit_padding, spatial_shape
from autoport.keras.table import layer_rule

# TensorFlow's bicubic kernel is Keys' with a = -0.5, PyTorch's has a = -0.75.
RESIZE_MODES = {"bicubic": "bicubic (a=-0.5)"}


@layer_rule("MaxPooling1D MaxPooling2D MaxPooling3D")
def max_pool(call: Layer) -> Any:
    """Max pooling; padding is minus infinity."""
    return _pool(call, "max_pool", pad_value=float("-inf"))


@layer_rule("AveragePooling1D AveragePooling2D AveragePooling3D")
def avg_pool(call: Layer) -> Any:
    """Average pooling; padding does not count."""
    return _pool(call, "avg_pool", count_include_pad=False)


def _pool(call: Layer, kind: str, **attrs: Any) -> Any:
    layer = call.layer
    rank = len(call.input_shape) - 2
    layout = data_layout(layer, rank)
    kernel, stride = tuple(layer.pool_size), tuple(layer.strides)
    inside = spatial_shape(call.input_shape, layout)
    padding = tuple(explicit_padding(layer.padding, inside, kernel, stride, (1,) * rank))
    sizes: dict[str, Any] = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return call.build.pool(kind, call.x, call.out, layout=layout, **sizes, **attrs)


@layer_rule("GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D")
def global_avg_pool(call: Layer) -> Any:
    """The mean over space."""
    return _global(call, "global_avg_pool", len(call.input_shape) - 2)


@layer_rule("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D")
def global_max_pool(call: Layer) -> Any:
    """The maximum over space."""
    return _global(call, "global_max_pool", len(call.input_shape) - 2)


def _global(call: Layer, kind: str, rank: int) -> Any:
    axes = data_layout(call.layer, rank).split()
    return call.emit(kind, dims=tuple(dim for dim, axis in enumerate(axes) if axis not in "nc"))


@layer_rule("ZeroPadding1D ZeroPadding2D ZeroPadding3D")
def zero_padding(call: Layer) -> Any:
    """Zeros around space."""
    layer = call.layer
    rank = len(call.input_shape) - 2
    amounts = layer.padding if rank > 1 else [layer.padding]
    pairs = [(int(low), int(high)) for low, high in amounts]
    if not any(map(any, pairs)):
        return call.x
    axes = getattr(layer, "data_format", "channels_last")
    padding = [(0, 0), (0, 0), *pairs] if axes == "channels_first" else [(0, 0), *pairs, (0, 0)]
    return call.emit("pad", amounts=tuple(padding), mode="constant", value=0.0)


@layer_rule("Cropping1D Cropping2D Cropping3D")
def cropping(call: Layer) -> Any:
    """A slice of space."""
    layer = call.layer
    rank = len(call.input_shape) - 2
    amounts = layer.cropping if rank > 1 else [layer.cropping]
    first = 2 if getattr(layer, "data_format", "channels_last") == "channels_first" else 1
    ranges = {
        first + place: (int(low), call.input_shape[first + place] - int(high), 1)
        for place, (low, high) in enumerate(amounts)
        if low or high
    }
    return call.emit("slice", ranges=ranges)


@layer_rule("UpSampling1D UpSampling2D UpSampling3D Resizing")
def resize(call: Layer) -> Any:
    """Resizing of images; bilinear means half-pixel centres."""
    mode = getattr(call.layer, "interpolation", "nearest")
    layout = data_layout(call.layer, len(call.input_shape) - 2)
    sizes = [spatial_shape(shape, layout) for shape in (call.out, call.input_shape)]
    factor = tuple(after / before for after, before in zip(*sizes, strict=True))
    return call.emit("resize", mode=RESIZE_MODES.get(mode, mode), align_corners=False, factor=factor)
