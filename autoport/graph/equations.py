"""Products of two tensors by the letters of their dimensions, as in an einsum."""

from __future__ import annotations

import string

# Letters of the dimensions of two operands and of their product, as in an einsum.
Equation = tuple[str, str, str]


def product_equation(left: int, right: int, contracted: tuple[int, int], shared: int | None = None) -> Equation:
    """Letters of the dimensions of a matrix product, as in an einsum.

    Args:
        left: rank of the first operand.
        right: rank of the second operand.
        contracted: the dimension of each that is summed over.
        shared: number of leading dimensions that both have; when left out all but the last two, aligned
            from the right.

    Example:
        >>> product_equation(3, 3, (2, 1))
        ('abc', 'acd', 'abd')
    """
    letters = iter(string.ascii_letters)
    first = [next(letters) for _ in range(left)]
    leading = [max(rank - 2, 0) if shared is None else shared for rank in (left, right)]
    common = {leading[1] - back: first[leading[0] - back] for back in range(1, min(leading) + 1)}
    common[contracted[1]] = first[contracted[0]]
    second = [common[dim] if dim in common else next(letters) for dim in range(right)]
    batch = max(first[: leading[0]], second[: leading[1]], key=len)
    rest = [c for c in (*first[leading[0] :], *second[leading[1] :]) if c != first[contracted[0]]]
    return "".join(first), "".join(second), "".join((*batch, *rest))
