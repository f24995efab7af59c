"""Progress bars for slow steps, on standard error, and only on a terminal.

Stages do not nest: a stage within a stage draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

_drawing = Lock()


@contextmanager
def stage(title: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """A bar for the time of a block.

    Args:
        title: what is being done.
        total: number of steps; None where that is not known, so that the bar only moves.

    Returns:
        A function to call after every step.

    Example:
        >>> with stage("copying", total=2) as step:
        ...     step()
        ...     step()
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not (console.is_terminal and _drawing.acquire(blocking=False)):
        yield lambda: None
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    try:
        # What models print goes where it would go without a bar.
        with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
            task = bar.add_task(title, total=total)
            yield lambda: bar.advance(task)
    finally:
        _drawing.release()
