"""Convolutions. PyTorch keeps `o i ...`, transposed ones `i o ...`, groups in front."""

from __future__ import annotations

from typing import Any

from autoport.graph import Value
from autoport.graph.build import SPATIAL
from autoport.pytorch.calls import Call, spatial
from autoport.pytorch.table import register


@register("conv1d conv2d conv3d", "input weight bias stride padding dilation groups")
def conv(call: Call) -> Any:
    """`conv1d`, `conv2d`, `conv3d`."""
    return _conv(call, "(g o) i", transposed=False)


@register(
    "conv_transpose1d conv_transpose2d conv_transpose3d",
    "input weight bias stride padding output_padding groups dilation",
)
def conv_transpose(call: Call) -> Any:
    """`conv_transpose1d`, `conv_transpose2d`, `conv_transpose3d`."""
    return _conv(call, "(g i) o", transposed=True)


def _conv(call: Call, channels: str, *, transposed: bool) -> Any:
    path = call.stored("weight")
    if path is None:
        return call.emit("conv_by_value")
    shape = call.build.graph.tensors[path].shape
    rank = len(shape) - 2
    groups = call.get("groups", 1)
    kernel = call.build.piece(path, f"{channels} {SPATIAL[rank]}", g=groups)
    stride, dilation = (spatial(call.get(name, 1), rank) for name in ("stride", "dilation"))
    padding = _padding(call, shape[2:], dilation)
    if transposed:
        extra = spatial(call.get("output_padding", 0), rank)
        padding = [(low, high - more) for (low, high), more in zip(padding, extra, strict=True)]
    x = call.value("input")
    if len(call.build.graph.shape(x)) == rank + 1:  # a single image without a batch axis
        return call.emit("conv_unbatched")
    return _with_computed_bias(
        call,
        call.build.conv(
            x,
            kernel,
            call.stored("bias"),
            call.out,
            layout=f"n c {SPATIAL[rank]}",
            stride=stride,
            dilation=dilation,
            padding=padding,
            groups=groups,
            transposed=transposed,
        ),
    )


def _with_computed_bias(call: Call, y: Value) -> Value:
    bias = call.get("bias")
    return call.build.emit("add", [y, bias], call.out) if isinstance(bias, Value) else y


def _padding(call: Call, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[tuple[int, int]]:
    amount = call.get("padding", 0)
    if amount == "valid":
        amount = 0
    if amount == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(p, p) for p in spatial(amount, len(kernel))]
