"""Reconciling makes functions equal, says what it did, and can take it back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers
from torch import nn

import autoport
from tests.support import randomise_keras, randomise_torch


def pair(keras_layers: list[Any], module: nn.Module) -> tuple[autoport.Match, nn.Module]:
    model = keras.Sequential([keras.Input((10, 12, 3)), *keras_layers])
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    return match, module


CASES: dict[str, tuple[Callable[[], list[Any]], Callable[[], nn.Module]]] = {
    "epsilon and slope": (
        lambda: [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.LeakyReLU(0.3), layers.Conv2D(2, 1)],
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.1), nn.Conv2d(4, 2, 1)),
    ),
    "GELU and averages": (
        lambda: [
            layers.Conv2D(4, 3, activation="gelu"),
            layers.AveragePooling2D(3, 1, padding="same"),
            layers.Conv2D(2, 1),
        ],
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU("tanh"), nn.AvgPool2d(3, 1, 1), nn.Conv2d(4, 2, 1)),
    ),
    "padding": (
        lambda: [
            layers.Conv2D(4, 3, strides=2, padding="same"),
            layers.MaxPooling2D(2, 2, padding="same"),
            layers.Conv2D(2, 1),
        ],
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(2, 2, 1), nn.Conv2d(4, 2, 1)),
    ),
    "stride": (
        lambda: [layers.Conv2D(4, 1, strides=2), layers.Conv2D(2, 3)],
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 3, 2)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_set_is_set_and_verifies(case: str) -> None:
    build, twin = CASES[case]
    match, module = pair(build(), twin())
    fresh, keys = copy.deepcopy(module), list(module.state_dict())
    x = torch.randn(2, 3, 10, 12)
    with torch.no_grad():
        before = module.eval()(x)
    assert not match.verify().ok
    reconciliation = match.reconcile()
    assert reconciliation.done
    assert not reconciliation.left
    verification = match.verify()
    assert verification.ok, str(verification)
    assert list(module.state_dict()) == keys
    exec(reconciliation.patch, {"model": fresh})
    with torch.no_grad():
        assert torch.equal(fresh.eval()(x), module(x))
        reconciliation.undo()
        assert torch.equal(module(x), before)
    assert not match.verify().ok


class Written(nn.Module):
    """Everything in the forward, nothing in modules."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.ConvTranspose2d(4, 2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(F.conv2d(x, self.a.weight, self.a.bias, 2, 1), 0.1)
        x = F.gelu(F.conv2d(x, self.b.weight, self.b.bias, padding=1), approximate="tanh")
        x = F.avg_pool2d(x, 3, 2, 1)
        x = F.conv_transpose2d(x, self.c.weight, self.c.bias, 2, 1, 1)
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def written() -> list[Any]:
    return [
        layers.Conv2D(4, 3, strides=2, padding="same"),
        layers.LeakyReLU(0.3),
        layers.Conv2D(4, 3, padding="same"),
        layers.Activation("gelu"),
        layers.AveragePooling2D(3, 2, padding="same"),
        layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
        layers.UpSampling2D(2, interpolation="bilinear"),
    ]


def test_what_is_written_in_a_forward_is_computed_otherwise() -> None:
    """Asymmetric padding of convolutions, average pooling and transposed convolutions among it."""
    match, module = pair(written(), Written())
    fresh, keys = copy.deepcopy(module), list(module.state_dict())
    causes = {d.cause for d in match.verify().divergences}
    assert causes >= {"padding", "negative_slope", "approximate", "align_corners"}
    reconciliation = match.reconcile()
    assert not reconciliation.left
    assert all("test_reconcile.py:" in text for text in reconciliation.done), reconciliation.done
    verification = match.verify()
    assert verification.ok, str(verification)
    assert list(module.state_dict()) == keys
    exec(reconciliation.patch, {"model": fresh})
    x = torch.randn(2, 3, 10, 12)
    with torch.no_grad():
        after = module.eval()(x)
        assert torch.equal(fresh.eval()(x), after)
        assert torch.equal(copy.deepcopy(module)(x), after)
        reconciliation.undo()
        assert not torch.equal(module(x), after)
    assert "forward" not in vars(module)


def test_what_is_computed_twice_is_set_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1)
            self.first, self.second = nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.a(x)
            return self.c(F.pad(self.b(self.first(x)), (1, 1, 1, 1)) + self.second(x))

    image = keras.Input((10, 12, 3))
    pooled = layers.AveragePooling2D(3, 1, padding="same")(layers.Conv2D(4, 1)(image))
    both = layers.Add()([layers.ZeroPadding2D(1)(layers.Conv2D(4, 3)(pooled)), pooled])
    model = keras.Model(image, layers.Conv2D(2, 1)(both))
    randomise_keras(model, 1)
    match = autoport.match(model, Twice())
    match.assign()
    causes = {cause.name for divergence in match.verify().divergences for cause in divergence.causes}
    assert causes == {"count_include_pad"}
    assert len(match.reconcile().done) == 2
    assert match.verify().ok


def test_a_module_that_is_called_twice_is_set_once() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1)
            self.act = nn.LeakyReLU(0.1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.c(self.act(self.b(self.act(self.a(x)))))

    first, second = layers.LeakyReLU(0.3), layers.LeakyReLU(0.2)
    match, module = pair([layers.Conv2D(4, 1), first, layers.Conv2D(4, 3), second, layers.Conv2D(2, 1)], Shared())
    reconciliation = match.reconcile()
    assert module.act.negative_slope == 0.3
    assert len(reconciliation.done) == 1
    assert "needs another value" in reconciliation.left[0]
    (divergence,) = match.verify().divergences
    assert divergence.cause == "negative_slope"


def test_what_no_argument_expresses_is_left_with_its_place() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x)[:, :, 1:7])

    match, _ = pair([layers.Conv2D(4, 3), layers.Cropping2D(((2, 0), (0, 0))), layers.Conv2D(2, 1)], Net())
    reconciliation = match.reconcile()
    assert not reconciliation.done
    assert "test_reconcile.py:" in reconciliation.left[0]


def test_what_the_model_cannot_run_with_is_taken_back() -> None:
    """A stride on one way of two: on the other there is nothing to set."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.norm, self.b = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.a(x))
            return self.b(x) + x

    image = keras.Input((10, 12, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 1)(image))
    model = keras.Model(image, layers.Conv2D(4, 1, strides=2)(x) + x[:, ::2, ::2])
    module = Net()
    match = autoport.match(model, module)
    match.assign(strict=False)
    reconciliation = match.reconcile()
    assert any("norm.eps" in text for text in reconciliation.done)
    assert any("fails with it" in text for text in reconciliation.left), str(reconciliation)
    assert module.b.stride == (1, 1)


def test_a_certificate_says_what_was_verified() -> None:
    import json

    match, module = pair(
        [layers.Conv2D(4, 3), layers.BatchNormalization()], nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    )
    match.reconcile()
    first = match.certificate()
    assert json.loads(json.dumps(first)) == first
    assert first["verification"]["ok"]
    assert first["verification"]["seed"] == 0
    assert "1.eps = 0.001 (was 1e-05)" in first["reconciled"]
    assert {"python", "tensorflow", "keras", "torch"} <= first["versions"].keys()
    with torch.no_grad():
        module[0].bias[0] += 1.0
    second = match.certificate()
    assert not second["verification"]["ok"]
    assert first["weights"]["tf"] == second["weights"]["tf"]
    assert first["weights"]["torch"] != second["weights"]["torch"]
