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
    bound,
    parameters,
)

Attrs = Mapping[str, Any]


def nodes_of(graph: Graph, op: Op) -> tuple[fx.Node, ...]:
    """What computes an operation in PyTorch, if it is one call; several if it is computed again from the same."""
    found = graph.origins.get(Value(op.name))
    origins = [found, *graph.repeated.get(op.name, ())] if found is not None else []
    return tuple(node for node, _ in origins if node.op == "call_function")


def mend(node: fx.Node, op: Op, values: Attrs) -> Patch | None:
    """A patch that computes a node with other hyper-parameters; None if there is no such way.

    Args:
        node: what computes the operation in PyTorch.
        op: the operation.
        values: hyper-parameters of the Keras operation that are to be used.
    """
    attrs = {**op.attrs, **values}
    if op.kind.mixes and "padding" in op.attrs:
        return _conv(node, op, attrs) if values.keys() <= {"padding", "stride", "dilation"} else None
    if op.kind.is_pool:
        return _pool(node, op, attrs)
    if not all(_takes(node.target, op.kind, name) for name in values):
        return None
    return Arguments({str(op.kind.attribute(name).argument): value for name, value in values.items()})


def _takes(function: Any, kind: Kind, name: str) -> bool:
    """Whether a function has a parameter for an attribute, and is not the last of several that spell the operation."""
    argument = kind.attribute(name).argument
    if kind.is_activation:  # the table does not name their parameters
        return argument is not None and bare_name(function) == kind
    return argument in parameters(function)


def _conv(node: fx.Node, op: Op, attrs: Attrs) -> Patch | None:
    sizes = _ints(attrs["stride"]), _ints(attrs["dilation"])
    if not bare_name(node.target).startswith("conv"):  # a separate operation crops what the convolution makes
        return None
    if op.attrs.get("transposed"):
        return Cropped(*sizes, list(attrs["padding"]))
    return Convolution(*sizes, less(attrs["padding"], folded(node, op)))


def _pool(node: fx.Node, op: Op, attrs: Attrs) -> Patch:
    sizes = _ints(attrs["kernel_size"]), _ints(attrs["stride"])
    pads = less(attrs["padding"], folded(node, op))
    if "pad_value" in op.kind.attributes:
        return MaxPool(*sizes, pads, float(attrs.get("pad_value", float("-inf"))))
    return AveragePool(*sizes, pads, bool(attrs.get("count_include_pad")))


def folded(node: fx.Node, op: Op) -> Pads:
    """Padding (or cropping) that a separate operation has done already; what `ceil_mode` adds is not."""
    given = bound(node.target, node.args, node.kwargs)
    rank = len(op.attrs["stride"])
    if given.get("ceil_mode"):
        return [(0, 0)] * rank
    return less(op.attrs["padding"], own_padding(given.get("padding") or 0, rank, op.attrs))


def own_padding(padding: Any, rank: int, attrs: Attrs) -> Pads:
    """The padding that a function does itself, by its argument."""
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(attrs["dilation"], attrs["kernel_size"], strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if padding == "valid":
        padding = 0
    sizes = [padding] * rank if isinstance(padding, int) else list(padding) * (rank if len(padding) == 1 else 1)
    return [(p, p) for p in sizes]


def less(whole: Pads, part: Pads) -> Pads:
    """What is left of padding when some is done already."""
    return [(a - c, b - d) for (a, b), (c, d) in zip(whole, part, strict=True)]


def _ints(values: Sequence[int]) -> list[int]:
    return [int(value) for value in values]
