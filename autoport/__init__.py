"""Ports weights between Keras/TensorFlow and PyTorch models by structure, without names.

    >>> import autoport
    >>> match = autoport.match(keras_model, torch_module)  # doctest: +SKIP
    >>> match.report()  # doctest: +SKIP
    >>> match.assign()  # doctest: +SKIP

Importing this package loads neither framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autoport.base.version import VERSION as __version__

if TYPE_CHECKING:
    from autoport.api import Match, match
    from autoport.comparison.differences import Difference
    from autoport.comparison.pairs import Pair, Unmatched
    from autoport.plan.plan import Plan


_PUBLIC = {
    "match": "autoport.api",
    "Match": "autoport.api",
    "Pair": "autoport.comparison.pairs",
    "Unmatched": "autoport.comparison.pairs",
    "Plan": "autoport.plan.plan",
    "Difference": "autoport.comparison.differences",
}
__all__ = ["Difference", "Match", "Pair", "Plan", "Unmatched", "__version__", "match"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'autoport' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
