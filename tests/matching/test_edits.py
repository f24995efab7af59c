"""One side edited: nothing is matched wrongly, and nearly all of what no edit touched is still found."""

from __future__ import annotations

from random import Random

import pytest

from autoport.matching import match_skeletons
from autoport.matching.skeleton import skeleton
from tests.matching.edits import EDITS, shuffled
from tests.matching.graphs import graph_of
from tests.matching.truth import try_edits

MODELS = ("U-Net", "MobileNetV3Small")
# The least share found in any of the trials below, rounded down.
FLOOR = 0.85


@pytest.mark.parametrize("model", MODELS)
def test_a_renamed_and_reordered_copy_is_found_whole(model: str) -> None:
    graph = graph_of(model)
    copy, original = shuffled(graph, Random(0))
    matching = match_skeletons(skeleton(graph), skeleton(copy))
    assert {pair.left: original.get(pair.right, pair.right) for pair in matching.pairs} == {
        node: node for node in matching.left.nodes
    }


@pytest.mark.parametrize("kind", EDITS)
@pytest.mark.parametrize("model", MODELS)
def test_one_edit_costs_its_surroundings_at_most(model: str, kind: str) -> None:
    for seed in range(3):
        verdict = try_edits(graph_of(model), [kind], seed)
        assert verdict.wrong == ()
        assert verdict.recall >= FLOOR


@pytest.mark.parametrize("model", MODELS)
def test_several_edits_lead_to_nothing_wrong(model: str) -> None:
    for seed in range(4):
        rng = Random(seed)
        verdict = try_edits(graph_of(model), [rng.choice(list(EDITS)) for _ in range(4)], seed)
        assert verdict.wrong == ()
