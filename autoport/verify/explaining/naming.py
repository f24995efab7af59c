"""The names of differences."""

from __future__ import annotations

from autoport.comparison.differences import Difference
from autoport.facts.places import Place
from autoport.facts.values import Operations
from autoport.graph.vocabulary import KINDS, Kind

# Operations that one side has and the other has not.
OPERATION = "operation"
# Names for attributes whose own name says too little.
ATTRIBUTES = {"masked": "mask"}


def name_operation(difference: Difference) -> str:
    """The name of a difference; operations on an edge are named by their purpose."""
    tf, torch = difference.values
    if not (isinstance(tf, Operations) and isinstance(torch, Operations)):
        return ATTRIBUTES.get(difference.name, difference.name)
    only = [_known(kind) for kind in {*tf.kinds} ^ {*torch.kinds}]
    alone = sorted(kind.named_alone for kind in only if kind.named_alone)
    if alone:
        return alone[-1]
    prepared = [kind for kind in only if kind.is_affine or (kind.declared and kind.moves.rearranges)]
    if only and prepared == only and _reads_input(difference.tf):
        return "preprocessing"
    active = any(kind.is_activation for kind in only) and all(kind.is_activation or kind.is_affine for kind in only)
    return "activation" if active else difference.name


def _reads_input(place: Place) -> bool:
    return place.producer is not None and _known(place.producer.operation).is_input


def _known(name: str) -> Kind:
    """The kind of that name; of the state of a layer, say, nothing is assumed."""
    return KINDS.get(name, Kind(name, declared=False))
