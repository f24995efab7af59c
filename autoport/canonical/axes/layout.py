"""Follows named axes through a graph and writes them into the weights that lie along them.

A dense layer behind a flattened map reads the axis `(h w c)` in one framework and `(c h w)` in the
other. Once its kernel says so, einops permutes its rows: `(h w c) o -> o (c h w)`. The same holds for a
dense layer whose outputs are reshaped to a map, and for a norm in between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from autoport.canonical.axes.roles import note_roles
from autoport.canonical.axes.unify import align, unify
from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax
from autoport.graph.axes import Axes, Axis
from autoport.graph.vocabulary import Motion
from autoport.weights.piece import Piece, Weight
from autoport.weights.role import Role

Rule = Callable[[Graph, Op, Sequence[Axes]], Axes]
# A weight axis of an operation, and the data axis that it lies along.
Binding = tuple[Op, str, Axis]

# Axes of a layer that sums over several dimensions, or makes several.
NUMBERED = re.compile(r"[io]\d+")


def name_axes(graph: Graph) -> list[Binding]:
    """Names the axes of every value, and finds the weight axes that lie along them."""
    axes = graph.axes
    bindings: list[Binding] = []
    for op in graph.ops():
        inputs = [axes.get(value) or ax.unknown_axes(graph.shape(value)) for value in op.inputs]
        _name_inputs(op, inputs)
        named = _rule(op)(graph, op, inputs)
        for index, shape in enumerate(op.shapes):
            axes[Value(op.name, index)] = _fit(op, named, shape)
        bindings += _bindings(op, inputs, axes.get(Value(op.name), ()))
    for op in graph.ops():
        note_roles(graph, op)
    return bindings


def bindings_of(graph: Graph, ops: Sequence[Op]) -> list[Binding]:
    """The weight axes of operations that a rule made since, and the data axes that they lie along."""
    axes = graph.axes
    return [b for op in ops for b in _bindings(op, [axes[v] for v in op.inputs], axes[Value(op.name)])]


def expand_weights(bindings: Sequence[Binding]) -> None:
    """Writes the names of data axes into the weights."""
    for op, name, data in bindings:
        _expand(op, name, data)


def _rule(op: Op) -> Rule:
    """The rule that names the axes of a result: that of its kind, or else of how the kind moves positions."""
    if op.kind in RULES:
        return RULES[op.kind]
    return _elementwise if op.kind.is_arithmetic else _reduce if op.kind.reduces else BY_MOTION[op.kind.moves.motion]


def _name_inputs(op: Op, inputs: Sequence[Axes]) -> None:
    """Names axes of inputs: a convolution or pooling knows all of its own, a dense layer that of the features.

    Operands of arithmetic share their names.
    """
    layout = op.attrs.get("layout")
    if layout and inputs and len(inputs[0]) == len(layout):
        for axis, name in zip(inputs[0], layout, strict=True):
            ax.name_plain(axis, name)
    elif op.kind == "dense" and "i" in op.attrs["binds"]:
        index, dim = op.attrs["binds"]["i"]
        ax.name_plain(inputs[index][dim], "c")
    if op.kind.is_arithmetic and len(inputs) > 1:
        for axes in align(inputs):
            names = {name for name in map(ax.plain_name, axes) if name not in (None, ax.UNKNOWN)}
            if len(names) == 1:
                for axis in axes:
                    ax.name_plain(axis, next(iter(names)) or "")


def _bindings(op: Op, inputs: Sequence[Axes], output: Axes) -> Iterator[Binding]:
    for name, (index, dim) in op.attrs.get("binds", {}).items():
        if dim < len(inputs[index]):
            yield op, name, inputs[index][dim]
    if op.attrs.get("groups", 1) == 1:
        for name, dim in op.attrs.get("outputs", {}).items():
            if dim < len(output):
                yield op, name, output[dim]


def _fit(op: Op, named: Axes, shape: Sequence[int]) -> Axes:
    """The axes resized to a shape; the last state of a recurrent layer lacks the time."""
    axes = list(named)
    if "sequence" in op.attrs and len(axes) == len(shape) + 1:
        del axes[op.attrs["sequence"]["time"]]
    if len(axes) != len(shape):
        return ax.unknown_axes(shape)
    return tuple(ax.resize(a, size) for a, size in zip(axes, shape, strict=True))


def _input(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    return tuple(ax.axis(name, size) for name, size in zip(op.attrs["axes"], op.shapes[0], strict=True))


def _conv(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    return tuple(ax.axis(name, size) for name, size in zip(op.attrs["layout"], op.shapes[0], strict=True))


def _dense(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    # A 1x1 convolution keeps the names of the space it was given, too.
    read, out = op.attrs["equation"]
    if len(inputs[0]) != len(read) or len(op.shapes[0]) != len(out):
        return ax.unknown_axes(op.shapes[0])
    fresh = iter(ax.unfold("c", [size for letter, size in zip(out, op.shapes[0], strict=True) if letter not in read]))
    return tuple(inputs[0][read.index(letter)] if letter in read else next(fresh) for letter in out)


def _last_is_channel(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    shape = op.shapes[0]
    return (*inputs[0][: len(shape) - 1], ax.axis("c", shape[-1]))


def _reshape(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    return ax.reshape(inputs[0], op.shapes[0])


def _transpose(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    return tuple(inputs[0][dim] for dim in op.attrs["order"])


def _reduce(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    dims = op.attrs["dims"]
    if len(op.shapes[0]) == len(inputs[0]):
        return tuple(ax.axis(None, 1) if d in dims else a for d, a in enumerate(inputs[0]))
    return tuple(a for d, a in enumerate(inputs[0]) if d not in dims)


def _slice(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    ranges = op.attrs["ranges"] or {}
    if any(step != 1 for *_, step in ranges.values()):
        return inputs[0]
    return tuple(ax.slice_axis(a, *ranges[d][:2]) if d in ranges else a for d, a in enumerate(inputs[0]))


def _concat(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    dim = op.attrs["axis"]
    if any(len(a) <= dim for a in inputs):
        return ax.unknown_axes(op.shapes[0])
    named = [_common_axis(axes, axes[0]) for axes in zip(*inputs, strict=False)]
    named[dim] = ax.concatenate([a[dim] for a in inputs])
    return tuple(named)


def _common_axis(axes: Sequence[Axis], default: Axis) -> Axis:
    """The axis that operands share: of several names the alphabetically first, so that the order does not matter."""
    names = [ax.known_name(axis, ordered=True) for axis in axes]
    if None in names or len(set(names)) < 2:
        return default
    return min(zip(names, range(len(axes)), axes, strict=True))[2]


def _matmul(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    terms = op.attrs["equation"]
    if any(len(axes) != len(term) for axes, term in zip(inputs, terms, strict=False)):
        return ax.unknown_axes(op.shapes[0])
    named = dict(zip(terms[0], inputs[0], strict=True))
    for letter, axis in zip(terms[1], inputs[1], strict=True):
        if letter not in named:
            # Queries and keys are both tokens; the axis that the second operand brings is another one.
            name = ax.known_name(axis)
            named[letter] = ax.axis(name and f"{name}_2", ax.axis_size(axis))
        elif ax.axis_size(named[letter]) == 1:
            named[letter] = axis
    return tuple(named[letter] for letter in terms[-1])


def _attention(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    """Tokens are those of the queries, features those of the values; further axes count heads."""
    *terms, out = op.attrs["equation"]
    if any(len(axes) != len(term) for axes, term in zip(inputs, terms, strict=False)):
        return ax.unknown_axes(op.shapes[0])
    query, key, value = (dict(zip(term, axes, strict=True)) for term, axes in zip(terms, inputs, strict=False))
    *own, other = op.attrs["tokens"]
    own = [letter for letter in own if not ax.of_channels(query[letter])][:1] or own[:1]
    op.attrs["tokens"] = own[0] + other
    for letter in query.keys() & key.keys() & set(out):
        _share_heads(query[letter], key[letter])
    for letters in (query, key, value):
        for letter, axis in letters.items():
            if letter not in op.attrs["tokens"]:
                summed = letter in query and letter in key and letter not in out
                brought = letter in value and letter in out and letter not in query
                shared = letter in query and letter not in key
                ax.name_parts(axis, "d" if summed or brought else "sharing" if shared else "heads")
    named = value | query
    return tuple(named[letter] for letter in out)


def _share_heads(queries: Axis, keys: Axis) -> None:
    """Counts heads by two axes where heads of keys are copied, because several heads of queries share each."""
    atoms = [atom for segment in keys for atom in ax.leaves(segment)]
    if any(atom.copies for atom in atoms):
        for atom, part in zip(atoms, ax.reshape([queries], [atom.size for atom in atoms]), strict=True):
            ax.name_parts(part, "sharing" if atom.copies else "heads")


def _gather(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    """Positions along one axis: a plain axis keeps its name, a composite one loses its order."""
    shape, dim = op.shapes[0], op.attrs.get("axis")
    if dim is None or len(inputs[0]) != len(shape):
        return ax.unknown_axes(shape)
    axes = list(inputs[0])
    axes[dim] = axes[dim] if ax.is_plain(axes[dim]) else ax.axis(ax.UNKNOWN, shape[dim])
    return tuple(axes)


def _move(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    """Positions moved along some axes: plain axes keep their names, composite ones lose their order.

    A flip reverses each part of a composite axis, so it keeps the order. A sort makes an order of its own.
    """
    named, moves = list(_default(graph, op, inputs)), op.kind.moves
    dims = moves.along(op.attrs)
    for dim in range(len(named)) if dims is None else dims:
        mirrored = moves.mirrors and len(named[dim]) == 1
        if not mirrored and not ax.is_plain(named[dim]):
            size = ax.axis_size(named[dim])
            named[dim] = ax.axis(None, size) if moves.any_order else ax.lost_axes([size])[0]
    return tuple(named)


def _lookup(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    return (*inputs[1], *inputs[0][1:])


def _copy(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    """Copies: axes keep their places counted from the last; further ones in front are new."""
    shape = op.shapes[0]
    kept = inputs[0][-len(shape) :] if shape else ()
    new = tuple(ax.axis(ax.UNKNOWN, size) for size in shape[: len(shape) - len(kept)])
    return (*new, *map(ax.copy_axis, kept, shape[len(shape) - len(kept) :]))


def _elementwise(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    """Axes that meet have one order."""
    met = list(align(inputs))[::-1]
    agreed = [unify(axes) for axes in met]
    named = _default(graph, op, inputs)
    if len(named) != len(agreed):
        return named
    return tuple(
        _common_axis([a for a in axes if ax.axis_size(a) > 1], axis) if fine else ax.lost_axes([ax.axis_size(axis)])[0]
        for axis, axes, fine in zip(named, met, agreed, strict=True)
    )


def _default(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    """The axes of the input of the same rank that fits the shape best; of equal ones an input with names."""
    shape = op.shapes[0] if op.shapes else ()
    fitting = [a for a in inputs if len(a) == len(shape)]
    fitting.sort(key=lambda a: (sum(ax.axis_size(s) != n for s, n in zip(a, shape, strict=True)), _nameless(a)))
    return fitting[0] if fitting else ax.unknown_axes(shape)


def _forget(graph: Graph, op: Op, inputs: Sequence[Axes]) -> Axes:
    return ax.unknown_axes(op.shapes[0])


def _nameless(axes: Axes) -> bool:
    return not any(ax.axis_size(axis) > 1 and ax.is_known(axis) for axis in axes)


RULES: dict[str, Rule] = {
    "input": _input,
    "conv": _conv,
    "dense": _dense,
    "einsum": _forget,
    "embedding": lambda graph, op, inputs: (*inputs[0], ax.axis("c", op.shapes[0][-1])),
    "lstm": _last_is_channel,
    "gru": _last_is_channel,
    "simple_rnn": _last_is_channel,
    "expand": _copy,
    "gather": _gather,
    "lookup": _lookup,
    "reshape": _reshape,
    "slice": _slice,
    "transpose": _transpose,
    "concat": _concat,
    "matmul": _matmul,
    "attention": _attention,
    "mixture": lambda graph, op, inputs: inputs[1],
    "parameter": lambda graph, op, inputs: tuple(ax.axis(None, size) for size in op.shapes[0]),
    "global_avg_pool": _reduce,
    "global_max_pool": _reduce,
}
BY_MOTION: dict[Motion, Rule] = {
    Motion.KEEPS: _default,
    Motion.FOLLOWED: _forget,
    Motion.ALONG: _move,
    Motion.FEATURES: _move,
    Motion.UNKNOWN: _move,
}


def _expand(op: Op, name: str, data: Axis) -> None:
    """Expands the weight axes that lie along a composite axis, or marks them if its order is unknown.

    A plain axis keeps its name, also one of plain segments, unless it is one of several inputs or outputs of a layer.
    """
    if ax.is_lost(data):
        op.attrs.setdefault("lost", []).append(name)
        return
    plain = ax.is_plain(data) or (all(ax.is_plain((segment,)) for segment in data) and ax.is_known(data))
    if plain and not NUMBERED.fullmatch(name):
        return
    if not ax.is_known(data) and NUMBERED.fullmatch(name):
        data = ((ax.Atom(ax.axis_size(data), f"c{int(name[1:]) + 1}"),),)
    if not ax.is_known(data):
        op.attrs.setdefault("unordered", []).append(name)
        return
    expanded = [_expand_weight(role, weight, name, data) for role, weight in op.weights.items()]
    op.weights = {role: weight for weights in expanded for role, weight in weights.items()}


def _expand_weight(role: str, weight: Weight, name: str, data: Axis) -> dict[str, Weight]:
    """One weight for each segment; a weight that does not lie along the axis stays as it is."""
    if not weight.pieces or any(name not in piece.axes for piece in weight.pieces):
        return {role: weight}
    result, start = {}, 0
    for number, segment in enumerate(data):
        stop = start + ax.segment_size(segment)
        pieces = tuple(
            _part(piece, name, start, stop, len(data)).expand(name, ax.named_sizes(segment)) for piece in weight.pieces
        )
        result[role if len(data) == 1 else Role.of(role).part(number)] = replace(weight, pieces=pieces)
        start = stop
    return result


def _part(piece: Piece, name: str, start: int, stop: int, count: int) -> Piece:
    return piece if count == 1 else piece.take(name, start, stop)
