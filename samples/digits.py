"""A small classifier of digits, written twice: the pair behind `make demo`.

The Keras model is functional, the PyTorch one a module with other names, its layers declared in
another order. What a copy of the weights has to get right:

- `second` and `third` hold tensors of the same shapes, so shapes alone do not tell which is which;
- `SeparableConv2D` is one layer in Keras and two modules in PyTorch;
- Keras flattens height, width, channels, PyTorch flattens channels, height, width, so the rows of
  the dense layer behind it have to be permuted;
- batch normalisation has epsilon 1e-3 in Keras and 1e-5 in PyTorch. No tensor shows that: the
  report does. `torch_model(eps=1e-3)` is the same function as the Keras model.

    autoport report samples/digits.py:keras_model samples/digits.py:torch_model
    autoport port samples/digits.py:keras_model samples/digits.py:torch_model -o digits.safetensors
"""

import keras
import numpy as np
import torch
from keras import layers
from torch import Tensor, nn
from torch.nn import functional as F

import autoport


def keras_model() -> keras.Model:
    """The source: a functional Keras model, channels last."""
    image = layers.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(image)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D()(x)
    residual = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    residual = layers.Conv2D(16, 3, padding="same")(residual)
    x = layers.ReLU()(layers.Add()([x, residual]))
    x = layers.SeparableConv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    return keras.Model(image, layers.Dense(10)(x))


class Digits(nn.Module):
    """The target: channels first, the layers declared from the last to the first."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.scores = nn.Linear(64, 10)
        self.hidden = nn.Linear(32 * 7 * 7, 64)
        self.mix = nn.Conv2d(16, 32, kernel_size=1)
        self.spread = nn.Conv2d(16, 16, kernel_size=3, padding=1, groups=16, bias=False)
        self.third = nn.Conv2d(16, 16, kernel_size=3, padding=1)
        self.second = nn.Conv2d(16, 16, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(16, eps=eps, momentum=0.01)
        self.first = nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.first(image))), 2)
        x = F.relu(self.third(F.relu(self.second(x))) + x)
        x = F.max_pool2d(F.relu(self.mix(self.spread(x))), 2)
        return self.scores(F.relu(self.hidden(x.flatten(1))))


def torch_model(eps: float = 1e-5) -> nn.Module:
    """The target; `eps` is the epsilon of its batch normalisation."""
    return Digits(eps).eval()


def main() -> None:
    """Port into both variants of the target and compare their scores with the source's."""
    source = keras_model()
    images = np.random.default_rng(0).random((8, 28, 28, 1), dtype=np.float32)
    expected = source.predict(images, verbose=0)
    for eps in (1e-5, 1e-3):
        target = torch_model(eps)
        match = autoport.match(source, target)
        match.report()
        match.assign()
        with torch.no_grad():
            scores = target(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
        error = np.abs(scores - expected).max() / np.abs(expected).max()
        print(f"eps={eps:g}: largest difference of the scores {error:.1e} of the largest score")


if __name__ == "__main__":
    main()
