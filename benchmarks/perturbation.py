"""What is found, and what is wrong, when one side was edited: `python -m benchmarks.perturbation [-n SEEDS] [-o FILE]`.

The graph of a real model is matched with a copy of itself, renamed and reordered, in which so many random
edits were made: an operation removed, inserted or widened, a block dropped, operands in another order.
"""

from __future__ import annotations

import statistics
from random import Random

from benchmarks.apart import Page, arguments_parser, head, row
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


def main() -> None:
    parser = arguments_parser(__doc__)
    parser.add_argument("-n", type=int, default=10, help="trials for each number of edits")
    parser.add_argument("models", nargs="*", default=list(MODELS))
    given = parser.parse_args()
    page = Page(given.output)
    page.add(*head(["model", *(f"{count} edits" for count in COUNTS)]))
    for model in given.models:
        page.add(row([model, *(cell(verdicts(model, count, given.n)) for count in COUNTS)]))


if __name__ == "__main__":
    main()
