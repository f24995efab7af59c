"""Reads a PyTorch model: searches inputs that it takes, records a forward pass, lowers the recorded graph."""

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
from autoport.pytorch.inputs import Named, as_model_input, candidates, named_axes
from autoport.pytorch.lower import lower
from autoport.pytorch.store import TorchStore
from autoport.pytorch.stored import stored_model
from autoport.pytorch.trace import holds_values, stored_tensors, trace


@dataclass
class TorchReading:
    """A PyTorch model as a graph.

    Attributes:
        graph: the shared form.
        recorded: the recorded `torch.fx` graph behind it.
        args: positional inputs that it was recorded on.
        kwargs: keyword inputs that it was recorded on.
        names: for each tensor among them the place of its Keras input, and the names of its axes.
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


def read(model: nn.Module, arrays: Sequence[Any], torch_inputs: Any = None) -> TorchReading:
    """Reads a model.

    Args:
        model: any module that runs.
        arrays: the inputs of the Keras model.
        torch_inputs: the same data as this model takes it (tensor or array, tuple of positional inputs,
            dict of keyword inputs); worked out from `arrays` when left out.

    Raises:
        TraceError: the model fails on `torch_inputs`.
        InputError: the model fails on `arrays` in every arrangement.
    """
    if torch_inputs is not None:
        return _read_on_inputs(model, arrays, torch_inputs)
    failure: TraceError | None = None
    for tensors, names in candidates(model, arrays):
        try:
            recorded = trace(model, tensors, {})
        except TraceError as error:
            failure = failure or error
            continue
        return TorchReading(lower(model, recorded, names), recorded, tuple(tensors), {}, names, model)
    raise InputError(
        f"{type(model).__name__} runs on no arrangement of the inputs of the Keras model: pass torch_inputs=. "
        f"The first try failed: {failure}"
    ) from failure


def _read_on_inputs(model: nn.Module, arrays: Sequence[Any], inputs: Any) -> TorchReading:
    args, kwargs = split_inputs(inputs)
    names = named_axes([leaf for leaf in tree_leaves((args, kwargs)) if hasattr(leaf, "shape")], arrays)

    def to_model(leaf: Any) -> Any:
        return as_model_input(model, leaf) if hasattr(leaf, "shape") else leaf

    args, kwargs = tree_map(to_model, (args, kwargs))
    recorded = trace(model, args, kwargs)
    return TorchReading(lower(model, recorded, names), recorded, tuple(args), dict(kwargs), names, model)


def split_inputs(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and the keyword inputs among what a user passes as `torch_inputs`."""
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    if isinstance(inputs, torch.Tensor) or not isinstance(inputs, (tuple, list)):
        return (inputs,), {}
    return tuple(inputs), {}


def reread(model: nn.Module, before: TorchReading) -> TorchReading:
    """A reading of a model as it is now, ready to run: the same one if the calls and the stored tensors are the same.

    Args:
        model: the module that `before` was read from; it may have changed since.
        before: the earlier reading.
    """

    def to_model(leaf: Any) -> Any:
        return as_model_input(model, leaf, as_integers=not leaf.is_floating_point()) if hasattr(leaf, "shape") else leaf

    args, kwargs = tree_map(to_model, (before.args, before.kwargs))
    recorded = trace(model, args, kwargs)
    same = same_calls(recorded, before.recorded) and _same_tensors(recorded, before.recorded)
    if same and holds_values(before.recorded):
        return before
    if not holds_values(recorded):
        recorded = trace(model, args, kwargs, real=True)
    return TorchReading(lower(model, recorded, before.names), recorded, args, kwargs, before.names, model)


def same_calls(first: fx.GraphModule, second: fx.GraphModule) -> bool:
    """Whether two recorded graphs are the same calls in the same order."""
    return _calls(first) == _calls(second)


def same_constants(first: fx.GraphModule, second: fx.GraphModule) -> bool:
    """Whether the constants that two recordings of the same calls have made are equal."""
    made = [node.target for node in first.graph.nodes if node.op == "get_attr" and node.meta["path"] is None]
    pairs = [(getattr(first, str(name)), getattr(second, str(name))) for name in made]
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def _calls(recorded: fx.GraphModule) -> list[str]:
    return [f"{node.op} {node.target} {node.args} {node.kwargs}" for node in recorded.graph.nodes]


def _same_tensors(first: fx.GraphModule, second: fx.GraphModule) -> bool:
    """Whether both read the very same stored tensors."""
    stored = [node.target for node in first.graph.nodes if node.op == "get_attr" and node.meta["path"] is not None]
    return all(attrgetter(str(path))(first) is attrgetter(str(path))(second) for path in stored)
