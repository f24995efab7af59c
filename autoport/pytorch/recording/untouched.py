"""Keeps a module as it was, whatever its forward pass writes into itself while it is recorded.

Modules cache things on themselves, or in functions under `functools.lru_cache`: rotary tables, masks, position
numbers. Recorded under fake tensors such a cache would hold no values, and the user's model would fail the next
time it is called.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any
from weakref import ref

import torch
from torch import nn

from autoport.internals.pytorch import fake_tensor_mode, is_fake, tree_leaves

FakeTensorMode: Any = fake_tensor_mode()
CACHED = type(lru_cache(len))
# What lies between a cached function and a tensor that it returned: the cache, its entry, a tuple or dictionary.
NESTED = 4
# What a cache refers to besides its entries, and what leads from there to everything.
ELSEWHERE = (FunctionType, ModuleType, type, nn.Module)


class FakeMode(FakeTensorMode):
    """Computes shapes only, and can tell whether anything still holds a fake tensor that it made."""

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self._made: list[ref[torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        self._note(result)
        return result

    def fake(self, value: Any) -> Any:
        """A value, as a fake tensor if it is a tensor."""
        made = self.from_tensor(value) if isinstance(value, torch.Tensor) else value
        self._note(made)
        return made

    def _note(self, result: Any) -> None:
        self._made += [ref(leaf) for leaf in tree_leaves(result) if is_fake(leaf)]

    def empty_caches(self) -> None:
        """Empties the caches of functions that have kept a fake tensor; looks for them only if one is left."""
        if any(made() is not None for made in self._made):
            _empty_caches()


@contextmanager
def attributes_kept(model: nn.Module) -> Iterator[None]:
    """Puts the attributes of every module back, and what lists and dictionaries among them held."""
    saved = [(module.__dict__, dict(module.__dict__), _contents(module.__dict__)) for module in model.modules()]
    try:
        yield
    finally:
        for attributes, before, contents in saved:
            for name in attributes.keys() - before.keys():
                del attributes[name]
            attributes.update(before)
            for container, held in contents:
                if isinstance(container, list):
                    container[:] = held
                else:
                    for key in container.keys() - held.keys():
                        del container[key]
                    container.update(held)


@contextmanager
def buffers_kept(model: nn.Module) -> Iterator[None]:
    """Puts the values of every buffer back: what counts batches in training mode does so for real."""
    saved = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, before in saved:
            buffer.copy_(before)


def _contents(attributes: dict[str, Any]) -> list[tuple[Any, Any]]:
    containers = [value for value in attributes.values() if type(value) in (dict, list)]
    return [(container, container.copy()) for container in containers]


def _empty_caches() -> None:
    """Goes through all objects that Python knows, which takes longer than to record a small model."""
    for cached in [obj for obj in gc.get_objects() if type(obj) is CACHED]:
        if cached.cache_info().currsize and _holds_fakes([cached]):
            cached.cache_clear()


def _holds_fakes(objects: list[Any]) -> bool:
    """Whether a fake tensor is among what some objects directly hold."""
    for _ in range(NESTED):
        objects = [held for obj in objects for held in gc.get_referents(obj) if not isinstance(held, ELSEWHERE)]
        if any(map(is_fake, objects)):
            return True
    return False
