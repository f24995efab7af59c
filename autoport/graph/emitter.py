"""Operations other than layers as constructors: moves, products, constants, parameters.

Both readers call these, so equal operations look equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoport.graph.constants import LARGEST_CONSTANT, consecutive_range, counting_step, digest, is_one_hot
from autoport.graph.equations import Equation
from autoport.graph.graph import Graph
from autoport.graph.op import Op, Shape, Tensor, Value
from autoport.graph.vocabulary import check, kind_of
from autoport.weights.piece import Piece, Weight


class Emitter:
    """Appends operations to a graph, each with its name, path and colour.

    Attributes:
        graph: the graph so far.
        path: layer or module of the operations to come.
        type: class or function of the operations to come.
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
            kind: its name in the vocabulary, or what a framework calls it.
            inputs: values it consumes.
            *shapes: shape of each output.
            weights: what it reads, by role.
            features: what must agree between counterparts besides the kind; free of layout.
            **attrs: hyper-parameters.

        Returns:
            The first output.
        """
        kind = kind_of(kind)
        check(kind, attrs, weights or ())
        numbers = [self.number(value) for value in inputs]
        if kind.on_numbers and numbers and None not in numbers and not shapes[0]:
            return self._computed(kind.on_numbers, [float(n) for n in numbers if n is not None], attrs)
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

    def _computed(self, function: Callable[..., Any], numbers: list[float], attrs: Mapping[str, Any]) -> Value:
        """Arithmetic on numbers as a constant."""
        if "constant" in attrs:
            numbers.insert(0 if attrs.get("constant_first") else 1, attrs["constant"])
        with np.errstate(all="ignore"):
            return self.constant(np.asarray(function(*numbers)), ())

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

    def slice(self, x: Value, ranges: Mapping[int, tuple[int, int, int]] | None, out: Shape) -> Value:
        """A part of a tensor.

        Args:
            x: the tensor to slice.
            ranges: start, stop and step along each dimension that is not taken whole; None if unknown.
            out: shape of the result, which may have more or fewer dimensions of size 1.
        """
        if ranges is None:
            return self.emit("slice", [x], out, ranges=None)
        shape = list(self.graph.shape(x))
        mirrored = [dim for dim, bounds in ranges.items() if bounds == (shape[dim] - 1, -1, -1)]
        x = self.flip(x, mirrored) if mirrored else x
        complete = {dim: (0, shape[dim], 1) for dim in ranges}
        ranges = {dim: bounds for dim, bounds in ranges.items() if bounds != complete[dim] and dim not in mirrored}
        for dim, bounds in ranges.items():
            shape[dim] = len(range(*bounds))
        y = self.emit("slice", [x], tuple(shape), ranges=dict(ranges)) if ranges else x
        return y if tuple(shape) == tuple(out) else self.emit("reshape", [y], out)

    def split(self, x: Value, dim: int, shapes: Sequence[Shape]) -> list[Value]:
        """Parts of a tensor along a dimension; parts of one position may lack the dimension."""
        rank, start, parts = len(self.graph.shape(x)), 0, []
        for shape in shapes:
            size = shape[dim] if len(shape) == rank else 1
            parts.append(self.slice(x, {dim: (start, start + size, 1)}, shape))
            start += size
        return parts

    def copies(self, x: Value, out: Shape, *, each: bool = False) -> Value:
        """Copies along dimensions, written so that their order shows.

        Args:
            x: the tensor to copy.
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

    def flip(self, x: Value, dims: Sequence[int]) -> Value:
        """A tensor in reverse order along dimensions."""
        shape = self.graph.shape(x)
        return self.emit("flip", [x], shape, dims=tuple(sorted({dim % len(shape) for dim in dims})))

    def roll(self, x: Value, shifts: Sequence[int], dims: Sequence[int]) -> Value:
        """A tensor shifted along dimensions, around the end; shifts along the same dimension add up."""
        shape = self.graph.shape(x)
        total: dict[int, int] = {}
        for dim, shift in zip(dims, shifts, strict=True):
            place = dim % len(shape)
            total[place] = (total.get(place, 0) + shift) % (shape[place] or 1)
        total = {dim: shift for dim, shift in total.items() if shift}
        return self.emit("roll", [x], shape, shifts=total) if total else x

    def take(self, x: Value, index: Value, dim: int, out: Shape) -> Value:
        """Positions along a dimension, by number; consecutive ones are a slice."""
        run = self.run(index)
        if run is not None and len(self.graph.shape(index)) == 1:
            return self.slice(x, {dim: (*run, 1)}, out)
        return self.emit("gather" if dim else "lookup", [x, index], out, axis=dim)

    def stack(self, values: Sequence[Value], axis: int, out: Shape) -> Value:
        """Values side by side along an axis of their own."""
        shape = (*out[:axis], 1, *out[axis + 1 :])
        return self.emit("concat", [self.emit("reshape", [value], shape) for value in values], out, axis=axis)

    def matmul(self, x: Value, y: Value, out: Shape, equation: Equation, **attrs: Any) -> Value:
        """A product of two tensors, summed over the letters that the output lacks; see `product_equation`.

        One that sums over nothing is a multiplication.
        """
        first, second, result = equation
        if set(first + second) <= set(result) and not attrs:
            return self.emit("mul", [self._spread(x, first, result), self._spread(y, second, result)], out)
        return self.emit("matmul", [x, y], out, equation=equation, **attrs)

    def _spread(self, x: Value, term: str, result: str) -> Value:
        """A tensor with its dimensions at the places where a product has them."""
        shape = self.graph.shape(x)
        order = tuple(sorted(range(len(term)), key=lambda dim: result.index(term[dim])))
        if order != tuple(range(len(term))):
            x = self.emit("transpose", [x], tuple(shape[dim] for dim in order), order=order)
        spread = tuple(shape[term.index(letter)] if letter in term else 1 for letter in result)
        return x if spread == self.graph.shape(x) else self.emit("reshape", [x], spread)

    def constant(self, array: NDArray[Any] | None, shape: Shape, tensor: str | None = None) -> Value:
        """A constant of the forward pass, or one that it computes from constants.

        Args:
            array: the values; None where they are not known.
            shape: of the values.
            tensor: path of the stored tensor that holds them, if one does.
        """
        stored: dict[str, Any] = {} if tensor is None else {"stored": tensor}
        if array is None or array.size > LARGEST_CONSTANT:
            return self.emit("constant", [], shape, values=None, **stored)
        uniform = array.dtype.kind in "fiub" and array.size > 0 and bool((array == array.flat[0]).all())
        facts: dict[str, Any] = {
            "values": digest(array),
            "run": consecutive_range(array),
            "step": counting_step(array),
            "one_hot": is_one_hot(array),
            "fill": float(array.flat[0]) if uniform else None,
            "number": float(array.flat[0]) if uniform and array.size == 1 else None,
        }
        return self.emit("constant", [], shape, **facts, **stored)

    def number(self, value: Value) -> float | None:
        """The one number that a constant holds."""
        number: float | None = self.graph.op(value.op).attrs.get("number")
        return number

    def run(self, value: Value) -> tuple[int, int] | None:
        """Start and stop of the consecutive integers along the last dimension of a value; None for other values."""
        op = self.graph.op(value.op)
        if op.kind == "constant":
            constant_run: tuple[int, int] | None = op.attrs.get("run")
            return constant_run
        run = self.run(op.inputs[0]) if op.kind in ("reshape", "expand", "add", "slice") and op.inputs else None
        if run is None:
            return None
        if op.kind == "add" and len(op.inputs) == 1 and op.attrs["constant"] == int(op.attrs["constant"]):
            run = run[0] + int(op.attrs["constant"]), run[1] + int(op.attrs["constant"])
        if op.kind == "slice" and op.attrs["ranges"] is not None:
            bounds = op.attrs["ranges"].get(len(op.shapes[0]) - 1, (0, run[1] - run[0], 1))
            run = (run[0] + bounds[0], run[0] + bounds[1]) if bounds[2] == 1 else (0, 0)
        return run if op.shapes[0][-1:] == (run[1] - run[0],) and len(op.inputs) == 1 else None

    def parameter(self, tensor: str) -> Value:
        """A stored tensor read as data: a position table, a class token, a layer scale."""
        value, features = parameter_of(self.graph.tensors[tensor])
        shape = self.graph.tensors[tensor].shape
        return self.emit("parameter", [], shape, weights={"value": value}, features=features)


def parameter_of(tensor: Tensor) -> tuple[Weight, tuple[int, ...]]:
    """A stored tensor as the weight of a `parameter`, and the sizes that must agree with its counterpart."""
    extents = [size for size in tensor.shape if size != 1]
    names = iter(f"p{k}" for k in range(len(extents)))
    pattern = " ".join("1" if size == 1 else next(names) for size in tensor.shape)
    return Weight((Piece.of(tensor.path, pattern, tensor.shape),)), tuple(sorted(extents))
