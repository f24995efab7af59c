"""Records one forward pass of an `nn.Module` as a `torch.fx.Graph`.

Recording sees every public torch function that handles a tensor, so control flow on shapes,
item assignment and checkpointed blocks come out as what really ran. Composite functions of
`torch.nn.functional` (`layer_norm`, `multi_head_attention_forward`, ...) stay one node each.
Fake tensors carry shapes without arithmetic; a model that asks for values gets real ones.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

from autoport.base.exclusive import exclusive
from autoport.errors import TraceError
from autoport.pytorch.untouched import attributes_kept, buffers_kept, caches_kept
from autoport.pytorch.where import caller

logger = logging.getLogger(__name__)


def assign_item(x: torch.Tensor, index: Any, value: Any) -> torch.Tensor:
    """`x[index] = value` as a function that returns `x`, so that it can be a graph node."""
    x[index] = value
    return x


def after_write(x: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
    """`x` once a tensor that shares its memory was written to; in a graph, what orders the two."""
    return x


def _writes(func: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function changes its first argument."""
    name = str(getattr(func, "__name__", ""))
    in_place = (name.endswith("_") and not name.endswith("__")) or name.startswith("__i") or name == "__setitem__"
    return in_place or bool(kwargs.get("inplace"))


class Recorder(TorchFunctionMode):
    """Writes every torch function call on tensors into an `fx.Graph` while it is active."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.graph = fx.Graph(owning_module=None)
        self.modules: list[tuple[str, str]] = []
        self.attributes: dict[str, torch.Tensor] = {}
        self._nodes: Any = WeakIdKeyDictionary()
        self._stored: dict[int, str] = {}
        for path, tensor in stored_tensors(model):
            self._stored.setdefault(id(tensor), path)

    def placeholder(self, name: str, value: torch.Tensor) -> None:
        """Declares an input of the model."""
        self._bind(self.graph.placeholder(name), value)

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if torch._C._functorch.peek_interpreter_stack() is not None:
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
        found = self._nodes.get(index) if isinstance(index, torch.Tensor) else None
        if found is None or isinstance(index, FakeTensor) or index.numel() != 1 or not _listed(found[0]):
            return index
        place = int(index)
        return place if index.ndim == 0 else slice(place, place + 1)

    def _record(self, func: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        node_args = tuple(self._as_argument(arg) for arg in args)
        node_kwargs = {key: self._as_argument(arg) for key, arg in kwargs.items()}
        node = self.graph.create_node("call_function", func, node_args, node_kwargs)
        node.meta.update(nn_module_stack=tuple(self.modules), where=caller())
        self._bind(node, result)
        if isinstance(result, torch.Tensor) and args and (func is assign_item or _writes(func, kwargs)):
            self._rebind_views(node, result)

    def _rebind_views(self, node: fx.Node, written: torch.Tensor) -> None:
        """Lets tensors that share the memory of a written one come after the write."""
        memory = written.untyped_storage()._cdata
        sharing = [t for t in self._nodes if t is not written and t.untyped_storage()._cdata == memory]
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
        found = self._nodes.get(value)
        if found is None:
            node = self._leaf(value)
            self._nodes[value] = (node, None)
            return node
        node, index = found
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
        self.attributes[target] = value
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


def stored_tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Path and tensor of every parameter and buffer; a tied one comes once for each of its paths."""
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


@contextmanager
def mode_of(model: nn.Module, training: bool) -> Iterator[None]:
    """Switches to `train()` or `eval()`, and puts every module's flag back afterwards."""
    flags = {module: module.training for module in model.modules()}
    changed = any(flag != training for flag in flags.values())
    if changed:
        model.train(training)
    try:
        yield
    finally:
        if changed:
            model.train(flags[model])
            for module, training in flags.items():
                module.training = training


