"""What the campaign found to be called unknown, by a wrong name or at a wrong place, as small as it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
from keras import layers, ops
from torch import Tensor, nn

import autoport
from autoport.verify.explaining.mistakes.recognise import recognise
from autoport.verify.explaining.mistakes.values import Values
from autoport.verify.verification import Verification
from tests.support import randomise_keras, randomise_torch
from tests.verify.test_mistakes import X, assert_named, keras_map, same, torch_map, torch_steps, verified


class Apply(nn.Module):
    """A function of modules."""

    def __init__(self, run: Callable[..., Any], **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)
        self.run = run

    def forward(self, *values: Tensor) -> Any:
        return self.run(self, *values)


def ported(model: keras.Model, module: nn.Module) -> Verification:
    """What is said of a port of random weights."""
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign(strict=False)
    return match.verify()


HALVES: dict[str, Callable[[Tensor], Tensor]] = {
    "float16": lambda x: x.half().float(),
    "bfloat16": lambda x: x.to(torch.bfloat16).float(),
    "float16 by a keyword": lambda x: x.to(dtype=torch.float16).to(x.dtype),
}


@pytest.mark.parametrize("case", HALVES)
def test_a_cast_to_16_bits_is_named(case: str) -> None:
    assert_named(verified(keras_map(same), torch_map(HALVES[case])), "missing cast")


def test_a_cast_to_16_bits_of_what_is_returned_is_named() -> None:
    image = keras.Input((9, 12, 3))
    model = keras.Model(image, layers.Conv2D(5, 3)(image))
    assert_named(
        ported(model, Apply(lambda self, x: self.conv(x).half().float(), conv=nn.Conv2d(3, 5, 3))), "missing cast"
    )


def test_casts_of_models_in_16_bits_are_none() -> None:
    """Keras in mixed precision casts everything; what PyTorch casts then is no mistake."""
    image = keras.Input((9, 12, 3))
    model = keras.Model(image, layers.Conv2D(5, 3, dtype="mixed_bfloat16")(image))
    module = Apply(lambda self, x: self.conv(x.bfloat16().float()), conv=nn.Conv2d(3, 5, 3))
    verification = ported(model, module)
    assert verification.ok, str(verification)


def test_a_map_that_is_read_as_if_its_channels_were_last_is_named() -> None:
    wrong = torch_map(lambda x: x.permute(0, 2, 3, 1).reshape(x.shape))
    assert_named(verified(keras_map(same), wrong), "view without permute")


def test_a_mistake_in_one_operand_of_a_sum_is_named() -> None:
    def model() -> keras.Model:
        steps = keras.Input((7, 6))
        return keras.Model(steps, layers.Dense(5)(steps + layers.Dense(6)(ops.tanh(steps))))

    def module(between: Callable[[Tensor], Tensor]) -> nn.Module:
        run = lambda self, x: self.last(x + between(self.inner(x.tanh())))  # noqa: E731
        return Apply(run, inner=nn.Linear(6, 6), last=nn.Linear(6, 5))

    assert_named(ported(model(), module(lambda y: y.transpose(1, 2).reshape(y.shape))), "view without permute")
    assert ported(model(), module(lambda y: y)).ok


def test_returned_axes_that_are_exchanged_are_named() -> None:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Conv2D(5, 3)(image))
    verification = ported(model, Apply(lambda self, x: self.conv(x).transpose(2, 3), conv=nn.Conv2d(3, 5, 3)))
    assert_named(verification, "axes exchanged")


def test_zeros_around_a_dense_layer_are_padding() -> None:
    image = keras.Input((9, 12, 3))
    model = keras.Model(image, layers.Conv2D(4, 3)(layers.Dense(5)(image)))
    module = Apply(
        lambda self, x: self.conv(self.dense(x)[:, :, 2:, :-2]),
        dense=nn.Conv2d(3, 5, 1, padding=1),
        conv=nn.Conv2d(5, 4, 3),
    )
    verification = ported(model, module)
    assert not verification.ok
    assert "padding" in str(verification)


def test_parts_of_a_concatenation_are_compared_each_in_its_own_layout() -> None:
    image, vector = keras.Input((3, 4, 5)), keras.Input((6,))
    x = layers.Concatenate()([layers.Flatten()(layers.Conv2D(7, 1)(image)), vector])
    model = keras.Model([image, vector], layers.Dense(8)(x))
    module = Apply(
        lambda self, x, y: self.dense(torch.cat([self.conv(x).flatten(1), y], 1)),
        conv=nn.Conv2d(5, 7, 1),
        dense=nn.Linear(7 * 12 + 6, 8),
    )
    verification = ported(model, module)
    assert verification.ok, str(verification)
    assert not verification.spelled
    module.dense.weight.data[3, 5] += 1e-3
    randomised = autoport.match(model, module).verify()
    assert [(d.torch.path, d.cause) for d in randomised.divergences] == [("dense", "weights")], str(randomised)


def test_a_norm_that_is_missing_in_front_of_a_returned_view_is_named() -> None:
    steps = keras.Input((7, 6))
    x = layers.Dense(8)(steps)
    model = keras.Model(steps, ops.reshape(layers.LayerNormalization()(x + ops.tanh(x)), (-1, 7, 8)))

    def run(self: Any, x: Tensor) -> Tensor:
        y = self.dense(x)
        return (y + y.tanh()).view(x.shape[0], -1, 8)

    assert_named(ported(model, Apply(run, dense=nn.Linear(6, 8))), "operation")


class Stateful(nn.Module):
    """A stack of recurrent layers in both directions that starts from what a buffer holds."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 4, 2, batch_first=True, bidirectional=True)
        self.register_buffer("state", torch.full((4, 2, 4), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x, (self.state, self.state))[0]


def test_a_kept_state_of_a_stack_in_both_directions_is_named() -> None:
    steps = keras.Input(batch_shape=(2, 7, 6))
    x = steps
    for _ in range(2):
        x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    assert_named(ported(keras.Model(steps, x), Stateful()), "kept state")


def test_an_epsilon_of_a_norm_by_hand_is_no_scale() -> None:
    def normed(epsilon: float) -> Callable[[Tensor], Tensor]:
        return lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon)

    def model() -> keras.Model:
        vector = keras.Input((6,))
        x = layers.Dense(8)(vector)
        return keras.Model(vector, layers.Dense(5)(x * ops.rsqrt(ops.mean(x**2, -1, keepdims=True) + 1e-5)))

    wrong = ported(model(), torch_steps(normed(3e-5)))
    assert not wrong.ok
    assert "scale" not in {cause.name for d in wrong.divergences for cause in d.causes}, str(wrong)
    assert ported(model(), torch_steps(normed(1e-5))).ok


