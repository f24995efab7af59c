"""Writes `docs/operations.md`: every kind of operation, and what makes it. Run it as `python docs/operations.py`.

What makes a kind is read from the code of the readers' rules: the kinds that a rule, and the functions that it
calls, name.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import autoport.keras.layers
import autoport.keras.ops
import autoport.pytorch.functions  # noqa: F401
from autoport.graph import vocabulary
from autoport.graph.build import Builder
from autoport.graph.vocabulary import KINDS, NOTHING, Attribute, Kind, Motion, Use
from autoport.keras.layers.activation import activation_kind, with_activation
from autoport.keras.table import LAYERS, OPS
from autoport.pytorch.table import TABLE

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Operations

Both readers lower a model to these kinds of operations, which `autoport/graph/vocabulary/` declares. `python
docs/operations.py` writes this page. A function that is not here becomes a kind of its own name, of which nothing is
assumed: it may put positions anywhere, so weights around it are not carried over unless `match.settle()` proves them.

Layers with an `activation` make that activation, too. Inputs, constants and stored tensors that are read as data
have no row among the rules.
"""
TRAITS = {
    "is_pointwise": "elementwise",
    "is_commutative": "operands in any order",
    "is_silent": "left out of comparisons",
    "is_structural": "a node also without weights",
    "is_random": "random",
    "is_non_negative": "never negative",
    "reduces": "makes one of many positions",
    "mixes": "sums over features",
    "computes_weights": "its weight is computed",
}
MOTIONS = {
    Motion.KEEPS: "",
    Motion.FOLLOWED: "shapes are followed",
    Motion.ALONG: "moves positions along axes",
    Motion.FEATURES: "moves features",
    Motion.UNKNOWN: "may move anything",
}
# What the readers make without a rule, and methods that ask and make nothing.
WITHOUT_RULE = {"input", "constant", "parameter"}
ASKING = {"run", "number", "emit", "constant", "parameter"}
# Methods that are told the name of an argument or of an attribute.
QUERIES = {"get", "get_attr", "shape", "stored", "value"}
# Stated once at the top, instead of at every layer that has an activation.
STATED = (with_activation, activation_kind)


RULES: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "Keras layers": LAYERS,
    "TensorFlow operations": OPS,
    "torch functions": {name: rule for name, (rule, _) in TABLE.items()},
}


def makers() -> Mapping[str, Mapping[str, list[str]]]:
    """For each kind the Keras layers, TensorFlow operations and torch functions that may make it."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for table, rules in RULES.items():
        for name, rule in rules.items():
            for kind in made_by(rule, name):
                found[kind][table].append(name)
    return found


def made_by(rule: Callable[..., Any], name: str) -> set[str]:
    """Kinds that a rule may make for what is called `name`."""
    siblings = {other for rules in RULES.values() for other, its in rules.items() if its is rule}
    texts, prefixes = set(), set()
    for function in _called(rule):
        for node in _code(function):
            if isinstance(node, ast.JoinedStr):
                prefixes |= {part.value for part in node.values if isinstance(part, ast.Constant)}
            elif isinstance(node, ast.Constant):
                texts.add(node.value)
            elif isinstance(node, ast.Attribute) and node.attr in ("name", "type"):
                texts |= {name, name.lower()}
            elif isinstance(node, ast.Name) and node.id.isupper():
                table = function.__globals__.get(node.id)
                rows = table if isinstance(table, dict) else {}
                texts |= set(_strings(rows.get(name) if siblings & rows.keys() else list(rows.values())))
    joined = {prefix + text for prefix in prefixes for text in texts if isinstance(text, str)}
    joined |= {text + prefix for prefix in prefixes for text in texts if isinstance(text, str)}
    return ((texts | joined) & KINDS.keys()) - WITHOUT_RULE


def _called(rule: Callable[..., Any]) -> list[FunctionType]:
    """A rule, and the functions that it calls: those of its module, imported ones, and what builds operations."""
    done: list[Any] = []
    waiting: list[Any] = [rule]
    while waiting:
        function = waiting.pop()
        own = isinstance(function, FunctionType) and function.__module__.startswith("autoport.")
        if not own or function in done or function.__module__.startswith(vocabulary.__name__):
            continue
        done.append(function)
        for node in _code(function):
            if isinstance(node, ast.Name):
                called = function.__globals__.get(node.id)
                waiting += [called] if called is rule or called not in STATED else []
            elif isinstance(node, ast.Attribute) and node.attr not in ASKING and _builds(node.value):
                waiting.append(getattr(Builder, node.attr, None))
    return done


def _builds(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) in ("build", "self")


@functools.cache
def _code(function: FunctionType) -> tuple[ast.AST, ...]:
    """What a function is made of, without what names arguments and attributes or is compared with something."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = list(definition.body[1:] if ast.get_docstring(definition) else definition.body)  # type: ignore
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        if isinstance(node, ast.Dict):
            waiting += node.values
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in QUERIES:
            waiting.append(node.func)
        elif not isinstance(node, (ast.Compare, ast.keyword)):
            waiting += ast.iter_child_nodes(node)
    return tuple(nodes)


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return [text for part in value for text in _strings(part)] if isinstance(value, (tuple, list)) else []


def page() -> str:
    """The page, as Markdown."""
    families: dict[str, list[Kind]] = defaultdict(list)
    for kind in KINDS.values():
        families[kind.family].append(kind)
    known = makers()
    return "\n".join([HEAD, *(_family(family, kinds, known) for family, kinds in families.items())])


def _family(family: str, kinds: Iterable[Kind], known: Mapping[str, Mapping[str, list[str]]]) -> str:
    rows = [_row(kind, known.get(kind, {})) for kind in kinds]
    head = ["| kind | attributes | weights | traits | may be made by |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([f"## {family[0].upper()}{family[1:]}", "", *head, *rows, ""])


def _row(kind: Kind, made: Mapping[str, list[str]]) -> str:
    attributes = ", ".join(_attribute(attribute) for attribute in kind.attributes.values() if _is_shown(attribute))
    traits = [words for trait, words in TRAITS.items() if getattr(kind, trait)]
    traits += [MOTIONS[kind.moves.motion]] if MOTIONS[kind.moves.motion] else []
    sources = "; ".join(f"{table}: {', '.join(f'`{name}`' for name in sorted(names))}" for table, names in made.items())
    roles = ", ".join(f"`{role}`" for role in kind.roles)
    return f"| `{kind}` | {attributes} | {roles} | {', '.join(traits)} | {sources} |"


def _is_shown(attribute: Attribute) -> bool:
    return attribute.use is Use.COMPARED


def _attribute(attribute: Attribute) -> str:
    default = "" if attribute.default in (NOTHING, None) else f" = {attribute.default}"
    return f"`{attribute.name}{default}`" + (" (training only)" if attribute.training_only else "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
