"""The anyio world of `framer.testing.Script`: a stream that plays a script."""

from __future__ import annotations

from typing import Any, ClassVar

try:
    import anyio
    import anyio.abc
    import anyio.lowlevel  # pyright: ignore[reportUnusedImport] - for `runtime.lowlevel`
except ModuleNotFoundError as _exc:
    raise ModuleNotFoundError(
        'Script.anyio() needs anyio: pip install "sansio-framer[anyio]"', name=_exc.name
    ) from _exc

from framer.testing._script import Play
from framer_adapters._script_tasks import ScriptedTaskStream

__all__ = ["ScriptedStream", "connect"]


class ScriptedStream(ScriptedTaskStream, anyio.abc.ByteStream):
    """The program's side of a connection to a peer with a script."""

    runtime: ClassVar[Any] = anyio

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """What the script has.

        Raises:
            anyio.EndOfStream: at its end.
            anyio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it will never have anything.
        """
        data = await self._receive(max_bytes)
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        """Hold it to the script.

        Raises:
            anyio.BrokenResourceError: the script says that the connection is lost.
            CheckFailed: it is not what the script says.
        """
        await self._send(bytes(item))

    def _busy_error(self, what: str) -> Exception:
        doing = {"receive": "receiving from", "send": "sending to"}[what]
        return anyio.BusyResourceError(doing)


def connect(play: Play) -> ScriptedStream:
    """Make the program's side of a connection."""
    return ScriptedStream(play)
