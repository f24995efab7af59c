"""Orders of features in a PyTorch twin that are not Keras', and that the layers behind them can follow.

A map is flattened as PyTorch stores it, operands of a concatenation stand in any order.
"""

from __future__ import annotations

import math
from collections.abc import Set
from typing import Any

import numpy as np

from tests.properties.architecture import WEIGHTED, Architecture, Node, Shape
from tests.properties.spelling import Spelling

# Kinds that leave the order of features as it is, or take any.
KEEPING = {
    "batch_norm", "layer_norm", "rms_norm", "prelu", "activation", "dropout", "scale", "max_pool", "avg_pool",
    "global_pool", "upsample", "crop", "pixels", "add", "mul", "sub", "maximum", "minimum", "average",
}  # fmt: skip
READING = {"dense", "whole", "gated", "generator", "rnn", "conv", "conv_transpose"}


def spelled_orders(
    architecture: Architecture, spell: Spelling, moved: Set[int]
) -> tuple[dict[int, list[int]], dict[int, Any], bool]:
    """Operands in any order that what reads them can follow, the orders of features, and whether maps are flattened
    as PyTorch stores them."""
    operands = {node.id: spell.operands(node, list(range(len(node.sources)))) for node in architecture.nodes}
    raw = spell.pick(True, False) and orders_of(architecture, operands, moved, raw=True) is not None
    for node in architecture.nodes:
        trial = operands | {node.id: spell.shuffled(operands[node.id])}
        if _is_free(architecture, node) and orders_of(architecture, trial, moved, raw=raw) is not None:
            operands = trial
    return operands, orders_of(architecture, operands, moved, raw=raw) or {}, raw


def _is_free(architecture: Architecture, node: Node) -> bool:
    """Whether a node is a concatenation of which the order can be followed: of several layers, none flattened."""
    return (
        node.params.get("axis") == -1
        and _is_mixed(architecture, node)
        and not any(_holds_flattened(architecture, id) for id in node.sources)
    )


def _is_mixed(architecture: Architecture, node: Node) -> bool:
    """Whether a node joins several layers, not one with itself."""
    return len({_origin(architecture, id) for id in node.sources}) > 1


def _origin(architecture: Architecture, id: int) -> int:
    """The layer, merge or input behind what has no weights."""
    node = architecture[id]
    alone = len(node.sources) == 1 and node.kind not in WEIGHTED
    return _origin(architecture, node.sources[0]) if alone else id


def _holds_flattened(architecture: Architecture, id: int) -> bool:
    """Whether features are those of a flattened map, alone or beside others; the place of such ones is fixed."""
    node = architecture[id]
    if node.kind in KEEPING or node.kind == "concat":
        return any(_holds_flattened(architecture, source) for source in node.sources)
    return node.kind in ("flatten", "rows")


def orders_of(
    architecture: Architecture, operands: dict[int, list[int]], moved: Set[int], *, raw: bool
) -> dict[int, Any] | None:
    """Orders of features by node, where they are not Keras'; None if something does not go with that.

    A node that was moved reads something that it did not read in Keras, of which no order is the right one.
    """
    orders: dict[int, Any] = {}
    for node in architecture.nodes:
        read, shapes = [orders.get(source) for source in node.sources], architecture.sources(node)
        ordered = any(order is not None for order in read)
        if node.kind in ("flatten", "rows"):
            orders[node.id] = _flattened(node, shapes[0], read[0], raw)
        elif node.params.get("axis") == -1 and (not ordered or _is_mixed(architecture, node)):
            orders[node.id] = _joined(read, shapes, operands[node.id])
        elif ordered:
            if node.id in moved or not _follows(node, read, architecture):
                return None
            orders[node.id] = read[0] if node.kind in KEEPING else None
    return None if any(orders.get(id) is not None for id in architecture.outputs) else orders


def _follows(node: Node, read: list[Any], architecture: Architecture) -> bool:
    """Whether a node can read features in other orders."""
    if node.kind in KEEPING and (node.shared is None or node.kind in ("activation", "dropout")):
        return all(order is not None and np.array_equal(order, read[0]) for order in read)
    alone = node.shared is None and all(reader.shared != node.id for reader in architecture.nodes)
    return node.kind in READING and alone and node.params.get("groups", 1) == 1


def _flattened(node: Node, source: Shape, order: Any, raw: bool) -> Any:
    """Which Keras feature stands where in a map that was flattened; `raw` if channels first."""
    shape = source[1:] if node.kind == "rows" else source
    places = np.arange(math.prod(shape)).reshape(shape)
    places = places if order is None else places[..., order]
    return _unless_plain((np.moveaxis(places, -1, 0) if raw and len(source) > 2 else places).ravel())


def _joined(orders: list[Any], shapes: list[Shape], operands: list[int]) -> Any:
    """Which Keras feature stands where in a concatenation."""
    widths = [shape[-1] for shape in shapes]
    starts = np.cumsum([0, *widths])
    parts = [starts[k] + (np.arange(widths[k]) if orders[k] is None else orders[k]) for k in operands]
    return _unless_plain(np.concatenate(parts))


def _unless_plain(order: Any) -> Any:
    """None where each feature stands at its own place."""
    return None if np.array_equal(order, np.arange(len(order))) else order
