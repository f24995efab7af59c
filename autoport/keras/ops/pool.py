"""Raw pooling."""

from __future__ import annotations

from typing import Any

from autoport.graph.build import SPATIAL
from autoport.keras.layers.conv import explicit_padding, spatial_shape
from autoport.keras.rules import RawOp, op_rule


@op_rule("MaxPool MaxPool3D")
def max_pool(raw: RawOp) -> Any:
    """`tf.nn.max_pool`; outside the image is minus infinity."""
    return _pool(raw, "max_pool", pad_value=float("-inf"))


@op_rule("AvgPool AvgPool3D")
def avg_pool(raw: RawOp) -> Any:
    """`tf.nn.avg_pool`; padding does not count."""
    return _pool(raw, "avg_pool", count_include_pad=False)


def _pool(raw: RawOp, kind: str, **attrs: Any) -> Any:
    space = SPATIAL[len(raw.out) - 2]
    layout = f"n {space} c" if raw.op.get_attr("data_format").decode().endswith("C") else f"n c {space}"
    kernel, stride = (tuple(spatial_shape(raw.op.get_attr(name), layout)) for name in ("ksize", "strides"))
    inside = spatial_shape(raw.build.graph.shape(raw.data(0)), layout)
    mode = raw.op.get_attr("padding").decode().lower()
    padding = tuple(explicit_padding(mode, inside, kernel, stride, (1,) * len(kernel)))
    sizes: dict[str, Any] = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return raw.build.pool(kind, raw.data(0), raw.out, layout=layout, **sizes, **attrs)
