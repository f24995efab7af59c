"""What a configuration of Keras names: everything that is not known to compute only, before Keras sees any of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from autoport.loading.known import tensorflow_names
from autoport.loading.known.keras_names import FUNCTION_MODULES, FUNCTIONS, KINDS, OP_LAYERS

LAMBDAS = ("Lambda", "__lambda__", "function_lambda")
# Arguments whose texts are names of functions or classes, by how their own names end.
NAMING = ("activation", "initializer", "regularizer", "constraint")
# Keys whose texts name a thing inside of the model, or are checked with the class beside them.
INSIDE = frozenset({"name", "class_name", "module", "registered_name", "dtype", "mode"})
# A path, an address, or the name of a file.
FILE_LIKE = re.compile(r"[/\\]|^~|^\w+:\S|\.[A-Za-z]\w*$")


class Act(Enum):
    """What building a model would do that is not known."""

    CODE = "code"
    CLASS = "class"
    FUNCTION = "function"
    FILE = "file"


@dataclass(frozen=True)
class Finding:
    """A place in a configuration.

    Attributes:
        act: what it would do.
        thing: the name of the class or function; the text that may be a file's name.
        layer: the name of the layer around it; empty outside of layers.
    """

    act: Act
    thing: str
    layer: str


def find_unknown(config: Any) -> list[Finding]:
    """Finds what a model is not built with unless its file is trusted.

    Args:
        config: the parsed JSON.

    Returns:
        Each place once; empty if all is known.
    """
    return list(dict.fromkeys(_findings(config)))


def _findings(config: Any) -> Iterator[Finding]:
    """Walks without recursion, because a file may nest as deep as it likes; not into what is refused."""
    waiting: list[tuple[Any, str, str]] = [(config, "", "")]
    while waiting:
        value, key, layer = waiting.pop()
        if isinstance(value, dict):
            layer = _layer_name(value) or layer
            found = list(_of_node(value, layer))
            yield from found
            waiting += [] if found else [(inner, str(name), layer) for name, inner in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(inner, key, layer) for inner in reversed(value[_is_reference(value) :])]
        elif isinstance(value, str) and key not in INSIDE:
            yield from _of_text(value, key, layer)


def _layer_name(node: Mapping[str, Any]) -> str:
    kind, inner = node.get("class_name"), node.get("config")
    is_layer = "class_name" in node and not str(kind).endswith("Policy")
    name = inner.get("name") if is_layer and isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def _is_reference(values: list[Any]) -> bool:
    """Whether a list names a layer and which of its outputs is meant."""
    return len(values) > 2 and isinstance(values[0], str) and all(isinstance(number, int) for number in values[1:3])


def _of_text(text: str, key: str, layer: str) -> Iterator[Finding]:
    if key.endswith(NAMING):
        if text not in FUNCTIONS and not any(text in kind.names for kind in KINDS):
            yield Finding(Act.FUNCTION, text, layer)
    elif key == "function":
        if text not in tensorflow_names.FUNCTIONS:
            yield Finding(Act.FUNCTION, text, layer)
    elif FILE_LIKE.search(text):
        yield Finding(Act.FILE, text, layer)


def _of_node(node: Mapping[str, Any], layer: str) -> Iterator[Finding]:
    """What a dictionary with a class in it names."""
    if node.get("function_type") == "lambda" or node.get("class_name") in LAMBDAS:
        yield Finding(Act.CODE, "a Lambda layer", layer)
    elif node.get("class_name") == "function":
        yield from _of_function(node, layer)
    elif "class_name" in node:
        yield from _of_class(node, layer)


def _of_function(node: Mapping[str, Any], layer: str) -> Iterator[Finding]:
    name, module, registered = node.get("config"), node.get("module"), node.get("registered_name")
    plain = name if isinstance(name, str) else None
    if plain not in FUNCTIONS or module not in (None, *FUNCTION_MODULES) or registered not in (None, name):
        yield Finding(Act.FUNCTION, _full_name(name, module), layer)


def _of_class(node: Mapping[str, Any], layer: str) -> Iterator[Finding]:
    name, module, registered = node["class_name"], node.get("module"), node.get("registered_name")
    plain = name.removeprefix("Custom>") if isinstance(name, str) else None
    if not any(plain in kind.names and module in (None, *kind.modules) for kind in KINDS):
        yield Finding(Act.CLASS, _full_name(name, module), layer)
    elif registered not in (None, "", name):  # Keras looks for it among registered classes, before all others
        yield Finding(Act.CLASS, str(registered), layer)
    elif plain in OP_LAYERS and not isinstance(node.get("config"), dict):
        yield Finding(Act.CLASS, _full_name(name, module), layer)


def _full_name(name: Any, module: Any) -> str:
    return f"{name} of the module {module}" if module is not None else str(name)
