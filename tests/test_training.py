"""Weights that only a forward pass in training mode reads."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from keras import layers
from torch import nn
from torch.nn import functional as F

import autoport
from autoport.facts.reasons import Code
from tests.support import keras_float64, randomise_keras, randomise_torch
from tests.test_untouched import assert_same, snapshot


class Classifier(nn.Module):
    """Has an auxiliary head in training, as GoogLeNet does, and one that nothing ever calls."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(6, 4)
        self.aux, self.stem = nn.Linear(6, 4), nn.Conv2d(3, 6, 3)
        self.norm, self.body, self.drop = nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3), nn.Dropout(0.5)
        self.head = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> Any:
        x = F.relu(self.norm(self.stem(x)))
        y = self.head(F.relu(self.body(x)).mean((2, 3)))
        return (y, self.aux(self.drop(x.mean((2, 3))))) if self.training else y


def two_headed() -> keras.Model:
    image = keras.Input((9, 12, 3))
    x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(layers.Conv2D(6, 3)(image)))
    aux = layers.Dense(4)(layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x)))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(x))
    return keras.Model(image, [layers.Dense(5)(y), aux])


class HeadInTraining(keras.Model):
    """The same with an auxiliary head that inference skips, too."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = layers.Conv2D(6, 3), layers.BatchNormalization(epsilon=1e-5)
        self.body, self.head, self.aux = layers.Conv2D(6, 3, activation="relu"), layers.Dense(5), layers.Dense(4)

    def call(self, x: Any, training: bool = False) -> Any:
        x = keras.ops.relu(self.norm(self.stem(x), training=training))
        y = self.head(keras.ops.mean(self.body(x), (1, 2)))
        return (y, self.aux(keras.ops.mean(x, (1, 2)))) if training else y


def in_training(model: Any, module: nn.Module) -> tuple[list[np.ndarray[Any, Any]], ...]:
    """Outputs of both in training mode, without dropout."""
    image = np.random.default_rng(3).standard_normal((2, 9, 12, 3))
    for layer in (m for m in module.modules() if isinstance(m, nn.Dropout)):
        layer.p = 0.0
    for layer in (m for m in model.layers if isinstance(m, layers.Dropout)):
        layer.rate = 0.0
    with torch.no_grad():
        ours = module.train()(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()))
    return [t.numpy() for t in ours], [np.asarray(t) for t in model(image, training=True)]


def ported(model: Any) -> tuple[autoport.Match, nn.Module]:
    module = Classifier().double().eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    before = snapshot(model, module)
    match = autoport.match(model, module, inputs=np.zeros((2, 9, 12, 3)))
    assert_same(before, snapshot(model, module))
    return match, module


def assert_both_heads_are_carried(model: Any) -> None:
    match, module = ported(model)
    assert match.complete
    assert [row.tensors for row in match.unmatched_torch] == [("spare.weight",), ("spare.bias",)]
    assert not match.unmatched_tf
    aux = [pair for pair in match.pairs if "aux" in pair.torch.path]
    assert [pair.reason.code for pair in aux] == [Code.IN_TRAINING]
    match.assign()
    assert match.verify().ok or len(match.graph_tf.outputs) == 2
    for a, b in zip(*in_training(model, module), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def test_a_head_that_one_model_has_in_training_only() -> None:
    with keras_float64():
        assert_both_heads_are_carried(two_headed())


def test_a_head_that_both_models_have_in_training_only() -> None:
    with keras_float64():
        model = HeadInTraining()
        model(np.zeros((2, 9, 12, 3)), training=True)
        assert_both_heads_are_carried(model)


def test_the_report_says_where_it_was_found() -> None:
    with keras_float64():
        match, _ = ported(two_headed())
    assert "aux" in str(match)
    assert f'"code": "{Code.IN_TRAINING}"' in str(match.report("json"))
    verification = match.verify()
    assert {(str(d.torch), d.cause) for d in verification.divergences} >= {("aux (Linear)", "weights")}
