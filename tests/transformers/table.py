"""The transformers table: `python -m tests.transformers.table [--only NAME ...] [--jsonl FILE]`, one process a pair.

Tensors are those of the PyTorch state dict that the forward pass reads; a tied one counts once. Right is what came
through the TensorFlow model bit by bit, settled those of them that running both models proved,
wrong what came out otherwise, unmatched what is reported as missing, lost what
is reported of the TensorFlow side. Strict tells whether a strict transfer ran. Differences are those that autoport
reports; where no note says that the outputs differ, they are no differences of the functions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.transformers.pairs import PAIRS, Pair

COLUMNS = (
    "pair",
    "tensors",
    "right",
    "settled",
    "wrong",
    "unmatched",
    "unused",
    "lost",
    "strict",
    "differences",
    "seconds",
    "note",
)
TIMEOUT = 300


def measure(pair: Pair) -> dict[str, Any]:
    """One pair in this process; a row of the table, with what it is made of."""
    from tests.transformers import oracle

    built = oracle.build(pair)
    difference = oracle.apart(built)
    notes = [pair.note] if pair.note else []
    if not difference < oracle.CLOSE:
        notes.append(f"outputs of the source differ by {difference:.0e}")
    if built.not_in_torch:
        notes.append(f"converter leaves out of TF: {', '.join(built.not_in_torch)}")
    if built.not_in_tf:
        notes.append(f"converter leaves out of PT: {', '.join(built.not_in_tf)}")
    try:
        outcome = oracle.judge(built)
    except Exception as failure:
        frame = [f for f in traceback.extract_tb(failure.__traceback__) if "/autoport/" in f.filename][-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:600]} ({where})"
        return dict.fromkeys(COLUMNS, "") | {"pair": pair.name, "error": error, "note": "; ".join([error, *notes])}
    notes += [f"tied: {' = '.join(paths)}" for paths in outcome.tied]
    if outcome.strict and not outcome.equal:
        notes.append("the target computes something else than the source")
    if outcome.overlooked:
        notes.append(f"read, but autoport says not: {', '.join(outcome.overlooked)}")
    return {
        "pair": pair.name,
        "tensors": len(outcome.right) + len(outcome.wrong) + len(outcome.unmatched),
        "right": len(outcome.right),
        "settled": len(outcome.settled),
        "wrong": len(outcome.wrong),
        "unmatched": len(outcome.unmatched),
        "unused": len(outcome.unused),
        "lost": len(outcome.lost),
        "seconds": f"{outcome.seconds:.1f}",
        "note": "; ".join(notes),
        "strict": "yes" if outcome.strict else "no",
        "wrong_paths": outcome.wrong,
        "missing": outcome.missing,
        "unexpected": outcome.lost,
        "unused_paths": outcome.unused,
        "differences": ", ".join(sorted({d.name for d in outcome.match.differences if not d.training_only})),
    }


def measure_apart(pair: Pair) -> dict[str, Any]:
    """`measure` in a fresh process; a failure becomes a row, too."""
    command = [sys.executable, "-m", "tests.transformers.table", "--pair", pair.name]
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, env=environment)
    except subprocess.TimeoutExpired:
        return dict.fromkeys(COLUMNS, "") | {"pair": pair.name, "note": f"took more than {TIMEOUT} s"}
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        return dict(json.loads(lines[-1])) | {"process_seconds": round(time.perf_counter() - start, 1)}
    reason = (done.stderr.splitlines() or ["no output"])[-1]
    row = dict.fromkeys(COLUMNS, "") | {"pair": pair.name, "note": reason.replace("|", "/")}
    return row | {"stderr": done.stderr[-4000:]}


def render(cells: Any) -> str:
    """One row in Markdown."""
    return "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def main() -> int:
    """Print the table as it grows; 1 if any pair is not fully right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="names of the pairs to measure")
    parser.add_argument("--jsonl", type=Path, help="also append every row here, with the paths")
    parser.add_argument("--pair", help="measure this pair only, in this process, and print JSON")
    arguments = parser.parse_args()
    if arguments.pair:
        print(json.dumps(measure(next(pair for pair in PAIRS if pair.name == arguments.pair))))
        return 0
    print(render(COLUMNS), render("---" for _ in COLUMNS), sep="\n", flush=True)
    failed = 0
    for pair in PAIRS:
        if arguments.only and pair.name not in arguments.only:
            continue
        row = measure_apart(pair)
        failed += row["right"] != row["tensors"] or row["right"] == ""
        print(render(row[column] for column in COLUMNS), flush=True)
        if arguments.jsonl:
            with arguments.jsonl.open("a") as file:
                file.write(json.dumps(row) + "\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
