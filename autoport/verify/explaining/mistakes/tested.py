"""Mistakes inside an operation, which no value shows: how to compute PyTorch without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from autoport.pytorch.table import bare_name
from autoport.verify.running.patches import Args, Function, Kwargs
from autoport.verify.running.replay import FLOATS, half_of

# Methods that cast to whole numbers or to truth values; casts to 16 bits are known to the replay.
CASTS = {"int", "long", "short", "byte", "char", "bool"}
# Functions whose second argument is the state that they start from.
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}


@dataclass(frozen=True)
class WholeNumbers:
    """Cuts what an operation reads to whole numbers first."""

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        return function(args[0].trunc(), *args[1:], **kwargs)


@dataclass(frozen=True)
class Uncast:
    """Leaves a cast out."""

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """What would have been cast."""
        return args[0]


@dataclass(frozen=True)
class Exchanged:
    """Computes an operation with two axes of its first argument exchanged, and those of the result exchanged back."""

    first: int
    second: int

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        result = function(args[0].transpose(self.first, self.second), *args[1:], **kwargs)
        whole = isinstance(result, torch.Tensor)
        main = (result if whole else result[0]).transpose(self.first, self.second)
        return main if whole else type(result)((main, *result[1:]))


def calls_between(node: fx.Node, above: Sequence[fx.Node]) -> Iterator[fx.Node]:
    """A call, and those on the way to it from some nodes."""
    waiting, seen = [node], set(above)
    while waiting:
        source = waiting.pop()
        if source not in seen:
            seen.add(source)
            waiting += source.all_input_nodes
            if source.op == "call_function":
                yield source


def casts(node: fx.Node) -> bool:
    """Whether a call casts to whole numbers, to truth values or to 16 bits."""
    types = [argument for argument in (*node.args, *node.kwargs.values()) if isinstance(argument, torch.dtype)]
    whole = bare_name(node.target) in CASTS or any(dtype not in FLOATS for dtype in types)
    return whole or half_of(node) is not None


def stored_states(node: fx.Node) -> Iterator[str]:
    """Paths of what the model stores as the state that a recurrent function starts from."""
    if bare_name(node.target) not in RECURRENT:
        return
    waiting: list[fx.Node] = []
    fx.node.map_arg(node.args[1], waiting.append)
    while waiting:
        source = waiting.pop()
        waiting += source.all_input_nodes
        if source.op == "get_attr" and source.meta["path"] is not None:
            yield source.meta["path"]
