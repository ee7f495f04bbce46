"""Streams and channels where tasks wait, which is trio and anyio: all but what those call it.

::

    FramedStream, a task waits          Conversation, two tasks wait
                 │                                   │
                 └────────────▶ TaskWorld ◀──────────┘       what a world says for itself:
                                                             how it receives, sends, and closes

Of the runtimes themselves only what both have under the same name is used here:
``Event``, ``CancelScope``, ``move_on_after``, ``current_time`` and their like.
"""

from __future__ import annotations

import abc
import contextlib
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, ClassVar, TypeAlias, TypeVar, cast

from framer import Channel, OutputQueue, Terminator, TlsRequest
from framer_adapters._common import (
    CLOSE_TIMEOUT,
    LINGER,
    RECEIVE_SIZE,
    certificate_name,
    end_channel,
)
from framer_adapters._conversation import Conversation, Step
from framer_adapters._stream import AsyncFramedBase, BusyGuard

__all__ = ["TaskConversation", "TaskFramedStream", "TaskWorld"]

T = TypeVar("T")

Transport: TypeAlias = Any
"""A ``trio.abc.Stream``, or a byte stream of anyio."""


class TaskWorld(abc.ABC):
    """What a world says for itself.

    Attributes:
        runtime: its module, ``trio`` or ``anyio``.
        lost: what it raises when the connection is lost.
        of_the_peer: what it raises besides because of the peer, or of the network.
        send_size: how many bytes to send at a time; each time the peer is seen to be alive.
    """

    runtime: ClassVar[Any]
    lost: ClassVar[tuple[type[Exception], ...]]
    of_the_peer: ClassVar[tuple[type[Exception], ...]]
    send_size: ClassVar[int] = RECEIVE_SIZE

    @abc.abstractmethod
    def open_tasks(self) -> AbstractAsyncContextManager[Any]:
        """Open a nursery, or a task group."""

    @abc.abstractmethod
    async def receive(self, transport: Transport) -> bytes:
        """Receive something; b"" is the end.

        Before it says so, a send that saw a reset has to have its say.
        """

    @abc.abstractmethod
    async def send(self, transport: Transport, data: bytes | memoryview) -> int:
        """Send some of it, and return how much that was."""

    async def send_file(self, _transport: Transport, _output: OutputQueue) -> bool:
        """Have the kernel send some of the file that is next; False if that cannot be."""
        return False

    def knows_what_went(self, _transport: Transport) -> bool:
        """Whether a send that is cancelled has sent nothing."""
        return False

    @abc.abstractmethod
    async def wrap(self, transport: Transport, request: TlsRequest, host: str | None) -> Transport:
        """Put TLS on it, and shake hands; `host` is what it is connected to."""

    async def shake_hands(self, _transport: Transport) -> None:  # noqa: B027 - most need not
        """Shake hands, if it was given TLS that has not done so."""

    @abc.abstractmethod
    def take_from_tls(self, transport: Transport) -> Transport | None:
        """Return what is below TLS, or None if there is no TLS.

        From now on TLS sends through it, but neither closes it nor receives from it:
        it is told ``WouldBlock``.
        """

    @abc.abstractmethod
    async def end(self, transport: Transport) -> None:
        """End our direction.

        Raises:
            NotImplementedError: it cannot be ended alone.
        """

    @abc.abstractmethod
    async def close(self, transport: Transport) -> None:
        """Close it at once."""

    def time_limit(self, seconds: float | None) -> AbstractContextManager[object]:
        """Raise the world's error when it takes longer."""
        limit = self.runtime.fail_after(math.inf if seconds is None else seconds)
        return cast("AbstractContextManager[object]", limit)

    async def sign_off(self, transport: Transport, *, lingers: bool) -> None:
        """Close, all having been sent, but leave the peer time to read it: see `LINGER`.

        Over TLS what has come in is read first, for there is no other way to say farewell.
        """
        runtime = self.runtime
        over = (
            *self.lost,
            OSError,
            NotImplementedError,
            runtime.ClosedResourceError,
            runtime.BusyResourceError,
        )
        try:
            with runtime.move_on_after(LINGER), contextlib.suppress(*over):
                while (below := self.take_from_tls(transport)) is not None:
                    with contextlib.suppress(*over, runtime.WouldBlock):
                        while lingers and await self.receive(transport):
                            pass
                    with contextlib.suppress(*over, runtime.WouldBlock):
                        await transport.aclose()
                    transport = below
                if lingers:
                    await self.end(transport)
                    while await self.receive(transport):
                        pass
        finally:
            await self.close(transport)


