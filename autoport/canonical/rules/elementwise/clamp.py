"""A minimum of a maximum with numbers is a clip.

    min(x, [v, v, ...]) = min(x, v)
    max(min(x, high), low) = min(max(x, low), high) = clamp(x, low, high)      for low <= high

Between 0 and 6 it is ReLU6. A minimum or maximum alone is a clip, too.
"""

from __future__ import annotations

from autoport.graph import Graph, Op

BOUND = {"minimum": "high", "maximum": "low"}


def fold_clamp(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        _bound_by_number(graph, op)
        inner = graph.op(op.inputs[0].op) if op.inputs else None
        if inner is None or _bound(op) is None or _bound(inner) is None:
            continue
        bounds = dict([_bound(inner), _bound(op)])  # type: ignore[list-item]
        if len(bounds) == 2 and bounds["low"] <= bounds["high"]:
            relu6 = bounds == {"low": 0.0, "high": 6.0}
            graph.become(op, "relu6" if relu6 else "clamp", inner.inputs[0], **({} if relu6 else bounds))
    for op in list(graph.ops()):
        if op.kind in BOUND and "constant" in op.attrs:
            graph.become(op, "clamp", op.inputs[0], **{BOUND[op.kind]: float(op.attrs["constant"])})


def _bound_by_number(graph: Graph, op: Op) -> None:
    """Replaces a bound that is one number everywhere by that number."""
    for x, bound in (op.inputs, op.inputs[::-1]) if op.kind in BOUND and len(op.inputs) == 2 else ():
        fill = graph.op(bound.op).attrs.get("fill")
        if fill is not None and graph.shape(x) == op.shapes[0]:
            graph.become(op, op.kind, x, constant=fill, constant_first=False)
            return


def _bound(op: Op) -> tuple[str, float] | None:
    if op.kind == "relu":
        return "low", 0.0
    if op.kind in BOUND and "constant" in op.attrs:
        return BOUND[op.kind], float(op.attrs["constant"])
    return None
