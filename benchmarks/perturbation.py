"""What is found, and what is wrong, when one side was edited: `python -m benchmarks.perturbation [-n SEEDS] [-o FILE]`.

The graph of a real model is matched with a copy of itself, renamed and reordered, in which so many random
edits were made: an operation removed, inserted or widened, a block dropped, operands in another order.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from random import Random

from tests.matching.edits import EDITS
from tests.matching.graphs import MODELS, graph_of
from tests.matching.truth import Verdict, try_edits

COUNTS = (0, 1, 2, 4, 8, 16)


def verdicts(model: str, count: int, seeds: int) -> list[Verdict]:
    """Every trial of a model with so many edits."""
    found = []
    for seed in range(seeds):
        rng = Random(1000 * seed + count)
        kinds = [rng.choice(list(EDITS)) for _ in range(count)]
        found.append(try_edits(graph_of(model), kinds, 1000 * seed + count))
    return found


def cell(found: list[Verdict]) -> str:
    """Recall in the middle and at worst, wrong pairs, pairs that explain the graphs as well as the truth."""
    recalls = [verdict.recall for verdict in found]
    wrong, alike = (sum(len(getattr(verdict, name)) for verdict in found) for name in ("wrong", "alike"))
    return f"{statistics.median(recalls):.3f} / {min(recalls):.3f}, {wrong} wrong, {alike} alike"


def table(models: list[str], seeds: int) -> str:
    """The answer as Markdown."""
    lines = ["| model | " + " | ".join(f"{count} edits" for count in COUNTS) + " |", "| --- " * (len(COUNTS) + 1) + "|"]
    for model in models:
        cells = [cell(verdicts(model, count, seeds)) for count in COUNTS]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
        print(lines[-1], file=sys.stderr)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10, help="trials for each number of edits")
    parser.add_argument("-o", type=Path, help="where to write the table; standard output when left out")
    parser.add_argument("models", nargs="*", default=list(MODELS))
    given = parser.parse_args()
    text = table(given.models, given.n)
    given.o.write_text(text) if given.o else print(text, end="")


if __name__ == "__main__":
    main()
