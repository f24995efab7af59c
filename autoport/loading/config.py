"""Configurations of Keras models: repairs what versions of Keras spell differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# Arguments that one version writes and another refuses.
SHAPE_ARGUMENTS = "batch_shape", "batch_input_shape"
DROPPED_ARGUMENTS = {
    "Conv1DTranspose": ("groups",),
    "Conv2DTranspose": ("groups",),
    "Conv3DTranspose": ("groups",),
    "DepthwiseConv1D": ("groups",),
    "DepthwiseConv2D": ("groups",),
}


def forget_training(config: Any) -> None:
    """Drops what a model was compiled with: losses, metrics and optimisers, which nothing here needs.

    Args:
        config: the parsed JSON; it is changed in place.
    """
    for node in _nodes(config):
        if "class_name" in node:
            node.pop("compile_config", None)


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a configuration; without recursion, because a file may nest as deep as it likes."""
    open_nodes = [config]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, dict):
            yield node
            open_nodes += node.values()
        elif isinstance(node, list):
            open_nodes += node


def repair(config: Any, has_layer: Callable[[str], bool], shape: str) -> Any:
    """Makes a configuration one that a given version of Keras reads, whichever version wrote it.

    Args:
        config: the parsed JSON; it is changed in place.
        has_layer: whether that version has a layer of a name.
        shape: its name for the shape of an input.
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
        if name != kind and has_layer(name):
            node["class_name"] = name
        for argument in DROPPED_ARGUMENTS.get(name, ()):
            if inner.get(argument) in (1, None):
                inner.pop(argument, None)
        for spelling in SHAPE_ARGUMENTS if name == "InputLayer" else ():
            if spelling in inner:
                inner[shape] = inner.pop(spelling)
        if name == "InputLayer" and shape == "batch_input_shape":
            inner.pop("optional", None)
    return config


def _for_keras_3(kind: str, inner: dict[str, Any]) -> None:
    """Rewrites what Keras 2 wrote and Keras 3 has no argument for."""
    layers: Any = inner.get("layers")
    first = layers[0].get("config") if kind == "Sequential" and isinstance(layers, list) and layers else None
    if isinstance(first, dict) and layers[0].get("class_name") != "InputLayer" and "batch_input_shape" in first:
        config = {"batch_shape": first["batch_input_shape"], "dtype": first.get("dtype", "float32")}
        layers.insert(0, {"class_name": "InputLayer", "config": config})
    if kind != "InputLayer":
        inner.pop("batch_input_shape", None)
    axis = inner.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        inner["axis"] = axis[0]
