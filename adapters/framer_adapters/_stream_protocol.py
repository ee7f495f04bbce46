"""What a `FramedStream` of asyncio waits on: what came in, and that what was sent has gone.

::

    FramedStream ── more() ───▶ waits for data_received()
    FramedStream ── drain() ──▶ pushes a mark behind what it sends, and waits till that is next

Whoever drains waits for what he has pushed, and not for what others push meanwhile.
So a mark goes into the queue, a producer of nothing: the queue comes to it when all before it
has gone out, and closes it, which wakes who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from framer import OutputQueue
from framer_adapters._common import log_error
from framer_adapters._protocol import ConnectionProtocol

__all__ = ["StreamProtocol"]


class StreamProtocol(ConnectionProtocol):
    """What a `FramedStream` waits on. It reads one chunk more than somebody waits for."""

    def __init__(self) -> None:
        super().__init__()
        self._gone: Exception | None = None
        self._receiver: asyncio.Future[None] | None = None
        self._marks: list[asyncio.Future[None]] = []  # those of `drain`, as they are in the queue

    def attach(self, take: Callable[[bytes], None], output: OutputQueue) -> None:
        """Hand over to `take` what comes in, and send what is in `output`."""
        self._take = take
        self.output: OutputQueue = output
        output.on_ready = self._on_ready = self.flush_soon

    def data_received(self, data: bytes) -> None:
        self._alive = True
        if not self._finishing:
            self._take(data)
            if not _wake(self._receiver):
                self.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._take(b"")
        _wake(self._receiver)
        return not (self.tls or self._finishing)  # whether the transport stays open

    async def more(self, idle_timeout: float | None) -> None:
        """Wait until something came in, or the end."""
        if self._gone is not None:
            raise self._gone
        self.resume_reading()
        self._receiver = self.loop.create_future()
        self.watch(idle_timeout)
        try:
            await self._receiver
        finally:
            self._receiver = None

    async def drain(self, idle_timeout: float | None, *, to_the_end: bool) -> None:
        """Wait until all that was pushed so far has gone out, if it has to be waited for.

        If nobody receives, nothing is read meanwhile: it may be that TLS is to start.
        """
        if to_the_end or self.full or self.output.congested:
            if to_the_end and self._receiver is None:
                self.pause_reading()
            passed = self.loop.create_future()
            self._marks.append(passed)
            self.output.push_producer(_Mark(passed))
            self.watch(idle_timeout)
            try:
                await passed
            finally:
                self._marks.remove(passed)
            self.check()

    def finish(self) -> None:
        super().finish()
        _wake(self._receiver, ConnectionAbortedError("the connection is closed"))

    def check(self) -> None:
        """Raise what forbids to send."""
        if self._gone is not None:
            raise self._gone

    def lost(self, exc: Exception | None) -> None:
        self._gone = exc or ConnectionAbortedError("the connection is closed")
        self.output.close_when_done()
        try:
            self.output.discard()  # the marks, too
        except Exception as error:  # noqa: BLE001 - logged
            log_error(error)
        _wake(self._receiver, self._gone)

    def fail(self, exc: Exception) -> None:
        mark = self.output.producer  # who waits right behind the producer has pushed it
        if not (isinstance(mark, _Mark) and _wake(mark.passed, exc)):
            log_error(exc)

    def idle(self, exc: TimeoutError) -> None:
        for waiter in (self._receiver, *self._marks):
            _wake(waiter, exc)


class _Mark:
    """A producer of nothing: when the queue has come to it, all before it has gone out."""

    def __init__(self, passed: asyncio.Future[None]) -> None:
        self.passed = passed

    def more(self) -> bytes:
        return b""

    def close(self) -> None:
        _wake(self.passed)


def _wake(waiter: asyncio.Future[None] | None, exc: Exception | None = None) -> bool:
    """Have somebody go on, or raise there; false if nobody waits."""
    if waiter is None or waiter.done():
        return False
    if exc is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(exc)
    return True
