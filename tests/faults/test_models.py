"""Odd models: each is ported or refused with a clear error, and nothing of the user's is changed."""

from __future__ import annotations

import copy
import threading
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers
from torch import nn

import autoport
from autoport.errors import AutoportError, InputError, TransferError
from tests.faults.models import Around, keras_model, torch_model
from tests.faults.unchanged import unchanged
from tests.oracle import sequential


def ported(model: Any, module: nn.Module) -> bool:
    """Whether matching, verifying and assigning do their work; a refusal must be one of autoport's errors."""
    with unchanged(model, module):
        try:
            match = autoport.match(model, module)
            match.state_dict(strict=False)
            match.verify()
        except AutoportError:
            return False
    if not match.complete:
        return False
    before = copy.deepcopy(module)
    try:
        match.assign()
    except AutoportError:
        with unchanged(model, before):
            pass
        return False
    return True


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_types_of_numbers(dtype: torch.dtype) -> None:
    assert ported(keras_model(), torch_model().to(dtype)) == (dtype.itemsize >= 4)


def test_half_a_model_in_another_type() -> None:
    module = torch_model()
    module[4].half()
    assert not ported(keras_model(), module)


def test_a_model_on_the_meta_device() -> None:
    model, module = keras_model(), torch_model().to("meta")
    with unchanged(model, module):
        match = autoport.match(model, module)
        with pytest.raises(TransferError, match="meta device"):
            match.assign()
    assert match.complete


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that PyTorch knows")
def test_a_model_on_the_gpu() -> None:
    model, module = keras_model(), torch_model().to("cuda")
    assert ported(model, module)
    assert all(tensor.is_cuda for tensor in module.state_dict().values())
    before = [np.array(variable.value) for variable in model.weights]
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    with unchanged(keras_model(), module):
        autoport.match(model, module).assign(to="tf")
    assert all(np.array_equal(*both) for both in zip(before, map(np.array, model.weights), strict=True))


def test_a_quantised_model() -> None:
    module = torch.ao.quantization.quantize_dynamic(torch_model().eval(), {nn.Linear}, dtype=torch.qint8)
    assert not ported(keras_model(), module)


def test_complex_weights() -> None:
    module = torch_model()
    module[4] = nn.Linear(280, 5, dtype=torch.complex64)
    assert not ported(keras_model(), module)


class Empty(nn.Module):
    """A twin with weights of no size."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch_model()
        self.empty = nn.Linear(0, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + 0 * self.empty(x.new_zeros(x.shape[0], 0)).sum()


def test_weights_of_no_size() -> None:
    with unchanged(model := keras_model(), module := Empty()):
        match = autoport.match(model, module)
    assert match.complete or "empty.bias" in match.missing()


def test_weights_that_are_no_numbers_do_not_keep_from_matching() -> None:
    model, module = keras_model(), torch_model()
    for variable in model.weights[:2]:
        variable.assign(np.full(variable.shape, np.nan))
    with unchanged(model, module):
        assert autoport.match(model, module).complete


def boom(x: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("boom")


FORWARDS: dict[str, tuple[nn.Module, bool]] = {
    "random": (Around(lambda x: x + 0 * torch.rand_like(x)), True),
    "random choice": (Around(lambda x: x if torch.rand(()) < 2 else -x), True),
    "raises at once": (Around(boom), False),
    "raises at the end": (Around(None, boom), False),
    "returns nothing": (Around(None, lambda y: None), False),
    "returns a number": (Around(None, lambda y: 1.0), False),
    "asks for values": (Around(lambda x: x * (1.0 if float(x.sum()) < 1e9 else 2.0)), True),
    "writes in place": (Around(None, lambda y: y.add_(0)), True),
    "leaves grad mode on": (Around(lambda x: x.detach().requires_grad_()), True),
}


@pytest.mark.parametrize("case", FORWARDS)
def test_odd_forward_passes(case: str) -> None:
    module, can = FORWARDS[case]
    with unchanged(model := keras_model(), module):
        try:
            match = autoport.match(model, module)
        except AutoportError:
            assert not can
            return
    assert not can or match.plan("torch").entries


class Stops(BaseException):
    """Something that is no `Exception`."""


def test_an_interrupted_forward_pass() -> None:
    def stop(x: torch.Tensor) -> torch.Tensor:
        raise Stops

    with unchanged(model := keras_model(), module := Around(None, stop)), pytest.raises(Stops):
        autoport.match(model, module)


class Breaks(layers.Layer):  # type: ignore[misc]
    """A layer that fails once it is told to."""

    broken = False

    def call(self, x: Any) -> Any:
        if self.broken:
            raise RuntimeError("boom")
        return x


def test_a_keras_model_that_raises() -> None:
    model = sequential((9, 12, 3), layers.Conv2D(4, 3), Breaks())
    model.layers[-1].broken = True
    with unchanged(model, module := torch_model()), pytest.raises(AutoportError, match="boom"):
        autoport.match(model, module)


def test_hooks_of_the_user_stay_and_see_nothing_of_the_weights_change() -> None:
    model, module, seen = keras_model(), torch_model(), []
    module[0].register_forward_hook(lambda *given: seen.append("forward"))
    module[4].register_forward_pre_hook(lambda *given: seen.append("before"))
    module.register_full_backward_hook(lambda *given: None)
    handle = nn.modules.module.register_module_forward_hook(lambda *given: None)
    try:
        assert ported(model, module)
    finally:
        handle.remove()


def test_a_hook_that_raises() -> None:
    model, module = keras_model(), torch_model()
    module[0].register_forward_hook(lambda *given: boom(given[1][0]))
    with unchanged(model, module), pytest.raises(InputError, match="boom"):
        autoport.match(model, module)


def test_threads_may_match_shared_models_at_once() -> None:
    model, module = keras_model(), torch_model()
    found: list[Any] = []

    def match() -> None:
        try:
            found.append(autoport.match(model, module).plan("torch").entries.keys())
        except Exception as error:
            found.append(error)

    with unchanged(model, module):
        threads = [threading.Thread(target=match) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [autoport.match(model, module).plan("torch").entries.keys()] * 4


class Nested(nn.Module):
    """A module in a module in a module."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        inner: nn.Module = torch_model()
        for _ in range(depth):
            inner = nn.Sequential(inner)
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def test_modules_nested_as_deeply_as_python_can_call_them() -> None:
    assert autoport.match(keras_model(), Nested(60)).complete


def test_modules_nested_more_deeply_are_a_clear_error() -> None:
    module = Nested(2000)
    with pytest.raises(AutoportError, match="recursion"):
        autoport.match(keras_model(), module)


def test_a_keras_model_in_a_model_in_a_model() -> None:
    model = keras_model()
    for _ in range(40):
        model = sequential((9, 12, 3), model)
    assert autoport.match(model, torch_model()).complete
    assert keras.layers.Layer.__call__.__module__.startswith("keras")
