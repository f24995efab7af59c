"""A table with one row a pair of the zoo, each measured in a fresh process: `python -m MODULE [-o FILE]`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.zoo.pairs import PAIRS, Pair

Row = dict[str, Any]


def measure_apart(module: str, pair: Pair, columns: Sequence[str]) -> Row:
    """A row, measured in a fresh process; a failure becomes a row, too."""
    done = subprocess.run([sys.executable, "-m", module, "--pair", pair.name], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        return dict(json.loads(lines[-1]))
    reason = (done.stderr.splitlines() or ["no output"])[-1]
    return dict.fromkeys(columns, "") | {"pair": pair.name, columns[-1]: "failed: " + reason.replace("|", "/")}


def render(cells: Any) -> str:
    """One row in Markdown."""
    return "| " + " | ".join(map(str, cells)) + " |"


def main(module: str, doc: str, columns: Sequence[str], measure: Callable[[Pair], Row], right: str) -> int:
    """Prints the table as it grows, or writes it to a file, too.

    Args:
        module: the module to be run for each pair.
        doc: what `--help` says.
        columns: keys of a row, `pair` the first.
        measure: makes the row of a pair.
        right: the column that is empty or `?` where something is not as it should be.

    Returns:
        1 if anything is not, else 0.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--pair", help="measure this pair only, in this process, and print JSON")
    arguments = parser.parse_args()
    if arguments.pair:
        print(json.dumps(measure(next(pair for pair in PAIRS if pair.name == arguments.pair))))
        return 0
    lines, failed = [render(columns), render("---" for _ in columns)], 0
    print(*lines, sep="\n", flush=True)
    for pair in PAIRS:
        row = measure_apart(module, pair, columns)
        failed += row[right] in ("", "?")
        lines.append(render(row[column] for column in columns))
        print(lines[-1], flush=True)
        if arguments.output:
            arguments.output.write_text("\n".join(lines) + "\n")
    return int(failed > 0)
