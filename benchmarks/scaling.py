"""Seconds of matching against the size of the graph: `python -m benchmarks.scaling [-o FILE]`.

Graphs of three shapes are made without a framework, and matched with themselves, with a copy of
which one operation in the middle is missing, and by networkx's `vf2pp_isomorphism` on the same
skeletons, each in a fresh process and until a time limit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import networkx as nx

from autoport.graph import Graph, Op, Value
from autoport.matching import match_skeletons
from autoport.matching.skeleton import Skeleton, skeleton
from benchmarks.apart import Page, apart, arguments_parser, head, row

SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000)
WIDTH = 64


class Builder:
    """Appends operations without weights in them: only kinds, sizes and edges are matched."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.weighted = 0

    def add(self, kind: str, *inputs: Value, sizes: tuple[Any, ...] = (), weighted: bool = True, **attrs: Any) -> Value:
        self.weighted += weighted
        name = f"{kind} {len(self.graph)}"
        return self.graph.add_op(Op(name, kind, name, inputs, ((1, WIDTH),), attrs=attrs, colour=(kind, *sizes)))

    def start(self) -> Value:
        return self.add("input", weighted=False)

    def finish(self, value: Value) -> Graph:
        self.graph.outputs = [value]
        return self.graph


def chain(size: int) -> Graph:
    """Convolutions and norms, one behind the other, all of one size."""
    build = Builder()
    x = build.start()
    while build.weighted < size:
        x = build.add("batch_norm", build.add("conv", x, sizes=(1, WIDTH, WIDTH, (3, 3), False)), sizes=(WIDTH,))
        x = build.add("relu", x, weighted=False)
    return build.finish(x)


def transformer(size: int) -> Graph:
    """Encoder layers."""
    build = Builder()
    x = build.start()
    while build.weighted < size:
        heads = [build.add("dense", x, sizes=(WIDTH, WIDTH)) for _ in range(3)]
        attended = build.add("dense", build.add("attention", *heads, weighted=False), sizes=(WIDTH, WIDTH))
        x = build.add("layer_norm", build.add("add", x, attended, weighted=False), sizes=(WIDTH,))
        inner = build.add("gelu", build.add("dense", x, sizes=(WIDTH, 4 * WIDTH)), weighted=False)
        x = build.add("add", x, build.add("dense", inner, sizes=(4 * WIDTH, WIDTH)), weighted=False)
        x = build.add("layer_norm", x, sizes=(WIDTH,))
    return build.finish(x)


def inception(size: int) -> Graph:
    """Modules of four branches, of which two are equal and added."""
    build = Builder()
    x = build.start()
    while build.weighted < size:
        ends = []
        for depth in (1, 2, 2, 3):
            y = build.add("dense", x, sizes=(4 * WIDTH, WIDTH))
            for _ in range(depth - 1):
                y = build.add("conv", y, sizes=(1, WIDTH, WIDTH, (3, 3), False))
            ends.append(build.add("batch_norm", y, sizes=(WIDTH,)))
        middle = build.add("add", *ends[1:3], weighted=False)
        x = build.add("concat", ends[0], middle, ends[3], weighted=False, axis=1)
    return build.finish(x)


SHAPES: dict[str, Callable[[int], Graph]] = {"chain": chain, "transformer": transformer, "inception": inception}


def without_one(graph: Graph) -> Graph:
    """Removes the operation in the middle that reads and feeds one other."""
    links = [op for op in graph.ops() if op.kind in ("conv", "dense", "batch_norm") and len(op.inputs) == 1]
    graph.bypass(links[len(links) // 2].name, links[len(links) // 2].inputs[0])
    return graph


def labelled(found: Skeleton) -> nx.DiGraph:
    """A skeleton as networkx takes it, with the colours as labels."""
    result = nx.DiGraph()
    result.add_nodes_from((node, {"colour": found.colour[node]}) for node in found.nodes)
    result.add_edges_from(found.edges)
    return result


def by_autoport(left: Graph, right: Graph) -> int:
    return len(match_skeletons(skeleton(left), skeleton(right)).pairs)


def by_vf2pp(left: Graph, right: Graph) -> int:
    found = nx.vf2pp_isomorphism(labelled(skeleton(left)), labelled(skeleton(right)), node_label="colour")
    return len(found or ())


METHODS: dict[str, Callable[[str, int], int]] = {
    "equal": lambda shape, size: by_autoport(SHAPES[shape](size), SHAPES[shape](size)),
    "one missing": lambda shape, size: by_autoport(SHAPES[shape](size), without_one(SHAPES[shape](size))),
    "vf2pp": lambda shape, size: by_vf2pp(SHAPES[shape](size), SHAPES[shape](size)),
}


def measure(shape: str, size: int, method: str) -> dict[str, float]:
    """One cell, in this process: seconds of processor time, and the pairs that were found."""
    start = time.process_time()
    pairs = METHODS[method](shape, size)
    return {"pairs": pairs, "seconds": time.process_time() - start}


def cell(shape: str, size: int, method: str, limit: float) -> str:
    """One cell of the table, measured in a fresh process."""
    try:
        found = apart("benchmarks.scaling", "--measure", shape, str(size), method, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"over {limit:g} s"
    except RuntimeError:
        return "failed"
    return f"{found['seconds']:.2f} s"


def main() -> None:
    parser = arguments_parser(__doc__)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each cell")
    parser.add_argument("--measure", nargs=3, metavar=("SHAPE", "SIZE", "METHOD"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure[0], int(given.measure[1]), given.measure[2])))
        return
    page = Page(given.output)
    page.add(*head(["graph", "weighted nodes", *METHODS]))
    for shape in SHAPES:
        for size in SIZES:
            page.add(row([shape, size, *(cell(shape, size, method, given.limit) for method in METHODS)]))


if __name__ == "__main__":
    main()
