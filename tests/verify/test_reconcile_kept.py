"""Changes are kept only where all together bring the models closer."""

from __future__ import annotations

import keras
import torch
from keras import layers
from torch import nn

import autoport
from tests.support import randomise_keras
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


def test_without_a_change_nothing_runs(monkeypatch: object) -> None:
    image = keras.Input((9, 12, 3))
    model = keras.Model(image, layers.Conv2D(2, 3)(image))
    randomise_keras(model, 1)
    match = autoport.match(model, nn.Sequential(nn.Conv2d(3, 2, 3)))
    reconciliation = match.reconcile()
    assert not reconciliation.done
    assert not reconciliation.left
