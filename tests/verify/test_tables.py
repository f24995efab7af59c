"""What float32 rounding does to a table is told from what another base, offset or scale does."""

from __future__ import annotations

import numpy as np
import pytest

from autoport.verify.explaining.tables import FLOAT32, FLOAT64, Table, excess

BASES = (1e4, 5e5, 1e7)
POSITIONS = (3, 7, 33, 512)


def frequencies(base: float, dtype: str) -> np.ndarray:
    exponents = np.arange(0, 64, 2, dtype=dtype) / np.asarray(64, dtype)
    return 1 / np.asarray(base, dtype) ** exponents


def angles(base: float, rows: int, dtype: str, offset: int = 0) -> np.ndarray:
    return np.arange(offset, offset + rows, dtype=dtype)[:, None] * frequencies(base, dtype)


@pytest.mark.parametrize("base", BASES)
def test_frequencies(base: float) -> None:
    exact = frequencies(base, "float64")
    assert excess(exact, frequencies(base, "float32"), FLOAT32) < 0.5
    assert excess(exact, frequencies(base * 1.0001, "float64"), FLOAT32) > 2
    assert excess(exact, exact * (1 + 2.0**-53), FLOAT64) < 0.5
    assert excess(exact, frequencies(base, "float32"), FLOAT64) > 1e6


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("rows", POSITIONS)
@pytest.mark.parametrize("function", [np.sin, np.cos])
def test_tables_of_sines(base: float, rows: int, function: np.ufunc) -> None:
    exact = function(angles(base, rows, "float64"))
    assert excess(exact, function(angles(base, rows, "float32")), FLOAT32) < 0.5
    assert excess(exact, function(angles(base * 1.0001, rows, "float64")), FLOAT32) > 2
    assert excess(exact, function(angles(base, rows, "float64", offset=1)), FLOAT32) > 1e3
    assert excess(exact, exact * 1.00001, FLOAT32) > 2


def test_numbers_without_a_size_must_be_equal() -> None:
    masked, hidden = np.array([0.0, -np.inf, 1.0]), np.array([0.0, -1e9, 1.0])
    assert excess(masked, masked.copy(), FLOAT32) == 0
    assert excess(masked, hidden, FLOAT32) == np.inf
    assert excess(hidden, masked, FLOAT32) == np.inf
    assert excess(masked, np.array([1e-12, -np.inf, 1.0]), FLOAT32) == np.inf
    assert excess(masked, np.array([0.0, np.nan, 1.0]), FLOAT32) == np.inf


NUMBERS = np.random.default_rng(0).standard_normal((5, 6))


@pytest.mark.parametrize(
    "array",
    [
        NUMBERS.T[:, None],
        np.broadcast_to(NUMBERS[:, None], (5, 4, 6)),
        np.tile(NUMBERS, 2)[None],
        np.repeat(NUMBERS, 2, 1),
        np.repeat(np.tile(NUMBERS.T, (2, 1)), 2, 1),
    ],
    ids=["transposed", "for every head", "for both halves", "for both of a pair", "all of it"],
)
def test_a_table_takes_the_numbers_of_another_layout(array: np.ndarray) -> None:
    ours = Table(NUMBERS * 1.0000001)
    theirs = Table(np.array(array))
    (fit,) = (fit for fit in ours.fits(theirs) if excess(fit.core, theirs.core, FLOAT32) < 1)
    assert fit.share == 1
    np.testing.assert_array_equal(theirs.with_core(fit.core), array * 1.0000001)


def test_of_a_longer_table_the_common_rows_are_taken() -> None:
    ours, theirs = Table(NUMBERS[:3] * 1.0000001), Table(NUMBERS)
    (fit,) = ours.fits(theirs)
    assert fit.share == 3 / 5
    np.testing.assert_array_equal(theirs.with_core(fit.core), np.concatenate([ours.array, NUMBERS[3:]]))
    (fit,) = theirs.fits(ours)
    assert fit.share == 1


def test_tables_that_are_not_alike_do_not_fit() -> None:
    assert not list(Table(NUMBERS).fits(Table(NUMBERS[::-1].copy())))
    assert not list(Table(NUMBERS).fits(Table(NUMBERS[:4, :5])))
    assert not list(Table(NUMBERS).fits(Table(NUMBERS.reshape(-1))))
