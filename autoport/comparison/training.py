"""Weights that a forward pass reads in training mode only: auxiliary heads, branches that inference skips.

Both models are recorded once more, in training mode, without being run. A pair that is matched there and open
otherwise joins the match.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from autoport.canonical import canonicalize
from autoport.comparison.differences import Difference, edge_differences, node_differences
from autoport.comparison.doubts import find_doubts
from autoport.comparison.pairs import Pair, pair_tensors
from autoport.errors import AutoportError
from autoport.facts.framework import Both
from autoport.facts.reasons import Code, Reason
from autoport.graph import Graph, Op
from autoport.matching import Matching, match_skeletons
from autoport.matching.skeleton import skeleton

logger = logging.getLogger(__name__)


@dataclass
class InTraining:
    """The pairs that training mode adds to a match.

    Attributes:
        pairs: matched operations of which no tensor is matched in evaluation mode.
        differences: the differences between them.
    """

    pairs: list[Pair] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def tensors(self) -> set[str]:
        """Paths of the tensors of both sides."""
        return {path for pair in self.pairs for op in (pair.tf, pair.torch) for path in op.tensors}


def match_in_training(
    graphs: Both[Graph], record: Callable[[], Both[Graph]] | None, matched: Collection[str]
) -> InTraining:
    """Matches what evaluation mode leaves open; nothing, if the forward pass reads every trainable weight there.

    Args:
        graphs: both models as they were read in evaluation mode.
        record: records both models in training mode.
        matched: paths of the tensors of both sides that are matched already.
    """
    if record is None or not any(map(_has_unread_weights, graphs)):
        return InTraining()
    try:
        left, right = record().map(_without_dropout)
    except AutoportError as error:
        logger.info("the models cannot be recorded in training mode: %s", error)
        return InTraining()
    matching = match_skeletons(skeleton(canonicalize(left)), skeleton(canonicalize(right)))
    pairs, _ = pair_tensors(matching, find_doubts(matching))
    read_paths = graphs.tf.read_tensors() | graphs.torch.read_tensors()
    new_pairs = [pair for pair in pairs if _is_new(pair, matched, read_paths)]
    return InTraining(
        [replace(pair, reason=Reason.of(Code.IN_TRAINING, reason=pair.reason)) for pair in new_pairs],
        [difference for pair in new_pairs for difference in _differences(matching, pair.tf)],
    )


def _has_unread_weights(graph: Graph) -> bool:
    read_paths = graph.read_tensors()
    return any(tensor.trainable and path not in read_paths for path, tensor in graph.tensors.items())


def _without_dropout(graph: Graph) -> Graph:
    for op in list(graph.ops()):
        if op.kind.only_in_training:
            graph.bypass(op.name, op.inputs[0])
    return graph


def _is_new(pair: Pair, matched: Collection[str], read_paths: set[str]) -> bool:
    """Whether all its tensors are open, and some are not read in evaluation mode."""
    tensors = {*pair.tf.tensors, *pair.torch.tensors}
    return bool(pair.weights) and tensors.isdisjoint(matched) and not tensors <= read_paths


def _differences(matching: Matching, op: Op) -> list[Difference]:
    differences = [*edge_differences(matching, op.name), *node_differences(matching, op.name)]
    return [replace(difference, training_only=True) for difference in differences]
