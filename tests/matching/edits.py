"""Random edits of a graph: the differences that two versions of one network have in practice.

Graphs are canonical and channels last, as the Keras reader makes them. Every edit leaves a network
that could run: where the number of channels changes, it changes in all operations that share them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import networkx as nx

from autoport.graph import Graph, Op, Value

NORMS = ("batch_norm", "layer_norm")
# Operations whose output has the channels of their inputs.
PASSING = {*NORMS, "relu", "silu", "gelu", "hard_swish", "hard_sigmoid", "sigmoid", "preprocessing"}
PASSING |= {"max_pool", "avg_pool", "global_avg_pool", "reshape", "upsample", "resize", "dropout"}
# An edit that would change more operations than this is another network, not another version.
MOST_TOUCHED = 12


class Unfit(Exception):
    """An edit cannot be made at this place."""


@dataclass
class Edited:
    """A graph with what has been done to it.

    Attributes:
        graph: a copy of the original; operations that are left keep their names.
        touched: names of operations that were removed, added, or changed in size.
    """

    graph: Graph
    touched: set[str] = field(default_factory=set)


def copied(graph: Graph, names: Callable[[str], str] = str, order: Callable[[str], Any] = str) -> Graph:
    """A copy with other names, its operations in another topological order."""
    result = Graph()
    for name in nx.lexicographical_topological_sort(graph, order):
        op = graph.op(name)
        inputs = tuple(Value(names(value.op), value.output) for value in op.inputs)
        result.add_op(replace(op, name=names(name), path=names(op.path), inputs=inputs, attrs=dict(op.attrs)))
    result.outputs = [Value(names(value.op), value.output) for value in graph.outputs]
    return result


def shuffled(graph: Graph, rng: Random) -> tuple[Graph, dict[str, str]]:
    """A copy that shares neither names nor order with the original, and the original's name of each operation."""
    numbers = list(range(len(graph)))
    rng.shuffle(numbers)
    names = {name: f"op {number}" for name, number in zip(graph, numbers, strict=True)}
    orders = {name: rng.random() for name in graph}
    result = copied(graph, lambda name: names.get(name, ""), orders.__getitem__)
    for op in result.ops():
        if op.kind.is_commutative:
            permute(result, op, rng)
    return result, {new: old for old, new in names.items()}


def permute(graph: Graph, op: Op, rng: Random) -> None:
    """Puts the operands of an operation in another order."""
    graph.replace_inputs(op, tuple(rng.sample(op.inputs, len(op.inputs))))


def channels(graph: Graph, value: Value) -> int:
    """The size of the last axis."""
    shape = graph.shape(value)
    return shape[-1] if len(shape) > 1 else 1


def _passes(graph: Graph, op: Op) -> bool:
    if op.kind == "conv":
        return op.colour[1] == channels(graph, op.inputs[0]) > 1
    same = bool(op.inputs) and channels(graph, op.inputs[0]) == channels(graph, Value(op.name))
    return op.kind.is_commutative or (op.kind in PASSING and same)


def _sharing(graph: Graph, value: Value) -> set[Value]:
    """All values that must have as many channels as this one."""
    size, found, waiting = channels(graph, value), set(), [value]
    while waiting:
        current = waiting.pop()
        if current in found or channels(graph, current) != size:
            continue
        found.add(current)
        op = graph.op(current.op)
        waiting += op.inputs if _passes(graph, op) else ()
        waiting += [Value(name) for name in graph.successors(op.name) if _passes(graph, graph.op(name))]
    return found


def resize(edited: Edited, value: Value, size: int, *, joined: bool = False) -> None:
    """Gives a value, and all that must have as many channels, another number of channels.

    Args:
        edited: the graph.
        value: where the number changes.
        size: the new number.
        joined: whether the value is a concatenation, of which an operand has changed.
    """
    graph, old = edited.graph, channels(edited.graph, value)
    if old == size:
        return
    shared = _sharing(graph, value)
    makers = {v.op: graph.op(v.op) for v in shared}
    readers = {name: graph.op(name) for maker in makers for name in graph.successors(maker)}
    passing = {op.name for op in (*makers.values(), *readers.values()) if _passes(graph, op)}
    if shared & set(graph.outputs) or any(op.kind == "concat" for op in makers.values()) > joined:
        raise Unfit
    concats = {name: sum(v in shared for v in op.inputs) for name, op in readers.items() if op.kind == "concat"}
    for name in readers.keys() - passing - concats.keys():
        _read_resized(edited, readers[name], old, size)
    for name, op in makers.items():
        _make_resized(edited, op, size, passing=name in passing)
    if len(edited.touched) > MOST_TOUCHED:
        raise Unfit
    for name, count in concats.items():
        resize(edited, Value(name), channels(graph, Value(name)) + count * (size - old), joined=True)


def _recolour(edited: Edited, op: Op, place: int, value: int) -> None:
    op.colour = (*op.colour[:place], value, *op.colour[place + 1 :])
    edited.touched.add(op.name)


