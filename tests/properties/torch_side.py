"""Architectures as PyTorch modules: names and order of registration random, each layer in one of its spellings.

Maps are channels first, sequences `(n, t, c)`. A module per node knows how to compute it; `truth` knows how to
fill it. A flattened map may keep PyTorch's order of features: `orders` tells which Keras feature stands where.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.properties.architecture import Architecture, Node, Shape, paddings
from tests.properties.orders import spelled_orders
from tests.properties.spelling import Spelling

Order = "np.ndarray[Any, Any] | None"


class Layer(nn.Module):
    """One node: children that are registered in any order, and a function of them."""

    def __init__(self, run: Callable[..., torch.Tensor], spell: Spelling | None = None, **children: Any) -> None:
        super().__init__()
        for name in spell.shuffled(list(children)) if spell else children:
            if isinstance(children[name], nn.Parameter):
                self.register_parameter(name, children[name])
            else:
                self.add_module(name, children[name])
        self.run = run

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return self.run(self, *values)


def _vector(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))


def _turned(run: Callable[[torch.Tensor], torch.Tensor], rank: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of channels first for sequences, which have their channels last."""
    return (lambda x: run(x.transpose(1, 2)).transpose(1, 2)) if rank == 1 else run


def _torch_pads(pads: Sequence[tuple[int, int]]) -> list[int]:
    return [side for pair in reversed(pads) for side in pair]


def _pad_step(pads: list[tuple[int, int]], value: float, spell: Spelling) -> tuple[Any, int | tuple[int, ...]]:
    """A padding layer in front, or an argument; the latter only where both sides get the same."""
    symmetric = all(low == high for low, high in pads)
    if not any(map(any, pads)):
        return (lambda x: x), 0
    if symmetric and spell.pick(True, False):
        return (lambda x: x), tuple(low for low, _ in pads)
    flat = _torch_pads(pads)
    return (lambda x: F.pad(x, flat, value=value)), 0


