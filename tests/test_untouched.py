"""Matching changes nothing, and assigning changes everything or nothing."""

from __future__ import annotations

import functools
import random
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers
from torch import nn

import autoport
from autoport.keras.store import KerasStore
from autoport.pytorch.store import TorchStore
from tests.oracle import sequential
from tests.support import randomise_keras, randomise_torch


def keras_model() -> keras.Model:
    return sequential(
        (9, 12, 3),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(epsilon=1e-5),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Dense(5),
    )


def torch_model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(280, 5))


def snapshot(model: Any, module: nn.Module) -> list[Any]:
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()]
    return [
        {v.path: np.array(v.value) for v in model.weights},
        {path: tensor.clone().numpy() for path, tensor in module.state_dict().items()},
        [m.training for m in module.modules()],
        [p.dtype for p in module.parameters()],
        [p.requires_grad for p in module.parameters()],
        hooks,
        torch.get_rng_state().numpy(),
        np.random.get_state()[1],
        random.getstate(),
        torch.is_grad_enabled(),
        keras.layers.Layer.__call__,
        nn.Module.__call__,
        [layer.trainable for layer in model.layers],
    ]


def assert_same(before: list[Any], after: list[Any]) -> None:
    for a, b in zip(before, after, strict=True):
        np.testing.assert_equal(a, b)


@pytest.mark.parametrize("training", [True, False])
def test_match_changes_neither_model_nor_any_global_state(training: bool) -> None:
    model, module = keras_model(), torch_model().train(training)
    module[1].train(not training)
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    before = snapshot(model, module)
    autoport.match(model, module)
    assert_same(before, snapshot(model, module))


@pytest.mark.parametrize("training", [True, False])
def test_verifying_changes_neither_model_nor_any_global_state(training: bool) -> None:
    model, module = keras_model(), torch_model().train(training)
    randomise_keras(model, 1)
    match = autoport.match(model, module)
    match.assign()
    before, default = snapshot(model, module), torch.get_default_dtype()
    assert match.verify().ok
    assert_same(before, snapshot(model, module))
    with torch.no_grad():
        module[4].weight.mul_(2)
    before = snapshot(model, module)
    assert not match.verify().ok
    assert_same(before, snapshot(model, module))
    assert torch.get_default_dtype() == default


def test_a_verification_that_fails_changes_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    model, module = keras_model(), torch_model()
    match = autoport.match(model, module)
    before, default = snapshot(model, module), torch.get_default_dtype()

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise MemoryError("in the middle")

    monkeypatch.setattr("autoport.verify.running.lockstep.Lockstep._compare", fail)
    with pytest.raises(MemoryError):
        match.verify()
    assert_same(before, snapshot(model, module))
    assert torch.get_default_dtype() == default


class Fails(nn.Module):
    """A module that fails in the middle of its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch_model()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inner[0](x)
        raise RuntimeError("in the middle")


def test_a_match_that_fails_changes_nothing_either() -> None:
    model, module = keras_model(), Fails()
    before = snapshot(model, module)
    with pytest.raises(autoport.errors.AutoportError):
        autoport.match(model, module)
    assert_same(before, snapshot(model, module))


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize("failing", range(8))
def test_a_failure_at_any_tensor_undoes_the_assignment(to: str, failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, module = keras_model(), torch_model()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    before = snapshot(model, module)
    store: Any = {"torch": TorchStore, "tf": KerasStore}[to]
    original = store.write
    calls = iter(range(100))

    def write(self: Any, path: str, value: Any) -> None:
        if next(calls) == failing:
            raise MemoryError("in the middle of an assignment")
        original(self, path, value)

    monkeypatch.setattr(store, "write", write)
    with pytest.raises(MemoryError):
        match.assign(to=to)
    monkeypatch.undo()
    assert_same(before, snapshot(model, module))
    match.assign(to=to)


def test_state_dict_leaves_the_module_alone_and_loads_strictly() -> None:
    model, module = keras_model(), torch_model()
    randomise_keras(model, 1)
    before = snapshot(model, module)
    ported = autoport.match(model, module).state_dict()
    assert_same(before, snapshot(model, module))
    fresh = torch_model()
    fresh.load_state_dict(ported, strict=True)
    autoport.match(model, module).assign()
    assert all(torch.equal(t, module.state_dict()[path]) for path, t in fresh.state_dict().items())


def test_importing_autoport_loads_no_framework() -> None:
    import subprocess
    import sys

    code = "import autoport, sys; print([m for m in ('torch', 'tensorflow', 'keras') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


class Caching(nn.Module):
    """Keeps tables of positions on itself, as rotary embeddings do."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 4)
        self.table: torch.Tensor | None = None
        self.cache: dict[int, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = x.shape[1]
        if self.table is None:
            self.table = torch.arange(length).float()
        self.cache.setdefault(length, torch.ones(length))
        return self.dense(x) + (self.table * self.cache[length])[:, None]


def test_a_module_that_caches_tensors_on_itself_is_left_as_it_was() -> None:
    tokens = keras.Input((5, 4))
    module = Caching()
    match = autoport.match(keras.Model(tokens, layers.Dense(4)(tokens)), module)
    assert (module.table, module.cache) == (None, {})
    match.assign()
    assert torch.isfinite(module(torch.zeros(2, 5, 4))).all()


@functools.lru_cache(maxsize=None)  # noqa: UP033  models do
def in_a_dictionary(size: int) -> dict[str, torch.Tensor]:
    return {"places": torch.arange(size) / size}


@functools.lru_cache
def in_vmap(size: int) -> torch.Tensor:
    """Made where calls are not recorded, so that the graph has it as a constant."""
    made: torch.Tensor = torch.vmap(lambda place: place * 2)(torch.arange(size)).float()
    return made


@functools.lru_cache
def as_given(x: torch.Tensor) -> torch.Tensor:
    """The cache has the input itself."""
    return x


class Cached(nn.Module):
    def __init__(self, places: str) -> None:
        super().__init__()
        self.out = nn.Linear(6, 5)
        self.places = places

    @functools.lru_cache(maxsize=3)  # noqa: B019  models do
    def on_method(self, size: int) -> torch.Tensor:
        return torch.arange(size) / size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        match self.places:
            case "on a method":
                return self.out(x) + self.on_method(5)
            case "in a dictionary":
                return self.out(x) + in_a_dictionary(5)["places"]
            case "in vmap":
                return self.out(x) + in_vmap(5)
        return self.out(as_given(x))


@pytest.mark.parametrize("places", ["on a method", "in a dictionary", "in vmap", "as given"])
def test_what_a_function_caches_has_values_afterwards(places: str) -> None:
    module = Cached(places)
    autoport.match(sequential((6,), layers.Dense(5)), module)
    assert type(module(torch.ones(1, 6))) is torch.Tensor
    assert as_given.cache_info().currsize == (places == "as given")


class Asks(nn.Module):
    """Asks for a value, so that it cannot be recorded without values."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.isfinite(x).all().item():
            return self.dense(x)
        return x


@pytest.mark.parametrize("module", [nn.Linear(6, 5), Asks()])
def test_objects_are_searched_for_caches_only_if_a_tensor_without_values_is_left(
    module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search() -> None:
        raise AssertionError("every object of the process is looked at")

    monkeypatch.setattr("autoport.pytorch.recording.untouched._empty_caches", search)
    assert autoport.match(sequential((6,), layers.Dense(5)), module).complete
