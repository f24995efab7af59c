"""ResNet-50 with a one-unit head, against a PyTorch twin that checkpoints every block.

The Keras model is functional, takes images of any size, has biased convolutions and batch
normalisation with epsilon 1.001e-5. The PyTorch model is built of wrapper classes of its own and
calls every block through `torch.utils.checkpoint`, which saves memory in training and hides the
blocks from tools that read a module's code. Both place the stride in the first convolution of a
block and are the same function.

    autoport report samples/resnet50_checkpointed.py:keras_model \\
        samples/resnet50_checkpointed.py:torch_model
"""

import keras
import numpy as np
import torch
from keras import KerasTensor, layers
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import autoport

EPSILON = 1.001e-5
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride of the first


def conv_bn(x: KerasTensor, width: int, kernel: int, stride: int = 1) -> KerasTensor:
    """A biased convolution and its normalisation, the padding written out."""
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(width, kernel, strides=stride)(x)
    return layers.BatchNormalization(epsilon=EPSILON)(x)


def bottleneck(x: KerasTensor, width: int, stride: int, project: bool) -> KerasTensor:
    """Three convolutions beside a shortcut, which the first block of a stage projects."""
    shortcut = conv_bn(x, 4 * width, 1, stride) if project else x
    x = layers.ReLU()(conv_bn(x, width, 1, stride))
    x = layers.ReLU()(conv_bn(x, width, 3))
    x = conv_bn(x, 4 * width, 1)
    return layers.ReLU()(layers.Add()([shortcut, x]))


def keras_model() -> keras.Model:
    """The source: functional, images of any height and width, one linear output."""
    image = layers.Input((None, None, 3))
    x = layers.ReLU()(conv_bn(image, 64, 7, 2))
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for width, blocks, stride in STAGES:
        for i in range(blocks):
            x = bottleneck(x, width, stride if i == 0 else 1, project=i == 0)
    return keras.Model(image, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))


class Filter(nn.Module):
    """A wrapped convolution."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.kernel(x)


class Standardise(nn.Module):
    """A wrapped batch normalisation, with a rectifier behind it where asked for."""

    def __init__(self, channels: int, rectify: bool = True) -> None:
        super().__init__()
        self.statistics = nn.BatchNorm2d(channels, eps=EPSILON, momentum=0.01)
        self.rectify = rectify

    def forward(self, x: Tensor) -> Tensor:
        x = self.statistics(x)
        return F.relu(x) if self.rectify else x


class Block(nn.Module):
    """A bottleneck: narrow, look around, widen; plus the way round it."""

    def __init__(self, inputs: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        outputs = 4 * width
        self.widen = nn.Sequential(Filter(width, outputs, 1), Standardise(outputs, rectify=False))
        self.look = nn.Sequential(Filter(width, width, 3), Standardise(width))
        self.narrow = nn.Sequential(Filter(inputs, width, 1, stride), Standardise(width))
        self.around: nn.Module = nn.Identity()
        if project:
            self.around = nn.Sequential(Filter(inputs, outputs, 1, stride), Standardise(outputs, rectify=False))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.widen(self.look(self.narrow(x))) + self.around(x))


class Rater(nn.Module):
    """ResNet-50 which gives every image one number."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Linear(2048, 1)
        self.entry = nn.Sequential(Filter(3, 64, 7, 2), Standardise(64))
        self.blocks = nn.ModuleList()
        inputs = 64
        for width, blocks, stride in STAGES:
            for i in range(blocks):
                self.blocks.append(Block(inputs, width, stride if i == 0 else 1, project=i == 0))
                inputs = 4 * width

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(self.entry(image), 3, stride=2, padding=1)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False)
        return self.rate(x.mean(dim=(2, 3)))


def torch_model() -> nn.Module:
    """The target, with fresh weights."""
    return Rater().eval()


def main() -> None:
    """Port, then compare what both models say about the same images."""
    source, target = keras_model(), torch_model()
    match = autoport.match(source, target)
    match.report()
    match.assign()
    images = np.random.default_rng(0).normal(size=(4, 128, 96, 3)).astype(np.float32)
    expected = source.predict(images, verbose=0)
    with torch.no_grad():
        ratings = target(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    error = np.abs((ratings - expected) / expected).max()
    print(f"largest relative difference: {error:.1e}")


if __name__ == "__main__":
    main()
