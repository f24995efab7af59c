"""Operations that move values without computing."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autoport.graph import Value
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register


@register("reshape view flatten squeeze unsqueeze unflatten view_as reshape_as ravel", "input")
def reshape(call: Call) -> Any:
    """Any change of shape that keeps the order of elements."""
    if call.out == call.shape("input"):
        return call.get("input")
    return call.emit("reshape", [call.value("input")])


@register("permute", "input")
def permute(call: Call) -> Any:
    """`permute(x, dims)` or `permute(x, *dims)`."""
    separate = [arg for name, arg in call.arguments.items() if name.startswith("argument_")]
    dims = call.get("dims") or (separate[0] if isinstance(separate[0], (list, tuple)) else separate)
    return _transpose(call, [dim % len(call.out) for dim in dims])


@register("transpose swapaxes swapdims", "input dim0 dim1")
def transpose(call: Call) -> Any:
    """Two dimensions exchanged."""
    order = list(range(len(call.out)))
    first, second = call.get("dim0", 0), call.get("dim1", 0)
    order[first], order[second] = order[second], order[first]
    return _transpose(call, order)


@register("movedim moveaxis", "input source destination")
def movedim(call: Call) -> Any:
    """Dimensions moved to other places."""
    rank = len(call.out)
    as_list = [[v] if isinstance(v, int) else list(v) for v in (call.get("source"), call.get("destination"))]
    placed = {d % rank: s % rank for s, d in zip(*as_list, strict=True)}
    rest = iter([dim for dim in range(rank) if dim not in placed.values()])
    return _transpose(call, [placed[d] if d in placed else next(rest) for d in range(rank)])


@register("t get_T get_mT get_H", "input")
def matrix_transpose(call: Call) -> Any:
    """`x.t()`, `x.T`, `x.mT`."""
    rank = len(call.out)
    kept = rank - 2 if call.name == "get_mT" else 0
    return _transpose(call, [*range(kept), *reversed(range(kept, rank))])


def _transpose(call: Call, order: list[int]) -> Any:
    return call.emit("transpose", [call.value("input")], order=tuple(order))


@register("cat concat concatenate", "tensors dim")
def concat(call: Call) -> Any:
    """`torch.cat`."""
    values = [call.lowering.data(x) for x in call.arguments["tensors"]]
    values = [value for value in values if 0 not in call.build.graph.shape(value)]
    if len(values) == 1:
        return values[0]
    return call.emit("concat", values, axis=call.get("dim", 0) % len(call.out))


@register("hstack vstack dstack row_stack column_stack", "tensors")
def concat_along(call: Call) -> Any:
    """Concatenations along the dimension that the function is named for."""
    values = [call.lowering.data(x) for x in call.arguments["tensors"]]
    if any(len(call.build.graph.shape(value)) < 3 for value in values):
        return call.emit(f"other_{call.name}", values)
    axis = {"hstack": 1, "vstack": 0, "dstack": 2, "row_stack": 0, "column_stack": 1}[call.name]
    return call.emit("concat", values, axis=axis)


@register("stack", "tensors dim")
def stack(call: Call) -> Any:
    """`torch.stack`."""
    values = [call.lowering.data(x) for x in call.arguments["tensors"]]
    return call.build.stack(values, call.get("dim", 0) % len(call.out), call.out)


@register("chunk tensor_split unsafe_chunk", "input parts dim")
def chunk(call: Call) -> Any:
    """Split into a number of parts."""
    return _split(call, call.get("dim", 0))


@register("split unsafe_split split_with_sizes", "input sizes dim")
def split(call: Call) -> Any:
    """Split into parts of given sizes."""
    return _split(call, call.get("dim", 0))


@register("hsplit vsplit dsplit", "input sizes")
def split_along(call: Call) -> Any:
    """Split along the dimension that the function is named for."""
    return _split(call, {"hsplit": min(1, len(call.shape("input")) - 1), "vsplit": 0, "dsplit": 2}[call.name])


@register("unbind", "input dim")
def unbind(call: Call) -> Any:
    """Split into slices of one position."""
    return _split(call, call.get("dim", 0))


def _split(call: Call, dim: int) -> Any:
    x = call.value("input")
    rank = len(call.build.graph.shape(x))
    return call.build.split(x, dim % rank, [tuple(part.shape) for part in call.result])


@register("getitem", "input index")
def getitem(call: Call) -> Any:
    """`x[index]`."""
    index = call.get("index")
    path = call.stored("input")
    if path is not None and isinstance(index, Value) and len(call.build.graph.tensors[path].shape) == 2:
        return call.build.embedding(index, call.build.piece(path, "v c"), call.out)
    x = call.value("input")
    if isinstance(index, Value):
        return call.emit("lookup", [x, index], axis=0)
    picked = _positions_and_dim(call, index)
    if picked is not None:
        return call.build.take(x, *picked, call.out)
    if any(isinstance(leaf, Value) for leaf in _leaves(index)):
        return call.emit("gather")
    ranges = _ranges(index, call.build.graph.shape(x))
    return call.build.slice(x, ranges, call.out)


def _positions_and_dim(call: Call, index: Any) -> tuple[Value, int] | None:
    """The numbers of positions along one dimension, and the dimension; None if the index is anything else."""
    parts = _dimensions(index, len(call.shape("input")))
    places = [dim for dim, part in enumerate(parts) if part != slice(None)]
    part = parts[places[0]] if len(places) == 1 and None not in parts else None
    if isinstance(part, list) and all(type(number) is int for number in part):
        size = call.shape("input")[places[0]]
        part = call.build.constant(np.asarray(part) % size, (len(part),))
    one = isinstance(part, Value) and call.build.graph.shape(part) == call.out[places[0] : places[0] + 1]
    return (part, places[0]) if isinstance(part, Value) and one else None


def _dimensions(index: Any, rank: int) -> list[Any]:
    """The index along each dimension; None stands for a new dimension."""
    parts = list(index) if isinstance(index, (list, tuple)) and not isinstance(index, Value) else [index]
    if any(part is Ellipsis for part in parts):
        place = next(k for k, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = [slice(None)] * (rank - sum(part is not None for part in parts) + 1)
    return parts


def _ranges(index: Any, shape: tuple[int, ...]) -> dict[int, tuple[int, int, int]] | None:
    """The range along each dimension that is cut; None if the index is no plain slice."""
    ranges = {}
    for dim, part in enumerate(part for part in _dimensions(index, len(shape)) if part is not None):
        if isinstance(part, bool) or not isinstance(part, (int, slice)):
            return None
        start = part + shape[dim] if isinstance(part, int) and part < 0 else part
        cut = slice(start, start + 1) if isinstance(start, int) else start
        ends = cut.indices(shape[dim])
        if ends != (0, shape[dim], 1):
            ranges[dim] = ends
    return ranges


def _leaves(index: Any) -> list[Any]:
    if isinstance(index, (list, tuple)) and not isinstance(index, Value):
        return [leaf for part in index for leaf in _leaves(part)]
    return [index]


@register("index_select", "input dim index")
def index_select(call: Call) -> Any:
    """Positions along a dimension; consecutive ones are a slice."""
    dim = call.get("dim", 0) % len(call.out)
    return call.build.take(call.value("input"), call.value("index"), dim, call.out)


@register("gather take_along_dim", "input dim index")
def gather(call: Call) -> Any:
    """Positions along a dimension, chosen for each place of the others."""
    if call.get("dim") is None:
        return call.emit("gather_flat")
    return call.emit("gather", [call.value("input"), call.value("index")], axis=call.get("dim") % len(call.out))


@register("argsort", "input dim descending")
def argsort(call: Call) -> Any:
    """The order that sorts a tensor."""
    return Value(_sort(call, call.out, call.out).op, 1)


@register("sort", "input dim descending")
def sort(call: Call) -> Any:
    """The sorted values, and their order."""
    op = _sort(call, call.out, call.out).op
    return [Value(op, 0), Value(op, 1)]


def _sort(call: Call, *shapes: tuple[int, ...]) -> Value:
    dims = (call.get("dim", -1) % len(call.out),)
    descending = bool(call.get("descending", False))
    return call.build.emit("sort", [call.value("input")], *shapes, dims=dims, descending=descending)


@register("select", "input dim index")
def select(call: Call) -> Any:
    """One position along a dimension."""
    return _narrow(call, call.get("index", 0), 1)


@register("narrow", "input dim start length")
def narrow(call: Call) -> Any:
    """A range along a dimension."""
    return _narrow(call, call.get("start", 0), call.get("length"))


def _narrow(call: Call, start: int, length: int) -> Any:
    shape = call.shape("input")
    dim = call.get("dim", 0) % len(shape)
    first = start % shape[dim]
    return call.build.slice(call.value("input"), {dim: (first, first + length, 1)}, call.out)


@register("tensor as_tensor", "data")
def tensor(call: Call) -> Any:
    """A constant written down in the forward pass."""
    data = call.get("data")
    if isinstance(data, Value):
        return data
    return call.build.constant(np.asarray(data), call.out)


FILLS = {"zeros": 0, "zeros_like": 0, "new_zeros": 0, "ones": 1, "ones_like": 1, "new_ones": 1}


@register(" ".join(FILLS))
def filled(call: Call) -> Any:
    """Zeros or ones, of any shape."""
    return call.build.constant(np.broadcast_to(np.float32(FILLS[call.name]), call.out), call.out)


@register("full full_like new_full", "shape fill_value")
def full(call: Call) -> Any:
    """One given number everywhere."""
    number = call.get("fill_value")
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return call.build.constant(np.broadcast_to(np.float64(number), call.out) if is_number else None, call.out)


@register("arange")
def arange(call: Call) -> Any:
    """Numbers counted up."""
    bounds = [call.get(f"argument_{k}") for k in range(3)]
    numbers = [bound for bound in bounds if isinstance(bound, (int, float))]
    bounds = numbers or [call.get("start", 0), call.get("end"), call.get("step", 1)]
    constant = all(isinstance(bound, (int, float)) for bound in bounds)
    return call.build.constant(np.arange(*bounds), call.out) if constant else call.emit("arange", [])


@register("linspace logspace", "start end steps base")
def spaced(call: Call) -> Any:
    """Numbers at equal distances, or powers with evenly spaced exponents."""
    bounds = [call.get(name) for name in ("start", "end", "steps")]
    if not all(isinstance(bound, (int, float)) for bound in bounds):
        return call.build.constant(None, call.out)
    numbers = np.linspace(*bounds)
    return call.build.constant(numbers if call.name == "linspace" else call.get("base", 10.0) ** numbers, call.out)


@register("eye", "n m")
def eye(call: Call) -> Any:
    """The identity."""
    return call.build.constant(np.eye(call.out[0], call.out[1]), call.out)


@register("one_hot", "input num_classes")
def one_hot(call: Call) -> Any:
    """`F.one_hot`."""
    return call.emit("one_hot", [call.value("input")])


@register("topk", "input k dim largest")
def topk(call: Call) -> Any:
    """The largest entries along a dimension, or the smallest, and their places."""
    dim = call.get("dim", -1) % len(call.out)
    kind = "sort" if call.out == call.shape("input") else "topk"
    return call.emit(kind, [call.value("input")], dims=(dim,), descending=bool(call.get("largest", True)))


@register("scatter", "input dim index src")
def scatter(call: Call) -> Any:
    """Values put where an index along a dimension says."""
    return call.emit("scatter", axis=call.get("dim", 0) % len(call.out))


@register("index_add", "input dim index source")
def index_add(call: Call) -> Any:
    """Values added where an index along a dimension says."""
    return call.emit("index_add", axis=call.get("dim", 0) % len(call.out))


@register("roll", "input shifts dims")
def roll(call: Call) -> Any:
    """`torch.roll`; without dimensions it rolls the flattened tensor."""
    shifts, dims = call.get("shifts"), call.get("dims")
    shifts, dims = ([v] if isinstance(v, int) else v and list(v) for v in (shifts, dims))
    if not dims:
        return call.emit("roll_flat", [call.value("input")], shift=sum(shifts))
    return call.build.roll(call.value("input"), shifts, dims)


@register("flip fliplr flipud", "input dims")
def flip(call: Call) -> Any:
    """`torch.flip`; `fliplr` and `flipud` name the dimension."""
    dims = {"fliplr": 1, "flipud": 0}.get(call.name, call.get("dims"))
    others = [arg for name, arg in call.arguments.items() if name.startswith("argument_")]
    return call.build.flip(call.value("input"), [dims, *others] if isinstance(dims, int) else dims)


@register("expand expand_as repeat tile broadcast_to repeat_interleave", "input")
def expand(call: Call) -> Any:
    """Copies along dimensions."""
    return call.build.copies(call.value("input"), call.out, each=call.name == "repeat_interleave")


@register("rot90", "input k dims")
def rot90(call: Call) -> Any:
    """A rotation by quarter turns in a plane."""
    x, order = call.value("input"), list(range(len(call.out)))
    first, second = (dim % len(order) for dim in call.get("dims", (0, 1)))
    turns = call.get("k", 1) % 4
    if turns == 2:
        return call.build.flip(call.build.flip(x, [first]), [second])
    if turns == 0:
        return x
    order[first], order[second] = second, first
    x = call.build.flip(x, [second] if turns == 1 else [first])
    return call.build.emit("transpose", [x], call.out, order=tuple(order))


@register("take", "input index")
def take(call: Call) -> Any:
    """Entries of the flattened tensor."""
    flat = call.build.emit("reshape", [call.value("input")], (prod(call.shape("input")),))
    return call.emit("lookup", [flat, call.value("index")], axis=0)


@register("meshgrid", "")
def meshgrid(call: Call) -> Any:
    """Each vector along an axis of its own, with copies along the others'."""
    values, shape = call.inputs(), list(call.out)
    axes = list(range(len(values)))
    if call.get("indexing", "ij") == "xy":
        axes[:2] = axes[1::-1]
    along = [tuple(shape[axis] if axis == own else 1 for axis in range(len(shape))) for own in axes]
    rows = [call.build.emit("reshape", [value], size) for value, size in zip(values, along, strict=True)]
    return [call.build.emit("expand", [row], tuple(shape)) for row in rows]
