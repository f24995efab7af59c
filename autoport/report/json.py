"""The JSON view, for machines.

    {
      "version": 1,                  raised when a reader of the old form would misread the new one
      "complete": true,              every tensor that a forward pass reads has its partner
      "same": false,                 complete, and no difference that shows in inference
      "tensors": {
        "tf": {"matched": 5, "total": 5},
        "torch": {"matched": 5, "total": 5}
      },
      "rows": [                      in the order of the Keras model
        {
          "status": "!",             = ~ ! - + ?, as in the table
          "tf": {"path": "bn", "kind": "BatchNormalization"},    null where there is none
          "torch": {"path": "norm", "kind": "BatchNorm2d"},      null where there is none
          "reason": "same structure above and below",
          "unread": false,           true: no forward pass reads it, nothing depends on it
          "tensors": [
            {
              "status": "=",
              "roles": ["scale"],
              "tf": [{"path": "bn/gamma", "shape": [8], "dtype": "float32"}],
              "torch": [{"path": "norm.weight", "shape": [8], "dtype": "float32"}],
              "expression": "c -> c" from Keras to PyTorch; empty without a partner
            }
          ],
          "differences": [...]       those of this row
        }
      ],
      "differences": [               all of them
        {
          "name": "epsilon",
          "tf": {"place": "bn (BatchNormalization)", "value": "0.001"},
          "torch": {"place": "norm (BatchNorm2d)", "value": "1e-05"},
          "training_only": false
        }
      ]
    }

Keys may be added without a new version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from autoport.differences import Difference
from autoport.graph import Tensor
from autoport.report.rows import Count, Report, Row
from autoport.report.tensors import TensorRow

VERSION = 1


def render_json(report: Report) -> str:
    """A report as JSON text.

    Args:
        report: the rows of a match.

    Returns:
        The document described above, with a newline at its end.

    Example:
        >>> json.loads(render_json(report))["version"]  # doctest: +SKIP
        1
    """
    return json.dumps(as_dict(report), indent=2, allow_nan=False) + "\n"


def as_dict(report: Report) -> dict[str, Any]:
    """The document as dictionaries, lists, strings, numbers and booleans."""
    return {
        "version": VERSION,
        "complete": report.complete,
        "same": report.same,
        "tensors": {"tf": _count(report.tf_tensors), "torch": _count(report.torch_tensors)},
        "rows": [_row(row) for row in report.rows],
        "differences": [_difference(d) for d in report.differences],
    }


def _count(count: Count) -> dict[str, int]:
    return {"matched": count.matched, "total": count.total}


def _row(row: Row) -> dict[str, Any]:
    return {
        "status": str(row.status),
        "tf": _place(row.tf, row.tf_kind),
        "torch": _place(row.torch, row.torch_kind),
        "reason": row.reason,
        "unread": row.unread,
        "tensors": [_tensor_row(tensor) for tensor in row.tensors],
        "differences": [_difference(d) for d in row.differences],
    }


def _place(path: str, kind: str) -> dict[str, str] | None:
    return {"path": path, "kind": kind} if path else None


def _tensor_row(row: TensorRow) -> dict[str, Any]:
    return {
        "status": str(row.status),
        "roles": list(row.roles),
        "tf": _stored(row.tf),
        "torch": _stored(row.torch),
        "expression": row.expression,
    }


def _stored(tensors: Iterable[Tensor]) -> list[dict[str, Any]]:
    return [{"path": t.path, "shape": [int(n) for n in t.shape], "dtype": t.dtype} for t in tensors]


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "name": difference.name,
        "tf": {"place": difference.tf, "value": difference.tf_value},
        "torch": {"place": difference.torch, "value": difference.torch_value},
        "training_only": difference.training_only,
    }
