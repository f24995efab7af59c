"""The page of operations is up to date, and what rules make is on it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import torch
from keras import layers, ops
from torch import nn

import autoport
from autoport.graph.emitter import Emitter
from autoport.graph.vocabulary import KINDS
from autoport.keras.table import LAYERS, OPS
from autoport.pytorch.table import TABLE

SCRIPT = Path(__file__).parents[1] / "docs/operations.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("operations", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


operations = load()


def test_the_page_is_up_to_date() -> None:
    """Run `python docs/operations.py` if it is not."""
    assert SCRIPT.with_suffix(".md").read_text(encoding="utf-8") == operations.page()


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.up, self.lstm = nn.ConvTranspose2d(8, 8, 2, 2), nn.LSTM(8, 6, batch_first=True)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.dense = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.gelu(self.norm(self.conv(x))).roll(1, 2).flip(3)
        x = torch.nn.functional.max_pool2d(self.up(x).clamp(-1, 1), 2)
        tokens, _ = self.lstm(x.flatten(2).transpose(1, 2))
        mixed, _ = self.attention(tokens, tokens, tokens)
        return self.dense(mixed.mean(1)).softmax(-1).sort(-1)[0].cumsum(-1)


def several() -> keras.Model:
    x = inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", activation="relu")(x))
    x = ops.flip(ops.roll(ops.gelu(x), 1, 1), 2)
    x = layers.AveragePooling2D(2)(ops.clip(layers.Conv2DTranspose(8, 2, strides=2)(x), -1, 1))
    x = layers.LSTM(6, return_sequences=True)(layers.Reshape((64, 8))(x))
    x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 3)(x, x))
    x = layers.GlobalAveragePooling1D()(ops.tanh(x) * x)
    return keras.Model(inputs, ops.cumsum(ops.softmax(layers.Dense(5)(x)), -1))


def test_what_rules_make_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[tuple[str, Callable[..., Any]]] = []
    unlisted: set[tuple[str, str]] = set()
    made: set[str] = set()
    emit = Emitter.emit

    def watched(self: Emitter, kind: str, *args: Any, **kwargs: Any) -> Any:
        if running:
            name, rule = running[-1]
            activated = name in LAYERS and KINDS[kind].is_activation
            if kind not in operations.made_by(rule, name) | operations.WITHOUT_RULE and not activated:
                unlisted.add((name, str(kind)))
        made.add(str(kind))
        return emit(self, kind, *args, **kwargs)

    def noted(name: str, rule: Callable[..., Any]) -> Callable[..., Any]:
        def run(call: Any) -> Any:
            running.append((name, rule))
            try:
                return rule(call)
            finally:
                running.pop()

        return run

    monkeypatch.setattr(Emitter, "emit", watched)
    for table in (LAYERS, OPS):
        for name, rule in list(table.items()):
            monkeypatch.setitem(table, name, noted(name, rule))
    for name, (rule, parameters) in list(TABLE.items()):
        monkeypatch.setitem(TABLE, name, (noted(name, rule), parameters))
    autoport.match(several(), Several().eval())
    assert unlisted == set()
    assert {"conv", "lstm", "attention", "flip", "roll", "cumsum"} <= made
