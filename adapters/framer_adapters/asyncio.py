"""framer over asyncio, a task a connection for streams, and none for channels.

It is used like asyncio's own streams, under any event loop, uvloop among them.
A receive that is cancelled or times out loses nothing: the next one goes on.

>>> async def greet(stream):
...     async for name in stream:
...         await stream.send_frame(b"hello, " + name)
>>> async def main():
...     async with await serve(greet, "127.0.0.1", 0) as server:
...         async with await connect("127.0.0.1", server.port) as stream:
...             await stream.send_frame(b"world")
...             return await stream.receive_frame()
>>> asyncio.run(main())
b'hello, world'
"""

# ruff: noqa: D102 - what overrides a method does what that one says

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias, cast

from framer import Channel, Terminator, TlsRequest, UsageError
from framer_adapters._asyncio_server import Server
from framer_adapters._channel_protocol import ChannelProtocol
from framer_adapters._common import (
    CLOSE_TIMEOUT,
    IDLE_TIMEOUT,
    Host,
    check_framing,
    check_tls,
    unix_path,
)
from framer_adapters._handshakes import Secured
from framer_adapters._protocol import Pair
from framer_adapters._stream import AsyncFramedBase, BusyGuard, run_handler
from framer_adapters._stream_protocol import StreamProtocol

__all__ = ["FramedStream", "connect", "serve", "serve_channel", "run_channel", "Server"]


