"""Script.asyncio(): asyncio's own reader and writer over a transport that plays a script."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from framer.testing import CheckFailed, Script
from framer_adapters import _script_asyncio
from framer_adapters.asyncio import FramedStream


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it in a new loop."""
    asyncio.run(coroutine)


async def turns(count: int = 30) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_framed_stream_over_it() -> None:
    """Reads and writes in pieces; what the world hides (EAGAIN, EINTR, waiting) is not seen."""
    script = Script().read(b"pi").wait().read(b"ng\n").error(InterruptedError).wait()
    script.write(b"po").error(BlockingIOError).write(b"ng\n").eof()

    async def main() -> None:
        async with FramedStream(script.asyncio()) as stream:
            async for frame in stream:
                assert frame == b"ping"
                await stream.send_frame(b"pong")

    with script:
        run(main())


def test_a_reader_and_a_writer() -> None:
    """They are asyncio's own, and a write waits for its turn in the script."""

    async def main() -> None:
        async with Script().write(b"ab").read(b"c").eof().asyncio() as (reader, writer):
            assert isinstance(reader, asyncio.StreamReader)
            assert isinstance(writer, asyncio.StreamWriter)
            writer.write(b"a")
            writer.write(b"")
            await writer.drain()
            writer.write(bytearray(b"b"))
            assert await reader.read() == b"c"
            assert writer.can_write_eof()
            writer.write_eof()
            writer.close()
            await writer.wait_closed()

    run(main())


def test_a_call_that_was_interrupted() -> None:
    """The world tries again by itself."""

    async def main() -> None:
        async with Script().error(InterruptedError).read(b"a").asyncio() as (reader, _):
            assert await reader.read(1) == b"a"

    run(main())


def test_a_reset_that_a_read_sees() -> None:
    """It comes out of the next read, after what came before."""

    async def main() -> None:
        async with Script().read(b"a").error(ConnectionResetError).asyncio() as (reader, _):
            assert await reader.read(10) == b"a"
            with pytest.raises(ConnectionResetError):
                await reader.read(10)

    run(main())


def test_a_reset_that_a_write_sees() -> None:
    """The connection is lost then, for both directions; a loss is told once."""

    async def main() -> None:
        script = Script().error(BrokenPipeError)
        async with script.asyncio() as (reader, writer):
            writer.write(b"x")
            with pytest.raises(BrokenPipeError):
                await reader.read(1)
            writer.write(b"y")
            writer.transport.abort()

    run(main())


def test_what_should_not_have_been_sent() -> None:
    """The write itself says so."""

    async def main() -> None:
        connection = Script().write(b"yes").asyncio()
        with pytest.raises(CheckFailed, match="should have sent b'yes'"):
            connection.writer.write(b"yet")
        connection.writer.transport.abort()
        await turns()

    run(main())


def test_what_is_left_over() -> None:
    """It fails where the connection is left, unless something else has failed."""

    async def main() -> None:
        async with Script().write(b"a").asyncio():
            pass

    with pytest.raises(CheckFailed, match="left over"):
        run(main())

    async def fail() -> None:
        async with Script().write(b"a").asyncio():
            raise LookupError

    with pytest.raises(LookupError):
        run(fail())


def test_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody sends what the peer waits for, the read fails, and says what was missing."""
    monkeypatch.setattr(_script_asyncio, "PATIENCE", 0)

    async def main() -> None:
        reader, _ = Script().write(b"a").asyncio()
        await reader.read(1)

    with pytest.raises(CheckFailed, match="waits for b'a'"):
        run(main())


def test_patience_starts_anew() -> None:
    """A write that goes on takes back the deadline, and the reads behind it come."""

    async def main() -> None:
        async with Script().write(b"a").read(b"b").asyncio() as (reader, writer):
            await turns()
            transport: Any = writer.transport
            assert transport._patience is not None
            transport.pause_reading()
            transport.resume_reading()
            await turns()
            writer.write(b"a")
            assert await reader.read(1) == b"b"

    run(main())


def test_flow_control() -> None:
    """Above the high water mark a drain waits, until the peer has taken enough."""

    async def main() -> None:
        script = Script().wait().write(b"x" * 8).wait().write(b"y" * 4)
        async with script.asyncio() as (_, writer):
            transport = writer.transport
            transport.set_write_buffer_limits(8)
            assert transport.get_write_buffer_limits() == (2, 8)
            writer.write(b"x" * 8 + b"y" * 4)
            assert transport.get_write_buffer_size() == 12
            await writer.drain()
            assert transport.get_write_buffer_size() == 0
            transport.set_write_buffer_limits()
            assert transport.get_write_buffer_limits() == (16384, 65536)
            transport.set_write_buffer_limits(10, 5)
            assert transport.get_write_buffer_limits() == (5, 10)

    run(main())


def test_closing_with_something_left_to_write() -> None:
    """It is written first; the second close does nothing."""

    async def main() -> None:
        async with Script().wait().write(b"x").asyncio() as (_, writer):
            writer.write(b"x")
            writer.close()
            writer.close()
            assert writer.is_closing()
            writer.write(b"ignored")
            await writer.wait_closed()

    run(main())


def test_pausing() -> None:
    """Nothing is read while reading is paused, or after a close."""

    class Taking(asyncio.Protocol):
        seen = b""

        def data_received(self, data: bytes) -> None:
            self.seen += data

    async def main() -> None:
        taking = Taking()
        async with Script().read(b"a").read(b"b").eof().asyncio() as (_, writer):
            transport = writer.transport
            before = transport.get_protocol()
            transport.set_protocol(taking)
            assert transport.get_protocol() is taking
            transport.pause_reading()
            assert not transport.is_reading()
            await turns()
            assert taking.seen == b""
            transport.resume_reading()
            assert transport.is_reading()
            await turns()
            assert taking.seen == b"ab"
            assert writer.is_closing()  # that is what a Protocol's eof_received asks for
            transport.set_protocol(before)

    run(main())
