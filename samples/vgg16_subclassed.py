"""VGG16 as a subclassed Keras model, against torchvision's `vgg16`.

The Keras model is plain Python: classes with a `call`, no graph of layers that could be read off.
It works channels last but transposes to channels first before its Flatten, so here the rows of the
first dense layer must *not* be permuted, though Flatten -> Dense behind a convolution mostly asks
for it. Both models are the same function.

    autoport report samples/vgg16_subclassed.py:keras_model samples/vgg16_subclassed.py:torch_model
"""

import keras
import numpy as np
import torch
import torchvision_fallback  # noqa: F401  (before torchvision)
from keras import layers
from torch import nn
from torchvision.models import vgg16

import autoport


class Stage(layers.Layer):
    """Some convolutions of one width, then a pooling that halves the map."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.convolutions = [layers.Conv2D(width, 3, padding="same", activation="relu") for _ in range(depth)]
        self.pool = layers.MaxPooling2D(2)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        for convolution in self.convolutions:
            x = convolution(x)
        return self.pool(x)


class Classifier(layers.Layer):
    """The three dense layers, over a map turned channels first."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.flatten = layers.Flatten()
        self.hidden = [layers.Dense(4096, activation="relu") for _ in range(2)]
        self.dropout = layers.Dropout(0.5)
        self.scores = layers.Dense(classes)

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        x = self.flatten(keras.ops.transpose(x, (0, 3, 1, 2)))
        for dense in self.hidden:
            x = self.dropout(dense(x), training=training)
        return self.scores(x)


class VGG16(keras.Model):
    """Five stages and the classifier, for images of 224 x 224."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        shape = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]
        self.stages = [Stage(depth, width) for depth, width in shape]
        self.classifier = Classifier(classes)

    def call(self, image: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        for stage in self.stages:
            image = stage(image)
        return self.classifier(image, training=training)


def keras_model() -> keras.Model:
    """The source, built, with fresh weights."""
    model = VGG16()
    model(keras.Input((224, 224, 3)))  # creates the weights
    return model


def torch_model() -> nn.Module:
    """The target: torchvision's own VGG16, without downloaded weights."""
    return vgg16(weights=None, init_weights=False).eval()


def main() -> None:
    """Port, then compare the scores of both models on the same images."""
    source, target = keras_model(), torch_model()
    match = autoport.match(source, target)
    match.report()
    match.assign()
    images = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype(np.float32)
    expected = source.predict(images, verbose=0)
    with torch.no_grad():
        scores = target(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    error = np.abs(scores - expected).max() / np.abs(expected).max()
    print(f"largest difference of the scores: {error:.1e} of the largest score")


if __name__ == "__main__":
    main()
