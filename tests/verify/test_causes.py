"""Every difference is named with its cause, where it is, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from autoport.facts.reasons import Code
from autoport.verify.explaining.causes import MOST_RUNS
from autoport.verify.running.lockstep import Lockstep
from tests.support import randomise_keras, randomise_torch
from tests.verify.models import ported


class Net(nn.Module):
    """A convolution, something, a convolution."""

    def __init__(self, between: Callable[[torch.Tensor], Any], first: nn.Module | None = None) -> None:
        super().__init__()
        self.first, self.between, self.last = first or nn.Conv2d(3, 4, 1), between, nn.Conv2d(4, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.between(self.first(x)))


def keras_net(between: Callable[[Any], Any], first: Any = None) -> keras.Model:
    image = keras.Input((9, 12, 3))
    return keras.Model(image, layers.Conv2D(5, 1)(between((first or layers.Conv2D(4, 1))(image))))


def verified(model: keras.Model, module: nn.Module) -> Any:
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    return match.verify()


BETWEEN = {
    "GELU": (lambda x: ops.gelu(x, approximate=False), lambda x: F.gelu(x, approximate="tanh"), "approximate", True),
    "a slope": (
        lambda x: layers.LeakyReLU(negative_slope=0.3)(x),
        lambda x: F.leaky_relu(x, 0.1),
        "negative_slope",
        True,
    ),
    "an upper bound": (lambda x: layers.ReLU(6.0)(4 * x), lambda x: F.relu(4 * x), "activation", True),
    "a gate": (lambda x: layers.Activation("hard_silu")(x), F.silu, "activation", True),
    "a sigmoid made of lines": (
        lambda x: ops.clip(0.2 * x + 0.5, 0.0, 1.0),
        F.hardsigmoid,
        "activation",
        True,
    ),
    "a sigmoid": (lambda x: layers.Activation("sigmoid")(x), F.hardsigmoid, "activation", True),
    "a softmax": (lambda x: layers.Softmax()(x), lambda x: x, "softmax", True),
    "averages over padding": (
        lambda x: layers.AveragePooling2D(3, 1, padding="same")(x),
        lambda x: F.avg_pool2d(x, 3, 1, 1),
        "count_include_pad",
        True,
    ),
    "zeros around a maximum": (
        lambda x: layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x)),
        lambda x: F.max_pool2d(x, 3, 2, 1),
        "pad_value",
        True,
    ),
    "corners": (
        lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
        "align_corners",
        True,
    ),
    "dropout": (lambda x: layers.Dropout(0.5)(x), lambda x: F.dropout(x, 0.5, training=True), "dropout", True),
    "a slice": (lambda x: x[:, 1:5], lambda x: x[:, :, 2:6], "taken", True),
    "a factor": (lambda x: x * 0.5, lambda x: x * 0.25, "constant", True),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_what_lies_between_two_layers_is_named(case: str) -> None:
    keras_between, torch_between, cause, confirmed = BETWEEN[case]
    verification = verified(keras_net(keras_between), Net(torch_between))
    assert not verification.ok
    (divergence,) = verification.divergences
    assert divergence.cause == cause, str(verification)
    assert divergence.causes[0].confirmed is confirmed
    assert divergence.kind == "edge"


class Training(nn.Module):
    """A norm by the statistics of the batch, also in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(4, eps=1e-3, momentum=0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm = self.norm
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, True, 0.01, 1e-3)


def test_training_mode_is_named() -> None:
    verification = verified(keras_net(lambda x: layers.BatchNormalization()(x)), Net(Training()))
    (divergence,) = verification.divergences
    assert divergence.cause == "training"
    assert divergence.causes[0].confirmed
    assert not verification.notes


def test_momentum_is_a_note_and_no_divergence() -> None:
    verification = verified(keras_net(lambda x: layers.BatchNormalization()(x)), Net(nn.BatchNorm2d(4, eps=1e-3)))
    assert verification.ok, str(verification)
    (note,) = verification.notes
    assert (note.code, note.details["number"]) == (Code.TRAINING_DIFFERS, 1)
    assert note.details["first"].name == "momentum"


def test_a_softmax_at_the_end_is_named() -> None:
    image = keras.Input((9, 12, 3))
    model = keras.Model(image, layers.Dense(5, activation="softmax")(layers.Conv2D(4, 1)(image)))
    verification = verified(model, nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)))
    (divergence,) = verification.divergences
    assert divergence.kind == "output"
    assert divergence.cause == "softmax"
    assert divergence.causes[0].confirmed


