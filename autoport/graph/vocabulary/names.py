"""One spelling for the names of functions that no row of a reader's table knows."""

from __future__ import annotations

import re

# Between a small letter and a capital, and in front of the last capital of several.
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")


def normal_form(name: str) -> str:
    """The name of a function without its namespace, its overload and the underscores of its spellings.

    Args:
        name: as a framework writes it.

    Example:
        >>> [normal_form(name) for name in ("Floor", "floor_", "aten.floor.default", "L2Loss", "FFT2D")]
        ['floor', 'floor', 'floor', 'l2_loss', 'fft2d']
    """
    parts = name.split(".")
    bare = parts[1] if len(parts) > 1 and parts[1] else parts[0]
    return _WORDS.sub("_", bare.strip("_")).lower()
