"""What every reconciliation must hold: it verifies, its patch does the same elsewhere, and it can be taken back."""

from __future__ import annotations

import copy
from typing import Any

import keras
import torch
from torch import nn

import autoport
from autoport.verify.reconciling.changes import Reconciliation
from tests.support import randomise_keras, randomise_torch


def pair(keras_layers: list[Any], module: nn.Module, shape: tuple[int, ...]) -> autoport.Match:
    """A sequence of Keras layers, and a module with its weights."""
    model = keras.Sequential([keras.Input(shape), *keras_layers])
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module.eval())
    match.assign()
    return match


def check_mended(match: autoport.Match, **options: bool) -> Reconciliation:
    """Reconciles what differs: nothing is left then."""
    module = match.readings.torch.model
    args, keys, fresh = match.readings.torch.args, list(module.state_dict()), copy.deepcopy(module)
    x = tuple(torch.rand(arg.shape) for arg in args)
    with torch.no_grad():
        before = module(*x)
        assert not match.verify().ok
        reconciliation = match.reconcile(**options)
        assert not reconciliation.left, str(reconciliation)
        verification = match.verify()
        assert verification.ok, str(verification)
        assert list(module.state_dict()) == keys
        exec(reconciliation.patch, {"model": fresh})
        assert torch.equal(fresh(*x), module(*x))
        assert not torch.equal(module(*x), before)
        done = reconciliation.done
        reconciliation.undo()
        assert torch.equal(module(*x), before)
        assert not match.verify().ok
    reconciliation = match.reconcile(**options)
    assert reconciliation.done == done
    return reconciliation
