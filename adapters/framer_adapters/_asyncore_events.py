"""What the loop of the drop-in `asyncore` does with a channel that is ready.

A channel is anything that has the methods; programs have some that are no `dispatcher`.
Whatever a method raises is the channel's own affair: its ``handle_error`` is called,
inside the ``except``, so that it can look at the error or raise it again.
Three errors are for the whole program, and pass: `ExitNow`, KeyboardInterrupt and SystemExit.
"""

# ruff: noqa: ANN401 - a channel is of any class

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any, Final

from framer_adapters._asyncore_polling import HANG_UP, PRIORITY, READ, WRITE

__all__ = [
    "DISCONNECTED",
    "RERAISED",
    "ExitNow",
    "compact_traceback",
    "exception",
    "read",
    "readwrite",
    "strerror",
    "write",
]


class ExitNow(Exception):
    """Raise it in a channel to leave the loop."""


RERAISED: Final = (ExitNow, KeyboardInterrupt, SystemExit)
"""What no ``handle_error`` is asked about."""

DISCONNECTED: Final = frozenset(
    {
        errno.EBADF,
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ESHUTDOWN,
    }
)
"""Errors that say no more than that the connection is gone."""


def read(obj: Any) -> None:
    """Tell a channel that it can read."""
    try:
        obj.handle_read_event()
    except RERAISED:
        raise
    except BaseException:  # noqa: BLE001 - whatever it is, the channel decides
        obj.handle_error()


def write(obj: Any) -> None:
    """Tell a channel that it can write."""
    try:
        obj.handle_write_event()
    except RERAISED:
        raise
    except BaseException:  # noqa: BLE001 - likewise
        obj.handle_error()


def exception(obj: Any) -> None:
    """Tell a channel that there is urgent data, or an error."""
    try:
        obj.handle_expt_event()
    except RERAISED:
        raise
    except BaseException:  # noqa: BLE001 - likewise
        obj.handle_error()


def readwrite(obj: Any, flags: int) -> bool:
    """Tell a channel all that ``select.poll`` found: the flags are its own.

    An OSError that says that the connection is gone closes the channel, and is no error.

    Returns:
        Whether it raised anything; then it was told nothing more.
    """
    try:
        if flags & READ:
            obj.handle_read_event()
        if flags & WRITE:
            obj.handle_write_event()
        if flags & PRIORITY:
            obj.handle_expt_event()
        if flags & HANG_UP:
            obj.handle_close()
    except RERAISED:
        raise
    except BaseException as exc:  # noqa: BLE001 - likewise
        if isinstance(exc, OSError) and exc.errno in DISCONNECTED:
            obj.handle_close()
        else:
            obj.handle_error()
        return True
    return False


def compact_traceback() -> tuple[tuple[str, str, str], type[BaseException], BaseException, str]:
    """Describe the exception that is being handled.

    Returns:
        Where it was raised, as (file, function, line); its type; itself;
        and the whole way there in one line, as ``[file|function|line]`` for each call.

    Raises:
        AssertionError: none is being handled.
    """
    kind, value, trace = sys.exc_info()
    if kind is None or value is None or trace is None:
        raise AssertionError("there is no exception to describe: call this in an except clause")
    calls = [
        (frame.f_code.co_filename, frame.f_code.co_name, str(line))
        for frame, line in traceback.walk_tb(trace)
    ]
    return calls[-1], kind, value, " ".join("[{}|{}|{}]".format(*call) for call in calls)


def strerror(err: int) -> str:
    """Say in words what an errno means."""
    try:
        return os.strerror(err)
    except (ValueError, OverflowError):
        return errno.errorcode.get(err, f"Unknown error {err}")
