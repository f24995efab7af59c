"""Where rows stand: places in the Keras graph, to which PyTorch operations are tied by their pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.graph import Graph, Op

# Place of a row: that of an operation in the Keras graph, then matched rows before one-sided ones.
Key = tuple[float, int]


class Order:
    """The order of the rows of a report.

    Attributes:
        tf: place of every Keras operation, by name.
        torch: place of the Keras operation that a PyTorch operation stands at or behind, by name.
    """

    def __init__(self, analysis: Analysis) -> None:
        self.tf = {op.name: number for number, op in enumerate(analysis.graphs.tf.ops())}
        self.torch = self._tied(analysis)
        graphs = (("tf", analysis.graphs.tf), ("torch", analysis.graphs.torch))
        self._readers = {(side, path): op for side, graph in graphs for path, op in _readers(graph)}

    def _tied(self, analysis: Analysis) -> dict[str, int]:
        partner = {pair.torch.name: self.tf[pair.tf.name] for pair in analysis.pairs if pair.tf.name in self.tf}
        tied, last = {}, -1
        for op in analysis.graphs.torch.ops():
            last = partner.get(op.name, last)
            tied[op.name] = last
        return tied

    def key(self, side: str, op: Op | None) -> Key:
        """Place of a one-sided row; what nothing reads stands last."""
        places = self.tf if side == "tf" else self.torch
        place = places.get(op.name) if op else None
        return (float("inf") if place is None else place, 1 if side == "tf" else 2)

    def reader(self, side: str, path: str) -> Op | None:
        """The first operation that reads a tensor."""
        return self._readers.get((side, path))


def _readers(graph: Graph) -> Iterator[tuple[str, Op]]:
    """The first operation that reads each tensor (the last one yielded wins)."""
    return ((path, op) for op in reversed(list(graph.ops())) for path in op.tensors)
