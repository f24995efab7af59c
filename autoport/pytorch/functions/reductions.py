"""Reductions, and functions that Keras writes out with reductions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autoport.graph import Value
from autoport.graph.writer import Writer
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register


@register("cumsum cumprod", "input dim")
def cumulative(call: Call) -> Any:
    """Running sums or products along a dimension."""
    return call.emit(call.name, [call.value("input")], dims=(call.get("dim", 0) % len(call.out),))


@register("argmax argmin", "input dim keepdim")
def place_of_extreme(call: Call) -> Any:
    """The place of the largest or the smallest entry, along a dimension or of all."""
    x, dim = call.value("input"), call.get("dim")
    if dim is None:
        x, dim = call.build.emit("reshape", [x], (math.prod(call.shape("input")),)), 0
    return call.emit(call.name, [x], dims=(dim % len(call.build.graph.shape(x)),))


REDUCTIONS = {
    "mean": "mean", "sum": "sum", "amax": "max", "amin": "min", "max": "max", "min": "min", "prod": "prod",
    "all": "all", "any": "any",
}  # fmt: skip


@register(" ".join(REDUCTIONS), "input dim keepdim")
def reduce(call: Call) -> Any:
    """A reduction over dimensions."""
    x = call.value("input")
    rank = len(call.build.graph.shape(x))
    dim = call.get("dim", call.get("axis"))
    if isinstance(dim, Value):
        return call.emit({"max": "maximum", "min": "minimum"}[call.name])
    dims = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    return call.emit(f"reduce_{REDUCTIONS[call.name]}", [x], dims=tuple(sorted(d % rank for d in dims)))


def _dims(call: Call) -> tuple[int, ...]:
    rank, axes = len(call.shape("input")), call.get("dim", call.get("axis"))
    dims = range(rank) if axes is None or isinstance(axes, bool) else [axes] if isinstance(axes, int) else axes
    return tuple(sorted(dim % rank for dim in dims))


@register("count_nonzero", "input dim")
def count_nonzero(call: Call) -> Any:
    """How many entries are not zero."""
    write = Writer(call.build)
    return write.reduce("reduce_sum", write.apply("ne", call.value("input"), 0.0), _dims(call))


@register("nansum nanmean", "input dim keepdim")
def of_numbers(call: Call) -> Any:
    """A sum or mean of all entries that are not NaN."""
    x, dims, write, keep = call.value("input"), _dims(call), Writer(call.build), bool(call.get("keepdim", False))
    missing = write.apply("isnan", x)
    total = write.reduce("reduce_sum", write.apply("where", missing, 0.0, x), dims, keep)
    if call.name == "nansum":
        return total
    return write.apply("div", total, write.reduce("reduce_sum", write.apply("not", missing), dims, keep))


@register("var std", "input dim unbiased keepdim")
def spread(call: Call) -> Any:
    """Variance and its root; by default PyTorch divides by one less than the number of values."""
    x, dims, write = call.value("input"), _dims(call), Writer(call.build)
    size = math.prod(write.shape(x)[dim] for dim in dims)
    unbiased = call.get("dim") if isinstance(call.get("dim"), bool) else call.get("unbiased", True)
    correction = call.get("correction", int(unbiased))
    apart = write.apply("sub", x, write.reduce("reduce_mean", x, dims, keep=True))
    variance = write.reduce("reduce_mean", write.apply("square", apart), dims, keep=bool(call.get("keepdim", False)))
    if correction:
        variance = write.apply("mul", variance, size / (size - correction) if size > correction else math.inf)
    return variance if call.name == "var" else write.apply("sqrt", variance)


@register("logsumexp", "input dim keepdim")
def logsumexp(call: Call) -> Any:
    """The logarithm of a sum of exponentials, computed from the largest one."""
    x, dims, write, keep = call.value("input"), _dims(call), Writer(call.build), bool(call.get("keepdim", False))
    largest = write.reduce("reduce_max", x, dims, keep=True)
    largest = write.apply("where", write.apply("isfinite", largest), largest, 0.0)
    total = write.apply(
        "log", write.reduce("reduce_sum", write.apply("exp", write.apply("sub", x, largest)), dims, keep)
    )
    return write.apply("add", total, largest if keep else call.build.emit("reshape", [largest], call.out))


@register("norm vector_norm linalg_norm linalg_vector_norm", "input p dim keepdim")
def vector_norm(call: Call) -> Any:
    """The length of vectors."""
    order = call.get("p", call.get("ord", 2))
    if not isinstance(order, (int, float)) and order != "fro":
        return call.emit("norm", [call.value("input")], order=order)
    return _length(call, 2 if order == "fro" else order, _dims(call), bool(call.get("keepdim", False)))


def _length(call: Call, order: float, dims: tuple[int, ...], keep: bool) -> Value:
    x, write = call.value("input"), Writer(call.build)
    if order == 2:
        return write.apply("sqrt", write.reduce("reduce_sum", write.apply("mul", x, x), dims, keep))
    size = write.apply("abs", x)
    if math.isinf(order):
        return write.reduce("reduce_max" if order > 0 else "reduce_min", size, dims, keep)
    total = write.reduce("reduce_sum", write.apply("pow", size, order), dims, keep)
    return write.apply("pow", total, 1 / order)


@register("normalize", "input p dim eps")
def normalize(call: Call) -> Any:
    """`F.normalize`: vectors divided by their length, which is at least a bound."""
    order, dim, epsilon = call.get("p", 2), call.get("dim", 1), call.get("eps", 1e-12)
    dims = tuple(sorted(d % len(call.out) for d in ([dim] if isinstance(dim, int) else dim)))
    if order == 2:
        return call.emit("unit_norm", [call.value("input")], dims=dims, epsilon=epsilon)
    write = Writer(call.build)
    length = write.apply("maximum", _length(call, order, dims, True), epsilon)
    return write.apply("div", call.value("input"), length)


@register("median", "input dim keepdim")
def median(call: Call) -> Any:
    """The median; of an even number of entries PyTorch takes the lower one of the two in the middle."""
    size = math.prod(call.shape("input")[dim] for dim in _dims(call))
    values = _among_sorted(call, {(size - 1) // 2: 1.0})
    if call.get("dim") is None:
        return values
    return [values, call.build.emit("place_of_median", [call.value("input")], call.out)]


@register("quantile", "input q dim keepdim")
def quantile(call: Call) -> Any:
    """A quantile, interpolated between two entries."""
    share, size = call.get("q"), math.prod(call.shape("input")[dim] for dim in _dims(call))
    if not isinstance(share, float) or call.get("interpolation", "linear") != "linear":
        return call.emit("other_quantile")
    place = share * (size - 1)
    upper = max(math.ceil(place), 1)
    return _among_sorted(call, {upper: 1 - (upper - place), upper - 1: upper - place})


def _among_sorted(call: Call, shares: dict[int, float]) -> Value:
    """A weighted sum of some places among the sorted entries; NaN if any entry is NaN."""
    x, write = call.value("input"), Writer(call.build)
    missing = write.reduce("reduce_any", write.apply("isnan", x), _dims(call))
    if call.get("dim") is None:
        x = call.build.emit("reshape", [x], (math.prod(write.shape(x)),))
    rank = len(write.shape(x))
    dim = call.get("dim", -1) % rank
    order = (*(d for d in range(rank) if d != dim), dim)
    shape = tuple(write.shape(x)[d] for d in order)
    if dim != rank - 1:
        x = call.build.emit("transpose", [x], shape, order=order)
    x = call.build.emit("sort", [x], shape, shape, dims=(rank - 1,), descending=False)
    parts: list[Value] = []
    for place, share in shares.items():
        index = call.build.constant(np.asarray(place), ())
        kind = "gather" if rank > 1 else "lookup"
        part = call.build.emit(kind, [x, index], shape[:-1], axis=rank - 1)
        parts.append(part if share == 1 else write.apply("mul", part, share))
    total = parts[0] if len(parts) == 1 else write.apply("add", *parts)
    result = write.apply("where", missing, math.nan, total)
    return call.build.emit("reshape", [result], call.out)
