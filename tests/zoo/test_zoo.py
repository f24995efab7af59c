"""Real pairs: every tensor lands where it belongs, in both directions, and what differs is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autoport
from tests.support import (
    random_images,
    randomise_keras,
    randomise_torch,
    relative_error,
    run_keras,
    run_torch,
)
from tests.zoo.pairs import PAIRS, Pair

TOLERANCE = 1e-9


@pytest.mark.parametrize(
    "pair", [pytest.param(pair, id=pair.name, marks=() if pair.small else pytest.mark.zoo) for pair in PAIRS]
)
def test_weights_land(pair: Pair) -> None:
    """A port reproduces the Keras model's outputs once the reported differences are undone."""
    model, module = pair.build()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)

    match = autoport.match(model, module)
    assert match.complete, str(match)
    assert_reported(pair, match)
    match.assign()

    images = random_images(pair.shape, seed=3, scale=pair.scale)
    expected = run_keras(model, images)
    assert_recovered(pair, match, model, images, expected)

    if pair.align:
        pair.align(module)
    assert relative_error(run_torch(module, images), expected) < TOLERANCE


def assert_reported(pair: Pair, match: autoport.Match) -> None:
    """Every difference that changes the function is reported, and nothing else."""
    assert {found.name for found in match.differences if not found.training_only} == pair.differences


def assert_recovered(pair: Pair, match: autoport.Match, model: Any, images: np.ndarray, expected: np.ndarray) -> None:
    """Carried back into a Keras model that holds other weights, the tensors are the same bit by bit.

    Where a bias was absorbed, the tensors are others but the function is the same.
    """
    originals = [np.array(variable) for variable in model.weights]
    randomise_keras(model, seed=4)
    match.assign(to="tf")
    if not pair.reversible:
        assert relative_error(run_keras(model, images), expected) < TOLERANCE
        return
    for variable, original in zip(model.weights, originals, strict=True):
        np.testing.assert_array_equal(np.array(variable), original, err_msg=variable.path)
