"""Reads a PyTorch model: finds inputs that it takes, records it, lowers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import fx, nn

import autoport.pytorch.functions  # noqa: F401  fills the table
from autoport.errors import InputError, TraceError
from autoport.files.stored_model import StoredModel
from autoport.graph import Graph
from autoport.internals.pytorch import tree_leaves, tree_map
from autoport.pytorch.inputs import Named, candidates, named_axes, placed_like
from autoport.pytorch.lower import lower
from autoport.pytorch.store import TorchStore
from autoport.pytorch.stored import stored_model
from autoport.pytorch.trace import holds_values, stored_tensors, trace


@dataclass
class TorchReading:
    """A PyTorch model as a graph.

    Attributes:
        graph: the shared form.
        recorded: the same as a `torch.fx` graph.
        args: positional inputs it was recorded on.
        kwargs: keyword inputs it was recorded on.
        names: for each of its tensors the Keras input that it is, and the names of its axes.
        model: the model itself.
    """

    graph: Graph
    recorded: fx.GraphModule
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: list[Named]
    model: nn.Module

    @property
    def name(self) -> str:
        """Class of the model, shown to people."""
        return type(self.model).__name__

    def store(self) -> TorchStore:
        """Its parameters and buffers, as they are now."""
        return TorchStore(dict(stored_tensors(self.model)))

    def stored_model(self) -> StoredModel:
        """The model as files know it."""
        return stored_model(self.name, self.graph, self.model)

    def in_training(self) -> Graph:
        """The graph of the model in training mode.

        Raises:
            TraceError: the forward pass failed.
        """
        return lower(self.model, trace(self.model, self.args, self.kwargs, training=True), self.names)


def read(model: nn.Module, arrays: Sequence[Any], given: Any = None) -> TorchReading:
    """Reads a model.

    Args:
        model: any module that runs.
        arrays: the inputs of the Keras model.
        given: the same data as this model takes it (tensor or array, tuple of positional inputs,
            dict of keyword inputs); worked out from `arrays` when left out.

    Raises:
        TraceError: the model fails on the given inputs.
        InputError: no way to feed it `arrays` was found.
    """
    if given is not None:
        return _read_given(model, arrays, given)
    failure: TraceError | None = None
    for tensors, names in candidates(model, arrays):
        try:
            recorded = trace(model, tensors, {})
        except TraceError as error:
            failure = failure or error
            continue
        return TorchReading(lower(model, recorded, names), recorded, tuple(tensors), {}, names, model)
    raise InputError(
        f"no way was found to feed {type(model).__name__} what the Keras model takes; "
        f"pass torch_inputs=. First try: {failure}"
    ) from failure


def _read_given(model: nn.Module, arrays: Sequence[Any], given: Any) -> TorchReading:
    args, kwargs = as_call(given)
    names = [named_axes(leaf, arrays) for leaf in tree_leaves((args, kwargs)) if hasattr(leaf, "shape")]

    def place(leaf: Any) -> Any:
        return placed_like(model, leaf) if hasattr(leaf, "shape") else leaf

    args, kwargs = tree_map(place, (args, kwargs))
    recorded = trace(model, args, kwargs)
    return TorchReading(lower(model, recorded, names), recorded, tuple(args), dict(kwargs), names, model)


def as_call(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword inputs from what a user may pass."""
    if isinstance(given, Mapping):
        return (), dict(given)
    if isinstance(given, torch.Tensor) or not isinstance(given, (tuple, list)):
        return (given,), {}
    return tuple(given), {}


def reread(model: nn.Module, before: TorchReading) -> TorchReading:
    """A model as it is now, ready to run: the same reading if it still computes the same on the same tensors.

    Args:
        model: the module that `before` was read from; it may have changed since.
        before: what was read.
    """

    def place(leaf: Any) -> Any:
        return placed_like(model, leaf, whole=not leaf.is_floating_point()) if hasattr(leaf, "shape") else leaf

    args, kwargs = tree_map(place, (before.args, before.kwargs))
    recorded = trace(model, args, kwargs)
    same = _calls(recorded) == _calls(before.recorded) and _same_tensors(recorded, before.recorded)
    if same and holds_values(before.recorded):
        return before
    if not holds_values(recorded):
        recorded = trace(model, args, kwargs, real=True)
    return TorchReading(lower(model, recorded, before.names), recorded, args, kwargs, before.names, model)


def _calls(recorded: fx.GraphModule) -> list[str]:
    return [f"{node.op} {node.target} {node.args} {node.kwargs}" for node in recorded.graph.nodes]


def _same_tensors(first: fx.GraphModule, second: fx.GraphModule) -> bool:
    """Whether both read the very same stored tensors."""
    stored = [node.target for node in first.graph.nodes if node.op == "get_attr" and node.meta["path"] is not None]
    return all(attrgetter(str(path))(first) is attrgetter(str(path))(second) for path in stored)
