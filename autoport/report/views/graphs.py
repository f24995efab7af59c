"""The drawn graphs for other programs: GraphML and Graphviz, through networkx."""

from __future__ import annotations

from typing import Any

import networkx as nx

from autoport.facts.framework import Framework
from autoport.report.rows.drawing import DrawnOp
from autoport.report.rows.rows import Report
from autoport.report.rows.tensors import Status
from autoport.report.views.lines import printable

COLOURS = {
    Status.SAME: "#ffffff",
    Status.TRANSFORMED: "#e2f5f6",
    Status.DIFFERENT: "#fff1d6",
    Status.TF_ONLY: "#fde7e5",
    Status.TORCH_ONLY: "#e0f5e5",
    Status.AMBIGUOUS: "#f4e8fb",
    None: "#f6f7f9",
}


def to_networkx(report: Report, side: str | None = None) -> nx.DiGraph:
    """A drawn graph with plain attributes.

    Args:
        report: the rows of a match.
        side: `tf` or `torch` for one of the two graphs; both, with an edge between matched operations, when left out.

    Returns:
        Nodes with `side`, `path`, `kind`, `operation`, `shape` and `status`; edges with `pair`, which is true
        between matched operations.

    Raises:
        ValueError: there is no such side.

    Example:
        >>> nx.dag_longest_path_length(to_networkx(report, "torch"))  # doctest: +SKIP
        121
    """
    if side not in (None, *Framework):
        raise ValueError(f"side must be 'tf' or 'torch', not {side!r}")
    graph = nx.DiGraph()
    for chosen in Framework if side is None else (Framework(side),):
        _add(graph, report, chosen)
    if side is None:
        paired = (n for n, node in enumerate(report.drawing.nodes) if node.tf and node.torch)
        graph.add_edges_from(((f"tf{n}", f"torch{n}") for n in paired), pair=True)
    return graph


def _add(graph: nx.DiGraph, report: Report, side: Framework) -> None:
    for number, node in enumerate(report.drawing.nodes):
        place = node[side]
        if place is not None:
            graph.add_node(f"{side}{number}", side=str(side), **_attributes(place, node.status))
    for edge in report.drawing.edges:
        if edge[side]:
            graph.add_edge(f"{side}{edge.source}", f"{side}{edge.target}", pair=False)


def _attributes(place: DrawnOp, status: Status | None) -> dict[str, Any]:
    return {
        "path": printable(place.path),
        "kind": printable(place.kind),
        "operation": place.operation,
        "shape": "x".join(map(str, place.shape)),
        "status": str(status or ""),
    }


def render_graphml(report: Report, side: str | None = None) -> str:
    """A drawn graph, or both, as GraphML."""
    return "\n".join(nx.generate_graphml(to_networkx(report, side))) + "\n"


def render_dot(report: Report, side: str | None = None) -> str:
    """A drawn graph, or both, in the language of Graphviz."""
    graph = to_networkx(report, side)
    statuses = {str(status or ""): colour for status, colour in COLOURS.items()}
    for _, data in graph.nodes(data=True):
        label = f"{data['status']} {data['path'] or data['operation']}\n{data['kind']} {data['shape']}"
        colour = statuses[data["status"]]
        data.clear()
        data.update(label=_quoted(label), shape="box", style="filled", fillcolor=_quoted(colour))
    for _, _, data in graph.edges(data=True):
        paired = data.pop("pair")
        data.update({"style": "dashed", "dir": "none", "constraint": "false"} if paired else {})
    return str(nx.nx_pydot.to_pydot(graph).to_string())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
