"""What type checkers know of `framer_adapters`: checked by `make types`, never run.

The names are the same in each module, so are the types but for what is each world's own,
and the functions below are the same, too. See core_types.py for what the comments do.
"""

# ruff: noqa: D102 - the streams say what their methods do

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol, assert_type

import anyio
import trio
from anyio.abc import AnyByteStream, ObjectStream, SocketStream
from anyio.streams.stapled import MultiListener

import framer_adapters.anyio as on_anyio
import framer_adapters.asyncio as on_asyncio
import framer_adapters.blocking as on_sockets
import framer_adapters.selectors as on_selectors
import framer_adapters.trio as on_trio
from framer import Channel, Event, Framer, OutputQueue, Terminator


class Echo(Channel):
    """Any channel."""

    def frame_received(self, frame: bytes, /) -> None:
        """Send it back."""
        self.push(frame)


# -- What is the same in all worlds ------------------------------------------------------------


class AwaitedStream(Protocol):
    """A `FramedStream` wherever there is await, in the words of who uses it."""

    idle_timeout: float | None

    @property
    def terminator(self) -> Terminator: ...
    @property
    def max_frame_size(self) -> int | None: ...
    async def receive_frame(self) -> bytes: ...
    async def receive_event(self) -> Event: ...
    async def send(self, data: bytes | bytearray | memoryview, /) -> None: ...
    async def send_frame(self, payload: bytes | bytearray | memoryview) -> None: ...
    async def send_eof(self) -> None: ...
    async def aclose(self) -> None: ...


def streams_are_alike(
    one: on_asyncio.FramedStream, two: on_trio.FramedStream, three: on_anyio.FramedStream
) -> list[AwaitedStream]:
    """Whoever writes for one of the three has written for all."""
    return [one, two, three]


def a_blocking_stream_does_not_await(stream: on_sockets.FramedStream) -> list[AwaitedStream]:
    """It has the same names, and is no such stream."""
    return [stream]  # type: ignore[list-item]  # pyright: ignore[reportReturnType]


# -- Blocking ----------------------------------------------------------------------------------


def blocking(stream: on_sockets.FramedStream, tls: ssl.SSLContext) -> None:
    """Frames in, bytes out; a handler takes a stream; a server knows its port."""
    assert_type(stream.receive_frame(), bytes)
    assert_type(stream.receive_event(), Event)
    assert_type(list(stream), list[bytes])
    assert_type((stream.framer, stream.output), tuple[Framer, OutputQueue])
    assert_type(stream.transport, socket.socket)
    stream.send("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with on_sockets.connect("localhost", 1, b"\r\n", tls=tls, timeout=1.0) as connected:
        assert_type(connected, on_sockets.FramedStream)
    with on_sockets.serve(lambda stream: stream.receive_frame(), "localhost", 0) as server:
        assert_type(server, on_sockets.Server)
        assert_type(server.port, int | None)
        assert_type(server.sockets, list[socket.socket])
    on_sockets.serve(len, "localhost", 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    on_sockets.serve_channel(Echo, "localhost", 0)
    on_sockets.serve_channel(Echo(), "localhost", 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    on_sockets.connect("localhost", "80")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    on_sockets.connect("localhost", 1, tls=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    on_sockets.connect("localhost", 1, b"\n", 10)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# -- Selectors ---------------------------------------------------------------------------------


def selectors(sock: socket.socket) -> None:
    """Channels, and a loop that has to be named to connect."""
    with on_selectors.Loop() as loop:
        server = on_selectors.serve_channel(Echo, "localhost", 0, loop=loop, idle_timeout=None)
        assert_type(server, on_selectors.Server)
        assert_type(server.loop, on_selectors.Loop)
        assert_type(loop.call_later(1.0, print, "spam"), on_selectors.Timer)
        assert_type(loop.run_until(lambda: server.port, timeout=1), bool)
        on_selectors.connect(Echo(), "localhost", 1, loop=loop)
        on_selectors.connect(Echo(), "localhost", 1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        on_selectors.connect(Echo, "localhost", 1, loop=loop)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        on_selectors.add_channel(Echo(), sock, loop=loop)
        on_selectors.run_channel(Echo(), "sock")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- asyncio -----------------------------------------------------------------------------------


async def under_asyncio(
    pair: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    handler: Callable[[on_asyncio.FramedStream], Awaitable[None]],
    wrong: Callable[[on_asyncio.FramedStream], None],
) -> None:
    """A stream comes from a pair, `connect` or `serve`; a handler has to be awaited."""
    stream = on_asyncio.FramedStream(pair, b"\r\n", max_frame_size=None)
    assert_type(await stream.receive_frame(), bytes)
    assert_type(await stream.receive_event(), Event)
    assert_type([frame async for frame in stream], list[bytes])
    assert_type(stream.transport, asyncio.Transport)
    async with await on_asyncio.connect("localhost", 1) as connected:
        assert_type(connected, on_asyncio.FramedStream)
    async with await on_asyncio.serve(handler, "localhost", 0) as server:
        assert_type(server, on_asyncio.Server)
        assert_type(server.port, int | None)
    await on_asyncio.serve_channel(Echo, "localhost", 0)
    await on_asyncio.run_channel(Echo(), pair)
    await on_asyncio.serve(wrong, "localhost", 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    on_asyncio.FramedStream(pair[0])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await stream.send_frame("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- trio --------------------------------------------------------------------------------------


async def under_trio(
    transport: trio.abc.Stream,
    handler: Callable[[on_trio.FramedStream], Awaitable[None]],
    wrong: Callable[[on_trio.FramedStream], None],
) -> None:
    """Any stream of trio's will do; a server is a task, and tells its listeners."""
    stream = on_trio.FramedStream(transport, b"\r\n")
    assert_type(await stream.receive_frame(), bytes)
    assert_type(await stream.receive_event(), Event)
    assert_type([frame async for frame in stream], list[bytes])
    assert_type(stream.transport, trio.abc.Stream)
    resource: trio.abc.AsyncResource = stream
    async with resource, trio.open_nursery() as nursery:
        nursery.start_soon(on_trio.serve, handler, "localhost", 0)
        assert_type(await on_trio.connect("localhost", 1), on_trio.FramedStream)
        await on_trio.run_channel(Echo(), transport)
        await on_trio.run_channel(Echo, transport)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await on_trio.serve(wrong, "localhost", 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- anyio -------------------------------------------------------------------------------------


async def under_anyio(
    transport: AnyByteStream,
    handler: Callable[[on_anyio.FramedStream], Awaitable[None]],
    wrong: Callable[[on_anyio.FramedStream], None],
    task_status: anyio.abc.TaskStatus[MultiListener[SocketStream]],
) -> None:
    """It is an object stream of anyio's, whose objects are frames."""
    stream = on_anyio.FramedStream(transport, b"\r\n")
    objects: ObjectStream[bytes] = stream
    assert_type(await objects.receive(), bytes)
    assert_type(await stream.receive_frame(), bytes)
    assert_type(await stream.receive_event(), Event)
    assert_type([frame async for frame in stream], list[bytes])
    assert_type(await on_anyio.connect("localhost", 1), on_anyio.FramedStream)
    await on_anyio.run_channel(Echo(), transport)
    await on_anyio.run_channel(Echo, transport)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await on_anyio.serve(wrong, "localhost", 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await on_anyio.serve(handler, "localhost", 0, task_status=task_status)
