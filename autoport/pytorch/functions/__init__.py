"""The table of torch functions, one family a file; importing them fills it."""

from autoport.pytorch.functions import (  # noqa: F401
    attention,
    composed,
    conv,
    embedding,
    linear,
    norm,
    pointwise,
    pool,
    reductions,
    rnn,
    shape,
    windows,
)
