"""Copies in blocks and tensors in slabs are what the whole would be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from einops import rearrange

from autoport.weights.algebra import Part, Term, all_finite, assemble, copy, enumerate_slabs, slabs
from autoport.weights.piece import Piece


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_copy_in_another_order_is_exact(order: tuple[int, ...]) -> None:
    source = np.random.default_rng(0).standard_normal((3, 70, 65, 5)).astype(np.float32).transpose(order)
    target = np.empty(source.shape, np.float32)
    copy(target, source)
    np.testing.assert_array_equal(target, source)


LAYOUTS = ["o i h w", "o (i h w)", "(o h) i w", "h w i o", "1 1 (h w i) o", "1 (h o w) 1 i", "(h w i o)"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("limit", [1, 1000, 10**9])
def test_slabs_are_the_tensor_one_behind_the_other(layout: str, limit: int) -> None:
    sizes = {"h": 3, "w": 5, "i": 7, "o": 11}
    source = np.arange(3 * 5 * 7 * 11, dtype=np.float32).reshape(3, 5, 7, 11)
    target = Piece("t", layout, sizes)
    shape = rearrange(source, f"h w i o -> {layout}").shape
    parts = (Part(target, (Term(Piece("s", "h w i o", sizes)),)),)
    made = np.full(shape, np.nan, np.float32)
    pieces = list(slabs(shape, made.dtype, parts, lambda _: source, limit))
    for index, piece in enumerate_slabs(shape, pieces):
        assert np.isnan(made[index]).all()
        made[index] = piece
    np.testing.assert_array_equal(made, assemble(shape, made.dtype, parts, lambda _: source))
    np.testing.assert_array_equal(np.concatenate([piece.reshape(-1) for piece in pieces]), made.reshape(-1))
    assert layout.startswith("h") or all(piece.nbytes <= max(limit, 4 * 3 * 7 * 5) for piece in pieces)


def test_finite_is_not_mistaken_where_a_sum_overflows() -> None:
    largest = np.full(3_000_000, np.finfo(np.float32).max)
    assert all_finite(largest)
    largest[-1] = np.inf
    assert not all_finite(largest)
    largest[-1] = np.nan
    assert not all_finite(largest)
