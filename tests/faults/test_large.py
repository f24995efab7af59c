"""Deep and large graphs: nothing recurses."""

from __future__ import annotations

import pytest

from autoport.canonical import canonicalize
from autoport.comparison.differences import find_differences
from autoport.comparison.doubts import find_doubts
from autoport.graph import Graph, Tensor, Value
from autoport.graph.build import Builder
from autoport.matching import match_skeletons
from autoport.matching.skeleton import skeleton


def dense(build: Builder, x: Value) -> Value:
    kernel = build.tensor(Tensor(f"kernel {len(build.graph)}", (4, 4), "float32"))
    return build.dense(x, build.piece(kernel, "i o"), None, (2, 4))


def start() -> tuple[Builder, Value]:
    build = Builder()
    return build, build.emit("input", [], (2, 4), axes=["n", "c"], position=0)


def without_weights(count: int) -> Graph:
    """Many operations on one edge."""
    build, x = start()
    x = dense(build, x)
    for number in range(count):
        x = build.emit("tanh" if number % 2 else "roll", [x], (2, 4), **({} if number % 2 else {"shifts": (1,)}))
    build.graph.outputs = [dense(build, x)]
    return build.graph


def nested(count: int, kind: str) -> Graph:
    """Merges in merges."""
    build, x = start()
    first, second = dense(build, x), dense(build, x)
    for number in range(count):
        if kind == "concat":
            first = build.emit(kind, [first, second], (2, 4 * (number + 2)), axis=1)
        else:
            first = build.emit(kind, [first, second], (2, 4))
    build.graph.outputs = [first]
    return build.graph


def layers(count: int) -> Graph:
    """Many layers with weights."""
    build, x = start()
    for _ in range(count // 2):
        x = build.emit("tanh", [dense(build, x)], (2, 4))
    build.graph.outputs = [x]
    return build.graph


GRAPHS = {
    "a chain of 20,000 operations without weights": lambda: without_weights(20_000),
    "10,000 nested sums": lambda: nested(10_000, "add"),
    "2,000 nested concatenations": lambda: nested(2_000, "concat"),
    "2,000 nested differences": lambda: nested(2_000, "sub"),
    "20,000 layers": lambda: layers(20_000),
}


@pytest.mark.parametrize("case", [*GRAPHS, pytest.param("100,000 operations", marks=pytest.mark.zoo)])
def test_deep_and_large_graphs_are_matched_whole(case: str) -> None:
    make = GRAPHS.get(case, lambda: layers(100_000))
    matching = match_skeletons(*(skeleton(canonicalize(make())) for _ in range(2)))
    assert not matching.free_left
    assert not find_differences(matching)
    assert not find_doubts(matching)