class Attending(nn.Module):
    """Attention of two heads in projections of its own."""

    def __init__(self, by_hand: bool = False, **options: Any) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))
        self.by_hand, self.options = by_hand, options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, _ = x.shape
        q, k, v = (layer(x).view(n, t, 2, 4).transpose(1, 2) for layer in (self.q, self.k, self.v))
        if self.by_hand:
            y = (q @ k.transpose(-1, -2) * self.options.get("scale", 0.5)).softmax(-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, **self.options)
        return self.out(y.transpose(1, 2).reshape(n, t, 8))


ATTENTION: dict[str, tuple[dict[str, Any], Callable[[], nn.Module], str, bool]] = {
    "a scale": ({}, lambda: Attending(scale=0.25), "scale", True),
    "a scale by hand": ({}, lambda: Attending(by_hand=True, scale=0.25), "scale", False),
    "no mask": ({"use_causal_mask": True}, lambda: Attending(), "mask", False),
    "no mask by hand": ({"use_causal_mask": True}, lambda: Attending(by_hand=True), "mask", False),
    "a mask": ({}, lambda: Attending(is_causal=True), "mask", False),
    "dropout": ({}, lambda: Attending(dropout_p=0.5), "dropout", True),
}


@pytest.mark.parametrize("case", ATTENTION)
def test_what_differs_in_attention_is_named(case: str) -> None:
    options, module, cause, confirmed = ATTENTION[case]
    tokens = keras.Input((7, 8))
    model = keras.Model(tokens, layers.MultiHeadAttention(2, 4)(tokens, tokens, **options))
    verification = verified(model, module())
    (divergence,) = verification.divergences
    assert [found.name for found in divergence.causes] == [cause], str(verification)
    assert divergence.causes[0].confirmed is confirmed
    by_structure = {Code.STILL_DIFFERS, Code.NOTHING_ELSE}
    assert confirmed or by_structure & {reason.code for reason in divergence.causes[0].reasons}


def test_masks_of_which_structure_knows_no_values_are_suspected() -> None:
    class Masked(Attending):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.options = {"attn_mask": torch.ones(7, 7).tril(1).bool()}
            return super().forward(x)

    tokens = keras.Input((7, 8))
    model = keras.Model(tokens, layers.MultiHeadAttention(2, 4)(tokens, tokens, use_causal_mask=True))
    (divergence,) = verified(model, Masked()).divergences
    assert divergence.cause == "mask"
    assert not divergence.causes[0].confirmed


FIRST = {
    "same under stride": (
        lambda: layers.Conv2D(4, 3, strides=2, padding="same"),
        lambda: nn.Conv2d(3, 4, 3, 2, 1),
        {"padding"},
    ),
    "a stride": (lambda: layers.Conv2D(4, 1, strides=2), lambda: nn.Conv2d(3, 4, 1), {"stride"}),
    "a dilation": (
        lambda: layers.Conv2D(4, 3, dilation_rate=2),
        lambda: nn.Conv2d(3, 4, 3),
        {"dilation"},
    ),
    "what a transposed convolution crops": (
        lambda: layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
        lambda: nn.ConvTranspose2d(3, 4, 3, 2, 1, 1),
        {"padding"},
    ),
}


@pytest.mark.parametrize("case", FIRST)
def test_a_hyper_parameter_of_a_layer_is_named(case: str) -> None:
    layer, module, causes = FIRST[case]
    verification = verified(keras_net(lambda x: x, layer()), Net(lambda x: x, module()))
    assert not verification.ok
    (divergence,) = verification.divergences
    assert {cause.name for cause in divergence.causes} == causes, str(verification)
    assert all(cause.confirmed for cause in divergence.causes)
    assert "first" in divergence.torch.path


def test_a_stride_in_another_place_is_named_in_both() -> None:
    image = keras.Input((16, 12, 3))
    model = keras.Model(image, layers.Conv2D(5, 3)(layers.Conv2D(4, 1, strides=2)(image)))
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 3, stride=2))
    verification = verified(model, module)
    assert [d.cause for d in verification.divergences] == ["stride", "stride"]
    assert all(d.causes[0].confirmed for d in verification.divergences)


