"""Models of keras-hub against transformers and timm: every tensor comes through, or is reported."""

from __future__ import annotations

from dataclasses import replace

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
    assert outcome.verdict is not None
    if not pair.open:
        outcome.verdict.check(pair.differs)


# What a config may say otherwise: another epsilon of a norm, another form of GELU.
OTHERWISE = {
    "t5": {"layer_norm_epsilon": 1e-3},
    "phi3": {"rms_norm_eps": 1e-3},
    "gpt-neox": {"hidden_act": "gelu_fast", "layer_norm_eps": 1e-3},
    "bloom": {"layer_norm_epsilon": 1e-3},
    "whisper": {"activation_function": "quick_gelu"},
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_a_config_says_otherwise_is_reconciled(name: str) -> None:
    pair = next(pair for pair in COMPUTED if pair.name == name)
    assert port(replace(pair, config=pair.config | OTHERWISE[name])).same


@pytest.mark.parametrize("pair", [pytest.param(pair, id=pair.name) for pair in COMPUTED])
def test_both_compute_the_same(pair: Pair) -> None:
    """What is carried over as a whole makes PyTorch compute what Keras computes."""
    ported = port(pair)
    assert ported.whole == (not pair.open), ported.missing
    assert pair.open or ported.same
    if ported.verdict is not None:
        ported.verdict.check(pair.differs)
