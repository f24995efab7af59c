"""Files for Google's Model Explorer, in which both graphs open side by side.

graphs.json             both graphs, to be opened (`model-explorer graphs.json`)
sync_navigation.json    pairs of nodes, to be uploaded as the mapping of synchronised navigation
status.json, error.json node data: the status, and the error that verification measured
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from autoport.facts.framework import Both, Framework
from autoport.report.rows.blocks import SEPARATORS
from autoport.report.rows.drawing import Group, Node
from autoport.report.rows.rows import Report, worst
from autoport.report.views.graphs import COLOURS

GRAPHS = Both("Keras", "PyTorch")
# Colours by the decimal logarithm of the error, from rounding to entirely different.
HEAT = ((-8, "#ffffcc"), (-6, "#fee186"), (-4, "#feab4b"), (-2, "#fa5c2e"), (0, "#d31121"), (3, "#800026"))
SMALLEST, SHAPES_DIFFER = -16.0, 3.0


def explorer_files(report: Report) -> dict[str, str]:
    """Files for Model Explorer.

    Args:
        report: the rows of a match.

    Returns:
        JSON texts by name of the file; `error.json` only if the report has a verification.

    Example:
        >>> sorted(explorer_files(report))  # doctest: +SKIP
        ['graphs.json', 'status.json', 'sync_navigation.json']
    """
    documents = {
        "graphs.json": {
            "label": f"{report.tf_name} and {report.torch_name}",
            "graphs": [_graph(report, side) for side in Framework],
        },
        "sync_navigation.json": _navigation(report),
        "status.json": _node_data(
            "status", [(n, _status(node)) for n, node in enumerate(report.drawing.nodes)], report
        ),
    }
    if report.verification is not None:
        limit = math.log10(report.verification.rtol)
        heat = {"thresholds": [{"value": limit, "bgColor": "#ffffff"}, *({"value": v, "bgColor": c} for v, c in HEAT)]}
        documents["error.json"] = _node_data("log10 of the relative error", list(_errors(report)), report, **heat)
    return {name: json.dumps(document, indent=1, allow_nan=False) + "\n" for name, document in documents.items()}


def _graph(report: Report, side: Framework) -> dict[str, Any]:
    reads: dict[int, list[int]] = {}
    for edge in report.drawing.edges:
        if edge[side]:
            reads.setdefault(edge.target, []).append(edge.source)
    nodes = enumerate(report.drawing.nodes)
    drawn = [_node(n, node, side, reads.get(n, []), report) for n, node in nodes if node[side]]
    return {"id": GRAPHS[side], "nodes": drawn}


def _node(number: int, node: Node, side: Framework, reads: Sequence[int], report: Report) -> dict[str, Any]:
    place = node[side]
    assert place is not None
    shape = [{"key": "shape", "value": str(list(place.shape))}]
    return {
        "id": str(number),
        "label": place.path.split(SEPARATORS[side])[-1] or place.operation,
        "namespace": _namespace(node, side, report.drawing.groups),
        "attrs": [{"key": key, "value": value} for key, value in _attributes(node, side, report)],
        "incomingEdges": [
            {"sourceNodeId": str(source), "sourceNodeOutputId": "0", "targetNodeInputId": str(position)}
            for position, source in enumerate(reads)
        ],
        "outputsMetadata": [{"id": "0", "attrs": shape}],
        "style": {"backgroundColor": COLOURS[node.status]},
    }


def _attributes(node: Node, side: Framework, report: Report) -> Iterator[tuple[str, str]]:
    other, place = node.toward(side)
    if place is not None:
        yield from (("path", place.path), ("kind", place.kind), ("operation", place.operation))
    yield "status", _status(node)
    if other is not None:
        yield "partner", other.path or other.name
    for row in (report.rows[number] for number in node.rows):
        yield "reason", row.reason
        yield from ((d.name, f"{d.tf_value} in Keras, {d.torch_value} in PyTorch") for d in row.differences)
        yield from (("cause", str(cause)) for cause in row.causes)
        yield from ((", ".join(t.roles), t.expression) for t in row.tensors if t.expression)


def _namespace(node: Node, side: Framework, groups: Sequence[Group]) -> str:
    """The names of the blocks around a node on its side, outermost first; slashes in them become dots."""
    names: list[str] = []
    number = node.group
    while number is not None:
        group = groups[number]
        parent = groups[group.parent] if group.parent is not None else None
        full, outer = (block[side] if block else "" for block in (group, parent))
        start = f"{outer}{SEPARATORS[side]}"
        own = full[len(start) :] if outer and full.startswith(start) else full
        names.append((own if full != outer else "") or group.name)
        number = group.parent
    return "/".join(name.replace("/", ".") for name in reversed(names))


def _status(node: Node) -> str:
    return str(node.status) if node.status is not None else "not compared by itself"


def _navigation(report: Report) -> dict[str, Any]:
    paired = [str(n) for n, node in enumerate(report.drawing.nodes) if node.tf and node.torch]
    entries = [{"leftNodeIds": [number], "rightNodeIds": [number]} for number in paired]
    return {"type": "sync_navigation", "mappingEntries": entries, "disableMappingFallback": True}


def _errors(report: Report) -> Iterator[tuple[int, float]]:
    """The decimal logarithm of the error of every node that has one; a huge one where shapes differ."""
    for number, node in enumerate(report.drawing.nodes):
        error = worst([row.error for row in (report.rows[n] for n in node.rows) if row.error])
        if error is not None:
            finite = math.isfinite(error.relative)
            yield (
                number,
                max(SMALLEST, min(math.log10(error.relative or 1e-300), SHAPES_DIFFER)) if finite else SHAPES_DIFFER,
            )


def _node_data(name: str, values: Sequence[tuple[int, Any]], report: Report, **more: Any) -> dict[str, Any]:
    return {
        GRAPHS[side]: {
            "name": name,
            "results": {
                str(number): {"value": value} for number, value in values if report.drawing.nodes[number][side]
            },
            **more,
        }
        for side in Framework
    }
