"""An activation of another form, in a module or written out, is computed as Keras computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
from keras import layers
from torch import nn

from tests.support import import_torchvision
from tests.verify.reconciled import check_mended, pair


def exact(x: Any) -> Any:
    return keras.activations.gelu(x)


def approximate(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=True)


def of_transformers(name: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import_torchvision()
        from transformers import activations

        return getattr(activations, name)()

    return build


def of_timm() -> nn.Module:
    import_torchvision()
    from timm.layers.activations import GELUTanh

    return GELUTanh()


class Written(nn.Module):
    """x * sigmoid(1.7 x), the sigmoid first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x * 1.7).mul(x)


CASES: dict[str, tuple[Any, Callable[[], nn.Module], str]] = {
    "tanh in PyTorch": (exact, lambda: nn.GELU("tanh"), "1.approximate = 'none' (was 'tanh')"),
    "tanh in timm": (exact, of_timm, "1: gelu in timm/layers/activations.py"),
    "exact in transformers": (approximate, of_transformers("GELUActivation"), "1: gelu in transformers/activations.py"),
    "tanh written out": (exact, of_transformers("NewGELUActivation"), "1: mul in transformers/activations.py"),
    "tanh factored out": (exact, of_transformers("FastGELUActivation"), "1: mul in transformers/activations.py"),
    "by a sigmoid": (approximate, of_transformers("QuickGELUActivation"), "1: mul in transformers/activations.py"),
    "written by hand": (exact, Written, "1: mul in tests/verify/test_reconcile_activations.py"),
    "SiLU": (exact, lambda: nn.SiLU(inplace=True), "1: silu in torch/nn/modules/activation.py"),
    "hard swish": ("silu", nn.Hardswish, "1: hardswish in torch/nn/modules/activation.py"),
    "a slope": (lambda x: keras.activations.leaky_relu(x, 0.3), nn.ReLU, "1: relu in torch/nn/modules/activation.py"),
    "alpha": (layers.ELU(0.3), nn.ELU, "1.alpha = 0.3 (was 1.0)"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_activation_of_another_form_is_exchanged(case: str) -> None:
    activation, build, text = CASES[case]
    middle = activation if isinstance(activation, layers.Layer) else layers.Activation(activation)
    ours = [layers.Conv2D(4, 3), middle, layers.Conv2D(2, 3)]
    match = pair(ours, nn.Sequential(nn.Conv2d(3, 4, 3), build(), nn.Conv2d(4, 2, 3)), (9, 12, 3))
    (done,) = check_mended(match).done
    assert done.startswith(text)


def test_activations_in_one_forward_are_told_apart() -> None:
    """Written out twice, one of them inside of a child, with calls of the same names between."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c, self.act = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 4), Written()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.act(self.a(x)) * 2.0
            x = self.b(x)
            return self.c(x * torch.sigmoid(1.702 * x))

    def gelu_of(x: Any) -> Any:
        return exact(x) * 2.0

    ours = [layers.Dense(8), layers.Activation(gelu_of), layers.Dense(8), layers.Activation(exact), layers.Dense(4)]
    match = pair(ours, Net(), (7, 5))
    assert len(check_mended(match).done) == 2


def test_an_activation_that_is_read_twice_is_exchanged_once() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(5, 8), nn.Linear(8, 4), nn.Linear(8, 4)
            self.act = of_transformers("QuickGELUActivation")()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.act(self.a(x))
            return self.b(x) - self.c(x)

    image = keras.Input((7, 5))
    x = layers.Dense(8, activation="gelu")(image)
    model = keras.Model(image, layers.Subtract()([layers.Dense(4)(x), layers.Dense(4)(x)]))
    match = of_model(model, Net())
    assert len(check_mended(match).done) == 1


def test_a_module_that_runs_twice_is_patched_once() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 4)
            self.act = of_transformers("NewGELUActivation")()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.c(self.act(self.b(self.act(self.a(x)))))

    ours = [layers.Dense(8, activation="gelu"), layers.Dense(8, activation="gelu"), layers.Dense(4)]
    reconciliation = check_mended(pair(ours, Net(), (7, 5)))
    assert len(reconciliation.done) == 1
    assert len(reconciliation.changes[0].differences) == 2


def of_model(model: Any, module: nn.Module) -> Any:
    import autoport
    from tests.support import randomise_keras, randomise_torch

    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module.eval())
    match.assign()
    return match
