"""Kinds without weights that compute across positions: reductions, pooling, products, sources of values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autoport.graph.vocabulary.attributes import attribute_list
from autoport.graph.vocabulary.kind import Attribute
from autoport.graph.vocabulary.moves import KEEPS, UNKNOWN, Motion, Moves
from autoport.graph.vocabulary.registry import declare


def _reductions(names: str, **traits: Any) -> None:
    declare(names, "reductions", attribute_list("dims over"), arity=(1, 1), moves=KEEPS, reduces=True, **traits)


def _pools(names: str, attributes: str, *own: Attribute, **traits: Any) -> None:
    declare(names, "pooling and resizing", attribute_list(attributes, *own), arity=(1, 1), moves=KEEPS, **traits)


def _along_axes(names: str, attributes: str, *own: Attribute, **traits: Any) -> None:
    declare(names, "along axes", attribute_list(attributes, *own), arity=(1, 1), moves=KEEPS, **traits)


def _products(names: str, attributes: Iterable[Attribute], **traits: Any) -> None:
    declare(names, "products", attributes, **{"arity": (2, None), "moves": KEEPS, **traits})


def _sources(names: str, attributes: Iterable[Attribute], **traits: Any) -> None:
    declare(names, "sources", attributes, **{"arity": (0, None), "moves": KEEPS, **traits})


def _linear_algebra(names: str, *own: Attribute) -> None:
    declare(names, "linear algebra", attribute_list("", *own), arity=(1, 2), moves=UNKNOWN)


_reductions("reduce_mean reduce_sum reduce_max reduce_min reduce_prod reduce_all reduce_any")
_reductions("argmax argmin")

_WINDOW = "layout kernel_size stride padding dilation"
_WINDOWED = {"is_pool": True, "keeps_sign": True, "passes_shifts": True}
_pools("max_pool", f"{_WINDOW} pad_value", **_WINDOWED)
_pools("avg_pool", f"{_WINDOW} count_include_pad", Attribute("divisor_override"), **_WINDOWED)
_pools("global_max_pool global_avg_pool", "dims over", keeps_sign=True)
_pools("adaptive_max_pool adaptive_avg_pool", "output_size")
_pools("resize", "mode align_corners factor")

_along_axes("softmax", "dims over", is_non_negative=True, ignores_shifts=True, named_alone="softmax")
_along_axes("log_softmax", "dims over", named_alone="softmax")
_along_axes("unit_norm", "dims over epsilon")
_along_axes("norm", "order")
_along_axes("local_response_norm", "alpha beta", Attribute("size"), Attribute("shift"))
_along_axes("dropout", "", is_random=True, only_in_training=True, passes_shifts=True, named_alone="dropout")

_BY_LETTERS = Moves(Motion.KEEPS, by_operand=True)
_HEADS = (Attribute("softcap"), Attribute("bias_k"), Attribute("add_zero_attn"))
_products("matmul", attribute_list("equation normalize"), arity=(2, 2), moves=_BY_LETTERS, is_product=True)
_products("einsum", attribute_list("subscripts"), arity=(1, None), moves=UNKNOWN)
_products("attention", attribute_list("equation tokens num_heads scale masked dropout", *_HEADS), is_attention=True)
_products("mixture", attribute_list("", Attribute("chosen")))

_sources("input", attribute_list("axes position"), is_structural=True)
_sources("constant", attribute_list("values run step one_hot fill number stored"), is_drawn=False)
_sources("parameter", attribute_list(), roles="value")
_sources("arange empty empty_strided eye linspace resource zeros", attribute_list())
_sources("rand rand_like randn randn_like", attribute_list(), is_random=True)
_sources("preprocessing", attribute_list("", Attribute("detail", None)), is_silent=True, is_preprocessing=True)

_linear_algebra("det slogdet qr cholesky")
_linear_algebra("triangular_solve", Attribute("lower"), Attribute("turned"))
declare("place_of_median", "along axes", attribute_list(), arity=(1, 1), moves=UNKNOWN)
declare("searchsorted", "along axes", attribute_list("", Attribute("right")), arity=(2, 2), moves=UNKNOWN)
