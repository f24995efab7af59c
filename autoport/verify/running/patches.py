"""One call of a PyTorch function, computed in another way. The printed form of a patch is code that makes it again.

PatchedCall(model.get_submodule("Mixed_5b"), "avg_pool2d", 0, Arguments({"count_include_pad": False}))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from autoport.pytorch.table import TABLE, bare_name

Function = Callable[..., Any]
Args = Sequence[Any]
Kwargs = Mapping[str, Any]
# Computes a call in another way, from what was called and its arguments.
Patch = Callable[[Function, Args, Kwargs], Any]
Pads = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Arguments:
    """Calls the same function with other arguments."""

    values: Mapping[str, Any]

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        arguments, keywords = list(args), dict(kwargs)
        names = parameters(function)
        for name, value in self.values.items():
            place = names.index(name if name in names else "argument_1")
            if place < len(arguments):
                arguments[place] = value
            else:
                keywords[name] = value
        return function(*arguments, **keywords)


@dataclass(frozen=True)
class OperandOrder:
    """Gives a concatenation its operands in another order."""

    places: Sequence[int]

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        return function([args[0][place] for place in self.places], *args[1:], **kwargs)


@dataclass(frozen=True)
class Convolution:
    """A convolution over an image that is padded first, because its own padding is symmetric."""

    stride: Sequence[int]
    dilation: Sequence[int]
    pads: Pads

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        arguments = arguments_by_name(function, args, kwargs) | {
            "stride": self.stride,
            "dilation": self.dilation,
            "padding": 0,
        }
        x = pad(arguments.pop("input"), self.pads, 0.0)
        return function(x, **arguments)


@dataclass(frozen=True)
class Cropped:
    """A transposed convolution without padding whose result is cropped, because its own cropping is symmetric."""

    stride: Sequence[int]
    dilation: Sequence[int]
    crops: Pads

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        arguments = arguments_by_name(function, args, kwargs) | {
            "stride": self.stride,
            "dilation": self.dilation,
            "padding": 0,
        }
        uncropped = function(**{**arguments, "output_padding": 0})
        return pad(uncropped, [(-low, -high) for low, high in self.crops], 0.0)


@dataclass(frozen=True)
class MaxPool:
    """A max pooling over an image that is padded first with a value; padding that is there already gets it, too."""

    kernel_size: Sequence[int]
    stride: Sequence[int]
    pads: Pads
    value: float = 0.0

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        x = arguments_by_name(function, args, kwargs)["input"]
        x = pad(x.masked_fill(x == -torch.inf, self.value), self.pads, self.value)
        return function(x, kernel_size=self.kernel_size, stride=self.stride)


@dataclass(frozen=True)
class AveragePool:
    """An average pooling over an image that is padded first; the padding counts or not."""

    kernel_size: Sequence[int]
    stride: Sequence[int]
    pads: Pads
    count_include_pad: bool

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        x = arguments_by_name(function, args, kwargs)["input"]

        def average(image: torch.Tensor) -> Any:
            return function(pad(image, self.pads, 0.0), kernel_size=self.kernel_size, stride=self.stride)

        return average(x) if self.count_include_pad else average(x) / average(torch.ones_like(x))


class PatchedCall:
    """Computes one call of a function in another way whenever a module runs.

    Args:
        module: the module in whose `forward` the call is.
        function: the function's name.
        number: which of its calls, counted from 0 while the module runs, those in its children included.
        patch: how it is computed.
    """

    def __init__(self, module: nn.Module, function: str, number: int, patch: Patch) -> None:
        self.function, self.number, self.patch = function, number, patch
        self._before = vars(module).get("forward")
        self._forward = module.forward
        module.forward = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The module's `forward`."""
        with _Counting(self):
            return self._forward(*args, **kwargs)

    def remove(self, module: nn.Module) -> None:
        """Restores the `forward` of before; of several calls of a module the last is removed first."""
        if self._before is None:
            del module.forward
        else:
            module.forward = self._before


class _Counting(TorchFunctionMode):
    def __init__(self, call: PatchedCall) -> None:
        super().__init__()
        self._call, self._left = call, call.number

    def __torch_function__(self, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if bare_name(func) != self._call.function:
            return func(*args, **(kwargs or {}))
        self._left -= 1
        return func(*args, **(kwargs or {})) if self._left != -1 else self._call.patch(func, args, kwargs or {})


def parameters(function: Function) -> tuple[str, ...]:
    """Names of the parameters of a function that autoport reads."""
    return TABLE.get(bare_name(function), (None, ()))[1]


def arguments_by_name(function: Function, args: Args, kwargs: Kwargs) -> dict[str, Any]:
    """Arguments by name."""
    return {**dict(zip(parameters(function), args, strict=False)), **kwargs}


def pad(x: torch.Tensor, pads: Pads, value: float) -> torch.Tensor:
    """A tensor with its last axes padded, or cropped where that is negative."""
    flat = [amount for pair in reversed(pads) for amount in pair]
    return F.pad(x, flat, value=value) if any(flat) else x
