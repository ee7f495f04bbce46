"""A ``FramedStream`` where tasks wait, as in trio and anyio: how it fills, flushes and closes.

What the world's ``FramedStream`` says of errors is true because of three notes that are kept here:

- `_lost` is why nothing more can be received: a connection that is lost stays lost,
  though its transport says so once, and looks properly ended afterwards;
- `_broken` is why nothing more can be sent: a send was cut off, and nobody knows how much has gone;
- `_reset` is what a send saw of a reset: what had come in before can still be received,
  but the end behind it is none.
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable
from typing import ClassVar, TypeVar

from framer import Terminator, TlsRequest
from framer_adapters._common import CLOSE_TIMEOUT, certificate_name
from framer_adapters._stream import AsyncFramedBase, BusyGuard
from framer_adapters._task_world import TaskWorld, Transport

__all__ = ["TaskFramedStream"]

T = TypeVar("T")


class TaskFramedStream(AsyncFramedBase):
    """What trio's and anyio's ``FramedStream`` is, but for its `TaskWorld`."""

    _world: ClassVar[TaskWorld]

    def __init__(
        self, transport: Transport, terminator: Terminator, max_frame_size: int | None
    ) -> None:
        super().__init__(terminator, max_frame_size)
        runtime = self._world.runtime
        self.transport: Transport = transport
        self._lost: Exception | None = None  # why nothing more can be received
        self._broken: Exception | None = None  # why nothing more can be sent
        self._reset: Exception | None = None  # what a send said, so that the end is none
        self._closed = False
        self._receiving = BusyGuard(runtime.BusyResourceError, "another task is receiving")
        self._sending = runtime.Lock()

    async def send_eof(self) -> None:
        if self._closed:
            raise self._world.runtime.ClosedResourceError("the stream is closed")
        self._check_half_close()
        await self._flush(to_the_end=True)
        await self._world.end(self.transport)
        self.output.close_when_done()

    async def aclose(self) -> None:
        world, first = self._world, not self._closed
        self._closed = True
        self.output.close_when_done()
        said = False
        try:
            with (
                world.runtime.move_on_after(CLOSE_TIMEOUT),
                contextlib.suppress(*world.peer_errors, world.runtime.ClosedResourceError),
            ):
                await self._flush()
                said = True
        finally:
            closed = world.runtime.ClosedResourceError("the stream is closed")
            self._lost = closed
            if self.output:  # who waits for it to go out has to hear that it did not
                self._broken = closed
            try:
                self.output.discard()
            finally:
                if first and said:
                    await world.sign_off(self.transport, lingers=not self._ended)
                else:
                    await world.close(self.transport)

    @abc.abstractmethod
    def _check_half_close(self) -> None:
        """Raise UsageError if one direction cannot be ended alone."""

    def _check_open(self) -> None:
        if self.output.closing:
            closed = self._world.runtime.ClosedResourceError
            raise closed("the stream is closed, or send_eof() was called")
        if self._broken is not None:
            raise self._broken

    async def _receive(self, take: Callable[[], T]) -> T:
        """Take what is next, as it is done everywhere; and be a checkpoint, as trio has it.

        To wait for the transport is one. A frame that is there already is taken between
        the two halves of one, so that it cannot be lost to a cancellation.
        """
        lowlevel = self._world.runtime.lowlevel
        await lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise self._world.runtime.ClosedResourceError("the stream is closed")
        waited = False
        with self._receiving:
            while (item := take()) is None and not self._ended:
                waited = True
                await self._fill()
            if not waited:
                await lowlevel.cancel_shielded_checkpoint()
            return item

    async def _fill(self) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            with self._world.time_limit(self.idle_timeout):
                data = await self._world.receive(self.transport)
        except self._world.lost as exc:
            self._lost = exc  # which a transport says once, and then looks ended
            raise
        if not data and self._reset is not None:
            self._lost = self._reset
            raise self._lost
        self._take(data)

    async def _flush(self, *, to_the_end: bool = False) -> None:
        await self._wait_for_turn()
        try:
            while True:
                ready = self._world.runtime.Event()
                self.output.on_ready = ready.set
                await self._send_now()
                if self._broken is not None:
                    raise self._broken
                if self._closed and self.output:
                    raise self._world.runtime.ClosedResourceError("closed before all was sent")
                if not (len(self.output) or (to_the_end and self.output)):
                    return
                await ready.wait()  # also if it is bytes that stand behind a producer
        finally:
            self._sending.release()

    async def _wait_for_turn(self) -> None:
        """Acquire the lock; but where there are bytes to send it is that which is a checkpoint.

        A second one takes as long as the send ("trio FramedStream" in ``tests/bench/echo.py``).
        """
        if len(self.output) and not self._sending.locked():
            self._sending.acquire_nowait()
        else:
            await self._sending.acquire()

    async def _send_now(self) -> None:
        """Send what the queue has now."""
        output, world = self.output, self._world
        while output and self._broken is None:
            await world.runtime.lowlevel.checkpoint_if_cancelled()
            if await world.send_file(self.transport, output):
                continue
            if not (data := output.next_buffer(world.send_size)):
                return
            sent = await self._send_some(data)
            with contextlib.suppress(ValueError):  # it was discarded meanwhile
                output.advance(sent)

    async def _send_some(self, data: bytes | memoryview) -> int:
        world = self._world
        try:
            with world.time_limit(self.idle_timeout):
                return await world.send(self.transport, data)
        except BaseException as exc:
            if isinstance(exc, world.lost):
                self._reset = exc
            if self._reset is not None or not world.knows_what_went(self.transport):
                self._broken = world.runtime.BrokenResourceError(
                    "an earlier send broke off; close the stream"
                )
            raise

    async def _shake_hands(self, request: TlsRequest) -> None:
        world = self._world
        certificate_name(request, self.host)  # raises now what is wrong, when nothing has changed
        async with self._sending:
            self._lost = self._broken = world.runtime.BrokenResourceError(
                "the TLS handshake failed; close the stream"
            )
            with world.time_limit(self.idle_timeout):
                self.transport = await world.wrap(self.transport, request, self.host)
            self._lost = self._broken = None
