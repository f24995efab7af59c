"""Raw pooling."""

from __future__ import annotations

from typing import Any

from autoport.graph.build import SPATIAL
from autoport.keras.calls import RawOp
from autoport.keras.layers.conv import explicit_padding, spatial_shape
from autoport.keras.layers.pool import RESIZE_MODES
from autoport.keras.table import op_rule


@op_rule("MaxPool MaxPool3D")
def max_pool(raw: RawOp) -> Any:
    """`tf.nn.max_pool`; padding is minus infinity."""
    return _pool(raw, "max_pool", pad_value=float("-inf"))


@op_rule("AvgPool AvgPool3D")
def avg_pool(raw: RawOp) -> Any:
    """`tf.nn.avg_pool`; padding does not count."""
    return _pool(raw, "avg_pool", count_include_pad=False)


RESIZES = {"ResizeNearestNeighbor": "nearest", "ResizeBilinear": "bilinear", "ResizeBicubic": RESIZE_MODES["bicubic"]}


@op_rule(" ".join(RESIZES))
def resize(raw: RawOp) -> Any:
    """`tf.image.resize`."""
    kind, centred, aligned = RESIZES[raw.op.type], *map(raw.op.get_attr, ("half_pixel_centers", "align_corners"))
    before, after = raw.build.graph.shape(raw.data(0))[1:3], raw.out[1:3]
    factor = tuple(new / old for new, old in zip(after, before, strict=True))
    if kind == "nearest" and centred and not all(map(float.is_integer, factor)):
        kind = "nearest-exact"
    if kind != "nearest" and not centred and not aligned:
        kind += " (corners at the origin)"
    return raw.emit("resize", [0], mode=kind, align_corners=bool(aligned), factor=factor)


def _pool(raw: RawOp, kind: str, **attrs: Any) -> Any:
    space = SPATIAL[len(raw.out) - 2]
    layout = f"n {space} c" if raw.op.get_attr("data_format").decode().endswith("C") else f"n c {space}"
    kernel, stride = (tuple(spatial_shape(raw.op.get_attr(name), layout)) for name in ("ksize", "strides"))
    inside = spatial_shape(raw.build.graph.shape(raw.data(0)), layout)
    mode = raw.op.get_attr("padding").decode().lower()
    padding = tuple(explicit_padding(mode, inside, kernel, stride, (1,) * len(kernel)))
    sizes: dict[str, Any] = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return raw.build.pool(kind, raw.data(0), raw.out, layout=layout, **sizes, **attrs)
