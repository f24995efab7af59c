"""Models of keras-hub against transformers and timm: every tensor comes through, or is reported."""

from __future__ import annotations

import pytest

pytest.importorskip("keras_hub")

from tests.hub.oracle import build, port
from tests.hub.pairs import COMPUTED, CONVERTED, TIMM, Pair
from tests.transformers.oracle import judge

pytestmark = pytest.mark.hub


@pytest.mark.parametrize("pair", [pytest.param(pair, id=pair.name) for pair in (*CONVERTED, *TIMM)])
def test_weights_land(pair: Pair) -> None:
    """Nothing is wrong; nothing that the forward pass reads is left out but where that is known."""
    outcome = judge(build(pair))
    assert not outcome.wrong
    assert outcome.strict == (not pair.open), (outcome.missing, outcome.lost)
    assert pair.open or outcome.equal


@pytest.mark.parametrize("pair", [pytest.param(pair, id=pair.name) for pair in COMPUTED])
def test_both_compute_the_same(pair: Pair) -> None:
    """What is carried over as a whole makes PyTorch compute what Keras computes."""
    ported = port(pair)
    assert ported.whole == (not pair.open), ported.missing
    assert pair.open or ported.same
