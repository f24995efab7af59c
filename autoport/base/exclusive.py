"""One recording at a time, because recording a model sets hooks and modes of the whole process."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_LOCK = RLock()


def exclusive(function: Callable[P, R]) -> Callable[P, R]:
    """Lets a function that changes the process for a while run in one thread at a time."""

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with _LOCK:
            return function(*args, **kwargs)

    return alone
