"""Records one forward pass of an `nn.Module` as a `torch.fx.Graph`.

Recording sees every public torch function that handles a tensor. So control flow on shapes, item assignment and
checkpointed blocks are recorded as the calls that really ran. Composite functions of
`torch.nn.functional` (`layer_norm`, `multi_head_attention_forward`, ...) stay one node each.
Fake tensors carry shapes without arithmetic; a model that asks for values gets real ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from autoport.base.exclusive import exclusive
from autoport.errors import TraceError
from autoport.graph.op import OutputPath
from autoport.internals.pytorch import fake_tensor_log, is_fake, tree_leaves, tree_map
from autoport.pytorch.recording.recorder import Recorder
from autoport.pytorch.recording.untouched import FakeMode, attributes_kept, buffers_kept

logger = logging.getLogger(__name__)


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
    chatty = fake_tensor_log()
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
    if not real and not any(parameter.is_meta for parameter in model.parameters()):
        fake = FakeMode()
        try:
            return _record_once(model, args, kwargs, fake, training)
        except Exception as failure:  # a user's forward may raise anything
            if training:
                raise _failed(model, args, kwargs, failure) from failure
            logger.debug("recording without values failed: %s", failure)
        finally:
            fake.empty_caches()
    try:
        return _record_once(model, args, kwargs, nullcontext(), training)
    except Exception as failure:
        raise _failed(model, args, kwargs, failure) from failure


def _failed(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], failure: Exception) -> TraceError:
    leaves = [leaf for leaf in tree_leaves((tuple(args), dict(kwargs))) if isinstance(leaf, torch.Tensor)]
    shapes = ", ".join(str(tuple(leaf.shape)) for leaf in leaves)
    return TraceError(f"{type(model).__name__}.forward failed on inputs of shape {shapes}: {failure}")


def _record_once(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], mode: Any, training: bool
) -> fx.GraphModule:
    args, kwargs = tuple(args), dict(kwargs)
    if isinstance(mode, FakeMode):
        args, kwargs = tree_map(mode.fake, (args, kwargs))
    recorder = Recorder(stored_tensors(model))
    for number, value in enumerate(leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)):
        recorder.placeholder(f"input_{number}", value)
    untouched = (
        torch.no_grad(),
        torch.random.fork_rng(devices=[]),
        mode_of(model, training),
        attributes_kept(model),
        buffers_kept(model) if training else nullcontext(),
        _quiet(),
    )
    with ExitStack() as stack:
        for context in (*untouched, mode, _module_stack(model, recorder.modules), recorder):
            stack.enter_context(context)
        outputs = model(*args, **kwargs)
    return _finish(model, recorder, outputs)


def output_tensors(outputs: Any, path: OutputPath = ()) -> Iterator[tuple[OutputPath, torch.Tensor]]:
    """The tensors a model returned, in order, each with its path; looks into lists, dicts and dataclasses."""
    if isinstance(outputs, torch.Tensor):
        yield path, outputs
    elif isinstance(outputs, (list, tuple)):
        for place, value in enumerate(outputs):
            yield from output_tensors(value, (*path, place))
    elif isinstance(outputs, Mapping) or hasattr(outputs, "__dict__"):
        for key, value in (outputs if isinstance(outputs, Mapping) else vars(outputs)).items():
            yield from output_tensors(value, (*path, str(key)))


def _finish(model: nn.Module, recorder: Recorder, outputs: Any) -> fx.GraphModule:
    returned = list(output_tensors(outputs))
    node = recorder.graph.output(tuple(recorder.node_of(tensor) for _, tensor in returned))
    node.meta["paths"] = [path for path, _ in returned]
    return fx.GraphModule(recorder.attributes, recorder.graph, class_name=type(model).__name__)


def holds_values(recorded: fx.GraphModule) -> bool:
    """Whether every constant of a forward pass has values; under fake tensors some have none."""
    constants = [node.target for node in recorded.graph.nodes if node.op == "get_attr" and node.meta["path"] is None]
    return not any(is_fake(getattr(recorded, str(name))) for name in constants)
