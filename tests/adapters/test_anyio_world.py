"""What anyio says for itself, one method after the other: over sockets, objects and TLS."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

import anyio
import anyio.abc
import pytest
from anyio.lowlevel import checkpoint
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from anyio.streams.stapled import StapledObjectStream
from anyio.streams.tls import TLSStream
from peers import client_tls, server_tls

from framer import Framer, OutputQueue, TlsRequest
from framer_adapters._anyio_world import AnyioWorld

Run: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]
Objects: TypeAlias = StapledObjectStream[bytes]
ObjectsIn: TypeAlias = MemoryObjectSendStream[bytes]
ObjectsOut: TypeAlias = MemoryObjectReceiveStream[bytes]

WORLD = AnyioWorld()


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run under both back ends, and not for ever."""

    def run_it(main: Callable[[], Awaitable[None]]) -> None:
        async def limited() -> None:
            with anyio.fail_after(5):
                await main()

        anyio.run(limited, backend=request.param)

    return run_it


async def pair() -> tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]:
    """Connect two sockets."""
    ours, theirs = socket.socketpair()
    return (
        await anyio.abc.UNIXSocketStream.from_socket(ours),
        await anyio.abc.UNIXSocketStream.from_socket(theirs),
    )


@contextmanager
def objects() -> Generator[tuple[Objects, ObjectsIn, ObjectsOut]]:
    """Make a stream of objects, and both of its other ends."""
    into, incoming = anyio.create_memory_object_stream[bytes](2)
    outgoing, out = anyio.create_memory_object_stream[bytes](2)
    with into, incoming, outgoing, out:
        yield StapledObjectStream(outgoing, incoming), into, out


async def encrypted() -> tuple[TLSStream, TLSStream]:
    """Put TLS on one of two sockets; the other one is the client's."""
    ours, theirs = await pair()
    streams: list[TLSStream] = []

    async def accept() -> None:
        request = TlsRequest(Framer(), server_tls(), server_side=True)
        streams.append(await WORLD.wrap(ours, request, None))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(accept)
        peer = await TLSStream.wrap(theirs, hostname="localhost", ssl_context=client_tls())
        streams.append(peer)
    return streams[0], streams[1]


def test_tasks(run: Run) -> None:
    """They are those of a task group."""

    async def main() -> None:
        done = anyio.Event()

        async def task() -> None:
            await checkpoint()
            done.set()

        async with WORLD.open_tasks() as tasks:
            tasks.start_soon(task)
        assert done.is_set()

    run(main)


def test_what_comes_in(run: Run) -> None:
    """An object may be empty, and is no end; at the end others have a turn before it is told."""

    async def main() -> None:
        turns: list[str] = []

        async def other() -> None:
            turns.append("other")
            await checkpoint()

        with objects() as (stream, into, _):
            await into.send(b"")
            await into.send(b"spam")
            assert await WORLD.receive(stream) == b"spam"
            await into.aclose()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(other)
                assert await WORLD.receive(stream) == b""
                turns.append("the end")
        assert turns == ["other", "the end"]

    run(main)


def test_what_goes_out(run: Run) -> None:
    """All of it, as bytes; how much went when that is cancelled anyio does not tell."""

    async def main() -> None:
        with objects() as (stream, _, out):
            assert await WORLD.send(stream, memoryview(b"spam")) == 4
            sent: object = out.receive_nowait()
            assert (type(sent), sent) == (bytes, b"spam")
            assert not WORLD.knows_what_went(stream)
            assert not await WORLD.send_file(stream, OutputQueue())

    run(main)


def test_a_lost_connection(run: Run) -> None:
    """It is what anyio raises, or the system."""

    async def main() -> None:
        ours, theirs = await pair()
        await WORLD.close(theirs)
        with pytest.raises(WORLD.lost):
            while True:
                await WORLD.send(ours, b"spam")
        await WORLD.close(ours)

    run(main)


def test_tls(run: Run) -> None:
    """It is there when `wrap` returns, and there are no hands left to shake."""

    async def main() -> None:
        stream, peer = await encrypted()
        await WORLD.shake_hands(stream)
        assert await WORLD.send(stream, b"spam") == 4
        assert await peer.receive() == b"spam"
        await WORLD.close(stream)
        await WORLD.close(peer)

    run(main)


def test_taking_tls_off(run: Run) -> None:
    """Its farewell goes through, but it neither waits for an answer nor closes what is below."""

    async def main() -> None:
        stream, peer = await encrypted()
        below = WORLD.take_from_tls(stream)
        assert below is not None
        assert WORLD.take_from_tls(below) is None
        mute: Any = stream.transport_stream
        await mute.send_eof()
        with pytest.raises(anyio.WouldBlock):
            await stream.receive()
        with pytest.raises(anyio.WouldBlock):
            await stream.aclose()
        with pytest.raises(anyio.EndOfStream):
            await peer.receive()
        await mute.aclose()
        await WORLD.send(below, b"plain")
        assert await peer.transport_stream.receive() == b"plain"
        await WORLD.close(below)
        await WORLD.close(peer)

    run(main)


class Ending(anyio.abc.ByteStream):
    """Raises what it is to raise when it is to end, or to close."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Give nothing."""
        raise anyio.EndOfStream

    async def send(self, item: bytes) -> None:
        """Take anything."""

    async def send_eof(self) -> None:
        """Raise."""
        raise self.error

    async def aclose(self) -> None:
        """Raise."""
        raise self.error


def test_the_end(run: Run) -> None:
    """It is that of one direction, where there is such a thing."""

    async def main() -> None:
        ours, theirs = await pair()
        await WORLD.end(ours)
        assert await WORLD.receive(theirs) == b""
        await WORLD.send(theirs, b"spam")
        assert await WORLD.receive(ours) == b"spam"
        await WORLD.close(ours)
        await WORLD.close(theirs)
        with pytest.raises(NotImplementedError):
            await WORLD.end(Ending(NotImplementedError()))
        with pytest.raises(WORLD.lost) as caught:
            await WORLD.end(Ending(RuntimeError("unable to perform operation")))
        assert isinstance(caught.value.__cause__, RuntimeError)

    run(main)


def test_closing(run: Run) -> None:
    """It does not wait, not even for a farewell; that the connection is lost is no news."""

    async def main() -> None:
        stream, peer = await encrypted()
        await WORLD.close(stream)
        with pytest.raises(WORLD.lost):
            await peer.receive()
        await WORLD.close(peer)
        await WORLD.close(Ending(BrokenPipeError()))
        with pytest.raises(ZeroDivisionError):
            await WORLD.close(Ending(ZeroDivisionError()))

    run(main)
