"""Assigning that fails: at any tensor, in either direction, on a full disk, with values that do not fit."""

from __future__ import annotations

import errno
import tempfile
import tracemalloc
from typing import Any

import keras
import numpy as np
import pytest
import torch

import autoport
from autoport.errors import TransferError
from autoport.keras.store import KerasStore
from autoport.pytorch.store import TorchStore
from autoport.transfer import into_model as transfer
from tests.faults.models import TENSORS, keras_model, torch_model
from tests.faults.unchanged import unchanged

STORES = {"torch": TorchStore, "tf": KerasStore}


@pytest.mark.parametrize("failure", [MemoryError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("to", STORES)
def test_a_failure_at_any_write_is_undone(to: str, failure: type[BaseException], monkeypatch: Any) -> None:
    model, module = keras_model(), torch_model()
    match = autoport.match(model, module)
    write = STORES[to].write
    for failing in range(TENSORS):
        calls = iter(range(100))

        def fail(self: Any, path: str, value: Any, calls: Any = calls, failing: int = failing) -> None:
            if next(calls) == failing:
                raise failure("in the middle")
            write(self, path, value)

        with monkeypatch.context() as patch, unchanged(model, module):
            patch.setattr(STORES[to], "write", fail)
            with pytest.raises(failure):
                match.assign(to=to)
    match.assign(to=to)


@pytest.mark.parametrize("to", STORES)
def test_a_failure_at_any_read_is_undone(to: str, monkeypatch: Any) -> None:
    model, module = keras_model(), torch_model()
    match = autoport.match(model, module)
    source = STORES["tf" if to == "torch" else "torch"]
    read = source.read
    for failing in range(2 * TENSORS):
        calls = iter(range(100))

        def fail(self: Any, path: str, calls: Any = calls, failing: int = failing) -> Any:
            if next(calls) == failing:
                raise MemoryError("in the middle")
            return read(self, path)

        with monkeypatch.context() as patch, unchanged(model, module):
            patch.setattr(source, "read", fail)
            with pytest.raises(MemoryError):
                match.assign(to=to)


class FullDisk:
    """A file that takes so many writes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: Any) -> int:
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.file.write(data))

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: Any) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize("to", STORES)
def test_a_disk_that_runs_full_leaves_everything_as_it_was(to: str, monkeypatch: Any) -> None:
    model, module = keras_model(), torch_model()
    match = autoport.match(model, module)
    make = tempfile.TemporaryFile
    for room in range(TENSORS):
        with monkeypatch.context() as patch, unchanged(model, module):
            patch.setattr(transfer.tempfile, "TemporaryFile", lambda room=room, **given: FullDisk(make(**given), room))
            with pytest.raises(TransferError, match="No space left"):
                match.assign(to=to)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("to", STORES)
def test_values_that_are_no_numbers_are_refused(to: str, value: float) -> None:
    model, module = keras_model(), torch_model()
    match = autoport.match(model, module)
    for place, variable in enumerate(model.weights[:TENSORS]):
        poisoned = np.array(variable.value)
        poisoned.flat[-1] = value
        if to == "torch":
            variable.assign(poisoned)
        else:
            with torch.no_grad():
                tensor = [t for t in module.state_dict().values() if t.is_floating_point()][place]
                tensor.view(-1)[-1] = value
        with unchanged(model, module), pytest.raises(TransferError, match="NaN or infinity"):
            match.assign(to=to)


@pytest.mark.parametrize("to", STORES)
def test_assigning_needs_a_few_slabs_of_memory(to: str) -> None:
    """Kernels are transposed, and a flattened one permuted: neither is held as a whole, also when it is undone."""
    stack = [keras.layers.Conv2D(512, 1), keras.layers.Flatten(), keras.layers.Dense(512)]
    model = keras.Sequential([keras.Input((2, 3, 2048)), *stack])
    net = torch.nn.Sequential(torch.nn.Conv2d(2048, 512, 1), torch.nn.Flatten(), torch.nn.Linear(3072, 512))
    match = autoport.match(model, net)
    match.assign(to=to)
    tracemalloc.start()
    try:
        match.assign(to=to)
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert used < 4 * transfer.SLAB_BYTES
