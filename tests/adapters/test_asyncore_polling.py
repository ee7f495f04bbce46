"""Waiting for channels: what is asked, what is told, and what stands when its turn comes."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from framer_adapters import _asyncore_polling as polling
from framer_adapters._asyncore_polling import (
    HANG_UP,
    PRIORITY,
    READ,
    WRITE,
    Ready,
    unread,
    wait,
    wait_as_select,
    waiting,
)


class Channel:
    """As little as a map may hold."""

    def __init__(self, *, reads: bool = True, writes: bool = False, accepts: bool = False) -> None:
        self.socket: object = None
        self.accepting = accepts
        self._wanted = reads, writes

    def readable(self) -> bool:
        """Say what it was told to."""
        return self._wanted[0]

    def writable(self) -> bool:
        """Say what it was told to."""
        return self._wanted[1]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_waiting() -> None:
    """Each is put down for what it waits for; who listens never writes; the rest is left out."""
    channels = {
        1: Channel(),
        2: Channel(writes=True),
        3: Channel(reads=False, writes=True),
        4: Channel(reads=False),
        5: Channel(writes=True, accepts=True),
        6: Channel(reads=False, writes=True, accepts=True),
    }
    assert waiting(channels, 1, 4) == {1: 1, 2: 5, 3: 4, 5: 1}


def test_waiting_for_urgent_data() -> None:
    """Who listens and does not read waits for it, as ever: there is something to wait for."""
    channel = Channel(reads=False, writes=True, accepts=True)
    assert waiting({1: channel}, READ | PRIORITY, WRITE | PRIORITY) == {1: PRIORITY}


def test_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    """What is ready comes with its channel and the socket that it has."""
    one, other = pair
    channel = Channel()
    channel.socket = one
    fd = one.fileno()
    assert wait({fd: channel}, {fd: READ}, 0) == []
    other.send(b"x")
    assert wait({fd: channel}, {fd: READ | WRITE}, None) == [Ready(fd, channel, one, READ | WRITE)]


def test_time_is_rounded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a millisecond is one, not none; for ever is for ever."""
    asked: list[float | None] = []

    class Poller:
        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            asked.append(timeout)
            return []

    monkeypatch.setattr(select, "poll", Poller)
    for timeout in (0, 0.0005, 2, None):
        assert wait({}, {}, timeout) == []
    assert asked == [0, 1, 2000, None]


@pytest.mark.parametrize(
    ("found", "asked", "told"),
    [
        (select.POLLIN, READ, READ),
        (select.POLLHUP, READ, READ),
        (select.POLLHUP, READ | WRITE, READ),
        (select.POLLHUP, WRITE, WRITE),
        (select.POLLHUP | select.POLLERR, READ | WRITE, READ | WRITE),
        (select.POLLERR, READ | WRITE, READ | WRITE),
        (select.POLLHUP | select.POLLOUT, WRITE, WRITE),
        (select.POLLPRI, READ | PRIORITY, PRIORITY),
    ],
)
def test_as_select(monkeypatch: pytest.MonkeyPatch, found: int, asked: int, told: int) -> None:
    """A hang-up is readiness for what was asked: to read, if it was; an error is for both."""

    def answer(_events: object, _timeout: object) -> list[tuple[int, int]]:
        return [(7, found)]

    monkeypatch.setattr(polling, "_poll", answer)
    (ready,) = wait_as_select({7: Channel()}, {7: asked}, 0)
    assert ready.events & (READ | WRITE | PRIORITY) == told


def test_as_select_refuses() -> None:
    """A descriptor that is not open and a negative time, as ``select.select`` does."""
    ours, theirs = os.pipe()
    os.close(theirs)
    os.close(ours)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)) as raised:
        wait_as_select({ours: Channel()}, {ours: READ}, 0)
    assert raised.value.errno == errno.EBADF
    with pytest.raises(ValueError, match="negative: -1"):
        wait_as_select({}, {}, -1)


def test_selectors_where_there_is_no_poll(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket]
) -> None:
    """They tell the same, of reading and writing; it is seen when it is wanted."""
    one, other = pair
    fd = one.fileno()
    monkeypatch.delattr(select, "poll")

    def found(events: int, timeout: float | None) -> list[int]:
        return [ready.events for ready in wait({fd: Channel()}, {fd: events}, timeout)]

    assert found(READ, 0) == []
    assert found(READ | WRITE, 0) == [WRITE]
    other.send(b"x")
    assert found(READ | PRIORITY, None) == [READ]
    assert found(READ | WRITE, None) == [READ | WRITE]


def test_stands() -> None:
    """Not once the channel has left the map, was replaced in it, or has another socket."""
    channel, other = Channel(), Channel()
    ready = Ready(7, channel, channel.socket, READ)
    channels: dict[int, Any] = {7: channel}
    assert ready.stands(channels)
    channel.socket = object()
    assert not ready.stands(channels)
    channel.socket = None
    channels[7] = other
    assert not ready.stands(channels)
    channels.clear()
    assert not ready.stands(channels)


def test_unread(pair: tuple[socket.socket, socket.socket]) -> None:
    """It counts the bytes behind a hang-up, and only there."""
    one, other = pair
    other.send(b"spam")
    assert unread(Ready(one.fileno(), None, None, READ)) == 0
    assert unread(Ready(one.fileno(), None, None, HANG_UP)) == 0
    assert unread(Ready(one.fileno(), None, None, READ | HANG_UP)) == 4
    one.recv(3)
    assert unread(Ready(one.fileno(), None, None, READ | HANG_UP)) == 1
    fd = one.fileno()
    with contextlib.closing(one):
        pass
    assert unread(Ready(fd, None, None, READ | HANG_UP)) == 0
