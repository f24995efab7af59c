"""The order of rows: places in the Keras graph; a PyTorch operation has the place of its pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from autoport.facts.framework import Both, Framework

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.graph import Graph, Op

# Sort key of a row: the place of an operation in the Keras graph; at one place matched rows come first.
Key = tuple[float, int]


class RowOrder:
    """The order of the rows of a report.

    Attributes:
        places: on either side, by name of an operation, its place in the Keras graph; for PyTorch that of its pair,
            or of the last pair in front of it.
    """

    def __init__(self, analysis: Analysis) -> None:
        places = {op.name: number for number, op in enumerate(analysis.graphs.tf.ops())}
        self.places = Both(places, self._torch_places(analysis, places))
        self._readers = analysis.graphs.map(lambda graph: dict(_readers(graph)))

    def _torch_places(self, analysis: Analysis, places: Mapping[str, int]) -> dict[str, int]:
        partner = {pair.torch.name: places[pair.tf.name] for pair in analysis.pairs if pair.tf.name in places}
        torch_places, last = {}, -1
        for op in analysis.graphs.torch.ops():
            last = partner.get(op.name, last)
            torch_places[op.name] = last
        return torch_places

    def key(self, side: Framework, op: Op | None) -> Key:
        """Sort key of a one-sided row; tensors that nothing reads come last."""
        place = self.places[side].get(op.name) if op else None
        return (float("inf") if place is None else place, 1 if side is Framework.TF else 2)

    def reader(self, side: Framework, path: str) -> Op | None:
        """The first operation that reads a tensor."""
        return self._readers[side].get(path)


def _readers(graph: Graph) -> Iterator[tuple[str, Op]]:
    """The first operation that reads each tensor (the last one yielded wins)."""
    return ((path, op) for op in reversed(list(graph.ops())) for path in op.tensors)
