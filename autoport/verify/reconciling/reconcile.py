"""Changes the PyTorch model so that it computes what the Keras model computes; see `Match.reconcile`.

Every site is tried in its first way, and the model is read again; where a difference remains the change is taken back,
and the next way is tried. Changes stay only if all together bring the models closer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from torch import nn

from autoport.comparison.differences import Difference
from autoport.errors import TraceError, VerificationError
from autoport.facts.places import Place
from autoport.verify.reconciling.activations import other_activations
from autoport.verify.reconciling.changes import Change, Reconciliation
from autoport.verify.reconciling.hyper_parameters import site_of_call
from autoport.verify.reconciling.logits import ASIDE, UP_TO, Final, final_activations
from autoport.verify.reconciling.measure import Judge, State
from autoport.verify.reconciling.sites import NO_EFFECT, Site, calls_that_differ

Reread = Callable[[], State]
Location = tuple[str, Place, Place]
SHARED = "the module is called elsewhere, too, where it needs another value"
# Hyper-parameters that change the shape of the result.
SIZES = {"stride", "dilation", "padding"}
# What objects raise that do not let themselves be changed.
IMMUTABLE = (AttributeError, TypeError, ValueError)
# What a failure is put down to, in this order.
SUSPECTS: tuple[Callable[[Change], bool], ...] = (
    lambda change: change.guessed,
    lambda change: bool(change.names & SIZES),
    lambda change: True,
)


def reconcile(state: State, model: nn.Module, reread: Reread, *, logits: bool = False) -> Reconciliation:
    """Changes a model; see `Match.reconcile`.

    Args:
        state: the models as they are.
        model: the PyTorch model.
        reread: reads the models again.
        logits: also a softmax or a sigmoid at the outputs.
    """
    analysis = state.analysis
    sites = [site_of_call(model, analysis.graphs.torch, call) for call in calls_that_differ(analysis)]
    finals = list(final_activations(analysis))
    sites += [final.site(model) for final in finals if logits]
    located = {difference for final in finals for difference in final.differences}
    sites += [site for site in other_activations(model, analysis) if located.isdisjoint(site.open)]
    located |= {difference for site in sites for difference in site.open}
    work = _Work(state, reread)
    work.change(sites)
    work.judge()
    result = work.result
    result.left += [str(difference) for difference in analysis.differences if difference not in located]
    if not logits:
        _leave_finals(result, finals)
    return result


def _leave_finals(result: Reconciliation, finals: Sequence[Final]) -> None:
    """Whether a model returns logits is for its user to say."""
    alone = not result.left
    for final in finals:
        result.leave(final.differences, UP_TO.format(name=final.name) if alone else ASIDE)


class _Work:
    def __init__(self, before: State, reread: Reread) -> None:
        self.result = Reconciliation()
        self._before, self._reread, self._now = before, reread, before
        self._known = set(map(_location, before.analysis.differences))
        self._failed: set[Difference] = set()

    def change(self, sites: Sequence[Site]) -> None:
        """Tries every site, way after way."""
        while sites:
            tried = [site for site in sites if self._try(site)]
            remaining = self._places_that_differ() if tried else set()
            remaining |= self._drop_without_effect(remaining)
            for site in tried:
                site.open = [d for d in site.open if _location(d) in remaining and d not in self._failed]
            sites = [site for site in tried if site.open]

    def _try(self, site: Site) -> bool:
        """Makes the next changes of a site; whether there were any."""
        changes = next(site.ways, None)
        if not changes:
            self.result.leave(site.open, site.why)
            return False
        site.why = NO_EFFECT
        for change in changes:
            self._make(change, site)
        return True

    def _make(self, change: Change, site: Site) -> None:
        """Makes a change, unless the same place has been changed already."""
        earlier = next((other for other in self.result.changes if other.place == change.place), None)
        if earlier is None:
            with suppress(*IMMUTABLE):
                change.apply()
                self.result.changes.append(change)
        elif earlier.new == change.new:
            earlier.differences = [*earlier.differences, *change.differences]
        elif not change.guessed:
            self.result.leave(change.differences, SHARED)
            site.open = [difference for difference in site.open if difference not in change.differences]

    def _places_that_differ(self) -> set[Location]:
        """What differs now; changes that the model does not run with are taken back."""
        for suspect in SUSPECTS:
            try:
                return self._locations()
            except TraceError as failure:
                wrong = [change for change in self.result.changes if suspect(change)]
                self.result.keep([change for change in self.result.changes if change not in wrong])
                reason = f"the model fails with it: {str(failure).splitlines()[0]}"
            for change in wrong:
                if not change.guessed:
                    self._failed.update(change.differences)
                    self.result.leave(change.differences, reason)
        return self._locations()

    def _locations(self) -> set[Location]:
        self._now = self._reread()
        return set(map(_location, self._now.analysis.differences))

    def _drop_without_effect(self, remaining: set[Location]) -> set[Location]:
        """Keeps changes that removed a difference; a guess that makes others is wrong, so what it removed is back."""
        harmed = {name for name, *_ in remaining - self._known}
        kept: list[Change] = []
        back: set[Location] = set()
        for change in self.result.changes:
            gone = [difference for difference in change.differences if _location(difference) not in remaining]
            if not gone or (change.guessed and change.names & harmed):
                back.update(map(_location, gone))
            elif change.idle:  # another change at the same module did it, as it runs several times
                twin = next((other for other in kept if other.place[0] == change.place[0]), None)
                if twin is not None:
                    twin.differences = [*twin.differences, *gone]
            else:
                change.differences = gone
                kept.append(change)
        self.result.keep(kept)
        return back

    def judge(self) -> None:
        """Takes back the kind of changes with which the models are further apart than before."""
        if all(difference.training_only for change in self.result.changes for difference in change.differences):
            return
        judge = Judge(self._before)
        try:
            objection = judge.objection(self._now)
        except VerificationError:  # a model that cannot be run speaks against nothing
            return
        if objection:
            self._take_back_until(lambda: not judge.objection(self._reread()), objection)

    def _take_back_until(self, good: Callable[[], bool], reason: str) -> None:
        """Takes kinds of changes back, one or more, until the models are as they should be."""
        everything = list(self.result.changes)
        for names in _trials(everything):
            self.result.keep([change for change in everything if not change.names & names])
            if good():
                break
        for change in everything:
            if change not in self.result.changes:
                self.result.leave(change.differences, reason)


def _trials(changes: Sequence[Change]) -> list[set[str]]:
    """Kinds of changes to take back: each alone, then more and more of them; rare ones first."""
    counts = Counter(name for change in changes for name in change.names)
    names = [name for name, _ in reversed(counts.most_common())]
    return [*({name} for name in names), *(set(names[:number]) for number in range(2, len(names) + 1))]


def _location(difference: Difference) -> Location:
    return difference.name, difference.tf, difference.torch
