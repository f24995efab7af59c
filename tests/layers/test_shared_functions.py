"""Functions that Keras and PyTorch share by name: equal numbers are no difference, other numbers are one.

Every function stands in a branch of its own, between weights; one pair of models holds them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import layers
from torch import nn

import autoport
from tests.layers.shared_calls import LOOPS, NOT_FOLLOWED, UNCALLED
from tests.layers.shared_functions import (
    Case,
    are_equal,
    cases,
    draw,
    first_of,
    results_of,
    shared_names,
)
from tests.support import keras_float64, randomise_keras

OUT = 4
# Branches of one pair of models: what is searched for partners grows faster than what is searched.
MOST_BRANCHES = 60
# As far as numbers are apart that both frameworks write down as float32.
ROUNDING = 1e-6
NAMES = shared_names()
pytestmark = pytest.mark.filterwarnings("ignore:Implicit dimension choice")


@dataclass
class Branch:
    """One case, as a part of both models.

    Attributes:
        name: of the layer and of the module that compute it.
        widths: of its inputs, which no other branch has.
        behind: features of what it computes, if a layer can read those.
    """

    name: str
    case: Case
    widths: list[int]
    behind: tuple[int, int] | None


class KerasBranch(layers.Layer):  # type: ignore[misc]
    def __init__(self, branch: Branch) -> None:
        super().__init__(name=branch.name)
        self.step = branch.case.keras
        self.before = [
            layers.Dense(branch.case.shape[-1], name=f"{branch.name}.before{k}") for k in range(branch.case.count)
        ]
        self.last = layers.Dense(OUT, name=f"{branch.name}.last") if branch.behind else None
        for layer, width in zip(self.before, branch.widths, strict=True):
            layer.build((None, width))
        if self.last is not None:
            self.last.build((None, branch.behind[0]))  # type: ignore[index]
        self.built = True

    def call(self, *tensors: Any) -> Any:
        y = first_of(self.step(*(layer(x) for layer, x in zip(self.before, tensors, strict=True))))
        return y if self.last is None else self.last(y)


class TorchBranch(nn.Module):
    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.step = branch.case.torch
        self.last = nn.Linear(branch.behind[1], OUT) if branch.behind else None
        self.before = nn.ModuleList(nn.Linear(width, branch.case.shape[-1]) for width in branch.widths)

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        y = first_of(self.step(*(layer(x) for layer, x in zip(self.before, tensors, strict=True))))
        return y if self.last is None else self.last(y)


class Branches(nn.Module):
    def __init__(self, branches: list[Branch]) -> None:
        super().__init__()
        for branch in branches:
            setattr(self, branch.name, TorchBranch(branch))
        self.counts = [branch.case.count for branch in branches]

    def forward(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        read = iter(tensors)
        return [
            part(*(next(read) for _ in range(count))) for part, count in zip(self.children(), self.counts, strict=True)
        ]


@dataclass
class Verdict:
    """What is said of a branch.

    Attributes:
        case: its functions.
        reported: differences, and operations that have no twin.
        open: tensors without a partner.
        error: how far the outputs are apart with the same weights; infinite if they cannot be compared.
    """

    case: Case
    reported: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    error: float = np.inf


def branches_of(names: list[str]) -> list[Branch]:
    widths = iter(range(8, 100_000))
    result = []
    for name in names:
        for number, case in enumerate(cases(name)):
            found = results_of(case, draw(case, 1.0, 0))
            assert found is not None
            fits = all(array.dtype.kind == "f" and array.ndim > 1 for array in found)
            behind = (found[0].shape[-1], found[1].shape[-1]) if fits else None
            result.append(Branch(f"{name}_{number}", case, [next(widths) for _ in range(case.count)], behind))
    return result


def judged(branches: list[Branch]) -> dict[str, Verdict]:
    """Matches both models, ports, and says what is reported of each branch."""
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=(2, *b.case.shape[:-1], width)) for b in branches for width in b.widths]
    with keras_float64():
        parts = [KerasBranch(branch) for branch in branches]
        for part in parts:
            randomise_keras(part, 1)

        def model(*tensors: Any) -> list[Any]:
            read = iter(tensors[0] if isinstance(tensors[0], (list, tuple)) else tensors)
            return [part(*(next(read) for _ in part.before)) for part in parts]

        module = Branches(branches).double().eval()
        tensors = tuple(map(torch.from_numpy, arrays))
        match = autoport.match(model, module, inputs=list(map(tf.constant, arrays)), torch_inputs=tensors)
        match.assign(strict=False)
        with torch.no_grad():
            outputs = zip(model(*map(tf.constant, arrays)), module(*tensors), strict=True)
        verdicts = {b.name: Verdict(b.case) for b in branches}
        for verdict, (ours, theirs) in zip(verdicts.values(), outputs, strict=True):
            verdict.error = distance(np.asarray(ours), theirs.numpy())
    _collect(match, verdicts)
    return verdicts


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape:
        return np.inf
    if ours.dtype.kind not in "fc":
        return 0.0 if np.array_equal(ours, theirs) else np.inf
    return float(np.nan_to_num(np.abs(ours - theirs), nan=0.0).max() / (1.0 + np.nan_to_num(np.abs(ours)).max()))


def _collect(match: autoport.Match, verdicts: dict[str, Verdict]) -> None:
    for difference in match.differences:
        if not difference.training_only:
            for name in {branch_of(str(difference.tf)), branch_of(str(difference.torch))} & verdicts.keys():
                verdicts[name].reported.append(str(difference))
    for row in (*match.unmatched_tf, *match.unmatched_torch):
        if row.op is not None:
            verdicts[branch_of(row.op.path)].reported.append(f"unmatched {row.op.kind}")
    for path in (*match.missing(), *match.unexpected()):
        verdicts[branch_of(path)].open.append(path)


def branch_of(place: str) -> str:
    return place.replace("/", ".").split(".")[0].split(":")[0].split(" ")[0]


@pytest.fixture(scope="module")
def branches() -> list[Branch]:
    return branches_of(NAMES)


@pytest.fixture(scope="module")
def verdicts(branches: list[Branch]) -> dict[str, Verdict]:
    starts = range(0, len(branches), MOST_BRANCHES)
    parts = [judged(branches[start : start + MOST_BRANCHES]) for start in starts]
    return {name: verdict for part in parts for name, verdict in part.items()}


def test_every_shared_function_is_called_or_said_not_to_be(branches: list[Branch]) -> None:
    assert set(NAMES) - {name_of(branch.name) for branch in branches} == UNCALLED.keys()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UNCALLED])
def test_other_numbers_are_a_difference_and_equal_ones_are_none(name: str, verdicts: dict[str, Verdict]) -> None:
    for verdict in (verdict for branch, verdict in verdicts.items() if name_of(branch) == name):
        told = verdict.case.label, verdict.reported, verdict.open, verdict.error
        if name in LOOPS:
            assert verdict.reported, told
        elif are_equal(verdict.case):
            assert verdict.reported == [], told
            assert bool(verdict.open) == (name in NOT_FOLLOWED), told
            assert verdict.error < ROUNDING or verdict.open, told
        else:
            assert verdict.reported or verdict.open or verdict.error < ROUNDING, told


def name_of(branch: str) -> str:
    return branch.rpartition("_")[0]
