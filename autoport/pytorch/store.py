"""The parameters and buffers of a PyTorch model as a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoport.errors import TransferError
from autoport.weights.algebra import Array, enumerate_slabs


class TorchStore:
    """The parameters and buffers of a PyTorch model."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self._tensors = tensors

    def read(self, path: str) -> Array:
        """A tensor as an array; bfloat16, which numpy lacks, as float32."""
        import torch

        tensor = self._tensors[path].detach()
        if tensor.is_meta:
            raise TransferError(
                f"{path} is on the meta device and holds no values: take match.state_dict() and load it "
                "with load_state_dict(..., assign=True)"
            )
        tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        array: Array = tensor.cpu().numpy()
        return array

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Copies into a tensor, on whatever device it is."""
        import torch

        tensor = self._tensors[path]
        with torch.no_grad():
            for index, piece in enumerate_slabs(tensor.shape, pieces):
                tensor[index].copy_(torch.from_numpy(piece))

    def holds(self, path: str) -> bool:
        """Whether a tensor has values: those on the meta device have none."""
        return not self._tensors[path].is_meta
