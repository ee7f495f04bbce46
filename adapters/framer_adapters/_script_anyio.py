"""The anyio world of `framer.testing.Script`: a stream that plays a script."""

from __future__ import annotations

from typing import Final

try:
    import anyio
    import anyio.abc
    import anyio.lowlevel
except ImportError as exc:
    raise ImportError('Script.anyio() needs anyio: pip install "sansio-framer[anyio]"') from exc

from framer.testing._script import Play
from framer.testing._sockets import Sign

__all__ = ["ScriptedStream", "connect"]

PATIENCE: Final = 5.0
"""Seconds after which what waits for a peer that waits for the program is told so."""

TURNS: Final = 10
"""Checkpoints that pass in a moment of waiting."""


class ScriptedStream(anyio.abc.ByteStream):
    """The program's side of a connection to a peer with a script."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self._closed = False
        self._sent = anyio.Event()
        self._busy: set[str] = set()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """What the script has.

        Raises:
            anyio.EndOfStream: at its end.
            anyio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it will never have anything.
        """
        await self._enter("receive")
        try:
            while True:
                data = self._next(max_bytes)
                if not data:
                    raise anyio.EndOfStream
                if not isinstance(data, Sign):
                    return data
                if data is Sign.WAIT:
                    await self._moment()
                else:
                    await self._until_sent()
        finally:
            self._busy.discard("receive")

    def _next(self, max_bytes: int) -> bytes | Sign:
        self._check_open()
        try:
            return self.play.receive(max_bytes)
        except (BlockingIOError, InterruptedError):
            return Sign.WAIT
        except OSError as exc:
            raise anyio.BrokenResourceError from exc

    async def send(self, item: bytes) -> None:
        """Hold it to the script.

        Raises:
            anyio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it is not what the script says.
        """
        rest = bytes(item)
        await self._enter("send")
        try:
            while rest:
                count = self._accept(rest)
                if isinstance(count, Sign):
                    await self._moment()
                    continue
                rest = rest[count:]
                self._tell()
        finally:
            self._busy.discard("send")

    def _accept(self, data: bytes) -> int | Sign:
        self._check_open()
        try:
            return self.play.accept(data)
        except (BlockingIOError, InterruptedError):
            return Sign.WAIT
        except OSError as exc:
            raise anyio.BrokenResourceError from exc

    async def send_eof(self) -> None:
        """The peer takes no notice."""
        await self._enter("send")
        self._busy.discard("send")

    async def aclose(self) -> None:
        """Nothing works any more."""
        self._closed = True
        self._tell()
        await anyio.lowlevel.checkpoint()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
        if exc_info[0] is None:
            self.play.check()

    # What the methods have in common

    async def _enter(self, what: str) -> None:
        if what in self._busy:
            raise anyio.BusyResourceError(f"using this stream, to {what}")
        self._check_open()
        self._busy.add(what)
        try:
            await anyio.lowlevel.checkpoint()
        except BaseException:
            self._busy.discard(what)
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError

    def _tell(self) -> None:
        """Wake who waits for a step that follows a write."""
        self._sent.set()
        self._sent = anyio.Event()

    async def _until_sent(self) -> None:
        with anyio.move_on_after(PATIENCE):
            await self._sent.wait()
            return
        raise self.play.stuck("receiving")

    async def _moment(self) -> None:
        for _ in range(TURNS):
            await anyio.lowlevel.checkpoint()


def connect(play: Play) -> ScriptedStream:
    """Make the program's side of a connection."""
    return ScriptedStream(play)