PREPROCESSING = {
    "rescaling": lambda x: layers.Rescaling(1 / 127.5, -1.0)(x),
    "normalization": lambda x: layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])(x),
    "by hand": lambda x: x / 127.5 - 1.0,
    "blue before red": lambda x: x[..., ::-1],
}


@pytest.mark.parametrize("case", PREPROCESSING)
def test_missing_preprocessing_is_named(case: str) -> None:
    image = keras.Input((9, 12, 3))
    model = keras.Model(image, layers.Conv2D(4, 3)(PREPROCESSING[case](image)))
    randomise_keras(model, 1)
    module = nn.Sequential(nn.Conv2d(3, 4, 3))
    match = autoport.match(model, module)
    match.assign(strict=False)
    verification = match.verify()
    assert not verification.ok
    first, *others = verification.divergences
    assert [(cause.name, cause.confirmed) for cause in first.causes] == [("preprocessing", True)], str(verification)
    refused = {cause.name for divergence in others for cause in divergence.causes}
    assert refused == ({"weights"} if case == "blue before red" else set())


def test_other_spellings_of_one_function_are_no_divergence() -> None:
    def attend(x: Any) -> Any:
        scores = ops.softmax((x * 0.5) @ ops.transpose(x, (0, 2, 1)))
        return scores @ x

    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            return self.last(torch.softmax(x @ x.transpose(1, 2) / 2, -1) @ x)

    steps = keras.Input((7, 6))
    model = keras.Model(steps, layers.Dense(3)(attend(layers.Dense(8)(steps))))
    verification = verified(model, Attend())
    assert verification.ok, str(verification)
    assert not verification.divergences


def test_constants_of_a_graph_are_what_they_stand_for() -> None:
    image = keras.Input((9, 12, 3))
    x = layers.Activation("gelu")(layers.Rescaling(1 / 255)(layers.Conv2D(4, 3)(image)))
    model = keras.Model(image, layers.Conv2D(3, 1)(layers.BatchNormalization(epsilon=1.001e-5)(x)))
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), Scale(1 / 255), nn.GELU(), nn.BatchNorm2d(4, eps=1.001e-5), nn.Conv2d(4, 3, 1)
    )
    verification = verified(model, module)
    assert verification.relative < 1e-12, str(verification)


class Scale(nn.Module):
    """A factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def test_a_hyper_parameter_that_was_set_after_the_match_counts() -> None:
    match, module = ported("convolutions")
    assert match.verify().ok
    module.norm.eps = 1e-5
    assert [d.cause for d in match.verify().divergences] == ["epsilon"]


def test_weights_that_no_input_shows_are_looked_at_too() -> None:
    ids = keras.Input((5,), dtype="int32")
    model = keras.Model(ids, layers.Dense(3)(layers.Embedding(1000, 4)(ids)))
    module = nn.Sequential(nn.Embedding(1000, 4), nn.Linear(4, 3))
    randomise_keras(model, 1)
    match = autoport.match(model, module)
    match.assign()
    assert match.verify().ok
    with torch.no_grad():
        module[0].weight[777, 2] += 1.0
    verification = match.verify(inputs=torch.zeros((2, 5), dtype=torch.int32).numpy())
    assert not verification.ok
    assert verification.divergences[0].cause == "weights"


@pytest.mark.parametrize("number", [4, 12])
def test_many_differences_in_one_region_take_few_runs(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    forced = Lockstep.teacher_forced

    def counted(self: Lockstep, *args: Any, **options: Any) -> Any:
        runs.append(options)
        return forced(self, *args, **options)

    def sloped(x: Any) -> Any:
        for _ in range(number):
            x = layers.LeakyReLU(negative_slope=0.3)(x)
        return ops.gelu(x, approximate=False)

    def steeper(x: torch.Tensor) -> torch.Tensor:
        for _ in range(number):
            x = F.leaky_relu(x, 0.4)
        return F.gelu(x, approximate="tanh")

    monkeypatch.setattr(Lockstep, "teacher_forced", counted)
    verification = verified(keras_net(sloped), Net(steeper))
    (divergence,) = verification.divergences
    assert {cause.name for cause in divergence.causes} == {"negative_slope", "approximate"}
    assert len(divergence.causes) == number + 1
    # As it stands, with PyTorch's own values, with everything set; without each kind, and without one each.
    assert len(runs) <= 3 + 2 + MOST_RUNS
