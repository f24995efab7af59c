"""What became of a port whose right result is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import autoport
from tests.properties import keras_side, torch_side
from tests.properties.architecture import Architecture
from tests.properties.keras_side import KerasTwin
from tests.properties.torch_side import TorchTwin
from tests.properties.truth import fill
from tests.support import randomise_torch

TOLERANCE = 1e-9


@dataclass
class Verdict:
    """A judged port.

    Attributes:
        match: what autoport found.
        assigned: how many tensors of the PyTorch model it writes.
        wrong: those that get something else than the right value, and change what the model computes.
        exchanged: those that get something else and change nothing: automorphic choices.
        missing: those that are left as they are, with the reason.
    """

    match: autoport.Match
    assigned: int
    wrong: list[str] = field(default_factory=list)
    exchanged: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


@dataclass
class Pair:
    """A Keras model, and a PyTorch model of the same or of an edited architecture, not yet ported."""

    architecture: Architecture
    keras: KerasTwin
    torch: TorchTwin
    right: TorchTwin

    def match(self) -> autoport.Match:
        """What autoport finds; a subclassed model does not say what it takes."""
        inputs = None if hasattr(self.keras.model, "input_shape") else keras_side.examples(self.architecture, 3)
        if inputs is not None and len(inputs) == 1:
            (inputs,) = inputs
        return autoport.match(self.keras.model, self.torch, inputs=inputs)


def pair(architecture: Architecture, seeds: tuple[int, int], edited: Architecture | None = None) -> Pair:
    """Both models of an architecture; the seeds choose their spelling."""
    keras = keras_side.build(architecture, seeds[0])
    right, fresh = (torch_side.build(edited or architecture, seeds[1]) for _ in range(2))
    for module in (right, fresh):
        randomise_torch(module, 7)
    fill(right, keras, architecture if edited else None)
    return Pair(architecture, keras, fresh, right)


def distance(first: list[Any], second: list[Any]) -> float:
    """The largest difference between outputs, relative to their size."""
    if [a.shape for a in first] != [b.shape for b in second]:
        return float("inf")
    pairs = zip(first, second, strict=True)
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300)) for a, b in pairs)


def judge(pair: Pair, match: autoport.Match) -> Verdict:
    """Compares what would be assigned with the truth, tensor by tensor."""
    entries = match.plan("torch").entries
    ported, truth = match.state_dict(strict=False), pair.right.state_dict()
    verdict = Verdict(match, len(entries), missing=match.missing("torch"))
    off = [path for path in entries if not torch.equal(ported[path], truth[path])]
    if off:
        same = _outputs(pair, truth | {path: ported[path] for path in entries})
        right = distance(same, _outputs(pair, truth)) < TOLERANCE
        (verdict.exchanged if right else verdict.wrong).extend(off)
    return verdict


def _outputs(pair: Pair, state: dict[str, torch.Tensor]) -> list[Any]:
    """What the PyTorch model computes with other weights; its own stay as they are."""
    before = {path: tensor.clone() for path, tensor in pair.torch.state_dict().items()}
    pair.torch.load_state_dict(state)
    outputs = torch_side.run(pair.torch, keras_side.examples(pair.architecture, 5))
    pair.torch.load_state_dict(before)
    return outputs


def difference(pair: Pair, module: TorchTwin) -> float:
    """How far a module is from the Keras model."""
    arrays = keras_side.examples(pair.architecture, 5)
    return distance(torch_side.run(module, arrays), keras_side.run(pair.keras, arrays))
