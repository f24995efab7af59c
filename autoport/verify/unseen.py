"""Weights that no divergence shows: wrong tensors, and tensors that have no partner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from autoport.facts.framework import Framework
from autoport.facts.places import Place
from autoport.facts.reasons import Code, Reason
from autoport.verify.comparing.compare import gap
from autoport.verify.seen import Seen
from autoport.verify.trial import CERTAINLY_ROUNDING, Trial
from autoport.verify.verification import Cause, Divergence
from autoport.weights.algebra import Array

if TYPE_CHECKING:
    from autoport.analysis import Analysis


@dataclass
class Unseen:
    """Tensors that no place shows.

    Attributes:
        divergences: those that other inputs may show.
        unobservable: those that nothing can show, with the reason.
    """

    divergences: list[Divergence] = field(default_factory=list)
    unobservable: list[Reason] = field(default_factory=list)


def find_unseen(analysis: Analysis, trial: Trial, seen: Seen) -> Unseen:
    """Looks at every tensor that the plan makes, and at those that it leaves out.

    Args:
        analysis: what both models have in common.
        trial: both, ready to run.
        seen: what the runs showed.
    """
    result = Unseen()
    visible = {wrong.path for tap in seen.diverging for wrong, _ in trial.wrong_tensors(tap)}
    harmless = [trial.weights.wrong[path] for path in visible] if seen.outputs_agree else []
    places = {pair.torch.name: (pair.tf.place, pair.torch.place) for pair in analysis.pairs}
    for wrong in [*(w for path, w in trial.weights.wrong.items() if path not in visible), *harmless]:
        reason = wrong.why_harmless(analysis.graphs.torch)
        if reason is not None:
            result.unobservable.append(reason)
        elif wrong.path not in visible:
            at = places.get(min((name for name, _ in wrong.places), default=""), (Place(wrong.path), Place(wrong.path)))
            cause = Cause("weights", reasons=(wrong.reason, Reason(Code.UNSEEN)))
            result.divergences.append(Divergence(*at, "node", wrong.difference, 0.0, trial.rtol, (cause,)))
    if not seen.diverging and seen.outputs_agree:
        result.divergences += _that_matter(analysis, trial)
    return result


def _that_matter(analysis: Analysis, trial: Trial) -> Iterator[Divergence]:
    """Tensors without a partner of which other numbers change what a model returns, although both return the same."""
    transfer = analysis.transfer(Framework.TORCH)
    for side, lost in ((Framework.TORCH, transfer.missing), (Framework.TF, transfer.unexpected)):
        tensors = [path for path, reason in lost.items() if reason.code is not Code.PART_CARRIED]
        read = analysis.open_store(side).read
        values = {path: read(path).astype(np.float64) for path in tensors}
        if not tensors or _effect(trial, side, values) <= CERTAINLY_ROUNDING:
            continue
        for path in tensors:
            if _effect(trial, side, {path: values[path]}) > CERTAINLY_ROUNDING:
                cause = Cause("weights", reasons=(Reason.of(Code.NOT_CARRIED, tensor=path, reason=lost[path]),))
                yield Divergence(Place(path), Place(path), "node", 0.0, 0.0, trial.rtol, (cause,))


def _effect(trial: Trial, side: Framework, values: Mapping[str, Array]) -> float:
    """How far other numbers, all larger or all smaller, move what a model returns, in standard deviations."""
    before = trial.returned_with(side, {})
    largest = 0.0
    for sign in (1, -1):
        moved = {path: array + sign * (1 + np.abs(array).max()) for path, array in values.items()}
        after = trial.returned_with(side, moved)
        largest = max([largest, *(gap(a, b).relative for a, b in zip(before, after, strict=True))])
    return largest
