"""Random architectures as hypothesis strategies: blocks of every family, mixed with each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.properties.architecture import Architecture, Invalid, Sketch

Draw = Callable[..., Any]
Block = Callable[["Net", int], int]
WIDTHS = st.sampled_from((2, 3, 4, 6, 8))
EPSILONS = st.sampled_from((1e-3, 1e-5, 1e-6))
ACTIVATIONS = (
    "relu", "relu6", "sigmoid", "tanh", "silu", "elu", "leaky_relu", "softplus", "softsign", "hard_sigmoid", "gelu",
    "gelu_tanh", "hard_swish", "mish", "selu", "log_sigmoid",
)  # fmt: skip
MOST = 15


class Net(Sketch):
    """A sketch that draws what it adds."""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self.draw = draw

    def one(self, *options: Any) -> Any:
        """One of several."""
        return self.draw(st.sampled_from(options))

    def flag(self) -> bool:
        """Yes or no."""
        return bool(self.draw(st.booleans()))

    def count(self, low: int, high: int) -> int:
        """A number between two."""
        return int(self.draw(st.integers(low, high)))

    def width(self) -> int:
        """A number of features."""
        return int(self.draw(WIDTHS))

    def input(self, *shape: int, rows: int | None = None) -> int:
        """An input; of whole numbers below `rows` if that is given."""
        return self.add("input", shape=shape, whole=rows is not None, rows=rows)

    def some(self, x: int, *blocks: Block) -> int:
        """One of several blocks; the value itself where it does not fit or the network is large enough."""
        if len(self.nodes) >= MOST:
            return x
        before = len(self.nodes)
        try:
            return self.one(*blocks)(self, x)
        except Invalid:
            del self.nodes[before:]
            return x

    def several(self, x: int, least: int, most: int, *blocks: Block) -> int:
        """Blocks one after another."""
        for _ in range(self.count(least, most)):
            x = self.some(x, *blocks)
        return x


def _window(net: Net, x: int, *, dilated: bool = False, same: bool = False, stride: bool = True) -> dict[str, Any]:
    """Kernel, stride, dilation and padding for the space of a value."""
    *space, _ = net.shape(x)
    rank = len(space)
    kernel = tuple(net.count(1, min(3, max(1, size - 1))) for size in space)
    strided = stride and not same and net.one(False, False, True)
    strides = (net.one(2, 2, 3),) * rank if strided and rank < 3 else (1,) * rank
    padding: Any = "same" if same else net.one("valid", "same", "same", "explicit")
    if rank == 1 and dilated and net.one(False, False, not same):
        padding = "causal"
    if padding == "explicit":
        padding = tuple((net.count(0, 2), net.count(0, 2)) for _ in range(rank))
    window = {"kernel": kernel, "stride": strides, "padding": padding}
    if dilated:
        window["dilation"] = (net.one(1, 2),) * rank if set(strides) == {1} else (1,) * rank
    return window


def conv(net: Net, x: int, width: int | None = None, *, same: bool = False) -> int:
    """A convolution."""
    inside = net.shape(x)[-1]
    filters = width or net.width()
    groups = net.one(1, 1, 2)
    groups = groups if inside % groups == 0 and filters % groups == 0 and len(net.shape(x)) < 4 else 1
    return net.add(
        "conv", x, filters=filters, groups=groups, bias=net.flag(), **_window(net, x, dilated=True, same=same)
    )


def depthwise(net: Net, x: int) -> int:
    """One group for each channel."""
    return net.add("depthwise", x, multiplier=net.one(1, 1, 2), bias=net.flag(), **_window(net, x))


def separable(net: Net, x: int) -> int:
    """A depthwise convolution and a pointwise one."""
    return net.add("separable", x, filters=net.width(), multiplier=net.one(1, 2), bias=net.flag(), **_window(net, x))


def conv_transpose(net: Net, x: int, width: int | None = None) -> int:
    """A transposed convolution."""
    rank = len(net.shape(x)) - 1
    sizes = {"kernel": (net.count(1, 4),) * rank, "stride": (net.one(1, 2),) * rank}
    return net.add(
        "conv_transpose", x, filters=width or net.width(), padding=net.one("same", "valid"), bias=net.flag(), **sizes
    )


def dense(net: Net, x: int, width: int | None = None) -> int:
    """A dense layer on the last axis."""
    return net.add("dense", x, units=width or net.width(), bias=net.flag())


def whole(net: Net, x: int) -> int:
    """A layer that reads a whole map at once."""
    return net.add("whole", x, units=net.width(), bias=net.flag())


def gated(net: Net, x: int) -> int:
    """A gated layer."""
    return net.add("gated", x, width=net.width(), bias=net.flag())


def batch_norm(net: Net, x: int) -> int:
    """A batch norm."""
    return net.add("batch_norm", x, epsilon=net.draw(EPSILONS), scale=net.flag(), center=net.flag())


def layer_norm(net: Net, x: int) -> int:
    """A layer norm on the last axis."""
    return net.add("layer_norm", x, epsilon=net.draw(EPSILONS), scale=True, center=net.flag())


def rms_norm(net: Net, x: int) -> int:
    """A root mean square norm."""
    return net.add("rms_norm", x, epsilon=net.draw(EPSILONS))


def group_norm(net: Net, x: int) -> int:
    """A group norm, also with one channel a group."""
    return net.add("group_norm", x, epsilon=net.draw(EPSILONS), groups=net.one(1, 2, net.shape(x)[-1]))


def prelu(net: Net, x: int) -> int:
    """A slope for each channel."""
    return net.add("prelu", x)


def activation(net: Net, x: int) -> int:
    """A function of each element."""
    return net.add("activation", x, name=net.one(*ACTIVATIONS))


def small(net: Net, x: int) -> int:
    """What has no weights and keeps the shape."""
    return net.one(
        lambda: net.add("scale", x, factor=net.one(0.5, 1.7)),
        lambda: net.add("dropout", x),
        lambda: net.add("activation", x, name="softmax"),
    )()


def pool(net: Net, x: int) -> int:
    """Pooling; TensorFlow has none over windows of three dimensions in float64."""
    rank = len(net.shape(x)) - 1
    if rank == 3:
        raise Invalid("no such pooling")
    if net.flag():
        return net.add("max_pool", x, **_window(net, x))
    return net.add("avg_pool", x, kernel=(net.one(2, 3),) * rank, stride=(net.one(1, 2),) * rank, padding="valid")


def upsample(net: Net, x: int) -> int:
    """Copies of pixels."""
    return net.add("upsample", x, factor=2)


def crop(net: Net, x: int) -> int:
    """A part of the first axis."""
    return net.add("crop", x, low=net.count(0, 1), high=net.count(1, 2))


def shuffle(net: Net, x: int) -> int:
    """Channels of groups take turns."""
    return net.add("shuffle", x, groups=2)


def squeeze(net: Net, x: int) -> int:
    """Channels weighed by what is in the whole of space."""
    width = net.shape(x)[-1]
    y = net.add("global_pool", x, mode="avg")
    y = net.add("activation", dense(net, y), name="relu")
    return net.add("gate", x, net.add("activation", dense(net, y, width), name="sigmoid"))


def halves(net: Net, x: int) -> int:
    """Channels go two ways and come together again."""
    width = net.shape(x)[-1]
    cut = net.count(1, max(1, width - 1))
    first, second = net.add("part", x, start=0, stop=cut), net.add("part", x, start=cut, stop=width)
    return net.add("concat", same_size(net, first), second, axis=-1)


def same_size(net: Net, x: int) -> int:
    """A layer that keeps the shape."""
    width = net.shape(x)[-1]
    if len(net.shape(x)) == 1 or net.flag():
        return dense(net, x, width)
    return conv(net, x, width, same=True)


def layer(net: Net, x: int) -> int:
    """A plain layer for a map, a sequence or a vector."""
    rank = len(net.shape(x))
    norms = (batch_norm, layer_norm, rms_norm)
    options: dict[int, tuple[Block, ...]] = {
        1: (dense, dense, gated, activation, prelu, small, *norms),
        2: (dense, conv, gated, activation, prelu, small, group_norm, recurrent, attention, pool, separable, *norms),
        3: (conv, conv, depthwise, separable, conv_transpose, dense, group_norm, prelu, activation, pool, small,
            upsample, crop, *norms),
        4: (conv, conv_transpose, batch_norm, activation, pool),
    }  # fmt: skip
    return net.one(*options[rank])(net, x)


def residual(net: Net, x: int) -> int:
    """x + f(x), or another merge, perhaps with a projection."""
    y = net.several(x, 0, 1, activation, batch_norm)
    y = net.some(same_size(net, y), same_size, activation, batch_norm)
    shortcut = net.some(x, same_size, lambda net, x: x, lambda net, x: x)
    merge = net.one("add", "add", "add", "mul", "sub", "maximum", "minimum", "average")
    return net.add(merge, shortcut, y)


def inception(net: Net, x: int) -> int:
    """Several branches side by side."""
    branches = [net.several(x, 1, 2, branch_layer) for _ in range(net.count(2, 3))]
    return net.add("concat", *branches, axis=-1)


def branch_layer(net: Net, x: int) -> int:
    """A layer that keeps space."""
    rank = len(net.shape(x))
    if rank == 1:
        return dense(net, x)
    return net.one(lambda net, x: conv(net, x, same=True), dense, activation)(net, x)


def densely(net: Net, x: int) -> int:
    """Each layer reads all before it."""
    for _ in range(net.count(1, 2)):
        x = net.add("concat", x, branch_layer(net, x), axis=-1)
    return x


def ushape(net: Net, x: int) -> int:
    """Down, up, and what was on the way down beside it."""
    width = net.width()
    top = conv(net, x, width, same=True)
    down = net.some(net.add("max_pool", top, kernel=(2, 2), stride=(2, 2), padding="valid"), layer)
    up = net.add("upsample", down, factor=2)
    shape, wanted = net.shape(up), net.shape(top)
    if shape[:-1] != wanted[:-1]:
        raise Invalid("odd sizes")
    return conv(net, net.add("concat", *((up, top) if net.flag() else (top, up)), axis=-1), same=True)


def shared(net: Net, x: int) -> int:
    """The same layers twice."""
    first = same_size(net, x)
    y = net.add("activation", first, name=net.one(*ACTIVATIONS))
    z = net.add(net.nodes[first].kind, y, shared=first)
    return net.add("add", z, x) if net.flag() else z


def recurrent(net: Net, x: int, *, sequences: bool = True) -> int:
    """Recurrent layers, stacked or in both directions."""
    return net.add(
        "rnn", x, cell=net.one("rnn", "lstm", "gru"), units=net.width(), bidirectional=net.flag(),
        layers=net.count(1, 2), bias=net.flag(), sequences=sequences,
    )  # fmt: skip


def attention(net: Net, x: int, source: int | None = None) -> int:
    """Attention of a sequence to itself or to another; depths of which Keras rounds no root to float32."""
    heads, kv_heads = net.one((2, 2), (3, 3), (2, 1), (4, 2))
    sizes = {"heads": heads, "kv_heads": kv_heads, "depth": 4}
    causal = source is None and net.one(False, False, True)
    return net.add("attention", x, x if source is None else source, bias=net.flag(), causal=causal, **sizes)


def longer(net: Net, x: int) -> int:
    """Sequences one after another."""
    return net.add("concat", x, same_size(net, x), axis=0)


def encoder(net: Net, x: int) -> int:
    """Attention and a feed-forward layer, each with a norm."""
    x = layer_norm(net, net.add("add", x, attention(net, x)))
    y = net.add("activation", dense(net, x), name="relu")
    return net.add("add", x, dense(net, y, net.shape(x)[-1]))


MAPS: tuple[Block, ...] = (
    layer, layer, layer, residual, inception, densely, ushape, shared, squeeze, halves, shuffle,
)  # fmt: skip
SEQUENCES: tuple[Block, ...] = (
    layer,
    layer,
    layer,
    residual,
    inception,
    densely,
    shared,
    attention,
    recurrent,
    encoder,
    longer,
)
VECTORS: tuple[Block, ...] = (layer, layer, residual, densely)


def image(net: Net) -> int:
    """An input map."""
    return net.input(net.one(6, 7, 9), net.one(8, 10), net.one(1, 3, 4))


def sequence(net: Net) -> int:
    """An input sequence, or tokens with their embedding."""
    if net.flag():
        return net.input(net.one(5, 7), net.one(3, 4, 8))
    x = net.add("embedding", net.input(net.one(5, 7), rows=11), rows=11, width=net.one(4, 8))
    return net.add("positions", x, rows=9) if net.flag() else x


def to_vector(net: Net, x: int) -> int:
    """The end of space or time."""
    rank = len(net.shape(x))
    if rank == 1:
        return x
    if rank == 3:
        ends = (
            lambda: net.add("flatten", x), lambda: net.add("global_pool", x, mode=net.one("avg", "max")),
            lambda: whole(net, x),
            lambda: recurrent(net, net.add("rows", x), sequences=False),
            lambda: to_vector(net, net.some(net.add("pixels", x), *SEQUENCES)),
        )  # fmt: skip
    elif rank == 2:
        ends = (
            lambda: net.add("flatten", x), lambda: net.add("global_pool", x, mode="avg"), lambda: whole(net, x),
            lambda: recurrent(net, x, sequences=False),
        )  # fmt: skip
    else:
        ends = (lambda: net.add("flatten", x), lambda: net.add("global_pool", x, mode="avg"))
    return net.one(*ends)()


def vision(net: Net) -> list[int]:
    """From a map to a vector."""
    x = net.several(conv(net, image(net)), 1, 4, *MAPS)
    return [dense(net, net.several(to_vector(net, x), 0, 2, *VECTORS))]


def segmentation(net: Net) -> list[int]:
    """From a map to a map."""
    return [conv(net, net.several(conv(net, image(net)), 1, 4, *MAPS), same=True)]


def volume(net: Net) -> list[int]:
    """Three dimensions of space."""
    x = net.several(conv(net, net.input(4, 5, 6, 2)), 0, 2, layer, residual)
    return [dense(net, to_vector(net, x))]


def language(net: Net) -> list[int]:
    """A sequence to a sequence or a vector."""
    x = net.several(sequence(net), 1, 4, *SEQUENCES)
    return [dense(net, to_vector(net, x) if net.flag() else x)]


def tabular(net: Net) -> list[int]:
    """Vectors all the way."""
    return [dense(net, net.several(net.input(net.one(5, 7)), 2, 5, *VECTORS, shared))]


def generative(net: Net) -> list[int]:
    """A vector to a map."""
    x = net.several(net.input(net.one(5, 7)), 0, 2, *VECTORS)
    x = net.add("generator", x, shape=(net.one(2, 3), net.one(2, 4), net.width()), bias=net.flag())
    x = conv(net, net.several(x, 0, 2, batch_norm, prelu, activation, dense))
    return [conv(net, net.several(x, 0, 2, *MAPS))]


def translation(net: Net) -> list[int]:
    """An encoder, and a decoder that attends to it."""
    memory = net.several(sequence(net), 1, 2, layer, encoder)
    x = net.several(sequence(net), 0, 1, layer, encoder)
    x = net.add("add", x, attention(net, x, memory))
    return [dense(net, net.several(x, 0, 2, layer))]


def siamese(net: Net) -> list[int]:
    """Two inputs through the same layers."""
    shape = (net.one(6, 7), 8, 3)
    sides = [net.input(*shape), net.input(*shape)]
    for _ in range(net.count(1, 3)):
        before = len(net.nodes)
        left = net.one(conv, dense, batch_norm, depthwise)(net, sides[0])
        assert left == before
        sides = [left, net.add(net.nodes[left].kind, sides[1], shared=left)]
        name = net.one(*ACTIVATIONS)
        sides = [net.add("activation", side, name=name) for side in sides]
    ends = [net.add("global_pool", side, mode="avg") for side in sides]
    joined = net.add("concat", *ends, axis=-1) if net.flag() else net.add(net.one("sub", "mul"), *ends)
    return [dense(net, joined)]


def several_ends(net: Net) -> list[int]:
    """Two inputs of other kinds, several outputs."""
    x = to_vector(net, net.several(image(net), 1, 2, *MAPS))
    y = net.several(net.input(net.one(5, 7)), 0, 2, layer)
    z = net.add("concat", x, y, axis=-1)
    return [dense(net, net.several(z, 0, 1, *VECTORS)) for _ in range(net.count(2, 3))]


FAMILIES: tuple[Callable[[Net], list[int]], ...] = (
    vision, vision, segmentation, volume, language, language, tabular, generative, translation, siamese, several_ends,
)  # fmt: skip


@st.composite
def architectures(draw: Draw) -> Architecture:
    """An architecture of any family."""
    from hypothesis import assume

    net = Net(draw)
    try:
        outputs = draw(st.sampled_from(FAMILIES))(net)
    except Invalid:
        assume(False)
    return net.done(*outputs)


SEEDS = st.integers(0, 2**16)
