"""The algebra of pieces: every transform has an inverse, and parts of a tensor do not touch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st

from autoport.weights.algebra import Part, Term, assemble, view
from autoport.weights.piece import Piece, format_pattern, parse_pattern

AXES = ["a", "b", "c", "d"]
sizes = st.fixed_dictionaries({name: st.integers(1, 4) for name in AXES})


@st.composite
def layouts(draw: st.DrawFn) -> str:
    """A random order of the axes, some of them sharing a dimension, some dimensions of size 1."""
    order = draw(st.permutations(AXES))
    cuts = sorted(draw(st.sets(st.integers(1, 3), max_size=3)))
    groups = [list(order[a:b]) for a, b in zip([0, *cuts], [*cuts, 4], strict=True)]
    for place in draw(st.lists(st.integers(0, len(groups)), max_size=2)):
        groups.insert(place, [])
    return format_pattern(groups)


def stored_shape(pattern: str, sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(math.prod(sizes[name] for name in dim) for dim in parse_pattern(pattern))


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(math.prod(shape), dtype=np.float64).reshape(shape)


def carried(source: np.ndarray, one: Piece, other: Piece, shape: tuple[int, ...]) -> np.ndarray:
    return assemble(shape, source.dtype, [Part(other, (Term(one),))], lambda path: source)


@given(layouts(), layouts(), sizes)
def test_a_transform_is_what_einops_makes_of_the_two_layouts(left: str, right: str, sizes: dict[str, int]) -> None:
    source = numbered(stored_shape(left, sizes))
    shape = stored_shape(right, sizes)
    pieces = [Piece.of("t", p, stored_shape(p, sizes), **sizes) for p in (left, right)]
    expected = rearrange(source, f"{left} -> {right}", **sizes)
    assert np.array_equal(carried(source, *pieces, shape), expected)
    shown = rearrange(source, f"{pieces[0].pattern} -> {pieces[1].pattern}", **pieces[0].sizes)
    assert np.array_equal(shown, expected)


@given(layouts(), layouts(), sizes)
def test_swapping_the_layouts_is_the_inverse(left: str, right: str, sizes: dict[str, int]) -> None:
    shapes = [stored_shape(p, sizes) for p in (left, right)]
    pieces = [Piece.of("t", p, shape, **sizes) for p, shape in zip((left, right), shapes, strict=True)]
    source = numbered(shapes[0])
    there = carried(source, pieces[0], pieces[1], shapes[1])
    assert np.array_equal(carried(there, pieces[1], pieces[0], shapes[0]), source)


@given(layouts(), sizes, st.sampled_from(AXES))
def test_selections_along_an_axis_are_the_whole_tensor_and_do_not_overlap(
    pattern: str, sizes: dict[str, int], axis: str
) -> None:
    shape = stored_shape(pattern, sizes)
    array = np.zeros(shape)
    for index in range(sizes[axis]):
        piece = Piece.of("t", pattern, shape, {axis: index}, **sizes)
        view(array, piece)[...] += 1
    assert np.array_equal(array, np.ones(shape))


def test_ranges_are_taken_before_the_layout_is_read() -> None:
    kernel = Piece.of("t", "i o", (10, 3))
    first, second = kernel.take("i", 0, 6).expand("i", [("h", 2), ("c", 3)]), kernel.take("i", 6, 10)
    array = numbered((10, 3))
    assert first.pattern == "(h c) o"
    assert np.array_equal(view(array, first), array[:6].reshape(2, 3, 3).transpose(1, 0, 2))
    assert np.array_equal(view(array, second), array[6:])
    assert np.array_equal(view(array, second.take("i", 1, 3)), array[7:9])


def test_a_sum_of_terms_keeps_their_signs() -> None:
    tensors = {"mean": np.array([5.0, 6.0]), "bias": np.array([1.0, 2.0])}
    pieces = {path: Piece.of(path, "c", (2,)) for path in tensors}
    part = Part(Piece.of("t", "c", (2,)), (Term(pieces["mean"]), Term(pieces["bias"], -1.0)))
    assert assemble((2,), np.dtype("float32"), [part], tensors.__getitem__).tolist() == [4.0, 4.0]


@pytest.mark.parametrize(("pattern", "shape"), [("i o", (2, 3, 4)), ("(a b) o", (6, 3)), ("(g o)", (7,))])
def test_a_layout_that_does_not_fit_is_an_error(pattern: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"does not fit|cannot split"):
        Piece.of("t", pattern, shape, **({"g": 2} if "g" in pattern else {}))
