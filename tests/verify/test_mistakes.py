"""Classic mistakes of a port are named, and the twin without the mistake is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import Tensor, nn

import autoport
from autoport.verify.explaining.mistakes.recognise import other_shape, recognise
from autoport.verify.explaining.mistakes.values import Values
from autoport.verify.verification import Cause, Verification
from tests.support import randomise_keras, randomise_torch

Between = Callable[[Any], Any]


class Net(nn.Module):
    """A layer, something, a layer."""

    def __init__(self, first: nn.Module, between: Between, last: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.last = first, between, last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self.first(x)))


def same(x: Any) -> Any:
    return x


def keras_map(between: Between) -> keras.Model:
    image = keras.Input((6, 6, 3))
    return keras.Model(image, layers.Conv2D(5, 3)(between(layers.Conv2D(12, 1)(image))))


def torch_map(between: Between) -> nn.Module:
    return Net(nn.Conv2d(3, 12, 1), between, nn.Conv2d(12, 5, 3))


def keras_steps(between: Between) -> keras.Model:
    steps = keras.Input((7, 6))
    return keras.Model(steps, layers.Dense(5)(between(layers.Dense(8)(steps))))


def torch_steps(between: Between) -> nn.Module:
    return Net(nn.Linear(6, 8), between, nn.Linear(8, 5))


def keras_tokens(between: Between) -> keras.Model:
    image = keras.Input((6, 6, 3))
    return keras.Model(image, layers.Dense(5)(layers.Reshape((36, 12))(between(layers.Conv2D(12, 1)(image)))))


def torch_tokens(between: Between) -> nn.Module:
    return Net(nn.Conv2d(3, 12, 1), between, nn.Linear(12, 5))


def verified(model: keras.Model, module: nn.Module) -> Verification:
    """Weights that a mistake does not let be carried over are carried by hand."""
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign(strict=False)
    stored = [layer for layer in model.layers if isinstance(layer, (layers.Conv2D, layers.Dense))]
    named = [child for child in module.modules() if isinstance(child, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        for layer, child in zip(stored, named, strict=True):
            kernel = torch.from_numpy(np.asarray(layer.kernel))
            child.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
            child.bias.copy_(torch.from_numpy(np.asarray(layer.bias)))
    return match.verify()


def assert_named(verification: Verification, name: str, values: Any = None) -> Cause:
    """The first divergence has that cause, and no place an unknown one."""
    assert not verification.ok
    named = [cause for d in verification.divergences for cause in d.causes if cause.name == name]
    assert [cause.confirmed for cause in named[:1]] == [True], str(verification)
    assert "unknown" not in {d.cause for d in verification.divergences}, str(verification)
    assert values is None or named[0].values == values
    return named[0]


VIEWS: dict[str, tuple[Between, Between, Between]] = {
    "tokens": (same, lambda x: x.reshape(-1, 36, 12), lambda x: x.flatten(2).transpose(1, 2)),
    "tokens behind a ReLU": (
        ops.relu,
        lambda x: x.relu().reshape(-1, 36, 12),
        lambda x: x.relu().permute(0, 2, 3, 1).flatten(1, 2),
    ),
    "tokens behind zeros": (
        lambda x: layers.ZeroPadding2D(1)(layers.Cropping2D(1)(x)),
        lambda x: F.pad(x[:, :, 1:-1, 1:-1], (1, 1, 1, 1)).reshape(-1, 36, 12),
        lambda x: F.pad(x[:, :, 1:-1, 1:-1], (1, 1, 1, 1)).flatten(2).transpose(1, 2),
    ),
}


@pytest.mark.parametrize("case", VIEWS)
def test_a_view_without_permute_is_named(case: str) -> None:
    between, wrong, right = VIEWS[case]
    assert_named(verified(keras_tokens(between), torch_tokens(wrong)), "view without permute")
    assert verified(keras_tokens(between), torch_tokens(right)).ok


def attend(x: Any) -> Any:
    x = ops.transpose(ops.reshape(x, (-1, 7, 2, 4)), (0, 2, 1, 3))
    y = ops.softmax(x @ ops.transpose(x, (0, 1, 3, 2))) @ x
    return ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, 7, 8))


def attending(joined: Between) -> Between:
    def between(x: Tensor) -> Tensor:
        x = x.view(-1, 7, 2, 4).transpose(1, 2)
        return joined((x @ x.transpose(-1, -2)).softmax(-1) @ x)

    return between


def test_heads_that_are_joined_without_permute_are_named() -> None:
    wrong = attending(lambda y: y.reshape(-1, 7, 8))
    assert_named(verified(keras_steps(attend), torch_steps(wrong)), "view without permute")
    right = attending(lambda y: y.transpose(1, 2).reshape(-1, 7, 8))
    assert verified(keras_steps(attend), torch_steps(right)).ok


MOVED: dict[str, tuple[Between, Between, str]] = {
    "height flipped": (same, lambda x: x.flip(2), "flip"),
    "width flipped": (same, lambda x: x.flip(3), "flip"),
    "both flipped in Keras": (lambda x: x[:, ::-1, ::-1], same, "flip"),
    "channels flipped": (lambda x: x[..., ::-1], same, "flip"),
    "height rolled": (same, lambda x: x.roll(1, 2), "roll"),
    "width rolled back": (same, lambda x: x.roll(-2, 3), "roll"),
    "width rolled in Keras": (lambda x: ops.roll(x, 1, 2), same, "roll"),
    "height and width exchanged": (same, lambda x: x.transpose(2, 3), "axes exchanged"),
    "height and width exchanged in Keras": (lambda x: ops.transpose(x, (0, 2, 1, 3)), same, "axes exchanged"),
    "a quarter turn": (same, lambda x: x.rot90(1, (2, 3)), "flip"),
    "channels in another order": (same, lambda x: x[:, [3, 1, 0, 2, 7, 5, 4, 6, 11, 9, 8, 10]], "channel order"),
    "a pixel further down": (ops.relu, lambda x: F.pad(x[:, :, :-1], (0, 0, 1, 0)).relu(), "shift"),
    "a pixel to the left": (ops.relu, lambda x: F.pad(x[..., 1:], (0, 1)).relu(), "shift"),
}


@pytest.mark.parametrize("case", MOVED)
def test_what_stands_elsewhere_is_named(case: str) -> None:
    between, wrong, name = MOVED[case]
    assert_named(verified(keras_map(between), torch_map(wrong)), name)


def keras_shuffle(groups: int) -> Between:
    def shuffle(x: Any) -> Any:
        x = ops.transpose(ops.reshape(x, (-1, 6, 6, groups, 12 // groups)), (0, 1, 2, 4, 3))
        return ops.reshape(x, (-1, 6, 6, 12))

    return shuffle


def torch_shuffle(groups: int) -> Between:
    return lambda x: x.view(-1, groups, 12 // groups, 6, 6).transpose(1, 2).reshape(-1, 12, 6, 6)


@pytest.mark.parametrize(("tf", "torch_"), [(2, 3), (2, 6), (3, 2), (6, 4)])
def test_channels_shuffled_by_other_groups_are_named(tf: int, torch_: int) -> None:
    wrong = verified(keras_map(keras_shuffle(tf)), torch_map(torch_shuffle(torch_)))
    assert_named(wrong, "shuffle groups", (tf, torch_))


def test_channels_that_only_one_side_shuffles_are_named() -> None:
    assert_named(verified(keras_map(keras_shuffle(3)), torch_map(same)), "shuffle groups", (3, 1))
    assert verified(keras_map(keras_shuffle(3)), torch_map(torch_shuffle(3))).ok


NUMBERS: dict[str, tuple[Between, Between, str]] = {
    "a factor": (lambda x: x / 255, same, "scale"),
    "the root of a size": (same, lambda x: x * 12**0.5, "scale"),
    "a sum for a mean": (
        lambda x: x + ops.mean(x, (1, 2), keepdims=True) * 0,
        lambda x: x * 2 + x.sum((2, 3), keepdim=True) * 0,
        "scale",
    ),
    "a factor for each channel": (
        lambda x: x * np.arange(1.0, 13.0, dtype="float32"),
        same,
        "scale",
    ),
    "a summand": (lambda x: x + 0.5, lambda x: x + 0.5 + 1.0 * (x == x), "shift"),
    "a sign": (lambda x: -x, same, "sign"),
    "operands exchanged": (
        lambda x: ops.relu(x) - ops.tanh(x),
        lambda x: x.tanh() - x.relu(),
        "sign",
    ),
    "probabilities by hand": (
        same,
        lambda x: x.exp() / x.exp().sum(1, keepdim=True),
        "softmax",
    ),
    "a root of what is negative": (lambda x: ops.sqrt(ops.abs(x)), torch.sqrt, "NaN"),
    "a logarithm of zero": (lambda x: ops.log(ops.relu(x) + 1.0), lambda x: x.relu().log(), "NaN"),
    "whole numbers in Keras": (
        lambda x: ops.cast(ops.cast(3 * x, "int32"), "float32"),
        lambda x: 3 * x,
        "missing cast",
    ),
    "whole numbers in PyTorch": (lambda x: 3 * x, lambda x: (3 * x).int().float(), "missing cast"),
    "long whole numbers in PyTorch": (lambda x: 3 * x, lambda x: (3 * x).to(torch.int64).float(), "missing cast"),
    "rounded": (lambda x: 3 * x, lambda x: (3 * x).round(), "missing cast"),
    "rounded down in Keras": (lambda x: ops.floor(3 * x), lambda x: 3 * x, "missing cast"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_what_was_computed_otherwise_is_named(case: str) -> None:
    between, wrong, name = NUMBERS[case]
    assert_named(verified(keras_map(between), torch_map(wrong)), name)


TWINS: dict[str, tuple[Between, Between]] = {
    "whole numbers": (
        lambda x: ops.cast(ops.cast(3 * x, "int32"), "float32"),
        lambda x: (3 * x).int().float(),
    ),
    "flipped": (lambda x: x[:, ::-1], lambda x: x.flip(2)),
    "scaled": (lambda x: x / 255, lambda x: x / 255),
}


@pytest.mark.parametrize("case", TWINS)
def test_what_both_do_is_no_mistake(case: str) -> None:
    between, twin = TWINS[case]
    assert verified(keras_map(between), torch_map(twin)).ok


class Directions(nn.Module):
    """A recurrent layer in both directions, of which something is taken."""

    def __init__(self, kind: type[nn.RNNBase], taken: Between) -> None:
        super().__init__()
        self.rnn, self.taken = kind(6, 4, batch_first=True, bidirectional=True), taken
        self.last = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.taken(self.rnn(x)[0]))


def keras_directions(layer: Any) -> keras.Model:
    steps = keras.Input((7, 6))
    return keras.Model(steps, layers.Dense(5)(layer(steps)))


LAST: dict[str, tuple[Callable[[], Any], Callable[[], nn.Module], tuple[Any, Any]]] = {
    "both at the last step": (
        lambda: layers.Bidirectional(layers.LSTM(4)),
        lambda: Directions(nn.LSTM, lambda y: y[:, -1]),
        ((6, 0), (6, 6)),
    ),
    "both at the first step": (
        lambda: layers.Bidirectional(layers.LSTM(4)),
        lambda: Directions(nn.LSTM, lambda y: y[:, 0]),
        ((6, 0), (0, 0)),
    ),
    "of a GRU": (
        lambda: layers.Bidirectional(layers.GRU(4)),
        lambda: Directions(nn.GRU, lambda y: y[:, -1]),
        ((6, 0), (6, 6)),
    ),
}


@pytest.mark.parametrize("case", LAST)
def test_another_step_of_a_recurrent_layer_is_named(case: str) -> None:
    layer, module, values = LAST[case]
    verification = verified(keras_directions(layer()), module())
    assert_named(verification, "last step")
    assert values in [cause.values for d in verification.divergences for cause in d.causes]


def test_each_direction_at_its_own_last_step_is_no_mistake() -> None:
    module = Directions(nn.LSTM, lambda y: torch.cat([y[:, -1, :4], y[:, 0, 4:]], 1))
    verification = verified(keras_directions(layers.Bidirectional(layers.LSTM(4))), module)
    assert verification.relative < 1e-12
    assert "last step" not in str(verification)
    assert verified(*one_direction(lambda y: y[:, -1])).ok


def one_direction(taken: Between) -> tuple[keras.Model, nn.Module]:
    model = keras_directions(layers.LSTM(4))
    return model, Net(nn.LSTM(6, 4, batch_first=True), lambda y: taken(y[0]), nn.Linear(4, 5))


class Keeping(nn.Module):
    """A recurrent layer that starts where it ended."""

    def __init__(self, kind: type[nn.RNNBase], states: int, start: float) -> None:
        super().__init__()
        self.rnn, self.last, self.states = kind(6, 4, batch_first=True), nn.Linear(4, 5), states
        for number in range(states):
            self.register_buffer(f"state{number}", torch.full((1, 2, 4), start))

    def forward(self, x: Tensor) -> Tensor:
        names = [f"state{number}" for number in range(self.states)]
        kept = [self.get_buffer(name) for name in names]
        y, after = self.rnn(x, kept[0] if self.states == 1 else tuple(kept))
        for buffer, state in zip(names, [after] if self.states == 1 else after, strict=True):
            setattr(self, buffer, state.detach())
        return self.last(y)


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize(("layer", "kind", "states"), [(layers.GRU, nn.GRU, 1), (layers.LSTM, nn.LSTM, 2)])
def test_a_kept_state_is_named(layer: Any, kind: type[nn.RNNBase], states: int, stateful: bool) -> None:
    steps = keras.Input(batch_shape=(2, 7, 6))
    model = keras.Model(steps, layers.Dense(5)(layer(4, return_sequences=True, stateful=stateful)(steps)))
    assert_named(verified(model, Keeping(kind, states, 0.3)), "kept state")


X = torch.randn(2, 12, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
RECOGNISED: dict[str, tuple[Tensor, Tensor, str]] = {
    "windows": (
        X.view(2, 3, 4, 5, 5).transpose(2, 3).flatten(1, 2),
        X.view(2, 15, 4, 5),
        "view without permute",
    ),
    "batch and steps": (X.flatten(2), X.flatten(2).transpose(0, 1).reshape(2, 12, 25), "view without permute"),
    "two axes of a size": (X, X.transpose(2, 3), "axes exchanged"),
    "float16": (X, X.half().double(), "missing cast"),
    "float32 in Keras": (X.float().double(), X, "missing cast"),
    "truth values": (X.relu(), (X.relu() != 0).double(), "missing cast"),
    "log_softmax for softmax": (X.softmax(1), X.log_softmax(1), "softmax"),
    "softmax along another axis": (X, X.softmax(3), "softmax"),
    "a sigmoid": (X.sigmoid(), X, "activation"),
    "an infinity": (X, X.where(X < 2, torch.inf), "NaN"),
}


@pytest.mark.parametrize("case", RECOGNISED)
def test_values_tell_what_was_done(case: str) -> None:
    expected, actual, name = RECOGNISED[case]
    cause = recognise(Values(expected, actual, 1e-9))
    assert cause is not None
    assert (cause.name, cause.confirmed) == (name, True), str(cause)


OTHERS = torch.randn(X.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
UNRELATED: dict[str, Tensor] = {
    "other numbers": OTHERS,
    "nearly the same numbers": X + 1e-6 * OTHERS,
    "nearly twice the numbers": 2 * X + 1e-6 * OTHERS,
    "nearly the same in another order": X.flip(3) + 1e-6 * OTHERS,
    "the same numbers in no order": X.flatten()[OTHERS.flatten().argsort()].view(X.shape),
    "one number": torch.ones_like(X),
}


@pytest.mark.parametrize("case", UNRELATED)
def test_what_only_looks_like_a_mistake_is_not_named(case: str) -> None:
    assert recognise(Values(X, UNRELATED[case], 1e-9)) is None


def test_sizes_that_do_not_fit_are_named() -> None:
    cause = other_shape(Values(X, X[:, :, 1:], 1e-9))
    assert cause is not None
    assert (cause.name, cause.values) == ("other shape", ((2, 12, 5, 5), (2, 12, 4, 5)))
    assert other_shape(Values(X, OTHERS, 1e-9)) is None
