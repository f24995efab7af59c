"""One call of a PyTorch function, computed in another way. The printed form of a patch is code that makes it again.

PatchedCall(model.get_submodule("Mixed_5b"), "avg_pool2d", 0, Arguments({"count_include_pad": False}))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
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
# An argument of a call: the function, which of its calls, and the place of the argument.
Source = tuple[str, int, int]


@dataclass(frozen=True)
class Arguments:
    """Calls the same function with other arguments, by name or by place."""

    values: Mapping[str | int, Any]

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        arguments, keywords = list(args), dict(kwargs)
        names = parameters(function)
        for name, value in self.values.items():
            place = name if isinstance(name, int) else names.index(name if name in names else "argument_1")
            if place < len(arguments):
                arguments[place] = value
            else:
                keywords[str(name)] = value
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


@dataclass(frozen=True)
class Computed:
    """Another function of `torch.nn.functional`, of the first argument."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        return getattr(F, self.name)(_first(args, kwargs), **self.values)

    @property
    def how(self) -> str:
        """The patch in words."""
        return f"as {_call_text(self.name, self.values)}"


@dataclass(frozen=True)
class Followed:
    """The same call, and a function of `torch.nn.functional` of its result."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        return getattr(F, self.name)(function(*args, **kwargs), **self.values)

    @property
    def how(self) -> str:
        """The patch in words."""
        return f"with {_call_text(self.name, self.values)} behind it"


@dataclass(frozen=True)
class Skipped:
    """The first argument as it is."""

    def __call__(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """The result."""
        return _first(args, kwargs)

    @property
    def how(self) -> str:
        """The patch in words."""
        return "as what it is called with"


def _first(args: Args, kwargs: Kwargs) -> Any:
    return args[0] if args else kwargs["input"]


def _call_text(name: str, values: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(['x', *(f'{key}={value!r}' for key, value in values.items())])})"


class PatchedCall:
    """Computes one call of a function in another way whenever a module runs.

    Args:
        module: the module in whose `forward` the call is.
        function: the function's name.
        number: which of its calls, counted from 0 while the module runs, those in its children included.
        patch: how it is computed.
        source: an argument of an earlier call that it is computed from, in place of its own arguments: what several
            calls compute of that is computed at once.

    Attributes:
        used: whether the call came.
    """

    def __init__(
        self, module: nn.Module, function: str, number: int, patch: Patch, source: Source | None = None
    ) -> None:
        self.function, self.number, self.patch, self.source = function, number, patch, source
        self.used = False
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


# The counters of all modules that are running, and whether a patch is: what it calls itself does not count.
_RUNNING: ContextVar[tuple[_Counting, ...]] = ContextVar("_RUNNING", default=())
_PATCHING: ContextVar[bool] = ContextVar("_PATCHING", default=False)


class _Counting(TorchFunctionMode):
    """Counts calls. The innermost counter sees a call first, and passes it on unless it is the one to patch."""

    def __init__(self, call: PatchedCall) -> None:
        super().__init__()
        self._call, self._outer = call, _RUNNING.get()
        self._seen: Counter[str] = Counter()
        self._source: Args | None = None

    def __enter__(self) -> _Counting:
        self._token = _RUNNING.set((*self._outer, self))
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        _RUNNING.reset(self._token)
        super().__exit__(*error)

    def __torch_function__(self, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _PATCHING.get() or not self._count(func, args, kwargs):
            return func(*args, **kwargs)
        for counter in self._outer:
            counter._count(func, args, kwargs)
        token = _PATCHING.set(True)
        try:
            self._call.used = True
            return self._call.patch(func, *((args, kwargs) if self._source is None else (self._source, {})))
        finally:
            _PATCHING.reset(token)

    def _count(self, func: Function, args: Args, kwargs: Kwargs) -> bool:
        """Counts a call; whether it is the one to patch."""
        name, call = bare_name(func), self._call
        number = self._seen[name]
        self._seen[name] += 1
        if call.source is not None and (name, number) == call.source[:2]:
            self._source = ([*args, *kwargs.values()][call.source[2]],)
        return (name, number) == (call.function, call.number)


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
