"""Classes of Hugging Face transformers: every tensor comes through its TensorFlow twin bit by bit, or is reported."""

from __future__ import annotations

import pytest

from tests.transformers.oracle import build, judge
from tests.transformers.pairs import PAIRS, Pair


def marks(pair: Pair) -> list[pytest.MarkDecorator]:
    return [] if pair.small else [pytest.mark.transformers]


@pytest.mark.parametrize("pair", [pytest.param(pair, id=pair.name, marks=marks(pair)) for pair in PAIRS])
def test_weights_land(pair: Pair) -> None:
    """Nothing is wrong, nothing that the forward pass reads is left out, and the verdict is true."""
    outcome = judge(build(pair))
    assert not outcome.wrong
    assert not outcome.unmatched, str(outcome.match)
    assert outcome.strict, outcome.lost
    assert outcome.equal
    assert outcome.verdict is not None
    outcome.verdict.check(pair.differs, pair.lists)
