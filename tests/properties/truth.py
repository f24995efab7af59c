"""Fills a PyTorch twin with the weights of a Keras twin, each by a transform written here by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.properties.architecture import Architecture, Node
from tests.properties.keras_side import KerasTwin
from tests.properties.torch_side import TorchTwin

Weights = dict[str, Any]
Transform = Callable[[Node, Weights, Any, Any], None]


def fill(twin: TorchTwin, keras: KerasTwin, known: Architecture | None = None) -> None:
    """Writes the right value into every tensor.

    Args:
        twin: what is filled.
        keras: where the weights are.
        known: the architecture of `keras`, where `twin` is an edited one: nodes that it lacks, or has with
            other sizes, keep the values that they have.
    """
    for node in twin.architecture.nodes:
        if node.kind not in TRANSFORMS or node.shared is not None:
            continue
        with torch.no_grad():
            if known is None or is_same_layer(node, twin, known):
                order = twin.orders.get(node.sources[0])
                TRANSFORMS[node.kind](node, keras.weights(node), twin.parts[node.id], order)
            else:
                _fill_part(node, keras, twin, known)


def _fill_part(node: Node, keras: KerasTwin, twin: TorchTwin, known: Architecture) -> None:
    """What an edit leaves of a layer that is several.

    Higher layers of a stack, the first half of a separable one, projections of attention that read what they did.
    """
    module = twin.parts[node.id]
    if node.kind == "rnn" and is_same_layer(node, twin, known, reading=False):
        rnn(node, keras.weights(node), module, None, first=1)
    if node.kind == "separable" and is_same_layer(node, twin, known, outputs=False):
        _put(module.spread.weight, _spread(keras.weights(node)["depthwise"]))
    if node.kind == "attention" and hasattr(module, "q") and is_same_layer(node, twin, known, reading=False):
        flat = {role: _flat(role, array) for role, array in keras.weights(node).items()}
        widths = [architecture.sources(architecture[node.id]) for architecture in (known, twin.architecture)]
        for roles, before, after in zip(("qo", "kv"), *widths, strict=True):
            for role in roles if before[-1] == after[-1] else "":
                _matrix(getattr(module, role), flat, f"{role}.")


def is_same_layer(
    node: Node, twin: TorchTwin, known: Architecture, *, reading: bool = True, outputs: bool = True
) -> bool:
    """Whether the layer of an edited architecture has the sizes it had, reads as many features, and makes as many."""
    original = next((other for other in known.nodes if other.id == node.id), None)
    if original is None or original.kind != node.kind:
        return False
    read = [a.sources(n) for a, n in ((known, original), (twin.architecture, node))]
    if node.kind != "whole":
        read = [[shape[-1:] for shape in shapes] for shapes in read]
    return (not reading or read[0] == read[1]) and _sizes(original, outputs) == _sizes(node, outputs)


SIZES = {
    "filters", "kernel", "multiplier", "units", "width", "rows", "cell", "layers", "bidirectional", "bias", "scale",
    "center", "shape",
}  # fmt: skip


def _sizes(node: Node, outputs: bool) -> dict[str, Any]:
    """Parameters that say how large weights are; so many heads of such a depth, as one number."""
    sizes = {name: value for name, value in node.params.items() if name in SIZES and (outputs or name != "filters")}
    if node.kind == "attention":
        sizes |= {name: node[name] * node["depth"] for name in ("heads", "kv_heads")}
    return sizes | ({"groups": node["groups"]} if node.kind == "conv" else {})


def _put(tensor: Any, array: Any) -> None:
    """Copies; None stands for zeros. A tensor that is not there takes nothing."""
    if tensor is not None:
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)) if array is not None else torch.zeros_like(tensor))


def _rows(kernel: Any, order: Any) -> Any:
    return kernel if order is None else kernel[order]


def _matrix(layer: nn.Module, weights: Weights, prefix: str = "", order: Any = None) -> None:
    """`(i, o)` into a Linear, or into a convolution of one position."""
    kernel = _rows(weights[f"{prefix}kernel"], order).T
    _put(layer.weight, kernel.reshape(layer.weight.shape))
    _put(layer.bias, weights.get(f"{prefix}bias"))


def conv(node: Node, weights: Weights, module: Any, order: Any) -> None:
    """`(..., i, o)` to `(o, i, ...)`"""
    kernel = weights["kernel"] if order is None else weights["kernel"][..., order, :]
    _put(module.layer.weight, np.moveaxis(kernel, (-1, -2), (0, 1)))
    _put(module.layer.bias, weights.get("bias"))


def _spread(kernel: Any) -> Any:
    """A depthwise `(..., c, m)` to `(c m, 1, ...)`"""
    moved = np.moveaxis(kernel, (-2, -1), (0, 1))
    return moved.reshape(-1, 1, *moved.shape[2:])


def depthwise(node: Node, weights: Weights, module: Any, order: Any) -> None:
    _put(module.layer.weight, _spread(weights["kernel"]))
    _put(module.layer.bias, weights.get("bias"))


def separable(node: Node, weights: Weights, module: Any, order: Any) -> None:
    _put(module.spread.weight, _spread(weights["depthwise"]))
    _matrix(module.mix, {"kernel": weights["pointwise"], "bias": weights.get("bias")})


def conv_transpose(node: Node, weights: Weights, module: Any, order: Any) -> None:
    """`(..., o, i)` to `(i, o, ...)`"""
    conv(node, {**weights, "kernel": _channels(weights["kernel"], order)}, module, None)


def dense(node: Node, weights: Weights, module: Any, order: Any) -> None:
    _matrix(module.layer, weights, order=order)


def whole(node: Node, weights: Weights, module: Any, order: Any) -> None:
    """`(..., i, o)` to `(o, i, ...)`, as it is or flattened; to `(o, (t i))` for a flattened sequence."""
    kernel = weights["kernel"] if order is None else weights["kernel"][..., order, :]
    flat = isinstance(module.layer, nn.Linear) and kernel.ndim == 3
    kernel = np.moveaxis(kernel, -1, 0) if flat else np.moveaxis(kernel, (-1, -2), (0, 1))
    _put(module.layer.weight, kernel.reshape(module.layer.weight.shape))
    _put(module.layer.bias, weights.get("bias"))


def gated(node: Node, weights: Weights, module: Any, order: Any) -> None:
    _matrix(module.down, weights, "down.")
    if hasattr(module, "both"):
        both = {
            role: np.concatenate([weights[f"gate.{role}"], weights[f"up.{role}"]], -1)
            for role in ("kernel", "bias")
            if f"gate.{role}" in weights
        }
        _matrix(module.both, both, order=order)
    else:
        _matrix(module.gate, weights, "gate.", order)
        _matrix(module.up, weights, "up.", order)


def generator(node: Node, weights: Weights, module: Any, order: Any) -> None:
    shape = node["shape"]

    def turned(array: Any) -> Any:
        unfolded = array.reshape(*array.shape[:-1], *shape)
        return np.moveaxis(unfolded, -1, -3).reshape(array.shape) if hasattr(module, "channels_first") else array

    _matrix(module.layer, {role: turned(array) for role, array in weights.items()}, order=order)


def _channels(array: Any, order: Any) -> Any:
    return array if array is None or order is None else array[..., order]


def batch_norm(node: Node, weights: Weights, module: Any, order: Any) -> None:
    layer, ones = module.layer, np.ones(len(weights["mean"]))
    _put(layer.weight, _channels(weights.get("scale", ones), order))
    _put(layer.bias, _channels(weights.get("offset"), order))
    _put(layer.running_mean, _channels(weights["mean"], order))
    _put(layer.running_var, _channels(weights["variance"], order))


def norm(node: Node, weights: Weights, module: Any, order: Any) -> None:
    layer = module.layer
    _put(layer.weight, _channels(weights.get("scale", np.ones(layer.weight.shape)), order))
    _put(getattr(layer, "bias", None), _channels(weights.get("offset"), order))


def prelu(node: Node, weights: Weights, module: Any, order: Any) -> None:
    _put(module.layer.weight, _channels(weights["slope"], order))


# Gates as each framework stacks them.
GATES = {"rnn": ("h", "h"), "lstm": ("ifgo", "ifgo"), "gru": ("zrn", "rzn")}


def _gates(array: Any, cell: str) -> Any:
    """The last axis in PyTorch's order of gates."""
    theirs, ours = GATES[cell]
    parts = dict(zip(theirs, np.split(array, len(theirs), -1), strict=True))
    return np.concatenate([parts[gate] for gate in ours], -1)


