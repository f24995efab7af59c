"""A model as files know it: what it stores, and what its tensors are called there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoport.facts.framework import Framework
from autoport.graph import Tensor
from autoport.graph.store import Store
from autoport.weights.algebra import Array, all_finite

# Elements of the largest tensor that a plan keeps itself.
LARGEST_KEPT = 4096


@dataclass
class StoredModel:
    """A model as files know it.

    Attributes:
        framework: `tf` or `torch`.
        model: its name, shown to people.
        tensors: every tensor it stores, by path, used or not.
        names: what a tensor is called in files, by path and by layout; see `autoport.files.names`.
        aliases: further paths of tied tensors, each with the path it is stored under.
        kept: what a file of this side holds besides (counters, states of random generators), by path.
    """

    framework: Framework
    model: str = ""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Array] = field(default_factory=dict)


def held(side: StoredModel, written: Mapping[str, Any], store: Store) -> dict[str, Array]:
    """What files of the target hold and no entry writes, as it is in the model now.

    Args:
        side: the target.
        written: the entries of the plan.
        store: the model's tensors; those on the meta device have no values and are left out.
    """
    return {path: store.read(path) for path in side.names if path not in written and store.holds(path)}


def small(values: Mapping[str, Array]) -> dict[str, Array]:
    """Those that a plan keeps itself: counters, tables of positions, states of random generators."""
    return {path: array for path, array in values.items() if array.size <= LARGEST_KEPT and all_finite(array)}
