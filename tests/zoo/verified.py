"""The zoo, verified, as a Markdown table: `python -m tests.zoo.verified [-o FILE]`, one fresh process a pair.

Every pair is ported in float32 with random weights and verified as it stands; where the functions differ,
`reconcile` sets what can be set, and it is verified again.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

from autoport.verify.verification import Verification
from tests.support import randomise_keras, randomise_torch
from tests.zoo.pairs import Pair
from tests.zoo.rows import main

COLUMNS = ("pair", "places", "causes", "error", "set", "causes left", "error then", "as known", "seconds")


def measure(pair: Pair) -> dict[str, Any]:
    """Port, verify, reconcile and verify one pair; a row of the table."""
    import autoport

    model, module = pair.keras(pair.shape), pair.torch().eval()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)
    match = autoport.match(model, module)
    match.assign()
    start = time.process_time()
    first = match.verify()
    row: dict[str, Any] = {
        "pair": pair.name,
        "places": len(first.nodes),
        "causes": causes(first),
        "error": f"{first.relative:.0e}",
        "seconds": f"{time.process_time() - start:.1f}",
    }
    found, left = names(first), set()
    row |= dict.fromkeys(("set", "causes left", "error then"), "")
    if not first.ok:
        done = [d for change in match.reconcile().changes for d in change.differences if not d.training_only]
        second = match.verify()
        left = names(second)
        row |= {"set": len(done), "causes left": causes(second), "error then": f"{second.relative:.0e}"}
    return row | {"as known": "yes" if (found, left) == (pair.differences, pair.left) else "?"}


def names(verification: Verification) -> set[str]:
    """Names of all causes."""
    return {cause.name for divergence in verification.divergences for cause in divergence.causes}


def causes(verification: Verification) -> str:
    """Every cause with the number of places that it is one of."""
    found = Counter(cause.name for divergence in verification.divergences for cause in divergence.causes)
    return ", ".join(f"{name} ({count})" for name, count in sorted(found.items())) or "none"


if __name__ == "__main__":
    sys.exit(main("tests.zoo.verified", str(__doc__), COLUMNS, measure, right="as known"))
