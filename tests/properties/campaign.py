"""Random architectures and edits by the thousand: `python -m tests.properties.campaign [-n EXAMPLES] [--seed N]`.

Every finding is printed with the architecture and the seeds that lead to it; the last line is the tally.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.properties.architecture import Architecture
from tests.properties.judge import Case
from tests.properties.properties import Tally, edits_are_safe, ports, spelled_alike
from tests.properties.strategies import SEEDS, architectures

BATCH = 20


def findings(architecture: Architecture, start: int, count: int, tally: Tally) -> Iterator[str]:
    """All that does not hold for one architecture."""
    tally.update(architectures=1, nodes=len(architecture.nodes))
    case = Case(architecture, start)
    yield from ports(case, start, tally)
    yield from spelled_alike(case, (start + 1, start + 2), tally)
    for number in range(3):
        yield from edits_are_safe(case, count, start + number, tally)


def examine(number: int, count: int, tally: Tally) -> None:
    """So many architectures; equal numbers give the same ones."""

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(architectures(), SEEDS, st.integers(1, 4))
    def run(architecture: Architecture, start: int, count: int) -> None:
        try:
            found = list(findings(architecture, start, count, tally))
        except Exception:
            tally.update(crashes=1)
            found = [traceback.format_exc()]
        for finding in found:
            print(f"\n{finding}\n  seed {start}, {count} edits, {architecture}", flush=True)

    run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1000, help="architectures")
    parser.add_argument("--seed", type=int, default=0, help="of the whole campaign")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start nothing new after that time")
    given_ = parser.parse_args()
    tally, end = Tally(), time.monotonic() + given_.seconds
    for batch in range(0, given_.n, BATCH):
        if time.monotonic() < end:
            examine(given_.seed + batch, min(BATCH, given_.n - batch), tally)
    print(dict(tally))


if __name__ == "__main__":
    main()
