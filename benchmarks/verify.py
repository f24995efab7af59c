"""Seconds and memory of a verification: `python -m benchmarks.verify [-n RUNS] [-o FILE]`.

Both models of each pair are ported and aligned, so that they compute the same, at the size they were
made for. Beside the verification stands what it cannot do without: one plain float64 forward pass of
both models on the same inputs, its second one. Every run is a fresh process; figures are medians. The
ratio, which the target is held against, is one of processor time: seconds depend on what else runs.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
from typing import Any

from benchmarks.apart import MEBIBYTE, Page, apart, arguments_parser, head, row
from benchmarks.speed import timed

NAMES = ("ResNet50 ~ torchvision", "VGG16 ~ torchvision")
MOST = 3.0
COLUMNS = (
    "forward s",
    "verify s",
    "forward s of processor",
    "verify s of processor",
    "ratio",
    "forward MiB",
    "verify MiB",
)


def peak() -> float:
    """The most memory this process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBIBYTE


def ported(name: str) -> tuple[Any, Any, Any]:
    """A match whose weights are assigned, and both models, in float32."""
    import autoport
    from benchmarks.models import build
    from tests.zoo.pairs import PAIRS

    model, module = build(name)
    (align,) = (pair.align for pair in PAIRS if pair.name == name)
    if align is not None:
        align(module)
    match = autoport.match(model, module)
    match.assign()
    return match, model, module


def measure_verify(name: str) -> dict[str, float]:
    """Seconds and MiB of a verification."""
    match, *_ = ported(name)
    gc.collect()
    before = peak()
    verification, seconds, processor = timed(match.verify)
    if not verification.ok:
        raise RuntimeError(str(verification))
    figures = {"seconds": seconds, "processor": processor, "mebibytes": peak() - before}
    return {**figures, "error": verification.relative}


def measure_forward(name: str) -> dict[str, float]:
    """Seconds and MiB of a forward pass of both models in float64, weights included."""
    import torch

    from benchmarks.models import SHAPES
    from tests.support import keras_float64
    from tests.zoo.pairs import PAIRS

    match, model, module = ported(name)
    example = match.readings.tf.inputs.astype("float64")
    gc.collect()
    before = peak()
    (pair,) = (pair for pair in PAIRS if pair.name == name)
    with keras_float64():
        wide = pair.keras(SHAPES[name])
    for mine, its in zip(wide.weights, model.weights, strict=True):
        mine.assign(its)
    module.double()
    images = torch.from_numpy(example.transpose(0, 3, 1, 2).copy())

    def forward() -> None:
        wide(example, training=False)
        with torch.no_grad():
            module(images)

    forward()
    _, seconds, processor = timed(forward)
    return {"seconds": seconds, "processor": processor, "mebibytes": peak() - before}


def main() -> int:
    """Prints the table; 1 if the target is missed."""
    parser = arguments_parser(__doc__)
    parser.add_argument("-n", "--runs", type=int, default=3)
    parser.add_argument("--verify", metavar="NAME", help="measure this pair in this process and print JSON")
    parser.add_argument("--forward", metavar="NAME", help="measure its forward pass and print JSON")
    arguments = parser.parse_args()
    if arguments.verify or arguments.forward:
        found = measure_verify(arguments.verify) if arguments.verify else measure_forward(arguments.forward)
        print(json.dumps(found))
        return 0
    page, missed = Page(arguments.output), 0
    page.add(*head(("pair", "error", *COLUMNS, "target")))
    for name in NAMES:
        runs = {
            kind: [apart("benchmarks.verify", f"--{kind}", name) for _ in range(arguments.runs)]
            for kind in ("forward", "verify")
        }
        found = {
            (kind, column): statistics.median(run[column] for run in some)
            for kind, some in runs.items()
            for column in ("seconds", "processor", "mebibytes")
        }
        columns = [found[kind, column] for column in ("seconds", "processor") for kind in runs]
        ratio = found["verify", "processor"] / found["forward", "processor"]
        cells = (*columns, ratio, *(found[kind, "mebibytes"] for kind in runs))
        page.add(row((name, f"{runs['verify'][0]['error']:.1g}", *(f"{cell:.2f}" for cell in cells), f"{MOST:g}")))
        missed += ratio > MOST
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
