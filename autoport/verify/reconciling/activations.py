"""Activations of another form: what several calls compute of one value is computed by one call of PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import nn

from autoport.comparison.differences import Difference, alike, edge_differences, matched_edges
from autoport.graph import Graph, Op, Value
from autoport.graph.vocabulary import Kind, Use
from autoport.matching.evidence import Expression
from autoport.pytorch.functions.pointwise import ACTIVATIONS
from autoport.pytorch.table import bare_name
from autoport.verify.reconciling.changes import Change, Patching
from autoport.verify.reconciling.regions import CallRegion, call_number, call_region, module_path, origin, where
from autoport.verify.reconciling.sites import Site
from autoport.verify.running.numbers import intended
from autoport.verify.running.patches import Computed

if TYPE_CHECKING:
    from autoport.analysis import Analysis


def other_activations(model: nn.Module, analysis: Analysis) -> Iterator[Site]:
    """Edges on which either model has an activation, and not the same one."""
    matching, graph = analysis.matching, analysis.graphs.torch
    for node in matching.partner:
        for source, a, b in matched_edges(matching, node):
            differences = [d for d in edge_differences(matching, node) if d.tf == matching.left.edge(source, node)]
            if len(differences) == 1:
                changes = list(_exchange(model, graph, _inmost(a.expression, b.expression), differences))
                if changes:
                    yield Site(differences, iter([changes]))


def _inmost(wanted: Expression, found: Expression) -> tuple[Expression, Expression]:
    """The parts in which two expressions differ: what both do to the result alike is left out."""
    while wanted.label == found.label and len(wanted.operands) == len(found.operands) == 1 and alike(wanted, found):
        (wanted,), (found,) = wanted.operands, found.operands
    return wanted, found


def _exchange(
    model: nn.Module, graph: Graph, sides: tuple[Expression, Expression], differences: list[Difference]
) -> Iterator[Change]:
    """The activation that one expression ends with, in place of what the other one does."""
    wanted, found = (side.op for side in sides)
    if wanted is None or found is None or not wanted.kind.is_activation:
        return
    names, last = _between(sides[1], sides[0].operands[0]), origin(graph, Value(found.name))
    if names and last is not None:
        region = call_region(graph, last, names)
        yield from compute_at_once(model, region, wanted.kind, wanted.attrs, differences)


def compute_at_once(
    model: nn.Module, region: CallRegion, kind: Kind, attrs: Mapping[str, Any], differences: list[Difference]
) -> Iterator[Change]:
    """The last call of a region computed as an activation of what the region reads.

    Args:
        model: the whole model.
        region: the calls.
        kind: the activation.
        attrs: its hyper-parameters.
        differences: what is removed.
    """
    patch, readers = torch_function(kind, attrs), region.readers()
    if patch is None or not readers:
        return
    (first, place), last = readers[0], region.last
    path = module_path([first, last])
    source = None if first is last and place == 0 else (bare_name(first.target), call_number(first, path), place)
    number = call_number(last, path)
    yield Patching(model, path, differences, patch, bare_name(last.target), number, where(last), source)


def torch_function(kind: Kind, attrs: Mapping[str, Any]) -> Computed | None:
    """PyTorch's function for an activation; None if it has none, or none with all its hyper-parameters."""
    for name, (spelled, parameters) in ACTIVATIONS.items():
        if spelled == kind and hasattr(F, name):
            values = {key: intended(value) for key, value in attrs.items() if kind.attribute(key).use is Use.COMPARED}
            return Computed(name, values) if values.keys() <= parameters.keys() else None
    return None


def _between(expression: Expression, inner: Expression) -> set[str]:
    """The operations that make an expression from another one; empty if they do more than an activation does."""
    waiting, between = [expression], list[Op]()
    while waiting:
        part = waiting.pop()
        if part == inner or part.is_constant:
            continue
        if part.op is None or not part.op.kind.is_pointwise:
            return set()
        between.append(part.op)
        waiting += part.operands
    active = any(not op.kind.is_affine for op in between)
    return {op.name for op in between} if active else set()