class TaskFramedStream(AsyncFramedBase):
    """A ``FramedStream`` in a world of tasks.

    What the world's ``FramedStream`` says of errors is true because of this:
    a connection that is lost stays lost, in the one direction and in the other.
    """

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
                contextlib.suppress(*world.of_the_peer, world.runtime.ClosedResourceError),
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
        await self._world.runtime.lowlevel.checkpoint()  # also when a frame is ready
        if self._closed:
            raise self._world.runtime.ClosedResourceError("the stream is closed")
        return await super()._receive(take)

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
        async with self._sending:
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


class TaskConversation:
    """A channel and its transport: one task receives, the other sends, and sees when it is over."""

    def __init__(
        self,
        world: TaskWorld,
        channel: Channel,
        transport: Transport,
        idle_timeout: float | None,
    ) -> None:
        runtime = world.runtime
        self._world = world
        self._talk = Conversation(channel)
        self._transport = transport
        self._idle_timeout = math.inf if idle_timeout is None else idle_timeout
        self._idle = runtime.move_on_after(self._idle_timeout)
        self._phase = runtime.CancelScope()  # in plain text, or encrypted
        self._reading = runtime.CancelScope()  # likewise, but only until TLS is asked for
        self._news = runtime.Event()  # for who has nothing to do for now

    async def run(self) -> None:
        """Converse, and close."""
        world, talk = self._world, self._talk
        error: Exception | None = None
        said = False
        try:
            with self._idle:
                await self._converse()
            if self._idle.cancelled_caught:
                error = TimeoutError(f"the peer was idle for {self._idle_timeout} seconds")
            else:
                said = talk.channel.hook_error is None
        except* Exception as group:  # noqa: BLE001 - given to the channel, and logged
            error = group.exceptions[0]
        finally:
            talk.output.on_ready = None
            try:
                if said:
                    await world.sign_off(self._transport, lingers=talk.lingers)
                else:
                    await world.close(self._transport)
            finally:
                end_channel(talk.channel, error, world.of_the_peer)

    async def _converse(self) -> None:
        world, talk = self._world, self._talk
        talk.output.on_ready = self._on_ready
        while not talk.output.done:
            async with world.open_tasks() as tasks:
                self._phase, self._reading = tasks.cancel_scope, world.runtime.CancelScope()
                if (request := talk.channel.tls_request) is not None:
                    self._transport = await world.wrap(self._transport, request, None)
                await world.shake_hands(self._transport)
                self._touch()
                talk.begin()
                tasks.start_soon(self._receive)
                await self._send()
                tasks.cancel_scope.cancel()
            if talk.unsent is not None:
                raise talk.unsent

    async def _receive(self) -> None:
        """Hand over what comes in, to the end or until TLS is to start."""
        talk = self._talk
        with self._reading:
            while not talk.ended:
                if talk.unsent is not None:
                    talk.output.discard()  # nobody will get it
                if talk.reads:
                    data = await self._world.receive(self._transport)
                    self._touch()
                    talk.receive(data)
                else:
                    await self._rest()

    async def _send(self) -> None:
        """Send until all has been said, or TLS is to start."""
        talk = self._talk
        while talk.unsent is None:
            if talk.channel.tls_request is not None:
                self._reading.cancel()  # the answer to what is sent now is the handshake's
            if await self._send_some():
                self._touch()
                self._news.set()  # there may be room for more
            elif talk.next() in {Step.CLOSE, Step.TLS}:
                return
            else:
                await self._rest()
        self._news.set()
        await self._world.runtime.sleep(LINGER)  # while the receiver takes what came in before

    async def _send_some(self) -> bool:
        """Send some of what is next; False if there is nothing now."""
        output, world = self._talk.output, self._world
        if await world.send_file(self._transport, output):
            return True
        if not (data := output.next_buffer(world.send_size)):
            return False
        try:
            sent = await world.send(self._transport, data)
        except world.lost as exc:
            self._talk.unsent = exc
            return True
        with contextlib.suppress(ValueError):  # it was discarded meanwhile
            output.advance(sent)
        return True

    async def _rest(self) -> None:
        if self._news.is_set():
            self._news = self._world.runtime.Event()
        await self._news.wait()

    def _on_ready(self) -> None:
        self._news.set()
        if self._talk.output.done:  # a send may be stuck with what has been discarded
            self._phase.cancel()

    def _touch(self) -> None:
        """The peer is alive: move the deadline, but not for next to nothing, for that costs."""
        deadline = self._world.runtime.current_time() + self._idle_timeout
        if deadline > self._idle.deadline + self._idle_timeout / 100:
            self._idle.deadline = deadline
