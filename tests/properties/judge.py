"""What became of a port whose right result is known."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

import autoport
from autoport.keras import read as keras_reading
from autoport.pytorch import read as torch_reading
from autoport.verify.running.readings import Readings
from tests.properties import keras_side, torch_side
from tests.properties.architecture import Architecture
from tests.properties.torch_side import TorchTwin
from tests.properties.truth import fill
from tests.support import randomise_torch

TOLERANCE = 1e-9


class Case:
    """A Keras model of an architecture, to be ported into modules of the same one or of edited ones.

    Attributes:
        architecture: what both models are.
        keras: the Keras model, with random weights.
    """

    def __init__(self, architecture: Architecture, seed: int) -> None:
        self.architecture = architecture
        self.keras = keras_side.build(architecture, seed)

    @cached_property
    def inputs(self) -> Any:
        """What the Keras model takes."""
        arrays = keras_side.examples(self.architecture, 3)
        return arrays if len(arrays) > 1 else arrays[0]

    @cached_property
    def _reading(self) -> Any:
        return keras_reading.read(self.keras.model, self.inputs)

    def match(self, module: TorchTwin) -> autoport.Match:
        """What autoport finds, with the Keras model read only once."""
        torch = torch_reading.read(module, keras_reading.flat_inputs(self.inputs))
        return autoport.Match(Readings(replace(self._reading, graph=deepcopy(self._reading.graph)), torch))

    def twins(self, seed: int, edited: Architecture | None = None) -> tuple[TorchTwin, TorchTwin]:
        """A module to be ported into, and the same with the right weights where they are known."""
        fresh, right = (torch_side.build(edited or self.architecture, seed, self.architecture) for _ in range(2))
        for module in (fresh, right):
            randomise_torch(module, 7)
        fill(right, self.keras, self.architecture if edited else None)
        return fresh, right

    def distance(self, module: TorchTwin) -> float:
        """How far the outputs of a module are from the Keras model's."""
        arrays = keras_side.examples(self.architecture, 5)
        return distance(torch_side.run(module, arrays), keras_side.run(self.keras, arrays))

    def weights(self) -> list[Any]:
        """All weights of the Keras model."""
        return [np.array(variable.value) for variable in self.keras.model.weights]


def distance(first: list[Any], second: list[Any]) -> float:
    """The largest difference between outputs, relative to their size."""
    if [a.shape for a in first] != [b.shape for b in second]:
        return float("inf")
    pairs = zip(first, second, strict=True)
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300)) for a, b in pairs)


@dataclass
class Verdict:
    """A judged port.

    Attributes:
        assigned: how many tensors of the PyTorch model are written.
        wrong: those that get something else than the right value, and change what the model computes.
        exchanged: those that get something else and change nothing: automorphic choices.
    """

    assigned: int
    wrong: list[str] = field(default_factory=list)
    exchanged: list[str] = field(default_factory=list)


def judge(match: autoport.Match, fresh: TorchTwin, right: TorchTwin) -> Verdict:
    """Compares what would be assigned with the truth, tensor by tensor."""
    entries = match.plan("torch").entries
    ported, truth = match.state_dict(strict=False), right.state_dict()
    off = [path for path in entries if not torch.equal(ported[path], truth[path])]
    if not off:
        return Verdict(len(entries))
    same = distance(_outputs(fresh, truth | {path: ported[path] for path in entries}), _outputs(fresh, truth))
    return Verdict(len(entries), exchanged=off) if same < TOLERANCE else Verdict(len(entries), wrong=off)


def _outputs(module: TorchTwin, state: dict[str, torch.Tensor]) -> list[Any]:
    """What a module computes with other weights; its own stay as they are."""
    before = {path: tensor.clone() for path, tensor in module.state_dict().items()}
    module.load_state_dict(state)
    outputs = torch_side.run(module, keras_side.examples(module.architecture, 5))
    module.load_state_dict(before)
    return outputs
