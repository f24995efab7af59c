"""A plan as a JSON document; `docs/plan-format.md` specifies it field by field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoport.base.whole_files import write_text
from autoport.errors import PlanError
from autoport.facts.framework import Framework
from autoport.facts.reasons import Code, Reason
from autoport.files.archive import DTYPES
from autoport.files.stored_model import StoredModel
from autoport.graph import Tensor
from autoport.plan.draft import Transfer
from autoport.plan.entry import Entry
from autoport.weights.algebra import Array, Part, Term, view
from autoport.weights.piece import Piece, parse_pattern

FORMAT = "autoport-plan"
FORMAT_VERSION = 1
# Fields with reasons, in words, by path of a tensor that the plan leaves out.
LEFT_OUT = ("missing", "unexpected", "conflicts", "refused")
Json = dict[str, Any]
Contents = tuple[StoredModel, StoredModel, Transfer]


def save_document(source: StoredModel, target: StoredModel, transfer: Transfer, path: Path) -> None:
    """Writes a plan; see `Plan.save`."""
    document = to_document(source, target, transfer)
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def load_document(path: Path) -> Contents:
    """Reads a plan; see `Plan.load`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PlanError(f"{path} is not a plan: {error}") from error
    try:
        return from_document(document)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def to_document(source: StoredModel, target: StoredModel, transfer: Transfer) -> Json:
    """A plan as dictionaries, lists, strings and numbers."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "source": _side(source),
        "target": _side(target),
        "entries": [_entry(entry) for entry in transfer.entries.values()],
        "neutral": dict(transfer.neutral),
        **{key: {path: str(reason) for path, reason in getattr(transfer, key).items()} for key in LEFT_OUT},
    }


def _side(side: StoredModel) -> Json:
    tensors = [
        {
            "path": tensor.path,
            "shape": list(tensor.shape),
            "dtype": tensor.dtype,
            "trainable": tensor.trainable,
            "names": side.names.get(path, {}),
        }
        for path, tensor in side.tensors.items()
    ]
    kept = {path: np.ravel(values).tolist() for path, values in side.kept.items()}
    return {
        "framework": side.framework,
        "model": side.model,
        "tensors": tensors,
        "aliases": side.aliases,
        "kept": kept,
    }


def _entry(entry: Entry) -> Json:
    return {
        "target": entry.tensor.path,
        "expression": entry.expression,
        "reason": "; ".join(map(str, entry.reasons)),
        "parts": [_part(part) for part in entry.parts],
        "twins": [_part(part) for part in entry.twins],
    }


def _part(part: Part) -> Json:
    sources = [{"tensor": t.source.tensor, **_piece(t.source), "factor": t.factor} for t in part.terms]
    return {"into": _piece(part.target), **({"from": sources} if sources else {"fill": part.fill})}


def _piece(piece: Piece) -> Json:
    row: Json = {"axes": piece.pattern, "sizes": dict(piece.sizes)}
    if piece.select:
        row["index"] = dict(piece.select)
    if piece.narrow:
        row["range"] = {str(dim): list(ends) for dim, ends in piece.narrow.items()}
    return row


def from_document(document: Any) -> Contents:
    """The inverse of `to_document`.

    Args:
        document: the parsed JSON.

    Raises:
        PlanError: it is not a plan, or contradicts itself; the message says where.
    """
    format_name = _get(document, "format", str, "document")
    if format_name != FORMAT:
        raise PlanError(f"the format is {format_name!r}, not {FORMAT!r}")
    version = _get(document, "version", int, "document")
    if version != FORMAT_VERSION:
        raise PlanError(f"version {version} of the format is not known; this autoport reads version {FORMAT_VERSION}")
    source, target = (_read_side(_get(document, key, dict, "document"), key) for key in ("source", "target"))
    if source.framework == target.framework:
        raise PlanError(f"source and target are both {source.framework}")
    entries: dict[str, Entry] = {}
    for number, row in enumerate(_get(document, "entries", list, "document")):
        entry = _read_entry(row, f"entries[{number}]", source, target)
        if entries.setdefault(entry.tensor.path, entry) is not entry:
            raise PlanError(f"entries[{number}]: there is another entry of {entry.tensor.path}")
    reasons = {
        key: {path: _quoted(text) for path, text in _texts(document.get(key, {}), key).items()} for key in LEFT_OUT
    }
    neutral = {path: _number(value, "neutral") for path, value in _mapping(document, "neutral").items()}
    return source, target, Transfer(entries=entries, neutral=neutral, **reasons)


def _read_side(section: Json, place: str) -> StoredModel:
    framework = _get(section, "framework", str, place)
    if framework not in list(Framework):
        raise PlanError(f"{place}: the framework is {framework!r}, not one of {', '.join(Framework)}")
    side = StoredModel(
        Framework(framework),
        str(section.get("model", "")),
        aliases=_texts(section.get("aliases", {}), f"{place}.aliases"),
    )
    for number, row in enumerate(_get(section, "tensors", list, place)):
        tensor = _read_tensor(row, f"{place}.tensors[{number}]")
        if side.tensors.setdefault(tensor.path, tensor) is not tensor:
            raise PlanError(f"{place}.tensors[{number}]: there is another tensor {tensor.path}")
        side.names[tensor.path] = _texts(row.get("names", {}), f"{place}.tensors[{number}].names")
    for path, values in _mapping(section, "kept").items():
        side.kept[path] = _read_kept(side.tensors.get(path), values, f"{place}.kept: {path}")
    return side


def _read_tensor(row: Any, place: str) -> Tensor:
    shape = tuple(_size(size, f"{place}.shape") for size in _get(row, "shape", list, place))
    path, dtype = (_get(row, key, str, place) for key in ("path", "dtype"))
    if dtype not in DTYPES:
        raise PlanError(f"{place}: the dtype {dtype!r} is not one of {', '.join(DTYPES)}")
    return Tensor(path, shape, dtype, bool(row.get("trainable", True)))


def _read_kept(tensor: Tensor | None, values: Any, place: str) -> Array:
    if tensor is None or not isinstance(values, list) or len(values) != math.prod(tensor.shape):
        raise PlanError(f"{place}: needs as many values as its tensor has elements")
    try:
        return np.array(values, tensor.numpy_dtype).reshape(tensor.shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise PlanError(f"{place}: {error}") from error


def _read_entry(row: Any, place: str, source: StoredModel, target: StoredModel) -> Entry:
    path = _get(row, "target", str, place)
    if path not in target.tensors:
        raise PlanError(f"{place}: the target has no tensor {path!r}")
    parts, twins = (
        tuple(
            _read_part(part, f"{place}.{key}[{number}]", target.tensors[path], source)
            for number, part in enumerate(_mapping(row, key, list))
        )
        for key in ("parts", "twins")
    )
    _require_filled(target.tensors[path], parts, place)
    return Entry(target.tensors[path], parts, twins, (_quoted(str(row.get("reason", ""))),))


def _quoted(text: str) -> Reason:
    """A reason in the words of a file."""
    return Reason.of(Code.QUOTED, text=text)


def _require_filled(tensor: Tensor, parts: Sequence[Part], place: str) -> None:
    """Raises unless the parts write every element of a target tensor exactly once."""
    covered = sum(math.prod(part.target.axes.values()) for part in parts)
    if covered == math.prod(tensor.shape) and len(parts) > 1:
        written = np.zeros(tensor.shape, np.bool_)
        for part in parts:
            view(written, part.target)[...] = True
        covered = int(np.count_nonzero(written))
    if covered != math.prod(tensor.shape):
        raise PlanError(f"{place}: the parts do not fill the {tensor.shape} of {tensor.path} exactly")


def _read_part(row: Any, place: str, tensor: Tensor, source: StoredModel) -> Part:
    into = _read_piece(_get(row, "into", dict, place), f"{place}.into", tensor)
    terms = []
    for number, term in enumerate(_mapping(row, "from", list)):
        spot = f"{place}.from[{number}]"
        path = _get(term, "tensor", str, spot)
        if path not in source.tensors:
            raise PlanError(f"{spot}: the source has no tensor {path!r}")
        piece = _read_piece(term, spot, source.tensors[path])
        if piece.axes != into.axes:
            raise PlanError(f"{spot}: its axes {piece.axes} are not those of the target, {into.axes}")
        terms.append(Term(piece, _number(term.get("factor", 1.0), f"{spot}.factor")))
    if not terms and "fill" not in row:
        raise PlanError(f"{place}: there is neither 'from' nor 'fill'")
    return Part(into, tuple(terms), _number(row.get("fill", 0.0), f"{place}.fill"))


def _read_piece(row: Any, place: str, tensor: Tensor) -> Piece:
    pattern = _get(row, "axes", str, place)
    sizes = {name: _size(size, f"{place}.sizes") for name, size in _get(row, "sizes", dict, place).items()}
    index = {name: _size(k, f"{place}.index") for name, k in _mapping(row, "index").items()}
    names = [name for names in parse_pattern(pattern) for name in names]
    if len(set(names)) != len(names) or set(names) != set(sizes) or not all(map(str.isidentifier, names)):
        raise PlanError(
            f"{place}: the axes {pattern!r} and the sizes {list(sizes)} must name the same identifiers, each once"
        )
    if any(name not in sizes or not 0 <= k < sizes[name] for name, k in index.items()):
        raise PlanError(f"{place}: an index is outside of its axis")
    try:
        ranges = {int(dim): (int(a), int(b)) for dim, (a, b) in _mapping(row, "range").items()}
        if any(not 0 <= a < b <= tensor.shape[dim] or dim < 0 for dim, (a, b) in ranges.items()):
            raise ValueError("a range is outside of its dimension")
        return Piece.of(tensor.path, pattern, tensor.shape, index, ranges, **sizes)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise PlanError(f"{place}: {error}") from error


def _get(container: Any, key: str, kind: type, place: str) -> Any:
    value = container.get(key) if isinstance(container, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise PlanError(f"{place}: {key!r} is missing or not of type {kind.__name__}")
    return value


def _mapping(container: Any, key: str, kind: type = dict) -> Any:
    return _get(container, key, kind, key) if key in container else kind()


def _texts(mapping: Any, place: str) -> dict[str, str]:
    if not isinstance(mapping, Mapping) or not all(isinstance(text, str) for text in mapping.values()):
        raise PlanError(f"{place}: an object whose values are strings is expected")
    return dict(mapping)


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PlanError(f"{place}: {value!r} is not a finite number")
    return float(value)


def _size(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PlanError(f"{place}: {value!r} is not a whole number from 0 on")
    return value
