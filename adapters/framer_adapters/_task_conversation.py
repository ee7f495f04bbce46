"""A channel where tasks wait, as in trio and anyio: one of them receives, and one sends.

::

    _receive()  while the channel reads:  receive, hand over ──┐
                                                               │ _news: there is something to send,
    _send()     while there is anything:  send ◀───────────────┘        or room, or an end
                else what `Conversation.next` says: close, shake hands, or rest

TLS takes the place of both tasks: when it is to start, and all has gone that was pushed before,
the sender ends, the receiver is cancelled, and both begin anew over the new transport.
"""

from __future__ import annotations

import contextlib
import math

from framer import Channel
from framer_adapters._common import LINGER, end_channel
from framer_adapters._conversation import Conversation, Step
from framer_adapters._task_world import TaskWorld, Transport

__all__ = ["TaskConversation"]


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
                end_channel(talk.channel, error, world.peer_errors)

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
