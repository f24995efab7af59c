"""Private API of the frameworks stands in the folder that gathers it, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "autoport"
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent.name != "internals")
# Folders of the frameworks that are not public, though no underscore says so.
PRIVATE = re.compile(
    r"(tensorflow\.(python|core|compiler)|(tf_)?keras\.src)(\.|$)|((tf|tensorflow|torch|(tf_)?keras)\b.*\._)"
)
# Private attributes of Python itself.
PYTHON = {"_getframe"}


def names_of(tree: ast.AST) -> Iterator[str]:
    """What a file gives a name to: its functions, classes, variables, attributes and parameters."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(value=ast.Name(id="self" | "cls"), ctx=ast.Store()):
                yield node.attr


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression that is only that."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def texts(nodes: list[ast.expr]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def private_uses(tree: ast.AST, own: set[str]) -> Iterator[str]:
    """What a file uses that is private to a framework, or to anyone else but autoport."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if not module.startswith("autoport"):
                names = [f"{module}.{alias.name}" for alias in node.names]
                yield from (name for name in names if PRIVATE.match(name) and name != "__future__.annotations")
            case ast.Import():
                yield from (alias.name for alias in node.names if PRIVATE.match(alias.name))
            case ast.Attribute(attr=attr) if attr.startswith("_") and not re.fullmatch(r"__\w+__", attr):
                if attr not in own | PYTHON:
                    yield dotted(node) or attr
            case ast.Attribute(attr="__internal__"):
                yield dotted(node)
            case ast.Constant(value=str(text)) if PRIVATE.match(text):
                yield text
            case ast.Call(func=ast.Name(id="getattr" | "hasattr" | "setattr"), args=args) | ast.Tuple(elts=args):
                yield from (text for text in texts(args) if re.fullmatch(r"_[a-z]\w*", text) and text not in own)


TREES = {path: ast.parse(path.read_text()) for path in FILES}
OWN = {name for tree in TREES.values() for name in names_of(tree)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_api_of_the_frameworks_is_used_in_internals_only(path: Path) -> None:
    assert list(private_uses(TREES[path], OWN)) == []


@pytest.mark.parametrize(
    "source",
    [
        "from torch._subclasses.fake_tensor import FakeTensor",
        "from torch.utils import _pytree",
        "from tensorflow.python.eager import context",
        "import keras.src.saving",
        "tf.__internal__.FuncGraph('x')",
        "importlib.import_module('tf_keras.src.saving.saving_lib')",
        "layer._flatten_layers()",
        "getattr(model, '_inputs_struct', None)",
        "tensor.untyped_storage()._cdata",
        "torch._C._functorch.peek_interpreter_stack()",
    ],
)
def test_a_use_elsewhere_would_be_seen(source: str) -> None:
    assert list(private_uses(ast.parse(source), OWN))


def test_readers_of_the_two_frameworks_know_nothing_of_each_other() -> None:
    loads = {
        "keras": ("torch", "autoport.pytorch", "autoport.internals.pytorch"),
        "pytorch": ("keras", "tensorflow", "tf_keras", "autoport.keras", "autoport.internals.keras"),
    }
    for folder, others in loads.items():
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text())
            modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            assert not [name for name in modules if any(f"{name}.".startswith(f"{other}.") for other in others)], path


def test_both_readers_are_made_of_the_same_files() -> None:
    for name in ("trace", "table", "calls", "lower", "inputs", "read", "store"):
        assert (ROOT / "keras" / f"{name}.py").is_file()
        assert (ROOT / "pytorch" / f"{name}.py").is_file()