def rnn(node: Node, weights: Weights, module: Any, order: Any, first: int = 0) -> None:
    fused = not hasattr(module, "layer1")
    for number in range(first, node["layers"]):
        layer = module.layer0 if fused else getattr(module, f"layer{number}")
        for direction in range(1 + node["bidirectional"]):
            end = f"_l{number if fused else 0}{'_reverse' * direction}"
            kernel, recurrent = (weights[f"{number}.{direction}.{role}"] for role in ("kernel", "recurrent"))
            kernel = _rows(kernel, order if number == 0 else None)
            _put(getattr(layer, f"weight_ih{end}"), _gates(kernel, node["cell"]).T)
            _put(getattr(layer, f"weight_hh{end}"), _gates(recurrent, node["cell"]).T)
            bias = weights.get(f"{number}.{direction}.bias")
            inner, outer = bias if bias is not None and bias.ndim == 2 else (bias, None)
            for name, array in (("bias_ih", inner), ("bias_hh", outer)):
                _put(getattr(layer, f"{name}{end}", None), None if array is None else _gates(array, node["cell"]))


def attention(node: Node, weights: Weights, module: Any, order: Any) -> None:
    flat = {role: _flat(role, array) for role, array in weights.items()}
    if hasattr(module, "qkv"):
        _matrix(module.o, flat, "o.")
        _matrix(
            module.qkv,
            {
                role: _stacked(node, flat, role, module.cut)
                for role in ("kernel", "bias")
                if node["bias"] or role == "kernel"
            },
        )
    elif hasattr(module, "layer"):
        _into_module(module.layer, flat)
    else:
        for role in "qkvo":
            _matrix(getattr(module, role), flat, f"{role}.")


