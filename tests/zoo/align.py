"""Edits that make a PyTorch twin compute exactly what the Keras model computes.

They run after the weights were carried, and touch hyper-parameters only: where outputs then agree
in float64, every carried tensor is right. Each function returns an edit, so that a pair lists its
edits as data; `edits` strings several together.
"""

from __future__ import annotations

import itertools
import math
import types
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Edit = Callable[[nn.Module], None]


def edits(*steps: Edit) -> Edit:
    """One edit that makes several, in order."""

    def edit(module: nn.Module) -> None:
        for step in steps:
            step(module)

    return edit


def epsilon(value: float) -> Edit:
    """Give every BatchNorm this epsilon."""

    def edit(module: nn.Module) -> None:
        for norm in _all(module, nn.modules.batchnorm._BatchNorm):
            norm.eps = value

    return edit


def same_padding(module: nn.Module) -> None:
    """Pad every strided convolution and max pooling that pads at all as TensorFlow's `same` does."""
    for layer in _all(module, nn.Conv2d, nn.MaxPool2d):
        kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
        if max(stride) > 1 and max(_pair(layer.padding)) > 0:
            blank = 0.0 if isinstance(layer, nn.Conv2d) else -math.inf
            _pad_before(layer, partial(_same, kernel=kernel, stride=stride), blank)


def pad_at_the_end(module: nn.Module) -> None:
    """Pad every strided depthwise convolution by one row and one column at the end, whatever the size."""
    for layer in _all(module, nn.Conv2d):
        if layer.groups > 1 and max(layer.stride) > 1:
            _pad_before(layer, lambda x: (0, 1, 0, 1), 0.0)


def pool_over_zeros(module: nn.Module) -> None:
    """Let every strided max pooling see zeros outside its input instead of minus infinity."""
    for layer in _all(module, nn.MaxPool2d):
        kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
        layer.forward = lambda x, k=kernel, s=stride: F.max_pool2d(F.pad(x, _same(x, k, s)), k, s)


def average_without_padding(module: nn.Module) -> None:
    """Let average pooling divide by the number of real pixels, also where it is called as a function."""

    def average(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *_: Any, **__: Any) -> Tensor:
        return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)

    _substitute(module, F.avg_pool2d, average)


def gelu_of_tensorflow(module: nn.Module) -> None:
    """Compute GELU with the square root of one half in float32, as TensorFlow does in every precision."""
    root = float(np.float32(math.sqrt(0.5)))
    _substitute(module, F.gelu, lambda x, **_: 0.5 * x * torch.erfc(-x * root))


def stride_on_first(module: nn.Module) -> None:
    """Move the stride of every bottleneck from its 3x3 convolution to its first one (v1.5 to v1)."""
    for block in module.modules():
        if {"conv1", "conv2", "conv3"} <= dict(block.named_children()).keys():
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)


def stride_on_last_block(module: nn.Module) -> None:
    """Move the stride of a pre-activation ResNet from the first block of a stage to the block before it."""
    for stage, following in itertools.pairwise(module.stages):
        last, first = stage.blocks[-1], following.blocks[0]
        last.conv2.stride, first.conv2.stride = first.conv2.stride, (1, 1)
        first.downsample.conv.stride = (1, 1)
        last.forward = types.MethodType(_preactivation_with_subsampled_shortcut, last)


def _preactivation_with_subsampled_shortcut(block: Any, x: Tensor) -> Tensor:
    branch = block.conv1(block.norm1(x))
    branch = block.conv3(block.norm3(block.conv2(block.norm2(branch))))
    return branch + x[:, :, ::2, ::2]


def preprocess(
    scale: float, offset: float = 0.0, mean: Sequence[float] = (0.0,), variance: Sequence[float] = (1.0,)
) -> Edit:
    """Rescale and normalise the input first, with float32 constants, as the Keras model does inside."""
    factor, shift = (float(np.float32(value)) for value in (scale, offset))

    def edit(module: nn.Module) -> None:
        centre, spread = (
            torch.from_numpy(np.array(values, np.float32).astype(np.float64)).view(-1, 1, 1)
            for values in (mean, variance)
        )
        module.register_forward_pre_hook(lambda _, args: ((args[0] * factor + shift - centre) / spread.sqrt(),))

    return edit


class _Substitution(TorchFunctionMode):
    def __init__(self, function: Any, substitute: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function, self.substitute = function, substitute

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (self.substitute if func is self.function else func)(*args, **(kwargs or {}))


def _substitute(module: nn.Module, function: Any, substitute: Callable[..., Tensor]) -> None:
    """Call `substitute` wherever the module's forward pass calls `function`."""
    forward = module.forward

    def substituted(x: Tensor) -> Tensor:
        with _Substitution(function, substitute):
            return forward(x)

    module.forward = substituted


def _all(module: nn.Module, *kinds: type[nn.Module]) -> list[Any]:
    return [child for child in module.modules() if isinstance(child, kinds)]


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)


def _same(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, right, top, bottom: TensorFlow puts the odd pixel at the end."""
    pads: list[int] = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max(0, (math.ceil(size / s) - 1) * s + k - size)
        pads += [total // 2, total - total // 2]
    return tuple(pads)  # type: ignore[return-value]


def _pad_before(layer: Any, pads: Callable[[Tensor], tuple[int, ...]], value: float) -> None:
    layer.padding = (0, 0)
    layer.register_forward_pre_hook(lambda _, args: (F.pad(args[0], pads(args[0]), value=value),))
