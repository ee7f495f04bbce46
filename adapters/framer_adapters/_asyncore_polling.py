"""Which channels of a map are ready: the waiting of the drop-in `asyncore`.

A turn of its loop asks every channel of the map what it waits for, waits for all of them,
and calls those that are ready. Three things can go wrong in the third step,
because a channel that is called may do anything:

- it closes another one, whose turn was still to come;
- what it opens next gets the number of a descriptor that was just closed;
- it closes itself and connects anew, and gets its own number back.

So what is ready is remembered as a `Ready`: the channel and its socket, not the number alone.
If the map has something else under that number by then, it was not meant.

What waits is made anew for each turn, because the map is a dict that anybody may change,
and the loop has to ask each channel each time anyway.
It is ``select.poll`` itself, which has no limit of 1024 descriptors, rather than a selector:
`selectors` cannot wait for urgent data and does not tell a hang-up from bytes to read,
which are ``handle_expt`` and ``handle_close``, and its best one refuses plain files.
Besides, it takes some three times as long to fill (``tests/bench/asyncore_turns.py``),
and with thousands of channels, most of them idle, to fill it is most of a turn.
Where there is no ``select.poll``, which is Windows, `selectors` has what there is.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import selectors
import sys
from typing import Any, Final, NamedTuple, TypeAlias

if sys.platform != "win32":  # pragma: no branch
    import fcntl
    import termios

__all__ = [
    "HANG_UP",
    "PRIORITY",
    "READ",
    "WRITE",
    "Events",
    "Map",
    "Ready",
    "unread",
    "wait",
    "wait_as_select",
    "waiting",
]

Map: TypeAlias = dict[int, Any]
"""Channels by the number of their descriptor; of any class that has the methods."""

Events: TypeAlias = dict[int, int]
"""What the channel of each descriptor waits for."""

# What select.poll calls them; where it is not, these are but names.
READ: Final[int] = getattr(select, "POLLIN", 0x01)
PRIORITY: Final[int] = getattr(select, "POLLPRI", 0x02)
WRITE: Final[int] = getattr(select, "POLLOUT", 0x04)
INVALID: Final[int] = getattr(select, "POLLNVAL", 0x20)
ERROR: Final[int] = getattr(select, "POLLERR", 0x08)
HANG_UP: Final[int] = ERROR | getattr(select, "POLLHUP", 0x10) | INVALID
"""Whatever says that a descriptor is of no more use."""


class Ready(NamedTuple):
    """A channel that was found ready, and the socket that it had then."""

    fd: int
    channel: Any
    socket: object
    events: int

    def stands(self, channels: Map) -> bool:
        """Whether the map still has this channel, with this socket, under this number."""
        channel = self.channel
        same = channels.get(self.fd) is channel
        return same and getattr(channel, "socket", None) is self.socket


def waiting(asked: Map, read: int, write: int) -> Events:
    """Ask each channel whether it waits to read or to write, and put it down as these events.

    Those that wait for nothing are left out. A socket that listens does not wait to write.
    """
    found: Events = {}
    for fd, channel in asked.items():
        events = read if channel.readable() else 0
        if channel.writable():
            events |= write & PRIORITY if channel.accepting else write
        if events:
            found[fd] = events
    return found


def wait(asked: Map, events: Events, timeout: float | None) -> list[Ready]:
    """Wait until some channels are ready, or `timeout` seconds have passed; None is for ever.

    Raises:
        ValueError, TypeError: what stands for a descriptor is no number that one can have.
    """
    # Looked up now, for there are libraries that take it away for their own purposes.
    found = _poll(events, timeout) if hasattr(select, "poll") else _select(events, timeout)
    return [Ready(fd, asked[fd], getattr(asked[fd], "socket", None), flags) for fd, flags in found]


def wait_as_select(asked: Map, events: Events, timeout: float | None) -> list[Ready]:
    """Do the same, and say it as ``select.select`` would.

    It knows no hang-up: who waits to read is told to, and finds out. Who waits only to write
    is told that, or the next turn would not wait either. An error is both.

    Raises:
        ValueError: `timeout` is negative.
        OSError: a descriptor is not open (EBADF).
    """
    if timeout is not None and timeout < 0:
        raise ValueError(f"timeout must not be negative: {timeout}")
    found: list[Ready] = []
    for ready in wait(asked, events, timeout):
        if ready.events & INVALID:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        told = events[ready.fd] & (READ | WRITE) if ready.events & HANG_UP else 0
        if told & READ and not ready.events & ERROR:
            told = READ
        found.append(ready._replace(events=ready.events | told))
    return found


def _poll(events: Events, timeout: float | None) -> list[tuple[int, int]]:
    poller = select.poll()
    for fd, wanted in events.items():
        poller.register(fd, wanted)
    # Rounded up: what is rounded down to no time at all would wait busily.
    return poller.poll(None if timeout is None else math.ceil(timeout * 1000))


def _select(events: Events, timeout: float | None) -> list[tuple[int, int]]:
    names = ((READ, selectors.EVENT_READ), (WRITE, selectors.EVENT_WRITE))
    with selectors.DefaultSelector() as selector:
        for fd, wanted in events.items():
            selector.register(fd, sum(mask for event, mask in names if wanted & event))
        return [
            (key.fd, sum(event for event, mask in names if masks & mask))
            for key, masks in selector.select(timeout)
        ]


def unread(ready: Ready) -> int:
    """How many bytes there are to read before a hang-up; 0 where there is none, or no saying.

    On Windows nothing tells of a hang-up.
    """
    if sys.platform != "win32" and ready.events & READ and ready.events & HANG_UP:
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(ready.fd, termios.FIONREAD, bytes(4))
            return int.from_bytes(size, sys.byteorder)
    return 0
