"""Configurations of Keras models: what in them would run code, and what versions of Keras disagree about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

# Modules whose objects are built from a configuration without running anything that came with the file.
OWN = {"keras", "tf_keras", "tensorflow", "builtins", "keras_hub", "keras_nlp", "keras_cv"}
# Functions of TensorFlow that old models may name; all compute, none reads or writes.
HARMLESS = re.compile(
    r"(math|nn|__operators__|image|linalg|signal|strings|keras|compat\.v1\.(math|nn))\.[\w.]+|[a-z_0-9]+"
)
HARMFUL = re.compile(r"(py|numpy)_(function|func)|load|print|eval|recompute|function|custom_gradient")
CODE = {"Lambda", "__lambda__", "function_lambda"}
# Arguments that one version writes and another refuses.
SHAPES = "batch_shape", "batch_input_shape"
DROPPED = {
    "Conv1DTranspose": ("groups",),
    "Conv2DTranspose": ("groups",),
    "Conv3DTranspose": ("groups",),
    "DepthwiseConv1D": ("groups",),
    "DepthwiseConv2D": ("groups",),
}


def code_in(config: Any) -> list[str]:
    """What in a configuration would run code if the model were built.

    Args:
        config: what JSON gave.

    Returns:
        A description of each place; empty if there is none.
    """
    return list(dict.fromkeys(found for node in _nodes(config) for found in _code(node)))


def _code(node: dict[str, Any]) -> Iterator[str]:
    kind, module = node.get("class_name"), node.get("module")
    if kind in CODE or node.get("function_type") == "lambda":
        yield "a Lambda layer"
    if isinstance(module, str) and isinstance(kind, str) and module.split(".")[0] not in OWN:
        yield f"the class {kind} of the module {module}"
    function = (node.get("config") or {}).get("function") if kind in ("TFOpLambda", "SlicingOpLambda") else None
    if isinstance(function, str) and (not HARMLESS.fullmatch(function) or HARMFUL.search(function)):
        yield f"the function {function}"


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a configuration, without recursion: a file may nest as deep as it likes."""
    open_nodes = [config]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, dict):
            yield node
            open_nodes += node.values()
        elif isinstance(node, list):
            open_nodes += node


def repaired(config: Any, known: Callable[[str], bool], shape: str) -> Any:
    """A configuration as one version of Keras reads it, whichever wrote it.

    Args:
        config: what JSON gave; it is changed in place.
        known: whether it has a layer of that name.
        shape: what it calls the shape of an input.
    """
    for node in _nodes(config):
        kind, inner = node.get("class_name"), node.get("config")
        if kind == "Sequential" and isinstance(inner, list):  # before Keras 2.2.3
            node["config"] = inner = {"name": "sequential", "layers": inner}
        if not isinstance(kind, str) or not isinstance(inner, dict):
            continue
        if shape == "batch_shape":
            _for_keras_3(kind, inner)
        name = kind.rpartition(">")[2]
        if name != kind and known(name):
            node["class_name"] = name
        for argument in DROPPED.get(name, ()):
            if inner.get(argument) in (1, None):
                inner.pop(argument, None)
        for spelling in SHAPES if name == "InputLayer" else ():
            if spelling in inner:
                inner[shape] = inner.pop(spelling)
        if name == "InputLayer" and shape == "batch_input_shape":
            inner.pop("optional", None)
    return config


def _for_keras_3(kind: str, inner: dict[str, Any]) -> None:
    """What Keras 2 wrote that Keras 3 has no argument for."""
    layers: Any = inner.get("layers")
    first = layers[0].get("config") if kind == "Sequential" and isinstance(layers, list) and layers else None
    if isinstance(first, dict) and layers[0].get("class_name") != "InputLayer" and "batch_input_shape" in first:
        given = {"batch_shape": first["batch_input_shape"], "dtype": first.get("dtype", "float32")}
        layers.insert(0, {"class_name": "InputLayer", "config": given})
    if kind != "InputLayer":
        inner.pop("batch_input_shape", None)
    axis = inner.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        inner["axis"] = axis[0]
