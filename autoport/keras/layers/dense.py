"""Matrix products and look-ups."""

from __future__ import annotations

from typing import Any

from autoport.keras.layers.activation import with_activation
from autoport.keras.lower import Layer, known_class, layer_rule


@layer_rule("Dense")
def dense(call: Layer) -> Any:
    """`Dense`: the kernel is `i o`."""
    return with_activation(call, _dense(call, call.layer))


def _dense(call: Layer, layer: Any) -> Any:
    bias = None if layer.bias is None else call.piece(layer.bias, "o")
    return call.build.dense(call.x, call.piece(layer.kernel, "i o"), bias, call.out)


@layer_rule("TimeDistributed")
def time_distributed(call: Layer) -> Any:
    """A dense layer at every step is a dense layer; other layers stay one operation."""
    inner = call.layer.layer
    if known_class(inner) == "Dense":
        return with_activation(call, _dense(call, inner), inner.activation)
    return call.emit("time_distributed")


@layer_rule("EinsumDense")
def einsum_dense(call: Layer) -> Any:
    """A dense layer on the last axis (`...x,xy->...y`); other equations keep their own kind."""
    layer = call.layer
    source, kernel, target = layer.equation.replace("->", ",").split(",")
    ordinary = len(kernel) == 2 and source[-1] == kernel[0] and target[-1] == kernel[1]
    if ordinary:
        return with_activation(call, _dense(call, layer))
    letters = " ".join(f"e{k}" for k in range(len(kernel)))
    weights = call.weights(kernel=(layer.kernel, letters))
    features = tuple(int(size) for size in layer.kernel.shape)
    return with_activation(call, call.emit("einsum_dense", weights=weights, features=features))


@layer_rule("Embedding")
def embedding(call: Layer) -> Any:
    """`Embedding`: the table is `v c`."""
    table = call.piece(call.layer.embeddings, "v c")
    return call.build.embedding(call.x, table, call.out, mask_zero=bool(call.layer.mask_zero))
