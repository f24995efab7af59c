"""Computes a PyTorch operation with a hyper-parameter of the Keras one: if the error vanishes, that was the cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import fx

from autoport.graph import Graph, Op, Value
from autoport.graph.vocabulary import Kind
from autoport.pytorch.table import bare_name
from autoport.verify.running.patches import (
    Arguments,
    AveragePool,
    Convolution,
    Cropped,
    MaxPool,
    Pads,
    Patch,
    arguments_by_name,
    parameters,
)

Attrs = Mapping[str, Any]
SPATIAL = {"padding", "stride", "dilation"}


def nodes_of(graph: Graph, op: Op) -> tuple[fx.Node, ...]:
    """The PyTorch call that computes an operation; several if equal calls compute it, none if no single call does."""
    origin = graph.origins.get(Value(op.name))
    origins = [origin, *graph.repeated.get(op.name, ())] if origin is not None else []
    return tuple(node for node, _ in origins if node.op == "call_function")


def mend(node: fx.Node, op: Op, values: Attrs) -> Patch | None:
    """A patch that computes a node with other hyper-parameters; None if there is none.

    Args:
        node: the PyTorch call that computes the operation.
        op: the operation.
        values: hyper-parameters of the Keras operation.
    """
    attrs = {**op.attrs, **_for_each_axis(values, op)}
    if op.kind.mixes and "padding" in op.attrs:
        return _conv(node, op, attrs) if values.keys() <= SPATIAL else None
    if op.kind.is_pool:
        return _pool(node, op, attrs)
    if not all(_takes(node.target, op.kind, name) for name in values):
        return None
    return Arguments({str(op.kind.attribute(name).argument): value for name, value in values.items()})


def _for_each_axis(values: Attrs, op: Op) -> dict[str, Any]:
    """Where the Keras layer has no space (a dense one), its one number for each axis that PyTorch's has."""
    rank = len(op.attrs.get("stride", ()))
    each = {name: value for name, value in values.items() if name in SPATIAL and isinstance(value, int)}
    return {**values, **{name: [(value, value) if name == "padding" else value] * rank for name, value in each.items()}}


def _takes(function: Any, kind: Kind, name: str) -> bool:
    """Whether a function has a parameter for an attribute, and is not the last of several that spell the operation."""
    argument = kind.attribute(name).argument
    if kind.is_activation:  # the table does not name their parameters
        return argument is not None and bare_name(function) == kind
    return argument in parameters(function)


def _conv(node: fx.Node, op: Op, attrs: Attrs) -> Patch | None:
    sizes = _ints(attrs["stride"]), _ints(attrs["dilation"])
    if not bare_name(node.target).startswith("conv"):  # a separate operation crops the result of the convolution
        return None
    if op.attrs.get("transposed"):
        return Cropped(*sizes, list(attrs["padding"]))
    return Convolution(*sizes, subtract_padding(attrs["padding"], separate_padding(node, op)))


def _pool(node: fx.Node, op: Op, attrs: Attrs) -> Patch:
    sizes = _ints(attrs["kernel_size"]), _ints(attrs["stride"])
    pads = subtract_padding(attrs["padding"], separate_padding(node, op))
    if "pad_value" in op.kind.attributes:
        return MaxPool(*sizes, pads, float(attrs.get("pad_value", float("-inf"))))
    return AveragePool(*sizes, pads, bool(attrs.get("count_include_pad")))


def separate_padding(node: fx.Node, op: Op) -> Pads:
    """Padding (or cropping) that a separate operation has done already; `ceil_mode` pads in the call itself."""
    arguments = arguments_by_name(node.target, node.args, node.kwargs)
    rank = len(op.attrs["stride"])
    if arguments.get("ceil_mode"):
        return [(0, 0)] * rank
    return subtract_padding(op.attrs["padding"], padding_of_call(arguments.get("padding") or 0, rank, op.attrs))


def padding_of_call(padding: Any, rank: int, attrs: Attrs) -> Pads:
    """The padding that a function does itself, from its argument `padding`."""
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(attrs["dilation"], attrs["kernel_size"], strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if padding == "valid":
        padding = 0
    sizes = [padding] * rank if isinstance(padding, int) else list(padding) * (rank if len(padding) == 1 else 1)
    return [(p, p) for p in sizes]


def subtract_padding(total: Pads, done: Pads) -> Pads:
    """The padding that is left when some is done already."""
    return [(a - c, b - d) for (a, b), (c, d) in zip(total, done, strict=True)]


def _ints(values: Sequence[int]) -> list[int]:
    return [int(value) for value in values]
