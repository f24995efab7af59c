"""Reads both sides in step, in one direction, and on over the places where they differ.

The description of a place is its colour and the keys before it. Places of one description, as many on the
left as on the right, get one key, so that their successors can be described. Where the sides differ the
reading is stuck, and A* searches the cheapest way on. It passes over places: their consumers then see what
was before them. Or it takes two places of one colour for the same although the keys before them differ.
The way ends where both sides go on alike.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from autoport.matching.places import Places

# The numbers below were tuned on random edits of real graphs (`benchmarks/perturbation.py`).
# Both sides go on alike if so many places beyond a difference can be read.
FAR_ENOUGH = 12
# The cost of passing over a place: little if its side has more of its colour left than the other, because then one
# of them was inserted.
SURPLUS, ODD = 1, 3
# A way may pass over sixteen places of surplus colours, or five others.
LARGEST_COST = 16
# Ways to try at one difference; and in all so many more for each place that was read, so that the effort is linear.
MOST_WAYS = 300
WAYS_FOR_EACH_PLACE = 8

# The view of a place from behind: keys, with a position where it is not that of the reader.
Seen = frozenset[tuple[int | None, int]]
Description = tuple[int, Seen]


@dataclass
class State:
    """How far a reading has come; a trial holds only what it adds to its base.

    Attributes:
        base: the state that the trial started from.
        seen: by place, its own key, or if it was passed over the keys before it.
        keys: by place, without places that were passed over.
        stuck: places that are described but cannot be read yet, by description.
        ready: places that can be described.
        surplus: by colour, how many more the left side has left than the right one.
        cost: of the places that the trial has passed over.
    """

    base: State | None = None
    seen: dict[int, Seen] = field(default_factory=dict)
    keys: dict[int, int] = field(default_factory=dict)
    stuck: dict[Description, list[int]] = field(default_factory=dict)
    ready: list[int] = field(default_factory=list)
    surplus: dict[int, int] = field(default_factory=dict)
    cost: int = 0

    def look(self, place: int) -> Seen | None:
        """The view of a place from behind; None if the reading has not reached it."""
        seen = self.seen.get(place)
        return seen if seen is not None or self.base is None else self.base.seen.get(place)

    def alike(self, description: Description) -> list[int]:
        """Stuck places of one description."""
        if description in self.stuck or self.base is None:
            return self.stuck.get(description, [])
        return self.base.stuck.get(description, [])

    def left_over(self, colour: int) -> int:
        """The surplus of one colour."""
        if colour in self.surplus or self.base is None:
            return self.surplus.get(colour, 0)
        return self.base.surplus.get(colour, 0)

    def trial(self) -> State:
        """A trial that goes on from here."""
        if self.base is None:
            return State(self)
        copies = dict(self.seen), dict(self.keys), dict(self.stuck)
        return State(self.base, *copies, [], dict(self.surplus), self.cost)

    def adopt(self, trial: State) -> None:
        """Makes a trial the truth."""
        self.seen |= trial.seen
        self.keys |= trial.keys
        self.surplus |= trial.surplus
        self.stuck = {description: places for description, places in (self.stuck | trial.stuck).items() if places}
        self.ready = trial.ready

    @property
    def frontier(self) -> frozenset[int]:
        """The places at which the trial stands."""
        return frozenset(itertools.chain(self.ready, *self.stuck.values()))

    def group(self) -> list[Description]:
        """The first stuck description, and others that share a key before them."""
        first, *others = (description for description, places in self.stuck.items() if places)
        before = {key for _, key in first[1]}
        return [first, *(d for d in others if (before & {key for _, key in d[1]} if before else not d[1]))]


class Reading:
    """A reading of both sides.

    Attributes:
        keys: by place; places with one key have equal predecessors, apart from differences that were passed over.
        sure: places that were reached before the first difference without a way over it.

    Args:
        places: both sides, in the direction of reading.
        anchors: the number of its pair for every matched place; these are not read again.
    """

    def __init__(self, places: Places, anchors: Mapping[int, int]) -> None:
        self._places = places
        self._numbers: dict[Hashable, int] = {}
        self._tried = 0
        self._state = state = State(seen={place: self._own(~number) for place, number in anchors.items()})
        free = [place for place in range(len(places.names)) if place not in anchors]
        colours = (Counter(places.colours[place] for place in free if places.side(place) == side) for side in (0, 1))
        left, right = colours
        state.surplus = {colour: left[colour] - right[colour] for colour in left | right}
        state.ready = [place for place in free if self._is_ready(state, place)]
        self._read_on(state)
        sure: Set[int] | None = None
        while state.stuck and self._ways_left() > 0:
            way = self._way_over()
            if way is None:
                sure = sure or set(state.seen)
                way = self._without_what_is_stuck()
            state.adopt(way)
            self._read_on(state)
        self.keys = state.keys
        self.sure = sure or state.seen.keys()

    def _ways_left(self) -> int:
        return MOST_WAYS + WAYS_FOR_EACH_PLACE * len(self._state.keys) - self._tried

    def _own(self, description: Hashable) -> Seen:
        return frozenset(((None, self._numbers.setdefault(description, len(self._numbers))),))

    def _is_ready(self, state: State, place: int) -> bool:
        before = self._places.sources[place]
        return state.look(place) is None and all(state.look(source) is not None for source, _ in before)

    def _describe(self, state: State, place: int) -> Description:
        seen = {
            (position if inner is None else inner, key)
            for source, position in self._places.sources[place]
            for inner, key in state.look(source) or ()
        }
        return self._places.colours[place], frozenset(seen)

    def _read_on(self, state: State, enough: float = float("inf")) -> None:
        """Reads until both sides differ, or enough."""
        while state.ready and len(state.keys) < enough:
            described: dict[Description, None] = {}
            for place in dict.fromkeys(state.ready):
                description = self._describe(state, place)
                state.stuck[description] = [*state.alike(description), place]
                described[description] = None
            state.ready = []
            for description in described:
                places = state.stuck[description]
                if 2 * sum(map(self._places.side, places)) == len(places):
                    self._read(state, dict.fromkeys(places, description), description)

    def _read(self, state: State, places: Mapping[int, Description], key: Hashable) -> None:
        """Gives places one key."""
        own = self._own(key)
        ((_, number),) = own
        for place, description in places.items():
            state.keys[place] = number
            self._leave(state, place, description, own)

    def _pass_over(self, trial: State, place: int, description: Description) -> None:
        colour, before = description
        surplus, step = trial.left_over(colour), -1 if self._places.side(place) else 1
        trial.cost += SURPLUS if surplus * step > 0 else ODD
        trial.surplus[colour] = surplus - step
        seen = before if self._places.upwards else frozenset((None, key) for _, key in before)
        self._leave(trial, place, description, seen)

    def _leave(self, state: State, place: int, description: Description, seen: Seen) -> None:
        state.stuck[description] = [other for other in state.alike(description) if other != place]
        if state.base is None and not state.stuck[description]:
            del state.stuck[description]
        state.seen[place] = seen
        state.ready += [reader for reader in self._places.readers[place] if self._is_ready(state, reader)]

    def _way_over(self) -> State | None:
        """The cheapest way over a difference; None if no way is cheap enough."""
        start = State(self._state, stuck={each: self._state.stuck[each] for each in self._state.group()})
        count = itertools.count()
        waiting: list[tuple[float, int, State]] = [(0, next(count), start)]
        visited: set[frozenset[int]] = set()
        for _ in range(min(MOST_WAYS, self._ways_left())):
            if not waiting:
                return None
            self._tried += 1
            _, _, state = heapq.heappop(waiting)
            if state.cost and (len(state.keys) >= FAR_ENOUGH or not any(state.stuck.values())):
                return state
            for further in self._ways_on(state):
                self._read_on(further, FAR_ENOUGH)
                mark = further.frontier or frozenset(further.seen)
                if further.cost <= LARGEST_COST and mark not in visited:
                    visited.add(mark)
                    rank = further.cost - len(further.keys) / FAR_ENOUGH
                    heapq.heappush(waiting, (rank, next(count), further))
        return None

    def _ways_on(self, state: State) -> Iterator[State]:
        """Trials that pass over one place, or take two places, one on each side, for the same."""
        stuck = self._distinct((place, each) for each in state.group() for place in state.stuck[each])
        first = [(place, description) for place, description in stuck if description == stuck[0][1]]
        pairs = [(one, other) for one in first for other in stuck if self._face(one[0], other[0])]
        for place, description in dict.fromkeys([*first, *(other for _, other in pairs)]):
            trial = state.trial()
            self._pass_over(trial, place, description)
            yield trial
        for pair in pairs:
            if len({self._places.kinds[place] for place, _ in pair}) == 1:
                yield self._take_for_same(state.trial(), dict(pair))

    def _distinct(self, stuck: Iterable[tuple[int, Description]]) -> list[tuple[int, Description]]:
        """One of all places on one side that have the same description and the same consumers."""
        readers, side = self._places.readers, self._places.side
        return list({(each, side(place), tuple(readers[place])): (place, each) for place, each in stuck}.values())

    def _face(self, one: int, other: int) -> bool:
        return self._places.side(one) != self._places.side(other)

    def _take_for_same(self, trial: State, pair: Mapping[int, Description]) -> State:
        """Takes two places of one kind for the same; if their sizes differ, passes over both for the price of one."""
        cost = trial.cost
        if len({colour for colour, _ in pair.values()}) == 1:
            self._read(trial, pair, tuple(pair.values()))
            trial.cost = cost + SURPLUS
        else:
            for place, description in pair.items():
                self._pass_over(trial, place, description)
            trial.cost -= SURPLUS
        return trial

    def _without_what_is_stuck(self) -> State:
        """A trial that passes over all stuck places at one difference."""
        trial = self._state.trial()
        for description in self._state.group():
            for place in self._state.stuck[description]:
                self._pass_over(trial, place, description)
        return trial
