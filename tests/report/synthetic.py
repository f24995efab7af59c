"""A pair of encoders of any size, made without a framework: what a report of large models is tested with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import nn

from autoport.comparison.differences import find_differences
from autoport.comparison.training import InTraining
from autoport.graph import Graph, Tensor, Value
from autoport.graph.build import Builder
from autoport.matching import match_skeletons
from autoport.matching.skeleton import skeleton
from autoport.result import Match

WIDTH, TOKENS, NODES_OF_A_LAYER = 8, 5, 12
SHAPE = (2, TOKENS, WIDTH)


class Encoder:
    """Layers of attention and of two dense layers, named as in PyTorch or as in Keras."""

    def __init__(self, separator: str, *, flat: bool = False, epsilon: dict[int, float] | None = None) -> None:
        self.build, self.separator, self.flat = Builder(), separator, flat
        self.epsilon = epsilon or {}

    def graph(self, layers: int, without: int | None = None) -> Graph:
        """The graph of so many layers, one of them without its second norm."""
        x = self.build.emit("input", [], SHAPE, position=0)
        for number in range(layers):
            x = self._layer(number, x, number != without)
        self.build.graph.outputs = [x]
        return self.build.graph

    def _layer(self, number: int, x: Value, whole: bool) -> Value:
        heads = [self._dense(f"{number}.attention.{name}", x) for name in ("query", "key", "value")]
        attended = self._dense(f"{number}.attention.out", self._plain(f"{number}.attention", "attention", *heads))
        x = self._norm(number, "first", self._plain(str(number), "add", x, attended))
        inner = self._plain(f"{number}.mlp", "gelu", self._dense(f"{number}.mlp.up", x))
        x = self._plain(str(number), "add", x, self._dense(f"{number}.mlp.down", inner))
        return self._norm(number, "second", x) if whole else x

    def _at(self, path: str, kind: str) -> None:
        joined = f"layers.{path}".replace(".", self.separator)
        self.build.path, self.build.type = joined.replace(self.separator, "_") if self.flat else joined, kind.title()

    def _plain(self, path: str, kind: str, *inputs: Value) -> Value:
        self._at(path, kind)
        return self.build.emit(kind, inputs, SHAPE)

    def _dense(self, path: str, x: Value) -> Value:
        return self._weighted(path, "dense", x, {"kernel": ("i o", (WIDTH, WIDTH)), "bias": ("o", (WIDTH,))})

    def _norm(self, number: int, name: str, x: Value) -> Value:
        weights = {"scale": ("c", (WIDTH,)), "offset": ("c", (WIDTH,))}
        return self._weighted(f"{number}.{name}", "layer_norm", x, weights, epsilon=self.epsilon.get(number, 1e-5))

    def _weighted(
        self, path: str, kind: str, x: Value, roles: dict[str, tuple[str, tuple[int, ...]]], **attrs: Any
    ) -> Value:
        self._at(path, kind)
        patterns = {}
        for role, (pattern, shape) in roles.items():
            tensor = Tensor(f"{self.build.path}{self.separator}{role}", shape, "float32")
            patterns[role] = (self.build.tensor(tensor), pattern)
        return self.build.emit(
            kind, [x], SHAPE, weights=self.build.weights(**patterns), features=(WIDTH, WIDTH), **attrs
        )


def match_of(tf: Graph, torch: Graph) -> Match:
    """The match of two graphs that no model was read for."""
    match = object.__new__(Match)
    match.graph_tf, match.graph_torch = tf, torch
    match.readings = SimpleNamespace(model=SimpleNamespace(name="keras_encoder")), SimpleNamespace()  # type: ignore[assignment]
    match._variables, match._torch_model = {}, nn.Module()
    match.matching = match_skeletons(skeleton(tf), skeleton(torch))
    match.differences, match.shifted, match._plans = find_differences(match.matching), {}, {}
    match.in_training = InTraining()
    match._conclude({})
    return match


def large(nodes: int, *, flat: bool = False) -> Match:
    """A pair of at least so many operations a side, of which one norm lacks in PyTorch and one epsilon differs."""
    layers = -(-nodes // NODES_OF_A_LAYER)
    tf = Encoder("/", flat=flat, epsilon={layers // 3: 1e-3}).graph(layers)
    return match_of(tf, Encoder(".").graph(layers, without=layers * 2 // 3))
