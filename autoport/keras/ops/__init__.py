"""The table of TensorFlow operations, one family a file; importing them fills it."""

from autoport.keras.ops import linear, pointwise, pool, shape  # noqa: F401
