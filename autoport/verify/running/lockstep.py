"""Runs both graphs side by side: each tapped PyTorch value is compared with the Keras value, and replaced by it.

Because every tapped value is replaced, errors do not add up: one pass finds every independent divergence.
A Keras value is handed over when it is computed, and freed when it is compared.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import fx

from autoport.errors import VerificationError
from autoport.internals.pytorch import tree_leaves
from autoport.verify.comparing.arrange import arrange
from autoport.verify.comparing.compare import Gap
from autoport.verify.comparing.taps import Tap
from autoport.verify.running.patches import Patch
from autoport.verify.running.promote import Computed, PromotedGraph
from autoport.verify.running.replay import Broken, Replay
from autoport.verify.running.rounding import rounding_tolerance
from autoport.weights.algebra import Array

# Bytes of Keras values that may wait to be compared; docs/architecture.md says why they may wait.
AHEAD = 256 * 2**20


@dataclass(frozen=True)
class TapGap(Gap):
    """How far the two values of a tap are apart.

    Attributes:
        tolerance: the largest relative difference that is rounding.
    """

    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether it is rounding only."""
        return self.relative <= self.tolerance


class Values(NamedTuple):
    """Both values of a tap.

    Attributes:
        arranged: the Keras value as PyTorch lays it out; None if no order of axes has PyTorch's shape.
        actual: the PyTorch value.
        own: the Keras value in its own layout.
    """

    arranged: torch.Tensor | None
    actual: torch.Tensor
    own: Array


# Sees a tap, the Keras value, the same as PyTorch lays it out, and the PyTorch value.
See = Callable[[Tap, Computed, torch.Tensor | None, Any], None]


@dataclass
class Lockstep:
    """Both graphs, with their inputs.

    Attributes:
        tf: the Keras graph.
        arrays: its inputs.
        recorded: the PyTorch graph.
        args: its inputs.
        stored: tensors to use instead of those that the PyTorch model stores, by path.
        results: results to use instead of what PyTorch computes, by node.
        rtol: the largest relative difference that is rounding where nothing else is known.
        tick: called for every tap that was compared.
    """

    tf: PromotedGraph
    arrays: Sequence[Any]
    recorded: fx.GraphModule
    args: Sequence[torch.Tensor]
    stored: Mapping[str, torch.Tensor]
    rtol: float
    results: Mapping[fx.Node, torch.Tensor] = field(default_factory=dict)
    tick: Callable[[], None] = field(default=lambda: None)

    def teacher_forced(
        self,
        taps: Sequence[Tap],
        *,
        kept: Collection[Tap] = (),
        keep: Sequence[str] = (),
        stored: Mapping[str, torch.Tensor] | None = None,
        patches: Mapping[fx.Node, Patch] | None = None,
        see: See = lambda *_: None,
    ) -> tuple[dict[Tap, TapGap], dict[str, Computed]]:
        """Compares at every tap, and replaces the PyTorch value by the Keras one.

        Args:
            taps: where.
            kept: taps at which PyTorch keeps its own value.
            keep: names of TensorFlow tensors to return.
            stored: further tensors to use instead of stored ones, by path.
            patches: nodes to compute in another way.
            see: called with every tap, the Keras value, the same as PyTorch lays it out, and the PyTorch value.

        Returns:
            How far the values are apart at each tap that was reached, and the tensors `keep`.
        """
        teacher = _Teacher(self.tf.run(self.arrays, [tap.tf for tap in taps] + list(keep)), taps, keep)
        by_node, by_consumer = _sorted(taps)
        gaps: dict[Tap, TapGap] = {}

        def forced(tap: Tap, actual: Any) -> torch.Tensor | None:
            expected = teacher.give(tap.tf)
            gaps[tap], arranged = self._compare(tap, expected, actual)
            see(tap, expected, arranged, actual)
            self.tick()
            return None if tap in kept else arranged

        def watch(node: fx.Node, result: Any) -> Any:
            for tap in by_node.get(node, ()):
                place = tap.torch[1]
                value = forced(tap, result if place is None or isinstance(result, Broken) else result[place])
                result = result if value is None else _replace(result, place, value, node)
            return result

        def before(node: fx.Node, results: Mapping[fx.Node, Any]) -> Mapping[fx.Node, Any]:
            values = {tap.torch[0]: forced(tap, results[tap.torch[0]]) for tap in by_consumer.get(node, ())}
            return {source: value for source, value in values.items() if value is not None}

        self._run(self._replay(watch, stored, patches, before, self.results))
        return gaps, teacher.kept_values()

    def _replay(self, watch: Any, stored: Any, patches: Any, before: Any, results: Any) -> Replay:
        """One run of the PyTorch graph; where Keras computes in 16 bits itself, casts to them are no mistake."""
        instead = {**self.stored, **(stored or {})}
        return Replay(self.recorded, watch, instead, patches, before, results, rounds=not self.tf.has_halves)

    def values_at(self, taps: Sequence[Tap], wanted: Collection[Tap]) -> dict[Tap, Values]:
        """Both values of the taps that are wanted and reached, from one teacher-forced run.

        Args:
            taps: all at which PyTorch goes on with the Keras value.
            wanted: those whose values are kept.
        """
        values: dict[Tap, Values] = {}

        def see(tap: Tap, expected: Computed, arranged: torch.Tensor | None, actual: Any) -> None:
            if tap in wanted and isinstance(actual, torch.Tensor):
                values[tap] = Values(arranged, actual.clone(), np.asarray(expected.tensor.numpy()))

        self.teacher_forced(taps, see=see)
        return values

    def _run(self, replay: Replay) -> None:
        try:
            replay.run(*self.args)
        except (RuntimeError, IndexError, ValueError, TypeError) as failure:
            raise VerificationError(f"the PyTorch model fails on these inputs: {failure}") from failure

    def _compare(self, tap: Tap, expected: Computed, actual: Any) -> tuple[TapGap, torch.Tensor | None]:
        own = actual if isinstance(actual, torch.Tensor) else None
        tolerance = max(self.rtol, rounding_tolerance(expected.tensor, expected.draws))
        arranged, gap = arrange(np.asarray(expected.tensor.numpy()), tap.layouts, own, tolerance)
        tap_gap = TapGap(gap.absolute, gap.relative, tolerance)
        return tap_gap, arranged if arranged is None or own is None else arranged.to(own.dtype)

    def alone(
        self,
        *,
        stored: Mapping[str, torch.Tensor] | None = None,
        results: Mapping[fx.Node, torch.Tensor] | None = None,
        patches: Mapping[fx.Node, Patch] | None = None,
    ) -> list[torch.Tensor]:
        """What PyTorch returns by itself.

        Args:
            stored: further tensors to use instead of stored ones, by path.
            results: further results to use instead of what it computes.
            patches: nodes to compute in another way.
        """
        nodes = list(tree_leaves(self.recorded.graph.output_node().args))
        wanted, found = set(nodes), {}

        def watch(node: fx.Node, result: Any) -> Any:
            if node in wanted:
                found[node] = result
            return result

        self._run(self._replay(watch, stored, patches, None, {**self.results, **(results or {})}))
        return [found[node] for node in nodes]

    def on(self, arrays: Sequence[Any], args: Sequence[torch.Tensor], recorded: fx.GraphModule) -> Lockstep:
        """The same models with other inputs."""
        same = recorded is self.recorded
        return replace(self, arrays=arrays, args=args, recorded=recorded, results=self.results if same else {})

    def keras_outputs(self, names: Sequence[str], *, through: bool = False) -> list[Computed]:
        """What Keras returns.

        Args:
            names: of its outputs.
            through: with every rounding on the way redrawn, so that the draws tell what all of them do together.
        """
        values = dict(self.tf.run(self.arrays, names, through=through))
        return [values[name] for name in names]


