"""framer over trio: any ``trio.abc.Stream``, a task a connection.

It keeps trio's rules: each async method is a checkpoint, and a receive that is cancelled
loses nothing. What was given to a send that is cancelled stays in the queue
and goes with the next one, over a ``trio.SocketStream``;
over any other stream nobody can know how much has gone, so there is no next one.

>>> async def greet(stream):
...     async for name in stream:
...         await stream.send_frame(b"hello, " + name)
>>> async def main():
...     async with trio.open_nursery() as nursery:
...         listeners = await nursery.start(serve, greet, "127.0.0.1", 0)
...         port = listeners[0].socket.getsockname()[1]
...         async with await connect("127.0.0.1", port) as stream:
...             await stream.send_frame(b"world")
...             print(await stream.receive_frame())
...         nursery.cancel_scope.cancel()
>>> trio.run(main)
b'hello, world'
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, cast

from framer import Channel, Terminator, UsageError
from framer_adapters._common import (
    IDLE_TIMEOUT,
    Host,
    check_framing,
    check_tls,
    log_error,
    unix_path,
)
from framer_adapters._sockets import listen, remove_unix_socket
from framer_adapters._stream import run_handler
from framer_adapters._task_conversation import TaskConversation
from framer_adapters._task_stream import TaskFramedStream

try:
    import trio
except ModuleNotFoundError as _exc:
    raise ModuleNotFoundError(
        'framer_adapters.trio needs trio: pip install "sansio-framer[trio]"', name=_exc.name
    ) from _exc

from framer_adapters._trio_world import TrioWorld

__all__ = ["FramedStream", "connect", "serve", "serve_channel", "run_channel"]


_WORLD: Final = TrioWorld()


class FramedStream(TaskFramedStream, trio.abc.AsyncResource):
    """Frames in, bytes and frames out, over a ``trio.abc.Stream``, which it closes in the end.

    The arguments are those of `connect`, and what its methods raise is this:

    - ``trio.EndOfChannel``: the peer has ended the stream, after a whole frame.
    - ``trio.BrokenResourceError``: the connection is lost, or the handshake failed; or nobody
      knows what the peer got, as an earlier send over no ``trio.SocketStream`` was cut off.
    - ``trio.BusyResourceError``: another task is receiving.
    - ``trio.ClosedResourceError``: the stream is closed, or nothing can be sent after `send_eof`.
    - ``trio.TooSlowError``: the peer sent or took nothing for `idle_timeout` seconds.
    """

    transport: trio.abc.Stream
    _end_of_stream = trio.EndOfChannel
    _world = _WORLD

    def __init__(
        self,
        transport: trio.abc.Stream,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
    ) -> None:
        super().__init__(transport, terminator, max_frame_size)

    def _check_half_close(self) -> None:
        if not isinstance(self.transport, trio.abc.HalfCloseableStream):
            kind = type(self.transport).__name__
            raise UsageError(f"send_eof(): {kind} cannot end one direction alone; aclose()")


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
        terminator: what ends a frame.
        max_frame_size: the most bytes of payload in a frame; None for no limit.
        tls: None for plain text.
        server_hostname: whose certificate to accept; None for `host`.

    Raises:
        OSError: no connection.
        trio.BrokenResourceError: the handshake failed.
    """
    transport: trio.SocketStream
    path = unix_path(host, port)
    check_framing(terminator, max_frame_size)
    check_tls(tls)
    if path is None:
        transport = await trio.open_tcp_stream(cast("str", host), cast("int", port))
    else:
        transport = await trio.open_unix_socket(path)
    try:
        stream = FramedStream(transport, terminator, max_frame_size=max_frame_size)
        stream.host = cast("str", host) if path is None else None
        if tls is not None:
            await stream.start_tls(tls, server_side=False, server_hostname=server_hostname)
    except BaseException:
        await trio.aclose_forcefully(transport)
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
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Listen, and run ``handler(stream)`` in a task for every connection, until cancelled.

    When the handler returns the stream is closed. What it raises is logged.

    Args:
        handler: what to run.
        host: a name or an address, None for all of the machine; or the path of a Unix socket.
        port: the port; with 0 the system chooses: ``listeners[0].socket.getsockname()[1]``.
        terminator: as for `connect`.
        max_frame_size: likewise.
        tls: likewise.
        idle_timeout: for how many seconds a receive, a send or the handshake waits for the peer.
        task_status: ``await nursery.start(serve, ...)`` gives the listeners, once they listen.

    Raises:
        OSError: an address cannot be had.
        TypeError, ValueError: the terminator or the limit is not what `framer.Framer` takes.
    """
    check_framing(terminator, max_frame_size)
    check_tls(tls)

    async def converse(transport: trio.SocketStream) -> None:
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
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Listen, and run a channel for every connection, until cancelled; the rest is as in `serve`.

    `idle_timeout` is for how many seconds the peer may neither send nor take a byte.
    """
    check_tls(tls)

    async def converse(transport: trio.SocketStream) -> None:
        stream = transport if tls is None else trio.SSLStream(transport, tls, server_side=True)
        try:
            await run_channel(factory(), stream, idle_timeout=idle_timeout)
        except Exception as exc:  # noqa: BLE001 - of the factory; the other connections live
            log_error(exc)

    await _serve(converse, host, port, task_status)


async def run_channel(
    channel: Channel, transport: trio.abc.Stream, *, idle_timeout: float | None = None
) -> None:
    """Carry a whole conversation over a stream, and close it.

    What goes wrong is the channel's to hear of, in ``connection_lost(exc)``, and is logged.
    When it is cancelled, the transport is closed at once, and `exc` is None.

    Args:
        channel: new, not yet connected.
        transport: the stream; TLS need not have shaken hands.
        idle_timeout: for how many seconds the peer may neither send nor take a byte;
            None: for ever.
    """
    await TaskConversation(_WORLD, channel, transport, idle_timeout).run()


async def _serve(
    converse: Callable[[trio.SocketStream], Awaitable[None]],
    host: Host,
    port: int | None,
    task_status: trio.TaskStatus[list[trio.SocketListener]],
) -> NoReturn:
    path = unix_path(host, port)
    sockets = await trio.to_thread.run_sync(listen, host, port)
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
    try:
        await trio.serve_listeners(converse, listeners, task_status=task_status)
    finally:
        if path is not None:
            remove_unix_socket(path)
