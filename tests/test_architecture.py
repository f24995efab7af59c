"""The house is as `docs/architecture.md` says, and stays small enough to read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "autoport"
MOST_LOOSE = 3
MOST_FILES = 13
MOST_LINES = 40


def rooms() -> set[str]:
    """Folders and loose modules of the package."""
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    return folders | {path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"}


def folders() -> list[Path]:
    return sorted({path.parent for path in PACKAGE.rglob("*.py")})


def functions() -> Iterator[tuple[str, int]]:
    """Every function with its number of lines, docstring left out."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = node.body[0]
                documented = ast.get_docstring(node) is not None
                said = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
                yield f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1 - said


def test_the_table_of_folders_is_the_list_of_folders() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("## The folders")[2].partition("###")[0]
    assert sorted(re.findall(r"^\| `([\w./]+)` \|", table, re.MULTILINE)) == sorted(rooms())


def test_few_modules_stand_loose() -> None:
    assert sum(not room.endswith("/") for room in rooms()) <= MOST_LOOSE


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_is_taken_in_at_a_glance(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= MOST_FILES


def test_functions_fit_on_a_screen() -> None:
    assert {name: lines for name, lines in functions() if lines > MOST_LINES} == {}
