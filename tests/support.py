"""What the tests share: random weights that keep a deep network well-conditioned, and the error measure."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


# Between 1, where chains of squeezed or gated blocks fade, and 2, where deep residual networks explode:
# either way a wrong tensor would move the output by no more than rounding does.
_GAIN = 1.2


def _fan_in(axes: slice) -> Draw:
    """A normal draw for kernels; `axes` are those that one output sums over."""
    return lambda rng, shape: rng.normal(0.0, math.sqrt(_GAIN / max(1, math.prod(shape[axes]))), shape)


def _keras_kernel(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A draw for `h w i o`, and for the depthwise `h w c 1`, which sums over `h w` only."""
    return _fan_in(slice(None, -2 if shape[-1] == 1 and len(shape) > 2 else -1))(rng, shape)


def _small(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0.0, 0.1, shape)


def _around_one(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.5, 1.5, shape)


# Draws by the last part of a variable's name; what is not listed is drawn by its rank.
_DRAWS: dict[str, Draw] = {
    "depthwise_kernel": _fan_in(slice(None, -2)),
    "kernel": _keras_kernel,
    "embeddings": lambda rng, shape: rng.normal(0.0, 1.0, shape),
    "bias": _small,
    "beta": _small,
    "moving_mean": _small,
    "running_mean": _small,
}
# Statistics of the data and counters: they are no weights of the network.
_KEPT = {"mean", "variance", "count", "num_batches_tracked"}


def randomise_keras(model: Any, seed: int) -> None:
    """Fill every weight of a Keras model with random numbers, in place, statistics of BatchNorm included."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name, shape = variable.name.split("/")[-1].split(":")[0], tuple(variable.shape)
        if name not in _KEPT:
            draw = _DRAWS.get(name, _around_one if len(shape) < 2 else _fan_in(slice(None, -1)))
            variable.assign(draw(rng, shape))


def randomise_torch(module: nn.Module, seed: int) -> None:
    """Fill every parameter and floating-point buffer of a PyTorch module with random numbers, in place."""
    rng = np.random.default_rng(seed)
    for path, tensor in module.state_dict().items():
        name, shape = path.split(".")[-1], tuple(tensor.shape)
        if name not in _KEPT:
            draw = _DRAWS.get(name, _around_one if len(shape) < 2 else _fan_in(slice(1, None)))
            tensor.copy_(torch.from_numpy(np.asarray(draw(rng, shape))))


@contextlib.contextmanager
def keras_float64() -> Iterator[None]:
    """Build Keras models in float64 inside this context, and leave the global settings as they were."""
    import keras

    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def relative_error(actual: np.ndarray, reference: np.ndarray) -> float:
    """The largest absolute difference, in standard deviations of the reference."""
    return float(np.abs(actual - reference).max() / reference.std())


def random_images(shape: tuple[int, int, int], seed: int, scale: float = 1.0) -> np.ndarray:
    """A float64 batch of two images, channels last."""
    return np.random.default_rng(seed).normal(0.0, scale, (2, *shape))


def run_keras(model: Any, images: np.ndarray) -> np.ndarray:
    """The output of a Keras model in inference mode."""
    return np.asarray(model(images, training=False))


def run_torch(module: nn.Module, images: np.ndarray) -> np.ndarray:
    """The output of a PyTorch module in inference mode on a channels-last batch."""
    with torch.no_grad():
        output = module.eval()(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    return np.asarray(output)


def forward_both(
    keras_model: Any,
    torch_module: nn.Module,
    image_shape: tuple[int, int, int],
    seed: int,
    scale: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The outputs of both models on the same random float64 batch of two images."""
    images = random_images(image_shape, seed, scale)
    return run_keras(keras_model, images), run_torch(torch_module, images)


_operators = torch.library.Library("torchvision", "FRAGMENT")  # declarations live as long as this object


def import_torchvision() -> Any:
    """Import torchvision, also where its compiled operators, which no model here uses, do not load."""
    try:
        import torchvision
    except RuntimeError:
        for name in ("nms", "qnms"):
            _operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision
