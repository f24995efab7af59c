"""The registry of kinds by name, and what an undeclared name gets."""

from __future__ import annotations

import copyreg
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from autoport.graph.vocabulary.kind import Attribute, Kind
from autoport.graph.vocabulary.names import normal_form
from autoport.weights.role import Role

KINDS: dict[str, Kind] = {}
_strict = False


class UndeclaredError(LookupError):
    """A kind, an attribute or a weight that the vocabulary does not declare."""


def declare(names: str, family: str, attributes: Iterable[Attribute] = (), *, roles: str = "", **traits: Any) -> None:
    """Declares kinds.

    Args:
        names: of kinds that have everything else in common (space separated).
        family: what they are listed under.
        attributes: those they may have.
        roles: of the weights they may read (space separated).
        **traits: see `Kind`.

    Raises:
        ValueError: one of them is declared already.
    """
    by_name = MappingProxyType({attribute.name: attribute for attribute in attributes})
    for name in names.split():
        if name in KINDS:
            raise ValueError(f"the kind {name!r} is declared twice")
        KINDS[name] = Kind(name, family, attributes=by_name, roles=tuple(roles.split()), **traits)


def kind_of(name: str) -> Kind:
    """The kind of that name, or one of which nothing is assumed.

    Args:
        name: in the vocabulary, or what a framework calls a function.

    Raises:
        UndeclaredError: there is no such kind, and the vocabulary is strict.
    """
    if isinstance(name, Kind):
        return name
    kind = KINDS.get(name) or KINDS.get(normal_form(name))
    if kind is not None:
        return kind
    if _strict:
        raise UndeclaredError(f"the vocabulary declares no kind {normal_form(name)!r} ({name!r})")
    bare = normal_form(name)
    return Kind(bare, "undeclared", declared=False, is_random="rand" in bare)


copyreg.pickle(Kind, lambda kind: (kind_of, (kind.name,)))


def foreign_kind(name: str) -> Kind:
    """The kind of a function that no row of a reader's table knows, by its name alone.

    A kind with attributes or weights means more than its name, so the function gets another one.
    """
    namesake = KINDS.get(normal_form(name))
    if namesake is not None and (namesake.own_attributes or namesake.roles):
        return kind_of(f"other_{namesake}")
    return kind_of(name)


def check(kind: Kind, attributes: Mapping[str, Any], roles: Collection[str]) -> None:
    """Raises an `UndeclaredError` if an operation has what its kind does not declare, and the vocabulary is strict."""
    if not _strict or not kind.declared:
        return
    bases = {Role.of(role).base for role in roles}
    undeclared = {"attributes": attributes.keys() - kind.attributes.keys(), "weights": bases - {*kind.roles}}
    for what, unknown in undeclared.items():
        if unknown:
            raise UndeclaredError(f"the kind {kind!r} declares no {what} {', '.join(sorted(unknown))}")


@contextmanager
def strict(on: bool = True) -> Iterator[None]:
    """Makes undeclared kinds, attributes and weights errors within a `with` block; `strict(False)` allows them."""
    global _strict
    before, _strict = _strict, on
    try:
        yield
    finally:
        _strict = before
