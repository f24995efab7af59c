"""Numbers settle what structure leaves open: partners that fit equally well, and weights that were refused.

Where structure cannot compare how the models arrange values, the weights around are refused. Here the PyTorch graph
runs with those weights in place, and at every tap goes on with the Keras value. A weight is proved where its operation,
and everything before it, computes what the Keras model computes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from autoport.facts.framework import Framework
from autoport.facts.reasons import Code, Reason
from autoport.matching import Matching, extend, tied_groups
from autoport.verify.comparing.regions import Regions
from autoport.verify.comparing.taps import Tap, find_taps
from autoport.verify.running.draws import Draws
from autoport.verify.running.feed import torch_feed
from autoport.verify.running.lockstep import Lockstep
from autoport.verify.running.promote import PromotedGraph
from autoport.verify.running.readings import Readings
from autoport.verify.running.replay import computing_in
from autoport.weights.algebra import Array, assemble

if TYPE_CHECKING:
    from autoport.analysis import Analysis


# Choices to try: each is one run of both graphs. A tie that is left then stays open.
MOST_TRIALS = 64


def settle(analysis: Analysis, readings: Readings, inputs: Any, rtol: float, seed: int) -> Analysis:
    """The analysis with all that numbers settle; see `Match.settle`."""
    draws = Draws(analysis.graphs.tf, *readings, seed, inputs)
    untied = analysis.concluded(_break_ties(analysis, readings, draws, rtol))
    provable = [node for node, doubt in untied.doubts.items() if doubt.provable]
    proved = _proved_nodes(untied, readings, provable, draws, rtol)
    return untied.concluded(untied.matching, proved)


def _break_ties(analysis: Analysis, readings: Readings, draws: Draws, rtol: float) -> Matching:
    """The matching without the ties that numbers can break.

    Each possible partner of an open node is tried. One is chosen with which the operations behind it compute what the
    Keras model computes. If several do, every choice gives the same function.
    """
    matching = analysis.matching
    trials = MOST_TRIALS
    open_groups = tied_groups(matching)
    while open_groups and trials > 0:
        left, right = open_groups.pop()
        trials -= len(right)
        choices = [extend(matching, left[0], other, Reason(Code.PROVED)) for other in right]
        sound = [choice for choice in choices if _holds(analysis, readings, choice, draws, rtol)]
        if sound:
            matching, open_groups = sound[0], tied_groups(sound[0])
    return matching


def _holds(analysis: Analysis, readings: Readings, choice: Matching, draws: Draws, rtol: float) -> bool:
    """Whether both models agree around the pairs that a choice adds, and behind them."""
    trial = analysis.concluded(choice, trusting=True)
    taps = find_taps(choice, trial.shifted(Framework.TORCH))
    with computing_in("float64"):
        gaps, _ = _lockstep(trial, readings, draws, rtol).teacher_forced(taps)
    regions = Regions(choice, taps)
    added = choice.partner.keys() - analysis.matching.partner.keys()
    near = [tap for tap in taps if added & set(regions.of(tap).nodes)]
    checked = [*near, *(child for tap in near for child in regions.children(tap))]
    return bool(near) and all(tap in gaps and gaps[tap].agrees for tap in checked)


def _proved_nodes(
    analysis: Analysis, readings: Readings, doubted: Collection[str], draws: Draws, rtol: float
) -> set[str]:
    """Keras nodes in doubt whose weights prove right.

    Args:
        analysis: as structure leaves it.
        readings: both models as they were read.
        doubted: the nodes in doubt.
        draws: what both are fed; the first one is.
        rtol: the largest difference, in standard deviations, that counts as rounding.
    """
    if not doubted:
        return set()
    trial = analysis.concluded(analysis.matching, trusting=True)
    taps = find_taps(trial.matching, trial.shifted(Framework.TORCH))
    regions = Regions(trial.matching, taps)
    with computing_in("float64"):
        lockstep = _lockstep(trial, readings, draws, rtol)
        gaps, _ = lockstep.teacher_forced(taps)
        failing = {tap for tap in taps if tap not in gaps or not gaps[tap].agrees}
        failing -= _hidden_taps(failing, taps, trial.matching, regions, lockstep)
    sound = _sound_taps(taps, failing, regions)
    near: dict[str, list[Tap]] = {}
    for tap in taps:
        for node in regions.of(tap).nodes:
            near.setdefault(node, []).append(tap)
    return {node for node in doubted if near.get(node) and all(tap in sound for tap in near[node])}


def _hidden_taps(
    failing: set[Tap], taps: list[Tap], matching: Matching, regions: Regions, lockstep: Lockstep
) -> set[Tap]:
    """Taps at which the models differ, but nothing behind them shows it: scores that a mask takes away.

    With PyTorch's own values there, everything behind them agrees. A tap whose region has weights is never hidden.
    """
    weighted = {node for node in matching.left.nodes if (op := matching.left.op(node)) and op.weights}
    weightless = {tap for tap in failing if weighted.isdisjoint(regions.of(tap).nodes)}
    if not weightless:
        return set()
    gaps, _ = lockstep.teacher_forced(taps, kept=weightless)
    agreeing = {tap for tap, gap in gaps.items() if gap.agrees} - failing

    def unseen(tap: Tap) -> bool:
        followers = regions.children(tap)
        return bool(followers) and all(f in agreeing or (f in weightless and unseen(f)) for f in followers)

    return {tap for tap in weightless if unseen(tap)}


def _sound_taps(taps: list[Tap], failing: set[Tap], regions: Regions) -> set[Tap]:
    """Taps at which the models agree, and before which they agree everywhere."""
    waiting = list(failing)
    reached: set[Tap] = set()
    while waiting:
        tap = waiting.pop()
        if tap not in reached:
            reached.add(tap)
            waiting += regions.children(tap)
    return set(taps) - reached


def _lockstep(analysis: Analysis, readings: Readings, draws: Draws, rtol: float) -> Lockstep:
    """Both graphs, the PyTorch one with all the weights that the plan makes."""
    tf, recorded = readings
    arrays = draws.first.arrays
    read = analysis.open_store(Framework.TF).read

    def wide(path: str) -> Array:
        return read(path).astype(np.float64)

    stored = {
        path: torch.from_numpy(assemble(entry.tensor.shape, np.dtype(np.float64), entry.parts, wide))
        for path, entry in analysis.transfer(Framework.TORCH).entries.items()
    }
    promoted = PromotedGraph(tf.trace.graph, tf.trace.inputs)
    return Lockstep(promoted, arrays, recorded.recorded, torch_feed(recorded, arrays), stored, rtol)
