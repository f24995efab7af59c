"""Convolutions of every rank, with every hyper-parameter that changes where a weight goes."""

from __future__ import annotations

import pytest
from keras import layers
from torch import nn

from tests.oracle import assert_ports, sequential

# name -> (shape, Keras layers, PyTorch modules)
CASES = {
    "conv2d with a kernel that is not square": (
        (9, 12, 3),
        lambda: [layers.Conv2D(4, (3, 5))],
        [nn.Conv2d(3, 4, (3, 5))],
    ),
    "conv2d that pads to the same size, dilated": (
        (9, 12, 3),
        lambda: [layers.Conv2D(4, 3, padding="same", dilation_rate=2)],
        [nn.Conv2d(3, 4, 3, padding=2, dilation=2)],
    ),
    "conv2d in groups": (
        (9, 12, 6),
        lambda: [layers.Conv2D(8, 3, groups=2, strides=2)],
        [nn.Conv2d(6, 8, 3, groups=2, stride=2)],
    ),
    "conv2d whose stride makes the padding asymmetric": (
        (9, 12, 6),
        lambda: [layers.Conv2D(8, 3, padding="same", strides=2)],
        [nn.ZeroPad2d((0, 1, 1, 1)), nn.Conv2d(6, 8, 3, stride=2)],
    ),
    "conv2d behind a padding layer": (
        (9, 12, 3),
        lambda: [layers.ZeroPadding2D(((1, 1), (2, 2))), layers.Conv2D(4, (3, 5))],
        [nn.Conv2d(3, 4, (3, 5), padding=(1, 2))],
    ),
    "conv2d on a grey image": (
        (9, 12, 1),
        lambda: [layers.Conv2D(4, 3)],
        [nn.Conv2d(1, 4, 3)],
    ),
    "conv2d with 1x3 and 3x1 kernels": (
        (9, 12, 4),
        lambda: [layers.Conv2D(4, (1, 3)), layers.Conv2D(4, (3, 1))],
        [nn.Conv2d(4, 4, (1, 3)), nn.Conv2d(4, 4, (3, 1))],
    ),
    "conv3d": (
        (5, 6, 7, 2),
        lambda: [layers.Conv3D(4, (1, 3, 2))],
        [nn.Conv3d(2, 4, (1, 3, 2))],
    ),
    "conv2d transposed": (
        (5, 6, 3),
        lambda: [layers.Conv2DTranspose(4, (3, 2), strides=2)],
        [nn.ConvTranspose2d(3, 4, (3, 2), stride=2)],
    ),
    "conv2d transposed, cropped to the same size": (
        (5, 6, 3),
        lambda: [layers.Conv2DTranspose(4, 4, strides=2, padding="same")],
        [nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1)],
    ),
    "conv2d transposed, cropped at one side": (
        (5, 6, 3),
        lambda: [layers.Conv2DTranspose(4, 3, strides=2, padding="same"), layers.Conv2D(2, 3)],
        [nn.ConvTranspose2d(3, 4, 3, stride=2), nn.ZeroPad2d((0, -1, 0, -1)), nn.Conv2d(4, 2, 3)],
    ),
    "conv2d transposed of a padded image": (
        (5, 6, 3),
        lambda: [layers.ZeroPadding2D(1), layers.Conv2DTranspose(4, 3, strides=2)],
        [nn.ZeroPad2d(1), nn.ConvTranspose2d(3, 4, 3, stride=2)],
    ),
    "conv3d transposed": (
        (3, 4, 5, 3),
        lambda: [layers.Conv3DTranspose(4, 3)],
        [nn.ConvTranspose3d(3, 4, 3)],
    ),
    "depthwise conv2d with two filters a channel": (
        (9, 12, 3),
        lambda: [layers.DepthwiseConv2D(3, depth_multiplier=2)],
        [nn.Conv2d(3, 6, 3, groups=3)],
    ),
    "separable conv2d is two modules": (
        (9, 12, 3),
        lambda: [layers.SeparableConv2D(5, 3, depth_multiplier=2, activation="relu")],
        [nn.Conv2d(3, 6, 3, groups=3, bias=False), nn.Conv2d(6, 5, 1), nn.ReLU()],
    ),
}
SEQUENCE_CASES = {
    "conv1d that looks back only": (
        (11, 3),
        lambda: [layers.Conv1D(4, 3, padding="causal")],
        [nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(3, 4, 3)],
    ),
    "conv1d transposed": (
        (7, 3),
        lambda: [layers.Conv1DTranspose(4, 3, strides=2)],
        [nn.ConvTranspose1d(3, 4, 3, stride=2)],
    ),
    "depthwise conv1d with three filters a channel": (
        (9, 3),
        lambda: [layers.DepthwiseConv1D(3, depth_multiplier=3)],
        [nn.Conv1d(3, 9, 3, groups=3)],
    ),
    "separable conv1d is two modules": (
        (9, 3),
        lambda: [layers.SeparableConv1D(5, 3)],
        [nn.Conv1d(3, 3, 3, groups=3, bias=False), nn.Conv1d(3, 5, 1)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_image_convolutions_port(case: str) -> None:
    shape, keras_layers, modules = CASES[case]
    assert_ports(lambda: sequential(shape, *keras_layers()), nn.Sequential(*modules))


@pytest.mark.parametrize("case", SEQUENCE_CASES)
def test_sequence_convolutions_port(case: str) -> None:
    shape, keras_layers, modules = SEQUENCE_CASES[case]
    assert_ports(lambda: sequential(shape, *keras_layers()), nn.Sequential(*modules), orders=[(0, 2, 1)])