def test_a_kept_state_of_which_the_last_one_is_returned_is_named() -> None:
    steps = keras.Input(batch_shape=(2, 7, 6))
    model = keras.Model(steps, layers.Bidirectional(layers.LSTM(4))(steps))

    def run(self: Any, x: Tensor) -> Tensor:
        hidden = self.rnn(x, (self.state, self.state))[1][0]
        return torch.cat([hidden[-2], hidden[-1]], 1)

    module = Apply(run, rnn=nn.LSTM(6, 4, batch_first=True, bidirectional=True))
    module.register_buffer("state", torch.full((2, 2, 4), 0.3))
    assert_named(ported(model, module), "kept state")


def test_a_mistake_in_one_operand_of_a_concatenation_is_named() -> None:
    steps = keras.Input((7, 6))
    x = layers.Dense(5)(steps)
    model = keras.Model(steps, layers.Dense(3)(layers.Concatenate()([ops.tanh(steps), x])))
    module = Apply(
        lambda self, x: self.last(torch.cat([x.tanh().transpose(1, 2).reshape(x.shape), self.inner(x)], 2)),
        inner=nn.Linear(6, 5),
        last=nn.Linear(11, 3),
    )
    assert_named(ported(model, module), "view without permute")


def test_what_changes_nothing_that_is_returned_is_no_difference() -> None:
    """The last layer reads nothing but zeros around its image, so an activation in front of it does not count."""
    image = keras.Input((1, 1, 3))
    x = ops.tanh(layers.Conv2D(4, 1)(image))
    model = keras.Model(image, layers.Conv2D(5, 1, 2)(layers.ZeroPadding2D(((1, 2), (1, 2)))(x)))

    def run(self: Any, x: Tensor) -> Tensor:
        return self.last(nn.functional.pad(self.first(x), (1, 2, 1, 2)))

    verification = ported(model, Apply(run, first=nn.Conv2d(3, 4, 1), last=nn.Conv2d(4, 5, 1, 2)))
    assert verification.ok, str(verification)
    assert verification.spelled


def test_an_activation_in_front_of_one_reader_of_an_input_is_named_there() -> None:
    """Both readers turn the input, which is one value, but in two calls."""
    image = keras.Input((6, 9, 3))
    normed = layers.BatchNormalization()(layers.Dense(4, use_bias=False)(ops.sigmoid(image)))
    model = keras.Model(image, layers.Conv2D(5, 3)(layers.Dense(4)(image) * normed))

    def turned(layer: nn.Module, x: Tensor) -> Tensor:
        return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def run(self: Any, x: Tensor) -> Tensor:
        return self.last(turned(self.second, x) * self.norm(turned(self.first, x)))

    linear = {"first": nn.Linear(3, 4, bias=False), "second": nn.Linear(3, 4)}
    module = Apply(run, **linear, norm=nn.BatchNorm2d(4, 1e-3), last=nn.Conv2d(4, 5, 3))
    verification = ported(model, module)
    assert_named(verification, "activation")
    assert len(verification.divergences) == 1


TWICE = torch.cat([X, X.relu(), X], 1)
NOT_NAMED: dict[str, tuple[Tensor, Tensor, tuple[str, ...]]] = {
    "channels that stand there twice": (TWICE, torch.cat([X, X, X.relu()], 1), ("n", "c", "h", "w")),
    "another number for each example": (X, X * torch.tensor([2.0, 3.0]).view(2, 1, 1, 1), ("n", "c", "h", "w")),
}


@pytest.mark.parametrize("case", NOT_NAMED)
def test_axes_along_which_nothing_moves_or_is_scaled_tell_nothing(case: str) -> None:
    expected, actual, axes = NOT_NAMED[case]
    found = recognise(Values(expected, actual, 1e-9, axes=axes))
    assert found is None or found.name not in ("shift", "scale"), str(found)
