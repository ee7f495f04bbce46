"""What the loop does with a channel, whatever its methods raise."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from framer_adapters import _asyncore_events as events
from framer_adapters._asyncore_events import (
    DISCONNECTED,
    RERAISED,
    ExitNow,
    compact_traceback,
    readwrite,
    strerror,
)
from framer_adapters._asyncore_polling import HANG_UP, PRIORITY, READ, WRITE


class Channel:
    """Notes what it is told, and raises what it was given."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Be told."""

        def told() -> None:
            self.told.append(name)
            if self.error is not None and name not in {"handle_error", "handle_close"}:
                raise self.error

        return told


CALLS = {
    "handle_read_event": events.read,
    "handle_write_event": events.write,
    "handle_expt_event": events.exception,
}


def read_by_flag(channel: Any) -> None:
    """Do what `read` does, through `readwrite`."""
    readwrite(channel, READ)


FLAGS = {READ: "handle_read_event", WRITE: "handle_write_event", PRIORITY: "handle_expt_event"}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    """Each calls its method; whatever that raises, also what no program expects, is handled."""
    channel = Channel()
    CALLS[name](channel)
    assert channel.told == [name]
    for error in (ValueError(), OSError(errno.ECONNRESET, ""), GeneratorExit()):
        channel = Channel(error)
        CALLS[name](channel)
        assert channel.told == [name, "handle_error"]


@pytest.mark.parametrize("call", [*CALLS.values(), read_by_flag])
@pytest.mark.parametrize("error", RERAISED)
def test_what_passes(call: Callable[[Any], None], error: type[BaseException]) -> None:
    """Three errors are for the program."""
    channel = Channel(error())
    with pytest.raises(error):
        call(channel)
    assert "handle_error" not in channel.told


def test_readwrite_tells_all() -> None:
    """In this order: read, write, urgent data, the end."""
    channel = Channel()
    assert not readwrite(channel, READ | WRITE | PRIORITY | HANG_UP)
    assert channel.told == [*FLAGS.values(), "handle_close"]
    for flag, name in FLAGS.items():
        channel = Channel()
        readwrite(channel, flag)
        assert channel.told == [name]


@pytest.mark.parametrize(
    ("error", "handler"),
    [
        *[(OSError(number, ""), "handle_close") for number in sorted(DISCONNECTED)],
        (OSError(errno.EMFILE, ""), "handle_error"),
        (ValueError(), "handle_error"),
        (GeneratorExit(), "handle_error"),
    ],
)
def test_readwrite_and_errors(error: BaseException, handler: str) -> None:
    """That the connection is gone is no error; nothing more is told after one."""
    channel = Channel(error)
    assert readwrite(channel, READ | WRITE)
    assert channel.told == ["handle_read_event", handler]


def test_compact_traceback() -> None:
    """Where it was raised, what, and the way there, in one line."""

    def fail() -> None:
        raise ValueError("spam")

    try:
        fail()
    except ValueError as exc:
        (file, function, line), kind, value, way = compact_traceback()
        assert (file, function) == (__file__, "fail")
        assert (kind, value) == (ValueError, exc)  # noqa: PT017 - it is to be seen there
        *_, first, last = way.replace("] [", "]\n[").splitlines()
        assert last == f"[{file}|{function}|{line}]"
        assert first.startswith(f"[{__file__}|test_compact_traceback|")


def test_compact_traceback_of_nothing() -> None:
    """There is nothing to describe."""
    with pytest.raises(AssertionError, match="except clause"):
        compact_traceback()


def test_strerror(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, or by name, or at least by number."""
    assert strerror(errno.EPERM) == os.strerror(errno.EPERM)
    assert "Unknown error" in strerror(2**100)

    def fail(number: int) -> str:
        raise ValueError(number)

    monkeypatch.setattr(os, "strerror", fail)
    assert strerror(errno.EPERM) == "EPERM"
    assert issubclass(ExitNow, Exception)
