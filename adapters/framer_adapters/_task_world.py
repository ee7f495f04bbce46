"""What a world of tasks, which is trio's or anyio's, says for itself.

::

    FramedStream, a task waits          TaskConversation, two tasks wait
    (_task_stream)                      (_task_conversation)
                 │                                   │
                 └────────────▶ TaskWorld ◀──────────┘       how to receive, send, and close
                                 ▲       ▲
                         TrioWorld       AnyioWorld
                     (_trio_world)       (_anyio_world)

Of the runtimes themselves only what both have under the same name is used in the three modules of
tasks: ``Event``, ``CancelScope``, ``move_on_after``, ``current_time`` and their like.
"""

from __future__ import annotations

import abc
import contextlib
import math
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, ClassVar, TypeAlias, cast

from framer import OutputQueue, TlsRequest
from framer_adapters._common import LINGER, RECEIVE_SIZE

__all__ = ["TaskWorld", "Transport"]

Transport: TypeAlias = Any
"""A ``trio.abc.Stream``, or a byte stream of anyio."""


class TaskWorld(abc.ABC):
    """What a world says for itself.

    Attributes:
        runtime: its module, ``trio`` or ``anyio``.
        lost: what it raises when the connection is lost.
        peer_errors: what it raises besides because of the peer, or of the network.
        send_size: how many bytes to send at a time; each time the peer is seen to be alive.
    """

    runtime: ClassVar[Any]
    lost: ClassVar[tuple[type[Exception], ...]]
    peer_errors: ClassVar[tuple[type[Exception], ...]]
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
