"""Normalisations spelled out in arithmetic become one operation, and take up their weights.

rms_norm(x)   = x / sqrt(mean(x^2) + epsilon)
layer_norm(x) = rms_norm(x - mean(x))
group_norm(x) = layer_norm(x) over all of space, with a scale and an offset for each channel
"""

from __future__ import annotations

from math import prod

from autoport.canonical.queries.views import stored_vector
from autoport.graph import Graph, Op, Value

ROLES = {"mul": "scale", "add": "offset"}
KINDS = {"layer_norm", "rms_norm", "group_norm"}


def fold_norms(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.name not in graph:
            continue
        normalised = _norm(graph, op)
        if normalised is not None:
            _become_norm(graph, op, *normalised)
        elif op.kind in ROLES and len(op.inputs) == 2:
            _take_up(graph, op)
        elif op.kind == "reshape":
            _unfold(graph, op)


def _norm(graph: Graph, op: Op) -> tuple[Value, tuple[int, ...], float] | None:
    """The normalised value, the dimensions, and the epsilon."""
    if op.kind not in ("mul", "div") or len(op.inputs) != 2:
        return None
    root = {"mul": "rsqrt", "div": "sqrt"}[op.kind]
    for x, factor in (op.inputs, op.inputs[::-1]) if op.kind == "mul" else (op.inputs,):
        inverse = graph.op(factor.op)
        shifted = graph.op(inverse.inputs[0].op) if inverse.kind == root else None
        if shifted is None or shifted.kind != "add" or "constant" not in shifted.attrs:
            continue
        mean = graph.op(shifted.inputs[0].op)
        if mean.kind == "reduce_mean" and _is_square(graph, mean.inputs[0], x):
            return x, mean.attrs["dims"], shifted.attrs["constant"]
    return None


def _is_square(graph: Graph, value: Value, x: Value) -> bool:
    op = graph.op(value.op)
    if op.kind == "squared_difference":
        difference = graph.op(x.op)
        return difference.kind == "sub" and set(difference.inputs) == set(op.inputs)
    return op.kind == "square" and op.inputs == (x,)


def _become_norm(graph: Graph, op: Op, x: Value, dims: tuple[int, ...], epsilon: float) -> None:
    centred, kind = graph.op(x.op), "rms_norm"
    if centred.kind == "sub" and len(centred.inputs) == 2:
        mean = graph.op(centred.inputs[1].op)
        if mean.kind == "reduce_mean" and mean.inputs == centred.inputs[:1] and mean.attrs["dims"] == dims:
            kind, x = "layer_norm", centred.inputs[0]
    become_norm(graph, op, kind, x, dims, epsilon)


def become_norm(graph: Graph, op: Op, kind: str, x: Value, dims: tuple[int, ...], epsilon: float) -> None:
    """Turns the last operation of a pattern into a normalisation of `x` along some dimensions, without weights."""
    shape = graph.shape(x)
    binds = {name: (0, dim) for name, dim in _axes(dims).items()}
    graph.become(op, kind, x, epsilon=epsilon, binds=binds)
    op.colour = (kind, prod(shape[dim] for dim in dims))


def _unfold(graph: Graph, op: Op) -> None:
    """Rows that are reshaped, normalised and reshaped back are normalised in their own shape."""
    norm = graph.op(op.inputs[0].op)
    if norm.kind != "layer_norm" or norm.weights or list(norm.attrs["binds"]) != ["c"]:
        return
    folded, shape = graph.op(norm.inputs[0].op), op.shapes[0]
    back = folded.kind == "reshape" and graph.shape(folded.inputs[0]) == shape and graph.out_degree(norm.name) == 1
    dim = norm.attrs["binds"]["c"][1]
    if back and norm.shapes[0][dim] == shape[-1] and prod(norm.shapes[0][dim + 1 :]) == 1:
        binds = {"c": (0, len(shape) - 1)}
        graph.become(op, "layer_norm", folded.inputs[0], epsilon=norm.attrs["epsilon"], binds=binds)
        op.colour = norm.colour


def _axes(dims: tuple[int, ...]) -> dict[str, int]:
    return {"c" if len(dims) == 1 else f"c{k}": dim for k, dim in enumerate(dims)}


def _take_up(graph: Graph, op: Op) -> None:
    """A stored vector that multiplies a norm is its scale, one that is added to it is its offset."""
    role = ROLES[op.kind]
    for product, vector in (op.inputs, op.inputs[::-1]):
        norm = graph.op(product.op)
        free = norm.kind in KINDS and not norm.weights.keys() & {role, "offset"} and graph.out_degree(norm.name) == 1
        if not free or op.shapes[0] != norm.shapes[0] or any(value.op == norm.name for value in graph.outputs):
            continue
        for axes in _places(norm):
            weight = stored_vector(graph, vector, norm.shapes[0], axes)
            if weight is not None:
                _take_along(norm, axes)
                norm.weights[role] = weight
                graph.fold(op.name, product)
                graph.drop_unused(vector.op)
                return


def _places(norm: Op) -> list[dict[str, int]]:
    """Axes along which the weights of a norm may lie: those that it normalises, or the channels that are left."""
    axes = {name: dim for name, (_, dim) in norm.attrs["binds"].items()}
    left = [dim for dim in range(1, len(norm.shapes[0])) if dim not in axes.values()]
    by_channel = norm.kind == "layer_norm" and len(left) == 1 and not norm.weights
    return [axes, {"c": left[0]}] if by_channel else [axes]


def _take_along(norm: Op, axes: dict[str, int]) -> None:
    """Turns a norm over space into a group norm with one channel a group, if its weights lie along the channels."""
    binds = {name: (0, dim) for name, dim in axes.items()}
    if binds != norm.attrs["binds"]:
        size = norm.shapes[0][axes["c"]]
        norm.kind, norm.colour = "group_norm", ("group_norm", size)
        norm.attrs = {"epsilon": norm.attrs["epsilon"], "binds": binds, "groups": size}
