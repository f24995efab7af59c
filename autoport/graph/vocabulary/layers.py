"""Kinds that read weights."""

from __future__ import annotations

from typing import Any

from autoport.graph.vocabulary.attributes import attribute_list
from autoport.graph.vocabulary.kind import Attribute
from autoport.graph.vocabulary.moves import KEEPS
from autoport.graph.vocabulary.registry import declare

AFFINE = "scale offset"


def _layers(names: str, family: str, attributes: str, roles: str, **traits: Any) -> None:
    traits = {"arity": (1, 1), "moves": KEEPS, "is_layer": True, "is_structural": True, **traits}
    declare(names, family, attribute_list(f"binds {attributes}"), roles=roles, **traits)


def _norms(names: str, attributes: str = "", roles: str = AFFINE) -> None:
    _layers(names, "normalisations", f"epsilon {attributes}", roles, is_norm=True)


_CONV = "outputs equation layout stride dilation padding groups kernel_size transposed"
_layers("conv", "products with weights", _CONV, "kernel bias", mixes=True)
_layers("dense", "products with weights", _CONV, "kernel bias", mixes=True, passes_axes=True)
_layers("embedding", "products with weights", "outputs mask_zero", "embedding", mixes=True)

_norms("batch_norm", "momentum training", f"{AFFINE} mean variance")
_norms("layer_norm")
_norms("group_norm", "groups")
_norms("rms_norm")
_layers("prelu", "activations", "", "slope", is_activation=True)

_CELL = "outputs sequence projected reverse masked activation recurrent_activation reset_after"
_ROLES = "kernel recurrent_kernel bias recurrent_bias"
for _name, _gates in (("lstm", "ifgo"), ("gru", "zrn"), ("simple_rnn", "h")):
    _layers(_name, "recurrent layers", _CELL, _ROLES, arity=(1, None), mixes=True, gates=_gates)

_COMPUTED = "conv_by_value prelu_by_value lstm_by_value gru_by_value simple_rnn_by_value weight_norm"
declare(
    _COMPUTED, "layers that are not taken apart", attribute_list(), arity=(1, None), moves=KEEPS, computes_weights=True
)
_WHOLE = "batch_norm_by_value conv_unbatched time_distributed bidirectional"
declare(_WHOLE, "layers that are not taken apart", attribute_list(), arity=(1, None), moves=KEEPS)
declare("keras_attention", "layers that are not taken apart", attribute_list("", Attribute("score")), roles="scale",
        arity=(2, None), moves=KEEPS, is_attention=True)  # fmt: skip
