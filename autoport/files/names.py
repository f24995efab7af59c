"""Names of tensors in files. One model has several kinds of files, and each kind has its own names, a layout:

| layout | a name in it | written by |
|---|---|---|
| `state_dict` | `layer1.0.conv1.weight` | PyTorch, safetensors |
| `keras` | `layers/conv2d/vars/0` | `.weights.h5`, `.keras` |
| `h5` | `conv1/0/kernel` (layer, place in it, last part of the variable's name) | Keras 2's `.h5` |
| `variable` | `conv1/kernel` | TensorFlow checkpoints and SavedModels |
| `object` | `layer-0/kernel` (attributes from the model to the variable) | the same |

A plan holds the names in every layout that it knows, so that one plan serves all files of the same model. Names are
tried as they are, then with one prefix on all of them (`module.`, `model/`), then with other counters (`conv2d_12`,
`conv2d_13` for `conv2d`, `conv2d_1`). Each time the file must hold every tensor, in the right shape.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from autoport.errors import MismatchError
from autoport.files.archive import Archive
from autoport.files.stored_model import StoredModel

# State of training and of random generators, which no forward pass reads.
TRAINING = re.compile(
    r"(^|/)(_?optimizer|keras_api|_?metrics|_?compile_metrics|_?loss_tracker|save_counter|_CHECKPOINTABLE_OBJECT_GRAPH"
    r"|_all_variables|\w*seed_generator|global_step|adam|momentum|rmsprop|sgd|beta[12]_power)(_\d+)?(/|$)"
    r"|(^|\.)num_batches_tracked$",
    re.IGNORECASE,
)
SHOWN = 12  # tensors that a message lists
Names = Mapping[str, str]


def resolve(side: StoredModel, wanted: Collection[str], archive: Archive) -> dict[str, str]:
    """Looks the tensors of a plan up in a file.

    Args:
        side: the model that the file belongs to.
        wanted: paths of the tensors to read.
        archive: the file.

    Returns:
        Keys of the file by path.

    Raises:
        MismatchError: the file holds other tensors; the message names those that do not fit.
    """
    fewest: list[str] | None = None
    for layout, file_keys in archive.layouts.items():
        names = {path: side.names[path][layout] for path in side.tensors if layout in side.names.get(path, {})}
        for reading in _readings(names.values(), file_keys):
            aliased = _with_aliases(names, side, reading)
            missing = [path for path in wanted if aliased.get(path) not in reading]
            if missing:
                fewest = missing if fewest is None or len(missing) < len(fewest) else fewest
                continue
            keys = {path: reading[aliased[path]] for path in wanted}
            _check_shapes(side, keys, archive)
            _check_rest(reading, {*names.values(), *side.aliases}, archive)
            return keys
    if not wanted:
        return {}
    raise MismatchError(
        f"{archive.path} lacks tensors that the plan reads:\n"
        + _list_rows([f"{path} {list(side.tensors[path].shape)}" for path in fewest or wanted])
    )


def _with_aliases(names: Names, side: StoredModel, file_keys: Names) -> dict[str, str]:
    """Names by path; a tied tensor has whichever of its names the file has."""
    alias_of = {path: alias for alias, path in side.aliases.items() if alias in file_keys}
    return {path: name if name in file_keys else alias_of.get(path, name) for path, name in names.items()}


def _readings(names: Iterable[str], file_keys: Names) -> Iterator[Names]:
    """Ways to read the file's names as the plan's: keys of the file by the plan's names."""
    names = list(names)
    yield file_keys
    yield from (
        {name.removeprefix(p): key for name, key in file_keys.items() if name.startswith(p)}
        for p in _prefixes(names, file_keys)
    )
    first = {name.partition("/")[0] + "/" for name in names}
    longer = [{prefix + name: key for name, key in file_keys.items()} for prefix in first if len(first) == 1]
    yield from longer
    for candidate in (file_keys, *longer):
        reading = _by_rank(names, candidate)
        if reading is not None:
            yield reading


def _prefixes(names: Iterable[str], file_keys: Names) -> Iterator[str]:
    """What may stand in front of every name in the file."""
    first = next(iter(names), None)
    for name in file_keys if first else ():
        prefix = name.removesuffix(str(first))
        if prefix != name and prefix.endswith((".", "/")):
            yield prefix


def _by_rank(names: Iterable[str], file_keys: Names) -> Names | None:
    """Keys of layers that have other counters, but in the same order: `conv2d_12` for `conv2d`."""
    ours, theirs = (
        {ranked: name for name, ranked in _rank_counters(spellings).items()}
        for spellings in (list(names), list(file_keys))
    )
    return (
        {ours.get(ranked, name): file_keys[name] for ranked, name in theirs.items()}
        if len(theirs) == len(file_keys)
        else None
    )


def _rank_counters(names: Collection[str]) -> dict[str, str]:
    """Names in which the rank of a layer among its kind replaces its counter."""
    counters: dict[str, set[int]] = defaultdict(set)
    for name in names:
        for base, number in map(_counter, name.split("/")[:-1]):
            counters[base].add(number)
    ranks = {(base, n): rank for base, numbers in counters.items() for rank, n in enumerate(sorted(numbers))}

    def rank_counter(part: str) -> str:
        base, number = _counter(part)
        return f"{base}#{ranks[base, number]}"

    return {name: "/".join([*map(rank_counter, name.split("/")[:-1]), name.split("/")[-1]]) for name in names}


def _counter(part: str) -> tuple[str, int]:
    numbered = re.fullmatch(r"(.*[^_\d])_(\d+)", part)
    return (numbered[1], int(numbered[2])) if numbered else (part, 0)


def _check_shapes(side: StoredModel, keys: Names, archive: Archive) -> None:
    wrong = [
        f"{key} is {archive.headers[key]}; the plan was made for {list(side.tensors[path].shape)}"
        for path, key in keys.items()
        if archive.headers[key].shape != side.tensors[path].shape
    ]
    if wrong:
        raise MismatchError(f"{archive.path} holds tensors of other shapes:\n" + _list_rows(wrong))


def _check_rest(reading: Names, expected: Collection[str], archive: Archive) -> None:
    """Raises if the file holds a tensor that the plan does not expect."""
    rest = [
        f"{key} {archive.headers[key]}"
        for name, key in reading.items()
        if name not in expected and not TRAINING.search(name)
    ]
    if rest:
        raise MismatchError(f"{archive.path} holds tensors that the plan does not know:\n" + _list_rows(rest))


def _list_rows(rows: list[str]) -> str:
    more = [f"... and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return "\n".join(f"  {row}" for row in rows[:SHOWN] + more)
