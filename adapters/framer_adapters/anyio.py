"""framer over anyio, so under asyncio and under trio.

A `FramedStream` wraps any byte stream of anyio, and is itself an ``ObjectStream[bytes]``:
what it receives is frames, and whatever takes such a stream takes this one.

>>> async def greet(stream):
...     async for name in stream:
...         await stream.send_frame(b"hello, " + name)
>>> async def main():
...     async with anyio.create_task_group() as tasks:
...         listener = await tasks.start(serve, greet, "127.0.0.1", 0)
...         port = listener.extra(anyio.abc.SocketAttribute.local_port)
...         async with await connect("127.0.0.1", port) as stream:
...             await stream.send_frame(b"world")
...             print(await stream.receive_frame())
...         tasks.cancel_scope.cancel()
>>> anyio.run(main)
b'hello, world'
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from framer import Channel, Terminator, UsageError
from framer_adapters._common import (
    IDLE_TIMEOUT,
    Host,
    check_framing,
    check_tls,
    log_error,
    unix_path,
)
from framer_adapters._sockets import (
    ACCEPT_PAUSE,
    OUT_OF_RESOURCES,
    listen,
    remove_unix_socket,
)
from framer_adapters._stream import run_handler
from framer_adapters._task_conversation import TaskConversation
from framer_adapters._task_stream import TaskFramedStream

try:
    import anyio
    from anyio.abc import (
        AnyByteStream,
        ObjectStream,
        SocketListener,
        SocketStream,
        TaskStatus,
    )
    from anyio.streams.stapled import MultiListener
    from anyio.streams.tls import TLSStream
except ModuleNotFoundError as _exc:
    raise ModuleNotFoundError(
        'framer_adapters.anyio needs anyio: pip install "sansio-framer[anyio]"', name=_exc.name
    ) from _exc

from framer_adapters._anyio_world import AnyioWorld

__all__ = ["FramedStream", "connect", "serve", "serve_channel", "run_channel"]


_WORLD: Final = AnyioWorld()


class FramedStream(TaskFramedStream, ObjectStream[bytes]):
    """Frames in, bytes and frames out, over a byte stream of anyio, which it closes in the end.

    A send that is cancelled or times out half way has broken the sending side,
    for anyio does not tell how much of it went. Receiving goes on.

    Args:
        transport: a ``ByteStream``, or an ``ObjectStream[bytes]`` whose items are cut anyhow.
        terminator: what ends a frame; see `framer.Terminator`.
        max_frame_size: the most bytes of payload in a frame; None for no limit.

    Raises:
        anyio.EndOfStream: the peer has ended the stream, after a whole frame.
        anyio.BrokenResourceError: the connection is lost, or a send broke off; close the stream.
        anyio.BusyResourceError: another task is receiving.
        anyio.ClosedResourceError: the stream is closed, or nothing is sent after `send_eof`.
        TimeoutError: the peer was silent, or took nothing, for `idle_timeout` seconds.
        ssl.SSLError: the handshake failed; close the stream.
    """

    transport: AnyByteStream

    _end_of_stream = anyio.EndOfStream
    _world = _WORLD

    def __init__(
        self,
        transport: AnyByteStream,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
    ) -> None:
        super().__init__(transport, terminator, max_frame_size)
        _read_when_asked(transport)

    async def receive(self) -> bytes:
        """Do as `receive_frame` does: it is what anyio calls."""
        return await self.receive_frame()

    async def send(  # pyright: ignore[reportIncompatibleMethodOverride]  # anyio says "item"
        self, item: bytes | bytearray | memoryview
    ) -> None:
        """Send bytes as they are; to send a frame, use `send_frame`."""
        await super().send(item)

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the transport: addresses, the peer's certificate; see ``extra()``."""
        return cast("Mapping[Any, Any]", cast("Any", self.transport).extra_attributes)

    def _check_half_close(self) -> None:
        if isinstance(self.transport, TLSStream):
            raise UsageError("send_eof() over TLS: it cannot end one direction alone; aclose()")


async def connect(
    host: Host,
    port: int | None = None,
    terminator: Terminator = b"\n",
    *,
    max_frame_size: int | None = 65536,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
) -> FramedStream:
    """Connect to a server.

    Args:
        host: a name or an address; or the path of a Unix socket, and no port.
        port: the port.
        terminator: as for `FramedStream`.
        max_frame_size: likewise.
        tls: None for plain text.
        server_hostname: whose certificate to accept; None for `host`.

    Raises:
        OSError: no connection; ``ssl.SSLError`` is such.
        anyio.BrokenResourceError: the connection was lost in the TLS handshake.
    """
    path = unix_path(host, port)
    check_framing(terminator, max_frame_size)
    check_tls(tls)
    transport: SocketStream
    if path is None:
        transport = await anyio.connect_tcp(cast("str", host), cast("int", port))
    else:
        transport = await anyio.connect_unix(path)
    try:
        stream = FramedStream(transport, terminator, max_frame_size=max_frame_size)
        stream.host = cast("str", host) if path is None else None
        if tls is not None:
            await stream.start_tls(tls, server_side=False, server_hostname=server_hostname)
    except BaseException:
        await _WORLD.close(transport)
        raise
    return stream


