"""Seconds of reading and matching: `python -m benchmarks.speed [-n RUNS] [-o FILE]`.

The clock runs once the frameworks are imported and both models are built. Every run is a fresh
process; the figures are medians. A plain forward pass of both models on the same inputs, its
second one, stands beside them: a ratio says more than seconds on a busy machine, and so do the
seconds of processor time, which targets are held against.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.apart import Page, apart, arguments_parser, head, row

TARGETS = {"ResNet50 ~ torchvision": 3.0, "NASNetLarge ~ timm": 10.0}
STEPS = ("trace PyTorch", "trace Keras", "canonicalise and match")


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """A result, the seconds it took, and the processor time it used."""
    wall, processor = time.perf_counter(), time.process_time()
    result = call()
    return result, time.perf_counter() - wall, time.process_time() - processor


def measure(name: str) -> dict[str, float]:
    """One run: seconds by step."""
    import torch

    from autoport.api import Match
    from autoport.keras import inputs
    from autoport.keras import read as keras
    from autoport.pytorch import read as pytorch
    from autoport.verify.running.readings import Readings
    from benchmarks.models import build

    model, module = build(name)
    example = next(inputs.examples(model))
    found_torch, *torch_seconds = timed(lambda: pytorch.read(module, keras.flat_inputs(example)))
    found_keras, *keras_seconds = timed(lambda: keras.read(model, example))
    complete, *match_seconds = timed(lambda: Match(Readings(found_keras, found_torch)).complete)
    if not complete:
        raise RuntimeError("the match is not complete")

    def forward() -> None:
        model(example, training=False)
        with torch.no_grad():
            module(*found_torch.args)

    forward()
    seconds = torch_seconds, keras_seconds, match_seconds
    wall = {step: wall for step, (wall, _) in zip(STEPS, seconds, strict=True)}
    total, processor = (sum(column) for column in zip(*seconds, strict=True))
    passed = timed(forward)[1]
    figures = {"total": total, "processor": processor, "forward pass": passed, "ratio": total / passed}
    return {"operations": len(found_keras.graph) + len(found_torch.graph), **wall, **figures}


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of several runs, column by column."""
    return {column: statistics.median(run[column] for run in runs) for column in runs[0]}


def main() -> int:
    """Prints the table; 1 if a target is missed."""
    parser = arguments_parser(__doc__)
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument("--measure", metavar="NAME", help="measure this pair in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return 0
    page, missed = Page(arguments.output), 0
    columns = (*STEPS, "total", "processor", "forward pass", "ratio")
    page.add(*head(("pair", "operations", *columns, "target")))
    for name, target in TARGETS.items():
        found = median([apart("benchmarks.speed", "--measure", name) for _ in range(arguments.runs)])
        seconds = (f"{found[column]:.2f}" for column in columns)
        page.add(row((name, round(found["operations"]), *seconds, f"{target:g}")))
        missed += found["processor"] >= target
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
