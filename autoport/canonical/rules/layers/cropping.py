"""A crop behind a convolution is padding of the convolution, possibly asymmetric.

crop(conv_transpose(x, p), q) = conv_transpose(x, p + q)
crop(conv(x, p), q) = conv(x, p - q)      for stride 1, where it has that padding
"""

from __future__ import annotations

from autoport.canonical.rules.layers.padding import spatial_padding
from autoport.graph import Graph, Op, Value


def fold_cropping(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind in ("pad", "slice"):
            _fold(graph, op, graph.op(op.inputs[0].op))


def _fold(graph: Graph, crop: Op, layer: Op) -> None:
    if layer.kind != "conv" or graph.out_degree(layer.name) != 1 or Value(layer.name) in graph.outputs:
        return
    added = spatial_padding(graph, layer, crop)
    if added is None or any(amount > 0 for pair in added for amount in pair):
        return
    sign = -1 if layer.attrs.get("transposed") else 1
    inner = layer.attrs["padding"]
    padding = tuple((a + sign * c, b + sign * d) for (a, b), (c, d) in zip(inner, added, strict=True))
    if sign == 1 and (set(layer.attrs["stride"]) != {1} or any(amount < 0 for pair in padding for amount in pair)):
        return
    layer.attrs["padding"] = padding
    layer.shapes = crop.shapes
    graph.axes[Value(layer.name)] = graph.axes.get(Value(crop.name), ())
    graph.fold(crop.name, Value(layer.name))
