"""Streams of trio of all kinds, a clock that jumps, and a channel that takes notes."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

import trio
import trio.lowlevel
import trio.testing
from peers import server_tls

from framer import Channel

__all__ = [
    "BIG",
    "CancelAt",
    "Pair",
    "Recorder",
    "background",
    "lockstep",
    "memory",
    "read_all",
    "read_exactly",
    "reset",
    "run",
    "settle",
    "sockets",
    "tcp",
]

T = TypeVar("T")
Pair: TypeAlias = tuple[trio.abc.Stream, trio.abc.Stream]

BIG = b"0123456789abcdef" * (1 << 16)  # 1 MiB, which no socket takes at once


def run(main: Callable[[], Awaitable[T]], *instruments: trio.abc.Instrument) -> T:
    """Run it, with a clock that jumps as soon as there is nothing but to wait."""
    clock = trio.testing.MockClock(autojump_threshold=0.02)
    return trio.run(main, clock=clock, instruments=instruments)


def memory() -> Pair:
    """Connect two streams, which take any amount."""
    return trio.testing.memory_stream_pair()


def lockstep() -> Pair:
    """Connect two streams that take something only when somebody waits for it."""
    return trio.testing.lockstep_stream_pair()


def sockets() -> tuple[trio.SocketStream, trio.SocketStream]:
    """Connect two sockets, with small buffers."""
    ours, theirs = trio.socket.socketpair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return trio.SocketStream(ours), trio.SocketStream(theirs)


async def tcp() -> tuple[trio.SocketStream, trio.SocketStream]:
    """Connect two sockets over TCP, which can reset the connection."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        ours = await trio.testing.open_stream_to_socket_listener(listener)
        return ours, await listener.accept()


def reset(stream: trio.SocketStream) -> None:
    """Close it the hard way."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def read_all(stream: trio.abc.Stream) -> bytes:
    """Read to the end."""
    read = b""
    while data := await stream.receive_some(65536):
        read += data
    return read


async def read_exactly(stream: trio.abc.Stream, size: int) -> bytes:
    """Read so many bytes."""
    read = b""
    while len(read) < size:
        read += await stream.receive_some(size - len(read))
    return read


async def settle() -> None:
    """Let all others run until they wait."""
    await trio.testing.wait_all_tasks_blocked(0.01)


@asynccontextmanager
async def background(
    function: Callable[..., Awaitable[Any]], *args: Any
) -> AsyncGenerator[trio.Nursery, None]:
    """Run something beside the test, and cancel it at the end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(function, *args))
        yield nursery
        nursery.cancel_scope.cancel()


class CancelAt(trio.abc.Instrument):
    """Cancel a scope when its task has stopped for the n-th time."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        if task is self.task:
            self.steps -= 1
            if self.steps == 0:
                self.scope.cancel()

    async def run(self, function: Callable[[], Awaitable[object]]) -> bool:
        """Run it; tell whether it was cut off."""
        self.task = trio.lowlevel.current_task()
        with self.scope:
            await function()
        self.task = None
        return self.scope.cancelled_caught


class Recorder(Channel):
    """Note what happens, and answer each line."""

    terminator = b"\n"

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.calls: list[str] = []
        self.lost: list[BaseException | None] = []

    def connection_made(self) -> None:
        """Note."""
        self.calls.append("made")

    def frame_received(self, frame: bytes, /) -> None:
        """Note, and do what it says."""
        self.frames.append(frame)
        command = getattr(self, f"do_{frame.decode()}", None)
        if command is None:
            self.push(frame.upper() + b"\n")
        else:
            command()

    def eof_received(self) -> bool | None:
        """Note."""
        self.calls.append("eof")
        return None

    def tls_started(self) -> None:
        """Note."""
        self.calls.append("tls")

    def connection_lost(self, exc: BaseException | None, /) -> None:
        """Note."""
        self.lost.append(exc)

    def do_quit(self) -> None:
        """Close when done."""
        self.push(b"bye\n")
        self.close_when_done()

    def do_big(self) -> None:
        """Give the peer something to read."""
        self.push(BIG)

    def do_discard(self) -> None:
        """Drop all."""
        self.discard()

    def do_fail(self) -> None:
        """Raise."""
        self.push(b"never sent\n")
        raise ValueError("failed")

    def do_exit(self) -> None:
        """Raise what is no Exception."""
        raise SystemExit(3)

    def do_tls(self) -> None:
        """Change to TLS, as a server."""
        self.push(b"go ahead\n")
        self.start_tls(server_tls())
        self.push(b"encrypted\n")
