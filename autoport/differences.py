"""What disagrees between matched operations: hyper-parameters, and what lies on the edges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autoport.canonical.evidence import Expression
from autoport.canonical.skeleton import Skeleton
from autoport.graph import Op
from autoport.matching import Matching

# Hyper-parameters that are compared, with what they are where an operation does not have them.
COMPARED: Mapping[str, Any] = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": None,
    "kernel_size": None,
    "epsilon": None,
    "activation": None,
    "recurrent_activation": None,
    "reset_after": None,
    "num_heads": None,
    "count_include_pad": None,
    "pad_value": None,
    "approximate": None,
    "negative_slope": None,
    "alpha": None,
    "low": None,
    "high": None,
    "mode": None,
    "align_corners": None,
    "momentum": None,
    "constant": None,
    "over": None,
    "taken": None,
    "mask_zero": False,
    "masked": False,
}
# Differences that show in training only.
TRAINING_ONLY = {"momentum"}


@dataclass(frozen=True)
class Difference:
    """One disagreement.

    Attributes:
        name: the hyper-parameter, `operation` where the operations themselves differ, or
            `preprocessing`.
        tf: the place in the Keras model.
        torch: the place in the PyTorch model.
        tf_value: what it is there.
        torch_value: what it is here.
        training_only: True if inference does not depend on it.
    """

    name: str
    tf: str
    torch: str
    tf_value: str
    torch_value: str
    training_only: bool = False

    def __str__(self) -> str:
        note = " (training only)" if self.training_only else ""
        return f"{self.name}{note}: {self.tf_value} at {self.tf}, {self.torch_value} at {self.torch}"


def find_differences(matching: Matching) -> list[Difference]:
    """Every disagreement, in the order of the Keras model."""
    left, right, partner = matching.left, matching.right, matching.partner
    found = list(_outputs(left, right))
    for node in left.nodes:
        if node not in partner:
            continue
        a, b = left.op(node), right.op(partner[node])
        for source, _ in dict(left.preds.get(node, ())).items():
            edge = (partner.get(source, ""), partner[node])
            if edge in right.edges:
                found += _edges(left, right, (source, node), edge)
        if a is not None and b is not None:
            found += _attributes(a, b)
            found += _wiring(matching, a, b)
    return list(dict.fromkeys(found))


def _outputs(left: Skeleton, right: Skeleton) -> Iterator[Difference]:
    counts = [len(graph.graph.outputs) for graph in (left, right)]
    if counts[0] != counts[1]:
        yield Difference("outputs", "the Keras model", "the PyTorch model", str(counts[0]), str(counts[1]))


def _attributes(a: Op, b: Op) -> Iterator[Difference]:
    for name, default in COMPARED.items():
        if name not in a.attrs and name not in b.attrs:
            continue
        values = [_value(op, name, default) for op in (a, b)]
        if None not in values and not _equal(*values):
            own = f" ({1 - values[0]:g} in Keras)" if name == "momentum" else ""
            tf_value, torch_value = _text(values[0]) + own, _text(values[1])
            yield Difference(name, str(a), str(b), tf_value, torch_value, name in TRAINING_ONLY)


def _wiring(matching: Matching, a: Op, b: Op) -> Iterator[Difference]:
    """Matched operations that read from matched ones, which are not each other's partners."""
    read = [source for source, _ in matching.left.preds.get(a.name, ())]
    actual = sorted(source for source, _ in matching.right.preds.get(b.name, ()))
    if not (matching.partner.keys() >= set(read) and matching.taken >= set(actual)):
        return
    if sorted(matching.partner[source] for source in read) != actual:
        yield Difference("operation", str(a), str(b), _sources(matching.left, read), _sources(matching.right, actual))


def _sources(graph: Skeleton, nodes: list[str]) -> str:
    return "reads " + (", ".join(str(graph.op(node) or node) for node in nodes) or "nothing")


def _value(op: Op, name: str, default: Any) -> Any:
    return op.attrs.get(name, default)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (tuple, list)) or isinstance(b, (tuple, list)):
        return _flat(a, b) == _flat(b, a)
    if isinstance(a, float) and isinstance(b, float):
        return a == b or math.isclose(a, b, rel_tol=1e-7)
    return bool(a == b)


def _flat(a: Any, other: Any) -> list[Any]:
    """A sequence as a flat list; a default number is repeated to the other's length."""
    if not isinstance(a, (tuple, list)):
        return [a] * len(_flat(other, ()))
    return [x for part in a for x in (_flat(part, ()) if isinstance(part, (tuple, list)) else [part])]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _edges(
    left: Skeleton, right: Skeleton, edge_left: tuple[str, str], edge_right: tuple[str, str]
) -> Iterator[Difference]:
    """Compares what was contracted onto two matched edges."""
    places = _place(left, edge_left), _place(right, edge_right)
    sides = [
        sorted(graph.edges[edge], key=lambda e: (e.position, e.expression.structure))
        for graph, edge in ((left, edge_left), (right, edge_right))
    ]
    for a, b in zip(*sides, strict=False):
        for op in a.preprocessing:
            detail = f"{op.type}: {op.attrs.get('detail', '')}"
            yield Difference("preprocessing", str(op), places[1], detail, "none")
        if a.expression == b.expression:
            for first, second in zip(a.expression.ops(), b.expression.ops(), strict=True):
                yield from _attributes(first, second)
        else:
            yield Difference("operation", *places, _listed(a.expression), _listed(b.expression))


def _listed(expression: Expression) -> str:
    """Operations in order, or the nested form where the order is the same."""
    return ", ".join(op.kind for op in expression.ops()) or {"input": "nothing"}.get(expression.label, expression.label)


def _place(graph: Skeleton, edge: tuple[str, str]) -> str:
    names = [graph.op(node) or node for node in edge]
    return f"{names[0]} -> {names[1]}"
