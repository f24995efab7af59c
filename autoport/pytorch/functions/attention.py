"""Attention: projections are dense layers, what is between them is one `attention` operation."""

from __future__ import annotations

import math
from typing import Any

from autoport.graph import Value
from autoport.pytorch.lower import Call, register


@register("scaled_dot_product_attention", "query key value attn_mask dropout_p is_causal scale")
def scaled_dot_product_attention(call: Call) -> Any:
    """Softmax of scaled products; the order of query, key and value counts."""
    masked = bool(call.get("is_causal")) or call.get("attn_mask") is not None
    values = [call.value(name) for name in ("query", "key", "value")]
    rank, depth = len(call.shape("query")), call.shape("query")[-1]
    scale = call.get("scale")
    usual = scale is None or math.isclose(scale, depth**-0.5)
    attrs = {} if usual else {"scale": float(scale)}
    return call.emit("attention", values, masked=masked, sequence={"batch": 0, "tokens": rank - 2}, **attrs)


@register(
    "multi_head_attention_forward",
    "query key value embed_dim_to_check num_heads in_proj_weight in_proj_bias bias_k bias_v add_zero_attn "
    "dropout_p out_proj_weight out_proj_bias training key_padding_mask need_weights attn_mask",
)
def multi_head_attention(call: Call) -> Any:
    """`nn.MultiheadAttention`: `in_proj` holds query, key and value above one another."""
    inputs = [call.value(name) for name in ("query", "key", "value")]
    heads = call.get("num_heads")
    projected = [_project(call, role, x, heads) for role, x in zip("qkv", inputs, strict=True)]
    masked = any(call.get(name) is not None for name in ("attn_mask", "key_padding_mask"))
    shape = call.build.graph.shape(projected[0])
    extra: dict[str, Any] = {name: True for name in ("bias_k", "add_zero_attn") if call.get(name)}
    mixed = call.build.emit(
        "attention", projected, shape, num_heads=heads, masked=masked, sequence={"batch": 1, "tokens": 0}, **extra
    )
    kernel = call.build.piece(str(call.stored("out_proj_weight")), "o (heads d)", heads=heads)
    bias = call.stored("out_proj_bias")
    y = call.build.dense(mixed, kernel, None if bias is None else call.build.piece(bias, "o"), call.out)
    return [y, y]


def _project(call: Call, role: str, x: Value, heads: int) -> Value:
    build = call.build
    bias = call.stored("in_proj_bias")
    part = "qkv".index(role)
    fused = call.stored("in_proj_weight")
    select = {"qkv": part}
    sizes = {"qkv": 3, "heads": heads}
    if fused is not None:
        kernel = build.piece(fused, "(qkv heads d) i", select, **sizes)
        width = build.graph.tensors[fused].shape[0] // 3
    else:
        separate = str(call.stored(f"{role}_proj_weight"))
        kernel = build.piece(separate, "(heads d) i", heads=heads)
        width = build.graph.tensors[separate].shape[0]
    offset = None if bias is None else build.piece(bias, "(qkv heads d)", select, **sizes)
    return build.dense(x, kernel, offset, (*build.graph.shape(x)[:-1], width))
