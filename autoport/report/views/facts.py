"""Facts as JSON, for machines: places, reasons and values."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from autoport.facts.places import Place
from autoport.facts.reasons import Reason


def as_json(fact: Any) -> Any:
    """Any fact as dictionaries, lists, strings, numbers and booleans.

    Args:
        fact: a place, a reason, or a value of a difference. A value without a form in JSON becomes a string.

    Example:
        >>> as_json(Reason.of(Code.SEVERAL_PARTNERS, number=2))  # doctest: +SKIP
        {'code': 'several_partners', 'operands': {'number': 2}}
    """
    if isinstance(fact, Place):
        return _place(fact)
    if isinstance(fact, Reason):
        return {"code": str(fact.code), "operands": {name: as_json(value) for name, value in fact.operands}}
    if is_dataclass(fact):
        return {field.name: as_json(getattr(fact, field.name)) for field in fields(fact)}
    if isinstance(fact, tuple):
        return [as_json(part) for part in fact]
    return _plain(fact)


def _place(place: Place) -> dict[str, Any]:
    """The fields of a place that are set."""
    if place.model:
        return {"model": place.model}
    at = as_json(place.port) if place.port else {"path": place.path, "kind": place.kind, "operation": place.operation}
    return {**at, "from": _place(place.producer)} if place.producer else at


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) and math.isfinite(value) else str(value)
