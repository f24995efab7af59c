"""Carries weights from file to file, or from a model to a file, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from autoport.errors import IncompleteMatchError, LoadError, PlanError, SaveError, TransferError
from autoport.files.archive import Archive, Header, Output
from autoport.files.names import resolve
from autoport.files.read import open_weights, weights_file
from autoport.files.write import check_destination, layout_of, write_weights
from autoport.plan.entry import Entry
from autoport.plan.plan import Plan
from autoport.transfer.into_model import Watched, produce_slabs, require_complete
from autoport.weights.algebra import Array

Read = Callable[[str], Array]
Report = Callable[[int], None]


def apply_plan(
    plan: Plan,
    weights: Path,
    path: Path,
    *,
    shard_size: int | None = None,
    trust_code: bool = False,
    report: Report | None = None,
) -> list[str]:
    """Carries a file of weights over, without any model.

    Args:
        plan: made for the architecture of both models.
        weights: the file, of the plan's source.
        path: where to, in a format of the plan's target.
        shard_size: most bytes in one file, for `.safetensors`.
        trust_code: read pickles that may run code, too.
        report: is told of the bytes of each tensor that was made.

    Returns:
        Tensors of the target of which neither the plan nor the file knows the values; they are left out.

    Raises:
        IncompleteMatchError: the plan leaves out something that changes the function.
        MismatchError: the file does not hold the tensors that the plan was made for.
        TransferError: a weight cannot be carried over.
        FileError: the file of weights cannot be read.
        SaveError: a file cannot be written. In every case an old file is as it was.

    Example:
        >>> plan = autoport.Plan.load("resnet50.plan.json")  # doctest: +SKIP
        >>> apply_plan(plan, Path("trained.weights.h5"), Path("trained.safetensors"))  # doctest: +SKIP
        []
    """
    check_destination(path, plan.target.framework, model=False, shard_size=shard_size)
    if plan.missing:
        raise IncompleteMatchError(plan.missing.items(), plan.unexpected.items())
    with open_weights(weights, trust_code=trust_code) as archive:
        read = _reader(plan, archive)
        require_complete(plan, read)
        layout = layout_of(path, plan.target.framework)
        made = list(_outputs(plan, layout, read, plan.target.kept, report))
        write_weights(made, path, plan.target.framework, shard_size=shard_size)
    written = {output.name for output in made}
    names = _file_names(plan, layout)
    return [name for name in names if name not in written]


def _reader(plan: Plan, archive: Archive) -> Read:
    looked_at = plan.used | (plan.unexpected.keys() & plan.neutral.keys())
    keys = resolve(plan.source, [path for path in plan.source.tensors if path in looked_at], archive)
    return lambda path: archive.read(keys[path])


def _file_names(plan: Plan, layout: str) -> dict[str, str]:
    """Paths of the target's tensors by what a file calls them; tied ones have several names."""
    side = plan.target
    names = {side.names[path][layout]: path for path in side.tensors if layout in side.names.get(path, {})}
    if layout == "state_dict":
        names |= {alias: path for alias, path in side.aliases.items() if side.names.get(path)}
    if side.tensors and not names:
        raise PlanError(f"the plan does not say what tensors are called in files of the layout {layout!r}")
    return names


def _outputs(
    plan: Plan, layout: str, read: Read, kept: Mapping[str, Array], report: Report | None = None
) -> Iterator[Output]:
    """What a file of the target holds."""
    watched = Watched(read)
    for name, path in _file_names(plan, layout).items():
        tensor = plan.target.tensors[path]
        header = Header(tensor.shape, tensor.dtype)
        if path in plan.entries:
            _require_one_value(plan.entries[path], read)
            yield Output(name, header, partial(_made, plan, path, watched, report))
        elif path in kept:
            yield Output(name, header, partial(_kept, kept, path))


def _require_one_value(entry: Entry, read: Read) -> None:
    if entry.contradicts(read):
        raise TransferError(
            f"{entry.tensor.path} is one tensor, and {' and '.join(entry.sources)}, which belong there, differ; "
            "nothing was written"
        )


def _made(plan: Plan, path: str, watched: Watched, report: Report | None) -> Iterator[Array]:
    for piece in produce_slabs(plan, path, watched.source_of(plan.entries[path].tensor)):
        yield piece
        if report is not None:
            report(piece.nbytes)


def _kept(kept: Mapping[str, Array], path: str) -> list[Array]:
    return [kept[path]]


def write_transfer(
    plan: Plan, read: Read, kept: Mapping[str, Array], path: Path, *, shard_size: int | None = None
) -> None:
    """Writes the tensors that a plan makes, and those that the target's files hold besides.

    Args:
        plan: what goes where.
        read: gives a tensor of the source.
        kept: what files of the target hold and the plan does not write.
        path: where to, in a format of the plan's target.
        shard_size: most bytes in one file, for `.safetensors`.

    Raises:
        IncompleteMatchError: the plan leaves out something that changes the function; no file is written.
        TransferError: a weight cannot be carried over; no file is written.
        SaveError: the file cannot be written; an old one is as it was.
    """
    require_complete(plan, read)
    to = plan.target.framework
    made = list(_outputs(plan, layout_of(path, to), read, kept))
    write_weights(made, path, to, shard_size=shard_size)


def outputs_of(folder: Path, to: Path, ending: str) -> dict[Path, Path]:
    """For every file of weights in a folder the file that it becomes.

    Args:
        folder: with files of weights; other files are left alone.
        to: the folder that they go to.
        ending: of what is written.

    Raises:
        LoadError: there are none.
        SaveError: two would become one.
    """
    found: dict[Path, Path] = {}
    for file in sorted(folder.iterdir()):
        known = weights_file(file)
        if known is not None and known == file:
            target = to / f"{_stem(file)}{ending}"
            if target in found.values():
                raise SaveError(f"{target} would be written twice: two files in {folder} are called {_stem(file)}")
            found[file] = target
    if not found:
        raise LoadError(f"{folder} holds no file of weights")
    return found


def _stem(file: Path) -> str:
    return file.name.split(".weights.")[0].removesuffix(file.suffix)


def bytes_made(plan: Plan) -> int:
    """Bytes of all tensors that a plan makes."""
    return sum(Header(entry.tensor.shape, entry.tensor.dtype).nbytes for entry in plan.entries.values())
