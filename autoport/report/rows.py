"""A match as rows: the one model that every view of a report is drawn from.

Rows stand in the order of the Keras model; what only the PyTorch model has stands behind the row
it follows there, as in a diff.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoport.differences import Difference
from autoport.report.tensors import Status, TensorRow

ONE_SIDED = (Status.TF_ONLY, Status.TORCH_ONLY, Status.AMBIGUOUS)


@dataclass(frozen=True)
class Row:
    """One line: two matched layers, or one without a partner.

    Attributes:
        status: the worst that is to be said of it.
        tf: path in the Keras model; empty if it has none.
        tf_kind: the layer's class there.
        torch: path in the PyTorch model; empty if it has none.
        torch_kind: the module's class, or the function's name.
        tensors: its stored tensors.
        reason: why the two are a pair, or why there is none.
        differences: hyper-parameters that disagree, training-only ones included.
        unread: True for a tensor that no forward pass reads: inference does not depend on it.
    """

    status: Status
    tf: str = ""
    tf_kind: str = ""
    torch: str = ""
    torch_kind: str = ""
    tensors: tuple[TensorRow, ...] = ()
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    unread: bool = False

    @property
    def one_sided(self) -> bool:
        """Whether it has no partner."""
        return self.status in ONE_SIDED


@dataclass(frozen=True)
class Count:
    """How many tensors of a model's forward pass are carried over, of how many."""

    matched: int
    total: int


@dataclass(frozen=True)
class Report:
    """Everything a view shows.

    Attributes:
        rows: in the order of the Keras model.
        differences: every disagreement, those of weightless operations included.
        complete: whether every tensor that either forward pass reads has its partner.
        tf_tensors: how many of the Keras model's tensors are matched.
        torch_tensors: how many of the PyTorch model's tensors are matched.
    """

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    complete: bool
    tf_tensors: Count
    torch_tensors: Count

    @property
    def same(self) -> bool:
        """Whether nothing is wrong that could show in inference."""
        lost = any(row.one_sided and not row.unread for row in self.rows)
        return self.complete and not lost and all(d.training_only for d in self.differences)

    @property
    def pairs(self) -> int:
        """Number of matched layers with tensors."""
        return sum(bool(row.tensors) and not row.one_sided for row in self.rows)
