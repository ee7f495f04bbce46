"""The trio world of `framer.testing.Script`: a stream that plays a script."""

from __future__ import annotations

from typing import Any, ClassVar

try:
    import trio
except ModuleNotFoundError as _exc:
    raise ModuleNotFoundError(
        'Script.trio() needs trio: pip install "sansio-framer[trio]"', name=_exc.name
    ) from _exc

from framer.testing._script import Play
from framer_adapters._script_tasks import ScriptedTaskStream

__all__ = ["ScriptedStream", "connect"]


class ScriptedStream(ScriptedTaskStream, trio.abc.HalfCloseableStream):
    """The program's side of a connection to a peer with a script."""

    runtime: ClassVar[Any] = trio

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What the script has; b"" at its end.

        Raises:
            trio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it will never have anything.
        """
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be >= 1")
        return await self._receive(65536 if max_bytes is None else max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it to the script.

        Raises:
            trio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it is not what the script says.
        """
        await self._send(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """It might not."""
        await self._send(b"")

    def _busy_error(self, what: str) -> Exception:
        return trio.BusyResourceError(f"another task is in a {what} of this stream")


def connect(play: Play) -> ScriptedStream:
    """Make the program's side of a connection."""
    return ScriptedStream(play)
