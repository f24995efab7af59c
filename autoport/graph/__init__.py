"""The form that both frameworks' models are read into. Knows no framework."""

from autoport.graph.graph import Graph
from autoport.graph.op import Op, Tensor, Value

__all__ = ["Graph", "Op", "Tensor", "Value"]
