"""What a difference of operations is called."""

from __future__ import annotations

from autoport.comparison.differences import Difference
from autoport.graph.vocabulary import KINDS, Kind

# Attributes whose names say less than what they are about.
ATTRIBUTES = {"masked": "mask"}


def name_operation(difference: Difference) -> str:
    """The name of a difference; operations on an edge are called by what they are for."""
    if difference.name != "operation":
        return ATTRIBUTES.get(difference.name, difference.name)
    sides = [
        set(text.replace("reads ", "").split(", ")) - {"nothing"}
        for text in (difference.tf_value, difference.torch_value)
    ]
    only = [KINDS.get(text, Kind(text, declared=False)) for text in sides[0] ^ sides[1]]
    alone = sorted(kind.named_alone for kind in only if kind.named_alone)
    if alone:
        return alone[-1]
    prepared = [kind for kind in only if kind.is_affine or (kind.declared and kind.moves.rearranges)]
    if only and prepared == only and "(input)" in difference.tf:
        return "preprocessing"
    active = any(kind.is_activation for kind in only) and all(kind.is_activation or kind.is_affine for kind in only)
    return "activation" if active else difference.name
