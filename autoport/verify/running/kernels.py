"""TensorFlow operations without a float64 kernel, computed from others: one function for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

Kernel = Callable[[list[Any], Mapping[str, Any]], list[Any]]
KERNELS: dict[str, Kernel] = {}
# TensorFlow's table of cubic weights has this many steps to a pixel.
CUBIC_STEPS = 1024


def kernel(names: str) -> Callable[[Kernel], Kernel]:
    """Registers the function that computes the operations `names` (space separated) in float64."""

    def add(function: Kernel) -> Kernel:
        KERNELS.update(dict.fromkeys(names.split(), function))
        return function

    return add


@kernel("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3")
def fused_batch_norm(inputs: list[Any], attrs: Mapping[str, Any]) -> list[Any]:
    """x * factor + (offset - mean * factor), where factor = scale / sqrt(variance + epsilon)."""
    x, scale, offset, mean, variance = inputs
    last = attrs["data_format"][-1:] in (b"C", "C")
    axes = [d for d in range(len(x.shape)) if d != (len(x.shape) - 1 if last else 1)]
    if attrs["is_training"]:
        mean, variance = tf.nn.moments(x, axes)
    shape = [-1 if last or d == 1 else 1 for d in range(len(x.shape))] if not last else [-1]
    scale, offset, wide_mean, wide_variance = (tf.reshape(t, shape) for t in (scale, offset, mean, variance))
    factor = scale / tf.sqrt(wide_variance + attrs["epsilon"])
    y = x * factor + (offset - wide_mean * factor)
    return [y, mean, variance, mean, variance, mean]


@kernel("LeakyRelu")
def leaky_relu(inputs: list[Any], attrs: Mapping[str, Any]) -> list[Any]:
    """TensorFlow keeps the slope, an attribute, in float32 only."""
    (x,) = inputs
    return [tf.where(x > 0, x, x * attrs["alpha"])]


@kernel("ResizeBilinear")
def resize_bilinear(inputs: list[Any], attrs: Mapping[str, Any]) -> list[Any]:
    """Linear interpolation along height, then along width, as two matrix products."""
    x, size = inputs
    return [_resize(x, size, lambda before, after: _linear_weights(before, after, attrs))]


@kernel("ResizeBicubic")
def resize_bicubic(inputs: list[Any], attrs: Mapping[str, Any]) -> list[Any]:
    """Keys' cubic interpolation with a = -0.5 (-0.75 without half-pixel centres), each axis by itself.

    TensorFlow looks its weights up in a table of distances in steps of 1/1024.
    """
    x, size = inputs
    return [_resize(x, size, lambda before, after: _cubic_weights(before, after, attrs))]


def _resize(x: Any, size: Any, weights: Callable[[int, int], Any]) -> Any:
    rows, columns = (weights(int(before), int(after)) for before, after in zip(x.shape[1:3], size, strict=True))
    return tf.einsum("oh,nhwc,pw->nopc", rows, tf.cast(x, tf.float64), columns)


def _input_positions(before: int, after: int, attrs: Mapping[str, Any]) -> Any:
    """Where in the input each output position lies."""
    if attrs["align_corners"] and after > 1:
        return np.arange(after) * ((before - 1) / (after - 1))
    half = 0.5 if attrs["half_pixel_centers"] else 0.0
    return (np.arange(after) + half) * (before / after) - half


def _linear_weights(before: int, after: int, attrs: Mapping[str, Any]) -> Any:
    places = np.clip(_input_positions(before, after, attrs), 0, before - 1)
    low = np.floor(places).astype(int)
    weights = np.zeros((after, before))
    np.add.at(weights, (np.arange(after), low), 1 - (places - low))
    np.add.at(weights, (np.arange(after), np.minimum(low + 1, before - 1)), places - low)
    return weights


def _cubic_weights(before: int, after: int, attrs: Mapping[str, Any]) -> Any:
    half = bool(attrs["half_pixel_centers"])
    a = -0.5 if half else -0.75
    places = _input_positions(before, after, attrs)
    low = np.floor(places).astype(int)
    offset = np.rint((places - low) * CUBIC_STEPS) / CUBIC_STEPS
    weights = np.zeros((after, before))
    for neighbour in range(-1, 3):
        index = low + neighbour
        distance = np.abs(offset - neighbour)
        near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        far = a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
        value = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
        if half:  # neighbours outside of the image do not count, the others are scaled up
            value = np.where((index >= 0) & (index < before), value, 0.0)
        np.add.at(weights, (np.arange(after), np.clip(index, 0, before - 1)), value)
    return weights / weights.sum(axis=1, keepdims=True)
