"""Writes every torch function call on tensors into a `torch.fx.Graph`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from autoport.internals.pytorch import in_transform, is_fake, known_value, memory_of, tree_leaves, tree_map
from autoport.pytorch.recording.where import caller


def assign_item(x: torch.Tensor, index: Any, value: Any) -> torch.Tensor:
    """`x[index] = value` as a function that returns `x`, so that it can be a graph node."""
    x[index] = value
    return x


def after_write(x: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
    """`x` once a tensor that shares its memory was written to; in a graph, what orders the two."""
    return x


def writes(func: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function changes its first argument, and returns it."""
    if func is assign_item:
        return True
    name = str(getattr(func, "__name__", ""))
    in_place = (name.endswith("_") and not name.endswith("__")) or name.startswith("__i") or name == "__setitem__"
    return in_place or bool(kwargs.get("inplace"))


class Recorder(TorchFunctionMode):
    """Writes every torch function call on tensors into an `fx.Graph` while it is active."""

    def __init__(self, stored: Iterable[tuple[str, torch.Tensor]]) -> None:
        super().__init__()
        self.graph = fx.Graph(owning_module=None)
        self.modules: list[tuple[str, str]] = []
        self.attributes: dict[str, torch.Tensor] = {}
        self._nodes: Any = WeakIdKeyDictionary()
        self._stored: dict[int, str] = {}
        for path, tensor in stored:
            self._stored.setdefault(id(tensor), path)

    def placeholder(self, name: str, value: torch.Tensor) -> None:
        """Declares an input of the model."""
        self._bind(self.graph.placeholder(name), value)

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if in_transform():
            return result  # inside of a vmap: its tensors mean nothing outside, where the result is a constant
        if func is torch.Tensor.__getitem__:
            args = (args[0], self._settled(args[1]))
        if func is torch.Tensor.__setitem__:
            self._record(assign_item, args, {}, args[0])
        elif any(isinstance(leaf, torch.Tensor) for leaf in tree_leaves(result)):
            self._record(*_plain(func, args), kwargs, result)
        return result

    def _settled(self, index: Any) -> Any:
        """An index without positions that a loop goes through: their values say which part of the model is run."""
        if isinstance(index, tuple):
            return tuple(self._settled(part) if getattr(part, "ndim", 1) == 0 else part for part in index)
        origin = self._nodes.get(index) if isinstance(index, torch.Tensor) else None
        if origin is None or is_fake(index) or index.numel() != 1 or not _listed(origin[0]):
            return index
        place = int(index)
        return place if index.ndim == 0 else slice(place, place + 1)

    def _record(self, func: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        node_args = tuple(self._as_argument(arg) for arg in args)
        node_kwargs = {key: self._as_argument(arg) for key, arg in kwargs.items()}
        node = self.graph.create_node("call_function", func, node_args, node_kwargs)
        node.meta.update(nn_module_stack=tuple(self.modules), where=caller())
        self._bind(node, result)
        if isinstance(result, torch.Tensor) and args and writes(func, kwargs):
            self._rebind_views(node, result)

    def _rebind_views(self, node: fx.Node, written: torch.Tensor) -> None:
        """Lets tensors that share the memory of a written one come after the write."""
        memory = memory_of(written)
        sharing = [t for t in self._nodes if t is not written and memory_of(t) == memory]
        for tensor in sharing:
            later = self.graph.call_function(after_write, (self.node_of(tensor), node))
            later.meta.update(tensor_meta=_describe(tensor), nn_module_stack=node.meta["nn_module_stack"])
            self._nodes[tensor] = (later, None)

    def _bind(self, node: fx.Node, result: Any) -> None:
        node.meta["tensor_meta"] = tree_map(_describe, result)
        if isinstance(result, torch.Tensor):
            self._nodes[result] = (node, None)
        elif isinstance(result, (tuple, list)):
            for index, part in enumerate(result):
                if isinstance(part, torch.Tensor):
                    self._nodes[part] = (node, index)

    def _as_argument(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self.node_of(value)
        if isinstance(value, (tuple, list)) and any(isinstance(v, torch.Tensor) for v in tree_leaves(value)):
            return (tuple if isinstance(value, tuple) else list)(self._as_argument(v) for v in value)
        if isinstance(value, Mapping):
            return {key: self._as_argument(v) for key, v in value.items()}
        if isinstance(value, type):  # classes of autograd functions, which no graph can print
            return value.__name__
        return tuple(value) if isinstance(value, torch.Size) else value

    def node_of(self, value: torch.Tensor) -> fx.Node:
        """The node that made a tensor; a parameter or a constant gets its node on first use."""
        origin = self._nodes.get(value)
        if origin is None:
            node = self._leaf(value)
            self._nodes[value] = (node, None)
            return node
        node, index = origin
        if index is None:
            return node
        item = self.graph.call_function(_getitem, (node, index))
        item.meta.update(tensor_meta=_describe(value), nn_module_stack=node.meta.get("nn_module_stack", ()))
        self._nodes[value] = (item, None)
        return item

    def _leaf(self, value: torch.Tensor) -> fx.Node:
        path = self._stored.get(id(value))
        plain = path is not None and re.fullmatch(r"[\w.]+", path)
        target = path if path is not None and plain else f"_tensor{len(self.attributes)}"
        self.attributes[target] = value if path is not None else known_value(value)
        node = self.graph.create_node("get_attr", target, (), {})
        node.meta.update(tensor_meta=_describe(value), path=path)
        return node


def _listed(node: fx.Node) -> bool:
    """Whether a node is a part of the positions that `nonzero` lists."""
    while node.target in PARTS:
        node = node.args[0]
    return getattr(node.target, "__name__", "") in ("nonzero", "argwhere")


def _plain(func: Callable[..., Any], args: Any) -> tuple[Callable[..., Any], Any]:
    """The getter of a property as `getattr`, which a graph can hold."""
    if getattr(func, "__name__", "") != "__get__":
        return func, args
    return getattr, (args[0], func.__self__.__name__)  # type: ignore[attr-defined]


def _getitem(parts: Sequence[Any], index: int) -> Any:
    return parts[index]


# How parts of a tensor are taken.
PARTS = (_getitem, torch.Tensor.__getitem__, torch.Tensor.unbind, torch.unbind, torch.Tensor.__iter__)


@dataclass(frozen=True)
class TensorMeta:
    """Shape and dtype of a recorded tensor, so that the graph keeps no activation alive."""

    shape: tuple[int, ...]
    dtype: torch.dtype


def _describe(value: Any) -> Any:
    return TensorMeta(tuple(value.shape), value.dtype) if isinstance(value, torch.Tensor) else value
