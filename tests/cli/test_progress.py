"""The progress bar."""

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from unittest.mock import patch

import pytest

from framer._cli.progress import LARGE, progress
from framer._cli.streams import Source


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        """Say so."""
        return True


ENVIRONMENT = {"TERM": "xterm", "COLUMNS": "120"}


@contextmanager
def on_terminal(stdout: io.StringIO | None = None) -> Generator[Terminal]:
    """A terminal for standard error, and standard output elsewhere."""
    # Not a fixture: pytest sets the streams anew between a fixture and its test.
    with (
        patch.dict("os.environ", ENVIRONMENT, clear=True),
        patch.object(sys, "stderr", Terminal()) as err,
        patch.object(sys, "stdout", stdout or io.StringIO()),
    ):
        yield err


def source(size: int | None) -> Source:
    """A file of that size, of which nobody reads."""
    return Source("[red]capture", io.BytesIO().read, size)


def read(size: int | None, chunks: int = 4) -> None:
    """Read it all."""
    with progress(source(size)) as advance:
        for _ in range(chunks):
            advance((size or 0) // chunks)


def test_a_large_file() -> None:
    """Name, part done and rate; the name is not taken for markup."""
    clock = count(1.0)
    with on_terminal() as terminal, patch("time.monotonic", lambda: next(clock)):
        read(LARGE)
    shown = terminal.getvalue()
    assert "[red]capture" in shown
    assert "50%" in shown
    assert "MiB" in shown


def test_it_is_not_drawn_at_every_chunk() -> None:
    """Ten times a second is often enough."""
    with on_terminal() as terminal, patch("time.monotonic", lambda: 1.0):
        read(LARGE, chunks=100)
    assert 0 < terminal.getvalue().count("[red]capture") < 5


@pytest.mark.parametrize("size", [None, LARGE - 1])
def test_nobody_waits_for_it(size: int | None) -> None:
    """A small file is read at once, and of a pipe nobody knows how much is to come."""
    with on_terminal() as terminal:
        read(size)
    assert not terminal.getvalue()


def test_not_over_the_frames() -> None:
    """Where the frames go to the terminal as well, they are the progress."""
    with on_terminal(stdout=Terminal()) as terminal:
        read(LARGE)
    assert not terminal.getvalue()


def test_no_terminal() -> None:
    """A log file gets no bar."""
    with patch.object(sys, "stderr", io.StringIO()) as err:
        read(LARGE)
    assert not err.getvalue()


def test_without_rich() -> None:
    """Without the extra the work is done all the same."""
    with on_terminal() as terminal, patch.dict(sys.modules, {"rich": None}):
        read(LARGE)
    assert not terminal.getvalue()
