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
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, cast

from framer import Channel, Framer, OutputQueue, Terminator, TlsRequest, UsageError
from framer_adapters._common import (
    CLOSE_TIMEOUT,
    IDLE_TIMEOUT,
    LINGER,
    Host,
    certificate_name,
    check_tls,
    end_channel,
    log_error,
    server_side,
    unix_path,
)
from framer_adapters._sockets import OUT_OF_RESOURCES, listen, remove_unix_socket
from framer_adapters._stream import AsyncFramedBase, BusyGuard

try:
    import anyio
    import anyio.lowlevel
    from anyio.abc import AnyByteStream, ObjectStream, SocketListener, SocketStream, TaskStatus
    from anyio.streams.stapled import MultiListener
    from anyio.streams.tls import TLSStream
except ModuleNotFoundError as exc:
    raise ModuleNotFoundError(
        'framer_adapters.anyio needs anyio: pip install "sansio-framer[anyio]"', name=exc.name
    ) from exc

__all__ = ["FramedStream", "connect", "serve", "serve_channel", "run_channel"]

T = TypeVar("T")

_PAUSE: Final = 0.1  # seconds to wait when this machine can take no more connections
_LOST: Final = (ConnectionError, ssl.SSLError, anyio.BrokenResourceError)
_CLOSING: Final = (
    *_LOST,
    TimeoutError,
    anyio.BusyResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)  # what is of no interest by then
_PEER_ERRORS: Final = (anyio.BrokenResourceError, anyio.EndOfStream)


class FramedStream(AsyncFramedBase, ObjectStream[bytes]):
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

    def __init__(
        self,
        transport: AnyByteStream,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
    ) -> None:
        super().__init__(terminator, max_frame_size)
        self.transport = transport
        self._lost: Exception | None = None  # why nothing more can be received
        self._broken: Exception | None = None  # why nothing more can be sent
        self._closing = False
        self._reset: Exception | None = None  # what a send said, and so the end is none
        self._receiving = BusyGuard(anyio.BusyResourceError, "receiving from")
        self._sending = anyio.Lock(fast_acquire=True)
        _read_when_asked(transport)

    async def receive(self) -> bytes:
        """Do as `receive_frame` does: it is what anyio calls."""
        return await self.receive_frame()

    async def send(  # pyright: ignore[reportIncompatibleMethodOverride]  # anyio says "item"
        self, item: bytes | bytearray | memoryview
    ) -> None:
        """Send bytes as they are; to send a frame, use `send_frame`."""
        await super().send(item)

    async def send_eof(self) -> None:  # noqa: D102 - of the base
        if isinstance(self.transport, TLSStream):
            raise UsageError("send_eof() over TLS: it cannot end one direction alone; aclose()")
        self._check_open()
        await self._flush(to_the_end=True)
        await self.transport.send_eof()
        self.output.close_when_done()

    async def aclose(self) -> None:  # noqa: D102 - of the base
        self._closing = True
        self.output.close_when_done()
        try:
            with anyio.move_on_after(CLOSE_TIMEOUT), contextlib.suppress(*_CLOSING):
                await self._flush()
        finally:
            self._lost = self._broken = anyio.ClosedResourceError("the stream is closed")
            try:
                self.output.discard()
            finally:
                await _close(self.transport, LINGER)

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the transport: addresses, the peer's certificate; see ``extra()``."""
        return cast("Mapping[Any, Any]", cast("Any", self.transport).extra_attributes)

    async def _receive(self, take: Callable[[], T]) -> T:
        await anyio.lowlevel.checkpoint()  # also when a frame is ready
        if self._closing:
            raise anyio.ClosedResourceError
        return await super()._receive(take)

    def _check_open(self) -> None:
        if self.output.closing:
            raise anyio.ClosedResourceError("the stream is closed, or send_eof() was called")
        if self._broken is not None:
            raise self._broken

    async def _fill(self) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            with anyio.fail_after(self.idle_timeout):
                data = await _receive_some(self.transport)
        except _LOST as exc:
            self._lost = exc  # which a transport need not say again
            raise
        if data or self._reset is None:
            self._take(data)
        else:
            self._lost = self._reset

    async def _flush(self, *, to_the_end: bool = False) -> None:
        async with self._sending:
            while self._broken is None:
                if data := bytes(self.output.next_buffer()):
                    await anyio.lowlevel.checkpoint_if_cancelled()
                    await self._send_some(data)
                elif self._closing and self.output:
                    raise anyio.ClosedResourceError("the stream was closed before all was sent")
                elif len(self.output) or (to_the_end and self.output):
                    ready = anyio.Event()
                    self.output.on_ready = ready.set
                    await ready.wait()  # also if it is bytes that stand behind a producer
                else:
                    return
            raise self._broken

    async def _send_some(self, data: bytes) -> None:
        try:
            with anyio.fail_after(self.idle_timeout):
                await _send_some(self.transport, data, self.output)
        except BaseException as exc:
            self._broken = anyio.BrokenResourceError("an earlier send broke off; close the stream")
            self._reset = exc if isinstance(exc, _LOST) else None
            raise

    async def _shake_hands(self, request: TlsRequest) -> None:
        async with self._sending:
            self._lost = self._broken = anyio.BrokenResourceError("the TLS handshake failed")
            with anyio.fail_after(self.idle_timeout):
                self.transport = await _wrap(self.transport, request, self.host)
            self._lost = self._broken = None


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
    Framer(terminator, max_frame_size=max_frame_size)  # so that what is wrong is raised here
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
        await _close(transport, 0)
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
    Framer(terminator, max_frame_size=max_frame_size)  # to say at once what is wrong with them
    check_tls(tls)

    async def converse(transport: SocketStream) -> None:
        async with FramedStream(transport, terminator, max_frame_size=max_frame_size) as stream:
            stream.idle_timeout = idle_timeout
            if tls is not None:
                await stream.start_tls(tls, server_side=True)
            await handler(stream)

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
    await _Conversation(channel, transport, idle_timeout).run()


