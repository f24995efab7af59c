"""What a verification proves to be spelled differently is folded; what it does not prove is a difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
from keras import layers, ops
from torch import nn

import autoport
from autoport.report import Report, Status, build_report
from autoport.report.formats import render
from autoport.report.views.summary import summary
from autoport.verify.verification import Verification
from tests.support import randomise_keras, randomise_torch

BACKWARDS = [6, 5, 4, 3, 2, 1, 0]
HEADING = "Spelled differently, proved equal"


class Net(nn.Module):
    def __init__(self, between: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.last, self.first, self.between = nn.Linear(8, 3), nn.Linear(6, 8), between

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(self.between(self.first(x)))


def matched(keras_between: Callable[[Any], Any], between: Callable[[torch.Tensor], Any]) -> autoport.Match:
    x = keras.Input((7, 6))
    model = keras.Model(x, layers.Dense(3)(keras_between(layers.Dense(8)(x))))
    module = Net(between).eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    return match


def mirrored() -> autoport.Match:
    return matched(lambda x: ops.flip(x, 1), lambda x: x[:, BACKWARDS])


def proved(match: autoport.Match) -> tuple[Report, Verification]:
    verification = match.verify()
    return build_report(match.analysis, verification), verification


def test_what_is_proved_to_be_of_spelling_does_not_count() -> None:
    report, verification = proved(mirrored())
    assert verification.ok
    assert report.same
    assert (len(report.differences), len(report.spellings)) == (0, 1)
    assert {row.status for row in report.rows} == {Status.SAME}
    assert dict(summary(report))["Wrong"] == "nothing; 1 difference of spelling only"


@pytest.mark.parametrize("view", ["table", "markdown", "html"])
def test_views_tell_it_apart(view: str) -> None:
    match = mirrored()
    assert HEADING in render(proved(match)[0], view)
    if view != "html":  # whose script holds the heading
        text = render(proved(match)[0], view)
        assert "operation: flip in Keras, gather in PyTorch" in text
        assert "Differences" not in text
        assert HEADING not in render(build_report(match.analysis), view)


def test_json_gives_every_difference_its_status() -> None:
    match = mirrored()
    before, after = (json.loads(render(r, "json")) for r in (build_report(match.analysis), proved(match)[0]))
    assert [d["status"] for d in before["differences"]] == ["differs"]
    assert [d["status"] for d in after["differences"]] == ["spelling"]
    assert (before["same"], after["same"]) == (False, True)
    assert [d["status"] for row in after["rows"] for d in row["differences"]] == ["spelling"]


def test_without_a_verification_nothing_is_proved() -> None:
    report = build_report(mirrored().analysis)
    assert not report.same
    assert (len(report.differences), len(report.spellings)) == (1, 0)


UNSEEN = {
    "a bound that no input reaches": (lambda x: ops.clip(x, -1e4, 1e4), lambda x: x.clamp(-1e4, 2e4)),
    "a function that is another one far away": (lambda x: ops.relu(x), lambda x: torch.relu(x).clamp(max=1e4)),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_a_run_proves_nothing_of_what_shows_on_other_inputs_only(case: str) -> None:
    report, verification = proved(matched(*UNSEEN[case]))
    assert verification.ok
    assert not report.same
    assert (len(report.differences), len(report.spellings)) == (1, 0)


def test_a_difference_that_shows_is_none_of_spelling() -> None:
    report, verification = proved(matched(lambda x: ops.flip(x, 1), lambda x: x[:, [5, 6, 4, 3, 2, 1, 0]]))
    assert not verification.ok
    assert not report.same
    assert (len(report.differences), len(report.spellings)) == (1, 0)


def test_further_outputs_are_told_and_do_not_count() -> None:
    class More(Net):
        def forward(self, x: torch.Tensor) -> Any:
            first = self.first(x)
            return first, self.last(torch.relu(first))

    x = keras.Input((7, 6))
    model = keras.Model(x, layers.Dense(3)(layers.ReLU()(layers.Dense(8)(x))))
    report = build_report(autoport.match(model, More(torch.relu)).analysis)
    assert report.same
    assert dict(summary(report))["Matched"].endswith("in 2 layers; 1 more output in PyTorch")
    assert json.loads(render(report, "json"))["more_outputs"] == 1


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_operation_that_only_one_model_has_does_not_count_once_it_is_proved(share: float) -> None:
    class Sum(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return self.last(self.first(x) + share * x.mean())

    x = keras.Input((7, 6))
    model, module = keras.Model(x, layers.Dense(3)(layers.Dense(8)(x))), Sum(torch.relu).eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    report, verification = proved(match)
    assert verification.ok is report.same is (share == 0)
    assert [row.torch_kind for row in report.rows if row.one_sided] == ["Sum"]
    assert not build_report(match.analysis).same
    assert ("1 operation of spelling only" in dict(summary(report))["Wrong"]) is (share == 0)
