"""The tables of rules: by the name of a Keras layer, and by the name of a TensorFlow operation."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from autoport.internals.keras import nested_layers
from autoport.keras.calls import Layer, RawOp

LayerRule = Callable[[Layer], Any]
OpRule = Callable[[RawOp], Any]
# Attributes of layers that hold an activation.
ACTIVATIONS = ("activation", "recurrent_activation")
LAYERS: dict[str, LayerRule] = {}
OPS: dict[str, OpRule] = {}


def layer_rule(names: str) -> Callable[[LayerRule], LayerRule]:
    """Adds a rule for the Keras layers `names` (space separated)."""
    return _adder(LAYERS, names)


def op_rule(names: str) -> Callable[[OpRule], OpRule]:
    """Adds a rule for the TensorFlow operations `names` (space separated)."""
    return _adder(OPS, names)


def _adder(table: dict[str, Any], names: str) -> Callable[[Any], Any]:
    def add(rule: Any) -> Any:
        for name in names.split():
            if name in table:
                raise ValueError(f"two rules for {name!r}")
            table[name] = rule
        return rule

    return add


def known_class(layer: Any) -> str | None:
    """Name of the built-in class whose `call` a layer runs, if the table has a row for it."""
    for cls in type(layer).__mro__:
        if cls.__name__ in LAYERS and cls.__module__.split(".")[0] in ("keras", "tf_keras"):
            plain = type(layer).call is cls.call and not any(map(_is_altered, nested_layers(layer)))  # type: ignore[attr-defined]
            return cls.__name__ if plain else None
    return None


def _is_altered(layer: Any) -> bool:
    """Whether a layer computes something else than its class says.

    A layer of Keras 3 may compute with something made of its weights: quantised, or with low-rank updates. Any layer
    may be given a function as its activation, of which the name says nothing.
    """
    made_of_weights = getattr(layer, "quantization_mode", None) is not None or getattr(layer, "lora_enabled", False)
    return made_of_weights or not all(_is_named(getattr(layer, name, None)) for name in ACTIVATIONS)


def _is_named(activation: Any) -> bool:
    """Whether an activation is none, or a function of `keras.activations`, which its name tells."""
    return activation is None or (isinstance(activation, FunctionType) and ".activations" in activation.__module__)