class _Conversation:
    """A channel and its stream: one task receives, the other sends, and sees when it is over."""

    def __init__(
        self, channel: Channel, transport: AnyByteStream, idle_timeout: float | None
    ) -> None:
        self._channel = channel
        self._output = channel.output
        self._transport = transport
        self._idle_timeout = math.inf if idle_timeout is None else idle_timeout
        self._idle = anyio.move_on_after(self._idle_timeout)
        self._phase = anyio.CancelScope()  # in plain text, or encrypted
        self._reading = anyio.CancelScope()  # likewise, but only until TLS is asked for
        self._news = anyio.Event()  # for who has nothing to do for now
        self._ended = False  # the peer has sent its last byte
        self._unsent: Exception | None = None  # why nothing can be sent
        _read_when_asked(transport)

    async def run(self) -> None:
        error: Exception | None = None
        patience = 0.0
        try:
            with self._idle:
                await self._converse()
            if self._idle.cancelled_caught:
                error = TimeoutError(f"the peer was idle for {self._idle_timeout} seconds")
            elif self._channel.hook_error is None:
                patience = LINGER
                await self._linger()
        except* Exception as group:  # noqa: BLE001 - given to the channel, and logged
            error = group.exceptions[0]
        finally:
            self._output.on_ready = None
            try:
                await _close(self._transport, patience)
            finally:
                end_channel(self._channel, error, _PEER_ERRORS)

    async def _converse(self) -> None:
        self._output.on_ready = self._on_ready
        begin = self._channel.connection_made
        while not self._output.done:
            async with anyio.create_task_group() as tasks:
                self._phase, self._reading = tasks.cancel_scope, anyio.CancelScope()
                if self._channel.tls_request is not None:
                    self._transport = await _wrap(self._transport, self._channel.tls_request, None)
                    self._touch()
                begin()
                tasks.start_soon(self._receive)
                await self._send()
                tasks.cancel_scope.cancel()
            if self._unsent is not None:
                raise self._unsent
            begin = self._channel.receive_tls

    async def _receive(self) -> None:
        with self._reading:
            while not self._ended:
                if self._unsent is not None:
                    self._output.discard()
                if self._output.congested or self._channel.tls_request is not None:
                    await self._rest()
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
                if data := bytes(self._output.next_buffer()):
                    await _send_some(self._transport, data, self._output)
                    self._touch()
                    self._news.set()  # there may be room for more
                    continue
                request = self._channel.tls_request
                if self._output.done or (request is not None and request.ready):
                    return
                await self._rest()
        except _LOST as exc:
            self._unsent = exc
            self._news.set()
            await anyio.sleep(LINGER)  # while the receiver takes what came in before

    async def _linger(self) -> None:
        """Without TLS end the stream, and wait a while for the peer to do so, too: see `LINGER`."""
        if not (self._ended or isinstance(self._transport, TLSStream)):
            with anyio.move_on_after(LINGER), contextlib.suppress(NotImplementedError, *_LOST):
                await self._transport.send_eof()
                while await _receive_some(self._transport):
                    pass

    async def _rest(self) -> None:
        if self._news.is_set():
            self._news = anyio.Event()
        await self._news.wait()

    def _on_ready(self) -> None:
        self._news.set()
        if self._output.done:  # a send may be stuck with what has been discarded
            self._phase.cancel()

    def _touch(self) -> None:
        """The peer is alive: move the deadline, but not for next to nothing, for that costs."""
        deadline = anyio.current_time() + self._idle_timeout
        if deadline > self._idle.deadline + self._idle_timeout / 100:
            self._idle.deadline = deadline


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
            log_error(exc, _PEER_ERRORS)

    async def accept(listener: SocketListener) -> None:
        while True:
            try:
                await listener.serve(handle, tasks)
            except (OSError, anyio.BrokenResourceError) as exc:
                error = exc.__cause__ or exc
                if isinstance(error, OSError) and error.errno in OUT_OF_RESOURCES:
                    log_error(error)
                    await anyio.sleep(_PAUSE)
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


async def _receive_some(transport: AnyByteStream) -> bytes:
    """Receive; before it says, with b"", that this is the end, a send that saw a reset does so."""
    try:
        while not (data := await transport.receive()):
            pass  # an object may be empty, and is no end
        return data
    except anyio.EndOfStream:
        await anyio.lowlevel.cancel_shielded_checkpoint()
        return b""


async def _send_some(transport: AnyByteStream, data: bytes, output: OutputQueue) -> None:
    """Send what the queue has shown, and remove it."""
    await transport.send(data)
    with contextlib.suppress(ValueError):  # it was discarded meanwhile
        output.advance(len(data))


async def _wrap(transport: AnyByteStream, request: TlsRequest, host: str | None) -> TLSStream:
    return await TLSStream.wrap(
        transport,
        server_side=server_side(request),
        hostname=certificate_name(request, host),
        ssl_context=cast("ssl.SSLContext", request.context),
    )


async def _close(transport: AnyByteStream, patience: float) -> None:
    """Close it; over TLS say so, and wait a while for the answer, lest it reset the connection."""
    with anyio.move_on_after(patience), contextlib.suppress(*_CLOSING):
        await transport.aclose()
