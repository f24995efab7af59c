"""Other ways to carry weights from Keras to PyTorch, as people do it today.

Each takes both models, changes neither, and returns the tensors it placed by their path in the
PyTorch state dict, or raises. Counters (`num_batches_tracked`), which Keras lacks, are left out.
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

StateDict = dict[str, torch.Tensor]
Rival = Callable[[Any, nn.Module], StateDict]

# By rank: dense `i o`, convolutions `... i o`. A depthwise kernel `h w c 1` comes out right, too,
# because axes of size 1 are not looked at below.
TO_TORCH = {2: (1, 0), 3: (2, 1, 0), 4: (3, 2, 0, 1), 5: (4, 3, 0, 1, 2)}


class RivalError(Exception):
    """A rival gave up."""


def targets(module: nn.Module) -> StateDict:
    """The tensors of a PyTorch model that are to be filled."""
    return {path: t for path, t in module.state_dict().items() if not path.endswith("num_batches_tracked")}


def sources(model: Any) -> list[np.ndarray]:
    """The weights of a Keras model in their order, transposed by rank."""
    arrays = [np.asarray(variable) for variable in model.weights]
    return [array.transpose(TO_TORCH.get(array.ndim, range(array.ndim))) for array in arrays]


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of size 1."""
    return tuple(size for size in shape if size != 1)


def like(array: np.ndarray, tensor: torch.Tensor) -> torch.Tensor:
    """A copy of an array in the shape and type of a tensor."""
    return torch.from_numpy(array.copy()).reshape(tensor.shape).to(tensor.dtype)


def order_copy(model: Any, module: nn.Module) -> StateDict:
    """The common recipe: walk both lists of weights side by side, transpose by rank, stop at a misfit."""
    given, wanted = sources(model), targets(module)
    if len(given) != len(wanted):
        raise RivalError(f"{len(given)} tensors for {len(wanted)} places")
    placed = {}
    for array, (path, tensor) in zip(given, wanted.items(), strict=True):
        if squeezed(array.shape) != squeezed(tuple(tensor.shape)):
            raise RivalError(f"{array.shape} does not fit {tuple(tensor.shape)}")
        placed[path] = like(array, tensor)
    return placed


def shape_queues(model: Any, module: nn.Module) -> StateDict:
    """One queue for each transposed shape; every place takes the next array of its shape, if there is one."""
    queues: dict[tuple[int, ...], deque[np.ndarray]] = defaultdict(deque)
    for array in sources(model):
        queues[squeezed(array.shape)].append(array)
    wanted = {path: (tensor, queues[squeezed(tuple(tensor.shape))]) for path, tensor in targets(module).items()}
    return {path: like(queue.popleft(), tensor) for path, (tensor, queue) in wanted.items() if queue}


def weightbridge(model: Any, module: nn.Module) -> StateDict:
    """The package weightbridge, as its README says, without hints: by names and shapes of weights.

    Where it finds a weight without a partner, it is asked again to let such weights be.
    """
    try:
        return _adapt(model, module)
    except ValueError as error:
        if "unmatched" not in str(error):
            raise
        return _adapt(model, module, ignore_unmatched_inputs=True, ignore_unmatched_outputs=True)


def _adapt(model: Any, module: nn.Module, **options: bool) -> StateDict:
    import weightbridge as package

    wanted = targets(module)
    with contextlib.redirect_stdout(io.StringIO()):
        made = package.adapt(
            {variable.path: np.asarray(variable) for variable in model.weights},
            wanted,
            in_format="tensorflow",
            out_format="pytorch",
            in_separator="/",
            out_separator=".",
            **options,
        )
    return {path: tensor for path, tensor in made.items() if tensor is not wanted[path]}


RIVALS: dict[str, Rival] = {
    "order copy": order_copy,
    "shape queues": shape_queues,
    "weightbridge": weightbridge,
}
