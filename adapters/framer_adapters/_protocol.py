"""The connection below both protocols that transports of asyncio call: sending, TLS, the end.

::

    transport ──▶ data_received() ──▶ framer, or channel        _stream_protocol, _channel_protocol
    transport ◀── flush() ◀── OutputQueue ── on_ready ──▶ flush_soon()             (this file)

The transport buffers as little as it can: what waits had better wait in our queue,
where it is counted, and where a producer is not asked before its bytes can go.
So once `ConnectionProtocol.full` is false, without TLS, the kernel has all that was handed over.

The end comes in one of three ways, and each comes to `lose`, which tells whom it concerns, once:
`finish` when all has been said, `end` at once, and `connection_lost` when the peer is gone.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import ssl
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

from framer import OutputQueue, TlsRequest
from framer_adapters._common import (
    CLOSE_TIMEOUT,
    LINGER,
    RECEIVE_SIZE,
    certificate_name,
    server_side,
)
from framer_adapters._handshakes import Farewell, Secured, hand_over
from framer_adapters._sockets import send_file

__all__ = ["ConnectionProtocol", "Pair"]

Pair: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

CHUNKS_AT_ONCE: Final = 16
"""How many chunks of producers go out before other connections have their turn."""

TLS_RECORD: Final = 16384 + 2048
"""The most bytes of a record, by RFC 5246 (section 6.2.3); of RFC 8446 it is less."""

TICKS: Final = 4
"""How often in an idle timeout to look whether anything happened: no read sets a timer."""


_buffers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = (
    weakref.WeakKeyDictionary()
)


class ConnectionProtocol(Secured, abc.ABC):
    """What goes out through a transport, and whether the peer is alive.

    All connections of a loop read into one buffer, and copy what came: it is filled and emptied
    within one call of the loop. To an `asyncio.Protocol` asyncio gives new bytes, for which it
    asks the system for 256 KiB, again with each read, to give back most of it; how much that costs
    is up to malloc: see "request and response" in ``tests/bench/echo.py``.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._buffer = _buffer_of(self.loop)
        self.output: OutputQueue = OutputQueue()
        self.made: Callable[[], object] | None = None  # to be called when the connection is there
        # Done when the connection is gone.
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self.full: bool = False  # the transport takes nothing for the time being
        self.tls: bool = False  # it is there, or about to come
        self.paused: bool = False  # nothing is read
        self._noted = False  # that there is something to send
        self._on_ready: Callable[[], object] | None = None  # what takes that note
        self._alive = False  # the peer has done something since the last tick
        self._unsent: int = 0  # how many bytes the transport held at the last tick
        self._quiet = 0  # ticks since the peer did something
        self._timer: asyncio.TimerHandle | None = None
        # Of a pair that was taken over: the protocol, which is told of the end, and the writer,
        # which is kept because it closes the transport when it is freed.
        self._former: asyncio.BaseProtocol = asyncio.Protocol()
        self._writer: asyncio.StreamWriter | None = None
        self._early: list[bytes] = []  # what came in before TLS could be given it
        self._ended = False  # the peer has sent its last byte
        self._finishing = False  # everything has gone out, and nothing is taken any more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.tls = transport.get_extra_info("ssl_object") is not None
        if not (self.tls or transport.is_closing()):
            self.transport.set_write_buffer_limits(0)
        high_water = self.transport.get_write_buffer_limits()[1]
        self.full = self.transport.get_write_buffer_size() > high_water
        if self.made is not None:
            self.made()

    def take_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the protocol of a transport that had another, and of which a reader has read."""
        exc = reader.exception()
        if exc is not None:
            reader.set_exception(cast("Exception", None))  # it would keep back what is buffered
        data, transport = _buffered(reader), writer.transport
        self._former = transport.get_protocol() or self._former  # None once it is lost
        self._writer = writer
        self._read_from(transport)
        self.connection_made(transport)
        if data:
            self.data_received(data)
        if reader.at_eof():
            self.eof_received()
        if exc is not None or transport.is_closing():  # the former protocol has heard of it
            self.end(exc)

    def _read_from(self, transport: asyncio.WriteTransport) -> None:
        """Be its protocol. Reading begins anew, for uvloop goes on to read in the former way."""
        reading = cast("asyncio.Transport", transport)
        if not transport.is_closing():
            reading.pause_reading()
        transport.set_protocol(self)
        if not transport.is_closing():
            reading.resume_reading()

    def get_buffer(self, sizehint: int) -> Any:  # noqa: ANN401 - typeshed has no memoryview here
        # At the end of the stream TLS fills it once, and drops what does not fit:
        # so there is room for all that it has, that is `sizehint` and what it has begun to decrypt.
        if sizehint > RECEIVE_SIZE - TLS_RECORD:
            self._buffer = _buffer_of(self.loop, sizehint + TLS_RECORD)
        return self._buffer  # which TLS cuts up, so it is a view

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.full = True
        if exc is not None and not self.tls:  # a send failed: read what had come in before
            socket = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError), socket.dup() as sock:
                while data := sock.recv(RECEIVE_SIZE):
                    self.data_received(data)
        self.lose(exc)

    def lose(self, exc: Exception | None) -> None:
        """The connection is gone: tell whom it concerns, once."""
        if self.closed.done():
            return
        self.closed.set_result(None)
        self.full = True
        self.output.on_ready = self._on_ready = None
        if self._timer is not None:
            self._timer.cancel()
        self._former.connection_lost(exc)
        self.lost(exc)

    def end(self, exc: Exception | None) -> None:
        """Close at once."""
        self.transport.abort()
        self.lose(exc)

    def pause_reading(self) -> None:
        """Read nothing until further notice."""
        self.paused = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self.paused:
            self.paused = False
            self.transport.resume_reading()

    # Sending

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._alive = True
        self.flush()

    def flush_soon(self) -> None:
        """Take a note: there is something to send."""
        if not self._noted:
            self._noted = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Hand over what is next, as long as the transport takes it."""
        self._noted = False
        output, transport = self.output, self.transport
        for _ in range(CHUNKS_AT_ONCE):
            if self.full or not output or transport.is_closing():
                return
            if output.producer is not None and self._send_file():
                self._alive = True
                continue
            try:
                data = output.data_to_send()
            except Exception as exc:  # noqa: BLE001 - of a producer, which is out of the queue now
                self.fail(exc)
                continue
            if not data:
                return
            transport.write(data)
            if not self.full:
                self._alive = True
        self.flush_soon()

    def _send_file(self) -> bool:
        """Have the kernel send of the plain file that is next; false if it has to be read.

        It has, too, when the kernel takes no more for now: a chunk of it waits in the transport.
        """
        with contextlib.suppress(Exception):  # which the transport, or who reads it, will see, too
            sock = self.transport.get_extra_info("socket")
            return not self.tls and send_file(sock, self.output) > 0
        return False

    # TLS, and the idle timeout

    async def start_tls(
        self, request: TlsRequest, host: str | None, idle_timeout: float | None
    ) -> None:
        """Shake hands, everything having been sent; an error closes the connection."""
        before = self.transport
        before.set_write_buffer_limits()
        self.tls = self.full = True  # for all but the handshake
        try:
            name = certificate_name(request, host)
            self.loop.call_soon(self._begin_tls, before)
            after = await self.loop.start_tls(
                before,
                self,
                cast("ssl.SSLContext", request.context),
                server_side=server_side(request),
                server_hostname=name,
                ssl_handshake_timeout=idle_timeout,
                ssl_shutdown_timeout=CLOSE_TIMEOUT,
            )
        except BaseException as exc:
            self.end(exc if isinstance(exc, Exception) else None)
            raise
        if after is None:  # it was closed meanwhile
            self.end(None)
            raise ConnectionAbortedError("the connection is closed")
        self.transport = after
        self.below: asyncio.Transport | None = before
        self.full = False
        if self.paused:  # perhaps by what came right behind the handshake, and so `before` was
            after.pause_reading()
            before.resume_reading()

    def _begin_tls(self, before: asyncio.Transport) -> None:
        early, self._early = self._early, []
        if before.get_protocol() is not self:
            hand_over(early, before)

    # The end

    def finish(self) -> None:
        """Close, now that everything has gone out; but first let the peer read its last words.

        Not now: within resume_writing() the transport would end its direction a second time,
        and log what the socket says to that; and what TLS holds back has to be read first.
        """
        if not self._finishing:
            self._finishing = True
            if self._timer is not None:
                self._timer.cancel()
            self.resume_reading()
            self.loop.call_soon(self._sign_off)

    def _sign_off(self) -> None:
        if self.closed.done():
            return
        patience = CLOSE_TIMEOUT
        if self._ended:
            self.transport.close()
        elif self.transport.can_write_eof():
            patience = LINGER
            with contextlib.suppress(OSError, RuntimeError):  # it is lost, and we shall be told
                self.transport.write_eof()
        elif self.below is not None:
            patience += LINGER
            Farewell(self.transport, self.below).begin()
        else:  # TLS that we have not begun
            self.transport.close()
        self._timer = self.loop.call_later(patience, self.transport.abort)

    def watch(self, idle_timeout: float | None) -> None:
        """From now on call `idle` when the peer does nothing for so many seconds."""
        self._alive = True
        if self._timer is None and idle_timeout is not None:
            self._timer = self.loop.call_later(idle_timeout / TICKS, self._tick, idle_timeout)

    def _tick(self, idle_timeout: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        alive = self._alive or unsent != self._unsent
        self._quiet = 0 if alive else self._quiet + 1
        self._alive, self._unsent = False, unsent
        self._timer = None
        if self._quiet == TICKS:
            self.idle(TimeoutError(f"the peer did nothing for {idle_timeout} seconds"))
        else:
            self._timer = self.loop.call_later(idle_timeout / TICKS, self._tick, idle_timeout)

    # What differs

    @abc.abstractmethod
    def data_received(self, data: bytes) -> None:
        """Something came in."""

    @abc.abstractmethod
    def lost(self, exc: Exception | None) -> None:
        """The connection is gone."""

    def fail(self, exc: Exception) -> None:
        """A producer has raised."""
        self.end(exc)

    def idle(self, exc: TimeoutError) -> None:
        """The peer did nothing for too long."""
        self.end(exc)


def _buffer_of(loop: asyncio.AbstractEventLoop, size: int = RECEIVE_SIZE) -> memoryview:
    """Return what all connections of the loop read into, of this size or larger.

    It grows to twice its size, so that there are few of those that connections still have.
    """
    buffer = _buffers.get(loop)
    if buffer is None or len(buffer) < size:
        buffer = _buffers[loop] = memoryview(bytearray(1 << (size - 1).bit_length()))
    return buffer


def _buffered(reader: asyncio.StreamReader) -> bytes:
    """Take what a reader has in its buffer: reading is at its end at once, or has to wait."""
    reading = reader.read(1 << 62)
    try:
        reading.send(None)
    except StopIteration as stop:
        return cast("bytes", stop.value)
    reading.close()
    return b""
