"""The trio world of `framer.testing.Script`: a stream that plays a script."""

from __future__ import annotations

from typing import Final

try:
    import trio
except ImportError as exc:
    raise ImportError('Script.trio() needs trio: pip install "sansio-framer[trio]"') from exc

from framer.testing._script import Play
from framer.testing._sockets import Sign

__all__ = ["ScriptedStream", "connect"]

PATIENCE: Final = 5.0
"""Seconds after which what waits for a peer that waits for the program is told so."""

TURNS: Final = 10
"""Checkpoints that pass in a moment of waiting."""


class ScriptedStream(trio.abc.HalfCloseableStream):
    """The program's side of a connection to a peer with a script."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self._closed = False
        self._sent = trio.Event()
        self._busy: set[str] = set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What the script has; b"" at its end.

        Raises:
            trio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it will never have anything.
        """
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be >= 1")
        await self._enter("receive")
        try:
            while True:
                data = self._next(65536 if max_bytes is None else max_bytes)
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
            raise trio.BrokenResourceError(str(exc)) from exc

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it to the script.

        Raises:
            trio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it is not what the script says.
        """
        rest = bytes(data)
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
            raise trio.BrokenResourceError(str(exc)) from exc

    async def wait_send_all_might_not_block(self) -> None:
        """It might not."""
        await self._enter("send")
        self._busy.discard("send")

    async def send_eof(self) -> None:
        """The peer takes no notice."""
        await self._enter("send")
        self._busy.discard("send")

    async def aclose(self) -> None:
        """Nothing works any more."""
        self._closed = True
        self._tell()
        await trio.lowlevel.checkpoint()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
        if exc_info[0] is None:
            self.play.check()

    # What the methods have in common

    async def _enter(self, what: str) -> None:
        if what in self._busy:
            raise trio.BusyResourceError(f"another task is in a {what} of this stream")
        self._check_open()
        self._busy.add(what)
        try:
            await trio.lowlevel.checkpoint()
        except BaseException:
            self._busy.discard(what)
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")

    def _tell(self) -> None:
        """Wake who waits for a step that follows a write."""
        self._sent.set()
        self._sent = trio.Event()

    async def _until_sent(self) -> None:
        with trio.move_on_after(PATIENCE):
            await self._sent.wait()
            return
        raise self.play.stuck("receiving")

    async def _moment(self) -> None:
        for _ in range(TURNS):
            await trio.lowlevel.checkpoint()


def connect(play: Play) -> ScriptedStream:
    """Make the program's side of a connection."""
    return ScriptedStream(play)
