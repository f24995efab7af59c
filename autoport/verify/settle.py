"""Numbers settle what structure leaves open: partners that fit equally well, and weights that were refused.

Where the models arrange values in ways that cannot be compared by their structure, the weights around are
refused. Here PyTorch's graph is run with those weights in place, every place fed what its Keras twin was fed. A
weight is proved where its operation, and everything before it, computes what the Keras model computes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from autoport.facts.framework import Framework
from autoport.facts.reasons import Code, Reason
from autoport.keras.read import flat_inputs
from autoport.matching import Matching, extended, tied
from autoport.verify.comparing.regions import Regions
from autoport.verify.comparing.taps import Tap, find_taps
from autoport.verify.running.feed import draw, torch_feed
from autoport.verify.running.lockstep import Twins
from autoport.verify.running.promote import Promoted
from autoport.verify.running.readings import Readings
from autoport.verify.running.replay import computing_in
from autoport.weights.algebra import Array, assemble

if TYPE_CHECKING:
    from autoport.analysis import Analysis


# How many choices are tried by running both models.
MOST_TRIALS = 64


def settled(analysis: Analysis, readings: Readings, inputs: Any, rtol: float, seed: int) -> Analysis:
    """The analysis with all that numbers settle; see `Match.settle`."""
    decided = analysis.concluded(_decide(analysis, readings, inputs, rtol, seed))
    provably = [node for node, doubt in decided.doubts.items() if doubt.provable]
    proved = _provable(decided, readings, provably, inputs, rtol, seed)
    return decided.concluded(decided.matching, proved)


def _decide(analysis: Analysis, readings: Readings, inputs: Any, rtol: float, seed: int) -> Matching:
    """The matching with all the ties that numbers can break.

    Each partner that an open node may have is tried; the one with which what follows computes what the
    Keras model computes is taken. Where several do, every choice gives the same function.
    """
    matching = analysis.matching
    trials = MOST_TRIALS
    open_groups = tied(matching)
    while open_groups and trials > 0:
        left, right = open_groups.pop()
        trials -= len(right)
        choices = [extended(matching, left[0], other, Reason(Code.PROVED)) for other in right]
        sound = [choice for choice in choices if _holds(analysis, readings, choice, inputs, rtol, seed)]
        if sound:
            matching, open_groups = sound[0], tied(sound[0])
    return matching


def _holds(analysis: Analysis, readings: Readings, choice: Matching, inputs: Any, rtol: float, seed: int) -> bool:
    """Whether both models agree around the pairs that a choice adds, and behind them."""
    trial = analysis.concluded(choice, trusting=True)
    taps = find_taps(choice, trial.shifted(Framework.TORCH))
    with computing_in("float64"):
        found, _ = _twins(trial, readings, inputs, rtol, seed).teacher_forced(taps)
    regions = Regions(choice, taps)
    added = choice.partner.keys() - analysis.matching.partner.keys()
    near = [tap for tap in taps if added & set(regions.of(tap).nodes)]
    asked = [*near, *(child for tap in near for child in regions.children(tap))]
    return bool(near) and all(tap in found and found[tap].agrees for tap in asked)


def _provable(
    analysis: Analysis, readings: Readings, doubted: Collection[str], inputs: Any, rtol: float, seed: int
) -> set[str]:
    """Keras nodes in doubt whose weights prove right.

    Args:
        analysis: as structure leaves it.
        readings: both models as they were read.
        doubted: the nodes in doubt.
        inputs: what the Keras model takes; random when None.
        rtol: the largest difference, in standard deviations, that counts as rounding.
        seed: of the random inputs.
    """
    if not doubted:
        return set()
    trial = analysis.concluded(analysis.matching, trusting=True)
    taps = find_taps(trial.matching, trial.shifted(Framework.TORCH))
    regions = Regions(trial.matching, taps)
    with computing_in("float64"):
        twins = _twins(trial, readings, inputs, rtol, seed)
        found, _ = twins.teacher_forced(taps)
        failing = {tap for tap in taps if tap not in found or not found[tap].agrees}
        failing -= _hidden(failing, taps, trial.matching, regions, twins)
    sound = _sound(taps, failing, regions)
    near: dict[str, list[Tap]] = {}
    for tap in taps:
        for node in regions.of(tap).nodes:
            near.setdefault(node, []).append(tap)
    return {node for node in doubted if near.get(node) and all(tap in sound for tap in near[node])}


def _hidden(failing: set[Tap], taps: list[Tap], matching: Matching, regions: Regions, twins: Twins) -> set[Tap]:
    """Taps at which the models differ in what nothing behind them sees: scores that a mask takes away.

    Behind them PyTorch's own values give what Keras computes. A place that weights take part in is never one.
    """
    weighted = {node for node in matching.left.nodes if (op := matching.left.op(node)) and op.weights}
    weightless = {tap for tap in failing if weighted.isdisjoint(regions.of(tap).nodes)}
    if not weightless:
        return set()
    found, _ = twins.teacher_forced(taps, kept=weightless)
    agreeing = {tap for tap, apart in found.items() if apart.agrees} - failing

    def unseen(tap: Tap) -> bool:
        followers = regions.children(tap)
        return bool(followers) and all(f in agreeing or (f in weightless and unseen(f)) for f in followers)

    return {tap for tap in weightless if unseen(tap)}


def _sound(taps: list[Tap], failing: set[Tap], regions: Regions) -> set[Tap]:
    """Taps at which the models agree, there and everywhere before."""
    waiting = list(failing)
    reached: set[Tap] = set()
    while waiting:
        tap = waiting.pop()
        if tap not in reached:
            reached.add(tap)
            waiting += regions.children(tap)
    return set(taps) - reached


def _twins(analysis: Analysis, readings: Readings, inputs: Any, rtol: float, seed: int) -> Twins:
    """Both graphs, the PyTorch one with all the weights that the plan makes."""
    tf, recorded = readings
    arrays = draw(analysis.graphs.tf, tf, recorded, seed) if inputs is None else flat_inputs(inputs)
    read = analysis.open_store(Framework.TF).read

    def wide(path: str) -> Array:
        return read(path).astype(np.float64)

    made = {
        path: torch.from_numpy(assemble(entry.tensor.shape, np.dtype(np.float64), entry.parts, wide))
        for path, entry in analysis.transfer(Framework.TORCH).entries.items()
    }
    promoted = Promoted(tf.trace.graph, tf.trace.inputs)
    return Twins(promoted, arrays, recorded.recorded, torch_feed(recorded, arrays), made, rtol)
