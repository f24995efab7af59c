"""One mutation: what is done, what an oracle says that it changes, and what `verify` says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random as Chance
from typing import Any

import torch
from torch import nn

import autoport
from autoport.verify.verification import Cause, Divergence, Verification
from tests.properties.architecture import Architecture, Node
from tests.verify.campaign import edited, functions, weights
from tests.verify.campaign.functions import EVERYWHERE, MISTAKES
from tests.verify.campaign.subjects import OUTPUT, Random

# A relative difference of outputs in float64: below the first it is rounding, above the second a proof must see it.
NONE, CERTAIN = 1e-12, 1e-8
WEIGHTS, FUNCTIONS, UNMUTATED = "weights", "functions", "unmutated"


@dataclass(frozen=True)
class Outcome:
    """What became of one mutation.

    Attributes:
        case: how to run it again.
        kind: `weights`, `functions` or `unmutated`.
        name: of the mutation.
        changed: how far the oracle sees outputs move.
        verification: what was said.
        places: names of layers and modules at which it may be located.
        causes: names that are right for it.
        refused: weights were left alone, so that nothing can be proved.
    """

    case: str
    kind: str
    name: str
    changed: float
    verification: Verification
    places: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    refused: bool = False

    @property
    def must_differ(self) -> bool:
        """Whether the outputs provably differ."""
        return self.kind != UNMUTATED and self.changed > CERTAIN

    @property
    def caught(self) -> bool:
        """Whether it was called wrong."""
        return not self.verification.ok

    @property
    def false_alarm(self) -> bool:
        """Whether what computes the same was called wrong; another number in a weight is wrong wherever it shows."""
        same = self.kind == UNMUTATED or (self.kind == FUNCTIONS and self.changed < NONE)
        return same and self.caught and not self.refused

    @property
    def here(self) -> list[Divergence]:
        """Divergences at the mutated place."""
        return [d for d in self.verification.divergences if self._is_here(d)]

    @property
    def place_right(self) -> bool:
        """Whether some divergence is at the mutated place."""
        return bool(self.here)

    @property
    def only_there(self) -> bool:
        """Whether all are."""
        return len(self.here) == len(self.verification.divergences)

    @property
    def cause_right(self) -> bool:
        """Whether a divergence there has the right cause."""
        return any(self._is_right(cause) for divergence in self.here for cause in divergence.causes)

    def _is_right(self, cause: Cause) -> bool:
        if self.refused and cause.name == "weights":  # it says which one was left alone, and why
            return True
        named = {each.partition(":")[2] for each in self.causes if each.startswith(f"{cause.name}:")}
        return cause.name in self.causes or any(each in str(cause) for each in named)

    def _is_here(self, divergence: Divergence) -> bool:
        if divergence.kind == "output" and OUTPUT in self.places:
            return True
        paths = {f"{path}." for path in (divergence.tf.path, divergence.torch.path) if path}
        names = {f"{name}." for name in self.places}
        # What a module computes by itself around its children is told as the module.
        if any(path.startswith(name) or name.startswith(path) for path in paths for name in names):
            return True
        if any(path.startswith(name) for path in paths for name in self.places if name.endswith(":")):
            return True
        # Where a layer is gone, what read it is the place, and the cause says which one.
        return any(name in divergence.why for name in self.places)

    def __str__(self) -> str:
        said = "\n    ".join(str(self.verification).splitlines())
        return f"{self.case}: changes {self.changed:.1e}, at {sorted(self.places)}, {sorted(self.causes)}\n    {said}"


def unmutated(subject: Random, spellings: int) -> Iterator[Outcome]:
    """Right ports in several spellings."""
    for number in range(spellings):
        module = subject.module() if not number else subject.case.twins(subject.spelling + 1000 * number)[1]
        match = ported(subject, module)
        changed = subject.distance(module)
        yield Outcome(
            f"{subject.name}/unmutated/{number}",
            UNMUTATED,
            UNMUTATED,
            changed,
            match.verify(),
            refused=not match.complete,
        )


def ported(subject: Random, module: nn.Module) -> autoport.Match:
    """A match of which all weights are assigned that have a partner."""
    match = subject.case.match(module)
    match.assign(strict=False)
    return match


def of_weights(subject: Random, count: int, only: str | None = None) -> Iterator[Outcome]:
    """Mutations of the weights of one right port, of kinds that take turns."""
    module = subject.module()
    match = ported(subject, module)
    if not match.complete:
        return
    carried = set(match.plan("torch").entries)
    names = list(weights.MUTATIONS)
    first = Chance(subject.name).randrange(len(names))
    for number in range(count):
        name = names[(first + number) % len(names)]
        case = f"{subject.name}/{name}/{number}"
        broken = weights.broken(module, carried, name, Chance(case)) if only in (None, case) else None
        if broken is not None:
            yield _of_weights(subject, module, match, broken, case)


def _of_weights(
    subject: Random, module: nn.Module, match: autoport.Match, broken: weights.Broken, case: str
) -> Outcome:
    state = module.state_dict()
    kept = {path: state[path].clone() for path in broken.paths}
    with torch.no_grad():
        for path, value in zip(broken.paths, broken.values, strict=True):
            state[path].copy_(value)
        verification, changed = match.verify(), subject.distance(module)
        for path, value in kept.items():
            state[path].copy_(value)
    places = frozenset(path.rpartition(".")[0] for path in broken.paths)
    return Outcome(case, WEIGHTS, broken.name, changed, verification, places, frozenset({"weights"}))


def of_functions(subject: Random, count: int, only: str | None = None) -> Iterator[Outcome]:
    """Classic mistakes in one right port, drawn at random."""
    names = _drawn_names(Chance(subject.name))
    found = 0
    for name in names:
        case = f"{subject.name}/{name}"
        made = _mutant(subject, name, Chance(case)) if only in (None, case) else None
        if made is None:
            continue
        module, places, causes = made
        match = ported(subject, module)
        changed = subject.distance(module)
        yield Outcome(case, FUNCTIONS, name, changed, match.verify(), frozenset(places), causes, not match.complete)
        found += 1
        if found == count:
            return


def _drawn_names(chance: Chance) -> list[str]:
    """Names of mistakes in a random order; most of those that apply everywhere stand behind the others."""
    names = [*MISTAKES, *edited.EDITS, *INPUTS, *OUTPUTS]
    rank = {name: chance.random() + (name in EVERYWHERE) * chance.choice((0, 1, 1)) for name in names}
    return sorted(names, key=rank.__getitem__)


Mutant = tuple[Any, set[str], frozenset[str]]


def _mutant(subject: Random, name: str, chance: Chance) -> Mutant | None:
    if name in edited.EDITS:
        made = edited.edited(subject.architecture, name, chance)
        if made is None:
            return None
        module = subject.module(made[0])
        return module, subject.around(module, made[1], made[0]), edited.EDITS[name].causes
    if name in INPUTS:
        return _at_inputs(subject, name)
    return _at_outputs(subject, name) if name in OUTPUTS else _in_part(subject, name, chance)


def _in_part(subject: Random, name: str, chance: Chance) -> Mutant | None:
    nodes = [node for node in subject.architecture.nodes if node.kind != "input" and node.shared is None]
    for node in chance.sample(nodes, len(nodes)):
        module = subject.module()
        if functions.applied(module.parts[node.id], node, node.shape, name, chance):
            causes = MISTAKES[name].causes | _at_an_end(subject.architecture, node)
            return module, subject.around(module, {node.id}), causes
    return None


def _at_an_end(architecture: Architecture, node: Node) -> set[str]:
    """A further name that is right where a node reads an input of the model."""
    return {"preprocessing"} if any(architecture[source].kind == "input" for source in node.sources) else set()


INPUTS = {
    "pixels scaled": lambda x: x / 2 - 1,
    "inputs flipped": lambda x: x.flip(1),
}


def _at_inputs(subject: Random, name: str) -> Mutant | None:
    """What is done to floats that a model takes."""
    inputs = subject.architecture.inputs
    if all(node["whole"] for node in inputs):
        return None
    module = subject.module()
    functions.on_inputs(module, [(lambda x: x) if node["whole"] else INPUTS[name] for node in inputs])
    causes = frozenset({"preprocessing", "scale", "shift", "flip", "channel order", "operation"})
    return module, subject.around(module, {node.id for node in inputs}), causes


OUTPUTS = {"outputs exchanged": lambda values: values[::-1], "an output missing": lambda values: values[:-1]}


def _at_outputs(subject: Random, name: str) -> Mutant | None:
    if len(subject.architecture.outputs) < 2:
        return None
    module = subject.module()
    forward, done = module.forward, OUTPUTS[name]
    module.forward = lambda *values: done(forward(*values))
    return module, subject.around(module, set(subject.architecture.outputs)), frozenset({"outputs"})
