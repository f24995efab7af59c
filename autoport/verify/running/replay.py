"""Runs a recorded `torch.fx` graph in torch's default type, on copies, whatever it was recorded for.

The user's module is not called: its tensors are copied to that type one by one, when they are read, and
freed behind their last reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx

from autoport.errors import VerificationError
from autoport.internals.pytorch import is_fake, tree_map
from autoport.verify.running.numbers import meant_array
from autoport.verify.running.patches import Patch

FLOATS = {torch.float64, torch.float32, torch.float16, torch.bfloat16}
CASTS = {torch.Tensor.double, torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16}

# What is done with the result of a node: returns the result that later nodes read.
Watch = Callable[[fx.Node, Any], Any]


class Broken:
    """What stands for a result that could not be computed, because a value of another size was put in its way."""


class Replay(fx.Interpreter):
    """One run of a recorded graph.

    Args:
        recorded: the graph.
        watch: sees every result when it is made, and may replace it.
        stored: stored tensors to be used instead of the model's own, by path.
        patches: nodes that are to be computed in another way.
        before: sees the results so far before a node runs, and may give others, for this node only.
    """

    def __init__(
        self,
        recorded: fx.GraphModule,
        watch: Watch | None = None,
        stored: Mapping[str, torch.Tensor] | None = None,
        patches: Mapping[fx.Node, Patch] | None = None,
        before: Callable[[fx.Node, Mapping[fx.Node, Any]], Mapping[fx.Node, Any]] | None = None,
    ) -> None:
        super().__init__(recorded)
        self._watch = watch
        self._own = stored or {}
        self._patches = patches or {}
        self._before = before

    def run_node(self, n: fx.Node) -> Any:
        """Runs a node and shows its result."""
        self._current = n
        others = self._before(n, self.env) if self._before else {}
        kept = {node: self.env[node] for node in others}
        self.env.update(others)
        result = self._stored(n) if n.op == "get_attr" else self._attempt(n)
        self.env.update(kept)
        return result if self._watch is None or n.op == "output" else self._watch(n, result)

    def _attempt(self, node: fx.Node) -> Any:
        """Runs a node; where values are replaced on the way, sizes may stop fitting."""
        if node.op == "output" or self._before is None:
            return super().run_node(node) if node.op != "output" else None
        if any(isinstance(self.env[read], Broken) for read in node.all_input_nodes):
            return Broken()
        try:
            return super().run_node(node)
        except (RuntimeError, ValueError, TypeError, IndexError):
            return Broken()

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Calls a function with the type that is computed in where it was called with another one."""
        args, kwargs = tree_map(_wide, (args, kwargs))
        target = _cast if target in CASTS else target
        patch = self._patches.get(self._current)
        return target(*args, **kwargs) if patch is None else patch(target, args, kwargs)

    def _stored(self, node: fx.Node) -> torch.Tensor:
        path = node.meta["path"]
        if path in self._own:
            return wide(self._own[path])
        tensor = self.fetch_attr(str(node.target)).detach()
        if tensor.is_meta or is_fake(tensor):
            raise VerificationError(
                f"{path or 'a constant of the forward pass'} holds no values, so nothing can be run"
            )
        if path is None and tensor.dtype == torch.float32:
            return wide(torch.from_numpy(meant_array(tensor.cpu().numpy())))
        return wide(tensor)


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU, in the type that is computed in if it is of a float type."""
    return tensor.detach().to("cpu", _dtype(tensor.dtype), copy=True)


def _cast(tensor: torch.Tensor, **_: Any) -> torch.Tensor:
    return tensor.to(torch.get_default_dtype())


def _dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.get_default_dtype() if dtype in FLOATS else dtype


def _wide(argument: Any) -> Any:
    if isinstance(argument, torch.dtype):
        return _dtype(argument)
    return torch.device("cpu") if isinstance(argument, torch.device) else argument


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Lets torch make tensors of a float type and no gradients, for as long as it lasts."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_default_dtype(default)
