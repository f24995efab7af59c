"""The shared vocabulary as constructors: both readers call these, so equal operations look equal.

Data axes are named `n` (batch), `d h w` (space, as many as there are), `t` (time or tokens) and
`c` (channels); a layout such as `n h w c` says where they stand.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoport.graph.constants import LARGEST_CONSTANT, ON_NUMBERS, consecutive, counted_by, digest, is_one_hot
from autoport.graph.equations import Equation
from autoport.graph.graph import Graph
from autoport.graph.op import Op, Shape, Tensor, Value
from autoport.weights.piece import Piece, Weight

# Gates of recurrent cells, by PyTorch's letters.
RNN_GATES: Mapping[str, str] = {"lstm": "ifgo", "gru": "zrn", "simple_rnn": "h"}

INPUT_AXES: Mapping[int, tuple[str, ...]] = {
    1: ("n",),
    2: ("n", "c"),
    3: ("n", "t", "c"),
    4: ("n", "h", "w", "c"),
    5: ("n", "d", "h", "w", "c"),
}
SPATIAL: Mapping[int, str] = {1: "w", 2: "h w", 3: "d h w"}


def input_axes(rank: int, *, whole: bool) -> tuple[str, ...]:
    """Names of the axes of a channels-last model input; rows of whole numbers are tokens."""
    if whole and rank == 2:
        return "n", "t"
    return INPUT_AXES.get(rank, tuple(f"a{k}" for k in range(rank)))


class Builder:
    """Appends operations to a graph, each with its name, path and colour.

    Attributes:
        graph: what has been built so far.
        path: layer or module that following operations belong to.
        type: class or function they come from.
        latest: operations in the order they were appended; whoever asks for the latest ones clears it first.
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self.path = ""
        self.type = ""
        self.latest: list[Op] = []
        self._count: Counter[str] = Counter()

    def emit(
        self,
        kind: str,
        inputs: Sequence[Value],
        *shapes: Shape,
        weights: Mapping[str, Weight] | None = None,
        features: tuple[Any, ...] = (),
        **attrs: Any,
    ) -> Value:
        """Appends one operation.

        Args:
            kind: its name in the vocabulary.
            inputs: values it consumes.
            *shapes: shape of each output.
            weights: what it reads, by role.
            features: what besides the kind must agree with a twin; free of layout.
            **attrs: hyper-parameters.

        Returns:
            The first output.
        """
        numbers = [self.number(value) for value in inputs]
        if kind in ON_NUMBERS and numbers and None not in numbers and not shapes[0]:
            return self._computed(kind, [float(n) for n in numbers if n is not None], attrs)
        base = f"{self.path or 'model'}:{kind}"
        self._count[base] += 1
        name = base if self._count[base] == 1 else f"{base}#{self._count[base]}"
        op = Op(
            name,
            kind,
            self.path,
            tuple(inputs),
            tuple(tuple(s) for s in shapes),
            dict(weights or {}),
            attrs,
            (kind, *features),
            self.type,
        )
        self.latest.append(op)
        return self.graph.add_op(op)

    def _computed(self, kind: str, numbers: list[float], attrs: Mapping[str, Any]) -> Value:
        """Arithmetic on numbers, of which the result is a number."""
        if "constant" in attrs:
            numbers.insert(0 if attrs.get("constant_first") else 1, attrs["constant"])
        with np.errstate(all="ignore"):
            return self.constant(np.asarray(ON_NUMBERS[kind](*numbers)), ())

    def tensor(self, tensor: Tensor) -> str:
        """Registers a stored tensor and returns its path."""
        self.graph.tensors[tensor.path] = tensor
        return tensor.path

    def piece(self, tensor: str, pattern: str, select: Mapping[str, int] | None = None, **sizes: int) -> Piece:
        """A piece of a registered tensor; see `Piece.of`."""
        return Piece.of(tensor, pattern, self.graph.tensors[tensor].shape, select, None, **sizes)

    def weights(self, **patterns: tuple[str | None, str]) -> dict[str, Weight]:
        """Weights by role from `role=(tensor, layout)`; a tensor that is None gives no weight."""
        return {
            role: Weight((self.piece(tensor, pattern),))
            for role, (tensor, pattern) in patterns.items()
            if tensor is not None
        }

    def conv(
        self,
        x: Value,
        kernel: Piece,
        bias: str | None,
        out: Shape,
        *,
        layout: str,
        stride: Sequence[int],
        dilation: Sequence[int],
        padding: Sequence[tuple[int, int]],
        groups: int = 1,
        transposed: bool = False,
    ) -> Value:
        """A convolution.

        One whose kernel has a single position is a dense layer on channels; one whose kernel covers
        the whole input is a dense layer on the flattened map.

        Args:
            x: input.
            kernel: its axes are `g` groups, `o`, `i` and the spatial ones.
            bias: tensor with one entry for each output channel.
            out: shape of the output.
            layout: data axes, for example `n h w c`.
            stride: in pixels, per spatial axis.
            dilation: in pixels, per spatial axis.
            padding: zeros before and after, per spatial axis (cropped from the output if transposed).
            groups: channel groups.
            transposed: whether it is a transposed convolution.
        """
        weights = {"kernel": Weight((kernel,))}
        if bias is not None:
            weights["bias"] = Weight((self.piece(bias, "o"),))
        axes = layout.split()
        inside = tuple(size for size, axis in zip(self.graph.shape(x), axes, strict=True) if axis not in "nc")
        extents = _kernel_extents(kernel, len(inside))
        pointwise = set(extents) == {1}
        whole = inside == extents and not pointwise and not any(any(pair) for pair in padding)
        sizes = tuple(kernel.sizes.get(axis, 1) for axis in ("g", "i", "o"))
        dense = groups == 1 and not transposed and (whole or pointwise)
        binds = {"i": (0, axes.index("c"))} if groups == 1 else {}
        if dense and whole:
            # It sums over several axes of the data: they name those of the kernel.
            summed = [*SPATIAL[len(inside)].split(), "i"]
            binds = {f"i{k}": (0, axes.index(name.replace("i", "c"))) for k, name in enumerate(summed)}
            weights["kernel"] = Weight((_numbered(kernel, summed),))
        features = (sizes[1] * math.prod(extents), sizes[2]) if dense else (*sizes, extents, transposed)
        return self.emit(
            "dense" if dense else "conv",
            [x],
            out,
            weights=weights,
            features=features,
            layout=axes,
            binds=binds,
            outputs={"o": axes.index("c")},
            equation=("".join(axes), "".join(axes).replace("c", "O")),
            stride=tuple(stride),
            dilation=tuple(dilation),
            padding=tuple(tuple(p) for p in padding),
            groups=groups,
            kernel_size=extents,
            **({"transposed": True} if transposed else {}),
        )

    def dense(self, x: Value, kernel: Piece, bias: Piece | None, out: Shape, *, dim: int = -1) -> Value:
        """A matrix product along dimension `dim` of `x`.

        Args:
            x: input.
            kernel: its axis `i`, if it has one, lies along that dimension of `x`.
            bias: one entry for each output.
            out: shape of the output.
            dim: the dimension that is summed over, and the one the outputs take.
        """
        weights = {"kernel": Weight((kernel,))}
        if bias is not None:
            weights["bias"] = Weight((bias,))
        features = (self.graph.shape(x)[dim], out[dim])
        binds = {"i": (0, dim % len(out))} if "i" in kernel.axes else {}
        letters = string.ascii_lowercase[: len(out)]
        place = dim % len(out)
        equation = letters, letters[:place] + "O" + letters[place + 1 :]
        attrs = {"binds": binds, "outputs": {"o": place}, "equation": equation}
        return self.emit("dense", [x], out, weights=weights, features=features, **attrs)

    def norm(self, kind: str, x: Value, weights: dict[str, Weight], *, dims: Sequence[int], **attrs: Any) -> Value:
        """A normalisation whose weights lie along the dimensions `dims` of `x`.

        Its weights have the axis `c`, or `c0 c1 ...` where they span several dimensions.
        """
        shape = self.graph.shape(x)
        names = ["c"] if len(dims) == 1 else [f"c{k}" for k in range(len(dims))]
        extents = [shape[dim] for dim in dims]
        return self.emit(
            kind,
            [x],
            shape,
            weights=weights,
            features=(math.prod(extents),),
            binds={name: (0, dim % len(shape)) for name, dim in zip(names, dims, strict=True)},
            **attrs,
        )

    def rnn(
        self,
        kind: str,
        x: Value,
        weights: Mapping[str, Sequence[Piece]],
        out: tuple[Shape, Shape],
        *,
        initial: Sequence[Value] = (),
        **attrs: Any,
    ) -> Value:
        """One direction of one recurrent layer; outputs are the sequence, the last state and the cell's.

        Args:
            kind: `lstm`, `gru` or `simple_rnn`.
            x: the sequence.
            weights: pieces by role; several pieces of one role are summed.
            out: shapes of the sequence and of a state.
            initial: initial states that are not zero.
            **attrs: hyper-parameters.
        """
        roles = {role: Weight(tuple(pieces)) for role, pieces in weights.items() if pieces}
        gate = RNN_GATES[kind][0]
        recurrent = roles[f"recurrent_kernel_{gate}"].pieces[0]
        kernel = roles[f"kernel_{gate}"].pieces[0]
        features = (kernel.sizes.get("i", 1), recurrent.sizes.get("u", 1), attrs["reverse"])
        last = len(out[0]) - 1
        attrs |= {"binds": {"i": (0, last)}, "outputs": {"u": last, "r": last}}
        return self.emit(kind, [x, *initial], *out, out[1], weights=roles, features=features, **attrs)

    def slice(self, x: Value, ranges: Mapping[int, tuple[int, int, int]] | None, out: Shape) -> Value:
        """A part of a tensor.

        Args:
            x: what is sliced.
            ranges: start, stop and step along each dimension that is not taken whole; None if unknown.
            out: shape of the result, which may have more or fewer dimensions of size 1.
        """
        if ranges is None:
            return self.emit("slice", [x], out, ranges=None)
        shape = list(self.graph.shape(x))
        ranges = {dim: taken for dim, taken in ranges.items() if taken != (0, shape[dim], 1)}
        for dim, taken in ranges.items():
            shape[dim] = len(range(*taken))
        y = self.emit("slice", [x], tuple(shape), ranges=dict(ranges)) if ranges else x
        return y if tuple(shape) == tuple(out) else self.emit("reshape", [y], out)

    def split(self, x: Value, dim: int, shapes: Sequence[Shape]) -> list[Value]:
        """Parts of a tensor along a dimension, which parts of one position may have lost."""
        rank, start, parts = len(self.graph.shape(x)), 0, []
        for shape in shapes:
            size = shape[dim] if len(shape) == rank else 1
            parts.append(self.slice(x, {dim: (start, start + size, 1)}, shape))
            start += size
        return parts

    def copies(self, x: Value, out: Shape, *, each: bool = False) -> Value:
        """Copies along dimensions, in an order that can be seen.

        Args:
            x: what is copied.
            out: shape of the result.
            each: whether copies of one position stand together, instead of copies of the whole one after another.
        """
        shape = self.graph.shape(x)
        shape = (1,) * (len(out) - len(shape)) + shape
        pairs = list(zip(shape, out, strict=False))
        if len(shape) > len(out) or any(size < 1 or total % size for size, total in pairs):
            return self.emit("expand", [x], out)
        parts: list[Shape] = [(size, total // size) if 1 < size < total else (total,) for size, total in pairs]
        if max(map(len, parts), default=1) == 1:
            return self.emit("expand", [x], out)
        order = slice(None) if each else slice(None, None, -1)
        narrow = [n for (size, _), part in zip(pairs, parts, strict=True) for n in ((size, 1)[: len(part)])[order]]
        wide = [n for part in parts for n in part[order]]
        copied = self.emit("expand", [self.emit("reshape", [x], tuple(narrow))], tuple(wide))
        return self.emit("reshape", [copied], out)

    def stack(self, values: Sequence[Value], axis: int, out: Shape) -> Value:
        """Values side by side along an axis of their own."""
        shape = (*out[:axis], 1, *out[axis + 1 :])
        return self.emit("concat", [self.emit("reshape", [value], shape) for value in values], out, axis=axis)

    def matmul(self, x: Value, y: Value, out: Shape, equation: Equation, **attrs: Any) -> Value:
        """A product of two tensors, summed over the letters that the output lacks; see `product_equation`."""
        return self.emit("matmul", [x, y], out, equation=equation, **attrs)

    def constant(self, array: NDArray[Any] | None, shape: Shape, tensor: str | None = None) -> Value:
        """Values that were written down or computed from such.

        Args:
            array: the values; None where they are not known.
            shape: of the values.
            tensor: path of the stored tensor that holds them, if one does.
        """
        stored: dict[str, Any] = {} if tensor is None else {"stored": tensor}
        if array is None or array.size > LARGEST_CONSTANT:
            return self.emit("constant", [], shape, values=None, **stored)
        same = array.dtype.kind in "fiu" and array.size > 0 and bool((array == array.flat[0]).all())
        known: dict[str, Any] = {
            "values": digest(array),
            "run": consecutive(array),
            "step": counted_by(array),
            "one_hot": is_one_hot(array),
            "fill": float(array.flat[0]) if same else None,
            "number": float(array.flat[0]) if same and array.size == 1 else None,
        }
        return self.emit("constant", [], shape, **known, **stored)

    def number(self, value: Value) -> float | None:
        """The one number that a constant holds."""
        found: float | None = self.graph.op(value.op).attrs.get("number")
        return found

    def run(self, value: Value) -> tuple[int, int] | None:
        """First and last but one of the consecutive numbers that a value holds along its last dimension."""
        op = self.graph.op(value.op)
        if op.kind == "constant":
            found: tuple[int, int] | None = op.attrs.get("run")
            return found
        run = self.run(op.inputs[0]) if op.kind in ("reshape", "expand", "add", "slice") and op.inputs else None
        if run is None:
            return None
        if op.kind == "add" and len(op.inputs) == 1 and op.attrs["constant"] == int(op.attrs["constant"]):
            run = run[0] + int(op.attrs["constant"]), run[1] + int(op.attrs["constant"])
        if op.kind == "slice" and op.attrs["ranges"] is not None:
            taken = op.attrs["ranges"].get(len(op.shapes[0]) - 1, (0, run[1] - run[0], 1))
            run = (run[0] + taken[0], run[0] + taken[1]) if taken[2] == 1 else (0, 0)
        return run if op.shapes[0][-1:] == (run[1] - run[0],) and len(op.inputs) == 1 else None

    def pool(
        self,
        kind: str,
        x: Value,
        out: Shape,
        *,
        layout: str,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        **attrs: Any,
    ) -> Value:
        """Pooling of kind `max_pool` or `avg_pool`; over the whole of space it is global.

        Args:
            kind: what is done with the positions of a window.
            x: input.
            out: shape of the output.
            layout: data axes, for example `n h w c`.
            kernel_size: in pixels, per spatial axis.
            stride: in pixels, per spatial axis.
            padding: before and after, per spatial axis.
            **attrs: other hyper-parameters; whether padding counts is dropped where there is none.
        """
        axes = layout.split()
        space = tuple(dim for dim, axis in enumerate(axes) if axis not in "nc")
        padded = any(map(any, padding))
        # Counted from the last dimension, because a single image has no batch.
        whole = tuple(self.graph.shape(x)[dim - len(axes)] for dim in space) == kernel_size and not padded
        if whole and not attrs.keys() & {"dilation", "divisor_override"}:
            return self.emit(f"global_{kind}", [x], out, dims=space)
        if not padded:
            attrs.pop("count_include_pad", None)
        return self.emit(kind, [x], out, layout=axes, kernel_size=kernel_size, stride=stride, padding=padding, **attrs)

    def embedding(self, x: Value, table: Piece, out: Shape, **attrs: Any) -> Value:
        """A look-up of rows; the table has axes `v` (vocabulary) and `c`.

        A look-up of consecutive rows that the input does not choose is a slice of the table: positions.
        """
        run = self.run(x)
        if run is not None and 0 <= run[0] < run[1] <= table.sizes.get("v", 1):
            rows = self.slice(self.parameter(table.tensor), {0: (*run, 1)}, (run[1] - run[0], out[-1]))
            return self.emit("expand", [rows], out)
        sizes = (table.sizes.get("v", 1), table.sizes.get("c", 1))
        weights, outputs = {"embedding": Weight((table,))}, {"c": len(out) - 1}
        return self.emit("embedding", [x], out, weights=weights, features=sizes, outputs=outputs, **attrs)

    def parameter(self, tensor: str) -> Value:
        """A stored tensor read as data: a position table, a class token, a layer scale."""
        value, features = parameter_of(self.graph.tensors[tensor])
        shape = self.graph.tensors[tensor].shape
        return self.emit("parameter", [], shape, weights={"value": value}, features=features)


def parameter_of(tensor: Tensor) -> tuple[Weight, tuple[int, ...]]:
    """A stored tensor as the weight of a `parameter`, and the sizes that must agree with a twin's."""
    extents = [size for size in tensor.shape if size != 1]
    names = iter(f"p{k}" for k in range(len(extents)))
    pattern = " ".join("1" if size == 1 else next(names) for size in tensor.shape)
    return Weight((Piece.of(tensor.path, pattern, tensor.shape),)), tuple(sorted(extents))


def _numbered(kernel: Piece, names: Sequence[str]) -> Piece:
    """A kernel of which axes are called `i0 i1 ...`; those of size 1 it does not have."""
    for number, name in enumerate(names):
        kernel = kernel.renamed(name, f"i{number}") if name in kernel.axes else kernel
    return kernel


def _kernel_extents(kernel: Piece, rank: int) -> tuple[int, ...]:
    return tuple(kernel.sizes.get(axis, 1) for axis in SPATIAL[rank].split())
