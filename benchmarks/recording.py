"""Processor seconds of reading a PyTorch model: `python -m benchmarks.recording [-n RUNS] [-o FILE]`.

Both frameworks and transformers are loaded, as they are when models are matched: what goes through the objects of the
process then goes through many. The figures are medians within one process for each model; a search for caches, which
a recording leaves out where no fake tensor is left, stands beside them.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.apart import Page, apart, arguments_parser, head, row

MODELS = {
    "BERT tiny": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512},
    "BERT base": {},
}
TOKENS = (2, 12)


def seconds(call: Callable[[], object], runs: int) -> float:
    """The median of the processor time that a call takes."""
    taken = []
    for _ in range(runs):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def measure(name: str, runs: int) -> dict[str, float]:
    """Seconds of one model."""
    import numpy as np
    import tensorflow  # noqa: F401  as in a match

    from autoport.pytorch.read import read
    from autoport.pytorch.recording import untouched
    from tests.support import import_torchvision

    import_torchvision()
    from transformers import BertConfig, BertModel

    module = BertModel(BertConfig(**MODELS[name])).eval()
    tokens = np.random.default_rng(0).integers(0, 100, TOKENS)
    read(module, [tokens])
    reading = seconds(lambda: read(module, [tokens]), runs)
    return {"objects": len(gc.get_objects()), "read": reading, "search": seconds(untouched._empty_caches, runs)}


def main() -> int:
    """Prints the table."""
    parser = arguments_parser(__doc__)
    parser.add_argument("-n", "--runs", type=int, default=11)
    parser.add_argument("--measure", metavar="NAME", help="measure this model in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.runs)))
        return 0
    page = Page(arguments.output)
    page.add(*head(("model", "objects of the process", "read", "a search for caches")))
    for name in MODELS:
        figures = apart("benchmarks.recording", "-n", str(arguments.runs), "--measure", name)
        page.add(row((name, figures["objects"], f"{figures['read']:.2f}", f"{figures['search']:.2f}")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
