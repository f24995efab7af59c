"""How far rounding alone moves a value: the Keras graph is run again with its roundings drawn anew.

Where a graph has to round to float32 (an operation without another kernel, a table that was computed in float32, a run
in float32), PyTorch rightly computes slightly different values. How different they may be varies from place to place by
orders of magnitude. So it is measured: every rounding is replaced by another one of the same size, and the change at a
place is what rounding does there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import torch

from autoport.verify.comparing.compare import gap

# The largest relative rounding of a type.
UNIT = {tf.bfloat16: 2.0**-8, tf.float16: 2.0**-11, tf.float32: 2.0**-24, tf.float64: 2.0**-53}
# How often roundings are drawn anew.
DRAWS = 2
# How much more than the largest draw counts as rounding; 3.5 was the most seen in real networks in float32.
MULTIPLE = 8
# A multiple of this, a whole number for one, is taken as exact: hardly any rounded number is one.
SHORT = 2.0**-12


def redraw_rounding(tensor: Any, unit: float, seed: Sequence[int]) -> Any:
    """A float tensor with another rounding: each number moves up or down by `unit` of itself.

    Numbers of few bits stay: they are exact, and indices and counts would change with them.
    """
    if tensor.dtype not in UNIT:
        return tensor
    up = tf.random.stateless_uniform(tf.shape(tensor), seed, maxval=2, dtype=tf.int32)
    redrawn = tensor * (1 + unit * tf.cast(2 * up - 1, tensor.dtype))
    return tf.where(tensor == tf.round(tensor / SHORT) * SHORT, tensor, redrawn)


def rounding_tolerance(tensor: Any, draws: Sequence[Any]) -> float:
    """The largest relative error of a value that counts as rounding, by the draws of it; 0 if they tell nothing."""
    if not draws:
        return 0.0
    value, *others = (torch.from_numpy(np.asarray(each.numpy())) for each in (tensor, *draws))
    largest = max(gap(value, other).relative for other in others)
    return MULTIPLE * largest if math.isfinite(largest) else 0.0
