"""Kinds that move values to other places: shapes, parts, copies, orders."""

from __future__ import annotations

from typing import Any

from autoport.graph.vocabulary.attributes import SHARED, attribute_list
from autoport.graph.vocabulary.kind import Attribute
from autoport.graph.vocabulary.moves import FOLLOWED, KEEPS, UNKNOWN, Motion, Moves
from autoport.graph.vocabulary.registry import declare

SHAPES, ORDERS = "shapes and copies", "parts and orders"


def _along(
    names: str, dims: str, known_by: str = "", *own: Attribute, moves: dict[str, bool] | None = None, **traits: Any
) -> None:
    """Kinds that move positions along the dimensions that an attribute tells."""
    named = str(SHARED[dims].by_dim)
    how = Moves(Motion.ALONG, dims, named, tuple(known_by.split()), **(moves or {}))
    declare(names, ORDERS, attribute_list(f"{dims} {named} {known_by}", *own), moves=how, **{"arity": (1, 1), **traits})


def _between_features(names: str, known_by: str) -> None:
    moves = Moves(Motion.FEATURES, known_by=(known_by,))
    declare(names, ORDERS, attribute_list(known_by), arity=(1, 1), moves=moves)


declare("reshape", SHAPES, attribute_list(), arity=(1, 1), moves=FOLLOWED, is_shape_only=True, is_silent=True,
        is_drawn=False, keeps_sign=True)  # fmt: skip
declare("transpose", SHAPES, attribute_list("order"), arity=(1, 1), moves=FOLLOWED, is_shape_only=True, is_silent=True,
        is_drawn=False, keeps_sign=True, passes_shifts=True)  # fmt: skip
declare("expand", SHAPES, attribute_list(), arity=(1, 1), moves=FOLLOWED, is_silent=True, is_drawn=False)

_along("slice", "ranges", passes_shifts=True)
_along("pad", "amounts", "mode", SHARED["value"])
_along("concat", "axis", arity=(1, None), keeps_sign=True, is_join=True)
_along("flip", "dims", moves={"mirrors": True}, keeps_sign=True)
_along("roll", "shifts", keeps_sign=True)
_along("gather lookup", "axis", moves={"by_operand": True, "picks": True}, arity=(1, None))
_along("scatter index_add", "axis", moves={"by_operand": True}, arity=(3, 3))
_along("sort topk", "dims", "", SHARED["descending"], moves={"any_order": True})
_along("cumsum cumprod", "dims", "", Attribute("reverse", False), Attribute("exclusive", False))
_between_features("channel_shuffle", "groups")
_between_features("pixel_shuffle pixel_unshuffle depth_to_space space_to_depth", "factor")
declare("roll_flat", ORDERS, attribute_list("", Attribute("shift")), arity=(1, 1), moves=UNKNOWN)
_BY_VALUE = (
    "cumprod_by_value cumsum_by_value flip_by_value pad_by_value roll_by_value transpose_by_value one_hot_of_values"
)
declare(f"gather_flat nonzero windows {_BY_VALUE}", ORDERS, attribute_list(), arity=(1, None), moves=UNKNOWN)
declare("view_as_complex view_as_real", SHAPES, attribute_list(), arity=(1, 1), moves=KEEPS)
declare("after_write assign_item tensor_scatter_update", ORDERS, attribute_list(), arity=(2, 3), moves=UNKNOWN)
declare("one_hot", ORDERS, attribute_list(), arity=(1, 1), moves=KEEPS, is_non_negative=True)
declare("band", ORDERS, attribute_list("", Attribute("lower"), Attribute("upper")), arity=(1, 1), moves=KEEPS)
declare("diagonal diag_embed", ORDERS, attribute_list("", Attribute("offset")), arity=(1, 1), moves=UNKNOWN)
