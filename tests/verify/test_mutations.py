"""A guard against lies: whatever is broken in a right port is caught, and named where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.verify.models import PAIRS, ported

Break = Callable[[dict[str, Tensor]], None]


def exchange(first: str, second: str) -> Break:
    """Two tensors of one shape change places."""

    def edit(tensors: dict[str, Tensor]) -> None:
        kept = tensors[first].clone()
        tensors[first].copy_(tensors[second])
        tensors[second].copy_(kept)

    return edit


def exchange_rows(path: str, first: slice, second: slice) -> Break:
    """Two parts of a tensor change places."""

    def edit(tensors: dict[str, Tensor]) -> None:
        kept = tensors[path][first].clone()
        tensors[path][first] = tensors[path][second]
        tensors[path][second] = kept

    return edit


def replace(path: str, change: Callable[[Tensor], Tensor]) -> Break:
    """A tensor becomes a function of itself."""

    def edit(tensors: dict[str, Tensor]) -> None:
        tensors[path].copy_(change(tensors[path].clone()))

    return edit


def transpose(path: str, first: int, second: int) -> Break:
    """Two axes of a tensor change places."""
    return replace(path, lambda tensor: tensor.transpose(first, second))


def nudge(path: str, place: int = 0) -> Break:
    """One number moves by one float32 rounding, 1e-7 of itself."""

    def edit(tensors: dict[str, Tensor]) -> None:
        flat = tensors[path].view(-1)
        flat[place] = float(np.nextafter(np.float32(flat[place]), np.float32(np.inf)))

    return edit


@dataclass(frozen=True)
class Mutation:
    """Something that is broken.

    Args:
        pair: which twins.
        edit: breaks the tensors of the PyTorch model.
        places: every module at which it must be located, and no other.
    """

    pair: str
    edit: Break
    places: frozenset[str]


def mutation(pair: str, edit: Break, *places: str) -> Mutation:
    return Mutation(pair, edit, frozenset(places))


GATE = [slice(k * 5, k * 5 + 5) for k in range(4)]
QUERY, KEY, VALUE = (slice(k * 8, k * 8 + 8) for k in range(3))
MUTATIONS = {
    "two kernels": mutation("convolutions", exchange("square.weight", "again.weight"), "square", "again"),
    "two biases": mutation("convolutions", exchange("left.bias", "right.bias"), "left", "right"),
    "a kernel's rows and columns": mutation("convolutions", transpose("square.weight", 2, 3), "square"),
    "a kernel's inputs and outputs": mutation("convolutions", transpose("square.weight", 0, 1), "square"),
    "a depthwise kernel's rows and columns": mutation("convolutions", transpose("depthwise.weight", 2, 3), "depthwise"),
    "scale and offset": mutation("convolutions", exchange("norm.weight", "norm.bias"), "norm"),
    "mean and variance": mutation("convolutions", exchange("norm.running_mean", "norm.running_var"), "norm"),
    "channels of a flattened map": mutation(
        "convolutions",
        replace("head.weight", lambda t: t.view(5, 12, 6).transpose(1, 2).reshape(5, 72)),
        "head",
    ),
    "a convolution's bias by 1e-7": mutation("convolutions", nudge("left.bias", 2), "left"),
    "a dense layer's bias by 1e-7": mutation("convolutions", nudge("head.bias", 1), "head"),
    "a kernel's number by 1e-7": mutation("convolutions", nudge("square.weight", 77), "square"),
    "query and key": mutation("attention", exchange_rows("attention.in_proj_weight", QUERY, KEY), "attention"),
    "key and value": mutation("attention", exchange_rows("attention.in_proj_weight", KEY, VALUE), "attention"),
    "heads of the queries": mutation(
        "attention", exchange_rows("attention.in_proj_weight", slice(0, 4), slice(4, 8)), "attention"
    ),
    "the output projection's axes": mutation("attention", transpose("attention.out_proj.weight", 0, 1), "attention"),
    "a query's bias by 1e-7": mutation("attention", nudge("attention.in_proj_bias", 1), "attention"),
    "a norm's scale and offset": mutation("attention", exchange("norm.weight", "norm.bias"), "norm"),
    "input and forget gate": mutation("recurrent", exchange_rows("lstm.weight_ih_l0", GATE[0], GATE[1]), "lstm"),
    "cell and output gate": mutation("recurrent", exchange_rows("lstm.weight_hh_l0", GATE[2], GATE[3]), "lstm"),
    "gates of a bias": mutation("recurrent", exchange_rows("lstm.bias_ih_l0", GATE[0], GATE[3]), "lstm"),
    "reset and update gate": mutation("recurrent", exchange_rows("gru.weight_ih_l0", slice(0, 4), slice(4, 8)), "gru"),
    "both biases of a candidate gate": mutation(
        "recurrent",
        lambda t: exchange("a", "b")({"a": t["gru.bias_ih_l0"][8:], "b": t["gru.bias_hh_l0"][8:]}),
        "gru",
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_right_port_is_verified(pair: str) -> None:
    match, _ = ported(pair)
    verification = match.verify()
    assert verification.ok, str(verification)
    assert verification.relative < 1e-12
    assert not verification.divergences
    assert not verification.unobservable


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_tensor_is_caught_and_located(name: str) -> None:
    broken = MUTATIONS[name]
    match, module = ported(broken.pair)
    with torch.no_grad():
        broken.edit(dict(module.state_dict()))
    verification = match.verify()
    assert not verification.ok
    assert {divergence.cause for divergence in verification.divergences} == {"weights"}
    assert {divergence.torch.path.split(".")[0] for divergence in verification.divergences} == broken.places


def shift(module: nn.Module) -> None:
    """A convolution sees its image a pixel further down."""
    module.right.padding = (0, 0)
    module.right = nn.Sequential(nn.ZeroPad2d((2, 2, 3, 1)), module.right)


FUNCTIONS: dict[str, tuple[Callable[[nn.Module], None], str, str]] = {
    "an epsilon by 1e-6": (lambda module: setattr(module.norm, "eps", 1e-3 + 1e-6), "epsilon", "norm "),
    "the order of a concatenation": (lambda module: setattr(module, "swapped", True), "operand order", "model:concat "),
    "a padding by a pixel": (shift, "padding", "right"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_another_function_is_caught_and_located(name: str) -> None:
    edit, cause, place = FUNCTIONS[name]
    match, module = ported("convolutions")
    edit(module)
    verification = match.verify()
    assert not verification.ok
    (divergence,) = verification.divergences
    assert str(divergence.torch).startswith(place)
    assert [(found.name, found.confirmed) for found in divergence.causes] == [(cause, True)], str(verification)


def test_a_bias_of_a_key_cannot_show() -> None:
    match, module = ported("attention")
    with torch.no_grad():
        module.attention.in_proj_bias[KEY] += 1.0
    verification = match.verify()
    assert verification.ok, str(verification)
    assert len(verification.unobservable) == 1
    assert "in_proj_bias" in verification.unobservable[0].details["wrong"].details["tensor"]


class Normed(nn.Module):
    """A convolution whose bias the norm behind it removes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.GroupNorm(4, 4, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


def test_a_bias_that_a_norm_removes_cannot_show() -> None:
    import keras
    from keras import layers

    import autoport
    from tests.support import randomise_keras

    image = keras.Input((9, 12, 3))
    model = keras.Model(image, layers.GroupNormalization(4)(layers.Conv2D(4, 3)(image)))
    randomise_keras(model, 1)
    module = Normed()
    match = autoport.match(model, module)
    match.assign()
    assert match.verify().ok
    with torch.no_grad():
        module.conv.bias += 1.0
    verification = match.verify()
    assert verification.ok, str(verification)
    assert verification.unobservable[0].details["wrong"].details["tensor"] == "conv.bias"
