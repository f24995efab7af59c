"""The names of differences."""

from __future__ import annotations

from autoport.canonical.rules.elementwise.activations import GATED
from autoport.comparison.differences import Difference
from autoport.comparison.doubts import REARRANGING
from autoport.facts.places import Place
from autoport.facts.values import Operations
from autoport.keras.layers.activation import FUNCTIONS

ACTIVATIONS = {kind for kind, _ in FUNCTIONS.values()} | set(GATED.values()) | {"clamp", "hard_sigmoid_keras2", "prelu"}
ACTIVATIONS -= {"softmax", "log_softmax"}
AFFINE = {"add", "sub", "mul", "div"}
# Names for attributes whose own name says too little.
ATTRIBUTES = {"masked": "mask"}
# Operations with a name of their own, if only one side has them.
OWN_NAMES = {"softmax": "softmax", "log_softmax": "softmax", "dropout": "dropout"}


def name_operation(difference: Difference) -> str:
    """The name of a difference; operations on an edge are named by their purpose."""
    tf, torch = difference.values
    if not (isinstance(tf, Operations) and isinstance(torch, Operations)):
        return ATTRIBUTES.get(difference.name, difference.name)
    unshared = set(tf.kinds) ^ set(torch.kinds)
    for kind, name in OWN_NAMES.items():
        if kind in unshared:
            return name
    if unshared and unshared <= AFFINE | REARRANGING and _reads_input(difference.tf):
        return "preprocessing"
    return "activation" if unshared & ACTIVATIONS and unshared <= ACTIVATIONS | AFFINE else difference.name


def _reads_input(place: Place) -> bool:
    return place.producer is not None and place.producer.operation == "input"
