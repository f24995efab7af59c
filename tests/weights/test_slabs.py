"""Copies in blocks and tensors in slabs are what the whole would be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from einops import rearrange

from autoport.transfer import all_finite
from autoport.weights.algebra import Part, Term, assemble, copy, slabs
from autoport.weights.piece import Piece


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_copy_in_another_order_is_exact(order: tuple[int, ...]) -> None:
    source = np.random.default_rng(0).standard_normal((3, 70, 65, 5)).astype(np.float32).transpose(order)
    target = np.empty(source.shape, np.float32)
    copy(target, source)
    np.testing.assert_array_equal(target, source)


@pytest.mark.parametrize("layout", ["o i h w", "o (i h w)", "(o h) i w", "h w i o"])
@pytest.mark.parametrize("limit", [1, 1000, 10**9])
def test_slabs_are_the_tensor_one_behind_the_other(layout: str, limit: int) -> None:
    sizes = {"h": 3, "w": 5, "i": 7, "o": 11}
    source = np.arange(3 * 5 * 7 * 11, dtype=np.float32).reshape(3, 5, 7, 11)
    target = Piece("t", layout, sizes)
    shape = rearrange(source, f"h w i o -> {layout}").shape
    parts = (Part(target, (Term(Piece("s", "h w i o", sizes)),)),)
    pieces = list(slabs(shape, np.dtype(np.float32), parts, lambda _: source, limit))
    np.testing.assert_array_equal(
        np.concatenate(pieces), assemble(shape, np.dtype(np.float32), parts, lambda _: source)
    )


def test_finite_is_not_mistaken_where_a_sum_overflows() -> None:
    largest = np.full(3_000_000, np.finfo(np.float32).max)
    assert all_finite(largest)
    largest[-1] = np.inf
    assert not all_finite(largest)
    largest[-1] = np.nan
    assert not all_finite(largest)
