"""Runs both graphs side by side: what PyTorch computes is compared, and replaced by what Keras was really fed.

Because every tapped value is replaced, errors do not add up: one pass finds every independent divergence.
Values are handed over when they are made and freed when they are compared.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import fx

from autoport.errors import VerificationError
from autoport.verify.comparing.arrange import arrange
from autoport.verify.comparing.compare import Gap
from autoport.verify.comparing.taps import Tap
from autoport.verify.running.patches import Patch
from autoport.verify.running.promote import Promoted, Value
from autoport.verify.running.replay import Broken, Replay
from autoport.verify.running.rounding import allowed

# Bytes of Keras values that may wait to be compared.
AHEAD = 256 * 2**20


@dataclass(frozen=True)
class Apart(Gap):
    """How far the two values of a tap are apart.

    Attributes:
        tolerance: the largest relative difference that is rounding.
    """

    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether it is rounding only."""
        return self.relative <= self.tolerance


@dataclass
class Twins:
    """Both graphs with what they are fed.

    Attributes:
        tf: the Keras graph.
        arrays: what it is fed.
        recorded: the PyTorch graph.
        args: what it is fed.
        stored: stored tensors to be used instead of the PyTorch model's own.
        rtol: the largest relative difference that is rounding where nothing else is known.
        tick: called for every tap that was compared.
    """

    tf: Promoted
    arrays: Sequence[Any]
    recorded: fx.GraphModule
    args: Sequence[torch.Tensor]
    stored: Mapping[str, torch.Tensor]
    rtol: float
    tick: Callable[[], None] = field(default=lambda: None)

    def teacher_forced(
        self,
        taps: Sequence[Tap],
        *,
        kept: Collection[Tap] = (),
        keep: Sequence[str] = (),
        stored: Mapping[str, torch.Tensor] | None = None,
        patches: Mapping[fx.Node, Patch] | None = None,
    ) -> tuple[dict[Tap, Apart], dict[str, Value]]:
        """Compares at every tap, and replaces the PyTorch value by the Keras one.

        Args:
            taps: where.
            kept: taps at which PyTorch keeps its own value.
            keep: TensorFlow tensors to be returned.
            stored: further stored tensors to be used.
            patches: nodes that are computed in another way.

        Returns:
            What was found at each tap, and the tensors `keep`.
        """
        teacher = _Teacher(self.tf.run(self.arrays, [tap.tf for tap in taps] + list(keep)), taps, keep)
        by_node: dict[fx.Node, list[Tap]] = defaultdict(list)
        by_reader: dict[fx.Node, list[Tap]] = defaultdict(list)
        for tap in taps:
            if tap.reader is None:
                by_node[tap.torch[0]].append(tap)
            elif tap.torch[0] in tap.reader.all_input_nodes:
                by_reader[tap.reader].append(tap)
        found: dict[Tap, Apart] = {}

        def watch(node: fx.Node, result: Any) -> Any:
            for tap in by_node.get(node, ()):
                place = tap.torch[1]
                actual = result if place is None or isinstance(result, Broken) else result[place]
                found[tap], forced = self._compare(tap, teacher.give(tap.tf), actual)
                self.tick()
                if forced is not None and tap not in kept:
                    result = _replaced(result, place, forced, node)
            return result

        def before(node: fx.Node, results: Mapping[fx.Node, Any]) -> Mapping[fx.Node, Any]:
            others = {}
            for tap in by_reader.get(node, ()):
                found[tap], forced = self._compare(tap, teacher.give(tap.tf), results[tap.torch[0]])
                if forced is not None and tap not in kept:
                    others[tap.torch[0]] = forced
            return others

        self._run(Replay(self.recorded, watch, {**self.stored, **(stored or {})}, patches, before))
        return found, teacher.rest()

    def _run(self, replay: Replay) -> None:
        try:
            replay.run(*self.args)
        except (RuntimeError, IndexError, ValueError, TypeError) as failure:
            raise VerificationError(f"the PyTorch model fails on these inputs: {failure}") from failure

    def _compare(self, tap: Tap, expected: Value, actual: Any) -> tuple[Apart, torch.Tensor | None]:
        own = actual if isinstance(actual, torch.Tensor) else None
        tolerance = max(self.rtol, allowed(expected.tensor, expected.draws))
        arranged, found = arrange(np.asarray(expected.tensor.numpy()), tap.layouts, own, tolerance)
        apart = Apart(found.absolute, found.relative, tolerance)
        return apart, arranged if arranged is None or own is None else arranged.to(own.dtype)

    def end_to_end(
        self, outputs: Mapping[Tap, Value], stored: Mapping[str, torch.Tensor] | None = None
    ) -> dict[Tap, Apart]:
        """Runs PyTorch by itself and compares what it returns."""
        made: dict[tuple[fx.Node, int | None], torch.Tensor] = {}
        wanted = defaultdict(list)
        for tap in outputs:
            wanted[tap.torch[0]].append(tap.torch[1])

        def watch(node: fx.Node, result: Any) -> Any:
            for place in wanted.get(node, ()):
                made[node, place] = result if place is None else result[place]
            return result

        self._run(Replay(self.recorded, watch, {**self.stored, **(stored or {})}))
        return {tap: self._compare(tap, value, made[tap.torch])[0] for tap, value in outputs.items()}

    def accumulated(self, outputs: Mapping[Tap, Apart]) -> dict[Tap, Apart]:
        """The same comparison of outputs, held to what all roundings of the Keras graph together do to them."""
        values = dict(self.tf.run(self.arrays, [tap.tf for tap in outputs], through=True))
        return {
            tap: replace(apart, tolerance=max(self.rtol, allowed(values[tap.tf].tensor, values[tap.tf].draws)))
            for tap, apart in outputs.items()
        }


class _Teacher:
    """Pulls TensorFlow's values as they are asked for."""

    def __init__(self, values: Iterator[tuple[str, Value]], taps: Sequence[Tap], keep: Sequence[str]) -> None:
        self._values = values
        self._asked = Counter(tap.tf for tap in taps)
        self._keep = set(keep)
        self._held: dict[str, Value] = {}

    def give(self, name: str) -> Value:
        """A tensor, which is run up to if need be."""
        if name not in self._held:
            self._advance(name)
        self._asked[name] -= 1
        gone = not self._asked[name] and name not in self._keep
        return self._held.pop(name) if gone else self._held[name]

    def _advance(self, name: str) -> None:
        """Runs up to a tensor, and on while there is room: each change of framework costs idle threads."""
        for made, value in self._values:
            self._held[made] = value
            if name in self._held and self._size() > AHEAD:
                break
        if name not in self._held:
            raise VerificationError(f"the Keras graph never made {name}")

    def _size(self) -> int:
        held = [tensor for value in self._held.values() for tensor in (value.tensor, *value.draws)]
        return sum(tensor.dtype.size * math.prod(tensor.shape) for tensor in held)

    def rest(self) -> dict[str, Value]:
        """The tensors to be kept."""
        self._held.update(self._values)
        return {name: self._held[name] for name in self._keep}


def _replaced(result: Any, place: int | None, forced: torch.Tensor, node: fx.Node) -> Any:
    """A result with one tensor replaced; written into where others share its memory."""
    if isinstance(result, Broken):
        return forced if place is None else result
    if place is not None:
        return type(result)(forced if k == place else part for k, part in enumerate(result))
    in_place = node.op == "call_function" and str(getattr(node.target, "__name__", "")).rstrip("_") != getattr(
        node.target, "__name__", ""
    )
    if in_place and result.shape == forced.shape:
        return result.copy_(forced)
    return forced
