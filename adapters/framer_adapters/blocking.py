"""framer over blocking sockets, a thread a connection.

Any connected stream socket will do, an ``ssl.SSLSocket`` too, with or without a timeout.
A timeout or a signal in the middle loses nothing: what had come in comes with the next call,
and what had to go out goes with the next send.

>>> import threading
>>> def greet(stream):
...     for name in stream:
...         stream.send_frame(b"hello, " + name)
>>> with serve(greet, "127.0.0.1", 0) as server:
...     threading.Thread(target=server.serve_forever).start()
...     with connect("127.0.0.1", server.port) as stream:
...         stream.send_frame(b"world")
...         stream.receive_frame()
b'hello, world'
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Self, TypeVar, cast

from framer import (
    Channel,
    Event,
    Leftover,
    Producer,
    Terminator,
    TlsRequest,
    UsageError,
    encode_frame,
)
from framer_adapters._common import (
    CLOSE_TIMEOUT,
    IDLE_TIMEOUT,
    LINGER,
    FramedBase,
    Host,
    check_framing,
    check_tls,
    unix_path,
)
from framer_adapters._sockets import close, dial, wrap_socket
from framer_adapters._threads import Server
from framer_adapters._waits import (
    TRY_AGAIN,
    BlockingConversation,
    BrokenError,
    Handling,
    ReceiveLock,
    SendLock,
    receive,
    send_all,
    send_to_the_end,
    shake_hands,
)

__all__ = ["FramedStream", "connect", "serve", "serve_channel", "run_channel", "Server"]

T = TypeVar("T")


class FramedStream(FramedBase):
    """Frames in, bytes and frames out, over a connected socket, which it closes in the end.

    One thread may receive while another sends; sends of several threads go out one by one.

    Args:
        transport: the socket. Its timeout is that of every call here.
        terminator: what ends a frame; see `framer.Terminator`.
        max_frame_size: the most bytes of payload in a frame; None for no limit.
    """

    transport: socket.socket

    def __init__(
        self,
        transport: socket.socket,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
    ) -> None:
        super().__init__(terminator, max_frame_size)
        self.transport = transport
        self.host: str | None = None  # whose certificate start_tls() accepts
        self._ended = False  # the peer has sent its last byte
        self._lost: OSError | None = None  # why nothing more can be received
        self._receiving = ReceiveLock()
        self._sending = SendLock()

    def receive_frame(self) -> bytes:
        """Return the next frame.

        Raises:
            EOFError: the peer has ended the stream, after a whole frame.
            framer.FramingError: see `framer.Framer.frames`.
            TimeoutError: nothing came in time. What came before is kept; call again.
            OSError: the connection is lost. All that had come in was delivered before.
            framer.UsageError: another thread is receiving.
        """
        frame = self._receive(self.framer.next_frame)
        if frame is None:
            raise EOFError("the peer has ended the stream")
        return frame

    def __iter__(self) -> Iterator[bytes]:
        """Give frames until the peer ends the stream; errors are those of `receive_frame`."""
        while (frame := self._receive(self.framer.next_frame)) is not None:
            yield frame

    def receive_event(self) -> Event:
        """Return the next event: payload as it arrives, the end of a frame, the end of the stream.

        Raises:
            Exception: as `receive_frame` does; EOFError after `framer.EndOfStream`.
        """
        event = self._receive(self.framer.next_event)
        if event is None:
            raise EOFError("the peer has ended the stream")
        return event

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes as they are, behind what is in `output`.

        Raises:
            TimeoutError: the peer takes nothing. The rest goes with the next send, or `close`.
            OSError: the connection is lost.
            framer.UsageError: the stream is closed.
        """
        with self._sending:
            self.output.push(data)
            send_all(self.transport, self.output)

    def send_frame(self, payload: bytes | bytearray | memoryview) -> None:
        """Send a frame, such as this terminator ends; errors are those of `send`."""
        self.send(encode_frame(payload, self.terminator))

    def send_producer(self, producer: Producer) -> None:
        """Send what a producer gives, to its end; a plain file by ``sendfile`` if there is no TLS.

        Raises:
            Exception: as `send` does, and what the producer raises. It is closed in any case.
        """
        with self._sending:
            self.output.push_producer(producer)
            send_to_the_end(self.transport, self.output)

    def start_tls(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool | None = None,
        server_hostname: str | None = None,
        leftover: Leftover = "refuse",
    ) -> None:
        """Shake hands; all that follows is encrypted. The arguments are `framer.TlsRequest`'s.

        Raises:
            framer.UsageError: plain text is left in the buffer. Nothing changed.
            OSError: the handshake failed (``ssl.SSLError``); close the stream.
        """
        request = partial(
            TlsRequest,
            self.framer,
            context,
            server_side=server_side,
            server_hostname=server_hostname,
            leftover=leftover,
        )
        with self._receiving, self._sending:
            request()
            send_to_the_end(self.transport, self.output)
            self.transport = wrap_socket(self.transport, request(), self.host)
            shake_hands(self.transport)

    def send_eof(self) -> None:
        """Tell the peer that no more comes; what it still has to say can be received.

        Raises:
            framer.UsageError: over TLS, which cannot end one direction alone.
        """
        if isinstance(self.transport, ssl.SSLSocket):
            raise UsageError("send_eof() over TLS: it cannot end one direction alone; close()")
        with self._sending:
            send_to_the_end(self.transport, self.output)
            self.output.close_when_done()
            self.transport.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Send what is left, if that takes no more than five seconds, and close the socket.

        Another thread that receives sees the end of the stream, or an OSError.
        """
        in_turn = self._sending.acquire(timeout=CLOSE_TIMEOUT)
        said = False
        try:
            if in_turn and self._sending.broken is None:
                with contextlib.suppress(BrokenError, OSError):
                    send_all(self.transport, self.output, time.monotonic() + CLOSE_TIMEOUT)
                    said = not self.output
        finally:
            try:
                self.output.close_when_done()
                self.output.discard()
            finally:
                if in_turn:
                    self._sending.release()
                self._close_transport(wake=not in_turn or self._receiving.locked(), said=said)

    def _close_transport(self, *, wake: bool, said: bool) -> None:
        if wake:  # to close it would not wake who waits in it
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.transport, socket.SHUT_RDWR)
            self.transport.close()
        elif said:
            close(self.transport, None if self._ended or self._lost else LINGER)
        else:  # and over TLS the peer sees that something was cut off
            self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, take: Callable[[], T]) -> T:
        """Take what is next, reading while that is nothing; None at the end of the stream."""
        with self._receiving:
            while (item := take()) is None and not self._ended:
                self._read()
            return item

    def _read(self) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            data = receive(self.transport)
        except TRY_AGAIN:
            raise
        except OSError as exc:
            self._lost = exc  # which a socket says only once
            raise
        if data:
            self.framer.receive_data(data)
        elif self._sending.broken is not None:  # so this is not the end that it looks like
            self._lost = self._sending.broken
            raise self._lost
        else:
            self.framer.receive_eof()
            self._ended = True


def connect(
    host: Host,
    port: int | None = None,
    terminator: Terminator = b"\n",
    *,
    max_frame_size: int | None = 65536,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    timeout: float | None = None,
) -> FramedStream:
    """Connect to a server.

    Args:
        host: a name or an address; or the path of a Unix socket, and no port.
        port: the port.
        terminator: as for `FramedStream`.
        max_frame_size: likewise.
        tls: None for plain text.
        server_hostname: whose certificate to accept; None for `host`.
        timeout: seconds for each step of connecting, and for each call later on.

    Raises:
        OSError: no connection; TimeoutError and ``ssl.SSLError`` are such.
    """
    path = unix_path(host, port)
    check_framing(terminator, max_frame_size)
    check_tls(tls)
    sock = dial(host, port, timeout)
    stream = FramedStream(sock, terminator, max_frame_size=max_frame_size)
    stream.host = cast("str", host) if path is None else None
    try:
        if tls is not None:
            stream.start_tls(tls, server_side=False, server_hostname=server_hostname)
    except BaseException:
        stream.transport.close()
        raise
    return stream


def serve(
    handler: Callable[[FramedStream], object],
    host: Host,
    port: int | None = None,
    terminator: Terminator = b"\n",
    *,
    max_frame_size: int | None = 65536,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = IDLE_TIMEOUT,
) -> Server:
    """Listen, and call ``handler(stream)`` for every connection, each in a thread of its own.

    When the handler returns the stream is closed. What it raises is logged.

    Args:
        handler: what to call.
        host: a name or an address, None for all of the machine;
            or the path of a Unix socket, and no port.
        port: the port; 0 has the system choose: see ``Server.port``.
        terminator: as for `FramedStream`.
        max_frame_size: likewise.
        tls: None for plain text.
        idle_timeout: the timeout of each call of a stream, in seconds.

    Returns:
        A `Server`, which accepts connections in its ``serve_forever()``.
    """
    check_framing(terminator, max_frame_size)

    def make(sock: socket.socket) -> Handling[FramedStream]:
        return Handling(handler, FramedStream(sock, terminator, max_frame_size=max_frame_size))

    return Server(host, port, make, tls, idle_timeout)


def serve_channel(
    factory: Callable[[], Channel],
    host: Host,
    port: int | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = IDLE_TIMEOUT,
) -> Server:
    """Listen, and run a channel for every connection; the arguments are those of `serve`."""

    def make(sock: socket.socket) -> BlockingConversation:
        return BlockingConversation(factory(), sock)

    return Server(host, port, make, tls, idle_timeout)


def run_channel(
    channel: Channel, transport: socket.socket, *, idle_timeout: float | None = None
) -> None:
    """Carry a whole conversation over a connected socket, and close it.

    It sends or receives, but not both at once; pushes have to come from this thread.
    What goes wrong is the channel's to hear of, in ``connection_lost(exc)``, and is logged.

    Args:
        channel: new, not yet connected.
        transport: the socket.
        idle_timeout: how many seconds to wait for the peer; None for the socket's own timeout.
    """
    if idle_timeout is not None:
        transport.settimeout(idle_timeout)
    BlockingConversation(channel, transport).run()
