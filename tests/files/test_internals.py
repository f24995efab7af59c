"""Private API of PyTorch and TensorFlow that files use is where it was, and a move is named."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tensorflow as tf
import torch

from autoport.files import internals
from tests.internals import Check, functions_of, run


def save_room() -> None:
    """What is written at an offset is the tensor that PyTorch reads."""
    values = np.array([1.5, 2.5, 3.5], np.float32)
    with TemporaryDirectory() as folder:
        place = Path(folder) / "state.pt"
        offsets = internals.save_room({"other": ((7, 2), "int64"), "values": ((3,), "float32")}, place)
        with place.open("r+b") as file:
            file.seek(offsets["values"])
            file.write(values.tobytes())
        state = torch.load(place)
    assert state["values"].tolist() == values.tolist()
    assert (state["other"].shape, state["other"].dtype) == ((7, 2), torch.int64)


def objects_of_checkpoint() -> None:
    module = tf.Module()
    module.weight = tf.Variable([1.0, 2.0], name="called")
    with TemporaryDirectory() as folder:
        reader = tf.train.load_checkpoint(tf.train.Checkpoint(module=module).write(f"{folder}/checkpoint"))
        objects = internals.objects_of_checkpoint(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    attributes = [(a.full_name, a.checkpoint_key) for node in objects for a in node.attributes]
    assert ("called", "module/weight/.ATTRIBUTES/VARIABLE_VALUE") in attributes


CHECKS: dict[str, Check] = {"save_room": save_room, "objects_of_checkpoint": objects_of_checkpoint}


@pytest.mark.parametrize("name", functions_of(internals))
def test_private_api_that_files_use_works_with_the_installed_version(name: str) -> None:
    run(internals, name, CHECKS, "torch tensorflow")
