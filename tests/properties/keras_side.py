"""Architectures as Keras models: functional, subclassed or nested, each layer in one of its spellings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tests.properties.architecture import WEIGHTED, Architecture, Node, Shape
from tests.properties.spelling import Spelling
from tests.support import keras_float64, randomise_keras

Weights = dict[str, Any]


@dataclass
class Part:
    """One node as Keras layers.

    Attributes:
        run: what computes it.
        stored: its weights by role, in a layout that does not depend on the spelling.
        layers: what must be tracked by a subclassed model.
    """

    run: Callable[..., Any]
    stored: Callable[[], Weights] = dict
    layers: list[Any] = field(default_factory=list)


@dataclass
class KerasTwin:
    """A built model with the parts that nodes became, by id."""

    model: Any
    parts: dict[int, Part]

    def weights(self, node: Node) -> Weights:
        """Weights of a node by role, as arrays."""
        return {role: np.asarray(array) for role, array in self.parts[node.owner].stored().items() if array is not None}

    def names(self, node: Node) -> list[str]:
        """Names of the layers of a node."""
        return [layer.name for layer in self.parts[node.owner].layers] if node.owner in self.parts else []


def _chain(steps: list[Any], stored: Callable[[], Weights] = dict) -> Part:
    """Layers one after another."""

    def run(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return Part(run, stored, [step for step in steps if isinstance(step, layers.Layer)])


def _array(variable: Any, *shape: int) -> Any:
    if variable is None:
        return None
    array = np.asarray(variable.value)
    return array.reshape(shape) if shape else array


def _padded(node: Node, rank: int) -> tuple[list[Any], str]:
    """A padding layer where zeros are written out, and the padding argument."""
    given = node["padding"]
    if isinstance(given, str):
        return [], given
    pairs = given[0] if rank == 1 else tuple(given)
    return [getattr(layers, f"ZeroPadding{rank}D")(pairs)], "valid"


def conv(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    rank = len(sources[0]) - 1
    pad, mode = _padded(node, rank)
    layer = getattr(layers, f"Conv{rank}D")(
        node["filters"], node["kernel"], node["stride"], mode,
        dilation_rate=node["dilation"], groups=node["groups"], use_bias=node["bias"], name=spell.name(),
    )  # fmt: skip
    return _chain([*pad, layer], lambda: {"kernel": _array(layer.kernel), "bias": _array(layer.bias)})


def depthwise(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    rank = len(sources[0]) - 1
    pad, mode = _padded(node, rank)
    stride = node["stride"] if rank == 2 else node["stride"][0]
    layer = getattr(layers, f"DepthwiseConv{rank}D")(
        node["kernel"], stride, mode, node["multiplier"], use_bias=node["bias"], name=spell.name()
    )
    return _chain([*pad, layer], lambda: {"kernel": _array(layer.kernel), "bias": _array(layer.bias)})


def separable(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    rank, width = len(sources[0]) - 1, sources[0][-1]
    pad, mode = _padded(node, rank)
    stride = node["stride"] if rank == 2 else node["stride"][0]
    if spell.pick(True, False):
        layer = getattr(layers, f"SeparableConv{rank}D")(
            node["filters"], node["kernel"], stride, mode,
            depth_multiplier=node["multiplier"], use_bias=node["bias"], name=spell.name(),
        )  # fmt: skip
        steps, spread, mix = [layer], layer, layer
        names = ("depthwise_kernel", "pointwise_kernel")
    else:
        spread = getattr(layers, f"DepthwiseConv{rank}D")(
            node["kernel"], stride, mode, node["multiplier"], use_bias=False, name=spell.name()
        )
        mix = getattr(layers, f"Conv{rank}D")(node["filters"], 1, use_bias=node["bias"], name=spell.name())
        steps, names = [spread, mix], ("kernel", "kernel")
    return _chain(
        [*pad, *steps],
        lambda: {
            "depthwise": _array(getattr(spread, names[0])),
            "pointwise": _array(getattr(mix, names[1]), width * node["multiplier"], node["filters"]),
            "bias": _array(mix.bias),
        },
    )


def conv_transpose(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    rank = len(sources[0]) - 1
    layer = getattr(layers, f"Conv{rank}DTranspose")(
        node["filters"], node["kernel"], node["stride"], node["padding"], use_bias=node["bias"], name=spell.name()
    )
    return _chain([layer], lambda: {"kernel": _array(layer.kernel), "bias": _array(layer.bias)})


def _dense(units: int, bias: bool, source: Shape, spell: Spelling) -> Any:
    """A dense layer on the last axis, or a convolution that is one."""
    if len(source) == 3 and spell.pick(True, False):
        return layers.Conv2D(units, 1, use_bias=bias, name=spell.name())
    if len(source) == 2 and spell.pick(True, False, False):
        return layers.Conv1D(units, 1, use_bias=bias, name=spell.name())
    if len(source) == 2 and spell.pick(True, False, False):
        return layers.EinsumDense("nti,io->nto", (source[0], units), bias_axes="o" if bias else None, name=spell.name())
    return layers.Dense(units, use_bias=bias, name=spell.name())


def _matrix(layer: Any, rows: int) -> Weights:
    return {"kernel": _array(layer.kernel, rows, -1), "bias": _array(layer.bias)}


def dense(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = _dense(node["units"], node["bias"], sources[0], spell)
    return _chain([layer], lambda: _matrix(layer, sources[0][-1]))


def whole(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    """Over the flattened map, or a convolution with a kernel as large as it."""
    *space, width = sources[0]
    if spell.pick(True, False):
        layer = layers.Dense(node["units"], use_bias=node["bias"], name=spell.name())
        steps = [layers.Flatten(), layer]
    else:
        kind = getattr(layers, f"Conv{len(space)}D")
        layer = kind(node["units"], tuple(space), use_bias=node["bias"], name=spell.name())
        steps = [layer, layers.Flatten()]
    sizes = (*space, width, node["units"])
    return _chain(steps, lambda: {"kernel": _array(layer.kernel, *sizes), "bias": _array(layer.bias)})


def gated(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    width = sources[0][-1]
    gate, up = (_dense(node["width"], node["bias"], sources[0], spell) for _ in range(2))
    down = _dense(width, node["bias"], sources[0], spell)

    def stored() -> Weights:
        sizes = {"gate": (gate, width), "up": (up, width), "down": (down, node["width"])}
        return {f"{name}.{role}": a for name, (layer, n) in sizes.items() for role, a in _matrix(layer, n).items()}

    return Part(lambda x: down(ops.multiply(ops.sigmoid(gate(x)), up(x))), stored, [gate, up, down])


def generator(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = layers.Dense(int(np.prod(node["shape"])), use_bias=node["bias"], name=spell.name())
    return _chain([layer, layers.Reshape(node["shape"])], lambda: _matrix(layer, sources[0][-1]))


def batch_norm(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = layers.BatchNormalization(
        epsilon=node["epsilon"], scale=node["scale"], center=node["center"], name=spell.name()
    )
    names = {"scale": "gamma", "offset": "beta", "mean": "moving_mean", "variance": "moving_variance"}
    return _chain([layer], lambda: {role: _array(getattr(layer, name)) for role, name in names.items()})


def _norm(layer: Any, **names: str) -> Part:
    return _chain([layer], lambda: {role: _array(getattr(layer, name, None)) for role, name in names.items()})


def layer_norm(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = layers.LayerNormalization(
        epsilon=node["epsilon"], scale=node["scale"], center=node["center"], name=spell.name()
    )
    return _norm(layer, scale="gamma", offset="beta")


def rms_norm(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    return _norm(layers.RMSNormalization(epsilon=node["epsilon"], name=spell.name()), scale="scale")


def group_norm(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = layers.GroupNormalization(node["groups"], epsilon=node["epsilon"], name=spell.name())
    return _norm(layer, scale="gamma", offset="beta")


def prelu(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = layers.PReLU(shared_axes=list(range(1, len(sources[0]))) or None, name=spell.name())
    return _chain([layer], lambda: {"slope": _array(layer.alpha, -1)})


ACTIVATIONS: dict[str, list[Callable[[], Any]]] = {
    "relu": [layers.ReLU, lambda: layers.Activation("relu"), lambda: ops.relu],
    "relu6": [lambda: layers.ReLU(6.0), lambda: ops.relu6],
    "sigmoid": [lambda: layers.Activation("sigmoid"), lambda: ops.sigmoid],
    "tanh": [lambda: layers.Activation("tanh"), lambda: ops.tanh],
    "silu": [lambda: layers.Activation("silu"), lambda: ops.silu, lambda: lambda x: x * ops.sigmoid(x)],
    "elu": [layers.ELU, lambda: layers.Activation("elu")],
    "leaky_relu": [lambda: layers.LeakyReLU(0.25), lambda: lambda x: ops.leaky_relu(x, 0.25)],
    "softplus": [lambda: layers.Activation("softplus"), lambda: ops.softplus],
    "softsign": [lambda: layers.Activation("softsign"), lambda: ops.softsign],
    "softmax": [layers.Softmax, lambda: layers.Activation("softmax")],
    "hard_sigmoid": [lambda: layers.Activation("hard_sigmoid"), lambda: ops.hard_sigmoid],
    # TensorFlow's own have constants in float32.
    "gelu": [lambda: lambda x: 0.5 * x * (1 + ops.erf(x / math.sqrt(2)))],
    "gelu_tanh": [lambda: lambda x: 0.5 * x * (1 + ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))],
    "hard_swish": [lambda: layers.Activation("hard_swish"), lambda: ops.hard_swish],
    "mish": [lambda: layers.Activation("mish"), lambda: lambda x: x * ops.tanh(ops.softplus(x))],
    "selu": [lambda: layers.Activation("selu"), lambda: ops.selu],
    "log_sigmoid": [lambda: layers.Activation("log_sigmoid"), lambda: ops.log_sigmoid],
}


def activation(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    return _chain([spell.pick(*ACTIVATIONS[node["name"]])()])


def scale(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    factor = node["factor"]
    return _chain([spell.pick(lambda x: x * factor, lambda x: x / (1 / factor))])


def dropout(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    return _chain([spell.pick(layers.Dropout, layers.GaussianNoise)(0.25)])


def pool(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    rank = len(sources[0]) - 1
    kind = {"max_pool": "Max", "avg_pool": "Average"}[node.kind]
    pad, mode = _padded(node, rank)
    size, stride = (node[name] if rank > 1 else node[name][0] for name in ("kernel", "stride"))
    return _chain([*pad, getattr(layers, f"{kind}Pooling{rank}D")(size, stride, mode)])


def global_pool(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    rank = len(sources[0]) - 1
    kind, reduce = {"avg": ("Average", ops.mean), "max": ("Max", ops.max)}[node["mode"]]
    axes = tuple(range(1, rank + 1))
    return _chain([spell.pick(getattr(layers, f"Global{kind}Pooling{rank}D")(), lambda x: reduce(x, axes))])


def upsample(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    return _chain([layers.UpSampling2D(node["factor"])])


def flatten(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    return _chain([spell.pick(layers.Flatten(), layers.Reshape(node.shape))])


def reshape(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    return _chain([layers.Reshape(node.shape)])


CELLS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


def rnn(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    steps = []
    for number in range(node["layers"]):
        whole = node["sequences"] or number < node["layers"] - 1
        cell = CELLS[node["cell"]](
            node["units"], return_sequences=whole, use_bias=node["bias"],
            name=None if node["bidirectional"] else spell.name(),
        )  # fmt: skip
        steps.append(layers.Bidirectional(cell, name=spell.name()) if node["bidirectional"] else cell)

    def stored() -> Weights:
        found = {}
        for number, step in enumerate(steps):
            for direction, one in enumerate(
                [step.forward_layer, step.backward_layer] if node["bidirectional"] else [step]
            ):
                cell = one.cell
                for role, variable in (
                    ("kernel", cell.kernel),
                    ("recurrent", cell.recurrent_kernel),
                    ("bias", cell.bias),
                ):
                    found[f"{number}.{direction}.{role}"] = _array(variable)
        return found

    return _chain(steps, stored)


def attention(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    has_layer = node["heads"] == node["kv_heads"] or sources[0][-1] == sources[1][-1]
    by_hand = [_attention_by_hand] * (not (node["causal"] and has_layer))
    return spell.pick(*[_attention_layer] * has_layer, *by_hand)(node, sources, spell)


def _attention_layer(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    heads, kv_heads, depth = node["heads"], node["kv_heads"], node["depth"]
    if heads == kv_heads:
        layer = layers.MultiHeadAttention(heads, depth, use_bias=node["bias"], name=spell.name())
    else:
        layer = layers.GroupQueryAttention(depth, heads, kv_heads, use_bias=node["bias"], name=spell.name())

    def stored() -> Weights:
        found = {}
        inner = {"q": "query", "k": "key", "v": "value", "o": "output"}
        for role, name in inner.items():
            dense = getattr(layer, f"_{name}_dense")
            found[f"{role}.kernel"], found[f"{role}.bias"] = _array(dense.kernel), _array(dense.bias)
        return found

    given = {"use_causal_mask": True} if node["causal"] else {}
    return Part(lambda query, source: layer(query, source, **given), stored, [layer])


def _attention_by_hand(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    heads, kv_heads, depth = node["heads"], node["kv_heads"], node["depth"]
    counts = {"q": heads, "k": kv_heads, "v": kv_heads}
    projections = {
        role: layers.Dense(count * depth, use_bias=node["bias"], name=spell.name()) for role, count in counts.items()
    }
    last = layers.Dense(sources[0][-1], use_bias=node["bias"], name=spell.name())

    def split(x: Any, count: int, length: int) -> Any:
        x = ops.transpose(ops.reshape(x, (-1, length, count, depth)), (0, 2, 1, 3))
        return x if count == heads else ops.repeat(x, heads // count, 1)

    def run(query: Any, source: Any) -> Any:
        lengths = {"q": sources[0][0], "k": sources[1][0], "v": sources[1][0]}
        q, k, v = (
            split(projections[role](query if role == "q" else source), counts[role], lengths[role]) for role in "qkv"
        )
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) * depth**-0.5
        mixed = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
        return last(ops.reshape(mixed, (-1, lengths["q"], heads * depth)))

    def stored() -> Weights:
        found = {}
        for role, count in counts.items():
            found[f"{role}.kernel"] = _array(projections[role].kernel, -1, count, depth)
            found[f"{role}.bias"] = _array(projections[role].bias, *(() if not node["bias"] else (count, depth)))
        found["o.kernel"], found["o.bias"] = _array(last.kernel, heads, depth, -1), _array(last.bias)
        return found

    return Part(run, stored, [*projections.values(), last])


def embedding(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = layers.Embedding(node["rows"], node["width"], name=spell.name())
    return _chain([layer], lambda: {"table": _array(layer.embeddings)})


class Table(layers.Layer):
    """Adds a row of a table for each position."""

    def __init__(self, rows: int, **given: Any) -> None:
        super().__init__(**given)
        self.rows = rows

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(shape=(self.rows, shape[-1]), name="embeddings")

    def call(self, x: Any) -> Any:
        return x + self.table[: x.shape[1]]


def positions(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = Table(node["rows"], name=spell.name())
    return _chain([layer], lambda: {"table": _array(layer.table)})


MERGES = {
    "add": layers.Add,
    "mul": layers.Multiply,
    "sub": layers.Subtract,
    "maximum": layers.Maximum,
    "minimum": layers.Minimum,
    "average": layers.Average,
}
OPERATIONS = {"add": ops.add, "mul": ops.multiply, "sub": ops.subtract, "maximum": ops.maximum, "minimum": ops.minimum}


def merge(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = MERGES[node.kind]()
    if len(sources) == 2 and node.kind in OPERATIONS and spell.pick(True, False):
        return Part(OPERATIONS[node.kind])
    return Part(lambda *values: layer(list(values)), dict, [layer])


def concat(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    layer = layers.Concatenate(node["axis"] if node["axis"] == -1 else 1)
    return Part(lambda *values: layer(list(values)), dict, [layer])


def gate(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    spread = (1,) * (len(sources[0]) - 1)
    return Part(lambda x, g: ops.multiply(x, ops.reshape(g, (-1, *spread, sources[1][0]))))


def crop(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    low, high, length = node["low"], node["high"], sources[0][0]
    if len(sources[0]) == 2:
        return _chain([spell.pick(layers.Cropping1D((low, high)), lambda x: x[:, low : length - high])])
    return _chain([spell.pick(layers.Cropping2D(((low, high), (0, 0))), lambda x: x[:, low : length - high])])


def part(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    return _chain([lambda x: x[..., node["start"] : node["stop"]]])


def shuffle(node: Node, sources: list[Shape], spell: Spelling) -> Part:
    h, w, c = sources[0]
    groups = node["groups"]
    steps = [layers.Reshape((h, w, groups, c // groups)), layers.Permute((1, 2, 4, 3)), layers.Reshape((h, w, c))]
    return _chain(steps)


PARTS: dict[str, Callable[[Node, list[Shape], Spelling], Part]] = {
    function.__name__: function
    for function in (
        conv, depthwise, separable, conv_transpose, dense, whole, gated, generator, batch_norm, layer_norm, rms_norm,
        group_norm, prelu, activation, scale, dropout, global_pool, upsample, flatten, rnn, attention, embedding,
        positions, concat, gate, crop, part, shuffle,
    )
}  # fmt: skip
PARTS |= dict.fromkeys(MERGES, merge) | {"max_pool": pool, "avg_pool": pool, "rows": reshape, "pixels": reshape}


class Subclassed(keras.Model):  # type: ignore[misc]
    """A model whose `call` runs given parts."""

    def __init__(self, tracked: list[Any], run: Callable[[list[Any]], list[Any]]) -> None:
        super().__init__()
        self.tracked, self._forward = tracked, run

    def call(self, inputs: Any) -> Any:
        results = self._forward(list(inputs) if isinstance(inputs, (list, tuple)) else [inputs])
        return results if len(results) > 1 else results[0]


def _nested(part: Part, source: Shape) -> Part:
    """A part of one input as a model of its own."""
    inner = keras.Input(source)
    model = keras.Model(inner, part.run(inner))
    return Part(model, part.stored, part.layers)


def build(architecture: Architecture, seed: int) -> KerasTwin:
    """An architecture as a Keras model in float64 with random weights; the seed chooses the spelling."""
    spell = Spelling(seed)
    style = spell.pick("functional", "nested", "subclassed")
    parts: dict[int, Part] = {}
    with keras_float64():
        for node in architecture.nodes:
            if node.kind != "input" and node.shared is None:
                made = PARTS[node.kind](node, architecture.sources(node), spell)
                wrap = (
                    style == "nested" and node.kind in WEIGHTED - {"attention", "embedding"} and spell.pick(True, False)
                )
                parts[node.id] = _nested(made, architecture.sources(node)[0]) if wrap else made

        order = spell.order(architecture)

        def run(inputs: Sequence[Any]) -> list[Any]:
            values = dict(zip((node.id for node in architecture.inputs), inputs, strict=True))
            for node in order:
                if node.kind != "input":
                    values[node.id] = parts[node.owner].run(*(values[source] for source in node.sources))
            return [values[id] for id in architecture.outputs]

        if style == "subclassed":
            model: Any = Subclassed([layer for part in parts.values() for layer in part.layers], run)
            model(examples(architecture, 0))
        else:
            inputs = [keras.Input(n.shape, dtype="int32" if n["whole"] else None) for n in architecture.inputs]
            model = keras.Model(inputs, run(inputs))
        randomise_keras(model, seed)
    return KerasTwin(model, parts)


def examples(architecture: Architecture, seed: int) -> list[np.ndarray[Any, Any]]:
    """Random inputs, three in a batch."""
    rng = np.random.default_rng(seed)
    return [
        rng.integers(0, node["rows"], (3, *node.shape)) if node["whole"] else rng.standard_normal((3, *node.shape))
        for node in architecture.inputs
    ]


def run(twin: KerasTwin, arrays: list[Any]) -> list[np.ndarray[Any, Any]]:
    """Outputs of the model."""
    results = twin.model(arrays if len(arrays) > 1 else arrays[0], training=False)
    return [np.asarray(result) for result in (results if isinstance(results, (list, tuple)) else [results])]
