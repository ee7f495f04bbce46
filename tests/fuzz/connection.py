"""What adapters share, over a socket that does its worst: partial, refused and interrupted calls.

A channel echoes lines through the connection of `framer_adapters.selectors`,
the one adapter whose every system call passes through our own hands, on a real pair of sockets
and a loop that never waits. The peer sends, reads, stalls, ends, resets, as the bytes say.

Nothing may be lost while the connection lives: the peer reads what it sent, in order.
When it is lost, the channel has heard a beginning of what was sent and is told of it, once.
"""

from __future__ import annotations

import contextlib
import socket
import struct

from fuzz.choices import Choices

from framer import Channel, OutputQueue
from framer_adapters._common import LINGER
from framer_adapters._connection import Connection
from framer_adapters._loop import Loop

__all__ = ["run"]

CALLS = 100


class Clock:
    """A clock that goes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Wire(socket.socket):
    """A socket that takes and gives little at a time, or nothing, as is decided."""

    choices: Choices

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Fail, or read little."""
        self._stumble()
        return super().recv(1 + self.choices.number(40) if self.choices else bufsize, flags)

    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int:  # type: ignore[override]
        """Fail, or send little."""
        self._stumble()
        size = 1 + self.choices.number(40) if self.choices else len(data)
        return super().send(memoryview(data)[:size], flags)

    def _stumble(self) -> None:
        match self.choices.number(9) if self.choices else 0:
            case 8:
                raise BlockingIOError
            case 9:
                raise InterruptedError
            case _:
                pass


class Echo(Channel):
    """Answers lines; some with a producer. It notes all that it hears."""

    max_frame_size = None

    def __init__(self) -> None:
        self.output = OutputQueue(high_water=64, low_water=16, chunk_size=32)
        self.frames: list[bytes] = []
        self.lost: list[Exception | None] = []

    def frame_received(self, frame: bytes, /) -> None:
        """Echo."""
        self.frames.append(frame)
        if frame.startswith(b"p"):
            self.push_producer([frame, b"\n"])
        else:
            self.push(frame + b"\n")

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Note it."""
        self.lost.append(exc)


class Peer:
    """The other end: what it has sent and read."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sent = b""
        self.got = b""
        self.ended = False  # it has sent its last byte
        self.seen_end = False  # that of what it reads
        self.cut_off = False  # by a reset

    def send(self, data: bytes) -> None:
        """Send what is taken."""
        if self.ended:
            return
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            self.sent += data[: self.sock.send(data)]

    def read(self, size: int) -> None:
        """Read what is there."""
        try:
            data = self.sock.recv(size)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data, self.cut_off = b"", True
        self.got += data
        self.seen_end = not data

    def end(self) -> None:
        """Send no more."""
        if not self.ended:
            self.ended = True
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Close at once."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def run(data: bytes) -> None:
    """Hold a conversation over a pair of sockets."""
    choices = Choices(data)
    clock = Clock()
    left, right = socket.socketpair()
    with Loop(clock=clock) as loop, right:
        right.settimeout(0)
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        wire = Wire(left.family, left.type, left.proto, fileno=left.detach())
        wire.choices = choices
        channel, peer = Echo(), Peer(right)
        idle_timeout = choices.pick([None, 30.0])
        Connection(loop, channel, wire, idle_timeout=idle_timeout)
        gone = False
        for _ in range(CALLS):
            if not choices or gone:
                break
            gone = step(choices, loop, clock, peer)
        if gone:
            wire.choices = Choices(b"")  # so that it reads all that is left
            turn(loop, 100)
            clock.now += 100 if idle_timeout else 0
        else:
            part(loop, clock, channel, peer)
        turn(loop, 2)
        judge(channel, peer, gone=gone, timed=clock.now >= 1030)
    assert len(channel.lost) <= 1


def step(choices: Choices, loop: Loop, clock: Clock, peer: Peer) -> bool:
    """Have something happen; tell whether the peer is gone."""
    match choices.number(9):
        case 0 | 1 | 2:
            peer.send(choices.word(b"ep\nxyz\r", 30))
        case 3:
            peer.send(choices.word(b"ep\n", 8) * 8)
        case 4 | 5:
            peer.read(1 + choices.number(200))
        case 6 | 7:
            turn(loop, 1 + choices.number(3))
        case 8:
            clock.now += choices.number(40) / 8
        case _:
            match choices.number(15):
                case 15:
                    peer.vanish()
                    return True
                case 14:
                    peer.end()
                case _:
                    pass
    return False


def turn(loop: Loop, times: int) -> None:
    """Let the loop have its turns; it never waits."""
    for _ in range(times):
        loop.run_until(lambda: False, 0)


def part(loop: Loop, clock: Clock, channel: Echo, peer: Peer) -> None:
    """End the conversation as both sides should: read all, to the end."""
    peer.end()
    for _ in range(5_000):
        turn(loop, 1)
        peer.read(1 << 20)
        if channel.lost:
            break
        if peer.seen_end:
            clock.now += LINGER
    else:
        raise AssertionError("it does not end")
    for _ in range(100):
        peer.read(1 << 20)


def judge(channel: Echo, peer: Peer, *, gone: bool, timed: bool) -> None:
    """Compare what was sent, heard and read."""
    heard = b"".join(frame + b"\n" for frame in channel.frames)
    assert peer.sent.startswith(heard)
    assert heard.startswith(peer.got)
    assert len(channel.lost) == (1 if channel.lost else 0)
    if gone and not timed and not channel.lost:
        return  # half-closed with nothing to send: only the idle timeout ends it
    (reason,) = channel.lost
    whole = peer.sent[: peer.sent.rfind(b"\n") + 1]
    if not gone and not isinstance(reason, TimeoutError):  # which leaves input unread: a reset
        assert not peer.cut_off
        assert heard == whole
        assert peer.got == heard
