"""Computes a PyTorch operation with a hyper-parameter of the Keras one: if the error vanishes, that was the cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from autoport.graph import Op
from autoport.pytorch.lower import TABLE, bare_name
from autoport.verify.replay import Patch

Attrs = Mapping[str, Any]
# Attribute of an operation -> parameter of the torch function.
PARAMETERS = {
    "epsilon": "eps",
    "approximate": "approximate",
    "negative_slope": "negative_slope",
    "alpha": "alpha",
    "beta": "beta",
    "align_corners": "align_corners",
    "groups": "num_groups",
    "scale": "scale",
    "stride": "stride",
    "dilation": "dilation",
}
# Attributes of activations, whose arguments the table does not name, and the functions that have them.
OWN = {
    "approximate": {"gelu"},
    "negative_slope": {"leaky_relu"},
    "alpha": {"elu", "celu"},
    "beta": {"softplus"},
}
Pads = Sequence[tuple[int, int]]


def mend(node: fx.Node, op: Op, values: Attrs) -> Patch | None:
    """A patch that computes a node with other hyper-parameters; None if there is no such way.

    Args:
        node: what computes the operation in PyTorch.
        op: the operation.
        values: hyper-parameters of the Keras operation that are to be used.
    """
    attrs = {**op.attrs, **values}
    if op.kind in ("conv", "dense") and "padding" in op.attrs:
        return _conv(op, attrs) if values.keys() <= {"padding", "stride", "dilation"} else None
    if op.kind in ("max_pool", "avg_pool"):
        return _pool(op, attrs)
    if node.op != "call_function" or not all(_takes(node.target, name) for name in values):
        return None
    return _with_parameters({PARAMETERS[name]: value for name, value in values.items()})


def reorder(order: Sequence[int]) -> Patch:
    """A patch that hands a concatenation its operands in another order."""

    def patch(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return function([args[0][place] for place in order], *args[1:], **kwargs)

    return patch


def _takes(function: Any, attribute: str) -> bool:
    """Whether a function has a parameter for an attribute, and is not the last of several that spell the operation."""
    if attribute in OWN:
        return bare_name(function) in OWN[attribute]
    return PARAMETERS.get(attribute) in _names(function)


def _with_parameters(values: Attrs) -> Patch:
    def patch(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        arguments, keywords = list(args), dict(kwargs)
        names = _names(function)
        for name, value in values.items():
            place = names.index(name if name in names else "argument_1")
            if place < len(arguments):
                arguments[place] = value
            else:
                keywords[name] = value
        return function(*arguments, **keywords)

    return patch


def _names(function: Callable[..., Any]) -> tuple[str, ...]:
    return TABLE.get(bare_name(function), (None, ()))[1]


def _bound(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict(zip(_names(function), args, strict=False)), **kwargs}


def _conv(op: Op, attrs: Attrs) -> Patch:
    """All padding in front, so that it may be asymmetric; what was folded into the operation is there already."""

    def patch(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        given = _bound(function, args, kwargs)
        given |= {"stride": _ints(attrs["stride"]), "dilation": _ints(attrs["dilation"])}
        rank = len(attrs["stride"])
        if bare_name(function).startswith("conv_transpose"):
            y = function(**{**given, "padding": 0, "output_padding": 0})
            return _padded(y, [(-low, -high) for low, high in attrs["padding"]], 0.0)
        own = _own_padding(given.get("padding", 0), rank, op.attrs)
        folded = [(a - c, b - d) for (a, b), (c, d) in zip(op.attrs["padding"], own, strict=True)]
        pads = [(a - c, b - d) for (a, b), (c, d) in zip(attrs["padding"], folded, strict=True)]
        x = _padded(given.pop("input"), pads, 0.0)
        return function(x, **{**given, "padding": 0})

    return patch


def _own_padding(padding: Any, rank: int, attrs: Attrs) -> Pads:
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(attrs["dilation"], attrs["kernel_size"], strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if padding == "valid":
        padding = 0
    sizes = [padding] * rank if isinstance(padding, int) else list(padding) * (rank if len(padding) == 1 else 1)
    return [(p, p) for p in sizes]


def _pool(op: Op, attrs: Attrs) -> Patch:
    """Pooling over padding that is there, divided by what counts."""

    def patch(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        given = _bound(function, args, kwargs)
        x = given["input"]
        sizes = {"kernel_size": _ints(attrs["kernel_size"]), "stride": _ints(attrs["stride"])}
        folded = _folded_into_pool(given, op)
        pads = [(a - c, b - d) for (a, b), (c, d) in zip(attrs["padding"], folded, strict=True)]
        if op.kind == "max_pool":
            value = attrs.get("pad_value", float("-inf"))
            if any(map(any, folded)):  # what was put around the image before is minus infinity
                x = x.masked_fill(x == float("-inf"), value)
            return function(_padded(x, pads, value), **sizes)
        total = function(_padded(x, pads, 0.0), **sizes)
        if attrs.get("count_include_pad"):
            return total
        return total / function(_padded(torch.ones_like(x), pads, 0.0), **sizes)

    return patch


def _folded_into_pool(given: Attrs, op: Op) -> Pads:
    """Padding (or cropping) that a separate operation has done already; what `ceil_mode` adds is not."""
    pads = _own_padding(given.get("padding") or 0, len(op.attrs["stride"]), op.attrs)
    if given.get("ceil_mode"):
        return [(0, 0)] * len(pads)
    return [(a - c, b - d) for (a, b), (c, d) in zip(op.attrs["padding"], pads, strict=True)]


def _padded(x: torch.Tensor, pads: Pads, value: float) -> torch.Tensor:
    flat = [amount for pair in reversed(pads) for amount in pair]
    return F.pad(x, flat, value=value) if any(flat) else x


def _ints(values: Sequence[int]) -> list[int]:
    return [int(value) for value in values]
