"""What both tests of private API share: which functions there are, and what a failure says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import pytest

Check = Callable[[], None]


def functions_of(module: ModuleType) -> list[str]:
    """Names of the public functions that a module defines."""
    members = inspect.getmembers(module, inspect.isfunction)
    return [name for name, member in members if member.__module__ == module.__name__ and not name.startswith("_")]


def run(module: ModuleType, name: str, checks: Mapping[str, Check], packages: str) -> None:
    """Uses an internal for real; a failure names it, what it is for and the versions of the frameworks."""
    try:
        checks[name]()
    except Exception as error:
        purpose = (getattr(module, name).__doc__ or "").split("\n")[0]
        versions = ", ".join(f"{package} {_version(package)}" for package in packages.split())
        pytest.fail(f"{module.__name__}.{name} no longer works with {versions}: {error!r}\nIt gives: {purpose}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def never(*_: Any, **__: Any) -> Any:
    """Stands for an internal that has gone."""
    raise AttributeError("gone")
