"""Raw normalisations: the fused operation, which TensorFlow has for images."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoport.graph import Value
from autoport.keras.calls import RawOp
from autoport.keras.table import op_rule

# The inputs behind the data, with the constant that stands for a missing weight.
ROLES = {"scale": 1.0, "offset": 0.0, "mean": None, "variance": None}


@op_rule("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3")
def fused_batch_norm(raw: RawOp) -> Any:
    """`tf.nn.fused_batch_norm` with stored statistics."""
    paths = {role: raw.stored(place) for place, role in enumerate(ROLES, start=1)}
    constants = {role: raw.constant(place) for place, role in enumerate(ROLES, start=1)}
    lacking = {role for role, neutral in ROLES.items() if neutral is not None and _all(constants[role], neutral)}
    dim = raw.op.get_attr("data_format").decode().index("C")
    epsilon = round(float(raw.op.get_attr("epsilon")), 12)
    if raw.op.get_attr("is_training") and lacking == {"scale", "offset"} and dim == 1 and raw.out[0] == 1:
        return _rows(raw, epsilon)
    if raw.op.get_attr("is_training") or any(path is None and role not in lacking for role, path in paths.items()):
        return raw.emit("batch_norm_by_value")
    weights = raw.build.weights(**{role: (path, "c") for role, path in paths.items()})
    y = raw.build.norm("batch_norm", raw.data(0), weights, dims=[dim], epsilon=epsilon)
    return [y, *(Value(y.op, 1) for _ in raw.op.outputs[1:])]


@op_rule("LRN")
def local_response_norm(raw: RawOp) -> Any:
    """`tf.nn.local_response_normalization`: alpha weighs the sum over channels, in PyTorch their mean."""
    size = 2 * raw.op.get_attr("depth_radius") + 1
    alpha, beta, shift = (round(float(raw.op.get_attr(name)), 12) for name in ("alpha", "beta", "bias"))
    return raw.emit("local_response_norm", size=size, alpha=alpha * size, beta=beta, shift=shift)


def _all(array: Any, number: float) -> bool:
    return array is not None and bool(np.all(array == number))


def _rows(raw: RawOp, epsilon: float) -> list[Value]:
    """A batch of one, normalised by the statistics of each channel: Keras 2 normalises rows so."""
    dims = [dim for dim in range(2, len(raw.out)) if raw.out[dim] != 1]
    y = raw.build.norm("layer_norm", raw.data(0), {}, dims=dims, epsilon=epsilon)
    return [y, *(Value(y.op, 1) for _ in raw.op.outputs[1:])]
