"""What the tests of the loop and of its connections share: a clock, endpoints, channels, turns."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from framer import Channel, Terminator
from framer_adapters._endpoints import READ, Endpoint
from framer_adapters._loop import Loop

__all__ = ["Clock", "Echo", "Quitter", "Reader", "Recorder", "turn", "turns"]


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Reader(Endpoint):
    """Notes what it reads, and why it ended."""

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        super().__init__(loop, sock)
        self.got: list[bytes] = []
        self.ended: list[Exception | None] = []
        self.wait_for(READ)

    def ready(self, events: int, /) -> None:
        """Read, or end."""
        self.got.append(self.sock.recv(100))
        if not self.got[-1]:
            self.end(None)

    def end(self, error: Exception | None, /) -> None:
        """Note it."""
        super().end(error)
        self.ended.append(error)


class Recorder(Channel):
    """Notes what it is told."""

    terminator: Terminator = b"\n"

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.lost: list[Exception | None] = []

    def connection_made(self) -> None:
        """Note it."""
        self.heard.append("made")

    def frame_received(self, frame: bytes) -> None:
        """Note it."""
        self.heard.append(frame)

    def eof_received(self) -> bool | None:
        """Note it."""
        self.heard.append("eof")
        return None

    def tls_started(self) -> None:
        """Note it."""
        self.heard.append("tls")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        self.lost.append(exc)


class Echo(Recorder):
    """Sends back what it gets."""

    def frame_received(self, frame: bytes) -> None:
        """Send it back."""
        super().frame_received(frame)
        self.push(frame + b"\n")


class Quitter(Recorder):
    """Has one word, the last one."""

    def frame_received(self, frame: bytes) -> None:
        """Say it."""
        super().frame_received(frame)
        self.push(b"bye\n")
        self.close_when_done()


def turn(loop: Loop, count: int = 1) -> None:
    """Let it go round."""
    for _ in range(count):
        loop.run_until(lambda: False, 0)


def turns(loop: Loop, condition: Callable[[], object], limit: int = 100_000) -> None:
    """Run turn after turn, without waiting, until the condition is true."""
    for _ in range(limit):
        if loop.run_until(condition, 0):
            return
    pytest.fail("it does not come true")
