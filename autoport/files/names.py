"""What a tensor is called in files. One model has several kinds of files, and each kind its own names, a layout:

| layout | a name in it | written by |
|---|---|---|
| `state_dict` | `layer1.0.conv1.weight` | PyTorch, safetensors |
| `keras` | `layers/conv2d/vars/0` | `.weights.h5`, `.keras` |
| `h5` | `conv1/0/kernel` (layer, place in it, last part of the variable's name) | Keras 2's `.h5` |
| `variable` | `conv1/kernel` | TensorFlow checkpoints and SavedModels |
| `object` | `layer-0/kernel` (attributes from the model to the variable) | the same |

A plan holds the names of every layout it knows of, so that one plan serves all files of the same model. Names are
taken as they are, or else with one prefix on all of them (`module.`, `model/`), or else with counters that are not the
same (`conv2d_12`, `conv2d_13` for `conv2d`, `conv2d_1`). In each way all tensors must be found, and of the right shape.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from autoport.errors import MismatchError
from autoport.files.archive import Archive
from autoport.files.stored_model import StoredModel

# What belongs to training or to random numbers, of which no forward pass reads anything.
TRAINING = re.compile(
    r"(^|/)(_?optimizer|keras_api|_?metrics|_?compile_metrics|_?loss_tracker|save_counter|_CHECKPOINTABLE_OBJECT_GRAPH"
    r"|_all_variables|\w*seed_generator|global_step|adam|momentum|rmsprop|sgd|beta[12]_power)(_\d+)?(/|$)"
    r"|(^|\.)num_batches_tracked$",
    re.IGNORECASE,
)
SHOWN = 12
Names = Mapping[str, str]


def resolve(side: StoredModel, wanted: Collection[str], archive: Archive) -> dict[str, str]:
    """Finds the tensors of a plan in a file.

    Args:
        side: that the file belongs to.
        wanted: paths of the tensors that are read.
        archive: the file.

    Returns:
        Keys of the file by path.

    Raises:
        MismatchError: the file holds something else; the message names every tensor that does not fit.
    """
    lacking: list[str] | None = None
    for layout, there in archive.layouts.items():
        names = {path: side.names[path][layout] for path in side.tensors if layout in side.names.get(path, {})}
        for reading in _readings(names.values(), there):
            spelled = _with_aliases(names, side, reading)
            missing = [path for path in wanted if spelled.get(path) not in reading]
            if missing:
                lacking = missing if lacking is None or len(missing) < len(lacking) else lacking
                continue
            found = {path: reading[spelled[path]] for path in wanted}
            _check(side, found, archive)
            _check_rest(reading, {*names.values(), *side.aliases}, archive)
            return found
    if not wanted:
        return {}
    raise MismatchError(
        f"{archive.path} lacks tensors that the plan reads:\n"
        + _listed([f"{path} {list(side.tensors[path].shape)}" for path in lacking or wanted])
    )


def _with_aliases(names: Names, side: StoredModel, there: Names) -> dict[str, str]:
    """Lets a tied tensor go by whichever of its names the file has."""
    other = {path: alias for alias, path in side.aliases.items() if alias in there}
    return {path: name if name in there else other.get(path, name) for path, name in names.items()}


def _readings(names: Iterable[str], there: Names) -> Iterator[Names]:
    """Ways to read the file's names as the plan's: keys by the name that the plan has for them."""
    names = list(names)
    yield there
    yield from (
        {name.removeprefix(p): key for name, key in there.items() if name.startswith(p)}
        for p in _in_front(names, there)
    )
    first = {name.partition("/")[0] + "/" for name in names}
    longer = [{prefix + name: key for name, key in there.items()} for prefix in first if len(first) == 1]
    yield from longer
    for found in (there, *longer):
        reading = _by_rank(names, found)
        if reading is not None:
            yield reading


def _in_front(names: Iterable[str], there: Names) -> Iterator[str]:
    """What the file may have in front of every name."""
    first = next(iter(names), None)
    for name in there if first else ():
        prefix = name.removesuffix(str(first))
        if prefix != name and prefix.endswith((".", "/")):
            yield prefix


def _by_rank(names: Iterable[str], there: Names) -> Names | None:
    """Layers whose counters are others, but come in the same order: `conv2d_12` for `conv2d`."""
    ours, theirs = ({ranked: name for name, ranked in _ranked(found).items()} for found in (list(names), list(there)))
    return (
        {ours.get(ranked, name): there[name] for ranked, name in theirs.items()} if len(theirs) == len(there) else None
    )


def _ranked(names: Collection[str]) -> dict[str, str]:
    """Names with the rank among its kind in place of every layer's counter."""
    counters: dict[str, set[int]] = defaultdict(set)
    for name in names:
        for base, number in map(_counter, name.split("/")[:-1]):
            counters[base].add(number)
    ranks = {(base, n): rank for base, found in counters.items() for rank, n in enumerate(sorted(found))}

    def ranked(part: str) -> str:
        base, number = _counter(part)
        return f"{base}#{ranks[base, number]}"

    return {name: "/".join([*map(ranked, name.split("/")[:-1]), name.split("/")[-1]]) for name in names}


def _counter(part: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*[^_\d])_(\d+)", part)
    return (found[1], int(found[2])) if found else (part, 0)


def _check(side: StoredModel, found: Names, archive: Archive) -> None:
    wrong = [
        f"{key} is {archive.headers[key]}; the plan was made for {list(side.tensors[path].shape)}"
        for path, key in found.items()
        if archive.headers[key].shape != side.tensors[path].shape
    ]
    if wrong:
        raise MismatchError(f"{archive.path} holds tensors of other shapes:\n" + _listed(wrong))


def _check_rest(reading: Names, known: Collection[str], archive: Archive) -> None:
    """Nothing of the model is left over in the file."""
    rest = [
        f"{key} {archive.headers[key]}"
        for name, key in reading.items()
        if name not in known and not TRAINING.search(name)
    ]
    if rest:
        raise MismatchError(f"{archive.path} holds tensors that the plan does not know:\n" + _listed(rest))


def _listed(rows: list[str]) -> str:
    more = [f"... and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return "\n".join(f"  {row}" for row in rows[:SHOWN] + more)
