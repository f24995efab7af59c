"""A recorded `torch.fx.Graph` -> the shared vocabulary, by the table of functions.

A function without a row becomes an operation named like it, so it stays part of the topology.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn

from autoport.graph import Graph, Parameters, Stored, Tensor, Value
from autoport.graph.build import Builder
from autoport.graph.vocabulary import foreign_kind
from autoport.internals.pytorch import is_fake, tree_leaves, tree_map
from autoport.pytorch.calls import Call
from autoport.pytorch.inputs import Named
from autoport.pytorch.recording.recorder import TensorMeta
from autoport.pytorch.table import TABLE, bare_name, parameter_names
from autoport.pytorch.trace import stored_tensors


class TorchLowering:
    """Walks a recorded graph and applies the table."""

    def __init__(self, model: nn.Module, recorded: fx.GraphModule) -> None:
        self.builder = Builder()
        self._recorded = recorded
        self._buffers = {path: tensor for path, tensor in stored_tensors(model) if not isinstance(tensor, nn.Parameter)}
        self._persistent = {path for path in model.state_dict() if path in self._buffers}
        self._env: dict[fx.Node, Any] = {}
        self._parameters = Parameters(self._parameter)
        first: dict[int, str] = {}
        for path, tensor in stored_tensors(model):
            if id(tensor) in first:
                self.builder.graph.aliases[path] = first[id(tensor)]
            else:
                first[id(tensor)] = path
                self.builder.tensor(_tensor(path, tensor))

    def run(self, inputs: Sequence[Named]) -> Graph:
        """Lowers every node.

        Args:
            inputs: for each input the place of its Keras input, and the names of its axes.
        """
        named = iter(inputs)
        for node in self._recorded.graph.nodes:
            if node.op == "placeholder":
                shape = tuple(node.meta["tensor_meta"].shape)
                place, axes = next(named)
                self._env[node] = self.builder.emit("input", [], shape, axes=list(axes), position=place)
            elif node.op == "get_attr":
                self._env[node] = self._leaf(node)
            elif node.op == "call_function":
                self._env[node] = self._call(node)
            else:
                values = [self._env[arg] for arg in node.args[0]]
                self.builder.graph.outputs = [self.data(value) for value in values]
                self.builder.graph.output_paths = node.meta["paths"]
        self._note_origins()
        return self.builder.graph

    def _note_origins(self) -> None:
        for node, result in self._env.items():
            parts = result if isinstance(result, (list, tuple)) and not isinstance(result, Value) else [result]
            for place, part in enumerate(parts):
                value = self._parameters.get(part.path) if isinstance(part, Stored) else part
                if isinstance(value, Value):
                    self.builder.graph.origins.setdefault(value, (node, None if parts[0] is result else place))

    def _leaf(self, node: fx.Node) -> Any:
        path = node.meta["path"]
        if path is not None:
            return Stored(path)
        self.builder.path, self.builder.type = "", ""
        return self._constant(getattr(self._recorded, node.target))

    def _call(self, node: fx.Node) -> Any:
        path, kind = (node.meta.get("nn_module_stack") or (("", ""),))[-1]
        self.builder.path, self.builder.type = path, kind
        name, given = bare_name(node.target), node.args
        if node.target is getattr:
            name, given = f"get_{node.args[1]}", node.args[:1]
        if name == "_getitem":
            parts = self._env[node.args[0]]
            return parts[node.args[1]] if isinstance(parts, (list, tuple)) else parts
        rule, parameters = TABLE.get(name, (_unknown, ()))
        parameters = parameter_names(node.target, parameters)
        keyed = dict(zip(parameters, given, strict=False))
        extra = {f"argument_{k}": arg for k, arg in enumerate(given[len(parameters) :])}
        arguments = tree_map(self._resolve, {**keyed, **extra, **node.kwargs})
        return rule(Call(name, arguments, node.meta["tensor_meta"], self, _is_real(node)))

    def _resolve(self, argument: Any) -> Any:
        return self._env[argument] if isinstance(argument, fx.Node) else argument

    def data(self, value: Any) -> Value:
        """A tensor as data, wherever it comes from."""
        if isinstance(value, Stored):
            return self._parameters[value.path]
        if isinstance(value, (list, tuple)) and not isinstance(value, Value):
            return self.data(value[0])
        if not isinstance(value, Value):
            raise TypeError(f"not a tensor: {value!r}")
        return value

    def _parameter(self, path: str) -> Value:
        tensor = self.builder.graph.tensors[path]
        kind = self.builder.type
        self.builder.type = "parameter"
        value = self.builder.parameter(path) if tensor.trainable else self._constant(self._buffers[path], path)
        self.builder.type = kind
        return value

    def _constant(self, tensor: torch.Tensor, path: str | None = None) -> Value:
        has_values = not tensor.is_meta and not is_fake(tensor)
        values = tensor.detach().cpu() if has_values else None
        if values is not None and values.is_floating_point():
            values = values.float()
        stored = path if path in self._persistent and tensor.is_floating_point() else None
        return self.builder.constant(None if values is None else values.numpy(), tuple(tensor.shape), stored)


def _is_real(node: fx.Node) -> bool:
    metas = tree_leaves([other.meta.get("tensor_meta") for other in node.all_input_nodes])
    return not any(isinstance(meta, TensorMeta) and meta.dtype.is_complex for meta in metas)


def _unknown(call: Call) -> Any:
    return call.emit(foreign_kind(call.name))


def _tensor(path: str, tensor: torch.Tensor) -> Tensor:
    trainable = isinstance(tensor, nn.Parameter)
    return Tensor(path, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), trainable)


def lower(model: nn.Module, recorded: fx.GraphModule, inputs: Sequence[Named]) -> Graph:
    """Lowers a recorded forward pass.

    Args:
        model: the module it was recorded from; only its tensors' names and shapes are read.
        recorded: what `trace` returned.
        inputs: for each input the place of its Keras input, and the names of its axes, for example
            `[(0, ("n", "c", "h", "w"))]`.

    Returns:
        The graph, with every tensor of the model registered.
    """
    return TorchLowering(model, recorded).run(inputs)
