"""Real models through files: Keras to PyTorch and back bit by bit, by a plan that was read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import autoport
from autoport.transfer.into_file import apply_plan
from tests.support import random_images, randomise_keras, relative_error, run_keras
from tests.zoo.pairs import PAIRS, Pair


@pytest.mark.parametrize(
    "pair", [pytest.param(pair, id=pair.name, marks=() if pair.small else pytest.mark.zoo) for pair in PAIRS]
)
def test_there_and_back(pair: Pair, tmp_path: Path) -> None:
    model, module = pair.build()
    randomise_keras(model, seed=1)
    match = autoport.match(model, module)
    model.save_weights(tmp_path / "in.weights.h5")
    for to in ("torch", "tf"):
        match.plan(to).save(tmp_path / f"{to}.plan.json")
    there, back = (autoport.Plan.load(tmp_path / f"{to}.plan.json") for to in ("torch", "tf"))
    apply_plan(there, tmp_path / "in.weights.h5", tmp_path / "there.safetensors")
    match.save_weights(tmp_path / "port.safetensors")
    assert (tmp_path / "there.safetensors").read_bytes() == (tmp_path / "port.safetensors").read_bytes()
    apply_plan(back, tmp_path / "there.safetensors", tmp_path / "back.weights.h5")
    originals = [np.array(variable) for variable in model.weights]
    images = random_images(pair.shape, seed=3, scale=pair.scale)
    expected = run_keras(model, images)
    randomise_keras(model, seed=4)
    model.load_weights(tmp_path / "back.weights.h5")
    if not pair.reversible:
        assert relative_error(run_keras(model, images), expected) < 1e-9
        return
    for variable, original in zip(model.weights, originals, strict=True):
        np.testing.assert_array_equal(np.array(variable), original, err_msg=variable.path)
