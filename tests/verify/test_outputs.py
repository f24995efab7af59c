"""Outputs are compared as a caller gets them: their layout, their order, and that none is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import pytest
import torch
from keras import layers, ops
from torch import nn

import autoport
from autoport.verify.verification import Answer, Verification
from tests.support import randomise_keras, randomise_torch

Forward = Callable[..., Any]


class Net(nn.Module):
    """Modules, and what their `forward` does with them."""

    def __init__(self, modules: Sequence[nn.Module], forward: Forward) -> None:
        super().__init__()
        self.parts, self._forward = nn.ModuleList(modules), forward

    def forward(self, x: torch.Tensor) -> Any:
        return self._forward(self.parts, x)


def verified(model: keras.Model, modules: Sequence[nn.Module], forward: Forward, to: str = "torch") -> Verification:
    module = Net(modules, forward).eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    return match.verify(to=to)


def of_image(size: tuple[int, int], *, channels: int = 3) -> keras.Model:
    image = keras.Input((*size, 3))
    return keras.Model(image, layers.Conv2D(channels, 3, padding="same")(image))


def of_steps(steps: int, features: int) -> keras.Model:
    x = keras.Input((steps, features))
    return keras.Model(x, layers.Dense(features)(x))


CONV = nn.Conv2d(3, 3, 3, padding=1)
TURNED = {
    "height and width, square": (lambda: of_image((6, 6)), lambda: nn.Conv2d(3, 3, 3, padding=1), (2, 3)),
    "height and width": (lambda: of_image((6, 5)), lambda: nn.Conv2d(3, 3, 3, padding=1), (2, 3)),
    "channels and height, cube": (lambda: of_image((3, 3)), lambda: nn.Conv2d(3, 3, 3, padding=1), (1, 2)),
    "tokens and features, square": (lambda: of_steps(4, 4), lambda: nn.Linear(4, 4), (1, 2)),
}


@pytest.mark.parametrize("name", TURNED)
def test_axes_in_another_order_are_another_output(name: str) -> None:
    build, module, axes = TURNED[name]
    verification = verified(build(), [module()], lambda parts, x: parts[0](x).transpose(*axes))
    assert not verification.ok
    assert [d.kind for d in verification.divergences] == ["output"]
    assert verified(build(), [module()], lambda parts, x: parts[0](x)).answer is Answer.SAME


def test_batch_and_features_exchanged_are_another_output() -> None:
    x = keras.Input((2,))
    model = keras.Model(x, layers.Dense(2)(x))
    assert not verified(model, [nn.Linear(2, 2)], lambda parts, x: parts[0](x).T).ok


@pytest.mark.parametrize("size", [(6, 5), (4, 4), (3, 3)])
def test_channels_in_front_are_a_layout(size: tuple[int, int]) -> None:
    """Also where the sizes of all axes are equal: the model takes its images so, too."""
    verification = verified(of_image(size), [nn.Conv2d(3, 3, 3, padding=1)], lambda parts, x: parts[0](x))
    assert verification.answer is Answer.SAME
    (layout,) = verification.layouts
    assert "channels_last in Keras, channels_first in PyTorch" in str(layout)


def test_features_in_front_of_the_steps_are_a_layout_where_the_shape_shows_it() -> None:
    verification = verified(of_steps(5, 4), [nn.Linear(4, 4)], lambda parts, x: parts[0](x).transpose(1, 2))
    assert verification.ok, str(verification)
    assert verification.layouts


def test_steps_in_front_of_the_batch_are_a_layout() -> None:
    x = keras.Input((5, 4))
    model = keras.Model(x, layers.LSTM(3, return_sequences=True)(x))
    verification = verified(model, [nn.LSTM(4, 3)], lambda parts, x: parts[0](x.transpose(0, 1))[0])
    assert verification.ok, str(verification)
    assert verification.layouts


def test_an_axis_of_one_is_a_layout() -> None:
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(1)(x))
    verification = verified(model, [nn.Linear(4, 1)], lambda parts, x: parts[0](x)[:, 0])
    assert verification.ok, str(verification)
    assert "(2, 1)" in str(verification.layouts[0])


@pytest.mark.parametrize("after", [lambda x: x, lambda x: x.softmax(1)], ids=["features", "probabilities"])
def test_features_in_another_order_are_another_output(after: Forward) -> None:
    image = keras.Input((8, 6, 3))
    flat = layers.Flatten()(layers.Conv2D(4, 3, padding="same")(image))
    model = keras.Model(image, flat if after(torch.zeros(1, 2)).any() == 0 else layers.Softmax()(flat))
    verification = verified(model, [nn.Conv2d(3, 4, 3, padding=1)], lambda parts, x: after(parts[0](x).flatten(1)))
    assert not verification.ok
    assert {divergence.cause for divergence in verification.divergences} == {"axis"}
    assert "(h w c)" in str(verification)


def test_a_view_for_a_transposition_is_another_output() -> None:
    """The shape is right, the elements are not."""
    x = keras.Input((5, 4))
    model = keras.Model(x, layers.Permute((2, 1))(layers.Dense(4)(x)))
    assert not verified(model, [nn.Linear(4, 4)], lambda parts, x: parts[0](x).reshape(-1, 4, 5)).ok


def two_outputs() -> keras.Model:
    x = keras.Input((6,))
    return keras.Model(x, [ops.tanh(layers.Dense(6)(x)), ops.relu(layers.Dense(6)(x))])


def pair() -> list[nn.Module]:
    return [nn.Linear(6, 6), nn.Linear(6, 6)]


def test_exchanged_outputs_are_a_difference() -> None:
    verification = verified(two_outputs(), pair(), lambda parts, x: (torch.relu(parts[1](x)), torch.tanh(parts[0](x))))
    assert not verification.ok
    assert {d.cause for d in verification.divergences} == {"outputs"}
    assert verified(two_outputs(), pair(), lambda parts, x: (torch.tanh(parts[0](x)), torch.relu(parts[1](x)))).ok


def test_keys_have_no_order() -> None:
    verification = verified(
        two_outputs(), pair(), lambda parts, x: {"b": torch.relu(parts[1](x)), "a": torch.tanh(parts[0](x))}
    )
    assert verification.ok, str(verification)


def test_a_missing_output_is_a_difference() -> None:
    x = keras.Input((6,))
    hidden = layers.Dense(6)(x)
    model = keras.Model(x, [layers.Dense(3)(hidden), hidden])
    verification = verified(model, [nn.Linear(6, 6), nn.Linear(6, 3)], lambda parts, x: parts[1](parts[0](x)))
    assert not verification.ok
    assert [d.cause for d in verification.divergences] == ["outputs"]


@pytest.mark.parametrize("first", [False, True])
def test_further_outputs_are_a_note(first: bool) -> None:
    """Wherever they stand, and although one of them has the shape of the Keras output."""
    x = keras.Input((7, 6))
    model = keras.Model(x, layers.Dense(6)(x))

    def forward(parts: Any, x: torch.Tensor) -> Any:
        y = parts[0](x)
        return (2 * y, y, y[:, 0]) if first else (y, 2 * y, y[:, 0])

    verification = verified(model, [nn.Linear(6, 6)], forward)
    assert verification.ok, str(verification)
    assert "2 further outputs of the PyTorch model" in str(verification)
    assert not verified(model, [nn.Linear(6, 6)], forward, to="tf").ok


def test_an_output_that_only_the_source_lacks_does_not_keep_draws_from_being_run() -> None:
    ids = keras.Input((7,), dtype="int32")
    hidden = layers.Embedding(11, 6)(ids)
    model = keras.Model(ids, [layers.Dense(4)(hidden), layers.Softmax(axis=1)(hidden)])
    modules = [nn.Embedding(11, 6), nn.Linear(6, 4)]
    verification = verified(model, modules, lambda parts, x: parts[1](parts[0](x)), to="tf")
    assert verification.ok, str(verification)
    assert len(verification.draws) == len(set(verification.draws)) == 2


def test_an_output_of_constants_is_compared() -> None:
    x = keras.Input((6,))
    model = keras.Model(x, [layers.Dense(6)(x), ops.ones_like(x)])
    assert not verified(model, [nn.Linear(6, 6)], lambda parts, x: (parts[0](x), torch.zeros_like(x))).ok
    assert verified(model, [nn.Linear(6, 6)], lambda parts, x: (parts[0](x), torch.ones_like(x))).ok


def test_nan_is_called_nan() -> None:
    x = keras.Input((6,))
    model = keras.Model(x, ops.log(-ops.abs(layers.Dense(6)(x)) - 1.0))
    verification = verified(model, [nn.Linear(6, 6)], lambda parts, x: torch.log(-parts[0](x).abs() - 1.0))
    assert not verification.ok
    assert "NaN" in str(verification)
