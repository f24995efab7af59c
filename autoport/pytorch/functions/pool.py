"""Pooling, padding and resizing."""

from __future__ import annotations

from typing import Any

from autoport.graph.build import SPATIAL
from autoport.pytorch.calls import Call, spatial
from autoport.pytorch.table import register


@register("max_pool1d max_pool2d max_pool3d", "input kernel_size stride padding dilation ceil_mode")
def max_pool(call: Call) -> Any:
    """Max pooling; padding is minus infinity."""
    dilation = spatial(call.get("dilation", 1), int(call.name[-2]))
    return _pool(call, "max_pool", pad_value=float("-inf"), **({"dilation": dilation} if set(dilation) != {1} else {}))


@register(
    "avg_pool1d avg_pool2d avg_pool3d",
    "input kernel_size stride padding ceil_mode count_include_pad divisor_override",
)
def avg_pool(call: Call) -> Any:
    """Average pooling; the positions that `ceil_mode` adds at the end are never counted."""
    divisor = call.get("divisor_override")
    extra = {} if divisor is None else {"divisor_override": divisor}
    padded = any(spatial(call.get("padding", 0), int(call.name[-2])))
    return _pool(call, "avg_pool", count_include_pad=padded and call.get("count_include_pad", True), **extra)


def _pool(call: Call, kind: str, **attrs: Any) -> Any:
    rank = int(call.name[-2])
    kernel = spatial(call.get("kernel_size"), rank)
    stride = spatial(call.get("stride") or kernel, rank)
    pads = spatial(call.get("padding", 0), rank)
    inside, outside = call.shape("input")[-rank:], call.out[-rank:]
    # The positions that ceil_mode adds at the end are padding, too.
    high = [
        max(p, (o - 1) * s + k - i - p) for p, o, s, k, i in zip(pads, outside, stride, kernel, inside, strict=True)
    ]
    padding = tuple(zip(pads, high, strict=True))
    sizes: dict[str, Any] = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return call.build.pool(kind, call.value("input"), call.out, layout=f"n c {SPATIAL[rank]}", **sizes, **attrs)


@register(
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
    "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    "input output_size",
)
def adaptive_pool(call: Call) -> Any:
    """Adaptive pooling: to one position it is global, to the same size it is dropped."""
    rank = int(call.name[-2])
    kind = "avg_pool" if "avg" in call.name else "max_pool"
    inside, outside = call.shape("input")[-rank:], call.out[-rank:]
    if inside == outside:
        return call.get("input")
    if set(outside) == {1}:
        return call.emit(f"global_{kind}", [call.value("input")], dims=tuple(range(2, 2 + rank)))
    if all(i % o == 0 for i, o in zip(inside, outside, strict=True)):
        step = tuple(i // o for i, o in zip(inside, outside, strict=True))
        attrs = {"kernel_size": step, "stride": step, "padding": ((0, 0),) * rank}
        return call.emit(kind, [call.value("input")], layout=f"n c {SPATIAL[rank]}".split(), **attrs)
    return call.emit(f"adaptive_{kind}", [call.value("input")], output_size=outside)


@register("pad", "input pad mode value")
def pad(call: Call) -> Any:
    """`F.pad`: pairs from the last dimension backwards."""
    rank = len(call.shape("input"))
    amounts = list(call.get("pad"))
    pairs = [tuple(amounts[k : k + 2]) for k in range(0, len(amounts), 2)]
    padding = ([(0, 0)] * (rank - len(pairs))) + pairs[::-1]
    if not any(low or high for low, high in padding):
        return call.get("input")
    mode = call.get("mode", "constant")
    return call.emit("pad", [call.value("input")], amounts=tuple(padding), mode=mode, value=call.get("value") or 0.0)


@register("pixel_shuffle", "input upscale_factor")
def pixel_shuffle(call: Call) -> Any:
    """`F.pixel_shuffle`: channels are `(c r r)`."""
    return call.emit("pixel_shuffle", [call.value("input")], factor=call.get("upscale_factor"))


@register("pixel_unshuffle", "input downscale_factor")
def pixel_unshuffle(call: Call) -> Any:
    """`F.pixel_unshuffle`: channels become `(c r r)`."""
    return call.emit("pixel_unshuffle", [call.value("input")], factor=call.get("downscale_factor"))


@register("channel_shuffle native_channel_shuffle", "input groups")
def channel_shuffle(call: Call) -> Any:
    """`F.channel_shuffle`: channels are `(g m)` and become `(m g)`."""
    (batch, channels, *space), groups = call.out, call.get("groups")
    unfolded = (batch, groups, channels // groups, *space)
    order = (0, 2, 1, *range(3, len(unfolded)))
    turned = tuple(unfolded[dim] for dim in order)
    y = call.build.emit("reshape", [call.value("input")], unfolded)
    return call.build.emit("reshape", [call.build.emit("transpose", [y], turned, order=order)], call.out)


# PyTorch's bicubic kernel is Keys' with a = -0.75, TensorFlow's has a = -0.5.
RESIZE_MODES = {"bicubic": "bicubic (a=-0.75)"}


@register("interpolate upsample", "input size scale_factor mode align_corners recompute_scale_factor antialias")
def resize(call: Call) -> Any:
    """Resizing of images; a given factor counts, not the rounded size."""
    mode = call.get("mode", "nearest")
    sizes = call.shape("input")[2:]
    scales = None if call.get("recompute_scale_factor") else call.get("scale_factor")
    return call.emit(
        "resize",
        [call.value("input")],
        mode=RESIZE_MODES.get(mode, mode) + (" (antialias)" if call.get("antialias") else ""),
        align_corners=bool(call.get("align_corners", False)),
        factor=tuple(after / before for after, before in zip(call.out[2:], sizes, strict=True))
        if scales is None
        else tuple(map(float, scales if isinstance(scales, (tuple, list)) else [scales] * len(sizes))),
    )
