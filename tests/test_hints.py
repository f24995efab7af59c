"""Hints settle what is ambiguous, and nothing else."""

from __future__ import annotations

import pytest

import autoport
from autoport.errors import HintError
from autoport.facts.reasons import Code
from tests.layers.test_structure import chain, torch_chain


def test_a_hint_settles_an_ambiguous_layer() -> None:
    model, module = chain(5), torch_chain(4)
    open_path = autoport.match(model, module).unmatched_tf[0].op.path
    match = autoport.match(model, module, hints=[(open_path, "1")])
    named = [pair for pair in match.pairs if pair.reason.code is Code.HINTED]
    assert [(pair.tf.path, pair.torch.path) for pair in named] == [(open_path, "1")]


def test_a_hint_that_contradicts_the_graphs_or_names_nothing_is_an_error() -> None:
    model, module = chain(5), torch_chain(4)
    match = autoport.match(model, module)
    settled, doubtful = match.pairs[0].tf.path, match.unmatched_tf[0].op.path
    for hint, reason in (
        ((settled, "1"), "not needed"),
        ((doubtful, "0"), "not needed"),
        ((doubtful, "9"), "not needed"),
        (("no such layer", "1"), "no operation is called"),
    ):
        with pytest.raises(HintError, match=reason):
            autoport.match(model, module, hints=[hint])
