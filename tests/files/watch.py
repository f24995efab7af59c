"""Watches what a piece of code does to files, sockets and processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Events of Python's audit hooks that reach out of the process, by how their names begin.
OUTWARD = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.bind",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
)
OUTWARD += (
    "os.fork",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "urllib.",
    "http.",
    "ctypes.dlopen",
)
OUTWARD += ("pickle.find_class", "shutil.", "webbrowser.")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_seen: list[str] | None = None
_baits: str = ""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event == "open":
        path, _, flags = arguments
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        writes = isinstance(flags, int) and flags & WRITES and "__pycache__" not in text and text != os.devnull
        if text.startswith(_baits) or (text and writes):
            _seen.append(f"open {text}")
    elif event.startswith(OUTWARD):
        _seen.append(f"{event} {arguments}"[:200])


sys.addaudithook(_hook)  # it stays for the life of the process


@contextmanager
def watched(baits: Path) -> Iterator[list[str]]:
    """Collects what reaches out of the process, and what changes or is opened in a folder of baits.

    TensorFlow opens files without Python noticing, so the folder is looked at before and after, too.
    """
    global _seen, _baits
    before = _content(baits)
    seen: list[str] = []
    _seen, _baits = seen, str(baits)
    try:
        yield seen
    finally:
        _seen = None
        after = _content(baits)
        seen += [f"changed {path}" for path in before.keys() | after.keys() if before.get(path) != after.get(path)]


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}
