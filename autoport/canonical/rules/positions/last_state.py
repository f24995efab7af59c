"""The last step of a recurrent layer's sequence is its last state.

sequence[:, -1] = last state        for a layer that runs forwards
"""

from __future__ import annotations

from autoport.graph import Graph, Value


def fold_last_step(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "slice" or not op.attrs.get("ranges"):
            continue
        source = op.inputs[0]
        layer = graph.op(source.op)
        if not layer.kind.is_recurrent or source.output != 0 or layer.attrs["reverse"]:
            continue
        time = layer.attrs["sequence"]["time"]
        steps = graph.shape(source)[time]
        if op.attrs["ranges"] == {time: (steps - 1, steps, 1)}:
            graph.become(op, "reshape", Value(layer.name, 1))
