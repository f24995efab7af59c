"""Judges a matching of a graph with an edited copy of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from random import Random

from autoport.graph import Graph
from autoport.matching import Matching, match_skeletons
from autoport.matching.skeleton import skeleton
from tests.matching.edits import perturbed, shuffled

Labels = dict[str, int]


@dataclass(frozen=True)
class Verdict:
    """What became of the operations with weights that no edit touched, and of all pairs.

    Attributes:
        right: how many have their own copy as partner, or one that is as good.
        open: how many have no partner.
        wrong: pairs of any kind of node that do not belong together, as original names.
    """

    right: int
    open: int
    wrong: tuple[tuple[str, str], ...]
    alike: tuple[tuple[str, str], ...]

    @property
    def recall(self) -> float:
        """The share that was found."""
        return self.right / max(1, self.right + self.open + len(self.alike))


def try_edits(graph: Graph, kinds: list[str], seed: int) -> Verdict:
    """Matches a canonical graph with a copy that was edited, renamed and reordered at random."""
    rng = Random(seed)
    edited = perturbed(graph, kinds, rng)
    copy, original = shuffled(edited.graph, rng)
    return judge(graph, match_skeletons(skeleton(graph), skeleton(copy)), original, edited.touched)


def judge(graph: Graph, matching: Matching, original: Mapping[str, str], touched: set[str]) -> Verdict:
    """Compares a matching with the truth.

    Args:
        graph: the original, the left side of the matching.
        matching: what is to be judged.
        original: the name in `graph` of each operation of the right side.
        touched: names of operations that were edited.
    """
    pairs = {pair.left: original.get(pair.right, pair.right) for pair in matching.pairs}
    exchanged = {a: b for a, b in pairs.items() if a != b}
    foreign = {a: b for a, b in exchanged.items() if {a, b} & touched or b not in matching.left.colour}
    inner = {a: b for a, b in pairs.items() if a not in foreign and a in graph}
    wrong = {**foreign, **({} if is_automorphism(graph, inner) else exchanged)} if exchanged else {}
    alike = wrong if wrong and explains_as_much(matching, original, wrong) else {}
    wrong = {a: b for a, b in wrong.items() if a not in alike}
    kept = {op.name for op in graph.ops() if op.colour[0] in WEIGHTED and op.name not in touched}
    right = sum(name in pairs and name not in wrong and name not in alike for name in kept)
    return Verdict(right, sum(name not in pairs for name in kept), tuple(wrong.items()), tuple(alike.items()))


WEIGHTED = {"conv", "dense", "batch_norm", "layer_norm", "embedding", "parameter", "lstm", "gru"}


def is_automorphism(graph: Graph, exchange: Mapping[str, str]) -> bool:
    """Whether some renaming of a graph onto itself extends an exchange of nodes.

    Both copies are refined (Weisfeiler-Leman) from labels in which exchanged nodes are marked as
    the same; the answer is exact on graphs that this refinement can tell apart.
    """
    numbers: dict[Hashable, int] = {}
    plain = {op.name: (op.kind, op.colour, str(sorted(op.attrs.items(), key=str))) for op in graph.ops()}
    plain |= {value.op: (plain[value.op], "output") for value in graph.outputs}
    marks = {a: number for number, a in enumerate(exchange)}
    marked = {exchange[a]: number for a, number in marks.items()}
    labels = [
        {name: numbers.setdefault((plain[name], mark.get(name)), len(numbers)) for name in graph}
        for mark in (marks, marked)
    ]
    while True:
        before = len(set(labels[0].values()))
        labels = [_refined(graph, each, numbers) for each in labels]
        counts = [Counter(each.values()) for each in labels]
        if counts[0] != counts[1]:
            return False
        if len(counts[0]) == before:
            return True


def _refined(graph: Graph, labels: Mapping[str, int], numbers: dict[Hashable, int]) -> Labels:
    result: Labels = {}
    for op in graph.ops():
        free = op.kind.is_commutative
        above = sorted((0 if free else place, labels[value.op]) for place, value in enumerate(op.inputs))
        below = sorted(
            (0 if graph.op(name).kind.is_commutative else place, labels[name])
            for name in graph.successors(op.name)
            for place in graph.edges[op.name, name]["positions"]
        )
        description = labels[op.name], tuple(above), tuple(below)
        result[op.name] = numbers.setdefault(description, len(numbers))
    return result


def explains_as_much(matching: Matching, original: Mapping[str, str], wrong: Mapping[str, str]) -> bool:
    """Whether both graphs have as much in common under the wrong pairs as under the truth.

    A layer may be gone and another one have become just like it. Who does not know the history
    cannot see that: only where the truth explains more can a pair be called wrong.
    """
    left, right = matching.left, matching.right
    colours = {original.get(node, node): right.colour[node] for node in right.nodes}
    edges = {
        (original.get(source, source), original.get(node, node), position)
        for node in right.nodes
        for source, position in right.preds.get(node, ())
    }
    truth = {node: node for node in left.nodes if colours.get(node) == left.colour[node]}
    other = {a: b for a, b in truth.items() if a not in wrong and b not in wrong.values()} | dict(wrong)

    def common(pairs: Mapping[str, str]) -> int:
        kept = sum(
            (pairs.get(source), pairs.get(node), position) in edges
            for node in left.nodes
            for source, position in left.preds.get(node, ())
        )
        return len(pairs) + kept

    return common(other) >= common(truth)
