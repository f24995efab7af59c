"""Folds lines into loops where they repeat except for numbers that go up evenly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

# The most items in the body of a loop, and the fewest lines that a loop must save to be worth reading.
LONGEST_BODY = 64
FEWEST_SAVED = 3
VARIABLES = "ijklmn"


@dataclass(frozen=True)
class CodeLine:
    """A line of code.

    Attributes:
        texts: the texts around its numbers, one more than there are numbers.
        numbers: every number in it.
    """

    texts: tuple[str, ...]
    numbers: tuple[int, ...]

    lines = 1

    @property
    def shape(self) -> Any:
        """Equal for two lines that differ only in numbers."""
        return self.texts


@dataclass(frozen=True)
class Loop:
    """A loop.

    Attributes:
        count: how often it runs.
        body: its items, with the numbers of the first iteration.
        steps: by how much each number goes up with an iteration.
    """

    count: int
    body: tuple[CodeLine | Loop, ...]
    steps: tuple[int, ...]

    @property
    def lines(self) -> int:
        """Lines of code that it takes."""
        return 1 + sum(item.lines for item in self.body)

    @property
    def shape(self) -> Any:
        """Equal for two loops that differ only in numbers."""
        return self.count, self.steps, tuple(item.shape for item in self.body)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every number in its body."""
        return tuple(number for item in self.body for number in item.numbers)


Item: TypeAlias = CodeLine | Loop


def line(text: str) -> CodeLine:
    """Splits a line of code at its whole numbers; outside of strings 0.5 is text."""
    parts = [""]
    for piece in re.split(r'("(?:[^"\\]|\\.)*")', text):
        number = r"(?<!\d)(?:0|[1-9]\d*)(?!\d)" if piece.startswith('"') else r"(?<![\w.])(?:0|[1-9]\d*)(?![\w.])"
        first, *rest = re.split(f"({number})", piece)
        parts[-1] += first
        parts += rest
    return CodeLine(tuple(parts[::2]), tuple(map(int, parts[1::2])))


def fold(items: Sequence[Item]) -> list[Item]:
    """Folds lines that repeat into loops, and loops into loops.

    Args:
        items: lines in order.

    Returns:
        The same lines, with loops among them.

    Example:
        >>> [str(type(item).__name__) for item in fold([line(f"f({k})") for k in range(9)])]
        ['Loop']
    """
    folded = list(items)
    while True:
        before = len(folded)
        for length in range(1, LONGEST_BODY + 1):
            folded = list(_fold_blocks(folded, length))
        if len(folded) == before:
            return folded


def _fold_blocks(items: Sequence[Item], length: int) -> Iterator[Item]:
    """The same items; repeated blocks of `length` items become loops."""
    place = 0
    while place < len(items):
        count, steps = _repeats(items, place, length)
        body = tuple(items[place : place + length])
        if sum(item.lines for item in body) * (count - 1) >= FEWEST_SAVED:
            yield Loop(count, body, steps)
            place += length * count
        else:
            yield items[place]
            place += 1


def _repeats(items: Sequence[Item], place: int, length: int) -> tuple[int, tuple[int, ...]]:
    """How often a block repeats from a place on, and by how much its numbers go up each time."""
    first = items[place : place + length]
    count, steps = 1, None
    while True:
        block = items[place + count * length : place + (count + 1) * length]
        if [item.shape for item in block] != [item.shape for item in first]:
            return count, steps or ()
        increase = _difference(block, first)
        steps = increase if steps is None else steps
        if increase != tuple(count * step for step in steps) or min(increase, default=0) < 0:
            return count, steps
        count += 1


def _difference(block: Sequence[Item], first: Sequence[Item]) -> tuple[int, ...]:
    return tuple(
        a - b for one, other in zip(block, first, strict=True) for a, b in zip(one.numbers, other.numbers, strict=True)
    )


def render(items: Sequence[Item], indent: int = 1, terms: Sequence[dict[str, int]] | None = None) -> list[str]:
    """Items as lines of Python.

    Args:
        items: lines and loops.
        indent: how deep they stand.
        terms: for each of their numbers, its step with each loop variable.
    """
    lines = []
    growing = list(terms) if terms is not None else [{} for item in items for _ in item.numbers]
    for item in items:
        own, growing = growing[: len(item.numbers)], growing[len(item.numbers) :]
        if isinstance(item, CodeLine):
            lines.append("    " * indent + _text(item, own).replace("\n", "\n" + "    " * indent))
            continue
        variable = VARIABLES[indent - 1]
        inner = [{**term, variable: step} for term, step in zip(own, item.steps, strict=True)]
        lines.append("    " * indent + f"for {variable} in range({item.count}):")
        lines += render(item.body, indent + 1, inner)
    return lines


def _text(template: CodeLine, terms: Sequence[dict[str, int]]) -> str:
    """A line with sums in place of its numbers; strings that contain sums become f-strings."""
    code, string = "", _String()
    for number, term, text in zip((*template.numbers, 0), (*terms, {}), template.texts, strict=True):
        code += string.take(text)
        if text is not template.texts[-1]:
            code += string.number(number, term)
    return code


def _escape(part: str) -> str:
    """A part of an f-string: an expression, or text."""
    return part[1:] if part.startswith("\0") else part.replace("{", "{{").replace("}", "}}")


class _String:
    """Scans a line of code, and buffers what is between quotes until they are closed."""

    def __init__(self) -> None:
        self._inside: list[str] | None = None
        self._formatted = False
        self._escaped = False

    def take(self, text: str) -> str:
        """Scans text; returns the code that is complete with it."""
        return "".join(map(self._character, text))

    def _character(self, character: str) -> str:
        if self._inside is None:
            if character != '"':
                return character
            self._inside, self._formatted = [], False
            return ""
        if character == '"' and not self._escaped:
            parts, self._inside = self._inside, None
            if not self._formatted:
                return '"' + "".join(parts) + '"'
            return 'f"' + "".join(_escape(p) for p in parts) + '"'
        self._escaped = character == "\\" and not self._escaped
        self._inside.append(character)
        return ""

    def number(self, number: int, term: dict[str, int]) -> str:
        """Scans a number that may be a sum; returns the code that is complete with it."""
        parts = [f"{'' if step == 1 else f'{step} * '}{name}" for name, step in term.items() if step]
        text = " + ".join([*parts, *([str(number)] if number or not parts else [])]).replace("+ -", "- ")
        if self._inside is None:
            return text
        self._formatted = self._formatted or bool(parts)
        self._inside.append("\0{" + text + "}" if parts else text)
        return ""
