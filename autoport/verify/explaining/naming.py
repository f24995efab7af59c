"""What a difference of operations is called."""

from __future__ import annotations

from autoport.canonical.rules.elementwise.activations import GATED
from autoport.comparison.differences import Difference
from autoport.comparison.doubts import REARRANGING
from autoport.keras.layers.activation import FUNCTIONS

ACTIVATIONS = {kind for kind, _ in FUNCTIONS.values()} | set(GATED.values()) | {"clamp", "hard_sigmoid_keras2", "prelu"}
ACTIVATIONS -= {"softmax", "log_softmax"}
AFFINE = {"add", "sub", "mul", "div"}
# Attributes whose names say less than what they are about.
ATTRIBUTES = {"masked": "mask"}
# Operations that have a name of their own if only one side has them.
OWN_NAMES = {"softmax": "softmax", "log_softmax": "softmax", "dropout": "dropout"}


def name_operation(difference: Difference) -> str:
    """The name of a difference; operations on an edge are called by what they are for."""
    if difference.name != "operation":
        return ATTRIBUTES.get(difference.name, difference.name)
    sides = [
        set(text.replace("reads ", "").split(", ")) - {"nothing"}
        for text in (difference.tf_value, difference.torch_value)
    ]
    only = sides[0] ^ sides[1]
    for kind, name in OWN_NAMES.items():
        if kind in only:
            return name
    if only and only <= AFFINE | REARRANGING and "(input)" in difference.tf:
        return "preprocessing"
    return "activation" if only & ACTIVATIONS and only <= ACTIVATIONS | AFFINE else difference.name
