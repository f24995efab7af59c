"""The shared vocabulary: every kind of operation, declared once.

What a reader emits, a rule rewrites and an analysis asks about is a `Kind`: a text that knows its attributes, the
weights it may read, how it moves positions, and its traits. A function that no kind stands for gets a kind of its
own name of which nothing is assumed: it may do anything with positions.
"""

from autoport.graph.vocabulary import computing, layers, pointwise, positions  # noqa: F401
from autoport.graph.vocabulary.kind import NOTHING, Attribute, Kind, Use
from autoport.graph.vocabulary.moves import KEEPS, UNKNOWN, Motion, Moves, by_dim
from autoport.graph.vocabulary.names import normal_form
from autoport.graph.vocabulary.registry import KINDS, UndeclaredError, check, foreign_kind, kind_of, strict

__all__ = [
    "KEEPS",
    "KINDS",
    "NOTHING",
    "UNKNOWN",
    "Attribute",
    "Kind",
    "Motion",
    "Moves",
    "UndeclaredError",
    "Use",
    "by_dim",
    "check",
    "foreign_kind",
    "kind_of",
    "normal_form",
    "strict",
]
