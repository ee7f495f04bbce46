"""What a stream that plays a script is where tasks wait, in trio and in anyio alike.

Each of the two adds the names under which its world calls this, and its own errors.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

from framer.testing._script import Play
from framer.testing._sockets import Sign

__all__ = ["ScriptedTaskStream"]

PATIENCE: Final = 5.0
"""Seconds after which what waits for a peer that waits for the program is told so."""

TURNS: Final = 10
"""Checkpoints that pass in a moment of waiting."""


class ScriptedTaskStream(abc.ABC):
    """The program's side of a connection to a peer with a script.

    Attributes:
        runtime: the module of the world, ``trio`` or ``anyio``.
        play: the script, as far as it has been played.
    """

    runtime: ClassVar[Any]

    def __init__(self, play: Play) -> None:
        self.play = play
        self._closed = False
        self._sent: Any = self.runtime.Event()
        self._busy: set[str] = set()

    @abc.abstractmethod
    def _busy_error(self, what: str) -> Exception:
        """Say that another task is in a "receive" or in a "send"."""

    async def _receive(self, max_bytes: int) -> bytes:
        """Take what the script has; b"" at its end."""
        async with self._alone("receive"):
            while True:
                data = self._next(max_bytes)
                if not isinstance(data, Sign):
                    return data
                if data is Sign.WAIT:
                    await self._moment()
                else:
                    await self._until_sent()

    def _next(self, max_bytes: int) -> bytes | Sign:
        self._check_open()
        try:
            return self.play.receive(max_bytes)
        except (BlockingIOError, InterruptedError):
            return Sign.WAIT
        except OSError as exc:
            raise self.runtime.BrokenResourceError(str(exc)) from exc

    async def _send(self, data: bytes) -> None:
        """Hold it to the script."""
        async with self._alone("send"):
            while data:
                count = self._accept(data)
                if isinstance(count, Sign):
                    await self._moment()
                    continue
                data = data[count:]
                self._tell()

    def _accept(self, data: bytes) -> int | Sign:
        self._check_open()
        try:
            return self.play.accept(data)
        except (BlockingIOError, InterruptedError):
            return Sign.WAIT
        except OSError as exc:
            raise self.runtime.BrokenResourceError(str(exc)) from exc

    async def send_eof(self) -> None:
        """The peer takes no notice."""
        await self._send(b"")

    async def aclose(self) -> None:
        """Nothing works any more."""
        self._closed = True
        self._tell()
        await self.runtime.lowlevel.checkpoint()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
        if exc_info[0] is None:
            self.play.check()

    # What the methods have in common

    @asynccontextmanager
    async def _alone(self, what: str) -> AsyncGenerator[None]:
        """Let one task in at a time, at a checkpoint, as the world's own streams do."""
        if what in self._busy:
            raise self._busy_error(what)
        self._check_open()
        self._busy.add(what)
        try:
            await self.runtime.lowlevel.checkpoint()
            yield
        finally:
            self._busy.discard(what)

    def _check_open(self) -> None:
        if self._closed:
            raise self.runtime.ClosedResourceError("this stream was closed")

    def _tell(self) -> None:
        """Wake who waits for a step that follows a write."""
        self._sent.set()
        self._sent = self.runtime.Event()

    async def _until_sent(self) -> None:
        with self.runtime.move_on_after(PATIENCE):
            await self._sent.wait()
            return
        raise self.play.stuck("receiving")

    async def _moment(self) -> None:
        for _ in range(TURNS):
            await self.runtime.lowlevel.checkpoint()
