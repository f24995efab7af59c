"""Weights that a forward pass reads in training mode only: auxiliary heads, branches that inference skips.

Both models are recorded once more, in training mode, without being run; what is matched there and is
open otherwise belongs to the match, too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoport.canonical import canonicalize
from autoport.comparison.differences import Difference, edge_differences, node_differences
from autoport.comparison.doubts import find_doubts
from autoport.comparison.pairs import Pair, pair_tensors
from autoport.errors import AutoportError
from autoport.facts.reasons import Code, Reason
from autoport.graph import Graph, Op
from autoport.matching import Matching, match_skeletons
from autoport.matching.skeleton import skeleton

if TYPE_CHECKING:
    from autoport.keras.read import KerasReading
    from autoport.plan.plan import Plan
    from autoport.pytorch.read import TorchReading

logger = logging.getLogger(__name__)


@dataclass
class InTraining:
    """What training mode adds.

    Attributes:
        pairs: matched operations of which no tensor is matched in evaluation mode.
        differences: in what they disagree.
    """

    pairs: list[Pair] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def tensors(self) -> set[str]:
        """Paths of the tensors of both sides."""
        return {path for pair in self.pairs for op in (pair.tf, pair.torch) for path in op.tensors}


def match_in_training(tf: KerasReading, torch: TorchReading, plan: Plan) -> InTraining:
    """Matches what evaluation mode leaves open; nothing, if every trainable weight is read there.

    Args:
        tf: the Keras model as it was read in evaluation mode.
        torch: the PyTorch model, likewise.
        plan: what is matched already, from Keras to PyTorch.
    """
    if not (_unread(tf.graph) or _unread(torch.graph)):
        return InTraining()
    try:
        left, right = (_without_dropout(reading.in_training()) for reading in (tf, torch))
    except AutoportError as error:
        logger.info("the models cannot be recorded in training mode: %s", error)
        return InTraining()
    matching = match_skeletons(skeleton(canonicalize(left)), skeleton(canonicalize(right)))
    pairs, _ = pair_tensors(matching, find_doubts(matching))
    taken = plan.used | plan.entries.keys()
    read = tf.graph.read_tensors() | torch.graph.read_tensors()
    found = [pair for pair in pairs if _is_new(pair, taken, read)]
    return InTraining(
        [replace(pair, reason=Reason.of(Code.IN_TRAINING, reason=pair.reason)) for pair in found],
        [difference for pair in found for difference in _differences(matching, pair.tf)],
    )


def _unread(graph: Graph) -> bool:
    read = graph.read_tensors()
    return any(tensor.trainable and path not in read for path, tensor in graph.tensors.items())


def _without_dropout(graph: Graph) -> Graph:
    for op in list(graph.ops()):
        if op.kind == "dropout":
            graph.bypass(op.name, op.inputs[0])
    return graph


def _is_new(pair: Pair, taken: set[str], read: set[str]) -> bool:
    """Whether all its tensors are open, and some are not read in evaluation mode."""
    tensors = {*pair.tf.tensors, *pair.torch.tensors}
    return bool(pair.weights) and not tensors & taken and not tensors <= read


def _differences(matching: Matching, op: Op) -> list[Difference]:
    found = [*edge_differences(matching, op.name), *node_differences(matching, op.name)]
    return [replace(difference, training_only=True) for difference in found]
