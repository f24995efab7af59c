"""The table of torch functions: for each bare name the rule that lowers its calls, and its positional parameters.

A function is looked up by its bare name, so `torch.add`, `Tensor.add_`, `+` and `+=` are one row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autoport.internals.pytorch import parameters_of
from autoport.pytorch.calls import Call

FunctionRule = Callable[[Call], Any]
TABLE: dict[str, tuple[FunctionRule, tuple[str, ...]]] = {}


def register(names: str, parameters: str = "") -> Callable[[FunctionRule], FunctionRule]:
    """Adds a rule for the functions `names` (space separated) with those positional parameters.

    Raises:
        ValueError: one of them has a rule already.
    """

    def add(rule: FunctionRule) -> FunctionRule:
        for name in names.split():
            if name in TABLE:
                raise ValueError(f"two rules for the torch function {name!r}")
            TABLE[name] = (rule, tuple(parameters.split()))
        return rule

    return add


def parameter_names(func: Any, parameters: tuple[str, ...]) -> tuple[str, ...]:
    """Names of positional arguments: those of the table, or those that an operator of an exported program declares."""
    names = parameters_of(func)
    if names is None or not parameters:
        return parameters
    return (parameters[0], *names[1:]) if names and names[0] == "self" else tuple(names)


def bare_name(func: Any) -> str:
    """A function's name without underscores around it, and without the overload of an operator."""
    name = str(getattr(func, "__name__", func))
    name = name if parameters_of(func) is None else name.partition(".")[0]
    return name if name == "_getitem" else name.strip("_")
