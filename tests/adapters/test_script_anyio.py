"""Script.anyio(): an anyio stream that plays a script, and behaves as anyio's own do."""

import importlib
import sys
from collections.abc import Awaitable, Callable

import anyio
import anyio.abc
import pytest
import trio
import trio.testing

from framer.testing import CheckFailed, Script
from framer_adapters import _script_anyio
from framer_adapters.anyio import FramedStream


def run(function: Callable[[], Awaitable[None]]) -> None:
    """Run it on trio, with a clock that jumps over waiting."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    anyio.run(function, backend="trio", backend_options={"clock": clock})


def test_a_framed_stream_over_it() -> None:
    """Reads and writes in pieces; what the world hides (EAGAIN, EINTR, waiting) is not seen."""
    script = Script().read(b"pi").wait().read(b"ng\n").error(InterruptedError).wait()
    script.write(b"po").error(BlockingIOError).write(b"ng\n").eof()

    async def main() -> None:
        async with FramedStream(script.anyio()) as stream:
            async for frame in stream:
                assert frame == b"ping"
                await stream.send_frame(b"pong")

    with script:
        run(main)
        anyio.run(main, backend="asyncio")


def test_a_stream_as_it_is() -> None:
    """Sizes, the end, half of a close, and nothing after a close."""

    async def main() -> None:
        async with Script().read(b"abc").write(b"x").eof().anyio() as stream:
            assert isinstance(stream, anyio.abc.ByteStream)
            assert (await stream.receive(2), await stream.receive()) == (b"ab", b"c")
            await stream.send(b"x")
            await stream.send_eof()
            for _ in range(2):
                with pytest.raises(anyio.EndOfStream):
                    await stream.receive()
            await stream.aclose()
            for call in (stream.receive, lambda: stream.send(b"x"), stream.send_eof):
                with pytest.raises(anyio.ClosedResourceError):
                    await call()

    run(main)


def test_a_reset() -> None:
    """It is anyio's error for both directions, with the cause."""

    async def main() -> None:
        script = Script().error(ConnectionResetError("gone")).error(BrokenPipeError)
        async with script.anyio() as stream:
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await stream.receive()
            assert isinstance(caught.value.__cause__, ConnectionResetError)
            with pytest.raises(anyio.BrokenResourceError):
                await stream.send(b"x")

    run(main)


def test_what_is_left_over() -> None:
    """It fails where the stream is left, unless something else has failed."""

    async def main() -> None:
        async with Script().read(b"a").anyio():
            pass

    with pytest.raises(CheckFailed, match="left over"):
        run(main)

    async def fail() -> None:
        async with Script().read(b"a").anyio():
            raise LookupError

    with pytest.raises(LookupError):
        run(fail)


def test_waiting_for_another_task() -> None:
    """A receive waits until another task has sent what the peer waits for."""
    seen: list[bytes] = []

    async def main() -> None:
        async with Script().write(b"a").read(b"b").anyio() as stream:

            async def receive() -> None:
                seen.append(await stream.receive())

            async with anyio.create_task_group() as group:
                group.start_soon(receive)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(anyio.BusyResourceError):
                    await stream.receive()
                await stream.send(b"a")

    run(main)
    assert seen == [b"b"]


def test_waiting_for_ever() -> None:
    """Where nobody sends it, the receive fails after a while, and says what was missing."""

    async def main() -> None:
        await Script().write(b"a").anyio().receive()

    with pytest.raises(CheckFailed, match="waits for b'a'"):
        run(main)


def test_cancelling() -> None:
    """A receive that is cancelled has taken nothing, and closing wakes one that waits."""

    async def main() -> None:
        stream = Script().read(b"a").write(b"x").anyio()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.receive()
        assert await stream.receive() == b"a"

        async def receive() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await stream.receive()

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            await anyio.wait_all_tasks_blocked()
            await stream.aclose()

    run(main)


def test_a_call_that_was_interrupted() -> None:
    """The world tries again by itself."""

    async def main() -> None:
        async with Script().error(InterruptedError).read(b"a").anyio() as stream:
            assert await stream.receive(1) == b"a"

    run(main)


def test_without_anyio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra to install."""
    monkeypatch.setitem(sys.modules, "anyio", None)
    with pytest.raises(ImportError, match=r'pip install "sansio-framer\[anyio\]"'):
        importlib.reload(_script_anyio)
