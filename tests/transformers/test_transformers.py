"""Classes of Hugging Face transformers: every tensor comes through its TensorFlow twin bit by bit, or is reported."""

from __future__ import annotations

import pytest

from tests.transformers.oracle import build, judge
from tests.transformers.pairs import PAIRS, Pair

# Pairs of which something is still reported as open; docs/transformers.md says what.
OPEN = {
    "led",
    "longformer",
    "longformer-mlm",
}


def marks(pair: Pair) -> list[pytest.MarkDecorator]:
    return [] if pair.small else [pytest.mark.transformers]


@pytest.mark.parametrize("pair", [pytest.param(pair, id=pair.name, marks=marks(pair)) for pair in PAIRS])
def test_weights_land(pair: Pair) -> None:
    """Nothing is wrong; nothing that the forward pass reads is left out but where that is known."""
    outcome = judge(build(pair))
    assert not outcome.wrong
    if pair.name in OPEN:
        assert not outcome.strict
        return
    assert not outcome.unmatched, str(outcome.match)
    assert outcome.strict, outcome.lost
    assert outcome.equal
