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

ReadTensor = Callable[[str], Array]
ReportBytes = Callable[[int], None]


def apply_plan(
    plan: Plan,
    weights: Path,
    path: Path,
    *,
    shard_size: int | None = None,
    trust_code: bool = False,
    report: ReportBytes | None = None,
) -> list[str]:
    """Carries a file of weights over, without any model.

    Args:
        plan: made for the architecture of both models.
        weights: the file, of the plan's source.
        path: the file to write, in a format of the plan's target.
        shard_size: most bytes in one file, for `.safetensors`.
        trust_code: also read pickles that may run code.
        report: called with the number of bytes of each slab that was written.

    Returns:
        Tensors of the target whose values neither the plan nor the file knows; they are left out.

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
        outputs = list(_outputs(plan, layout, read, plan.target.kept, report))
        write_weights(outputs, path, plan.target.framework, shard_size=shard_size)
    written = {output.name for output in outputs}
    names = _file_names(plan, layout)
    return [name for name in names if name not in written]


def _reader(plan: Plan, archive: Archive) -> ReadTensor:
    needed = plan.used | (plan.unexpected.keys() & plan.neutral.keys())
    keys = resolve(plan.source, [path for path in plan.source.tensors if path in needed], archive)
    return lambda path: archive.read(keys[path])


def _file_names(plan: Plan, layout: str) -> dict[str, str]:
    """Paths of the target's tensors by their names in a file; tied ones have several names."""
    side = plan.target
    names = {side.names[path][layout]: path for path in side.tensors if layout in side.names.get(path, {})}
    if layout == "state_dict":
        names |= {alias: path for alias, path in side.aliases.items() if side.names.get(path)}
    if side.tensors and not names:
        raise PlanError(f"the plan does not say what tensors are called in files of the layout {layout!r}")
    return names


def _outputs(
    plan: Plan, layout: str, read: ReadTensor, kept: Mapping[str, Array], report: ReportBytes | None = None
) -> Iterator[Output]:
    """The tensors of a file of the target."""
    watched = Watched(read)
    for name, path in _file_names(plan, layout).items():
        tensor = plan.target.tensors[path]
        header = Header(tensor.shape, tensor.dtype)
        if path in plan.entries:
            _require_one_value(plan.entries[path], read)
            yield Output(name, header, partial(_slabs, plan, path, watched, report))
        elif path in kept:
            yield Output(name, header, partial(_single_slab, kept, path))


def _require_one_value(entry: Entry, read: ReadTensor) -> None:
    if entry.contradicts(read):
        raise TransferError(
            f"{entry.tensor.path} is one tensor, but its sources {' and '.join(entry.sources)} hold different values; "
            "nothing was written"
        )


def _slabs(plan: Plan, path: str, watched: Watched, report: ReportBytes | None) -> Iterator[Array]:
    for piece in produce_slabs(plan, path, watched.source_of(plan.entries[path].tensor)):
        yield piece
        if report is not None:
            report(piece.nbytes)


def _single_slab(kept: Mapping[str, Array], path: str) -> list[Array]:
    return [kept[path]]


def write_transfer(
    plan: Plan, read: ReadTensor, kept: Mapping[str, Array], path: Path, *, shard_size: int | None = None
) -> None:
    """Writes the tensors that a plan makes, and the other tensors of the target's files.

    Args:
        plan: what goes where.
        read: gives a tensor of the source.
        kept: values of tensors that files of the target hold and the plan does not write.
        path: the file to write, in a format of the plan's target.
        shard_size: most bytes in one file, for `.safetensors`.

    Raises:
        IncompleteMatchError: the plan leaves out something that changes the function; no file is written.
        TransferError: a weight cannot be carried over; no file is written.
        SaveError: the file cannot be written; an old one is as it was.
    """
    require_complete(plan, read)
    to = plan.target.framework
    outputs = list(_outputs(plan, layout_of(path, to), read, kept))
    write_weights(outputs, path, to, shard_size=shard_size)


def outputs_of(folder: Path, to: Path, ending: str) -> dict[Path, Path]:
    """For every file of weights in a folder, the file to write.

    Args:
        folder: with files of weights; other files are ignored.
        to: the folder to write to.
        ending: of the files to write.

    Raises:
        LoadError: the folder holds no file of weights.
        SaveError: two files would be written to one path.
    """
    targets: dict[Path, Path] = {}
    for file in sorted(folder.iterdir()):
        weights = weights_file(file)
        if weights is not None and weights == file:
            target = to / f"{_stem(file)}{ending}"
            if target in targets.values():
                raise SaveError(f"{target} would be written twice: two files in {folder} share the name {_stem(file)}")
            targets[file] = target
    if not targets:
        raise LoadError(f"{folder} holds no file of weights")
    return targets


def _stem(file: Path) -> str:
    return file.name.split(".weights.")[0].removesuffix(file.suffix)


def target_bytes(plan: Plan) -> int:
    """Bytes of all tensors that a plan makes."""
    return sum(Header(entry.tensor.shape, entry.tensor.dtype).nbytes for entry in plan.entries.values())
