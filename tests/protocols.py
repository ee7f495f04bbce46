"""Protocols of asyncio on real sockets, for the tests of what is below its adapter."""
# ruff: noqa: D102 - a hook of a stub needs no docstring

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

from peers import client_tls, pair, server_tls

from framer import PENDING, Channel, OutputQueue, Pending
from framer_adapters._stream_protocol import StreamProtocol

__all__ = [
    "Log",
    "Slow",
    "Stream",
    "behind_the_handshake",
    "failing",
    "run",
    "shake_hands",
    "streams",
]

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine within ten seconds; nothing may be reported to the loop."""
    unheard: list[dict[str, Any]] = []

    async def main() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        async with asyncio.timeout(10):
            return await coroutine

    result = asyncio.run(main())
    assert unheard == []
    return result


class Stream:
    """A stream protocol on a socket, what it took, and the other end."""

    def __init__(self, protocol: StreamProtocol, taken: list[bytes], peer: socket.socket) -> None:
        self.protocol, self.taken, self.peer = protocol, taken, peer
        self.output = protocol.output

    async def drain(self, idle_timeout: float | None = None, *, to_the_end: bool = True) -> None:
        await self.protocol.drain(idle_timeout, to_the_end=to_the_end)

    async def finish(self) -> None:
        self.protocol.finish()
        await asyncio.wait([self.protocol.closed])

    async def read(self, size: int) -> bytes:
        """Read so much at the other end."""
        loop, data = asyncio.get_running_loop(), b""
        while len(data) < size and (chunk := await loop.sock_recv(self.peer, size)):
            data += chunk
        return data


@contextlib.asynccontextmanager
async def streams(*, tcp: bool = False) -> AsyncGenerator[Stream]:
    """Take over a pair of asyncio's own streams."""
    with pair(tcp=tcp) as (sock, peer):
        peer.sock.setblocking(False)
        protocol, taken = StreamProtocol(), list[bytes]()
        protocol.attach(taken.append, OutputQueue())
        protocol.take_over(*await asyncio.open_connection(sock=sock))
        yield Stream(protocol, taken, peer.sock)
        protocol.end(None)
        await asyncio.sleep(0)


class Slow:
    """A producer that has nothing until it is told."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def more(self) -> bytes | Pending:
        return self.chunks.pop(0) if self.chunks else PENDING


def failing(error: Exception) -> Iterator[bytes]:
    """Give a line, then fail."""
    yield b"line"
    raise error


class Log(Channel):
    """Write down what happens; change to TLS, close or fail when told to."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def frame_received(self, frame: bytes) -> None:
        self.log.append(frame)
        if frame == b"fail":
            raise ValueError("the hook's")
        if frame == b"tls":
            self.push(b"go\n")
            self.start_tls(server_tls())
        elif frame == b"quit":
            self.push(b"bye\n")
            self.close_when_done()
        else:
            self.push(frame + b"\n")

    def tls_started(self) -> None:
        self.log.append("tls")

    def eof_received(self) -> bool | None:
        self.log.append("eof")
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.log.append(type(exc))


def shake_hands(sock: socket.socket) -> tuple[ssl.SSLObject, ssl.MemoryBIO]:
    """Shake hands as a client, but for the last of it, which goes out with what is sent first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(1 << 20))
        else:
            return tls, outgoing


def behind_the_handshake(sock: socket.socket, line: bytes) -> ssl.SSLObject:
    """Shake hands, and send a line together with the last of it."""
    tls, outgoing = shake_hands(sock)
    for data in (line, b"and another"):
        tls.write(data)
        sock.sendall(outgoing.read())
    return tls
