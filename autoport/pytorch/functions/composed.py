"""Functions without a TensorFlow operation, written out as Keras writes them."""

from __future__ import annotations

import math
from typing import Any

from autoport.graph.writer import ValueOrNumber, Writer
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register


def _operands(call: Call) -> tuple[ValueOrNumber, ValueOrNumber]:
    arguments = (call.get("input"), call.get("other"))
    first, second = (float(x) if isinstance(x, (int, float)) else call.lowering.data(x) for x in arguments)
    return first, second


@register("angle", "input")
def angle(call: Call) -> Any:
    """Of real numbers: half a turn where they are negative."""
    write = Writer(call.build)
    return write.apply("where", write.apply("lt", call.value("input"), 0.0), math.pi, 0.0)


@register("isneginf isposinf", "input")
def is_infinite(call: Call) -> Any:
    """One of both infinities."""
    return Writer(call.build).apply("eq", call.value("input"), math.inf if call.name == "isposinf" else -math.inf)


@register("logaddexp", "input other")
def logaddexp(call: Call) -> Any:
    """log(exp(x) + exp(y)), computed from the larger one."""
    (x, y), write = _operands(call), Writer(call.build)
    apart = write.apply("sub", x, y)
    decay = write.apply("exp", write.apply("neg", write.apply("abs", apart)))
    total = write.apply("add", write.apply("maximum", x, y), write.apply("log1p", decay))
    return write.apply("where", write.apply("isnan", apart), write.apply("add", x, y), total)


@register("logaddexp2", "input other")
def logaddexp2(call: Call) -> Any:
    """The same with powers of two."""
    (x, y), write, log2 = _operands(call), Writer(call.build), math.log(2)
    apart = write.apply("sub", x, y)
    decay = write.apply("exp", write.apply("mul", write.apply("neg", write.apply("abs", apart)), log2))
    more = write.apply("div", write.apply("log1p", decay), log2)
    total = write.apply("add", write.apply("maximum", x, y), more)
    return write.apply("where", write.apply("isnan", apart), write.apply("add", x, y), total)


@register("hypot", "input other")
def hypot(call: Call) -> Any:
    """The root of a sum of two squares, computed from the larger one."""
    write = Writer(call.build)
    sides = [write.apply("abs", side) for side in _operands(call)]
    longer, shorter = (write.apply(kind, *sides) for kind in ("maximum", "minimum"))
    ratio = write.apply("square", write.apply("div_no_nan", shorter, longer))
    return write.apply("mul", longer, write.apply("sqrt", write.apply("add", ratio, 1.0)))


@register("fmod", "input other")
def fmod(call: Call) -> Any:
    """The remainder of a division, with the sign of the dividend."""
    (x, y), write = _operands(call), Writer(call.build)
    size = abs(y) if isinstance(y, float) else write.apply("abs", y)
    left = write.apply("remainder", write.apply("abs", x), size)
    return write.apply("mul", write.apply("sign", x), left)


@register("fmax fmin", "input other")
def ignoring_nan(call: Call) -> Any:
    """The larger or smaller of two values, of which NaN does not count."""
    (x, y), write = _operands(call), Writer(call.build)
    chosen = write.apply("maximum" if call.name == "fmax" else "minimum", x, y)
    first, second = (write.apply("isnan", side) for side in (x, y))
    for own, other, value in ((first, second, y), (second, first, x)):
        chosen = write.apply("where", write.apply("and", own, write.apply("not", other)), value, chosen)
    return chosen


@register("heaviside", "input values")
def heaviside(call: Call) -> Any:
    """A step, with the given values at zero."""
    x, write = call.value("input"), Writer(call.build)
    above = write.apply("where", write.apply("gt", x, 0.0), 1.0, call.value("values"))
    return write.apply("where", write.apply("lt", x, 0.0), 0.0, above)


@register("isclose", "input other rtol atol equal_nan")
def isclose(call: Call) -> Any:
    """Whether two numbers differ by no more than a bound."""
    (x, y), write = _operands(call), Writer(call.build)
    if call.get("equal_nan", False):
        return call.emit("isclose")
    scaled = write.apply("mul", write.apply("abs", y), call.get("rtol", 1e-5))
    bound = write.apply("add", scaled, call.get("atol", 1e-8))
    return write.apply("le", write.apply("abs", write.apply("sub", x, y)), bound)


@register("logical_xor", "input other")
def logical_xor(call: Call) -> Any:
    """One of both, but not both."""
    (x, y), write = _operands(call), Writer(call.build)
    return write.apply("and", write.apply("or", x, y), write.apply("not", write.apply("and", x, y)))


@register("polar", "abs angle")
def polar(call: Call) -> Any:
    """A complex number by its length and angle."""
    write = Writer(call.build)
    parts = [write.apply("mul", call.value("abs"), write.apply(kind, call.value("angle"))) for kind in ("cos", "sin")]
    return write.apply("complex", *parts)


@register("cdist", "input other p")
def cdist(call: Call) -> Any:
    """Distances between all rows of two matrices."""
    x, y = call.value("input"), call.value("other")
    if call.get("p", 2.0) != 2:
        return call.emit("other_cdist", [x, y])
    write = Writer(call.build)
    (*batch, rows, size), (*_, columns, _) = write.shape(x), write.shape(y)
    left = call.build.emit("reshape", [x], (*batch, rows, 1, size))
    right = call.build.emit("reshape", [y], (*batch, 1, columns, size))
    square = write.apply("square", write.apply("sub", left, right))
    return write.apply("sqrt", write.reduce("reduce_sum", square, (len(batch) + 2,)))


@register("diff", "input n dim")
def diff(call: Call) -> Any:
    """Differences of neighbours along a dimension."""
    x, write = call.value("input"), Writer(call.build)
    dim = call.get("dim", -1) % len(call.out)
    for size in range(write.shape(x)[dim], write.shape(x)[dim] - call.get("n", 1), -1):
        x = write.apply("sub", write.slice(x, dim, 1, size), write.slice(x, dim, 0, size - 1))
    return x


@register("trapezoid trapz", "input x")
def trapezoid(call: Call) -> Any:
    """An integral by the trapezoidal rule."""
    y, write = call.value("input"), Writer(call.build)
    if call.get("x") is not None:
        return call.emit("other_trapezoid")
    dim = call.get("dim", -1) % len(write.shape(y))
    size = write.shape(y)[dim]
    total = write.apply("add", write.slice(y, dim, 1, size), write.slice(y, dim, 0, size - 1))
    return write.reduce("reduce_sum", write.apply("mul", total, call.get("dx", 1.0) / 2), (dim,))


@register("ldexp", "input other")
def ldexp(call: Call) -> Any:
    """A number times a power of two."""
    (x, y), write = _operands(call), Writer(call.build)
    power = 2.0**y if isinstance(y, float) else write.apply("pow", 2.0, y)
    unmoved = write.apply("or", write.apply("isinf", x), write.apply("eq", x, 0.0))
    return write.apply("where", unmoved, x, write.apply("mul", x, power))
