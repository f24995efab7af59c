"""The form that both frameworks' models are read into. Knows no framework."""

from autoport.graph.graph import Graph
from autoport.graph.op import Op, Parameters, Stored, Tensor, Value

__all__ = ["Graph", "Op", "Parameters", "Stored", "Tensor", "Value"]
