"""The asyncio world of `framer.testing.Script`: a transport that plays a script.

What the program gets are asyncio's own StreamReader and StreamWriter over that transport,
so buffering, flow control and the end of a connection are as they are in earnest.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple, Self, cast

from framer.testing._script import Play
from framer.testing._sockets import Sign

__all__ = ["Connection", "connect"]

PATIENCE: Final = 5.0
"""Seconds after which what waits for a peer that waits for the program is told so."""

TURNS: Final = 10
"""Turns of the loop that pass in a moment of waiting."""

HIGH_WATER: Final = 65536


class Connection(NamedTuple):
    """A reader and a writer; as a context manager it closes them and checks the script."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: object, *_: object) -> None:
        transport = cast("ScriptedTransport", self.writer.transport)
        transport.abort()
        await asyncio.sleep(0)
        if exc_type is None:
            transport.play.check()


def connect(play: Play) -> Connection:
    """Make the program's side of a connection, in the running loop."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = ScriptedTransport(loop, protocol, play)
    return Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


class ScriptedTransport(asyncio.Transport):
    """Reads come from the script, and writes are held to it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, play: Play
    ) -> None:
        super().__init__()
        self.play = play
        self._loop = loop
        self._protocol: Any = protocol
        self._output = b""
        self._closing = self._lost = self._paused = self._full = False
        self._waits = 0
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._reading: asyncio.Handle | None = None
        self._writing: asyncio.Handle | None = None
        self._patience: asyncio.TimerHandle | None = None
        protocol.connection_made(self)
        self._read_soon()

    # In

    def _read_soon(self) -> None:
        if self._reading is None and not (self._paused or self._closing):
            self._reading = self._loop.call_soon(self._read)

    def _read(self) -> None:
        self._reading = None
        if self._paused or self._closing or self._moment_left():
            self._read_soon()
            return
        try:
            data = self.play.receive(HIGH_WATER)
        except (BlockingIOError, InterruptedError):
            data = Sign.WAIT
        except OSError as exc:
            self._lose(exc)
            return
        if data is Sign.BLOCKED:
            if self._patience is None:
                self._patience = self._loop.call_later(PATIENCE, self._stuck)
            return
        self._be_patient()
        if data is Sign.WAIT:
            self._waits = TURNS
        elif data:
            self._protocol.data_received(data)
        elif not self._protocol.eof_received():
            self.close()
            return
        else:
            return
        self._read_soon()

    def _moment_left(self) -> bool:
        self._waits -= 1
        return self._waits >= 0

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stuck(self) -> None:
        self._lose(self.play.stuck("receiving"))

    def pause_reading(self) -> None:
        """Take no step that is a read."""
        self._paused = True

    def resume_reading(self) -> None:
        """Go on with them."""
        self._paused = False
        self._read_soon()

    def is_reading(self) -> bool:
        """Whether reads are taken."""
        return not (self._paused or self._closing)

    # Out

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it to the script, as far as that has come; the rest waits.

        Raises:
            CheckFailed: it is not what the script says.
        """
        if not self._closing:
            self._output += bytes(data)
            self._write()

    def _write(self) -> None:
        self._writing = None
        while self._output:
            try:
                count = self.play.accept(self._output)
            except (BlockingIOError, InterruptedError):
                count = Sign.WAIT
            except OSError as exc:
                self._lose(exc)
                return
            if isinstance(count, Sign):
                self._write_later(TURNS)
                break
            self._output = self._output[count:]
            self._be_patient()
            self._read_soon()
        self._tell_how_full()
        if self._closing and not self._output:
            self._lose(None)

    def _write_later(self, turns: int) -> None:
        if turns:
            self._writing = self._loop.call_soon(self._write_later, turns - 1)
        else:
            self._write()

    def _tell_how_full(self) -> None:
        full, empty = len(self._output) > self._high, len(self._output) <= self._low
        if full and not self._full:
            self._full = True
            self._protocol.pause_writing()
        elif empty and self._full:
            self._full = False
            self._protocol.resume_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Above how many bytes that wait to ask for a pause, and at how many to go on."""
        self._high = HIGH_WATER if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """What was set, the lower one first."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """How many bytes wait."""
        return len(self._output)

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """The peer takes no notice."""

    # The end, and what a transport has besides

    def close(self) -> None:
        """Write what waits, and be gone."""
        if not self._closing:
            self._closing = True
            if not self._output:
                self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Be gone."""
        self._closing = True
        self._loop.call_soon(self._lose, None)

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def _lose(self, exc: Exception | None) -> None:
        self._closing = True
        self._output = b""
        for handle in (self._reading, self._writing, self._patience):
            if handle is not None:
                handle.cancel()
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(exc)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell that one from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told."""
        return cast("asyncio.BaseProtocol", self._protocol)
