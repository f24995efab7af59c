"""Whether two expressions are one function, however they are spelled: numbers as a second witness.

Pointwise operations are computed on random elements. Any other operation counts as an unknown function: equal
operands and equal hyper-parameters give equal results, and no more is known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from autoport.graph import Op
from autoport.graph.vocabulary.functions import Floats, compute
from autoport.matching.evidence import Expression

SIZE = 400
# Near zero bounds and epsilons show, far away tails do.
SCALES = (1e-9, 1e-3, 0.3, 1.0, 4.0, 40.0)
# Both frameworks write some of their constants down as float32.
RELATIVE, ABSOLUTE = 1e-6, 1e-12
# Where fewer elements are defined, nothing is known.
LEAST_DEFINED = SIZE // 8

Alike = Callable[[Expression, Expression], bool]


def same_function(a: Expression, b: Expression, alike: Alike) -> bool | None:
    """Whether two expressions are the same function of the same input; None if nobody knows.

    Args:
        a: an expression.
        b: another one.
        alike: whether the outermost operations of two expressions, of one kind, do the same to equal operands.
    """
    values = _Values(alike)
    first, second = values.of(a), values.of(b)
    if _equal(first, second) and int(np.isfinite(first).sum()) >= LEAST_DEFINED:
        return True
    return None if values.guessed else False


class _Values:
    """Computes expressions on random elements.

    Attributes:
        guessed: whether any operation counted as an unknown function.
    """

    guessed = False

    def __init__(self, alike: Alike) -> None:
        self._alike = alike
        self._inputs: dict[str, Floats] = {}
        self._opaque: list[tuple[Expression, list[Floats], Floats]] = []
        self._drawn = _draws()

    def of(self, expression: Expression) -> Floats:
        """The elements of one expression."""
        elements: dict[int, Floats] = {}
        waiting = [expression]
        while waiting:
            current = waiting[-1]
            below = [operand for operand in current.operands if id(operand) not in elements]
            if below:
                waiting += below
            else:
                elements[id(waiting.pop())] = self._value(
                    current, [elements[id(operand)] for operand in current.operands]
                )
        return elements[id(expression)]

    def _value(self, expression: Expression, operands: list[Floats]) -> Floats:
        op = expression.op
        if op is None:
            return self._inputs.setdefault(expression.label, _with_specials(next(self._drawn)))
        fill = op.attrs.get("fill")
        if fill is not None:
            return np.full(SIZE, fill)
        result = compute(op.kind, op.attrs, operands) if operands and not _crosses_axes(op) else None
        return self._opaque_value(expression, op, operands) if result is None else result

    def _opaque_value(self, expression: Expression, op: Op, operands: list[Floats]) -> Floats:
        self.guessed = True
        comparable = operands or op.attrs.get("values") is not None
        for other, others, value in self._opaque if comparable else ():
            same = other.label == expression.label and len(others) == len(operands)
            if same and all(map(_equal, operands, others)) and self._alike(other, expression):
                return value
        value = next(self._drawn)
        self._opaque.append((expression, operands, value))
        return value


def _crosses_axes(op: Op) -> bool:
    """Whether operands meet along axes of different names: elements at one place do not belong together then."""
    return bool(op.attrs.get("reads", {}).get("operands"))


def _draws() -> Iterator[Floats]:
    rng = np.random.default_rng(0)
    while True:
        yield _draw_numbers(rng)


def _draw_numbers(rng: np.random.Generator) -> Floats:
    """Numbers of every scale, with zeros and halves among them."""
    values: Floats = rng.normal(size=SIZE) * rng.choice(SCALES, SIZE)
    halves = rng.random(SIZE) < 0.2
    values[halves] = np.round(2 * values[halves]) / 2
    return values


def _with_specials(values: Floats) -> Floats:
    """The same, with values that functions may treat specially in front."""
    return np.asarray([np.nan, np.inf, -np.inf, *values[3:]])


def _equal(a: Floats, b: Floats) -> bool:
    return bool(np.allclose(a, b, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True))
