"""The zoo as a Markdown table: `python -m tests.zoo.table [-o FILE]`, one fresh process a pair.

Tensors are those of the PyTorch state dict without counters. They are right when the outputs of
both models agree in float64 after the PyTorch module's hyper-parameters were aligned.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from tests.support import (
    random_images,
    randomise_keras,
    randomise_torch,
    relative_error,
    run_keras,
    run_torch,
)
from tests.zoo.pairs import Pair
from tests.zoo.rows import main

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


if __name__ == "__main__":
    sys.exit(main("tests.zoo.table", str(__doc__), COLUMNS, measure, right="right"))
