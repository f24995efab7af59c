"""Attention: projections are dense layers, and between them stands one `attention` operation."""

from __future__ import annotations

from typing import Any

from autoport.graph import Value
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register


@register("scaled_dot_product_attention", "query key value attn_mask dropout_p is_causal scale")
def scaled_dot_product_attention(call: Call) -> Any:
    """Softmax of scaled products; the order of query, key and value counts."""
    names = ["query", "key", "value", *(["attn_mask"] if call.get("attn_mask") is not None else [])]
    query, *others = (call.value(name) for name in names)
    (*batch, tokens, depth), keys = call.shape("query"), call.shape("key")
    letters = "abcdefgh"[: len(batch)]
    shared = "" if tuple(batch) == keys[:-2] else "G"
    if shared:  # several heads of queries share one of keys
        query = call.build.emit("reshape", [query], (*keys[:-2], batch[-1] // keys[-3], tokens, depth))
    mixed = call.build.emit(
        "attention",
        [query, *others],
        (*call.build.graph.shape(query)[:-1], call.shape("value")[-1]),
        equation=(f"{letters}{shared}TD", f"{letters}SD", f"{letters}SE", f"{letters}{shared}TE"),
        tokens=f"{shared}TS",
        scale=float(call.get("scale", depth**-0.5)),
        masked=bool(call.get("is_causal")),
        dropout=float(call.get("dropout_p") or 0.0),
    )
    return call.build.emit("reshape", [mixed], call.out) if shared else mixed


@register(
    "multi_head_attention_forward",
    "query key value embed_dim_to_check num_heads in_proj_weight in_proj_bias bias_k bias_v add_zero_attn "
    "dropout_p out_proj_weight out_proj_bias training key_padding_mask need_weights attn_mask",
)
def multi_head_attention(call: Call) -> Any:
    """`nn.MultiheadAttention`: `in_proj` holds query, key and value above one another."""
    inputs = [call.value(name) for name in ("query", "key", "value")]
    heads = call.get("num_heads")
    projected = [_project(call, role, x) for role, x in zip("qkv", inputs, strict=True)]
    masked = any(call.get(name) is not None for name in ("attn_mask", "key_padding_mask"))
    shape = call.build.graph.shape(projected[0])
    depth = shape[-1] // heads
    extra: dict[str, Any] = {name: True for name in ("bias_k", "add_zero_attn") if call.get(name)}
    mixed = call.build.emit(
        "attention",
        [_unfold(call, value, heads) for value in projected],
        (*shape[:-1], heads, depth),
        equation=("tbhd", "sbhd", "sbhe", "tbhe") if len(shape) == 3 else ("thd", "shd", "she", "the"),
        tokens="ts",
        scale=depth**-0.5,
        masked=masked,
        **extra,
    )
    mixed = call.build.emit("reshape", [mixed], shape)
    kernel = call.build.piece(str(call.stored("out_proj_weight")), "o i")
    bias = call.stored("out_proj_bias")
    y = call.build.dense(mixed, kernel, None if bias is None else call.build.piece(bias, "o"), call.out)
    return [y, y]


def _unfold(call: Call, x: Value, heads: int) -> Value:
    shape = call.build.graph.shape(x)
    return call.build.emit("reshape", [x], (*shape[:-1], heads, shape[-1] // heads))


def _project(call: Call, role: str, x: Value) -> Value:
    build = call.build
    bias = call.stored("in_proj_bias")
    part = "qkv".index(role)
    fused = call.stored("in_proj_weight")
    select = {"qkv": part}
    sizes = {"qkv": 3}
    if fused is not None:
        kernel = build.piece(fused, "(qkv o) i", select, **sizes)
        width = build.graph.tensors[fused].shape[0] // 3
    else:
        separate = str(call.stored(f"{role}_proj_weight"))
        kernel = build.piece(separate, "o i")
        width = build.graph.tensors[separate].shape[0]
    offset = None if bias is None else build.piece(bias, "(qkv o)", select, **sizes)
    return build.dense(x, kernel, offset, (*build.graph.shape(x)[:-1], width))
