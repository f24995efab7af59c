"""Classic mistakes in a PyTorch module: what a part of it computes is changed, its weights stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.properties.architecture import Node, Shape

Forward = Callable[..., Any]
Change = Callable[[Forward, Node, "Axes", Random], "Forward | None"]
NORMS = {"batch_norm", "layer_norm", "rms_norm", "group_norm"}
# `operation:NAME` is right where the operations that are told to differ are called so.
MOVED = frozenset(
    {
        "operation:flip",
        "operation:roll",
        "flip",
        "roll",
        "channel order",
        "order",
        "shuffle groups",
        "axes exchanged",
        "shift",
    }
)
OTHER = frozenset({"operation", "activation"})


@dataclass(frozen=True)
class Axes:
    """Where a PyTorch value of a node has its axes.

    Attributes:
        channel: the axis of the channels.
        space: the axes of space or time.
        sizes: of each, with the batch as None.
    """

    channel: int
    space: tuple[int, ...]
    sizes: tuple[int, ...]

    @staticmethod
    def of(shape: Shape) -> Axes:
        """Of a shape without the batch, channels last."""
        *space, width = shape
        if len(space) < 2:
            return Axes(len(space) + 1, tuple(range(1, len(shape))), (0, *shape))
        return Axes(1, tuple(range(2, len(shape) + 1)), (0, width, *space))

    def equal(self) -> list[tuple[int, int]]:
        """Pairs of axes of one size."""
        places = range(1, len(self.sizes))
        return [(a, b) for a in places for b in places if a < b and self.sizes[a] == self.sizes[b] > 1]


@dataclass(frozen=True)
class Mistake:
    """A way to change what a part computes.

    Attributes:
        causes: names that are right for it.
        change: makes another forward of the right one; None where it does not apply.
    """

    causes: frozenset[str]
    change: Change


def behind(make: Callable[[Node, Axes, Random], Callable[[Tensor], Tensor] | None]) -> Change:
    """Something is done to what a part makes."""

    def change(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
        done = make(node, axes, random)
        return None if done is None else lambda *values: done(forward(*values))

    return change


def always(done: Callable[[Tensor], Tensor]) -> Change:
    """The same for every part."""
    return behind(lambda node, axes, random: done)


def instead(kinds: set[str], done: Callable[[Node, Axes], Forward | None]) -> Change:
    """Parts of some kinds compute something else."""

    def change(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
        return done(node, axes) if node.kind in kinds else None

    return change


def _flip_channels(node: Node, axes: Axes, random: Random) -> Any:
    return (lambda y: y.flip(axes.channel)) if axes.sizes[axes.channel] > 1 else None


def _flip_space(node: Node, axes: Axes, random: Random) -> Any:
    if not axes.space:
        return None
    place = random.choice(axes.space)
    return lambda y: y.flip(place)


def _roll(node: Node, axes: Axes, random: Random) -> Any:
    place, count = random.choice((axes.channel, *axes.space)), random.choice((1, -1, 2))
    return lambda y: y.roll(count, place)


def _transpose(node: Node, axes: Axes, random: Random) -> Any:
    if not axes.equal():
        return None
    a, b = random.choice(axes.equal())
    return lambda y: y.transpose(a, b)


def _view(node: Node, axes: Axes, random: Random) -> Any:
    """Channels first read as channels last, or the other way round."""
    if not axes.space:
        return None
    return lambda y: y.movedim(axes.channel, -1 if axes.channel == 1 else 1).reshape(y.shape)


def _pixel(node: Node, axes: Axes, random: Random) -> Any:
    """Everything a pixel further, zeros in front."""
    if not axes.space or len(axes.sizes) < 4:
        return None
    place = random.choice(axes.space)
    pads = [0, 0] * (len(axes.sizes) - 1 - place) + [1, 0]
    return lambda y: F.pad(y.narrow(place, 0, y.shape[place] - 1), pads)


def _left_out(node: Node, axes: Axes) -> Forward:
    return lambda x, *_: x


def _slope(node: Node, axes: Axes) -> Forward | None:
    return (lambda x: F.leaky_relu(x, 0.01)) if node["name"] == "leaky_relu" else None


def _gelu(node: Node, axes: Axes) -> Forward | None:
    other = {"gelu": "tanh", "gelu_tanh": "none"}.get(node["name"])
    return None if other is None else lambda x: F.gelu(x, approximate=other)


def _softmax(node: Node, axes: Axes) -> Forward | None:
    """Along another axis."""
    if node["name"] != "softmax" or not axes.space:
        return None
    return lambda x: x.softmax(axes.space[0])


def _log_softmax(node: Node, axes: Axes) -> Forward | None:
    return (lambda x: x.log_softmax(axes.channel)) if node["name"] == "softmax" else None


def _resized(node: Node, axes: Axes) -> Forward:
    return lambda x: F.interpolate(x, scale_factor=node["factor"], mode="bilinear")


def _other_pool(node: Node, axes: Axes) -> Forward | None:
    """Average for maximum, and the other way round, where nothing is padded."""
    if node["padding"] != "valid" or len(axes.sizes) < 4:
        return None
    pool = F.avg_pool2d if node.kind == "max_pool" else F.max_pool2d
    return lambda x: pool(x, node["kernel"], node["stride"])


def _summed(node: Node, axes: Axes) -> Forward | None:
    """A sum where a mean belongs."""
    return (lambda x: x.flatten(2).sum(2) if x.ndim > 3 else x.sum(1)) if node["mode"] == "avg" else None


def _reversed(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
    """Operands of a concatenation the other way round."""
    return (lambda *values: forward(*reversed(values))) if node.kind == "concat" else None


def _one_operand(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
    """One side of a residual connection is missing."""
    if node.kind not in ("add", "mul", "sub", "maximum", "minimum") or len(set(node.sources)) < 2:
        return None
    place = random.randrange(2)
    return lambda *values: values[place]


def _in_training(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
    """A batch norm takes the statistics of the batch."""
    part = getattr(forward, "__self__", None)
    if node.kind != "batch_norm" or part is None:
        return None
    layer = part.layer

    def normed(x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=layer.eps)

    return (lambda x: normed(x.transpose(1, 2)).transpose(1, 2)) if len(axes.sizes) == 3 else normed


def _backwards(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
    """A recurrent layer reads its steps from the last to the first."""
    if node.kind != "rnn":
        return None
    return lambda x: forward(x.flip(1))


def _last_step(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
    """Both directions are taken at the last step."""
    part = getattr(forward, "__self__", None)
    if node.kind != "rnn" or part is None or not node["bidirectional"] or node["sequences"]:
        return None
    stack = [layer for _, layer in sorted(part.named_children())]

    def run(x: Tensor) -> Tensor:
        for layer in stack:
            x = layer(x)[0] if layer.batch_first else layer(x.transpose(0, 1))[0].transpose(0, 1)
        return x[:, -1]

    return run


def _with_state(forward: Forward, node: Node, axes: Axes, random: Random) -> Forward | None:
    """A recurrent layer starts from a state that a module has stored."""
    part = getattr(forward, "__self__", None)
    if node.kind != "rnn" or part is None:
        return None
    layer = part.layer0
    count = layer.num_layers * (1 + layer.bidirectional)
    layer.register_buffer("state", torch.full((count, 3, layer.hidden_size), 0.3, dtype=torch.float64))
    plain = layer.forward
    layer.forward = lambda x: plain(x, (layer.state, layer.state) if isinstance(layer, nn.LSTM) else layer.state)
    return forward


def _named(*names: str) -> frozenset[str]:
    return frozenset(names)


CASTS = _named("missing cast")
MISTAKES: dict[str, Mistake] = {
    "channels flipped": Mistake(MOVED, behind(_flip_channels)),
    "space flipped": Mistake(MOVED, behind(_flip_space)),
    "rolled": Mistake(MOVED, behind(_roll)),
    "axes exchanged": Mistake(_named("axes exchanged", "view without permute"), behind(_transpose)),
    "view without permute": Mistake(_named("view without permute", "axes exchanged"), behind(_view)),
    "a pixel further": Mistake(_named("shift", "padding", "operation:pad"), behind(_pixel)),
    "scaled": Mistake(_named("scale", "operation"), always(lambda y: y * 1.1)),
    "another sign": Mistake(_named("sign", "scale", "operation"), always(lambda y: -y)),
    "shifted": Mistake(_named("shift", "operation"), always(lambda y: y + 0.1)),
    "through float16": Mistake(CASTS, always(lambda y: y.half().double())),
    "through bfloat16": Mistake(CASTS, always(lambda y: y.bfloat16().double())),
    "rounded": Mistake(CASTS | {"operation"}, always(lambda y: y.round())),
    "an activation more": Mistake(OTHER, always(torch.tanh)),
    "a softmax more": Mistake(
        OTHER | {"softmax"}, behind(lambda node, axes, random: lambda y: y.softmax(axes.channel))
    ),
    "a sigmoid more": Mistake(OTHER, always(torch.sigmoid)),
    "dropout kept on": Mistake(_named("dropout", "operation"), always(lambda y: F.dropout(y, 0.5, training=True))),
    "a norm left out": Mistake(OTHER | {"scale", "shift", "weights"}, instead(NORMS, _left_out)),
    "an activation left out": Mistake(OTHER | {"softmax"}, instead({"activation", "prelu"}, _left_out)),
    "a scale left out": Mistake(_named("scale", "operation"), instead({"scale"}, _left_out)),
    "another slope": Mistake(_named("negative_slope"), instead({"activation"}, _slope)),
    "another GELU": Mistake(_named("approximate", "activation"), instead({"activation"}, _gelu)),
    "softmax along another axis": Mistake(
        _named("softmax", "axis", "axes exchanged"), instead({"activation"}, _softmax)
    ),
    "log_softmax for softmax": Mistake(OTHER | {"softmax"}, instead({"activation"}, _log_softmax)),
    "bilinear for nearest": Mistake(OTHER | {"interpolation", "mode"}, instead({"upsample"}, _resized)),
    "another pooling": Mistake(OTHER, instead({"max_pool", "avg_pool"}, _other_pool)),
    "a sum for a mean": Mistake(OTHER | {"scale"}, instead({"global_pool"}, _summed)),
    "operands reversed": Mistake(MOVED | {"operand order", "operation:reads"}, _reversed),
    "a residual dropped": Mistake(OTHER, _one_operand),
    "statistics of the batch": Mistake(OTHER | {"training"}, _in_training),
    "steps backwards": Mistake(_named("flip", "operation"), _backwards),
    "both at the last step": Mistake(_named("last step"), _last_step),
    "a kept state": Mistake(_named("kept state"), _with_state),
}
# Those that need no layer of a certain kind.
EVERYWHERE = frozenset(list(MISTAKES)[: list(MISTAKES).index("a norm left out")])


def applied(part: nn.Module, node: Node, shape: Shape, name: str, random: Random) -> bool:
    """Makes a mistake in a part; whether it applies there.

    Args:
        part: the module of a node.
        node: the node.
        shape: of what it makes.
        name: a key of `MISTAKES`.
        random: chooses among several ways.
    """
    made = MISTAKES[name].change(part.forward, node, Axes.of(shape), random)
    if made is None:
        return False
    part.forward = made  # type: ignore[method-assign]
    return True


def on_inputs(module: nn.Module, done: Sequence[Callable[[Tensor], Tensor]]) -> None:
    """A module does something to its inputs first."""
    forward = module.forward
    module.forward = lambda *values: forward(*(change(x) for change, x in zip(done, values, strict=True)))  # type: ignore[method-assign]
