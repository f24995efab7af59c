"""What must hold for every architecture; each property returns what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

import autoport
from autoport.errors import InputError, NothingInCommonError
from autoport.facts.reasons import Code
from tests.properties import edits
from tests.properties.alike import explains_as_much
from tests.properties.architecture import WEIGHTED, Architecture
from tests.properties.judge import TOLERANCE, Case, judge
from tests.properties.torch_side import TorchTwin

Tally = Counter[str]


class Refusal(str):
    """Found, and honest: weights that are left alone with a reason."""


def ports(case: Case, seed: int, tally: Tally) -> Iterator[str]:
    """A port is exact: every tensor, and the outputs; the way back restores every Keras weight, bit for bit."""
    fresh, right = case.twins(seed)
    if not (off := case.distance(right)) < TOLERANCE:
        yield f"the generator itself is wrong by {off}"
        return
    match = case.match(fresh)
    yield from _exact(match, fresh, right, tally)
    if match.complete:
        match.assign()
        if not (off := case.distance(fresh)) < TOLERANCE:
            yield f"outputs differ by {off}"
        yield from _restores(case, match)


def _exact(match: autoport.Match, fresh: TorchTwin, right: TorchTwin, tally: Tally) -> Iterator[str]:
    verdict = judge(match, fresh, right)
    tally.update(ports=1, tensors=verdict.assigned, wrong=len(verdict.wrong), exchanged=len(verdict.exchanged))
    if verdict.wrong:
        yield f"wrong: {verdict.wrong}"
    if not match.complete:
        tally.update(refused=1)
        yield Refusal(f"refused: {match.missing()} {match.unexpected()}")
    elif found := [str(difference) for difference in match.differences if not difference.training_only]:
        tally.update(differences=1)
        yield f"differences: {found}"


def _restores(case: Case, match: autoport.Match) -> Iterator[str]:
    before, variables = case.weights(), case.keras.model.weights
    for variable in variables:
        variable.assign(np.zeros(variable.shape))
    match.assign(to="tf")
    after = case.weights()
    for variable, array in zip(variables, before, strict=True):
        variable.assign(array)
    lost = [v.path for v, a, b in zip(variables, before, after, strict=True) if not np.array_equal(a, b)]
    if lost:
        yield f"not restored: {lost}"


def spelled_alike(case: Case, seeds: tuple[int, int], tally: Tally) -> Iterator[str]:
    """Neither names nor the order of modules, branches and operands matter, nor does doing it again."""
    for seed in seeds:
        fresh, right = case.twins(seed)
        match = case.match(fresh)
        yield from _exact(match, fresh, right, tally)
    if _facts(case.match(fresh)) != _facts(match):
        yield "matching again gives something else"


def _facts(match: autoport.Match) -> Any:
    plan = {path: (entry.expression, entry.sources) for path, entry in match.plan("torch").entries.items()}
    return plan, match.differences, match.missing(), match.unexpected()


def edits_are_safe(case: Case, count: int, seed: int, tally: Tally) -> Iterator[str]:
    """With edits on one side nothing wrong is assigned, and what they touched is reported at its place."""
    made = edits.edited(case.architecture, count, seed)
    if made is None:
        return
    fresh, right = case.twins(seed, made.architecture)
    tally.update(edited=1, edits=len(made.touched))
    try:
        match = case.match(fresh)
    except (InputError, NothingInCommonError):
        tally.update(rejected=1)
        return
    verdict = judge(match, fresh, right)
    # What is as good a partner may be chosen, but never without a word.
    alike = bool(verdict.wrong and _report(match)) and explains_as_much(match, case.keras, fresh)
    tally.update({"edited tensors": verdict.assigned, "edited alike" if alike else "edited wrong": len(verdict.wrong)})
    if verdict.wrong and not alike:
        yield f"wrong after {made.touched}: {verdict.wrong}, {list(map(str, match.differences))}"
    yield from _reported(case, match, made, right)


def _reported(case: Case, match: autoport.Match, made: edits.Edited, right: TorchTwin) -> Iterator[str]:
    if case.distance(right) < TOLERANCE:
        return
    text = _report(match)
    if not text:
        yield f"not reported: {made.touched}"
    elif len(made.touched) == 1:
        ((name, places),) = made.touched
        near = around(case.architecture, places) | around(made.architecture, places)
        names = [n for node in case.architecture.nodes if node.id in near for n in case.keras.names(node)]
        names += [
            right.names[node.owner] for node in made.architecture.nodes if node.id in near and node.owner in right.names
        ]
        if not any(name in text for name in names) and "the Keras model" not in text:
            yield f"{name} at {places} is reported elsewhere: {text}"


def _report(match: autoport.Match) -> str:
    """All that the report says about differences and about what has no partner."""
    rows = [*match.unmatched_tf, *match.unmatched_torch]
    texts = [f"{d.name} {d.tf} {d.torch}" for d in match.differences if not d.training_only]
    texts += [f"{row.op} {row.tensors}" for row in rows if row.reason.code is not Code.NO_READER]
    return " | ".join([*texts, *match.missing(), *match.unexpected()])


def around(architecture: Architecture, places: set[int]) -> set[int]:
    """Nodes with names next to some places."""
    known = {node.id: node for node in architecture.nodes}
    found, waiting = set(places), [(id, way) for id in places for way in ("up", "down")]
    seen = set(waiting)
    while waiting:
        id, way = waiting.pop()
        if id not in known:
            continue
        near = known[id].sources if way == "up" else [reader.id for reader in architecture.readers(id)]
        for other in near:
            found.add(other)
            if known[other].kind not in WEIGHTED and (other, way) not in seen:
                seen.add((other, way))
                waiting.append((other, way))
    return found
