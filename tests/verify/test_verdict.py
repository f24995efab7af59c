"""The verdict: spellings are forgiven, and what one draw of inputs cannot show is looked at all the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops
from torch import nn

import autoport
from autoport.verify.verification import Answer, Verification
from tests.support import randomise_keras, randomise_torch

D, HEADS, STEPS = 16, 4, 7


def match_of(model: keras.Model, module: nn.Module, *, strict: bool = True) -> autoport.Match:
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module.eval())
    match.assign(strict=strict)
    return match


def verified(model: keras.Model, module: nn.Module, *, strict: bool = True) -> Verification:
    return match_of(model, module, strict=strict).verify()


class KerasAttention(layers.Layer):
    """Attention by hand; scores are scaled on the queries or behind the product, a mask is added or not."""

    def __init__(self, mask: bool, early: bool) -> None:
        super().__init__()
        self.mask, self.early = mask, early
        self.parts = [layers.Dense(D) for _ in range(4)]

    def build(self, shape: Any) -> None:
        for part in self.parts:
            part.build(shape)

    def call(self, x: Any) -> Any:
        q, k, v = (ops.reshape(part(x), (-1, STEPS, HEADS, D // HEADS)) for part in self.parts[:3])
        scale = (D // HEADS) ** -0.5
        scores = ops.einsum("bqhd,bkhd->bhqk", q * scale if self.early else q, k)
        scores = scores if self.early else scores * scale
        if self.mask:
            scores = scores + np.triu(np.full((STEPS, STEPS), -1e9, "float32"), 1)
        heads = ops.einsum("bhqk,bkhd->bqhd", ops.softmax(scores), v)
        return self.parts[3](ops.reshape(heads, (-1, STEPS, D)))


class Attention(nn.Module):
    """The same; masked scores are filled with a number."""

    def __init__(self, fill: float | None, early: bool) -> None:
        super().__init__()
        self.fill, self.early = fill, early
        self.q, self.k, self.v, self.o = (nn.Linear(D, D) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (-1, STEPS, HEADS, D // HEADS)
        q, k, v = (part(x).view(shape).transpose(1, 2) for part in (self.q, self.k, self.v))
        scale = (D // HEADS) ** -0.5
        scores = (q * scale if self.early else q) @ k.transpose(-1, -2)
        scores = scores if self.early else scores * scale
        if self.fill is not None:
            hidden = torch.ones(STEPS, STEPS, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(hidden, self.fill)
        return self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, STEPS, D))


SPELLINGS: dict[str, tuple[tuple[bool, bool], tuple[float | None, bool]]] = {
    "minus infinity": ((True, False), (float("-inf"), False)),
    "the least number": ((True, False), (float(np.finfo(np.float32).min), False)),
    "a large number": ((True, False), (-1e4, False)),
    "scale on the queries, scale on the scores": ((False, True), (None, False)),
    "scale on the scores, scale on the queries": ((False, False), (None, True)),
    "another mask, and the scale elsewhere": ((True, True), (float("-inf"), False)),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_attention_in_another_spelling_is_the_same(name: str) -> None:
    ours, theirs = SPELLINGS[name]
    x = keras.Input((STEPS, D))
    match = match_of(keras.Model(x, KerasAttention(*ours)(x)), Attention(*theirs), strict=False)
    assert match.complete or match.settle()
    match.assign()
    verification = match.verify()
    assert verification.answer is Answer.SAME, str(verification)


def test_a_mask_on_one_side_only_is_a_difference() -> None:
    x = keras.Input((STEPS, D))
    assert not verified(keras.Model(x, KerasAttention(True, False)(x)), Attention(None, False), strict=False).ok


class BiLstm(nn.Module):
    """A recurrent layer over steps in front, and a dense layer on all steps of the batch together."""

    def __init__(self, inputs: int, units: int, outputs: int) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(inputs, units, bidirectional=True), nn.Linear(2 * units, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(x)
        steps, batch, features = y.size()
        return self.head(y.view(steps * batch, features)).view(steps, batch, -1)


class Reader(nn.Module):
    """Columns of a map as steps, as readers of text lines have it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.steps = nn.Conv2d(1, 6, 3, padding=1), nn.Sequential(BiLstm(6, 5, 5), BiLstm(5, 5, 7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.steps(nn.functional.max_pool2d(self.conv(x), (16, 4)).squeeze(2).permute(2, 0, 1))


@pytest.mark.parametrize("flatten", ["layer by layer", "at once"])
def test_steps_that_are_flattened_into_the_batch_are_the_same(flatten: str) -> None:
    image = keras.Input((16, 24, 1))
    x = layers.MaxPooling2D((16, 4))(layers.Conv2D(6, 3, padding="same")(image))
    if flatten == "layer by layer":
        x = layers.TimeDistributed(layers.Flatten())(layers.Permute((2, 1, 3))(x))
    else:
        x = layers.Reshape((6, 6))(x)
    x = layers.Dense(5)(layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x))
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
    verification = verified(keras.Model(image, layers.Dense(7)(x)), Reader())
    assert verification.ok, str(verification)


@pytest.mark.parametrize("sequences", [False, True])
def test_masking_against_none_is_a_difference(sequences: bool) -> None:
    """Random numbers are never the value that is masked; padded inputs are."""
    x = keras.Input((9, 6))
    model = keras.Model(x, layers.LSTM(5, return_sequences=sequences)(layers.Masking(0.0)(x)))

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(6, 5, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0] if sequences else self.lstm(x)[1][0][-1]

    verification = verified(model, Plain(), strict=False)
    assert not verification.ok
    assert {divergence.cause for divergence in verification.divergences} == {"mask"}
    assert "padded" in str(verification)


class MaskedAttention(layers.Layer):
    """Attention that leaves steps out which hold the first row of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.attention = layers.Embedding(11, 8), layers.MultiHeadAttention(2, 4)

    def build(self, shape: Any) -> None:
        self.table.build(shape)
        self.attention.build((*shape, 8), (*shape, 8))

    def call(self, ids: Any) -> Any:
        x = self.table(ids)
        return self.attention(x, x, attention_mask=ops.not_equal(ids, 0)[:, None, :])


class Told(nn.Module):
    """The same, but for a mask that is an input of its own, and optional."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.attention = nn.Embedding(11, 8), nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, ids: torch.Tensor, scale: Any = None, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = self.table(ids)
        return self.attention(x, x, x, key_padding_mask=None if mask is None else mask == 0, need_weights=False)[0]


def test_a_mask_of_which_pytorch_has_to_be_told_is_a_note() -> None:
    ids = keras.Input((STEPS,), dtype="int32")
    verification = verified(keras.Model(ids, MaskedAttention()(ids)), Told(), strict=False)
    assert verification.ok, str(verification)
    assert "if it is told by mask, and not without" in str(verification)


class Branches(nn.Module):
    """The larger one of two branches."""

    def __init__(self, *, other: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 4), nn.Linear(4, 3)
        self.second = nn.Conv1d(3, 4, 2) if other else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        if self.second is not None:
            y = torch.maximum(y, self.second(x.view(-1, 3, 2))[..., 0] - 100.0)
        return self.last(torch.relu(y))


def test_a_weight_that_was_not_carried_over_and_does_not_show_is_no_yes() -> None:
    """A branch behind a maximum that it never won."""
    x = keras.Input((6,))
    model = keras.Model(x, layers.Dense(3)(layers.Dense(4, activation="relu")(x)))
    match = match_of(model, Branches(other=True), strict=False)
    ours, theirs = model.weights, match.readings.torch.model.state_dict()
    with torch.no_grad():  # as a person would who knows where they belong
        for name, kernel, bias in (("first", *ours[:2]), ("last", *ours[2:])):
            theirs[f"{name}.weight"].copy_(torch.from_numpy(np.array(kernel).T))
            theirs[f"{name}.bias"].copy_(torch.from_numpy(np.array(bias)))
    verification = match.verify()
    assert max(output.relative for output in verification.outputs) < 1e-9
    assert not verification.ok
    assert {divergence.cause for divergence in verification.divergences} == {"weights"}
    assert verified(model, Branches(other=False)).ok


def test_what_only_large_numbers_show_is_shown() -> None:
    """A bound that numbers around zero never reach."""
    x = keras.Input((6, 5))
    y = layers.ReLU(max_value=20.0)(layers.Dense(8)(x))
    model = keras.Model(x, layers.Dense(3)(y))
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    verification = verified(model, module)
    assert not verification.ok, str(verification)
