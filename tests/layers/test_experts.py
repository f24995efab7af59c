"""Mixtures of experts: in one tensor or as modules of their own, computed for all tokens or for those that chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from autoport.facts.reasons import Code
from autoport.graph.vocabulary import KINDS
from autoport.keras.layers.activation import FUNCTIONS
from autoport.pytorch.functions.pointwise import ACTIVATIONS
from tests.oracle import assert_ports
from tests.support import randomise_torch

Activation = Callable[[torch.Tensor], torch.Tensor]
WIDTH, HIDDEN, EXPERTS, CHOSEN, TOKENS = 6, 10, 4, 2, 30


class Stacked(layers.Layer):  # type: ignore[misc]
    """All experts in one tensor for each of their layers, and computed for every token."""

    def __init__(self, fused: bool = False, bias: bool = False, activation: Any = ops.silu) -> None:
        super().__init__()
        self.fused, self.bias, self.activation = fused, bias, activation
        self.router = layers.Dense(EXPERTS, use_bias=False)

    def build(self, shape: Any) -> None:
        self.router.build(shape)
        wide = 2 * HIDDEN if self.fused else HIDDEN
        self.up = self.add_weight(shape=(EXPERTS, WIDTH, wide), name="up")
        self.gate = None if self.fused else self.add_weight(shape=(EXPERTS, WIDTH, HIDDEN), name="gate")
        self.down = self.add_weight(shape=(EXPERTS, HIDDEN, WIDTH), name="down")
        self.shift = self.add_weight(shape=(EXPERTS, WIDTH), name="shift") if self.bias else None

    def call(self, x: Any) -> Any:
        tokens = ops.reshape(x, (-1, WIDTH))
        best, index = ops.top_k(ops.softmax(self.router(tokens)), CHOSEN)
        routing = ops.sum(ops.one_hot(index, EXPERTS, dtype=x.dtype) * best[..., None], axis=1)
        up = ops.einsum("th,ehm->etm", tokens, self.up)
        if self.fused:
            gate, up = ops.split(up, 2, axis=-1)
        else:
            gate = ops.einsum("th,ehm->etm", tokens, self.gate)
        made = ops.einsum("etm,emh->eth", self.activation(gate) * up, self.down)
        if self.bias:
            made = made + self.shift[:, None]
        mixed = ops.sum(made * ops.transpose(routing)[:, :, None], axis=0)
        return ops.reshape(mixed, (-1, *x.shape[1:]))


class Expert(nn.Module):
    def __init__(self, bias: bool = False, activation: Activation = F.silu) -> None:
        super().__init__()
        self.activation = activation
        self.a, self.b = (nn.Linear(WIDTH, HIDDEN, bias=False) for _ in range(2))
        self.c = nn.Linear(HIDDEN, WIDTH, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(self.activation(self.a(x)) * self.b(x))


class Chosen(nn.Module):
    """Modules that each compute the tokens that chose them."""

    def __init__(self, *, bias: bool = False, flipped: bool = False, activation: Activation = F.silu) -> None:
        super().__init__()
        self.activation = activation
        self.experts = nn.ModuleList(Expert(bias, activation) for _ in range(EXPERTS))
        self.router, self.flipped = nn.Linear(WIDTH, EXPERTS, bias=False), flipped

    def expert(self, number: Any, x: torch.Tensor) -> torch.Tensor:
        return self.experts[number](x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.reshape(-1, WIDTH)
        best, index = self.router(tokens).softmax(-1).topk(CHOSEN)
        mask = F.one_hot(index, EXPERTS).permute(2, 1, 0)
        mask = mask.flip(0) if self.flipped else mask
        mixed = torch.zeros_like(tokens)
        for number in (mask.sum((1, 2)) > 0).nonzero():
            place, rows = torch.where(mask[number].squeeze(0))
            mixed.index_add_(0, rows, self.expert(number, tokens[rows]) * best[rows, place, None])
        return mixed.view(x.shape)


class Sliced(Chosen):
    """The same with all experts in one tensor for each of their layers."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ParameterList(
            nn.Parameter(torch.empty(EXPERTS, *shape)) for shape in ((WIDTH, 2 * HIDDEN), (HIDDEN, WIDTH), (WIDTH,))
        )

    def expert(self, number: Any, x: torch.Tensor) -> torch.Tensor:
        wide, down, shift = (weight[number[0]] for weight in self.experts)
        gate, up = (x @ wide).chunk(2, -1)
        return (F.silu(gate) * up) @ down + shift


