"""What a verdict costs, in forward passes: `python -m benchmarks.verdict [-n RUNS] [-o FILE] [--only NAME ...]`.

The unit is one float64 forward pass of both models, run as autoport runs them: the recorded graphs, operation by
operation, without comparing anything. It is measured in the same process as the verification, before and after it, so
that what else runs falls on both. Figures are medians of processor time; every run is a fresh process.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from benchmarks.apart import Page, apart, arguments_parser, head, row
from benchmarks.speed import timed

COLUMNS = ("pair", "answer", "places", "differing", "draws", "forward s", "verify s", "forward passes", "target")
# Hugging Face's TensorFlow classes are of Keras 2.
LEGACY = {"BERT"}


def zoo(name: str, *, aligned: bool = False) -> Any:
    """A ported pair of `keras.applications`, aligned or as it is."""
    import autoport
    from benchmarks.models import build
    from tests.zoo.pairs import PAIRS

    model, module = build(name)
    (pair,) = (pair for pair in PAIRS if pair.name == name)
    if aligned and pair.align is not None:
        pair.align(module)
    match = autoport.match(model, module)
    match.assign()
    return match


def bert() -> Any:
    """A BERT of four layers, 256 wide, on 128 tokens."""
    import autoport
    from tests.transformers.oracle import build
    from tests.transformers.pairs import PAIRS, tokens

    (pair,) = (pair for pair in PAIRS if pair.name == "bert")
    sizes = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
    config = {**pair.config, **sizes, "max_position_embeddings": 128}
    built = build(replace(pair, config=config, inputs=tokens(length=128)))
    match = autoport.match(built.tf, built.target, inputs=built.tf_inputs, torch_inputs=built.torch_inputs)
    match.assign()
    return match


def llama(layers: int) -> Any:
    """A Llama 3, 128 wide, on 64 tokens."""
    import autoport
    from tests.hub.oracle import build
    from tests.hub.pairs import CONVERTED, tokens

    (pair,) = (pair for pair in CONVERTED if pair.name == "llama3")
    sizes = {"hidden_size": 128, "num_hidden_layers": layers, "intermediate_size": 512, "max_position_embeddings": 64}
    built = build(replace(pair, config={**pair.config, **sizes}, inputs=tokens(length=64)))
    match = autoport.match(built.tf, built.target, inputs=built.tf_inputs, torch_inputs=built.torch_inputs)
    match.assign()
    return match


# Pairs, and the most forward passes that a verification of them may take, where there is a target.
PAIRS: Mapping[str, tuple[Callable[[], Any], float | None]] = {
    "ResNet50, aligned": (lambda: zoo("ResNet50 ~ torchvision", aligned=True), 3.0),
    "MobileNetV2, as it is": (lambda: zoo("MobileNetV2 ~ torchvision"), 5.0),
    "BERT": (bert, None),
    "Llama 3, 4 layers": (lambda: llama(4), None),
    "Llama 3, 16 layers": (lambda: llama(16), None),
}


def measure(name: str) -> dict[str, Any]:
    """Seconds of a verification, and of one forward pass of both recorded graphs."""
    match = PAIRS[name][0]()
    runs = [_forward(match) for _ in range(2)]
    verification, seconds, processor = timed(match.verify)
    runs.append(_forward(match))
    return {
        "answer": str(verification.answer),
        "places": len(verification.nodes),
        "differing": len(verification.divergences) + len(verification.spelled),
        "draws": len(verification.draws),
        "forward": statistics.median(runs[1:]),
        "verify": processor,
        "seconds": seconds,
    }


def _forward(match: Any) -> float:
    """Processor seconds of one run of both recorded graphs."""
    from autoport.verify.running.draws import Draws
    from autoport.verify.running.replay import computing_in
    from autoport.verify.trial import Trial

    current = match.current()
    with computing_in("float64"):
        draw = Draws(current.graph_tf, *current.readings).first
        trial = Trial(current.analysis, current.readings, draw, "float64", 1e-9)
        return timed(lambda: (trial.keras_outputs(), trial.lockstep.alone()))[2]


def main() -> int:
    """Prints the table; 1 if a target is missed."""
    parser = arguments_parser(__doc__)
    parser.add_argument("-n", "--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--measure", metavar="NAME", help="measure this pair in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return 0
    page, missed = Page(arguments.output), 0
    page.add(*head(COLUMNS))
    for name in arguments.only:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
        if name in LEGACY:
            os.environ["TF_USE_LEGACY_KERAS"] = "1"
        runs = [apart("benchmarks.verdict", "--measure", name) for _ in range(arguments.runs)]
        ratio = statistics.median(run["verify"] / run["forward"] for run in runs)
        seconds = (statistics.median(run[column] for run in runs) for column in ("forward", "verify"))
        target = PAIRS[name][1]
        first = runs[0]
        counts = (first["answer"], first["places"], first["differing"], first["draws"])
        page.add(row((name, *counts, *(f"{s:.2f}" for s in seconds), f"{ratio:.1f}", target or "")))
        missed += target is not None and ratio > target
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
