"""A model that prepares its images itself, beside one that is given prepared ones."""

from __future__ import annotations

import numpy as np
import torch

import autoport
from autoport.report import build_report
from autoport.verify.verification import Answer
from tests.support import randomise_keras, randomise_torch
from tests.zoo.pairs import PAIRS


def ported(factor: float) -> autoport.Match:
    """A MobileNetV3 that rescales pixels, matched on pixels and on what PyTorch takes instead."""
    (pair,) = (pair for pair in PAIRS if pair.name == "MobileNetV3Large with preprocessing ~ timm tf")
    model, module = pair.keras(pair.shape), pair.torch().eval()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)
    pixels = np.random.default_rng(3).integers(0, 256, (2, *pair.shape)).astype("float32")
    prepared = torch.from_numpy((pixels / np.float32(factor) - 1).transpose(0, 3, 1, 2).copy())
    match = autoport.match(model, module, inputs=pixels, torch_inputs=prepared)
    match.assign()
    return match


def test_inputs_that_are_prepared_as_keras_does_it_are_no_difference() -> None:
    match = ported(127.5)
    verification = match.verify()
    assert verification.answer is Answer.SAME, str(verification)
    assert max(output.relative for output in verification.outputs) < 1e-12
    assert "was given apart" in str(verification)
    assert build_report(match.analysis, verification).same


def test_inputs_that_are_prepared_otherwise_are() -> None:
    verification = ported(128.0).verify()
    assert not verification.ok
    assert "preprocessing" in {divergence.cause for divergence in verification.divergences}
