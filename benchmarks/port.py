"""autoport beside other ways to carry weights: `python -m benchmarks.port [--pairs TEXT ...] [-o FILE]`.

The truth of a pair is autoport's port, and only where it is proven: with its tensors, and the
hyper-parameters of the PyTorch model aligned, both models give equal outputs in float64. Each
rival's tensors are compared with it one by one. Every pair is measured in a fresh process.
"""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch

from benchmarks.apart import Page, apart, arguments_parser, head, row
from benchmarks.rivals import RIVALS, RivalError, StateDict, targets
from tests.support import random_images, randomise_keras, randomise_torch, relative_error, run_keras, run_torch
from tests.zoo.pairs import PAIRS, Pair

Result = dict[str, Any]
TOLERANCE = 1e-9
TOOLS = ("autoport", *RIVALS)


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises RivalError where the block takes longer."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise RivalError(f"stopped after {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def timed(call: Callable[[], StateDict], limit: int) -> tuple[StateDict, Result]:
    """What a tool placed, and its seconds; nothing, and why, where it raised."""
    start, reason, placed = time.perf_counter(), "", {}
    try:
        with time_limit(limit):
            placed = call()
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
    return placed, {"seconds": time.perf_counter() - start, "raised": reason}


def count(placed: StateDict, truth: StateDict) -> Result:
    """How many of the true tensors were placed right, wrong, or not at all."""
    found = Counter("missing" if t not in placed else _judge(placed[t], truth[t]) for t in truth)
    return {kind: found[kind] for kind in ("right", "wrong", "missing")}


def _judge(tensor: torch.Tensor, truth: torch.Tensor) -> str:
    return "right" if torch.equal(tensor, truth) else "wrong"


def measure(pair: Pair, limit: int) -> dict[str, Result]:
    """One pair: what each tool made of it, by the tool's name.

    Raises:
        RuntimeError: autoport's port could not be proven, so there is no truth to compare with.
    """
    import autoport

    model, module = pair.build()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)
    images = random_images(pair.shape, seed=3, scale=pair.scale)
    expected = run_keras(model, images)
    state, figures = timed(lambda: autoport.match(model, module).state_dict(), limit=3600)
    if figures["raised"]:
        raise RuntimeError(figures["raised"])
    truth = {path: state[path] for path in targets(module)}
    if pair.align:
        pair.align(module)

    def equal(placed: StateDict) -> bool:
        module.load_state_dict(placed, strict=False)
        return relative_error(run_torch(module, images), expected) < TOLERANCE

    if not equal(truth):
        raise RuntimeError("the outputs of autoport's port are not equal")
    results = {"autoport": figures | count(truth, truth)}
    for name, rival in RIVALS.items():
        placed, figures = timed(functools.partial(rival, model, module), limit)
        results[name] = figures | count(placed, truth)
        # Tensors that differ are as good where the function is the same: parallel branches exchanged.
        if results[name]["wrong"] and not results[name]["missing"] and equal(placed):
            results[name].update(right=len(truth), wrong=0)
    return results


def cell(result: Result) -> str:
    """One tool on one pair, in a few words."""
    if result["raised"]:
        return f"raised: {result['raised']} ({result['seconds']:.1f} s)"
    if not result["wrong"] and not result["missing"]:
        return f"right ({result['seconds']:.1f} s)"
    return f"{result['wrong']} wrong, {result['missing']} missing ({result['seconds']:.1f} s)"


def totals(results: list[dict[str, Result]]) -> list[str]:
    """The second table: one row for each tool over all pairs."""
    lines = head(("tool", "pairs fully right", "pairs raised", "right", "wrong", "missing", "seconds"))
    for tool in TOOLS:
        own = [result[tool] for result in results]
        full = sum(not result["wrong"] and not result["missing"] for result in own)
        sums = [sum(result[kind] for result in own) for kind in ("right", "wrong", "missing")]
        seconds = sum(result["seconds"] for result in own)
        raised = sum(bool(result["raised"]) for result in own)
        lines.append(row((tool, f"{full} of {len(own)}", raised, *sums, f"{seconds:.1f}")))
    return lines


def main() -> int:
    """Prints both tables as they grow; 1 if a pair has no proven truth."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--pairs", nargs="+", default=[""], help="only pairs whose name contains one of these")
    parser.add_argument("--limit", type=int, default=120, help="seconds a rival may take on a pair")
    parser.add_argument("--measure", metavar="NAME", help="measure this pair in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.measure:
        (pair,) = (pair for pair in PAIRS if pair.name == arguments.measure)
        print(json.dumps(measure(pair, arguments.limit)))
        return 0
    page, results, failures = Page(arguments.output), [], 0
    page.add(*head(("pair", "tensors", *TOOLS)))
    for name in (pair.name for pair in PAIRS if any(text in pair.name for text in arguments.pairs)):
        try:
            results.append(apart("benchmarks.port", "--measure", name, "--limit", str(arguments.limit)))
        except RuntimeError as error:
            failures += 1
            page.add(row((name, "", f"no proven truth: {error}", *("" for _ in RIVALS))))
            continue
        found = results[-1]
        page.add(row((name, found["autoport"]["right"], *(cell(found[tool]) for tool in TOOLS))))
    page.add("", *totals(results))
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
