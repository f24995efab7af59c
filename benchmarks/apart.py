"""Measures in fresh processes, one at a time, and writes tables in Markdown."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MEBIBYTE = 2**20


def apart(module: str, *arguments: str, timeout: float | None = None) -> Any:
    """Runs `python -m module arguments` and reads the JSON in the last line it prints.

    Raises:
        TimeoutExpired: it took longer than `timeout` seconds.
        RuntimeError: it failed; the message is the last line of its error output.
    """
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RuntimeError((done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1])
    return json.loads(lines[-1])


def row(cells: Iterable[object]) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def head(columns: Iterable[str]) -> list[str]:
    """The first two lines of a Markdown table."""
    names = list(columns)
    return [row(names), row("---" for _ in names)]


class Page:
    """Lines that are printed as they come, and kept for a file."""

    def __init__(self, output: Path | None) -> None:
        self._output = output
        self._lines: list[str] = []

    def add(self, *lines: str) -> None:
        """Prints lines and, where a file was asked for, writes all lines so far."""
        print(*lines, sep="\n", flush=True)
        self._lines += lines
        if self._output:
            self._output.write_text("\n".join(self._lines) + "\n")


def arguments_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes: `-o FILE`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="write the tables to this file, too")
    return parser
