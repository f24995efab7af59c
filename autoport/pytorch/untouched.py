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
from typing import Any

from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

CACHED = type(lru_cache(len))
# What lies between a cached function and a tensor that it returned: the cache, its entry, a tuple or dictionary.
NESTED = 4


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


@contextmanager
def caches_kept() -> Iterator[None]:
    """Empties the caches of functions that have kept a fake tensor."""
    try:
        yield
    finally:
        for cached in [obj for obj in gc.get_objects() if type(obj) is CACHED]:
            if cached.cache_info().currsize and _holds_fakes([cached]):
                cached.cache_clear()


def _holds_fakes(objects: list[Any]) -> bool:
    """Whether a fake tensor is among some objects, or among what they directly hold."""
    for _ in range(NESTED):
        objects = [held for obj in objects if not isinstance(obj, nn.Module) for held in gc.get_referents(obj)]
        if any(isinstance(obj, FakeTensor) for obj in objects):
            return True
    return False
