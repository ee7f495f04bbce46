"""A progress bar for long runs, on standard error.

It needs rich, a terminal to draw on, and an input large enough for someone to wait for it;
without one of these there is none, and the work is the same.
No thread draws it: it is looked at once a chunk and drawn ten times a second at the most.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from framer._cli.streams import Source

if TYPE_CHECKING:
    from rich.progress import Progress

LARGE: Final = 32 * 1024 * 1024
INTERVAL: Final = 0.1  # seconds between two drawings
LONGEST_NAME: Final = 30

Advance = Callable[[int], None]


@contextmanager
def progress(source: Source) -> Generator[Advance]:
    """Give a function to call with the number of bytes read, each time some have been."""
    bar = _bar() if _is_wanted(source) else None
    if bar is None:
        yield _nothing
        return
    with bar:
        yield _drawn_by(bar, source)


def _nothing(count: int) -> None:
    """Show no progress."""


def _is_wanted(source: Source) -> bool:
    """Tell whether someone is there to look at it and has reason to.

    A bar and frames on the same terminal would write over one another.
    """
    if source.size is None or source.size < LARGE:
        return False
    return sys.stderr.isatty() and not sys.stdout.isatty()


def _bar() -> Progress | None:
    try:
        from rich import progress as rich
        from rich.console import Console
    except ImportError:
        return None
    return rich.Progress(
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.DownloadColumn(binary_units=True),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _drawn_by(bar: Progress, source: Source) -> Advance:
    # The name alone, and not all of a long one: a path would leave no room for the rate.
    task = bar.add_task(PurePath(source.name).name[-LONGEST_NAME:], total=source.size)
    drawn = 0.0

    def advance(count: int) -> None:
        nonlocal drawn
        bar.advance(task, count)
        now = time.monotonic()
        if now - drawn >= INTERVAL:
            drawn = now
            bar.refresh()

    return advance
