"""Windows that slide over a tensor, as a stack of slices."""

from __future__ import annotations

import itertools
from typing import Any

from autoport.pytorch.calls import Call
from autoport.pytorch.table import register

DEFAULTS = {"kernel_size": 1, "dilation": 1, "padding": 0, "stride": 1}


@register("unfold", "input kernel_size dilation padding stride")
def unfold(call: Call) -> Any:
    """`F.unfold`: a slice for each position in the window, `(n, c kh kw, windows)`; `Tensor.unfold` stays itself."""
    shape = call.shape("input")
    if len(shape) != 4 or len(call.out) != 3:
        return call.emit("windows", [call.value("input")])
    window, dilation, padding, stride = (_pair(call.get(name, default)) for name, default in DEFAULTS.items())
    x, amounts = call.value("input"), ((0, 0), (0, 0), *((pad, pad) for pad in padding))
    if any(padding):
        shape = tuple(size + sum(pair) for size, pair in zip(shape, amounts, strict=True))
        x = call.build.emit("pad", [x], shape, amounts=amounts, mode="constant", value=0.0)
    counts = [(shape[d + 2] - dilation[d] * (window[d] - 1) - 1) // stride[d] + 1 for d in (0, 1)]
    seen = []
    for offsets in itertools.product(*map(range, window)):
        starts = [offset * step for offset, step in zip(offsets, dilation, strict=True)]
        cuts = {d + 2: (starts[d], starts[d] + stride[d] * (counts[d] - 1) + 1, stride[d]) for d in (0, 1)}
        ranges = {d: cut for d, cut in cuts.items() if cut != (0, shape[d], 1)}
        seen.append(call.build.slice(x, ranges, (*shape[:2], *counts)))
    stacked = call.build.stack(seen, 2, (*shape[:2], len(seen), *counts))
    return call.build.emit("reshape", [stacked], call.out)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
