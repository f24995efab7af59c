"""A model as files know it: what it stores, and what its tensors are called there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoport.facts.framework import Framework
from autoport.graph import Tensor
from autoport.graph.store import Store
from autoport.weights.algebra import Array, all_finite

# Elements of the largest tensor whose values a plan stores.
LARGEST_KEPT = 4096


@dataclass
class StoredModel:
    """A model as files know it.

    Attributes:
        framework: `tf` or `torch`.
        model: its name, for messages and reports.
        tensors: every tensor it stores, by path, used or not.
        names: a tensor's names in files, by path and by layout; see `autoport.files.names`.
        aliases: further paths of tied tensors, each with the path it is stored under.
        kept: values of tensors that files hold and no entry writes (counters, states of random generators), by path.
    """

    framework: Framework
    model: str = ""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Array] = field(default_factory=dict)


def read_unwritten(side: StoredModel, written: Mapping[str, Any], store: Store) -> dict[str, Array]:
    """Reads the tensors that files of the target hold and no entry writes.

    Args:
        side: the target.
        written: the entries of the plan.
        store: the model's current tensors; those on the meta device have no values and are left out.
    """
    return {path: store.read(path) for path in side.names if path not in written and store.holds(path)}


def select_small(values: Mapping[str, Array]) -> dict[str, Array]:
    """The values that a plan stores: counters, tables of positions, states of random generators."""
    return {path: array for path, array in values.items() if array.size <= LARGEST_KEPT and all_finite(array)}
