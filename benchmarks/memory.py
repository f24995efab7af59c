"""Extra peak memory of `match` and `assign`: `python -m benchmarks.memory [-o FILE]` (Linux).

Extra is the high-water mark of the resident set during the call, less what was resident before
it, with both models built and every weight written. The mark is reset before each call. A small
pair is matched and assigned first, so that what the frameworks set up once is not counted.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.apart import MEBIBYTE, Page, apart, arguments_parser, head, row

PAIRS = ("VGG16 ~ torchvision", "ResNet50 ~ torchvision", "NASNetLarge ~ timm")
STEPS: dict[str, Callable[[Any], Any]] = {
    "assign": lambda match: match.assign(),
    "assign to tf": lambda match: match.assign(to="tf", strict=False),
    "state_dict": lambda match: match.state_dict(),
}
COLUMNS = ("match", *STEPS, "largest tensor", "model")


def resident(field: str) -> int:
    """Bytes: `VmRSS` now, or `VmHWM`, the most since the mark was reset."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, f"no {field} in /proc/self/status"
    return int(found[1]) * 1024


def extra(call: Callable[[], Any]) -> tuple[Any, int]:
    """A result, and the bytes that were resident at most beyond those before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # free memory that the allocator holds back would hide what is used
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    result = call()
    return result, max(0, resident("VmHWM") - before)


def warm_up() -> None:
    """One small port in either direction."""
    import keras
    from torch import nn

    import autoport

    layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    model = keras.Sequential([keras.layers.Input((8, 9, 3)), *layers, keras.layers.Dense(5)])
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, eps=1e-3), nn.Flatten(), nn.Linear(168, 5))
    match = autoport.match(model, module)
    for step in STEPS.values():
        step(match)


def measure(name: str) -> dict[str, int]:
    """Bytes by column."""
    import autoport
    from benchmarks.models import build

    warm_up()
    model, module = build(name)
    match, found = extra(lambda: autoport.match(model, module))
    figures = {"match": found}
    for step, call in STEPS.items():
        figures[step] = extra(functools.partial(call, match))[1]
    sizes = [tensor.numel() * tensor.element_size() for tensor in module.state_dict().values()]
    return figures | {"largest tensor": max(sizes), "model": sum(sizes)}


def main() -> int:
    """Prints the table in MiB; 1 if `match` or `assign` needs more than the largest tensor."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--measure", metavar="NAME", help="measure this pair in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return 0
    page, missed = Page(arguments.output), 0
    page.add(*head(("pair", *(f"{column}, MiB" for column in COLUMNS))))
    for name in arguments.pairs:
        found = apart("benchmarks.memory", "--measure", name)
        page.add(row((name, *(f"{found[column] / MEBIBYTE:.1f}" for column in COLUMNS))))
        missed += max(found["match"], found["assign"], found["assign to tf"]) > found["largest tensor"]
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