class _Teacher:
    """Runs the TensorFlow graph as far as its values are asked for."""

    def __init__(self, values: Iterator[tuple[str, Computed]], taps: Sequence[Tap], keep: Sequence[str]) -> None:
        self._values = values
        self._uses_left = Counter(tap.tf for tap in taps)
        self._keep = set(keep)
        self._waiting: dict[str, Computed] = {}

    def give(self, name: str) -> Computed:
        """A value, by its name; runs up to it if need be."""
        if name not in self._waiting:
            self._advance(name)
        self._uses_left[name] -= 1
        last = not self._uses_left[name] and name not in self._keep
        return self._waiting.pop(name) if last else self._waiting[name]

    def _advance(self, name: str) -> None:
        """Runs up to a value, and on while there is room: each change of framework costs idle threads."""
        for computed_name, value in self._values:
            self._waiting[computed_name] = value
            if name in self._waiting and self._size() > AHEAD:
                break
        if name not in self._waiting:
            raise VerificationError(f"the Keras graph does not compute {name}")

    def _size(self) -> int:
        tensors = [tensor for value in self._waiting.values() for tensor in (value.tensor, *value.draws)]
        return sum(tensor.dtype.size * math.prod(tensor.shape) for tensor in tensors)

    def kept_values(self) -> dict[str, Computed]:
        """Runs to the end; returns the values that were to be kept."""
        self._waiting.update(self._values)
        return {name: self._waiting[name] for name in self._keep}


def _sorted(taps: Sequence[Tap]) -> tuple[dict[fx.Node, list[Tap]], dict[fx.Node, list[Tap]]]:
    """Taps by the node that makes the value, and those of one reader by the node that reads it."""
    by_node: dict[fx.Node, list[Tap]] = defaultdict(list)
    by_consumer: dict[fx.Node, list[Tap]] = defaultdict(list)
    for tap in taps:
        if tap.reader is None:
            by_node[tap.torch[0]].append(tap)
        elif tap.torch[0] in tap.reader.all_input_nodes:
            by_consumer[tap.reader].append(tap)
    return by_node, by_consumer


def _replace(result: Any, place: int | None, forced: torch.Tensor, node: fx.Node) -> Any:
    """A result with one tensor replaced; written into the result of an in-place operation, whose memory is shared."""
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
