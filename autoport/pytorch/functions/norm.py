"""Normalisations and PReLU: weights that lie along axes of their input."""

from __future__ import annotations

from typing import Any

import torch

from autoport.graph import Value
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register


@register("batch_norm", "input running_mean running_var weight bias training momentum eps")
def batch_norm(call: Call) -> Any:
    """`F.batch_norm`; momentum is PyTorch's: the share of the new batch."""
    roles = {"scale": "weight", "offset": "bias", "mean": "running_mean", "variance": "running_var"}
    return _norm(
        call,
        "batch_norm",
        roles,
        dims=[1],
        epsilon=call.get("eps", 1e-5),
        momentum=call.get("momentum", 0.1),
        training=bool(call.get("training", False)),
    )


@register("instance_norm", "input running_mean running_var weight bias use_input_stats momentum eps")
def instance_norm(call: Call) -> Any:
    """`F.instance_norm`: a group norm with one channel a group; on stored statistics it is a batch norm."""
    if not call.get("use_input_stats", True):
        return batch_norm(call)
    return _group_norm(call, groups=call.shape("input")[1])


@register("group_norm", "input num_groups weight bias eps")
def group_norm(call: Call) -> Any:
    """`F.group_norm`."""
    return _group_norm(call, groups=call.get("num_groups"))


def _group_norm(call: Call, groups: int) -> Any:
    roles = {"scale": "weight", "offset": "bias"}
    return _norm(call, "group_norm", roles, dims=[1], epsilon=call.get("eps", 1e-5), groups=groups)


@register("layer_norm", "input normalized_shape weight bias eps")
def layer_norm(call: Call) -> Any:
    """`F.layer_norm` over the last dimensions."""
    return _last_dims(call, "layer_norm", {"scale": "weight", "offset": "bias"})


@register("rms_norm", "input normalized_shape weight eps")
def rms_norm(call: Call) -> Any:
    """`F.rms_norm` over the last dimensions."""
    return _last_dims(call, "rms_norm", {"scale": "weight"})


def _last_dims(call: Call, kind: str, roles: dict[str, str]) -> Any:
    shape = call.get("normalized_shape")
    rank = len(call.shape("input"))
    dims = list(range(rank - len(shape), rank))
    usual = 1e-5 if kind == "layer_norm" else float(torch.finfo(call.result.dtype).eps)
    return _norm(call, kind, roles, dims=dims, epsilon=call.get("eps", usual))


@register("local_response_norm", "input size alpha beta k")
def local_response_norm(call: Call) -> Any:
    """`F.local_response_norm`: a window of channels."""
    alpha, beta, shift = (float(call.get(name, usual)) for name, usual in (("alpha", 1e-4), ("beta", 0.75), ("k", 1)))
    return call.emit(
        "local_response_norm", [call.value("input")], size=call.get("size"), alpha=alpha, beta=beta, shift=shift
    )


@register("prelu", "input weight")
def prelu(call: Call) -> Any:
    """`F.prelu`: one slope for each channel, or one for all."""
    path = call.stored("weight")
    if path is None:
        return call.emit("prelu_by_value")
    shared = call.build.graph.tensors[path].shape == (1,)
    dims = [] if shared or len(call.shape("input")) < 2 else [1]
    return call.build.norm("prelu", call.value("input"), call.build.weights(slope=(path, "c")), dims=dims)


def _norm(call: Call, kind: str, roles: dict[str, str], *, dims: list[int], **attrs: Any) -> Any:
    """The norm with stored weights; weights that are computed become a product and a sum behind it."""
    names = "c" if len(dims) == 1 else " ".join(f"c{k}" for k in range(len(dims)))
    weights = call.build.weights(**{role: (call.stored(name), names) for role, name in roles.items()})
    y = call.build.norm(kind, call.value("input"), weights, dims=dims, **attrs)
    for role, merge in (("scale", "mul"), ("offset", "add")):
        computed = call.get(roles[role]) if role in roles else None
        if isinstance(computed, Value):
            y = call.build.emit(merge, [y, computed], call.out)
    return y
