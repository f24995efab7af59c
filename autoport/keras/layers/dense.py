"""Matrix products and look-ups."""

from __future__ import annotations

from typing import Any

from autoport.graph.einsum import lower_einsum
from autoport.keras.calls import Layer
from autoport.keras.layers.activation import with_activation
from autoport.keras.table import known_class, layer_rule


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
    """`EinsumDense`: a product with a stored tensor, and a bias that is added to it."""
    layer, build = call.layer, call.build
    kernel = build.parameter(str(call.path_of(layer.kernel)))
    y = lower_einsum(build, layer.equation, [call.x, kernel], call.out)
    if layer.bias is not None:
        y = build.emit("add", [y, build.parameter(str(call.path_of(layer.bias)))], call.out)
    return with_activation(call, y)


@layer_rule("Embedding")
def embedding(call: Layer) -> Any:
    """`Embedding`: the table is `v c`."""
    table = call.piece(call.layer.embeddings, "v c")
    return call.build.embedding(call.x, table, call.out, mask_zero=bool(call.layer.mask_zero))
