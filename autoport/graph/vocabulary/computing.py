"""Kinds without weights that compute across positions: reductions, pooling, products, and where values come from."""

from __future__ import annotations

from typing import Any

from autoport.graph.vocabulary.attributes import shared
from autoport.graph.vocabulary.kind import KEEPS, UNKNOWN, Attribute
from autoport.graph.vocabulary.registry import declare


def _reductions(names: str, **traits: Any) -> None:
    declare(names, "reductions", shared("dims over"), arity=(1, 1), moves=KEEPS, reduces=True, **traits)


def _pools(names: str, attributes: str, *own: Attribute, **traits: Any) -> None:
    declare(names, "pooling and resizing", shared(attributes, *own), arity=(1, 1), moves=KEEPS, **traits)


_reductions("reduce_mean reduce_sum reduce_max reduce_min reduce_prod reduce_all reduce_any")

_WINDOW = "layout kernel_size stride padding dilation"
_pools("max_pool", f"{_WINDOW} pad_value", keeps_sign=True, passes_shifts=True)
_pools("avg_pool", f"{_WINDOW} count_include_pad", Attribute("divisor_override"), keeps_sign=True, passes_shifts=True)
_pools("global_max_pool global_avg_pool", "dims over", keeps_sign=True)
_pools("adaptive_max_pool adaptive_avg_pool", "output_size")
_pools("resize", "mode align_corners factor")

_AXES = "dims over"
declare("softmax", "along axes", shared(_AXES), arity=(1, 1), moves=KEEPS, is_non_negative=True)
declare("log_softmax", "along axes", shared(_AXES), arity=(1, 1), moves=KEEPS)
declare("cumsum", "along axes", shared(f"{_AXES} reverse", Attribute("exclusive", False)), arity=(1, 1), moves=KEEPS)
declare("cumprod", "along axes", shared(_AXES), arity=(1, 1), moves=KEEPS)
declare("argmax argmin", "along axes", shared(_AXES), arity=(1, 1), moves=KEEPS)
declare("unit_norm", "along axes", shared(f"{_AXES} epsilon"), arity=(1, 1), moves=KEEPS)
declare("norm normalize", "along axes", shared("order"), arity=(1, 1), moves=UNKNOWN)

declare("matmul", "products", shared("equation normalize"), arity=(2, 2), moves=UNKNOWN)
declare("einsum", "products", shared("subscripts"), arity=(1, None), moves=UNKNOWN)
declare("attention", "products", shared("equation tokens num_heads scale masked dropout", Attribute("softcap"),
        Attribute("bias_k"), Attribute("add_zero_attn")), arity=(3, None), moves=KEEPS, is_attention=True)  # fmt: skip
declare("mixture", "products", shared("", Attribute("chosen")), arity=(2, None), moves=KEEPS)

declare("input", "sources", shared("axes position"), moves=KEEPS, is_structural=True)
declare("constant", "sources", shared("values run step one_hot fill number stored"), moves=KEEPS, is_drawn=False)
declare("parameter", "sources", shared(), roles="value", moves=KEEPS)
declare("arange zeros empty resource", "sources", shared(), moves=KEEPS)
declare("rand rand_like randn randn_like", "sources", shared(), moves=KEEPS, is_random=True)
declare("preprocessing", "sources", shared("", Attribute("detail", None)), arity=(1, 1), moves=KEEPS, is_silent=True)
declare("dropout", "along axes", shared(), arity=(1, 1), moves=KEEPS, is_random=True, passes_shifts=True)
declare("det slogdet qr svd cholesky cholesky_inverse", "linear algebra", shared(), arity=(1, 1), moves=UNKNOWN)
declare("place_of_median", "along axes", shared(), arity=(1, 1), moves=UNKNOWN)
declare("triangular_solve", "linear algebra", shared("", Attribute("lower"), Attribute("turned")), arity=(2, 2),
        moves=UNKNOWN)  # fmt: skip
declare("searchsorted", "along axes", shared("", Attribute("right")), arity=(2, 2), moves=UNKNOWN)
