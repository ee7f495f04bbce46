"""Script.trio(): a trio stream that plays a script, and behaves as trio's own do."""

import importlib
import sys
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from framer.testing import Script
from framer_adapters import _script_trio
from framer_adapters.trio import FramedStream


def run(function: Callable[[], Awaitable[None]]) -> None:
    """Run it with a clock that jumps over waiting."""
    trio.run(function, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_framed_stream_over_it() -> None:
    """Reads and writes in pieces; what the world hides (EAGAIN, EINTR, waiting) is not seen."""
    script = Script().read(b"pi").wait().read(b"ng\n").error(InterruptedError).wait()
    script.write(b"po").error(BlockingIOError).write(b"ng\n").eof()

    async def main() -> None:
        async with FramedStream(script.trio()) as stream:
            async for frame in stream:
                assert frame == b"ping"
                await stream.send_frame(b"pong")

    with script:
        run(main)


def test_a_stream_as_it_is() -> None:
    """Sizes, the end, half of a close, and nothing after a close."""

    async def main() -> None:
        async with Script().read(b"abc").write(b"x").eof().trio() as stream:
            assert isinstance(stream, trio.abc.HalfCloseableStream)
            assert (await stream.receive_some(2), await stream.receive_some()) == (b"ab", b"c")
            with pytest.raises(ValueError):
                await stream.receive_some(0)
            await stream.wait_send_all_might_not_block()
            await stream.send_all(b"x")
            await stream.send_eof()
            assert await stream.receive_some() == b""
            await stream.aclose()
            for call in (stream.receive_some, lambda: stream.send_all(b"x"), stream.send_eof):
                with pytest.raises(trio.ClosedResourceError):
                    await call()

    run(main)


def test_a_reset() -> None:
    """It is trio's error for both directions, with the cause."""

    async def main() -> None:
        script = Script().error(ConnectionResetError("gone")).error(BrokenPipeError)
        async with script.trio() as stream:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionResetError)
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"x")

    run(main)


def test_waiting_for_another_task() -> None:
    """A receive waits until another task has sent what the peer waits for."""
    seen: list[bytes] = []

    async def main() -> None:
        async with Script().write(b"a").read(b"b").trio() as stream:

            async def receive() -> None:
                seen.append(await stream.receive_some())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError):
                    await stream.receive_some()
                await stream.send_all(b"a")

    run(main)
    assert seen == [b"b"]


def test_cancelling() -> None:
    """A receive that is cancelled has taken nothing, and closing wakes one that waits."""

    async def main() -> None:
        stream = Script().read(b"a").write(b"x").trio()
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.receive_some()
        assert await stream.receive_some() == b"a"

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await stream.receive_some()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()

    run(main)


def test_without_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra to install."""
    monkeypatch.setitem(sys.modules, "trio", None)
    with pytest.raises(ImportError, match=r'pip install "sansio-framer\[trio\]"'):
        importlib.reload(_script_trio)
