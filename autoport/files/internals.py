"""What files use of PyTorch and TensorFlow that is not public.

`pytorch/internals.py` and `keras/internals.py` have the rest; files stand below both and import neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def save_room(tensors: Mapping[str, tuple[tuple[int, ...], str]], place: Path) -> dict[str, int]:
    """Writes a state dict with room for the values of its tensors, and says where in the file those of each begin.

    `torch.serialization.skip_data` leaves room. Nothing public makes tensors that take no memory and can be saved, nor
    says where their room is.

    Args:
        tensors: shapes and types, by name.
        place: the file.

    Returns:
        Offsets in bytes, by name.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.serialization import skip_data

    with FakeTensorMode():
        state = {name: torch.empty(shape, dtype=getattr(torch, dtype)) for name, (shape, dtype) in tensors.items()}
    with skip_data(materialize_fake_tensors=True):
        torch.save(state, place)
    with FakeTensorMode():
        room = torch.load(place, weights_only=True)
    return {name: tensor.untyped_storage()._checkpoint_offset for name, tensor in room.items()}


def objects_of_checkpoint(data: bytes) -> Any:
    """The objects that a checkpoint of TensorFlow was made of, with the names of their variables.

    `tf.train.load_checkpoint` gives them as bytes, and `tf.train.list_variables` other names.
    """
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    return TrackableObjectGraph.FromString(data).nodes
