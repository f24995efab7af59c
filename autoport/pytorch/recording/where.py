"""Where in a model's source a recorded call stands."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import torch

# Frames of PyTorch and of autoport are not the model's.
INNER = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]))

Where = tuple[str, int]


def caller() -> Where:
    """File and line of the call that is being recorded, in the model's source."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(INNER):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("", 0)


def describe(where: Where) -> str:
    """A place in words: files of packages from the package on, others from the working directory on."""
    path = Path(where[0])
    for base in (*(parent for parent in path.parents if parent.name == "site-packages"), Path.cwd()):
        if path.is_relative_to(base):
            path = path.relative_to(base)
            break
    return f"{path}:{where[1]}"
