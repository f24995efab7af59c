"""Right ports to break: random architectures and real pairs, each with what an oracle needs to know of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.properties import keras_side, torch_side
from tests.properties.architecture import Architecture, Invalid, rebuilt
from tests.properties.judge import Case, distance
from tests.properties.properties import around
from tests.properties.strategies import SEEDS, architectures
from tests.properties.torch_side import TorchTwin

BATCH = 20
# Seeds of the inputs that the oracle runs both models on, each also 8 times as large.
ORACLE = (5, 6, 7)
# The place of what is returned.
OUTPUT = "output"


class Random:
    """A random architecture as a Keras model, and PyTorch modules of it that hold its weights.

    Attributes:
        name: how to draw it again.
        case: the Keras side.
        spelling: seed of the spelling of the PyTorch side.
    """

    def __init__(self, name: str, architecture: Architecture, number: int) -> None:
        self.name, self.case, self.spelling = name, Case(architecture, number), number + 1

    @property
    def architecture(self) -> Architecture:
        """What both sides are."""
        return self.case.architecture

    def module(self, edited: Architecture | None = None) -> TorchTwin:
        """A fresh module with the right weights, where they are known."""
        return self.case.twins(self.spelling, edited)[1]

    def distance(self, module: TorchTwin) -> float:
        """How far a module is from the Keras model, as both say themselves, in float64."""
        return max(self._distance(module, number, scale) for number in ORACLE for scale in (1, 8))

    def _distance(self, module: TorchTwin, number: int, scale: int) -> float:
        drawn = keras_side.examples(self.architecture, number)
        arrays = [array if array.dtype.kind == "i" else scale * array for array in drawn]
        try:
            ours = torch_side.run(module, arrays)
        except (ValueError, RuntimeError, IndexError):
            return math.inf
        return distance(ours, keras_side.run(self.case.keras, arrays))

    def around(self, module: TorchTwin, ids: set[int], *others: Architecture) -> set[str]:
        """Names of the layers and modules of some nodes, and of those next to them; `OUTPUT` if one is returned."""
        known = [self.architecture, *others]
        near = set().union(*(around(each, ids) for each in known))
        nodes = [node for each in known for node in each.nodes if node.id in near]
        names = {name for node in nodes for name in self.case.keras.names(node)}
        ends = {OUTPUT} if near & {id for each in known for id in each.outputs} else set()
        return names | ends | {module.names[node.owner] for node in nodes if node.owner in module.names}


def squared(architecture: Architecture) -> Architecture:
    """The same on square images, so that what is transposed still fits; unchanged if it has none."""
    try:
        return rebuilt([_square(node) for node in architecture.nodes], architecture.outputs)
    except Invalid:
        return architecture


def _square(node: Any) -> Any:
    shape = node.params.get("shape", ())
    if node.kind != "input" or len(shape) != 3:
        return node
    return replace(
        node, shape=(shape[0], shape[0], shape[2]), params={**node.params, "shape": (shape[0], *shape[:1], shape[2])}
    )


def random_subjects(number: int, count: int) -> Iterator[Random]:
    """So many random ports; equal numbers give the same ones, and every other one has square images."""
    for start in range(0, count, BATCH):
        for place, (architecture, spelling) in enumerate(_drawn(number + start, min(BATCH, count - start))):
            made = squared(architecture) if place % 2 else architecture
            if _shows_layouts(made):
                yield Random(f"{number + start}.{place}", made, spelling)


def _shows_layouts(architecture: Architecture) -> bool:
    """Whether a caller sees in which layout a map is returned: not if it is a cube and no input is a map."""
    if any(len(node.shape) > 2 for node in architecture.inputs):
        return True
    shapes = [architecture[id].shape for id in architecture.outputs]
    return not any(len(shape) > 2 and len(set(shape)) == 1 for shape in shapes)


def _drawn(number: int, count: int) -> list[tuple[Architecture, int]]:
    found: list[tuple[Architecture, int]] = []

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(architectures(), SEEDS)
    def draw(architecture: Architecture, spelling: int) -> None:
        found.append((architecture, spelling))

    draw()
    return found
