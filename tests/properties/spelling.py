"""Choices that do not change the function: names, orders, one of several ways to write a layer."""

from __future__ import annotations

import string
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from tests.properties.architecture import COMMUTATIVE, Architecture, Node

T = TypeVar("T")


class Spelling:
    """A source of choices; equal seeds choose alike."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._names: set[str] = set()

    def pick(self, *options: T) -> T:
        """One of several."""
        return self.random.choice(options)

    def name(self) -> str:
        """A name that says nothing, and that was not used before."""
        while True:
            name = "".join(self.random.choices(string.ascii_lowercase, k=5))
            if name not in self._names:
                self._names.add(name)
                return name

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The same in another order."""
        return self.random.sample(items, len(items))

    def order(self, architecture: Architecture) -> list[Node]:
        """An order in which the nodes can run, branches in any order; inputs keep theirs."""
        done = {node.id for node in architecture.inputs}
        ordered = list(architecture.inputs)
        while len(ordered) < len(architecture.nodes):
            ready = [n for n in architecture.nodes if n.id not in done and done.issuperset(n.sources)]
            node = self.pick(*ready)
            ordered.append(node)
            done.add(node.id)
        return ordered

    def operands(self, node: Node, values: list[T]) -> list[T]:
        """Operands of a merge, in any order where the order does not count."""
        return self.shuffled(values) if node.kind in COMMUTATIVE else values
