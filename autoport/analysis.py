"""What two models have in common: the pipeline from two graphs to drafts of plans, and its result as data.

read          keras/, pytorch/     each model as a graph
canonicalise  canonical/           equal computations get equal operations
match         matching/            which operation is which
compare       comparison/          weights that belong together, and what differs
draft         plan/                which pieces of source tensors make up each target tensor
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from autoport.canonical import canonicalize
from autoport.canonical.buffers import find_weights
from autoport.comparison.differences import Difference, find_differences
from autoport.comparison.doubts import Doubt, find_doubts
from autoport.comparison.pairs import Pair, Unmatched, find_unmatched, pair_tensors
from autoport.comparison.training import InTraining, match_in_training
from autoport.facts.framework import Both, Framework
from autoport.facts.reasons import Code, Reason
from autoport.graph import Graph, Value
from autoport.graph.store import NoStore, Store
from autoport.matching import Matching, match_skeletons
from autoport.matching.skeleton import skeleton
from autoport.plan.build import draft_transfer
from autoport.plan.draft import Draft, Transfer

Hints = Sequence[tuple[str, str]]
Graphs = Both[Graph]
# Records both models in training mode.
Record = Callable[[], Graphs]
UNNAMED = Both("the Keras model", "the PyTorch model")


@dataclass(frozen=True)
class Analysis:
    """What two graphs have in common. Made by `analyse`, never changed.

    Attributes:
        names: of the models, for messages and reports.
        graphs: both models, canonical.
        open_store: gives the tensors of a side as they are now.
        matching: the pairs of all nodes, also of those without weights.
        doubts: by Keras node, why its weights are refused.
        in_training: tensors and differences that only a forward pass in training mode reads.
    """

    names: Both[str]
    graphs: Graphs
    open_store: Callable[[Framework], Store]
    matching: Matching
    doubts: Mapping[str, Doubt]
    in_training: InTraining

    @cached_property
    def _paired(self) -> tuple[list[Pair], Both[dict[str, Reason]]]:
        return pair_tensors(self.matching, self.doubts)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Matched operations with weights, in the order of the Keras model."""
        return [*self._paired[0], *self.in_training.pairs]

    @cached_property
    def unmatched(self) -> Both[list[Unmatched]]:
        """What only one side has."""
        in_training, refused = self.in_training.tensors, self._paired[1]
        return Both.of(lambda side: find_unmatched(self.matching, side, refused[side], in_training))

    @cached_property
    def differences(self) -> list[Difference]:
        """Hyper-parameters of matched operations that disagree."""
        return [*find_differences(self.matching), *self.in_training.differences]

    @cached_property
    def _drafts(self) -> Both[tuple[Draft, frozenset[Value]]]:
        return Both.of(lambda to: draft_transfer(self.pairs, self.graphs[to], to))

    def draft(self, to: Framework) -> Draft:
        """The transfer in one direction, as far as structure decides it."""
        return self._drafts[to][0]

    def shifted(self, to: Framework) -> frozenset[Value]:
        """Values of the target's graph that lack a bias, because a norm further on absorbs it."""
        return self._drafts[to][1]

    def transfer(self, to: Framework) -> Transfer:
        """The transfer in one direction, with the tensors that it leaves out.

        Where one target tensor has two sources, their current values decide.
        """
        draft = self.draft(to).without_conflicts(self.open_store(to.other).read)
        return Transfer(**vars(draft), missing=self._missing(draft, to), unexpected=self._unexpected(draft, to))

    @property
    def complete(self) -> bool:
        """Whether every tensor that either forward pass reads has its partner."""
        return self.transfer(Framework.TORCH).complete

    def concluded(self, matching: Matching, proved: Collection[str] = (), *, trusting: bool = False) -> Analysis:
        """The analysis with other pairs of nodes.

        Args:
            matching: the pairs.
            proved: Keras nodes whose weights are not in doubt any more.
            trusting: nothing is in doubt.
        """
        doubts = {} if trusting else find_doubts(matching)
        return replace(self, matching=matching, doubts={n: doubt for n, doubt in doubts.items() if n not in proved})

    def _missing(self, draft: Draft, to: Framework) -> dict[str, Reason]:
        reasons = self._reasons(to)
        return {
            path: draft.conflicts.get(path) or reasons.get(path, Reason(Code.NO_PARTNER))
            for path in self.graphs[to].read_tensors()
            if path not in draft.entries
        }

    def _unexpected(self, draft: Draft, to: Framework) -> dict[str, Reason]:
        graph, reasons, elements_used = self.graphs[to.other], self._reasons(to.other), draft.elements_used
        lost = {
            path: draft.refused.get(path) or reasons.get(path, Reason(Code.NO_PLACE))
            for path in graph.read_tensors()
            if path not in elements_used
        }
        partly = {path for path in reasons if 0 < elements_used[path] < math.prod(graph.tensors[path].shape)}
        return lost | {path: Reason.of(Code.PART_CARRIED, reason=reasons[path]) for path in partly}

    def _reasons(self, side: Framework) -> dict[str, Reason]:
        return {path: row.reason for row in self.unmatched[side] for path in row.tensors}


def analyse(
    graphs: Graphs,
    hints: Hints = (),
    *,
    names: Both[str] = UNNAMED,
    open_store: Callable[[Framework], Store] = lambda side: NoStore(),
    record: Record | None = None,
) -> Analysis:
    """Finds which operation and which weight of two models is which.

    Args:
        graphs: both models as they were read; they are made canonical in place.
        hints: pairs of a Keras path and a PyTorch path, for what structure leaves open.
        names: of the models, for messages and reports.
        open_store: gives the tensors of a side as they are now.
        record: records both models in training mode, for what evaluation mode does not read.

    Raises:
        HintError: a hint names nothing, or contradicts the graphs.
    """
    find_weights(graphs.torch, graphs.tf)
    graphs.map(canonicalize)
    matching = match_skeletons(skeleton(graphs.tf), skeleton(graphs.torch), hints)
    analysis = Analysis(names, graphs, open_store, matching, find_doubts(matching), InTraining())
    draft = analysis.draft(Framework.TORCH)
    in_training = match_in_training(graphs, record, draft.used | draft.entries.keys())
    return replace(analysis, in_training=in_training) if in_training.pairs else analysis
