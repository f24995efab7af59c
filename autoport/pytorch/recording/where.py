"""Where in a model's source a recorded call stands."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import torch

Where = tuple[str, int]
TORCH, AUTOPORT = (str(Path(root)) for root in (Path(torch.__file__).parent, Path(__file__).parents[2]))
# What runs the model; frames above it are not the model's.
RUNNER = str(Path(__file__).parents[1] / "trace.py")


def caller() -> Where:
    """File and line of the call that is being recorded: in the model's source, or in a module of PyTorch's own."""
    frame: FrameType | None = sys._getframe(1)
    found = ("", 0)
    while frame is not None and frame.f_code.co_filename != RUNNER:
        file = frame.f_code.co_filename
        if not file.startswith((TORCH, AUTOPORT)):
            return file, frame.f_lineno
        if frame.f_code.co_name == "forward" and found == ("", 0):
            found = file, frame.f_lineno
        frame = frame.f_back
    return found


def describe(where: Where) -> str:
    """A place in words: files of packages from the package on, others from the working directory on."""
    path = Path(where[0])
    for base in (*(parent for parent in path.parents if parent.name == "site-packages"), Path.cwd()):
        if path.is_relative_to(base):
            path = path.relative_to(base)
            break
    return f"{path}:{where[1]}"
