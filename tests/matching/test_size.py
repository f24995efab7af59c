"""Large, unlike and repetitive graphs: matched in seconds, or told to be ambiguous."""

from __future__ import annotations

from autoport.graph import Graph
from autoport.matching import Matching, match_skeletons
from autoport.matching.skeleton import skeleton
from benchmarks.scaling import WIDTH, Builder, chain, transformer, without_one


def matched(left: Graph, right: Graph) -> Matching:
    return match_skeletons(skeleton(left), skeleton(right))


def branches(count: int) -> Graph:
    """Equal layers on one input, added."""
    build = Builder()
    x = build.start()
    ends = [build.add("dense", x, sizes=(WIDTH, WIDTH)) for _ in range(count)]
    return build.finish(build.add("add", *ends, weighted=False))


def test_a_deep_chain_is_matched_without_recursion() -> None:
    assert not matched(chain(20_000), chain(20_000)).free_left


def test_one_layer_that_is_missing_in_a_deep_chain_is_all_that_is_open() -> None:
    matching = matched(chain(4_000), without_one(chain(4_000)))
    assert (len(matching.free_left), len(matching.free_right)) == (1, 0)


def test_unlike_graphs_are_given_up() -> None:
    matching = matched(chain(2_000), transformer(2_000))
    assert {matching.left.colour[pair.left][0] for pair in matching.pairs} <= {"input", "output"}


def test_many_equal_branches_are_automorphic() -> None:
    assert not matched(branches(400), branches(400)).free_left


def test_equal_branches_of_which_one_is_missing_are_ambiguous() -> None:
    matching = matched(branches(20), branches(19))
    assert all(matching.left.colour[pair.left][0] != "dense" for pair in matching.pairs)
    assert sum(node in matching.ambiguous[0] for node in matching.free_left) >= 20


def test_blocks_of_which_one_is_missing_are_ambiguous() -> None:
    left, right = chain(40), chain(38)
    matching = matched(left, right)
    assert all(matching.left.colour[pair.left][0] not in ("conv", "batch_norm") for pair in matching.pairs)
    assert matching.free_left == set(matching.ambiguous[0]) & matching.free_left
