"""Functions that TensorFlow has no operation for, written out as Keras writes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autoport.graph import Value
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register

Operand = Value | float


class Writer:
    """Appends one operation after another, of tensors and numbers."""

    def __init__(self, call: Call) -> None:
        self._build = call.build

    def shape(self, x: Value) -> tuple[int, ...]:
        """Shape of a value."""
        return self._build.graph.shape(x)

    def apply(self, kind: str, *operands: Operand) -> Value:
        """A pointwise operation; of its operands one may be a number, of a choice several."""
        if kind == "where":
            operands = tuple(x if isinstance(x, Value) else self._build.constant(np.asarray(x), ()) for x in operands)
        values = [x for x in operands if isinstance(x, Value)]
        numbers = [(place, x) for place, x in enumerate(operands) if not isinstance(x, Value)]
        attrs: dict[str, Any] = (
            {"constant": float(numbers[0][1]), "constant_first": numbers[0][0] == 0} if numbers else {}
        )
        return self._build.emit(kind, values, np.broadcast_shapes(*map(self.shape, values)), **attrs)

    def reduce(self, kind: str, x: Value, dims: tuple[int, ...], keep: bool = False) -> Value:
        """A reduction along dimensions."""
        sizes = enumerate(self.shape(x))
        shape = tuple(1 if dim in dims else size for dim, size in sizes if keep or dim not in dims)
        return self._build.emit(kind, [x], shape, dims=dims)

    def slice(self, x: Value, dim: int, start: int, stop: int) -> Value:
        """A range along a dimension."""
        shape = self.shape(x)
        return self._build.slice(x, {dim: (start, stop, 1)}, (*shape[:dim], stop - start, *shape[dim + 1 :]))


def _operands(call: Call) -> tuple[Operand, Operand]:
    given = (call.get("input"), call.get("other"))
    first, second = (float(x) if isinstance(x, (int, float)) else call.lowering.data(x) for x in given)
    return first, second


def _dims(call: Call) -> tuple[int, ...]:
    rank, given = len(call.shape("input")), call.get("dim", call.get("axis"))
    dims = range(rank) if given is None or isinstance(given, bool) else [given] if isinstance(given, int) else given
    return tuple(sorted(dim % rank for dim in dims))


@register("angle", "input")
def angle(call: Call) -> Any:
    """Of real numbers: half a turn where they are negative."""
    write = Writer(call)
    return write.apply("where", write.apply("lt", call.value("input"), 0.0), math.pi, 0.0)


@register("isneginf isposinf", "input")
def is_infinite(call: Call) -> Any:
    """One of both infinities."""
    return Writer(call).apply("eq", call.value("input"), math.inf if call.name == "isposinf" else -math.inf)


@register("logaddexp", "input other")
def logaddexp(call: Call) -> Any:
    """log(exp(x) + exp(y)), computed from the larger one."""
    (x, y), write = _operands(call), Writer(call)
    apart = write.apply("sub", x, y)
    decay = write.apply("exp", write.apply("neg", write.apply("abs", apart)))
    total = write.apply("add", write.apply("maximum", x, y), write.apply("log1p", decay))
    return write.apply("where", write.apply("isnan", apart), write.apply("add", x, y), total)


@register("logaddexp2", "input other")
def logaddexp2(call: Call) -> Any:
    """The same with powers of two."""
    (x, y), write, log2 = _operands(call), Writer(call), math.log(2)
    apart = write.apply("sub", x, y)
    decay = write.apply("exp", write.apply("mul", write.apply("neg", write.apply("abs", apart)), log2))
    more = write.apply("div", write.apply("log1p", decay), log2)
    total = write.apply("add", write.apply("maximum", x, y), more)
    return write.apply("where", write.apply("isnan", apart), write.apply("add", x, y), total)


@register("hypot", "input other")
def hypot(call: Call) -> Any:
    """The root of a sum of two squares, computed from the larger one."""
    write = Writer(call)
    sides = [write.apply("abs", side) for side in _operands(call)]
    longer, shorter = (write.apply(kind, *sides) for kind in ("maximum", "minimum"))
    ratio = write.apply("square", write.apply("div_no_nan", shorter, longer))
    return write.apply("mul", longer, write.apply("sqrt", write.apply("add", ratio, 1.0)))


@register("fmod", "input other")
def fmod(call: Call) -> Any:
    """What is left of a division, with the sign of what is divided."""
    (x, y), write = _operands(call), Writer(call)
    size = abs(y) if isinstance(y, float) else write.apply("abs", y)
    left = write.apply("remainder", write.apply("abs", x), size)
    return write.apply("mul", write.apply("sign", x), left)


@register("fmax fmin", "input other")
def ignoring_nan(call: Call) -> Any:
    """The larger or smaller one, of what is a number."""
    (x, y), write = _operands(call), Writer(call)
    chosen = write.apply("maximum" if call.name == "fmax" else "minimum", x, y)
    first, second = (write.apply("isnan", side) for side in (x, y))
    for own, other, value in ((first, second, y), (second, first, x)):
        chosen = write.apply("where", write.apply("and", own, write.apply("not", other)), value, chosen)
    return chosen


@register("heaviside", "input values")
def heaviside(call: Call) -> Any:
    """A step, with given values where it is."""
    x, write = call.value("input"), Writer(call)
    above = write.apply("where", write.apply("gt", x, 0.0), 1.0, call.value("values"))
    return write.apply("where", write.apply("lt", x, 0.0), 0.0, above)


@register("isclose", "input other rtol atol equal_nan")
def isclose(call: Call) -> Any:
    """Whether two numbers are apart by no more than a bound."""
    (x, y), write = _operands(call), Writer(call)
    if call.get("equal_nan", False):
        return call.emit("isclose")
    scaled = write.apply("mul", write.apply("abs", y), call.get("rtol", 1e-5))
    bound = write.apply("add", scaled, call.get("atol", 1e-8))
    return write.apply("le", write.apply("abs", write.apply("sub", x, y)), bound)


@register("logical_xor", "input other")
def logical_xor(call: Call) -> Any:
    """One of both, and not both."""
    (x, y), write = _operands(call), Writer(call)
    return write.apply("and", write.apply("or", x, y), write.apply("not", write.apply("and", x, y)))


@register("polar", "abs angle")
def polar(call: Call) -> Any:
    """A complex number of its length and angle."""
    write = Writer(call)
    parts = [write.apply("mul", call.value("abs"), write.apply(kind, call.value("angle"))) for kind in ("cos", "sin")]
    return write.apply("complex", *parts)


@register("cdist", "input other p")
def cdist(call: Call) -> Any:
    """Distances between all rows of two matrices."""
    x, y = call.value("input"), call.value("other")
    if call.get("p", 2.0) != 2:
        return call.emit("other_cdist", [x, y])
    write = Writer(call)
    (*batch, rows, size), (*_, columns, _) = write.shape(x), write.shape(y)
    left = call.build.emit("reshape", [x], (*batch, rows, 1, size))
    right = call.build.emit("reshape", [y], (*batch, 1, columns, size))
    square = write.apply("square", write.apply("sub", left, right))
    return write.apply("sqrt", write.reduce("reduce_sum", square, (len(batch) + 2,)))


@register("count_nonzero", "input dim")
def count_nonzero(call: Call) -> Any:
    """How many entries are not zero."""
    write = Writer(call)
    return write.reduce("reduce_sum", write.apply("ne", call.value("input"), 0.0), _dims(call))


@register("nansum nanmean", "input dim keepdim")
def of_numbers(call: Call) -> Any:
    """A sum or mean of what is a number."""
    x, dims, write, keep = call.value("input"), _dims(call), Writer(call), bool(call.get("keepdim", False))
    missing = write.apply("isnan", x)
    total = write.reduce("reduce_sum", write.apply("where", missing, 0.0, x), dims, keep)
    if call.name == "nansum":
        return total
    return write.apply("div", total, write.reduce("reduce_sum", write.apply("not", missing), dims, keep))


@register("var std", "input dim unbiased keepdim")
def spread(call: Call) -> Any:
    """Variance and its root; PyTorch divides by one less than the number of values unless it is told otherwise."""
    x, dims, write = call.value("input"), _dims(call), Writer(call)
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
    x, dims, write, keep = call.value("input"), _dims(call), Writer(call), bool(call.get("keepdim", False))
    largest = write.reduce("reduce_max", x, dims, keep=True)
    largest = write.apply("where", write.apply("isfinite", largest), largest, 0.0)
    total = write.apply(
        "log", write.reduce("reduce_sum", write.apply("exp", write.apply("sub", x, largest)), dims, keep)
    )
    return write.apply("add", total, largest if keep else call.build.emit("reshape", [largest], call.out))


@register("diff", "input n dim")
def diff(call: Call) -> Any:
    """Differences of neighbours along a dimension."""
    x, write = call.value("input"), Writer(call)
    dim = call.get("dim", -1) % len(call.out)
    for size in range(write.shape(x)[dim], write.shape(x)[dim] - call.get("n", 1), -1):
        x = write.apply("sub", write.slice(x, dim, 1, size), write.slice(x, dim, 0, size - 1))
    return x


@register("trapezoid trapz", "input x")
def trapezoid(call: Call) -> Any:
    """An integral by straight lines between neighbours."""
    y, write = call.value("input"), Writer(call)
    if call.get("x") is not None:
        return call.emit("other_trapezoid")
    dim = call.get("dim", -1) % len(write.shape(y))
    size = write.shape(y)[dim]
    total = write.apply("add", write.slice(y, dim, 1, size), write.slice(y, dim, 0, size - 1))
    return write.reduce("reduce_sum", write.apply("mul", total, call.get("dx", 1.0) / 2), (dim,))


@register("norm vector_norm linalg_norm linalg_vector_norm", "input p dim keepdim")
def vector_norm(call: Call) -> Any:
    """The length of vectors."""
    order = call.get("p", call.get("ord", 2))
    if not isinstance(order, (int, float)) and order != "fro":
        return call.emit("norm", [call.value("input")], order=order)
    return _length(call, 2 if order == "fro" else order, _dims(call), bool(call.get("keepdim", False)))


def _length(call: Call, order: float, dims: tuple[int, ...], keep: bool) -> Value:
    x, write = call.value("input"), Writer(call)
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
    write = Writer(call)
    length = write.apply("maximum", _length(call, order, dims, True), epsilon)
    return write.apply("div", call.value("input"), length)


@register("ldexp", "input other")
def ldexp(call: Call) -> Any:
    """A number times a power of two."""
    (x, y), write = _operands(call), Writer(call)
    power = 2.0**y if isinstance(y, float) else write.apply("pow", 2.0, y)
    unmoved = write.apply("or", write.apply("isinf", x), write.apply("eq", x, 0.0))
    return write.apply("where", unmoved, x, write.apply("mul", x, power))


@register("median", "input dim keepdim")
def median(call: Call) -> Any:
    """What stands in the middle of what is sorted; of an even number PyTorch takes the lower one."""
    size = math.prod(call.shape("input")[dim] for dim in _dims(call))
    values = _among_sorted(call, {(size - 1) // 2: 1.0})
    if call.get("dim") is None:
        return values
    return [values, call.build.emit("place_of_median", [call.value("input")], call.out)]


@register("quantile", "input q dim keepdim")
def quantile(call: Call) -> Any:
    """What stands at a share of what is sorted, in between of two by a straight line."""
    share, size = call.get("q"), math.prod(call.shape("input")[dim] for dim in _dims(call))
    if not isinstance(share, float) or call.get("interpolation", "linear") != "linear":
        return call.emit("other_quantile")
    place = share * (size - 1)
    upper = max(math.ceil(place), 1)
    return _among_sorted(call, {upper: 1 - (upper - place), upper - 1: upper - place})


def _among_sorted(call: Call, shares: dict[int, float]) -> Value:
    """A sum of what stands at some places of what is sorted; no number if one of those is none."""
    x, write = call.value("input"), Writer(call)
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


@register("trace", "input")
def trace(call: Call) -> Any:
    """The sum of the diagonal of a matrix."""
    x, write = call.value("input"), Writer(call)
    diagonal = call.build.constant(np.eye(*write.shape(x), dtype=bool), write.shape(x))
    return write.reduce("reduce_sum", write.apply("where", diagonal, x, 0.0), (0, 1))


@register("vander", "input N increasing")
def vander(call: Call) -> Any:
    """Powers of every entry."""
    powers = np.arange(call.out[-1]) if call.get("increasing", False) else np.arange(call.out[-1])[::-1]
    column = call.build.emit("reshape", [call.value("input")], (call.out[0], 1))
    return Writer(call).apply("pow", column, call.build.constant(powers, powers.shape))