def conv(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank, width = len(sources[0]) - 1, sources[0][-1]
    groups, filters = node.params.get("groups", 1), node.params.get("filters")
    if node.kind == "depthwise":
        groups, filters = width, width * node["multiplier"]
    before, argument = _pad_step(paddings(node.params, sources[0][:-1]), 0.0, spell)
    layer = getattr(nn, f"Conv{rank}d")(
        width, filters, node["kernel"], node["stride"], argument,
        dilation=node.params.get("dilation", 1), groups=groups, bias=node["bias"],
    )  # fmt: skip
    run = _turned(lambda x: layer(before(x)), rank)
    return Layer(lambda self, x: run(x), layer=layer)


def separable(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank, width = len(sources[0]) - 1, sources[0][-1]
    before, argument = _pad_step(paddings(node.params, sources[0][:-1]), 0.0, spell)
    kind, between = getattr(nn, f"Conv{rank}d"), width * node["multiplier"]
    spread = kind(width, between, node["kernel"], node["stride"], argument, groups=width, bias=False)
    mix = kind(between, node["filters"], 1, bias=node["bias"])
    run = _turned(lambda x: mix(spread(before(x))), rank)
    return Layer(lambda self, x: run(x), spell, spread=spread, mix=mix)


def conv_transpose(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    """`same` crops what is more than stride times size, the odd one behind."""
    rank, width = len(sources[0]) - 1, sources[0][-1]
    totals = [
        k - s if node["padding"] == "same" else min(k - s, 0)
        for k, s in zip(node["kernel"], node["stride"], strict=True)
    ]
    low = [max(total, 0) // 2 for total in totals]
    high = [total - first for total, first in zip(totals, low, strict=True)]
    even = all(a >= b for a, b in zip(low, high, strict=True))
    more = [a - b if even else max(-total, 0) for a, b, total in zip(low, high, totals, strict=True)]
    layer = getattr(nn, f"ConvTranspose{rank}d")(
        width, node["filters"], node["kernel"], node["stride"],
        padding=tuple(low) if even else 0, output_padding=tuple(more), bias=node["bias"],
    )  # fmt: skip

    def cropped(x: torch.Tensor) -> torch.Tensor:
        if even:
            return x
        ends = zip(x.shape[2:], low, high, strict=True)
        return x[(slice(None), slice(None), *(slice(a, size - max(b, 0)) for size, a, b in ends))]

    run = _turned(lambda x: cropped(layer(x)), rank)
    return Layer(lambda self, x: run(x), layer=layer)


def _dense(width: int, units: int, bias: bool, rank: int, spell: Spelling) -> tuple[nn.Module, Any]:
    """A layer on the last axis of a shape of that rank, as Linear or as a 1x1 convolution, and how to call it."""
    if rank == 3:
        if spell.pick(True, False):
            layer: nn.Module = nn.Conv2d(width, units, 1, bias=bias)
            return layer, layer
        layer = nn.Linear(width, units, bias)
        return layer, lambda x: layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    if rank == 4:
        layer = nn.Conv3d(width, units, 1, bias=bias)
        return layer, layer
    if rank == 2 and spell.pick(True, False, False):
        layer = nn.Conv1d(width, units, 1, bias=bias)
        return layer, lambda x: layer(x.transpose(1, 2)).transpose(1, 2)
    layer = nn.Linear(width, units, bias)
    return layer, layer


def dense(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    layer, run = _dense(sources[0][-1], node["units"], node["bias"], len(sources[0]), spell)
    return Layer(lambda self, x: run(x), layer=layer)


def whole(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    *space, width = sources[0]
    if spell.pick(True, False):
        layer: nn.Module = nn.Linear(math.prod(sources[0]), node["units"], node["bias"])
        return Layer(lambda self, x: layer(x.flatten(1)), layer=layer)
    layer = getattr(nn, f"Conv{len(space)}d")(width, node["units"], tuple(space), bias=node["bias"])
    return Layer(lambda self, x: layer(x.transpose(1, 2) if len(space) == 1 else x).flatten(1), layer=layer)


def gated(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank, width, inner = len(sources[0]), sources[0][-1], node["width"]
    down, run_down = _dense(inner, width, node["bias"], rank, spell)
    dim = 1 if rank > 2 else -1
    if spell.pick(True, False):
        both, run_both = _dense(width, 2 * inner, node["bias"], rank, spell)

        def fused(self: Any, x: torch.Tensor) -> torch.Tensor:
            gate, up = run_both(x).chunk(2, dim)
            return run_down(torch.sigmoid(gate) * up)

        return Layer(fused, spell, both=both, down=down)
    (gate, run_gate), (up, run_up) = (_dense(width, inner, node["bias"], rank, spell) for _ in range(2))
    return Layer(lambda self, x: run_down(run_up(x) * run_gate(x).sigmoid()), spell, gate=gate, up=up, down=down)


def generator(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    h, w, c = node["shape"]
    layer = nn.Linear(sources[0][-1], h * w * c, node["bias"])
    if spell.pick(True, False):
        module = Layer(lambda self, x: layer(x).view(-1, c, h, w), layer=layer)
        module.channels_first = True  # type: ignore[assignment]
        return module
    return Layer(lambda self, x: layer(x).view(-1, h, w, c).permute(0, 3, 1, 2), layer=layer)


def batch_norm(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank = len(sources[0])
    layer = getattr(nn, f"BatchNorm{max(rank - 1, 1)}d")(sources[0][-1], node["epsilon"])
    run = _turned(layer, rank - 1)
    return Layer(lambda self, x: run(x), layer=layer)


def _on_last(run: Callable[[torch.Tensor], torch.Tensor], rank: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of channels last for maps, which have them first."""
    return (lambda x: run(x.movedim(1, -1)).movedim(-1, 1)) if rank > 2 else run


def layer_norm(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    layer = nn.LayerNorm(sources[0][-1], node["epsilon"], bias=node["center"] or spell.pick(True, False))
    by_hand = spell.pick(True, False, False)

    def run(x: torch.Tensor) -> torch.Tensor:
        if not by_hand:
            return layer(x)
        off = x - x.mean(-1, keepdim=True)
        y = off / torch.sqrt(off.pow(2).mean(-1, keepdim=True) + node["epsilon"]) * layer.weight
        return y if layer.bias is None else y + layer.bias

    turned = _on_last(run, len(sources[0]))
    return Layer(lambda self, x: turned(x), layer=layer)


def rms_norm(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    layer = nn.RMSNorm(sources[0][-1], node["epsilon"])
    weight, epsilon = layer.weight, node["epsilon"]
    by_hand = spell.pick(True, False)

    def run(x: torch.Tensor) -> torch.Tensor:
        return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon)) if by_hand else layer(x)

    turned = _on_last(run, len(sources[0]))
    return Layer(lambda self, x: turned(x), layer=layer)


def group_norm(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank, width = len(sources[0]), sources[0][-1]
    if node["groups"] == width and spell.pick(True, False):
        layer: nn.Module = getattr(nn, f"InstanceNorm{rank - 1}d")(width, node["epsilon"], affine=True)
    else:
        layer = nn.GroupNorm(node["groups"], width, node["epsilon"])
    run = _turned(layer, rank - 1)
    return Layer(lambda self, x: run(x), layer=layer)


def prelu(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    layer = nn.PReLU(sources[0][-1])
    run = _turned(layer, len(sources[0]) - 1)
    return Layer(lambda self, x: run(x), layer=layer)


ACTIVATIONS: dict[str, list[Callable[[], Any]]] = {
    "relu": [nn.ReLU, lambda: nn.ReLU(inplace=False), lambda: F.relu, lambda: lambda x: x.clamp(min=0)],
    "relu6": [nn.ReLU6, lambda: F.relu6, lambda: lambda x: x.clamp(0, 6)],
    "sigmoid": [nn.Sigmoid, lambda: torch.sigmoid],
    "tanh": [nn.Tanh, lambda: torch.tanh],
    "silu": [nn.SiLU, lambda: F.silu, lambda: lambda x: x * x.sigmoid()],
    "elu": [nn.ELU, lambda: F.elu],
    "leaky_relu": [lambda: nn.LeakyReLU(0.25), lambda: lambda x: F.leaky_relu(x, 0.25)],
    "softplus": [nn.Softplus, lambda: F.softplus],
    "softsign": [nn.Softsign, lambda: F.softsign],
    "hard_sigmoid": [nn.Hardsigmoid, lambda: F.hardsigmoid],
    "gelu": [nn.GELU, lambda: F.gelu, lambda: lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))],
    "gelu_tanh": [lambda: nn.GELU("tanh"), lambda: lambda x: F.gelu(x, approximate="tanh")],
    "hard_swish": [nn.Hardswish, lambda: F.hardswish],
    "mish": [nn.Mish, lambda: F.mish],
    "selu": [nn.SELU, lambda: F.selu],
    "log_sigmoid": [nn.LogSigmoid, lambda: F.logsigmoid],
}


def activation(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    if node["name"] == "softmax":
        dim = 1 if len(sources[0]) > 2 else -1
        return Layer(lambda self, x: x.softmax(dim))
    made = spell.pick(*ACTIVATIONS[node["name"]])()
    return made if isinstance(made, nn.Module) else Layer(lambda self, x: made(x))


def scale(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    factor = node["factor"]
    run = spell.pick(lambda x: x * factor, lambda x: factor * x, lambda x: x / (1 / factor))
    return Layer(lambda self, x: run(x))


def dropout(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    return spell.pick(nn.Dropout, nn.Identity)()


def pool(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank = len(sources[0]) - 1
    pads = paddings(node.params, sources[0][:-1])
    if node.kind == "max_pool":
        outside = -math.inf if node["padding"] == "same" else 0.0
        before, argument = _pad_step(pads, outside, spell)
        argument = 0 if outside == 0.0 else argument
        before = (
            before if argument or not any(map(any, pads)) else (lambda x: F.pad(x, _torch_pads(pads), value=outside))
        )
        layer = getattr(nn, f"MaxPool{rank}d")(node["kernel"], node["stride"], argument)
    else:
        before, argument = (lambda x: x), tuple(low for low, _ in pads)
        layer = getattr(nn, f"AvgPool{rank}d")(node["kernel"], node["stride"], argument, count_include_pad=False)
    run = _turned(lambda x: layer(before(x)), rank)
    return Layer(lambda self, x: run(x))


def global_pool(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank = len(sources[0]) - 1
    dims = tuple(range(2, 2 + rank)) if rank > 1 else (1,)
    plain = torch.mean if node["mode"] == "avg" else torch.amax
    if rank == 1 or spell.pick(True, False):
        return Layer(lambda self, x: plain(x, dims))
    layer = getattr(nn, f"Adaptive{node['mode'].capitalize()}Pool{rank}d")(1)
    return Layer(lambda self, x: layer(x).flatten(1))


def upsample(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    return Layer(lambda self, x: F.interpolate(x, scale_factor=node["factor"]))


def flatten(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    return Layer(lambda self, x: x.flatten(1))


def rows(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    return Layer(lambda self, x: x.permute(0, 2, 1, 3).flatten(2))


def channels_last(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    """A reshape of what was permuted to Keras' order before."""
    shape, last = node.shape, len(sources[0]) > 2
    return Layer(lambda self, x: (x.movedim(1, -1) if last else x).reshape(-1, *shape))


RNNS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def rnn(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    kind, units, both = RNNS[node["cell"]], node["units"], node["bidirectional"]
    first = spell.pick(True, False)
    given = {"bidirectional": both, "batch_first": first, "bias": node["bias"] or spell.pick(True, False)}
    width, count = units * (1 + both), node["layers"]
    fused = spell.pick(True, False)
    sizes = [sources[0][-1], *[width] * (count - 1)]
    made = [kind(sizes[0], units, count, **given)] if fused else [kind(size, units, **given) for size in sizes]

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = x if first else x.transpose(0, 1)
        for layer in made:
            x, state = layer(x)
        if node["sequences"]:
            return x if first else x.transpose(0, 1)
        hidden = state[0] if isinstance(state, tuple) else state
        return torch.cat([hidden[-2], hidden[-1]], 1) if both else hidden[-1]

    return Layer(run, spell, **{f"layer{number}": layer for number, layer in enumerate(made)})


def _heads(x: torch.Tensor, depth: int) -> torch.Tensor:
    return x.unflatten(-1, (-1, depth)).transpose(1, 2)


def _by_hand(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, is_causal: bool = False) -> torch.Tensor:
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if is_causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    return torch.softmax(scores, -1) @ v


def attention(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    same, whole = node.sources[0] == node.sources[1], node["kv_heads"] == node["heads"]
    options = [
        _separate,
        *[_module] * (whole and not node["causal"] and node["heads"] * node["depth"] == sources[0][-1]),
    ]
    options += [_fused] * (same and whole)
    return spell.pick(*options)(node, sources, spell)


def _core(node: Node, spell: Spelling) -> Callable[..., torch.Tensor]:
    repeats = node["heads"] // node["kv_heads"]
    if repeats > 1:
        return partial(F.scaled_dot_product_attention, enable_gqa=True, is_causal=node["causal"])
    return partial(spell.pick(F.scaled_dot_product_attention, _by_hand), is_causal=node["causal"])


def _separate(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    depth, bias, core = node["depth"], node["bias"], _core(node, spell)
    sizes = {"q": node["heads"], "k": node["kv_heads"], "v": node["kv_heads"]}
    widths = {"q": sources[0][-1], "k": sources[1][-1], "v": sources[1][-1]}
    layers = {role: nn.Linear(widths[role], count * depth, bias) for role, count in sizes.items()}
    layers["o"] = nn.Linear(node["heads"] * depth, sources[0][-1], bias)

    def run(self: Any, query: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        v, k, q = (_heads(layers[role](source if role != "q" else query), depth) for role in "vkq")
        return layers["o"](core(q, k, v).transpose(1, 2).flatten(2))

    return Layer(run, spell, **layers)


def _fused(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    """One layer for queries, keys and values: `cut` says how its outputs are taken apart."""
    heads, depth, bias, core = node["heads"], node["depth"], node["bias"], _core(node, spell)
    layers = {
        "qkv": nn.Linear(sources[0][-1], 3 * heads * depth, bias),
        "o": nn.Linear(heads * depth, sources[0][-1], bias),
    }
    cut = spell.pick("chunk", "unbind", "by head")

    def run(self: Any, x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        y = layers["qkv"](x)
        if cut == "chunk":
            q, k, v = (_heads(part, depth) for part in y.chunk(3, -1))
        elif cut == "unbind":
            q, k, v = y.unflatten(-1, (3, heads, depth)).permute(2, 0, 3, 1, 4).unbind(0)
        else:
            q, k, v = y.unflatten(-1, (heads, 3 * depth)).transpose(1, 2).chunk(3, -1)
        return layers["o"](core(q, k, v).transpose(1, 2).flatten(2))

    module = Layer(run, spell, **layers)
    module.cut = cut  # type: ignore[assignment]
    return module


def _module(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    width, other = sources[0][-1], sources[1][-1]
    layer = nn.MultiheadAttention(width, node["heads"], bias=node["bias"], batch_first=True, kdim=other, vdim=other)
    return Layer(lambda self, query, source: layer(query, source, source, need_weights=False)[0], layer=layer)


def embedding(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    layer = nn.Embedding(node["rows"], node["width"])
    return Layer(lambda self, x: layer(x), layer=layer)


def positions(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    if spell.pick(True, False):
        layer = nn.Embedding(node["rows"], sources[0][-1])
        return Layer(lambda self, x: x + layer(torch.arange(x.shape[1])), layer=layer)
    table = nn.Parameter(torch.zeros(node["rows"], sources[0][-1]))
    return Layer(lambda self, x: x + self.weight[: x.shape[1]], weight=table)


MERGES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "add": torch.add,
    "mul": torch.mul,
    "sub": torch.sub,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "average": torch.add,
}


def merge(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    def run(self: Any, first: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        for other in others:
            first = MERGES[node.kind](first, other)
        return first / len(sources) if node.kind == "average" else first

    return Layer(run)


def concat(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    dim = 1 if len(sources[0]) > 2 or node["axis"] == 0 else -1
    return Layer(lambda self, *values: torch.cat(values, dim))


def gate(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    rank = len(sources[0])
    where = (slice(None), None) if rank == 2 else (..., *[None] * (rank - 1))
    return Layer(lambda self, x, g: x * g[where])


def crop(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    dim, length = (1 if len(sources[0]) == 2 else 2), sources[0][0] - node["low"] - node["high"]
    return Layer(lambda self, x: x.narrow(dim, node["low"], length))


def part(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    dim = 1 if len(sources[0]) > 2 else -1
    return Layer(lambda self, x: x.narrow(dim, node["start"], node["stop"] - node["start"]))


def shuffle(node: Node, sources: list[Shape], spell: Spelling) -> nn.Module:
    groups = node["groups"]
    return Layer(lambda self, x: x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2))


MODULES: dict[str, Callable[[Node, list[Shape], Spelling], nn.Module]] = {
    function.__name__: function
    for function in (
        conv, separable, conv_transpose, dense, whole, gated, generator, batch_norm, layer_norm, rms_norm, group_norm,
        prelu, activation, scale, dropout, global_pool, upsample, flatten, rows, rnn, attention, embedding, positions,
        concat, gate, crop, part, shuffle,
    )
}  # fmt: skip
MODULES |= dict.fromkeys(MERGES, merge) | {
    "max_pool": pool,
    "avg_pool": pool,
    "depthwise": conv,
    "pixels": channels_last,
}


class Group(nn.Module):
    """A container that only holds modules."""


class TorchTwin(nn.Module):
    """A module of a whole architecture.

    Attributes:
        parts: the module of each node, by id.
        orders: for each node whose features stand in another order than in Keras, where they are from.
    """

    def __init__(self, architecture: Architecture, seed: int, known: Architecture) -> None:
        super().__init__()
        spell = Spelling(seed)
        before = {node.id: node.sources for node in known.nodes}
        moved = {node.id for node in architecture.nodes if before.get(node.id, node.sources) != node.sources}
        self._operands, orders, raw = spelled_orders(architecture, spell, moved)
        self.__dict__["orders"] = orders
        self.__dict__["architecture"] = architecture
        self.__dict__["parts"] = {
            node.id: self._part(node, spell, keep=raw)
            for node in architecture.nodes
            if node.kind != "input" and node.shared is None
        }
        self.__dict__["names"] = {}
        self._register(spell)
        self._order = spell.order(architecture)

    def _part(self, node: Node, spell: Spelling, *, keep: bool) -> nn.Module:
        make = channels_last if node.kind in ("flatten", "rows") and not keep else MODULES[node.kind]
        return make(node, self.architecture.sources(node), spell)

    def _register(self, spell: Spelling) -> None:
        """Puts the parts somewhere into a tree of containers, under any names."""
        containers: list[tuple[nn.Module, str]] = [(self, "")]
        for id in spell.shuffled(list(self.parts)):
            holder, path = spell.pick(*containers)
            name = spell.name()
            if spell.pick(True, False, False):
                inner = Group()
                holder.add_module(name, inner)
                holder, path = inner, f"{path}{name}."
                containers.append((holder, path))
                name = spell.name()
            holder.add_module(name, self.parts[id])
            self.names[id] = path + name

    def forward(self, *inputs: torch.Tensor) -> Any:
        values = dict(zip((node.id for node in self.architecture.inputs), inputs, strict=True))
        for node in self._order:
            if node.kind != "input":
                read = [values[node.sources[place]] for place in self._operands[node.id]]
                values[node.id] = self.parts[node.owner](*read)
        results = tuple(values[id] for id in self.architecture.outputs)
        return results if len(results) > 1 else results[0]


def build(architecture: Architecture, seed: int, known: Architecture) -> TorchTwin:
    """An architecture as a module in float64; the seed chooses the spelling, `known` is what it was before edits."""
    return TorchTwin(architecture, seed, known).double().eval()


def run(twin: TorchTwin, arrays: list[Any]) -> list[Any]:
    """Outputs as Keras lays them out."""
    tensors = [torch.from_numpy(np.moveaxis(a, -1, 1).copy() if a.ndim > 3 else a.copy()) for a in arrays]
    with torch.no_grad():
        results = twin(*tensors)
    found = []
    for id, result in zip(
        twin.architecture.outputs, results if isinstance(results, tuple) else (results,), strict=True
    ):
        array = result.numpy()
        array = np.moveaxis(array, 1, -1) if array.ndim > 3 else array
        order = twin.orders.get(id)
        found.append(array if order is None else array[..., np.argsort(order)])
    return found