def _read_resized(edited: Edited, op: Op, old: int, size: int) -> None:
    """An operation that sums over the channels of its input."""
    if op.kind == "dense" and op.colour[1] % old == 0:
        _recolour(edited, op, 1, op.colour[1] // old * size)
    elif op.kind == "conv" and op.colour[1:3] == (1, old):
        _recolour(edited, op, 2, size)
    else:
        raise Unfit


def _make_resized(edited: Edited, op: Op, size: int, *, passing: bool) -> None:
    """An operation whose output has another number of channels."""
    op.shapes = ((*op.shapes[0][:-1], size),)
    if op.kind == "dense":
        _recolour(edited, op, 2, size)
    elif op.kind == "conv" and not passing:
        _recolour(edited, op, 3, size)
    elif op.kind in NORMS or op.kind == "conv":
        _recolour(edited, op, 1, size)
    elif not passing and op.kind != "concat":
        raise Unfit


def _weighted(graph: Graph) -> list[Op]:
    return [op for op in graph.ops() if op.kind in ("conv", "dense", *NORMS)]


def _pick(ops: list[Op], rng: Random) -> Op:
    if not ops:
        raise Unfit
    return rng.choice(ops)


def remove(edited: Edited, rng: Random) -> None:
    """A layer is missing."""
    graph, op = edited.graph, _pick(_weighted(edited.graph), rng)
    resize(edited, Value(op.name), channels(graph, op.inputs[0]))
    graph.bypass(op.name, op.inputs[0])
    edited.touched.add(op.name)


def drop(edited: Edited, rng: Random) -> None:
    """A whole residual branch is missing."""
    graph = edited.graph
    op = _pick([op for op in graph.ops() if op.kind == "add" and len(op.inputs) > 1], rng)
    stream = [v for v in op.inputs if all(v == o or nx.has_path(graph, v.op, o.op) for o in op.inputs)]
    if not stream:
        raise Unfit
    graph.bypass(op.name, stream[0])
    edited.touched.add(op.name)
    _drop_dead(edited)


def _drop_dead(edited: Edited) -> None:
    graph = edited.graph
    used = {value.op for value in graph.outputs}
    for name in reversed(list(nx.topological_sort(graph))):
        if not graph.out_degree(name) and name not in used and graph.op(name).kind != "input":
            graph.remove_node(name)
            edited.touched.add(name)


def widen(edited: Edited, rng: Random) -> None:
    """A layer has more features, and what reads them takes more."""
    op = _pick([op for op in edited.graph.ops() if op.kind in ("conv", "dense")], rng)
    value = Value(op.name)
    resize(edited, value, math.ceil(channels(edited.graph, value) * rng.choice((1.25, 1.5, 2))))


def insert(edited: Edited, rng: Random) -> None:
    """There is one layer more, of a shape that fits and that the network may have elsewhere."""
    graph = edited.graph
    places = [op for op in graph.ops() if op.kind != "input" and op.shapes and len(op.shapes[0]) > 1]
    source = Value(_pick(places, rng).name)
    size, image = channels(graph, source), len(graph.shape(source)) == 4
    colours = {
        "conv": ("conv", 1, size, size, (3, 3), False),
        "dense": ("dense", size, size),
        "batch_norm": ("batch_norm", size),
        "layer_norm": ("layer_norm", size),
    }
    kind = rng.choice(("conv", "dense", "batch_norm") if image else ("dense", "layer_norm"))
    name = f"inserted {len(edited.touched)} {rng.random()}"
    graph.add_op(Op(name, kind, name, (source,), (graph.shape(source),), colour=colours[kind]))
    for reader in list(graph.successors(source.op)):
        op = graph.op(reader)
        if reader != name:
            graph.replace_inputs(op, tuple(Value(name) if v == source else v for v in op.inputs))
    graph.outputs = [Value(name) if v == source else v for v in graph.outputs]
    edited.touched.add(name)


def rename(edited: Edited, rng: Random) -> None:
    """Two layers have each other's names."""
    first, second = rng.sample(_weighted(edited.graph), 2)
    first.path, second.path = second.path, first.path


def reorder(edited: Edited, rng: Random) -> None:
    """Operands whose order does not count have another order."""
    permute(edited.graph, _pick([op for op in edited.graph.ops() if op.kind.is_commutative], rng), rng)


EDITS: dict[str, Callable[[Edited, Random], None]] = {
    "remove": remove,
    "drop": drop,
    "widen": widen,
    "insert": insert,
    "rename": rename,
    "reorder": reorder,
}


def perturbed(graph: Graph, kinds: list[str], rng: Random) -> Edited:
    """A copy of a graph with one edit of each kind in the list, each at a random place where it fits."""
    edited = Edited(copied(graph))
    for kind in kinds:
        for _ in range(50):
            attempt = Edited(copied(edited.graph))
            try:
                EDITS[kind](attempt, rng)
            except Unfit:
                continue
            edited = Edited(attempt.graph, edited.touched | attempt.touched)
            break
    return edited
