"""A number under any name, or under none, is found by its value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from keras import layers
from torch import nn

from tests.support import import_torchvision
from tests.verify.reconciled import check_mended, pair

CONFIG = {"unrelated": 1e-6, "text": SimpleNamespace(how_small=1e-6)}


@dataclass(frozen=True)
class Frozen:
    eps: float


class Norm(nn.Module):
    """An RMS norm that keeps its epsilon in one way or another."""

    def __init__(self, size: int, epsilon: Callable[[nn.Module], float], **attributes: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        vars(self).update(attributes)
        self.epsilon_of = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon_of(self)))


def llama() -> nn.Module:
    import_torchvision()
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    return LlamaRMSNorm(8)


def t5() -> nn.Module:
    import_torchvision()
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    return T5LayerNorm(8)


NORMS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "transformers' Llama": (llama, "1.variance_epsilon = 0.001 (was 1e-06)"),
    "transformers' T5": (t5, "1.variance_epsilon = 0.001 (was 1e-06)"),
    "PyTorch": (lambda: nn.RMSNorm(8, 1e-6), "1.eps = 0.001 (was 1e-06)"),
    "any name": (lambda: Norm(8, lambda m: m.tiny, tiny=1e-6), "1.tiny = 0.001 (was 1e-06)"),
    "another attribute holds it, too": (
        lambda: Norm(8, lambda m: m.tiny, rate=1e-6, tiny=1e-6),
        "1.tiny = 0.001 (was 1e-06)",
    ),
    "deep in a config": (
        lambda: Norm(8, lambda m: m.config.text.how_small, config=SimpleNamespace(**CONFIG)),
        "1.config.text.how_small = 0.001 (was 1e-06)",
    ),
    "in an object that cannot be changed": (
        lambda: Norm(8, lambda m: m.config.eps, config=Frozen(1e-6)),
        "1: add in tests/verify/test_reconcile_numbers.py is computed with argument 1 = 0.001",
    ),
    "in no attribute": (
        lambda: Norm(8, lambda m: 1e-6),
        "1: add in tests/verify/test_reconcile_numbers.py is computed with argument 1 = 0.001",
    ),
}


@pytest.mark.parametrize("case", NORMS)
def test_the_epsilon_of_a_norm_is_set_where_it_is_kept(case: str) -> None:
    build, text = NORMS[case]
    ours = [layers.Dense(8), layers.RMSNormalization(epsilon=1e-3), layers.Dense(4)]
    match = pair(ours, nn.Sequential(nn.Linear(5, 8), build(), nn.Linear(8, 4)), (7, 5))
    (done,) = check_mended(match).done
    assert re.sub(r":\d+", "", done) == text


def stack(first: float, second: float) -> list[Any]:
    norms = (layers.RMSNormalization(epsilon=epsilon) for epsilon in (first, second))
    return [layers.Dense(8), next(norms), layers.Dense(8), next(norms), layers.Dense(4)]


def stack_of(*norms: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), norms[0], nn.Linear(8, 8), norms[1], nn.Linear(8, 4))


def test_a_config_that_several_modules_share_is_set_once() -> None:
    config = SimpleNamespace(eps=1e-6)
    norms = (Norm(8, lambda m: m.config.eps, config=config) for _ in range(2))
    match = pair(stack(1e-3, 1e-3), stack_of(*norms), (7, 5))
    reconciliation = check_mended(match)
    assert reconciliation.done == ["1.config.eps = 0.001 (was 1e-06)"]
    assert len(reconciliation.changes[0].differences) == 2


@pytest.mark.parametrize("other", [1e-6, 1e-2])
def test_a_config_that_another_module_needs_as_it_is_stays(other: float) -> None:
    """One norm is right already, or needs another value: then the calls are computed otherwise."""
    config = SimpleNamespace(eps=1e-6)
    norms = (Norm(8, lambda m: m.config.eps, config=config) for _ in range(2))
    match = pair(stack(1e-3, other), stack_of(*norms), (7, 5))
    reconciliation = match.reconcile()
    assert not reconciliation.left, str(reconciliation)
    verification = match.verify()
    assert verification.ok, str(verification)
    reconciliation.undo()
    assert config.eps == 1e-6


def test_the_epsilon_of_a_function_is_set_on_its_module() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.smallest = nn.Linear(5, 8), nn.Linear(8, 4), 1e-6
            self.scale, self.offset = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(F.layer_norm(self.a(x), (8,), self.scale, self.offset, self.smallest))

    match = pair([layers.Dense(8), layers.LayerNormalization(epsilon=1e-3), layers.Dense(4)], Net(), (7, 5))
    assert check_mended(match).done == ["smallest = 0.001 (was 1e-06)"]