async def serve(
    handler: Callable[[FramedStream], Awaitable[object]],
    host: Host,
    port: int | None = None,
    terminator: Terminator = b"\n",
    *,
    max_frame_size: int | None = 65536,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = IDLE_TIMEOUT,
    task_status: TaskStatus[MultiListener[SocketStream]] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Listen, and run ``handler(stream)`` for every connection, until it is cancelled.

    When the handler returns the stream is closed. What it raises is logged.

    Args:
        handler: what to run, each time in a task of its own.
        host: a name or an address, None for all of the machine;
            or the path of a Unix socket, and no port.
        port: the port; 0 has the system choose.
        terminator: as for `FramedStream`.
        max_frame_size: likewise.
        tls: None for plain text.
        idle_timeout: for how many seconds a stream waits for the peer in a receive or a send,
            and for the TLS handshake; None: for ever.
        task_status: ``await tasks.start(serve, ...)`` gives the listener, once it listens;
            its ``extra(SocketAttribute.local_port)`` is the port.

    Raises:
        OSError: an address cannot be had.
        TypeError, ValueError: the terminator or the limit is not what `framer.Framer` takes.
    """
    check_framing(terminator, max_frame_size)
    check_tls(tls)

    async def converse(transport: SocketStream) -> None:
        stream = FramedStream(transport, terminator, max_frame_size=max_frame_size)
        stream.idle_timeout = idle_timeout
        await run_handler(handler, stream, tls, _WORLD.peer_errors)

    await _serve(converse, host, port, task_status)


async def serve_channel(
    factory: Callable[[], Channel],
    host: Host,
    port: int | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = IDLE_TIMEOUT,
    task_status: TaskStatus[MultiListener[SocketStream]] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Listen, and run a channel for every connection; the arguments are those of `serve`."""
    check_tls(tls)

    async def converse(transport: SocketStream) -> None:
        secured: AnyByteStream = transport
        async with transport:
            if tls is not None:
                with anyio.fail_after(idle_timeout):
                    secured = await TLSStream.wrap(transport, server_side=True, ssl_context=tls)
            await run_channel(factory(), secured, idle_timeout=idle_timeout)

    await _serve(converse, host, port, task_status)


async def run_channel(
    channel: Channel, transport: AnyByteStream, *, idle_timeout: float | None = None
) -> None:
    """Carry a whole conversation over a byte stream, and close it.

    What goes wrong is the channel's to hear of, in ``connection_lost(exc)``, and is logged.
    When it is cancelled, the transport is closed at once, and `exc` is None.

    Args:
        channel: new, not yet connected. Other tasks of this thread may push to it at any time.
        transport: the byte stream.
        idle_timeout: after how many seconds, or a little more, in which the peer has neither sent
            nor taken anything (of 256 KiB at a time) to close; None for never.
    """
    _read_when_asked(transport)
    await TaskConversation(_WORLD, channel, transport, idle_timeout).run()


async def _serve(
    converse: Callable[[SocketStream], Awaitable[None]],
    host: Host,
    port: int | None,
    task_status: TaskStatus[MultiListener[SocketStream]],
) -> None:
    """Listen, and converse with each peer in a task of its own."""

    async def handle(transport: SocketStream) -> None:
        try:
            await converse(transport)
        except Exception as exc:  # noqa: BLE001 - logged, and the other connections live
            log_error(exc, _WORLD.peer_errors)

    async def accept(listener: SocketListener) -> None:
        while True:
            try:
                await listener.serve(handle, tasks)
            except (OSError, anyio.BrokenResourceError) as exc:
                error = exc.__cause__ or exc
                if isinstance(error, OSError) and error.errno in OUT_OF_RESOURCES:
                    log_error(error)
                    await anyio.sleep(ACCEPT_PAUSE)
                elif not isinstance(error, ConnectionError):  # who wanted to come in has gone
                    raise

    path = unix_path(host, port)
    listeners = [await SocketListener.from_socket(sock) for sock in listen(host, port)]
    try:
        async with MultiListener(listeners) as listener, anyio.create_task_group() as tasks:
            for each in listeners:
                tasks.start_soon(accept, each)
            task_status.started(listener)
    finally:
        if path is not None:
            remove_unix_socket(path)


def _read_when_asked(transport: AnyByteStream) -> None:
    """Have it read when it is asked to: under asyncio it would start at once, and go on and on."""
    if isinstance(transport, SocketStream) and hasattr(transport, "_transport"):
        with contextlib.suppress(RuntimeError):  # of uvloop: it is lost already
            cast("Any", transport)._transport.pause_reading()  # noqa: SLF001 - no other way