@contextmanager
def _module_stack(model: nn.Module, stack: list[tuple[str, str]]) -> Iterator[None]:
    """Keeps `stack` equal to the modules being called, as (path, class name)."""
    paths = {module: path for path, module in model.named_modules()}

    def enter(module: nn.Module, args: Any) -> None:
        stack.append((paths.get(module, ""), type(module).__name__))

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        stack.pop()

    hooks = [
        register_module_forward_pre_hook(enter),
        register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch from logging failures of fake tensors, which are expected while inputs are tried."""
    chatty = logging.getLogger("torch._subclasses.fake_tensor")
    chatty.addFilter(_drop)
    try:
        yield
    finally:
        chatty.removeFilter(_drop)


def _drop(record: logging.LogRecord) -> bool:
    return False


@exclusive
def trace(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], *, real: bool = False, training: bool = False
) -> fx.GraphModule:
    """Records `model(*args, **kwargs)`.

    Args:
        model: any module that runs; neither its weights nor its mode are changed.
        args: positional inputs; tensors are only read for shape, dtype and, if need be, values.
        kwargs: keyword inputs.
        real: whether to compute, so that constants which the forward pass makes have values.
        training: whether in training mode instead of evaluation mode. It is never computed then, because
            that would change statistics.

    Returns:
        The recorded graph. Nodes carry `meta["tensor_meta"]` (a `TensorMeta`), `meta["where"]` (file and
        line) and `meta["nn_module_stack"]` (path and class of each enclosing module call).

    Raises:
        TraceError: the forward pass failed.
    """
    meta = any(parameter.is_meta for parameter in model.parameters())
    fake, computed = FakeTensorMode(allow_non_fake_inputs=True), nullcontext()
    attempts = [computed] if meta or real else [fake] if training else [fake, computed]
    error: Exception | None = None
    for mode in attempts:
        try:
            return _record_once(model, args, kwargs, mode, training)
        except Exception as failure:  # a user's forward may raise anything
            logger.debug("recording under %s failed: %s", type(mode).__name__, failure)
            error = failure
    raise TraceError(f"{type(model).__name__}.forward failed on {_shapes(args, kwargs)}: {error}") from error


def _record_once(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], mode: Any, training: bool
) -> fx.GraphModule:
    fake = isinstance(mode, FakeTensorMode)

    def convert(value: Any) -> Any:
        return mode.from_tensor(value) if fake and isinstance(value, torch.Tensor) else value

    args, kwargs = tree_map(convert, (tuple(args), dict(kwargs)))
    recorder = Recorder(model)
    for number, value in enumerate(leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)):
        recorder.placeholder(f"input_{number}", value)
    untouched = (
        torch.no_grad(),
        torch.random.fork_rng(devices=[]),
        mode_of(model, training),
        attributes_kept(model),
        buffers_kept(model) if training else nullcontext(),
        caches_kept(),
        _quiet(),
    )
    with ExitStack() as stack:
        for context in (*untouched, mode, _module_stack(model, recorder.modules), recorder):
            stack.enter_context(context)
        outputs = model(*args, **kwargs)
    return _finish(model, recorder, outputs)


def output_tensors(outputs: Any) -> list[torch.Tensor]:
    """The tensors a model returned, in order; looks into lists, dicts and dataclasses."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, Mapping):
        return [t for value in outputs.values() for t in output_tensors(value)]
    if isinstance(outputs, (list, tuple)):
        return [t for value in outputs for t in output_tensors(value)]
    if hasattr(outputs, "__dict__"):
        return [t for value in vars(outputs).values() for t in output_tensors(value)]
    return []


def _finish(model: nn.Module, recorder: Recorder, outputs: Any) -> fx.GraphModule:
    recorder.graph.output(tuple(recorder.node_of(t) for t in output_tensors(outputs)))
    return fx.GraphModule(recorder.attributes, recorder.graph, class_name=type(model).__name__)


def _shapes(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    leaves = [leaf for leaf in tree_leaves((tuple(args), dict(kwargs))) if isinstance(leaf, torch.Tensor)]
    return "inputs of shape " + ", ".join(str(tuple(leaf.shape)) for leaf in leaves)


def holds_values(recorded: fx.GraphModule) -> bool:
    """Whether every constant that a forward pass made has values; under fake tensors some have not."""
    made = [node.target for node in recorded.graph.nodes if node.op == "get_attr" and node.meta["path"] is None]
    return not any(isinstance(getattr(recorded, str(name)), FakeTensor) for name in made)
