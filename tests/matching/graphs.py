"""Graphs of real models, read once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from autoport.canonical import canonicalize
from autoport.graph import Graph
from autoport.keras import inputs
from autoport.keras import read as keras_reader


def unet() -> keras.Model:
    """Four levels with skip connections, two convolutions each."""

    def block(x: Any, width: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    image = keras.Input((64, 96, 3))
    x, skips = image, []
    for width in (16, 32, 64, 128):
        x = block(x, width)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = block(x, 256)
    for width in (128, 64, 32, 16):
        x = layers.Conv2DTranspose(width, 2, strides=2)(x)
        x = block(layers.Concatenate()([skips.pop(), x]), width)
    return keras.Model(image, layers.Conv2D(2, 1)(x))


def transformer(depth: int = 12, width: int = 64, heads: int = 4) -> keras.Model:
    """An encoder like BERT's, of equal blocks."""
    tokens = keras.Input((24,), dtype="int32")
    positions = keras.ops.arange(24)[None]
    x = layers.Embedding(100, width)(tokens) + layers.Embedding(24, width)(positions)
    x = layers.LayerNormalization()(x)
    for _ in range(depth):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(heads, width // heads)(x, x))
        inner = layers.Dense(4 * width, activation="gelu")(x)
        x = layers.LayerNormalization()(x + layers.Dense(width)(inner))
    return keras.Model(tokens, layers.Dense(3)(x[:, 0]))


def _application(name: str, size: int) -> Callable[[], keras.Model]:
    return lambda: getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))


MODELS: dict[str, Callable[[], keras.Model]] = {
    "ResNet50": _application("ResNet50", 64),
    "InceptionV3": _application("InceptionV3", 96),
    "DenseNet121": _application("DenseNet121", 64),
    "MobileNetV3Small": _application("MobileNetV3Small", 64),
    "EfficientNetV2B0": _application("EfficientNetV2B0", 64),
    "NASNetMobile": _application("NASNetMobile", 224),
    "U-Net": unet,
    "transformer": transformer,
}


@functools.cache
def graph_of(name: str) -> Graph:
    """The canonical graph of a model; not to be changed."""
    model = MODELS[name]()
    return canonicalize(keras_reader.read(model, next(inputs.examples(model))).graph)
