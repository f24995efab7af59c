"""The zoo as a Markdown table: `python -m tests.zoo.table [-o FILE]`, one fresh process a pair.

Tensors are those of the PyTorch state dict without counters. They are right when the outputs of
both models agree in float64 after the PyTorch module's hyper-parameters were aligned.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support import (
    random_images,
    randomise_keras,
    randomise_torch,
    relative_error,
    run_keras,
    run_torch,
)
from tests.zoo.pairs import PAIRS, Pair

COLUMNS = ("pair", "tensors", "right", "wrong", "unmatched", "differences", "error", "seconds")


def measure(pair: Pair) -> dict[str, Any]:
    """Match and port one pair; a row of the table."""
    import autoport

    model, module = pair.build()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)
    start = time.perf_counter()
    match = autoport.match(model, module)
    seconds = time.perf_counter() - start
    match.assign(strict=False)
    if pair.align:
        pair.align(module)
    images = random_images(pair.shape, seed=3, scale=pair.scale)
    error = relative_error(run_torch(module, images), run_keras(model, images))
    tensors = sum(not path.endswith("num_batches_tracked") for path in module.state_dict())
    right = error < 1e-9
    return {
        "pair": pair.name,
        "tensors": tensors,
        "right": tensors if right else "?",
        "wrong": 0 if right else "?",
        "unmatched": len(match.unmatched_tf) + len(match.unmatched_torch),
        "differences": ", ".join(sorted({found.name for found in match.differences if not found.training_only})),
        "error": f"{error:.0e}",
        "seconds": f"{seconds:.1f}",
    }


def measure_apart(pair: Pair) -> dict[str, Any]:
    """`measure` in a fresh process; a failure becomes a row, too."""
    command = [sys.executable, "-m", "tests.zoo.table", "--pair", pair.name]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        return dict(json.loads(lines[-1]))
    reason = (done.stderr.splitlines() or ["no output"])[-1]
    return dict.fromkeys(COLUMNS, "") | {"pair": pair.name, "right": "?", "error": reason.replace("|", "/")}


def render(cells: Any) -> str:
    """One row in Markdown."""
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> int:
    """Print the table as it grows, or write it to a file; 1 if any pair is not fully right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--pair", help="measure this pair only, in this process, and print JSON")
    arguments = parser.parse_args()
    if arguments.pair:
        print(json.dumps(measure(next(pair for pair in PAIRS if pair.name == arguments.pair))))
        return 0
    lines, failed = [render(COLUMNS), render("---" for _ in COLUMNS)], 0
    print(*lines, sep="\n", flush=True)
    for pair in PAIRS:
        row = measure_apart(pair)
        failed += row["right"] == "?"
        lines.append(render(row[column] for column in COLUMNS))
        print(lines[-1], flush=True)
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
