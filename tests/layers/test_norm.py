"""Normalisations and PReLU."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from keras import layers
from torch import nn

from tests.oracle import assert_ports, sequential

EPS = {"epsilon": 1e-5}
CASES = {
    "batch norm of images": (
        (9, 12, 3),
        lambda: [layers.Conv2D(4, 3), layers.BatchNormalization(**EPS)],
        [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)],
    ),
    "batch norm without scale, then without centre": (
        (9, 12, 3),
        lambda: [
            layers.Conv2D(4, 3),
            layers.BatchNormalization(scale=False, **EPS),
            layers.ReLU(),
            layers.BatchNormalization(center=False, **EPS),
        ],
        [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)],
    ),
    "batch norm of vectors": (
        (9,),
        lambda: [layers.Dense(4), layers.BatchNormalization(**EPS)],
        [nn.Linear(9, 4), nn.BatchNorm1d(4)],
    ),
    "batch norm of volumes": (
        (5, 6, 7, 2),
        lambda: [layers.BatchNormalization(**EPS)],
        [nn.BatchNorm3d(2)],
    ),
    "layer norm": (
        (7, 6),
        lambda: [layers.Dense(5), layers.LayerNormalization(**EPS)],
        [nn.Linear(6, 5), nn.LayerNorm(5)],
    ),
    "group norm": (
        (7, 5, 6),
        lambda: [layers.GroupNormalization(3, **EPS)],
        [nn.GroupNorm(3, 6)],
    ),
    "instance norm": (
        (7, 5, 6),
        lambda: [layers.GroupNormalization(-1, **EPS)],
        [nn.InstanceNorm2d(6, affine=True)],
    ),
    "rms norm": (
        (7, 6),
        lambda: [layers.RMSNormalization(epsilon=1e-6)],
        [nn.RMSNorm(6, eps=1e-6)],
    ),
    "one slope for each channel": (
        (7, 5, 6),
        lambda: [layers.PReLU(shared_axes=[1, 2])],
        [nn.PReLU(6)],
    ),
    "one slope for all": (
        (7, 5, 6),
        lambda: [layers.PReLU(shared_axes=[1, 2, 3])],
        [nn.PReLU(1)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_norms_port(case: str) -> None:
    shape, keras_layers, modules = CASES[case]
    assert_ports(lambda: sequential(shape, *keras_layers()), nn.Sequential(*modules))


def test_batch_norm_of_sequences_ports() -> None:
    assert_ports(
        lambda: sequential((9, 5), layers.Conv1D(4, 3), layers.BatchNormalization(**EPS)),
        nn.Sequential(nn.Conv1d(5, 4, 3), nn.BatchNorm1d(4)),
        orders=[(0, 2, 1)],
    )


class ByMoments(layers.Layer):  # type: ignore[misc]
    """A normalisation as TensorFlow spells it."""

    def __init__(self, axes: list[int]) -> None:
        super().__init__()
        self.axes = axes

    def build(self, shape: Any) -> None:
        self.gamma, self.beta = (self.add_weight(shape=shape[-1:]) for _ in range(2))

    def call(self, x: Any) -> Any:
        mean, variance = tf.nn.moments(x, self.axes, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.beta.value, self.gamma.value, 1e-5)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def test_norms_by_moments_port() -> None:
    assert_ports(
        lambda: sequential((7, 6), layers.Dense(5), ByMoments([-1])), nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5))
    )
    instance = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(4, 4), nn.Conv2d(4, 5, 2))
    assert_ports(lambda: sequential((9, 12, 3), layers.Conv2D(4, 3), ByMoments([1, 2]), layers.Conv2D(5, 2)), instance)