class Batched(Chosen):
    """Every expert for every token, as batched products."""

    def __init__(self, activation: Activation = F.silu) -> None:
        super().__init__(activation=activation)
        self.experts = nn.ParameterList(
            nn.Parameter(torch.empty(EXPERTS, *shape)) for shape in ((HIDDEN, WIDTH), (HIDDEN, WIDTH), (WIDTH, HIDDEN))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        best, index = self.router(x).softmax(-1).topk(CHOSEN)
        routing = torch.zeros(*x.shape[:2], EXPERTS, dtype=x.dtype).scatter(2, index, best)
        gate, up = (torch.einsum("nth,emh->netm", x, weight) for weight in self.experts[:2])
        made = torch.einsum("netm,ehm->neth", self.activation(gate) * up, self.experts[2])
        return (made * routing.permute(0, 2, 1)[..., None]).sum(1)


def build(length: int = TOKENS, **options: Any) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        x = keras.Input((length, WIDTH))
        return keras.Model(x, Stacked(**options)(x))

    return make


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("module", [Chosen, Batched])
def test_experts_port(fused: bool, module: type[nn.Module]) -> None:
    assert_ports(build(fused=fused), module())


# What PyTorch's function is given where its usual parameters are others.
GIVEN: dict[str, dict[str, Any]] = {"leaky_relu": {"negative_slope": 0.2}}
SPELLED: list[tuple[str, Any, Activation]] = [
    ("gelu (tanh)", partial(ops.gelu, approximate=True), partial(F.gelu, approximate="tanh")),
    ("gelu (erf)", partial(ops.gelu, approximate=False), lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5))),
    ("power", lambda x: ops.abs(x) ** 1.5, lambda x: x.abs() ** 1.5),
    ("sine", ops.sin, torch.sin),
    ("cosine", ops.cos, torch.cos),
]


def activations() -> Iterator[tuple[str, Any, Activation]]:
    """Every activation of the vocabulary that both frameworks have a function for, by its name."""
    names = {kind: name for name, (kind, _) in FUNCTIONS.items() if KINDS[kind].is_activation}
    for name, (kind, _) in ACTIVATIONS.items():
        if kind in names:
            function = getattr(F, name, None) or getattr(torch, name)
            keras_function = keras.activations.get(names[kind])
            if kind == "gelu":
                keras_function = partial(keras_function, approximate=False)
            yield kind, keras_function, partial(function, **GIVEN.get(kind, {}))


@pytest.mark.parametrize("module", [Chosen, Batched])
@pytest.mark.parametrize(
    ("keras_function", "function"), [pytest.param(*pair, id=name) for name, *pair in [*activations(), *SPELLED]]
)
def test_experts_with_any_activation_port(keras_function: Any, function: Activation, module: Any) -> None:
    """Keras rounds some constants of its activations to float32, which the verification knows."""
    match = assert_ports(build(activation=keras_function), module(activation=function), equal=False)
    assert match.verify().ok


def test_experts_with_biases_port() -> None:
    assert_ports(build(bias=True), Chosen(bias=True))


def test_experts_in_one_tensor_on_both_sides_port() -> None:
    assert_ports(build(fused=True, bias=True), Sliced())


def test_experts_that_stand_in_another_order_are_refused() -> None:
    match = autoport.match(build()(), Chosen(flipped=True))
    assert not [path for path in match.plan().entries if path.startswith("experts")]


def test_an_expert_that_no_token_chose_is_missed() -> None:
    model, module = build(length=1)(), Chosen().eval()
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    unread = {f"experts.{k}.a.weight" for k in range(EXPERTS)} - match.graph_torch.read_tensors()
    assert unread
    assert not match.complete
    assert any(reason.code is Code.PART_CARRIED for reason in match.unexpected().values())