class FramedStream(AsyncFramedBase):
    """Frames in, bytes and frames out, over a connection of asyncio, which it closes in the end.

    What is sent goes out when the event loop has its turn, all of it in one write;
    over a pair at once, so that ``writer.close()`` loses nothing.
    A send waits only while there is too much to go out; if it is cancelled then,
    its bytes go out all the same, and so does what a producer gives.

    The errors are::

        EOFError             the peer has ended the stream
        OSError              the connection is lost, closed, or the handshake failed
        TimeoutError         the peer did nothing for `idle_timeout`; it is an OSError, too
        framer.UsageError    another task is receiving; send_eof() was called

    Over TLS that asyncio has begun, in a pair, it resets the connection when it is closed
    while the peer goes on sending: what the peer has not read by then may be lost to it.

    Before `start_tls` await nothing but the `send` that tells the peer to start,
    or what the peer then says may be taken for plain text.

    Args:
        transport: the (reader, writer) pair of ``asyncio.open_connection`` or ``start_server``.
            It is taken over, with what the reader has buffered; of the two use only
            ``writer.wait_closed()`` from here on. (Here `connect` and `serve` have a protocol.)
        terminator: what ends a frame; see `framer.Terminator`.
        max_frame_size: the most bytes of payload in a frame; None for no limit.

    Raises:
        RuntimeError: another task is reading from the reader.
    """

    _end_of_stream = EOFError

    def __init__(
        self,
        transport: Pair | StreamProtocol,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
    ) -> None:
        super().__init__(terminator, max_frame_size)
        self._receiving = BusyGuard(UsageError, "another task is receiving from this stream")
        pair = transport if isinstance(transport, tuple) else None
        self._protocol = StreamProtocol() if isinstance(transport, tuple) else transport
        self._protocol.attach(self._take, self.output)
        self._gathers = pair is None  # else what was sent has to go before writer.close()
        if pair is not None:
            self._protocol.take_over(*pair)

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, for its ``get_extra_info``."""
        return self._protocol.transport

    async def send_eof(self) -> None:
        self._check_open()
        if not self.transport.can_write_eof():
            raise UsageError("send_eof() over TLS: it cannot end one direction alone; aclose()")
        while self.output:
            await self._flush(to_the_end=True)
        self.output.close_when_done()
        self.transport.write_eof()

    async def aclose(self) -> None:
        protocol = self._protocol
        try:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    self._check_open()
                    while not self.output.done:
                        await self._flush(to_the_end=True)
                        if not self.output:
                            self.output.close_when_done()
                    protocol.finish()
                    await asyncio.wait([protocol.closed])
        finally:
            self.transport.abort()
        await asyncio.wait([protocol.closed])

    def _check_open(self) -> None:
        self._protocol.check()

    async def _fill(self) -> None:
        await self._protocol.more(self.idle_timeout)

    async def _flush(self, *, to_the_end: bool = False) -> None:
        if not (self._gathers or to_the_end):
            self._protocol.flush()
        await self._protocol.drain(self.idle_timeout, to_the_end=to_the_end)

    async def _shake_hands(self, request: TlsRequest) -> None:
        await self._protocol.start_tls(request, self.host, self.idle_timeout)


Handler: TypeAlias = Callable[[FramedStream], Awaitable[object]]


async def connect(
    host: Host,
    port: int | None = None,
    terminator: Terminator = b"\n",
    *,
    max_frame_size: int | None = 65536,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
) -> FramedStream:
    """Connect to a server, or with no port to the Unix socket at the path `host`.

    Args:
        host: a name or an address, or a path.
        port: the port.
        terminator: as for `FramedStream`.
        max_frame_size: likewise.
        tls: None for plain text.
        server_hostname: whose certificate to accept; None for `host`.

    Raises:
        OSError: no connection; TimeoutError and ``ssl.SSLError`` are such.
    """
    path = unix_path(host, port)
    check_tls(tls)
    loop = asyncio.get_running_loop()
    protocol = StreamProtocol()
    stream = FramedStream(protocol, terminator, max_frame_size=max_frame_size)
    if path is None:
        stream.host = cast("str", host)
        await loop.create_connection(lambda: protocol, stream.host, cast("int", port))
    else:
        await loop.create_unix_connection(lambda: protocol, path)
    if tls is not None:
        try:
            await stream.start_tls(tls, server_side=False, server_hostname=server_hostname)
        except BaseException:
            stream.transport.abort()
            raise
    return stream


async def serve(
    handler: Handler,
    host: Host,
    port: int | None = None,
    terminator: Terminator = b"\n",
    *,
    max_frame_size: int | None = 65536,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = IDLE_TIMEOUT,
) -> Server:
    """Call ``handler(stream)`` in a task of its own for each connection; it is closed afterwards.

    What a handler raises is logged, and ends that connection alone.

    Args:
        handler: a coroutine function.
        host: where to listen, None for everywhere; with no port, the path of a Unix socket.
        port: 0 to have the system choose one, which is then `Server.port`.
        terminator: as for `FramedStream`.
        max_frame_size: likewise.
        tls: the context for TLS from the first byte on; None for plain text.
        idle_timeout: after how many seconds in which the peer neither sends nor takes anything
            a receive or send raises TimeoutError; None for never.

    Raises:
        OSError: an address cannot be had.
    """
    check_framing(terminator, max_frame_size)
    check_tls(tls)
    server = Server(host, port)

    def accept() -> Secured:
        protocol = StreamProtocol()
        stream = FramedStream(protocol, terminator, max_frame_size=max_frame_size)
        stream.idle_timeout = idle_timeout
        protocol.made = partial(_start_handler, server, handler, stream)
        return protocol

    return await server.start(accept, tls, idle_timeout)


def _start_handler(server: Server, handler: Handler, stream: FramedStream) -> None:
    task = asyncio.get_running_loop().create_task(run_handler(handler, stream))
    task.add_done_callback(lambda _: stream.transport.abort())  # it may not even have started
    server.add(task, task.cancel)


async def serve_channel(
    factory: Callable[[], Channel],
    host: Host,
    port: int | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = IDLE_TIMEOUT,
) -> Server:
    """Run the channel that ``factory()`` makes for each connection; the rest is as for `serve`.

    After `idle_timeout` the connection is closed, and the channel hears of a TimeoutError.
    """
    check_tls(tls)
    server = Server(host, port)

    def accept() -> Secured:
        protocol = ChannelProtocol(factory, idle_timeout)

        def stop() -> None:  # but not at once: it may be a hook that closes the server
            protocol.loop.call_soon(protocol.end, None)

        protocol.made = lambda: server.add(protocol.closed, stop)
        return protocol

    return await server.start(accept, tls, idle_timeout)


async def run_channel(
    channel: Channel, transport: Pair, *, idle_timeout: float | None = None
) -> None:
    """Run one conversation to its end, and close the connection.

    What goes wrong is told to the channel, and logged; nothing of it is raised here.

    Args:
        channel: what no connection was made to yet.
        transport: a (reader, writer) pair, as for `FramedStream`.
        idle_timeout: as with `serve_channel`.
    """
    protocol = ChannelProtocol(lambda: channel, idle_timeout)
    protocol.take_over(*transport)
    try:
        await asyncio.wait([protocol.closed])
    finally:
        protocol.end(None)
    if channel.hook_error is not None and not isinstance(channel.hook_error, Exception):
        raise channel.hook_error
