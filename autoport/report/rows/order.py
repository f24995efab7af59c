"""Where rows stand: places in the Keras graph, to which PyTorch operations are tied by their pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from autoport.facts.framework import Both, Framework

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.graph import Graph, Op

# Place of a row: that of an operation in the Keras graph, then matched rows before one-sided ones.
Key = tuple[float, int]


class Order:
    """The order of the rows of a report.

    Attributes:
        places: for either side, by name, the place of a Keras operation, and that of the Keras operation that a
            PyTorch operation stands at or behind.
    """

    def __init__(self, analysis: Analysis) -> None:
        places = {op.name: number for number, op in enumerate(analysis.graphs.tf.ops())}
        self.places = Both(places, self._tied(analysis, places))
        self._readers = analysis.graphs.map(lambda graph: dict(_readers(graph)))

    def _tied(self, analysis: Analysis, places: Mapping[str, int]) -> dict[str, int]:
        partner = {pair.torch.name: places[pair.tf.name] for pair in analysis.pairs if pair.tf.name in places}
        tied, last = {}, -1
        for op in analysis.graphs.torch.ops():
            last = partner.get(op.name, last)
            tied[op.name] = last
        return tied

    def key(self, side: Framework, op: Op | None) -> Key:
        """Place of a one-sided row; what nothing reads stands last."""
        place = self.places[side].get(op.name) if op else None
        return (float("inf") if place is None else place, 1 if side is Framework.TF else 2)

    def reader(self, side: Framework, path: str) -> Op | None:
        """The first operation that reads a tensor."""
        return self._readers[side].get(path)


def _readers(graph: Graph) -> Iterator[tuple[str, Op]]:
    """The first operation that reads each tensor (the last one yielded wins)."""
    return ((path, op) for op in reversed(list(graph.ops())) for path in op.tensors)
