"""A match as rows: the one model that every view of a report is drawn from.

Rows stand in the order of the Keras model. A row of the PyTorch model alone stands behind the row that it follows
there, as in a diff.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from autoport.comparison.differences import Difference
from autoport.facts.framework import TwoSided
from autoport.facts.places import Place
from autoport.facts.reasons import Reason
from autoport.report.rows.drawing import Drawing
from autoport.report.rows.tensors import Status, TensorRow
from autoport.verify.verification import Cause, Divergence, NodeError, Verification

ONE_SIDED = (Status.TF_ONLY, Status.TORCH_ONLY, Status.AMBIGUOUS)


@dataclass(frozen=True)
class Row(TwoSided[str]):
    """One line: two matched layers, or one without a partner.

    Attributes:
        status: the worst that applies.
        tf: path in the Keras model; empty if it has none.
        tf_kind: the layer's class there.
        torch: path in the PyTorch model; empty if it has none.
        torch_kind: the module's class, or the function's name.
        tensors: its stored tensors.
        reasons: why the two are a pair, or why there is none.
        differences: hyper-parameters that disagree, training-only ones included.
        spellings: those among them that verification proved to change nothing.
        unread: True for a tensor that no forward pass reads: inference does not depend on it.
        spelled: True for an operation without a partner of models that were proved to be equal, if it has no tensors or
            they are all carried over by another one.
        at: the places of its operations, if it has one on both sides.
        tf_nodes: names of its operations in the Keras graph.
        torch_nodes: names of its operations in the PyTorch graph.
        error: the largest that verification measured there; None if it measured none.
        divergences: those that verification found there, with causes.
    """

    status: Status
    tf: str = ""
    tf_kind: str = ""
    torch: str = ""
    torch_kind: str = ""
    tensors: tuple[TensorRow, ...] = ()
    reasons: tuple[Reason, ...] = ()
    differences: tuple[Difference, ...] = ()
    spellings: tuple[Difference, ...] = ()
    unread: bool = False
    spelled: bool = False
    at: tuple[Place, Place] | None = None
    tf_nodes: tuple[str, ...] = ()
    torch_nodes: tuple[str, ...] = ()
    error: NodeError | None = None
    divergences: tuple[Divergence, ...] = ()

    @property
    def reason(self) -> str:
        """The reasons in words."""
        return "; ".join(map(str, self.reasons))

    @property
    def one_sided(self) -> bool:
        """Whether it has no partner."""
        return self.status in ONE_SIDED

    @property
    def lost(self) -> bool:
        """Whether inference may depend on what has no partner."""
        return self.one_sided and not self.unread and not self.spelled

    @property
    def listed(self) -> bool:
        """Whether tables show it: they leave out operations without weights that are the same."""
        return bool(self.tensors or self.differences) or self.status is not Status.SAME

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes of its divergences, each once."""
        return tuple(dict.fromkeys(cause for divergence in self.divergences for cause in divergence.causes))


# Differences that show on padded inputs.
OF_PADDING = {"masked", "mask_zero"}


@dataclass(frozen=True)
class Count:
    """How many of the tensors that a model's forward pass reads are ported."""

    matched: int
    total: int


@dataclass(frozen=True)
class Report:
    """Everything a view shows.

    Attributes:
        rows: every pair of layers and everything without a partner, in the order of the Keras model.
        differences: every disagreement, those of weightless operations included.
        complete: whether every tensor that either forward pass reads has its partner.
        tf_tensors: how many of the Keras model's tensors are matched.
        torch_tensors: how many of the PyTorch model's tensors are matched.
        tf_name: name of the Keras model.
        torch_name: class of the PyTorch model.
        drawing: both graphs as one, with blocks.
        verification: the numeric proof, if there is one.
        spellings: what is spelled differently, and was proved to be equal by a verification.
        more_outputs: how many outputs the PyTorch model returns besides those of the Keras model.
    """

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    complete: bool
    tf_tensors: Count
    torch_tensors: Count
    tf_name: str = ""
    torch_name: str = ""
    drawing: Drawing = field(default=Drawing(), repr=False)
    verification: Verification | None = field(default=None, repr=False)
    spellings: tuple[Difference, ...] = ()
    more_outputs: int = 0

    @property
    def listed(self) -> tuple[Row, ...]:
        """The rows of a table: without weightless operations that are the same."""
        return tuple(row for row in self.rows if row.listed)

    @property
    def same(self) -> bool:
        """Whether nothing differs that inference could show."""
        lost = any(row.lost for row in self.rows)
        disproved = self.verification is not None and not self.verification.ok
        return self.complete and not lost and not disproved and all(d.training_only for d in self.differences)

    @property
    def pairs(self) -> int:
        """Number of matched layers with tensors."""
        return sum(bool(row.tensors) and not row.one_sided for row in self.rows)


def label(place: Place) -> tuple[str, str]:
    """Path and kind of a place as a row shows them; of an edge, those of its consumer."""
    return (place.path, place.kind) if place.path else (str(place.consumer), "")


def split(
    differences: Iterable[Difference], verification: Verification | None
) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    """Differences, and those that a verification proved to be of spelling only; without one nothing is proved."""
    proved = verification is not None and verification.ok
    padded = verification is not None and verification.is_padded
    sides: tuple[list[Difference], list[Difference]] = ([], [])
    for difference in differences:
        shown = difference.provable or (padded and difference.name in OF_PADDING)
        sides[proved and shown and not difference.training_only].append(difference)
    return tuple(sides[0]), tuple(sides[1])


def worst(errors: list[NodeError]) -> NodeError | None:
    """The largest of several errors; NaN counts as infinite."""
    return max(errors, key=lambda e: math.inf if math.isnan(e.relative) else e.relative, default=None)
