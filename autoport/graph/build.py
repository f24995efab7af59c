"""The layers of the shared vocabulary as constructors: both readers call these, so equal operations look equal.

Data axes are named `n` (batch), `d h w` (space, as many as there are), `t` (time or tokens) and
`c` (channels); a layout such as `n h w c` says where they stand.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

from autoport.graph.emitter import Emitter
from autoport.graph.op import Shape, Value
from autoport.graph.vocabulary import kind_of
from autoport.weights.piece import Piece, Weight
from autoport.weights.role import Role

INPUT_AXES: Mapping[int, tuple[str, ...]] = {
    1: ("n",),
    2: ("n", "c"),
    3: ("n", "t", "c"),
    4: ("n", "h", "w", "c"),
    5: ("n", "d", "h", "w", "c"),
}
SPATIAL: Mapping[int, str] = {1: "w", 2: "h w", 3: "d h w"}


def input_axes(rank: int, *, whole: bool) -> tuple[str, ...]:
    """Names of the axes of a channels-last model input; rows of integers are tokens."""
    if whole and rank == 2:
        return "n", "t"
    return INPUT_AXES.get(rank, tuple(f"a{k}" for k in range(rank)))


class Builder(Emitter):
    """Appends layers, and all that an `Emitter` does."""

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
        axes = layout.split()
        inside = tuple(size for size, axis in zip(self.graph.shape(x), axes, strict=True) if axis not in "nc")
        extents = _kernel_extents(kernel, len(inside))
        pointwise = set(extents) == {1}
        covers_input = inside == extents and not pointwise and not any(any(pair) for pair in padding)
        sizes = tuple(kernel.sizes.get(axis, 1) for axis in ("g", "i", "o"))
        dense = groups == 1 and not transposed and (covers_input or pointwise)
        summed = [*SPATIAL[len(inside)].split(), "i"] if dense and covers_input else ["i"] if groups == 1 else []
        kernel = _number_axes(kernel, summed)
        features = (sizes[1] * math.prod(extents), sizes[2]) if dense else (*sizes, extents, transposed)
        return self.emit(
            "dense" if dense else "conv",
            [x],
            out,
            weights={"kernel": Weight((kernel,)), **self.weights(bias=(bias, "o"))},
            features=features,
            **_data_axes(axes, summed),
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
        gate = kind_of(kind).gates[0]
        recurrent = roles[Role("recurrent_kernel", gate)].pieces[0]
        kernel = roles[Role("kernel", gate)].pieces[0]
        features = (kernel.sizes.get("i", 1), recurrent.sizes.get("u", 1), attrs["reverse"])
        last = len(out[0]) - 1
        attrs |= {"binds": {"i": (0, last)}, "outputs": {"u": last, "r": last}}
        return self.emit(kind, [x, *initial], *out, out[1], weights=roles, features=features, **attrs)

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
            kind: the kind of pooling.
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
        is_global = tuple(self.graph.shape(x)[dim - len(axes)] for dim in space) == kernel_size and not padded
        if is_global and not attrs.keys() & {"dilation", "divisor_override"}:
            return self.emit(f"global_{kind}", [x], out, dims=space)
        if not padded:
            attrs.pop("count_include_pad", None)
        return self.emit(kind, [x], out, layout=axes, kernel_size=kernel_size, stride=stride, padding=padding, **attrs)

    def embedding(self, x: Value, table: Piece, out: Shape, **attrs: Any) -> Value:
        """A look-up of rows; the table has axes `v` (vocabulary) and `c`.

        A look-up of consecutive rows that do not depend on the input, as of positions, is a slice of the table.
        """
        run = self.run(x)
        if run is not None and 0 <= run[0] < run[1] <= table.sizes.get("v", 1):
            rows = self.slice(self.parameter(table.tensor), {0: (*run, 1)}, (run[1] - run[0], out[-1]))
            return self.emit("expand", [rows], out)
        sizes = (table.sizes.get("v", 1), table.sizes.get("c", 1))
        weights, outputs = {"embedding": Weight((table,))}, {"c": len(out) - 1}
        return self.emit("embedding", [x], out, weights=weights, features=sizes, outputs=outputs, **attrs)


def _summed_names(summed: Sequence[str]) -> list[str]:
    """Names of the axes that a kernel sums over: `i`, or `i0 i1 ...` where there are several."""
    return ["i"] if len(summed) == 1 else [f"i{k}" for k in range(len(summed))]


def _number_axes(kernel: Piece, summed: Sequence[str]) -> Piece:
    """A kernel whose summed axes have those names; it lacks axes of size 1."""
    for name, number in zip(summed, _summed_names(summed), strict=True):
        kernel = kernel.renamed(name, number) if name in kernel.axes else kernel
    return kernel


def _data_axes(axes: list[str], summed: Sequence[str]) -> dict[str, Any]:
    """Attributes with the axes of the data that a convolution sums over, and the one that it makes."""
    places = [axes.index(name.replace("i", "c")) for name in summed]
    return {
        "layout": axes,
        "binds": {number: (0, place) for number, place in zip(_summed_names(summed), places, strict=True)},
        "outputs": {"o": axes.index("c")},
        "equation": ("".join(axes), "".join(axes).replace("c", "O")),
    }


def _kernel_extents(kernel: Piece, rank: int) -> tuple[int, ...]:
    return tuple(kernel.sizes.get(axis, 1) for axis in SPATIAL[rank].split())
