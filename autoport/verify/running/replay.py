"""Runs a recorded `torch.fx` graph on copies of its tensors in torch's default float type, whatever it was recorded in.

The user's module is not called. Each of its tensors is copied when it is read, and freed behind its last consumer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx

from autoport.errors import VerificationError
from autoport.internals.pytorch import is_fake, tree_map
from autoport.pytorch.recording.recorder import writes
from autoport.verify.running.numbers import intended_numbers
from autoport.verify.running.patches import Patch

FLOATS = {torch.float64, torch.float32, torch.float16, torch.bfloat16}
HALVES = {torch.Tensor.half: torch.float16, torch.Tensor.bfloat16: torch.bfloat16}
CASTS = {torch.Tensor.double, torch.Tensor.float, *HALVES}

# Sees the result of a node; returns the result that later nodes read.
Watch = Callable[[fx.Node, Any], Any]


class Broken:
    """A result that could not be computed, because a value of another size replaced one that it is computed from."""


class Replay(fx.Interpreter):
    """One run of a recorded graph.

    Args:
        recorded: the graph.
        watch: sees every result when it is made, and may replace it.
        stored: tensors to use instead of those that the model stores, by path.
        patches: nodes to compute in another way.
        before: sees the results so far before a node runs, and may return others that only this node reads.
        results: what to go on with instead of what nodes compute.
        rounds: whether a cast to a float of 16 bits rounds, unless the model stores such floats, so that its casts
            follow from its type; the type itself is never computed in.
    """

    def __init__(
        self,
        recorded: fx.GraphModule,
        watch: Watch | None = None,
        stored: Mapping[str, torch.Tensor] | None = None,
        patches: Mapping[fx.Node, Patch] | None = None,
        before: Callable[[fx.Node, Mapping[fx.Node, Any]], Mapping[fx.Node, Any]] | None = None,
        results: Mapping[fx.Node, torch.Tensor] | None = None,
        *,
        rounds: bool = False,
    ) -> None:
        super().__init__(recorded)
        self._rounds = rounds and not self._stores_halves()
        self._watch = watch
        self._instead = stored or {}
        self._patches = patches or {}
        self._before = before
        self._results = results or {}

    def run_only(self, nodes: Iterable[fx.Node]) -> None:
        """Runs some nodes, each behind those that it reads."""
        for node in nodes:
            self.env[node] = self.run_node(node)

    def run_node(self, n: fx.Node) -> Any:
        """Runs a node and shows its result."""
        self._current = n
        replacements = self._before(n, self.env) if self._before else {}
        originals = {node: self.env[node] for node in replacements}
        self.env.update(replacements)
        result = self._stored(n) if n.op == "get_attr" else self._attempt(n)
        self.env.update(originals)
        if n in self._results:
            result = put_instead(n, result, self._results[n])
        return result if self._watch is None or n.op == "output" else self._watch(n, result)

    def _attempt(self, node: fx.Node) -> Any:
        """Runs a node; where values are replaced, sizes may no longer fit."""
        if node.op == "output" or self._before is None:
            return super().run_node(node) if node.op != "output" else None
        if any(isinstance(self.env[source], Broken) for source in node.all_input_nodes):
            return Broken()
        try:
            return super().run_node(node)
        except (RuntimeError, ValueError, TypeError, IndexError):
            return Broken()

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Calls a function; where it was called with a float type, with the working type."""
        half = half_of(self._current) if self._rounds else None
        args, kwargs = tree_map(_working_argument, (args, kwargs))
        target = _cast if target in CASTS else target
        patch = self._patches.get(self._current)
        if patch is not None:
            return patch(target, args, kwargs)
        result = target(*args, **kwargs)
        return result if half is None else result.to(half).to(result.dtype)

    def _stores_halves(self) -> bool:
        stored = (node for node in self.module.graph.nodes if node.op == "get_attr")
        return any(self.fetch_attr(str(node.target)).dtype in HALVES.values() for node in stored)

    def _stored(self, node: fx.Node) -> torch.Tensor:
        path = node.meta["path"]
        if path in self._instead:
            return working_copy(self._instead[path])
        tensor = self.fetch_attr(str(node.target)).detach()
        if tensor.is_meta or is_fake(tensor):
            raise VerificationError(
                f"{path or 'a constant of the forward pass'} holds no values, so the PyTorch graph cannot be run"
            )
        if path is None and tensor.dtype == torch.float32:
            return working_copy(torch.from_numpy(intended_numbers(tensor.cpu().numpy())))
        return working_copy(tensor)


def half_of(node: fx.Node) -> torch.dtype | None:
    """The float of 16 bits that a call casts a tensor to; None if it is no such cast."""
    if node.target not in (torch.Tensor.to, torch.Tensor.type):
        return HALVES.get(node.target)
    types = [argument for argument in (*node.args, *node.kwargs.values()) if argument in HALVES.values()]
    return types[0] if types else None


def put_instead(node: fx.Node, result: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Values instead of a result; written into that of an in-place operation, whose memory others read."""
    if node.op == "call_function" and writes(node.target, node.kwargs):
        return result.copy_(values)
    return working_copy(values)


def working_copy(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU; one of floats has torch's default type."""
    return tensor.detach().to("cpu", _working_dtype(tensor.dtype), copy=True)


def _cast(tensor: torch.Tensor, **_: Any) -> torch.Tensor:
    return tensor.to(torch.get_default_dtype())


def _working_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.get_default_dtype() if dtype in FLOATS else dtype


def _working_argument(argument: Any) -> Any:
    if isinstance(argument, torch.dtype):
        return _working_dtype(argument)
    return torch.device("cpu") if isinstance(argument, torch.device) else argument


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """While it lasts, torch makes tensors of a float type, and no gradients."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_default_dtype(default)
