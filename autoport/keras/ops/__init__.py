"""The table of TensorFlow operations, one family a file; importing them fills it."""

from autoport.keras.ops import conv, linear, norm, pointwise, pool, shape  # noqa: F401
