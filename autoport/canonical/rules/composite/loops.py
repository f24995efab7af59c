"""Experts that each compute the tokens that chose them make one mixture (Shazeer et al., arXiv:1701.06538).

    for e:  rows = where(chosen[e]);  y.index_add(0, rows, f_e(x[rows]) * weights[rows])

An expert treats every token alike, so it may as well compute all of them: y is the mixture of f_0(x), f_1(x), ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoport.canonical.queries.routing import become_mixture, chosen_by
from autoport.canonical.queries.views import stored_view
from autoport.graph import Graph, Op, Value


@dataclass(frozen=True)
class _Turn:
    """One expert's turn.

    Attributes:
        number: of the expert.
        choice: the operation that chose the experts.
        result: the result of the expert on its tokens.
        branch: its operations.
        tokens: the operations that read its tokens.
    """

    number: int
    choice: Op
    result: Value
    branch: tuple[Op, ...]
    tokens: tuple[Op, ...]


def fold_loops(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        goes_on = any(graph.op(reader).kind == "index_add" for reader in graph.successors(op.name))
        if op.kind == "index_add" and not goes_on:
            _fold(graph, op)


def _fold(graph: Graph, last: Op) -> None:
    adds = list(_chain(graph, last))
    start = adds[-1].inputs[0]
    turns = {turn.number: turn for turn in (_turn(graph, op) for op in adds) if turn is not None}
    choices = {turn.choice.name for turn in turns.values()}
    if graph.op(start.op).attrs.get("fill") != 0 or len(turns) < len(adds) or len(choices) > 1:
        return
    for turn in turns.values():
        _compute_all(graph, turn, last.shapes[0][0])
    experts = tuple(turns[number].result if number in turns else start for number in range(max(turns) + 1))
    become_mixture(graph, last, graph.op(choices.pop()), experts)


def _chain(graph: Graph, op: Op) -> Iterator[Op]:
    """Additions into one tensor, the last one first."""
    while op.kind == "index_add":
        yield op
        op = graph.op(op.inputs[0].op)


def _turn(graph: Graph, add: Op) -> _Turn | None:
    """The turn of the expert whose result an addition adds; None if it adds anything else."""
    _, rows, update = add.inputs
    where, product = graph.op(rows.op), graph.op(update.op)
    chosen = _chosen_expert(graph, where.inputs[0]) if where.kind == "nonzero" and len(where.inputs) == 1 else None
    if chosen is None or product.kind != "mul" or add.attrs["axis"] != 0 or rows.output != 1:
        return None
    for result in product.inputs:
        branch = _branch(graph, result, rows)
        if branch is not None:
            return _Turn(*chosen, result, *branch)
    return None


def _chosen_expert(graph: Graph, mask: Value) -> tuple[int, Op] | None:
    """The expert whose tokens a mask marks, and the choice."""
    op = graph.op(mask.op)
    while op.kind == "reshape":
        op = graph.op(op.inputs[0].op)
    if op.kind != "slice" or op.attrs["ranges"] is None or len(op.attrs["ranges"]) != 1:
        return None
    ((dim, (start, stop, _)),) = op.attrs["ranges"].items()
    choice = chosen_by(graph, op.inputs[0], dim)
    return None if choice is None or stop - start != 1 else (start, choice)


def _branch(graph: Graph, result: Value, rows: Value) -> tuple[tuple[Op, ...], tuple[Op, ...]] | None:
    """Operations from the reads of tokens to the result; None unless all of them treat tokens alike."""
    branch: dict[str, Op] = {}
    tokens: dict[str, Op] = {}
    waiting = [result]
    while waiting:
        value = waiting.pop()
        op = graph.op(value.op)
        if op.name in branch or op.name in tokens or op.kind == "constant" or stored_view(graph, value) is not None:
            continue
        if op.kind in ("gather", "lookup") and op.inputs[1:] == (rows,) and _reads_rows(graph, op):
            tokens[op.name] = op
        elif _treats_alike(graph, op):
            branch[op.name] = op
            waiting += op.inputs
        else:
            return None
    return (
        (tuple(branch.values()), tuple(tokens.values()))
        if tokens and any(op.weights for op in branch.values())
        else None
    )


def _reads_rows(graph: Graph, op: Op) -> bool:
    """Whether an operation reads rows of a matrix, to judge by the sizes."""
    before, after = graph.shape(op.inputs[0]), [size for size in op.shapes[0][:-1] if size != 1]
    return len(before) == 2 and op.shapes[0][-1:] == before[-1:] and len(after) <= 1 and before[0] != before[1]


def _treats_alike(graph: Graph, op: Op) -> bool:
    if op.kind == "dense":
        return bool(op.attrs["binds"].get("i") == (0, len(graph.shape(op.inputs[0])) - 1))
    if op.kind == "slice":
        return bool(op.attrs["ranges"]) and 0 not in op.attrs["ranges"]
    kept = op.kind == "reshape" and op.shapes[0][-1:] == graph.shape(op.inputs[0])[-1:]
    return kept or op.kind.is_pointwise


def _compute_all(graph: Graph, turn: _Turn, count: int) -> None:
    """Lets an expert read all tokens."""
    for op in turn.branch:
        op.shapes = tuple((count, *shape[1:]) for shape in op.shapes)
        graph.origins.pop(Value(op.name), None)
    for op in turn.tokens:
        graph.bypass(op.name, op.inputs[0])
