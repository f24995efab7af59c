"""Kinds that move values to other places: shapes, parts, copies, orders."""

from __future__ import annotations

from typing import Any

from autoport.graph.vocabulary.attributes import shared
from autoport.graph.vocabulary.kind import FOLLOWED, KEEPS, UNKNOWN, Attribute, Motion, Moves
from autoport.graph.vocabulary.registry import declare

SHAPES, ORDERS = "shapes and copies", "parts and orders"


def _along(names: str, dims: str, known_by: str, attributes: str = "", *own: Attribute, **traits: Any) -> None:
    """Kinds that move positions along the dimensions that an attribute tells."""
    moves = Moves(Motion.ALONG, dims, tuple(known_by.split()), traits.pop("any_order", False))
    declare(names, ORDERS, shared(attributes, *own), moves=moves, **traits)


def _between_features(names: str, known_by: str) -> None:
    moves = Moves(Motion.FEATURES, None, (known_by,))
    declare(names, ORDERS, shared(known_by), arity=(1, 1), moves=moves)


declare("reshape", SHAPES, shared(), arity=(1, 1), moves=FOLLOWED, is_shape_only=True, is_silent=True, is_drawn=False,
        keeps_sign=True)  # fmt: skip
declare("transpose", SHAPES, shared("order"), arity=(1, 1), moves=FOLLOWED, is_shape_only=True, is_silent=True,
        is_drawn=False, keeps_sign=True, passes_shifts=True)  # fmt: skip
declare("expand", SHAPES, shared(), arity=(1, 1), moves=FOLLOWED, is_silent=True, is_drawn=False)
declare("transpose_by_value", SHAPES, shared(), arity=(1, 1), moves=UNKNOWN)

_along("slice", "ranges", "taken", "ranges taken", arity=(1, 1), passes_shifts=True)
_along("pad", "amounts", "padding mode", "amounts padding mode value", arity=(1, 1))
_along("concat", "axis", "over", "axis over", arity=(1, None), keeps_sign=True)
_along("flip", "dims", "over", "dims over", arity=(1, 1), keeps_sign=True, passes_shifts=True)
_along("roll", "shifts", "rolled", "shifts rolled", arity=(1, 1), keeps_sign=True, passes_shifts=True)
_along("gather lookup", "axis", "over", "axis over", arity=(1, None))
_along("scatter index_add", "axis", "over", "axis over", arity=(3, 3))
_along("sort", "dims", "over descending", "dims over descending", arity=(1, 1), any_order=True)
_along("topk", "dims", "over descending", "dims over descending", arity=(1, 1), any_order=True)
_between_features("channel_shuffle", "groups")
_between_features("pixel_shuffle pixel_unshuffle depth_to_space space_to_depth", "factor")
declare("roll_flat", ORDERS, shared("", Attribute("shift")), arity=(1, 1), moves=UNKNOWN)
declare("gather_flat nonzero windows pad_by_value", ORDERS, shared(), arity=(1, None), moves=UNKNOWN)
declare("after_write", ORDERS, shared(), arity=(2, 2), moves=UNKNOWN)
declare("one_hot", ORDERS, shared(), arity=(1, 1), moves=KEEPS, is_non_negative=True)
declare("flip_by_value", ORDERS, shared(), arity=(1, 1), moves=UNKNOWN)
declare("band", ORDERS, shared("", Attribute("lower"), Attribute("upper")), arity=(1, 1), moves=KEEPS)
declare("diagonal diag_embed", ORDERS, shared("", Attribute("offset")), arity=(1, 1), moves=UNKNOWN)