def _stacked(node: Node, flat: Weights, role: str, cut: str) -> Any:
    """Queries, keys and values as one: `(3 heads d)`, or `(heads 3 d)` where they are cut by head."""
    heads = [flat[f"{name}.{role}"] for name in "qkv"]
    unfolded = [array.reshape(*array.shape[:-1], node["heads"], node["depth"]) for array in heads]
    stacked = np.stack(unfolded, -2 if cut == "by head" else -3)
    return stacked.reshape(*stacked.shape[:-3], -1)


def _flat(role: str, array: Any) -> Any:
    """Heads and depth as one axis."""
    if role == "o.kernel":
        return array.reshape(-1, array.shape[-1])
    return array if role == "o.bias" else array.reshape(*array.shape[:-2], -1)


def _into_module(layer: nn.MultiheadAttention, flat: Weights) -> None:
    if layer.in_proj_weight is not None:
        _put(layer.in_proj_weight, np.concatenate([flat[f"{role}.kernel"].T for role in "qkv"]))
    else:
        for role in "qkv":
            _put(getattr(layer, f"{role}_proj_weight"), flat[f"{role}.kernel"].T)
    if layer.in_proj_bias is not None:
        _put(layer.in_proj_bias, np.concatenate([flat[f"{role}.bias"] for role in "qkv"]))
    _put(layer.out_proj.weight, flat["o.kernel"].T)
    _put(layer.out_proj.bias, flat.get("o.bias"))


def table(node: Node, weights: Weights, module: Any, order: Any) -> None:
    _put((module.layer if hasattr(module, "layer") else module).weight, weights["table"])


TRANSFORMS: dict[str, Transform] = {
    function.__name__: function
    for function in (
        conv, depthwise, separable, conv_transpose, dense, whole, gated, generator, batch_norm, prelu, rnn, attention,
    )
}  # fmt: skip
TRANSFORMS |= dict.fromkeys(("layer_norm", "rms_norm", "group_norm"), norm)
TRANSFORMS |= dict.fromkeys(("embedding", "positions"), table)
