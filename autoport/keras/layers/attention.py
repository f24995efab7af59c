"""Attention: projections are dense layers, what is between them is one `attention` operation."""

from __future__ import annotations

from typing import Any

from autoport.graph import Value
from autoport.keras.lower import Layer, layer_rule


@layer_rule("MultiHeadAttention")
def multi_head_attention(call: Layer) -> Any:
    """`MultiHeadAttention(query, value, key)`: kernels are `i heads d`, the last one `heads d o`."""
    layer = call.layer
    query, value = call.inputs("query")[0], call.inputs("value")[0]
    key = (call.inputs("key") or [value])[0]
    projected = [
        _project(call, x, dense)
        for x, dense in ((query, layer._query_dense), (key, layer._key_dense), (value, layer._value_dense))
    ]
    width = call.build.graph.shape(projected[2])[-1]
    mixed_shape = (*call.build.graph.shape(projected[0])[:-1], width)
    masks = [call.call.arguments.get(name) for name in ("use_causal_mask", "attention_mask")]
    masked = bool(masks[0]) or masks[1] is not None
    mixed = call.build.emit(
        "attention",
        projected,
        mixed_shape,
        num_heads=int(layer._num_heads),
        masked=masked,
        sequence={"batch": 0, "tokens": 1},
    )
    out = layer._output_dense
    kernel = call.piece(out.kernel, "heads d o")
    bias = None if out.bias is None else call.piece(out.bias, "o")
    y = call.build.dense(mixed, kernel, bias, call.out)
    return [y] * len(call.call.outputs)


def _project(call: Layer, x: Value, dense: Any) -> Value:
    kernel = call.piece(dense.kernel, "i heads d")
    bias = None if dense.bias is None else call.piece(dense.bias, "heads d")
    heads, depth = (int(size) for size in dense.kernel.shape[1:])
    return call.build.dense(x, kernel, bias, (*call.build.graph.shape(x)[:-1], heads * depth))


@layer_rule("Attention AdditiveAttention")
def attention(call: Layer) -> Any:
    """Dot-product attention without projections: `[query, value, key]`."""
    tensors = call.inputs()
    query, value = tensors[0], tensors[1]
    key = tensors[2] if len(tensors) > 2 else value
    weights = call.weights(scale=(getattr(call.layer, "scale", None), ""))
    return call.emit("keras_attention", [query, key, value], weights=weights, score=type(call.layer).__name__)
