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

import contextlib
import math
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeVar, cast

try:
    import trio
except ImportError as exc:
    raise ImportError('framer_adapters.trio needs trio: pip install "sansio-framer[trio]"') from exc

from framer import Channel, OutputQueue, Terminator, TlsRequest, UsageError
from framer_adapters._common import (
    CLOSE_TIMEOUT,
    IDLE_TIMEOUT,
    LINGER,
    RECEIVE_SIZE,
    FramedBase,
    Host,
    certificate_name,
    check_tls,
    end_channel,
    log_error,
    server_side,
    unix_path,
)
from framer_adapters._sockets import listen, remove_unix_socket, send_file
from framer_adapters._stream import AsyncFramedBase, BusyGuard

__all__ = ["FramedStream", "connect", "serve", "serve_channel", "run_channel"]

T = TypeVar("T")

_PEER_ERRORS: Final = (trio.BrokenResourceError, trio.EndOfChannel, trio.TooSlowError)


class FramedStream(AsyncFramedBase, trio.abc.AsyncResource):
    """Frames in, bytes and frames out, over a ``trio.abc.Stream``, which it closes in the end.

    The arguments are those of `connect`, and what its methods raise is this:

    - ``trio.EndOfChannel``: the peer has ended the stream, after a whole frame.
    - ``trio.BrokenResourceError``: the connection is lost, or the handshake failed; or nobody
      knows what the peer got, as an earlier send over no ``trio.SocketStream`` was cut off.
    - ``trio.BusyResourceError``: another task is receiving.
    - ``trio.ClosedResourceError``: the stream is closed, or nothing can be sent after `send_eof`.
    - ``trio.TooSlowError``: the peer sent or took nothing for `idle_timeout` seconds.
    """

    _end_of_stream = trio.EndOfChannel

    def __init__(
        self,
        transport: trio.abc.Stream,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
    ) -> None:
        super().__init__(terminator, max_frame_size)
        self.transport = transport
        self._lost: trio.BrokenResourceError | None = None
        self._cut_off = False  # a send stopped who knows where
        self._closed = False
        self._dropped = False  # not all was sent when it was closed
        self._receiving = BusyGuard(trio.BusyResourceError, "another task is receiving")
        self._sending = trio.Lock()

    async def send_eof(self) -> None:  # noqa: D102 - the base has it, as of all that follows
        if self._closed:
            raise trio.ClosedResourceError("the stream is closed")
        if not isinstance(self.transport, trio.abc.HalfCloseableStream):
            kind = type(self.transport).__name__
            raise UsageError(f"send_eof(): {kind} cannot end one direction alone; aclose()")
        await self._flush(to_the_end=True)
        self.output.close_when_done()
        await self.transport.send_eof()

    async def aclose(self) -> None:  # noqa: D102
        self._closed = True
        self.output.close_when_done()
        gone = (*_PEER_ERRORS, trio.ClosedResourceError)
        with trio.move_on_after(CLOSE_TIMEOUT), contextlib.suppress(*gone):
            async with self.transport:
                try:
                    await self._flush()
                finally:
                    self._dropped = self._dropped or bool(self.output)
                    self.output.discard()

    def _check_open(self) -> None:
        if self.output.closing:
            raise trio.ClosedResourceError("the stream is closed, or send_eof() was called")

    async def _receive(self, take: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()  # also when a frame is ready
        if self._closed:
            raise trio.ClosedResourceError("the stream is closed")
        return await super()._receive(take)

    async def _fill(self) -> None:
        try:
            with _time_limit(self.idle_timeout):
                data = await _receive_some(self.transport)
        except trio.BrokenResourceError as exc:
            self._lost = exc
            raise
        if not data and self._lost is not None:  # a socket says it once, and then looks ended
            raise self._lost
        self._take(data)

    async def _flush(self, *, to_the_end: bool = False) -> None:
        async with self._sending:
            if self._cut_off:
                raise trio.BrokenResourceError("an earlier send did not complete; aclose()")
            while True:
                ready = trio.Event()
                self.output.on_ready = ready.set
                await self._send_now()
                if self._dropped or (self._closed and self.output):
                    raise trio.ClosedResourceError("the stream was closed before all was sent")
                if not (len(self.output) or (to_the_end and self.output)):
                    return
                await ready.wait()  # also if it is bytes that stand behind a producer

    async def _send_now(self) -> None:
        more = True
        try:
            while more and self.output:
                with _time_limit(self.idle_timeout):
                    more = await _send_some(self.transport, self.output)
        except trio.BrokenResourceError as exc:
            self._lost = exc
            raise
        except (trio.Cancelled, trio.TooSlowError):
            self._cut_off = type(self.transport) is not trio.SocketStream
            raise

    async def _shake_hands(self, request: TlsRequest) -> None:
        self.transport = encrypted = _wrap(self.transport, request, self.host)
        with _time_limit(self.idle_timeout):
            await encrypted.do_handshake()


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
    FramedBase(terminator, max_frame_size)  # so that what is wrong with these is raised here
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
    """
    check_tls(tls)

    async def converse(transport: trio.SocketStream) -> None:
        stream = FramedStream(transport, terminator, max_frame_size=max_frame_size)
        stream.idle_timeout = idle_timeout
        try:
            async with stream:
                if tls is not None:
                    await stream.start_tls(tls, server_side=True)
                await handler(stream)
        except Exception as exc:  # noqa: BLE001 - of one connection; the others live
            log_error(exc, _PEER_ERRORS)

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
    await _Conversation(channel, transport, idle_timeout).run()


class _Conversation:
    """A channel and its stream: one task receives, the other sends, and sees when it is over."""

    def __init__(
        self, channel: Channel, transport: trio.abc.Stream, idle_timeout: float | None
    ) -> None:
        self._channel = channel
        self._output = channel.output
        self._transport = transport
        self._idle_timeout = math.inf if idle_timeout is None else idle_timeout
        self._idle = trio.move_on_after(self._idle_timeout)
        self._phase = trio.CancelScope()  # in plain text, or encrypted
        self._reading = trio.CancelScope()  # likewise, but only until TLS is asked for
        self._resting = trio.lowlevel.ParkingLot()  # who has nothing to do for now
        self._ended = False  # the peer has sent its last byte
        self._unsent: trio.BrokenResourceError | None = None  # why nothing can be sent

    async def run(self) -> None:
        error: Exception | None = None
        try:
            with self._idle:
                await self._converse()
            if self._idle.cancelled_caught:
                error = TimeoutError(f"the peer was idle for {self._idle_timeout} seconds")
            elif self._channel.hook_error is None:
                await self._close()
        except* Exception as group:  # noqa: BLE001 - given to the channel, and logged
            error = group.exceptions[0]
        finally:
            try:
                await trio.aclose_forcefully(self._transport)
            finally:
                end_channel(self._channel, error, _PEER_ERRORS)

    async def _converse(self) -> None:
        self._output.on_ready = self._on_ready
        begin = self._channel.connection_made
        while not self._output.done:
            async with trio.open_nursery() as nursery:
                self._phase, self._reading = nursery.cancel_scope, trio.CancelScope()
                if self._channel.tls_request is not None:
                    self._transport = _wrap(self._transport, self._channel.tls_request, None)
                if (shake_hands := getattr(self._transport, "do_handshake", None)) is not None:
                    await shake_hands()
                    self._touch()
                begin()
                nursery.start_soon(self._receive)
                await self._send()
                nursery.cancel_scope.cancel()
            if self._unsent is not None:
                raise self._unsent
            begin = self._channel.receive_tls

    async def _receive(self) -> None:
        with self._reading:
            while not self._ended:
                if self._unsent is not None:
                    self._output.discard()
                if self._output.congested or self._channel.tls_request is not None:
                    await self._resting.park()
                    continue
                data = await _receive_some(self._transport)
                self._touch()
                if data:
                    self._channel.receive_data(data)
                elif self._unsent is not None:
                    raise self._unsent
                else:
                    self._ended = True
                    self._channel.receive_eof()

    async def _send(self) -> None:
        """Send until all has been said, or TLS is to start."""
        try:
            while True:
                if self._channel.tls_request is not None:
                    self._reading.cancel()  # the answer to what is sent now is the handshake's
                if await _send_some(self._transport, self._output):
                    self._touch()
                    self._resting.unpark_all()  # there may be room for more
                    continue
                request = self._channel.tls_request
                if self._output.done or (request is not None and request.ready):
                    return
                await self._resting.park()
        except trio.BrokenResourceError as exc:
            self._unsent = exc
            self._resting.unpark_all()
            await trio.sleep(LINGER)  # while the receiver takes what came in before

    async def _close(self) -> None:
        """Without TLS end the stream, and wait a while for the peer to do so, too: see `LINGER`."""
        with trio.move_on_after(LINGER), contextlib.suppress(trio.BrokenResourceError):
            if isinstance(self._transport, trio.abc.HalfCloseableStream) and not self._ended:
                await self._transport.send_eof()
                while await _receive_some(self._transport):
                    pass
            await self._transport.aclose()

    def _on_ready(self) -> None:
        self._resting.unpark_all()
        if self._output.done:  # a send may be stuck with what has been discarded
            self._phase.cancel()

    def _touch(self) -> None:
        """The peer is alive: move the deadline, but not for next to nothing, for that costs."""
        deadline = trio.current_time() + self._idle_timeout
        if deadline > self._idle.deadline + self._idle_timeout / 100:
            self._idle.deadline = deadline


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


async def _receive_some(transport: trio.abc.Stream) -> bytes:
    """Receive; before it says that this is the end, a send that saw a reset has its say."""
    data = await transport.receive_some(RECEIVE_SIZE)
    if not data:
        await trio.lowlevel.cancel_shielded_checkpoint()
    return bytes(data)


async def _send_some(transport: trio.abc.Stream, output: OutputQueue) -> bool:
    """Send some of what is next; return False if there is nothing now.

    Over a ``trio.SocketStream`` the queue holds what was not sent, also when it is cancelled.
    """
    sock = transport.socket if type(transport) is trio.SocketStream else None
    if sock is not None:
        with contextlib.suppress(BlockingIOError, ConnectionError):  # send() waits, or fails
            if send_file(sock, output):
                await trio.lowlevel.checkpoint()
                return True
    data = output.next_buffer(RECEIVE_SIZE)
    sent = len(data)
    if sent == 0:
        return False
    if sock is None:
        await transport.send_all(data)
    else:
        try:
            sent = await sock.send(data)
        except OSError as exc:
            raise trio.BrokenResourceError(f"socket connection broken: {exc}") from exc
    with contextlib.suppress(ValueError):  # it was discarded meanwhile
        output.advance(sent)
    return True


def _wrap(
    transport: trio.abc.Stream, request: TlsRequest, host: str | None
) -> trio.SSLStream[trio.abc.Stream]:
    """Put TLS on a stream, without shaking hands yet."""
    context = cast("ssl.SSLContext", request.context)
    name = certificate_name(request, host)
    return trio.SSLStream(
        transport, context, server_side=server_side(request), server_hostname=name
    )


def _time_limit(seconds: float | None) -> contextlib.AbstractContextManager[object]:
    return trio.fail_after(math.inf if seconds is None else seconds)
