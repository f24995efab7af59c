"""A layer is several layers if its consumers only read parts of its outputs: fused queries, keys and values, gates.

    split(x @ [Q K V]) = x @ Q, x @ K, x @ V

The parts may be slices along the outputs, or along one of the dimensions that a reshape has unfolded them
to, so `(3 heads d)` and `(heads 3 d)` both come out right. Every slice becomes a layer over its part of the
stored tensors; together the parts must be the layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax
from autoport.weights.piece import Piece, Weight

# The place of the number of outputs in a layer's colour.
OUTPUTS = {"dense": 2, "conv": 3}
PART = "part"


@dataclass(frozen=True)
class _Cut:
    """A slice of a layer's outputs.

    Attributes:
        op: the slice.
        atom: the factor of the outputs that it cuts.
        start: first position.
        size: number of positions.
        kept: the rest of the factor, as axes of the slice's value.
    """

    op: Op
    atom: ax.Atom
    start: int
    size: int
    kept: ax.Segment


@dataclass(frozen=True)
class _CutAxis:
    """The axis of the weights that a cut divides.

    Attributes:
        name: its name in the weights.
        root: the data axis that it lies along.
        cut: the slice of that axis.
    """

    name: str
    root: ax.Atom
    cut: _Cut


def split_layers(graph: Graph) -> list[Op]:
    """Applies the rule everywhere; the axes must have their names.

    Returns:
        The new layers.
    """
    layers: list[Op] = []
    for op in list(graph.ops()):
        if op.kind in OUTPUTS and op.attrs.get("groups", 1) == 1:
            for name in op.attrs["outputs"]:
                layers += _split(graph, op, name) if op.name in graph else []
    return layers


def _split(graph: Graph, op: Op, name: str) -> list[Op]:
    """Splits a layer along one of the axes of its outputs, if every consumer reads a part of it."""
    root = _root_of_outputs(graph, op, name)
    cuts = _cuts(graph, op, root) if root is not None else None
    if root is None or cuts is None or not _make_up(cuts):
        return []
    weights_by_cut = [(cut, _weights(graph, op, _CutAxis(name, root, cut))) for cut in cuts]
    if any(weights is None for _, weights in weights_by_cut):
        return []
    for cut, weights in weights_by_cut:
        _become_layer(graph, op, cut, weights or {})
    graph.remove_node(op.name)
    return [cut.op for cut in cuts]


def _root_of_outputs(graph: Graph, op: Op, name: str) -> ax.Atom | None:
    axes = graph.axes[Value(op.name)]
    dim = op.attrs["outputs"][name]
    if dim >= len(axes) or len(axes[dim]) != 1 or len(axes[dim][0]) != 1:
        return None
    atom: ax.Atom = axes[dim][0][0]
    return atom


def _cuts(graph: Graph, op: Op, root: ax.Atom) -> list[_Cut] | None:
    """Every slice that reads a layer, also through reshapes and transposes; None if it has other consumers."""
    cuts: list[_Cut] = []
    waiting = [op.name]
    while waiting:
        name = waiting.pop()
        readers = [graph.op(reader) for reader in graph.successors(name)]
        if not readers or any(value.op == name for value in graph.outputs):
            return None
        for reader in readers:
            cut = _cut(graph, reader, root) if reader.kind == "slice" else None
            if cut is not None:
                cuts.append(cut)
            elif reader.kind.is_shape_only:
                waiting.append(reader.name)
            else:
                return None
    return cuts


def _cut(graph: Graph, op: Op, root: ax.Atom) -> _Cut | None:
    ranges = op.attrs["ranges"]
    if ranges is None or len(ranges) != 1:
        return None
    ((dim, (start, stop, step)),) = ranges.items()
    before, after = graph.axes[op.inputs[0]][dim], graph.axes[Value(op.name)][dim]
    atoms = ax.leaves(before[0]) if len(before) == 1 else []
    if len(atoms) != 1 or step != 1 or atoms[0] not in ax.leaves([root]) or len(after) != 1:
        return None
    return _Cut(op, atoms[0], start, stop - start, after[0])


def _make_up(cuts: list[_Cut]) -> bool:
    """Whether the cuts, in some order, cover the layer, each position once."""
    ordered = sorted(cuts, key=lambda cut: cut.start)
    ends = [cut.start + cut.size for cut in ordered]
    starts = [cut.start for cut in ordered]
    same = all(cut.atom is ordered[0].atom for cut in ordered)
    return len(cuts) > 1 and same and starts == [0, *ends[:-1]] and ends[-1] == ordered[0].atom.size


def _weights(graph: Graph, op: Op, cut_axis: _CutAxis) -> dict[str, Weight] | None:
    """The part of each weight that a cut reads; None if its place in the stored tensor has no name."""
    cut = cut_axis.cut
    aligned = cut.atom.size % cut.size == 0 and cut.start % cut.size == 0
    if not aligned and cut.atom is not cut_axis.root:
        return None
    axes = graph.axes[Value(op.name)]
    others = {name: ax.named_sizes(axes[dim][0]) for name, dim in op.attrs["outputs"].items() if name != cut_axis.name}
    result = {}
    for role, weight in op.weights.items():
        if any(cut_axis.name not in piece.axes for piece in weight.pieces):
            return None
        pieces = (_part(piece, cut_axis, not others) if aligned else _range(piece, cut_axis) for piece in weight.pieces)
        result[role] = replace(weight, pieces=tuple(_expand_others(piece, others) for piece in pieces))
    return result


def _expand_others(piece: Piece, others: Mapping[str, list[tuple[str, int]]]) -> Piece:
    """A piece whose other axes of outputs are spelled by their names."""
    for name, spelled in others.items():
        piece = piece.expand(name, spelled) if name in piece.axes else piece
    return piece


def _part(piece: Piece, cut_axis: _CutAxis, alone: bool) -> Piece:
    """An equal part: one index along an axis of its own."""
    names = list(_names_and_sizes(cut_axis.root, cut_axis.cut))
    kept = [name for name, _ in names if name != PART]
    plain = {kept[0]: "o"} if len(kept) == 1 and alone else {}
    expanded = piece.expand(cut_axis.name, [(plain.get(name, name), size) for name, size in names])
    return replace(expanded, select={**expanded.select, PART: cut_axis.cut.start // cut_axis.cut.size})


def _names_and_sizes(root: ax.Atom, cut: _Cut) -> Iterator[tuple[str, int]]:
    whole = ax.leaves([root])
    for number, leaf in enumerate(whole, 1):
        if leaf is cut.atom:
            yield PART, leaf.size // cut.size
            yield from ax.named_sizes(cut.kept)
        else:
            yield leaf.name or f"{root.name}{number}", leaf.size


def _range(piece: Piece, cut_axis: _CutAxis) -> Piece:
    names, cut = ax.named_sizes(cut_axis.cut.kept), cut_axis.cut
    part = piece.take(cut_axis.name, cut.start, cut.start + cut.size)
    return part.expand(cut_axis.name, names) if len(names) > 1 else part


def _become_layer(graph: Graph, op: Op, cut: _Cut, weights: dict[str, Weight]) -> None:
    index = OUTPUTS[op.kind]
    colour: list[Any] = list(op.colour)
    colour[index] = colour[index] * cut.size // cut.atom.size
    graph.become(cut.op, op.kind, op.inputs[0], **{**op.attrs, "outputs": {}})
    cut.op.path, cut.op.type, cut.op.weights, cut.op.colour = op.path, op.type, weights, tuple(colour)
