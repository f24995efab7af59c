"""The oracle that the layer tests share: a port is right if it can be undone and computes the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

import autoport
from autoport.facts.framework import Framework
from tests.support import keras_float64, randomise_keras, randomise_torch, relative_error

Shape = tuple[int, ...]


def sequential(shape: Shape, *layers: Any) -> Any:
    """A Keras Sequential model on inputs of `shape`, without the batch axis."""
    return keras.Sequential([keras.Input(shape), *layers])


def example(model: Any, batch: int = 2) -> list[np.ndarray[Any, Any]]:
    """Random inputs for a functional Keras model; integers where it wants them."""
    rng = np.random.default_rng(7)
    return [
        rng.standard_normal((batch, *tensor.shape[1:]))
        if "float" in str(tensor.dtype)
        else rng.integers(0, 5, (batch, *tensor.shape[1:]))
        for tensor in model.inputs
    ]


def assert_ports(
    build: Callable[[], Any],
    module: nn.Module,
    *,
    orders: Sequence[Shape] | None = None,
    differences: set[str] | None = None,
    equal: bool = True,
    recovers: bool = True,
) -> autoport.Match:
    """Ports a Keras model into a module and back.

    Args:
        build: makes the Keras model; called in float64.
        module: the PyTorch model.
        orders: for each input the order of axes that turns it into PyTorch's; channels first for
            images when left out.
        differences: names that `match.differences` must have, training-only ones aside.
        equal: whether both functions are the same once the weights are.
        recovers: whether the way back restores every Keras weight; an absorbed bias does not.

    Returns:
        The match.
    """
    with keras_float64():
        model = build()
        module = module.double().eval()
        randomise_keras(model, 1)
        randomise_torch(module, 2)
        match = autoport.match(model, module)
        assert match.complete, (match.unmatched_tf, match.unmatched_torch)
        found = {d.name for d in match.differences if not d.training_only}
        assert found == (differences or set()), match.differences
        match.assign()
        if equal:
            arrays = example(model)
            error = relative_error(run_torch(module, arrays, orders), run_keras(model, arrays))
            assert error < 1e-9, error
        verification = match.verify()
        assert verification.ok or not equal, str(verification)
        assert not verification.ok or equal or not differences, str(verification)
        assert not verification.ok or not verification.divergences
        if recovers:
            assert_recovers(match, model)
    return match


def run_keras(model: Any, arrays: list[Any]) -> Any:
    """First output of a Keras model."""
    result = model(arrays[0] if len(arrays) == 1 else arrays, training=False)
    return keras.ops.convert_to_numpy(result[0] if isinstance(result, (list, tuple)) else result)


def run_torch(module: nn.Module, arrays: list[Any], orders: Sequence[Shape] | None = None) -> Any:
    """First output of a module on the same data; images come out channels last."""
    default = {4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}
    chosen = orders or [default.get(a.ndim, tuple(range(a.ndim))) for a in arrays]
    with torch.no_grad():
        tensors = [torch.from_numpy(a.transpose(o).copy()) for a, o in zip(arrays, chosen, strict=True)]
        result = module(*tensors)
    first = result[0] if isinstance(result, (list, tuple)) else result
    channels_first = first.ndim == arrays[0].ndim and chosen[0][1] == arrays[0].ndim - 1
    return (first.movedim(1, -1) if channels_first else first).numpy()


def assert_recovers(match: autoport.Match, model: Any) -> None:
    """The way back restores every Keras weight, bit for bit."""
    before = {path: np.asarray(value) for path, value in _weights(match).items()}
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    match.assign(to="tf")
    for path, value in _weights(match).items():
        assert np.array_equal(value, before[path]), path


def _weights(match: autoport.Match) -> dict[str, Any]:
    read = match.graph_tf.read_tensors()
    store = match.analysis.open_store(Framework.TF)
    return {path: np.array(store.read(path)) for path in read}
