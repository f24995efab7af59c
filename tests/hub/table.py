"""The keras-hub table: `python -m tests.hub.table [--only NAME ...]`, in one process.

Tensors are those of the PyTorch state dict that matter for the outputs. Right is what keras-hub's converter holds to be
right, bit for bit; where there is no converter, what makes both models compute the same in float64.
"""

from __future__ import annotations

import argparse
from typing import Any

from tests.hub.pairs import COMPUTED, PAIRS, Pair
from tests.transformers.table import render

COLUMNS = ("pair", "twin", "told by", "tensors", "right", "wrong", "open", "whole", "why open")


def measure(pair: Pair) -> tuple[Any, ...]:
    """A row of the table."""
    from tests.hub import oracle
    from tests.transformers.oracle import judge

    if pair in COMPUTED:
        ported = oracle.port(pair)
        left = len(ported.missing)
        right = ported.tensors - left if ported.same else "unproved" if left else 0
        wrong = 0 if ported.same or left else ported.tensors
        counts: tuple[Any, ...] = (ported.tensors, right, wrong, left, ported.whole)
    else:
        outcome = judge(oracle.build(pair))
        found = (outcome.right, outcome.wrong, outcome.unmatched)
        right, wrong, left = map(len, found)
        counts = (right + wrong + left, right, wrong, left, outcome.strict)
    *numbers, whole = counts
    told = "function" if pair in COMPUTED else "names"
    return (pair.name, pair.torch, told, *numbers, "yes" if whole else "no", pair.open)


def main() -> None:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="names of the pairs to measure")
    arguments = parser.parse_args()
    print(render(COLUMNS), render("---" for _ in COLUMNS), sep="\n", flush=True)
    for pair in PAIRS:
        if not arguments.only or pair.name in arguments.only:
            print(render(measure(pair)), flush=True)


if __name__ == "__main__":
    main()
