"""Parses a model's name: a module or a file, attributes, and literal arguments."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from autoport.errors import LoadError

EXAMPLE = "package.module:callable or path/to/file.py:callable"


@dataclass(frozen=True)
class Name:
    """A parsed name of a model.

    Attributes:
        text: the name itself.
        where: module, or path of a Python file.
        attributes: looked up there, one after the other.
        args: positional arguments; None if there is no call.
        kwargs: keyword arguments.
    """

    text: str
    where: str
    attributes: tuple[str, ...]
    args: tuple[Any, ...] | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)


def parse_name(text: str) -> Name:
    """Parses a name.

    Args:
        text: `module:callable`, `file.py:callable`, either with literal arguments.

    Raises:
        LoadError: it is not of that form.

    Example:
        >>> parse_name("keras.applications:VGG16(weights=None)").kwargs
        {'weights': None}
    """
    split = re.fullmatch(r"((?:[A-Za-z]:[\\/])?[^:]+):(.+)", text.strip(), re.DOTALL)
    if split is None:
        raise LoadError(f"{text!r} does not name a model: write {EXAMPLE}, or give a .keras or .h5 file")
    where, what = split.groups()
    try:
        node = ast.parse(what.strip(), mode="eval").body
        call = node if isinstance(node, ast.Call) else None
        attributes = _attributes(call.func if call else node)
        return Name(text, where, attributes, *_arguments(call)) if call else Name(text, where, attributes)
    except (SyntaxError, ValueError) as error:
        raise LoadError(
            f"{text!r}: {what!r} is neither a name nor a call with literal arguments such as f(3, weights=None)"
        ) from error


def _attributes(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Attribute):
        return (*_attributes(node.value), node.attr)
    if isinstance(node, ast.Name):
        return (node.id,)
    raise ValueError("not a path of attributes")


def _arguments(call: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    kwargs = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise ValueError("** is not a literal")
        kwargs[keyword.arg] = ast.literal_eval(keyword.value)
    return tuple(ast.literal_eval(arg) for arg in call.args), kwargs
