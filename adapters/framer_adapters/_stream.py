"""What a `FramedStream` is in every asynchronous world, but for how that reads, sends and closes.

::

    _fill() ──▶ framer ──▶ receive_frame()        send() ──▶ output ──▶ _flush()

A world says how to wait, and what its errors are called; the order of things is here, once:
what was received is delivered before anything is read, an error of the connection comes after
all that came in before it, and only one task at a time receives.
"""

from __future__ import annotations

import abc
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar, Self, TypeVar

from framer import Event, Leftover, Producer, Terminator, TlsRequest, UsageError, encode_frame
from framer_adapters._common import FramedBase, log_error

__all__ = ["AsyncFramedBase", "BusyGuard", "run_handler"]

S = TypeVar("S", bound="AsyncFramedBase")
T = TypeVar("T")


class BusyGuard:
    """Lets one task in at a time; the next gets an error, for its frames would be anybody's."""

    __slots__ = ("_busy", "_error", "_message")

    def __init__(self, error: type[Exception], message: str) -> None:
        self._busy = False
        self._error = error
        self._message = message

    def __enter__(self) -> None:
        if self._busy:
            raise self._error(self._message)
        self._busy = True

    def __exit__(self, *_: object) -> None:
        self._busy = False


class AsyncFramedBase(FramedBase, abc.ABC):
    """Frames in, bytes and frames out, over a connection.

    One task may receive while others send; what several tasks send goes out in order.
    Errors that are said to be the world's are listed where it defines its ``FramedStream``.

    Attributes:
        host: whose certificate `start_tls` accepts by default, or None.
        idle_timeout: for how many seconds a receive or a send waits for the peer; None: for ever.
    """

    _end_of_stream: ClassVar[type[Exception]]
    _receiving: BusyGuard

    def __init__(self, terminator: Terminator, max_frame_size: int | None) -> None:
        super().__init__(terminator, max_frame_size)
        self.host: str | None = None
        self.idle_timeout: float | None = None
        self._ended = False  # the peer has sent its last byte
        self._starting_tls = False

    async def receive_frame(self) -> bytes:
        """Return the next frame. When this is cancelled or times out, nothing is lost: call again.

        Raises:
            framer.FramingError: see `framer.Framer.frames`.
            Exception: the world's: the peer has ended the stream after a whole frame;
                the connection is lost, all that had come in having been delivered before;
                nothing came within `idle_timeout`; another task is receiving;
                the stream is closed.
        """
        frame = await self._receive(self.framer.next_frame)
        if frame is None:
            raise self._end_of_stream("the peer has ended the stream")
        return frame

    def __aiter__(self) -> Self:
        """Give frames until the peer ends the stream; errors are those of `receive_frame`."""
        return self

    async def __anext__(self) -> bytes:
        frame = await self._receive(self.framer.next_frame)
        if frame is None:
            raise StopAsyncIteration
        return frame

    async def receive_event(self) -> Event:
        """Return the next event: payload as it arrives, the end of a frame, the end of the stream.

        Raises:
            Exception: as `receive_frame` does; after `framer.EndOfStream` that of the end.
        """
        event = await self._receive(self.framer.next_event)
        if event is None:
            raise self._end_of_stream("the peer has ended the stream")
        return event

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes as they are, behind what is in `output`.

        Raises:
            TypeError: they are no bytes.
            framer.UsageError: another task is in `start_tls`.
            Exception: the world's: the connection is lost; the peer took nothing within
                `idle_timeout`; the stream is closed, or `send_eof` was called.
        """
        self._check_sending()
        self.output.push(data)
        await self._flush()

    async def send_frame(self, payload: bytes | bytearray | memoryview) -> None:
        """Send a frame, such as this terminator ends.

        Raises:
            TypeError, ValueError: see `framer.encode_frame`.
            Exception: as `send` does.
        """
        await self.send(encode_frame(payload, self.terminator))

    async def send_producer(self, producer: Producer) -> None:
        """Send what a producer gives, to its end; while it is PENDING wait for ``output.wake()``.

        Raises:
            Exception: as `send` does, and what the producer raises. It is closed in any case.
        """
        self._check_sending()
        self.output.push_producer(producer)
        await self._flush(to_the_end=True)

    async def start_tls(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool | None = None,
        server_hostname: str | None = None,
        leftover: Leftover = "refuse",
    ) -> None:
        """Shake hands; all that follows is encrypted. The arguments are `framer.TlsRequest`'s.

        Until it returns nothing else can be sent.

        Raises:
            framer.UsageError: plain text is left in the buffer. Nothing changed.
            Exception: the world's: another task is receiving, and nothing changed;
                or the handshake failed: close the stream.
        """
        request = partial(
            TlsRequest,
            self.framer,
            context,
            server_side=server_side,
            server_hostname=server_hostname,
            leftover=leftover,
        )
        self._check_sending()
        with self._receiving:
            request()
            self._starting_tls = True
            try:
                await self._flush(to_the_end=True)
                await self._shake_hands(request())  # for something may have come in meanwhile
            finally:
                self._starting_tls = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _check_sending(self) -> None:
        self._check_open()
        if self._starting_tls:
            raise UsageError("TLS is being started, so wait: this would go out in plain text")

    async def _receive(self, take: Callable[[], T]) -> T:
        """Take what is next, reading while that is nothing; None at the end of the stream."""
        with self._receiving:
            while (item := take()) is None and not self._ended:
                await self._fill()
            return item

    def _take(self, data: bytes) -> None:
        """Hand over to the framer what came in; b"" is the end."""
        if data:
            self.framer.receive_data(data)
        else:
            self._ended = True
            self.framer.receive_eof()

    @abc.abstractmethod
    async def send_eof(self) -> None:
        """Tell the peer that no more comes; what it still has to say can be received.

        Raises:
            framer.UsageError: over TLS, which cannot end one direction alone.
            Exception: as `send` does.
        """

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Send what is left, if that takes no more than five seconds, and close the connection.

        When it is cancelled it closes at once. To call it again is harmless.
        """

    @abc.abstractmethod
    def _check_open(self) -> None:
        """Raise the world's error if nothing can be sent any more."""

    @abc.abstractmethod
    async def _fill(self) -> None:
        """Wait until something came in, and `_take` it; raise again what was raised before."""

    @abc.abstractmethod
    async def _flush(self, *, to_the_end: bool = False) -> None:
        """Send what the queue gives now; or all, waiting for producers that have nothing yet."""

    @abc.abstractmethod
    async def _shake_hands(self, request: TlsRequest) -> None:
        """Put TLS between this and the connection."""


async def run_handler(
    handler: Callable[[S], Awaitable[object]],
    stream: S,
    tls: ssl.SSLContext | None = None,
    peer_errors: tuple[type[Exception], ...] = (),
) -> None:
    """Run the handler of a server, after a handshake if there is a context, and close its stream.

    What goes wrong is logged, for it is of one connection, and others live.

    Args:
        handler: what to run.
        stream: what it is given.
        tls: None for plain text, or where TLS has begun already.
        peer_errors: what the world raises because of the peer: see `log_error`.
    """
    try:
        async with stream:
            try:
                if tls is not None:
                    await stream.start_tls(tls, server_side=True)
                await handler(stream)
            except Exception as exc:  # noqa: BLE001 - logged before closing, which may take a while
                log_error(exc, peer_errors)
    except Exception as exc:  # noqa: BLE001 - of a producer, which closing asks for the rest
        log_error(exc, peer_errors)
