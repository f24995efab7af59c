"""The table of Keras layers, one family a file; importing them fills it."""

from autoport.keras.layers import (  # noqa: F401
    activation,
    attention,
    conv,
    dense,
    merge,
    norm,
    pool,
    preprocessing,
    rnn,
    shape,
)
