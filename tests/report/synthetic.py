"""A pair of encoders of any size, made without a framework: what a report of large models is tested with."""

from __future__ import annotations

from typing import Any

from autoport.analysis import Analysis, analyse
from autoport.facts.framework import Both
from autoport.graph import Graph, Tensor, Value
from autoport.graph.build import Builder
from autoport.weights.piece import Weight

WIDTH, TOKENS, NODES_OF_A_LAYER = 8, 5, 12
SHAPE = (2, TOKENS, WIDTH)


class Encoder:
    """Layers of attention and of two dense layers, named as in PyTorch or as in Keras."""

    def __init__(self, separator: str, *, flat: bool = False, epsilon: dict[int, float] | None = None) -> None:
        self.build, self.separator, self.flat = Builder(), separator, flat
        self.epsilon = epsilon or {}

    def graph(self, layers: int, without: int | None = None) -> Graph:
        """The graph of so many layers, one of them without its second norm."""
        x = self.build.emit("input", [], SHAPE, axes=["n", "t", "c"], position=0)
        for number in range(layers):
            x = self._layer(number, x, number != without)
        self.build.graph.outputs = [x]
        return self.build.graph

    def _layer(self, number: int, x: Value, whole: bool) -> Value:
        heads = [self._dense(f"{number}.attention.{name}", x) for name in ("query", "key", "value")]
        attended = self._dense(f"{number}.attention.out", self._attention(f"{number}.attention", *heads))
        x = self._norm(number, "first", self._plain(str(number), "add", x, attended))
        inner = self._plain(f"{number}.mlp", "gelu", self._dense(f"{number}.mlp.up", x))
        x = self._plain(str(number), "add", x, self._dense(f"{number}.mlp.down", inner))
        return self._norm(number, "second", x) if whole else x

    def _at(self, path: str, kind: str) -> None:
        joined = f"layers.{path}".replace(".", self.separator)
        self.build.path, self.build.type = joined.replace(self.separator, "_") if self.flat else joined, kind.title()

    def _plain(self, path: str, kind: str, *inputs: Value, **attrs: Any) -> Value:
        self._at(path, kind)
        return self.build.emit(kind, inputs, SHAPE, **attrs)

    def _attention(self, path: str, *inputs: Value) -> Value:
        equation = ("nqd", "nkd", "nkv", "nqv")
        return self._plain(path, "attention", *inputs, equation=equation, tokens="qk", scale=1.0, masked=False)

    def _dense(self, path: str, x: Value) -> Value:
        self._at(path, "dense")
        weights = self._weights(kernel=("i o", (WIDTH, WIDTH)), bias=("o", (WIDTH,)))
        return self.build.dense(x, weights["kernel"].pieces[0], weights["bias"].pieces[0], SHAPE)

    def _norm(self, number: int, name: str, x: Value) -> Value:
        self._at(f"{number}.{name}", "layer_norm")
        weights = self._weights(scale=("c", (WIDTH,)), offset=("c", (WIDTH,)))
        return self.build.norm("layer_norm", x, weights, dims=[2], epsilon=self.epsilon.get(number, 1e-5))

    def _weights(self, **roles: tuple[str, tuple[int, ...]]) -> dict[str, Weight]:
        patterns = {}
        for role, (pattern, shape) in roles.items():
            tensor = Tensor(f"{self.build.path}{self.separator}{role}", shape, "float32")
            patterns[role] = (self.build.tensor(tensor), pattern)
        return self.build.weights(**patterns)


def analysis_of(tf: Graph, torch: Graph) -> Analysis:
    """What two graphs have in common that no model was read for."""
    return analyse(Both(tf, torch), names=Both("keras_encoder", "Encoder"))


def large(nodes: int, *, flat: bool = False) -> Analysis:
    """A pair of at least so many operations a side, of which one norm lacks in PyTorch and one epsilon differs."""
    layers = -(-nodes // NODES_OF_A_LAYER)
    tf = Encoder("/", flat=flat, epsilon={layers // 3: 1e-3}).graph(layers)
    return analysis_of(tf, Encoder(".").graph(layers, without=layers * 2 // 3))
