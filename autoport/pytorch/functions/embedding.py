"""Table look-ups."""

from __future__ import annotations

from typing import Any

from autoport.pytorch.calls import Call
from autoport.pytorch.table import register


@register("embedding", "input weight padding_idx")
def embedding(call: Call) -> Any:
    """`F.embedding`: the table is `v c`, one row for each token."""
    path = call.stored("weight")
    if path is None:
        return call.emit("gather")
    return call.build.embedding(call.value("input"), call.build.piece(path, "v c"), call.out)
