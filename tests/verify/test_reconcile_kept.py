"""Changes are kept only where all together bring the models closer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from keras import layers
from torch import nn

from autoport.verify.reconciling.measure import Judge
from tests.verify.reconciled import check_mended, pair


class Pooled(nn.Module):
    """A convolution, whose bias a norm behind the pooling absorbs."""

    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, bias=bias), nn.Conv2d(4, 2, 1)
        self.pool, self.norm = nn.MaxPool2d(3, 2, 1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.norm(self.pool(self.a(x))))


def pooled() -> list[layers.Layer]:
    return [
        layers.Conv2D(4, 3),
        layers.ZeroPadding2D(1),
        layers.MaxPooling2D(3, 2),
        layers.BatchNormalization(),
        layers.Conv2D(2, 1),
    ]


def test_a_change_that_puts_a_weight_in_doubt_is_taken_back() -> None:
    """Zeros around the image are no zeros once the bias is added behind the pooling."""
    match = pair(pooled(), Pooled(bias=False), (9, 12, 3))
    reconciliation = match.reconcile()
    assert all("norm." in text for text in reconciliation.done)
    (left,) = reconciliation.left
    assert left.startswith("pad_value")
    assert "cannot be carried over" in left
    assert match.current().complete
    (divergence,) = match.verify().divergences
    assert {cause.name for cause in divergence.causes} == {"pad_value"}


def test_the_same_change_is_kept_where_nothing_is_in_doubt() -> None:
    match = pair(pooled(), Pooled(bias=True), (9, 12, 3))
    assert any("max_pool" in text for text in check_mended(match).done)


@pytest.mark.parametrize("norm", [[], [layers.BatchNormalization(epsilon=1e-5, momentum=0.5)]])
def test_without_a_change_that_counts_nothing_runs(norm: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing differs, or a momentum, which counts in training only."""
    twin = nn.Sequential(nn.Conv2d(3, 4, 3), *(nn.BatchNorm2d(4) for _ in norm), nn.Conv2d(4, 2, 1))
    match = pair([layers.Conv2D(4, 3), *norm, layers.Conv2D(2, 1)], twin, (9, 12, 3))
    monkeypatch.setattr(Judge, "objection", lambda *_: pytest.fail("both models were run"))
    reconciliation = match.reconcile()
    assert len(reconciliation.done) == len(norm)
    assert not reconciliation.left


def test_what_moves_the_outputs_apart_is_taken_back() -> None:
    """A module that does something else with another epsilon: the kind with which the error grows goes, others stay."""

    class Touchy(nn.BatchNorm2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = super().forward(x)
            return x if self.eps < 1e-4 else x * 5.0

    ours = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.LeakyReLU(0.3), layers.Conv2D(2, 1)]
    theirs = nn.Sequential(nn.Conv2d(3, 4, 3), Touchy(4), nn.LeakyReLU(0.1), nn.Conv2d(4, 2, 1))
    match = pair(ours, theirs, (9, 12, 3))
    reconciliation = match.reconcile()
    assert theirs[1].eps == 1e-5
    assert theirs[2].negative_slope == 0.3
    (left,) = reconciliation.left
    assert left.startswith("epsilon")
    assert "further apart" in left
    assert {divergence.cause for divergence in match.verify().divergences} == {"epsilon"}


def test_one_call_is_told_from_what_a_patch_before_it_calls() -> None:
    """A patched average pooling pools twice, once of ones: the next pooling is still the second one."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(F.avg_pool2d(F.avg_pool2d(self.a(x), 3, 2, 1).relu(), 3, 1, 1))

    pools = [layers.AveragePooling2D(3, strides, padding="same") for strides in (2, 1)]
    ours = [layers.Conv2D(4, 3), pools[0], layers.ReLU(), pools[1], layers.Conv2D(2, 1)]
    assert len(check_mended(pair(ours, Net(), (11, 14, 3))).done) == 2
