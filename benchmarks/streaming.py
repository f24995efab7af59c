"""Memory and speed of `apply` beside a plain copy: `python -m benchmarks.streaming [-g GB] [-n RUNS] [-o FILE]`.

A checkpoint of equal blocks (convolutions, dense layers, vectors) is written in each direction's format, and carried
over by a plan, in a fresh process. The copy reads and writes the same file in pieces of 16 MiB, and brings it to the
disk at the end, as `apply` does. Both are run alternately, and the medians are compared.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from autoport.facts.framework import Both, Framework, direction
from autoport.files.archive import Header, Output
from autoport.files.stored_model import StoredModel
from autoport.files.write import write_weights
from autoport.graph import Tensor
from autoport.plan.entry import Entry
from autoport.plan.plan import Plan
from autoport.transfer.into_file import apply_plan
from autoport.weights.algebra import Part, Term
from autoport.weights.piece import Piece
from benchmarks.apart import MEBIBYTE, Page, apart, arguments_parser, head, row
from benchmarks.memory import extra

# Keras layout, PyTorch layout and Keras shape of the weights of one block: 192 MiB.
BLOCK = (
    ("h w i o", "o i h w", (3, 3, 1024, 1024)),
    ("i o", "o i", (8192, 4096)),
    ("i o", "o i", (4096, 1536)),
    ("c", "c", (4096,)),
)
PIECE = 2**24
ENDINGS = {"tf": ".weights.h5", "torch": ".safetensors"}


def block_plan(blocks: int, to: str) -> Plan:
    """A plan for that many blocks."""
    models = Both(StoredModel(Framework.TF, "synthetic"), StoredModel(Framework.TORCH, "Synthetic"))
    source_model, target_model = models.toward(direction(to))
    entries = {}
    for number in range(blocks):
        for place, (left, right, shape) in enumerate(BLOCK):
            sizes = dict(zip(left.split(), shape, strict=True))
            pieces = {
                "tf": Piece(f"layers/block_{number}/vars/{place}", left, sizes),
                "torch": Piece(f"block.{number}.{place}", right, sizes),
            }
            for side, layout in ((models.tf, "keras"), (models.torch, "state_dict")):
                piece = pieces[side.framework]
                extents = tuple(sizes[name] for name in piece.pattern.split())
                side.tensors[piece.tensor] = Tensor(piece.tensor, extents, "float32")
                side.names[piece.tensor] = {layout: piece.tensor}
            source, target = pieces[source_model.framework], pieces[to]
            part = Part(target, (Term(source),))
            entries[target.tensor] = Entry(target_model.tensors[target.tensor], (part,))
    return Plan(source=source_model, target=target_model, entries=entries)


def write_source(plan: Plan, path: Path) -> None:
    """Random weights for a plan."""
    rng = np.random.default_rng(0)

    def output(tensor: Tensor) -> Output:
        header = Header(tensor.shape, tensor.dtype)
        return Output(tensor.path, header, lambda: [rng.standard_normal(tensor.shape, np.float32)])

    write_weights([output(tensor) for tensor in plan.source.tensors.values()], path, plan.source.framework)


def copy(source: Path, target: Path) -> None:
    """A plain copy, brought to the disk."""
    with source.open("rb") as file, target.open("wb") as result:
        while piece := file.read(PIECE):
            result.write(piece)
        os.fsync(result.fileno())


def timed(call: Callable[[], object]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(to: str, blocks: int, runs: int, folder: Path) -> dict[str, float]:
    """Bytes and seconds of one direction."""
    plan = block_plan(blocks, to)
    source, target = folder / f"source{ENDINGS[plan.source.framework]}", folder / f"target{ENDINGS[to]}"
    small = block_plan(1, to)
    write_source(small, source)
    apply_plan(small, source, target)  # what is set up once
    write_source(plan, source)
    seconds: dict[str, list[float]] = {"copy": [], "apply": []}
    memory = 0
    for _ in range(runs):
        seconds["copy"].append(timed(lambda: copy(source, target)))
        target.unlink()
        elapsed, used = extra(lambda: timed(lambda: apply_plan(plan, source, target)))
        seconds["apply"].append(elapsed)
        memory = max(memory, used)
        target.unlink()
    largest = max(Header(t.shape, t.dtype).nbytes for t in plan.target.tensors.values())
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    return {"size": source.stat().st_size, "largest": largest, "memory": memory, **medians}


def rows(found: dict[str, float]) -> Iterator[str]:
    """The cells of a row."""
    yield f"{found['size'] / 1e9:.1f}"
    yield from (f"{found[key] / MEBIBYTE:.0f}" for key in ("largest", "memory"))
    yield f"{found['memory'] / found['largest']:.1f}"
    yield from (f"{found['size'] / found[key] / 1e6:.0f}" for key in ("copy", "apply"))
    yield f"{found['copy'] / found['apply']:.2f}"


def main() -> int:
    parser = arguments_parser(__doc__)
    parser.add_argument("-g", "--gigabytes", type=float, default=8.0)
    parser.add_argument("-n", "--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where there is room for the checkpoint twice")
    parser.add_argument("--measure", choices=sorted(ENDINGS))
    arguments = parser.parse_args()
    blocks = max(1, round(arguments.gigabytes * 1e9 / sum(4 * np.prod(shape) for *_, shape in BLOCK)))
    if arguments.measure:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            print(json.dumps(measure(arguments.measure, blocks, arguments.runs, Path(folder))))
        return 0
    page, missed = Page(arguments.output), 0
    page.add(
        *head(("direction", "GB", "largest tensor, MiB", "extra, MiB", "ratio", "copy, MB/s", "apply, MB/s", "ratio"))
    )
    options = [f"--gigabytes={arguments.gigabytes}", f"--runs={arguments.runs}"]
    options += [f"--folder={arguments.folder}"] if arguments.folder else []
    for to in ("torch", "tf"):
        found = apart("benchmarks.streaming", "--measure", to, *options)
        page.add(row((f"{ENDINGS[block_plan(1, to).source.framework]} to {ENDINGS[to]}", *rows(found))))
        missed += found["copy"] < 0.7 * found["apply"]
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
