"""Real pairs: what differs is named with its cause, what is equal is proven."""

from __future__ import annotations

import pytest

import autoport
from tests.support import randomise_keras, randomise_torch
from tests.zoo.pairs import PAIRS, Pair
from tests.zoo.verified import names


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, id=pair.name, marks=() if pair.small and len(pair.differences) < 2 else pytest.mark.zoo)
        for pair in PAIRS
    ],
)
def test_a_real_pair_is_proven_or_its_differences_are_named(pair: Pair) -> None:
    """What is equal is verified; what differs is a cause and nothing else is, and what can be set then verifies."""
    model, module = pair.keras(pair.shape), pair.torch().eval()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)
    match = autoport.match(model, module)
    match.assign()
    verification = match.verify()
    assert verification.ok == pair.equal, str(verification)
    assert names(verification) == pair.differences
    assert max(node.relative for node in verification.nodes if node.relative < 1e-9) < 1e-12
    if pair.differences:
        match.reconcile()
        assert names(match.verify()) == pair.left
