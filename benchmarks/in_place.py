"""Extra peak memory of `port` from a Keras file: `python -m benchmarks.in_place [-g GB] [--folder FOLDER] [-o FILE]`.

A Keras model of equal dense layers is saved in each format, and ported to a PyTorch model on the meta device, without
verification: once with its weights left in the file, as the command line does, once with a model that holds them. A
small pair is ported first, so that what the frameworks set up once is not counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.apart import MEBIBYTE, Page, apart, arguments_parser, head, row
from benchmarks.memory import extra

WIDTHS = 4096, 8192  # 128 MiB a layer
ENDINGS = (".keras", ".h5", ".weights.h5")


def keras_model(layers: int, widths: tuple[int, int] = WIDTHS) -> Any:
    import keras

    stack = [keras.layers.Dense(widths[1 - place % 2]) for place in range(layers)]
    return keras.Sequential([keras.Input((widths[0],)), *stack])


def twin(layers: int, widths: tuple[int, int] = WIDTHS) -> Any:
    import torch

    with torch.device("meta"):
        stack = [torch.nn.Linear(widths[place % 2], widths[1 - place % 2]) for place in range(layers)]
        return torch.nn.Sequential(*stack)


def saved(model: Any, path: Path) -> None:
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)


def port(path: Path, layers: int, widths: tuple[int, int], in_place: bool) -> None:
    """What the command does."""
    import autoport
    from autoport.loading.by_name import load_keras

    name = f"benchmarks.in_place:keras_model({layers}, {widths})@{path}" if path.suffixes[0] == ".weights" else path
    model = load_keras(str(name), in_place=in_place)
    autoport.match(model, twin(layers, widths)).save_weights(path.with_name("out.safetensors"))


def measure(path: Path, layers: int, in_place: bool) -> int:
    """Bytes."""
    small = path.with_name(f"small{''.join(path.suffixes)}")
    saved(keras_model(3, (6, 7)), small)
    port(small, 3, (6, 7), in_place)
    return extra(lambda: port(path, layers, WIDTHS, in_place))[1]


def main() -> int:
    """Prints the table; 1 if a port in place needs twice the largest tensor."""
    parser = arguments_parser(__doc__)
    parser.add_argument("-g", "--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, help="where there is room for the file twice")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--measure", type=Path)
    parser.add_argument("--in-place", action="store_true")
    arguments = parser.parse_args()
    largest = 4 * WIDTHS[0] * WIDTHS[1]
    layers = max(1, round(arguments.gigabytes * 1e9 / largest))
    if arguments.save:
        saved(keras_model(layers), arguments.save)
        print(json.dumps(arguments.save.stat().st_size))
        return 0
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, layers, arguments.in_place)))
        return 0
    page, missed = Page(arguments.output), 0
    page.add(*head(("file", "GB", "largest tensor, MiB", "in place, MiB", "ratio", "with its weights, MiB")))
    size = f"--gigabytes={arguments.gigabytes}"
    for ending in ENDINGS:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            path = Path(folder) / f"model{ending}"
            written = apart("benchmarks.in_place", size, f"--save={path}")
            found = [
                apart("benchmarks.in_place", size, f"--measure={path}", *option) for option in (["--in-place"], [])
            ]
        figures = (largest / MEBIBYTE, found[0] / MEBIBYTE)
        cells = (f"{written / 1e9:.1f}", *(f"{value:.0f}" for value in figures), f"{found[0] / largest:.1f}")
        page.add(row((ending, *cells, f"{found[1] / MEBIBYTE:.0f}")))
        missed += found[0] > 2 * largest
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
