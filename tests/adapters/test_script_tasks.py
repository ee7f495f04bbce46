"""What streams that play a script have in common in trio and in anyio, in either world."""

import anyio
import pytest
import trio
import trio.testing

from framer.testing import CheckFailed, Script


def test_the_same_script_in_both_worlds() -> None:
    """Reads, writes in pieces, moments of waiting, and the end."""
    script = Script().read(b"a").wait().error(InterruptedError).read(b"b").write(b"c")
    script.error(BlockingIOError).write(b"d").eof()

    async def in_trio() -> None:
        async with script.trio() as stream:
            assert [await stream.receive_some(), await stream.receive_some()] == [b"a", b"b"]
            await stream.send_all(b"cd")
            await stream.send_eof()
            assert await stream.receive_some() == b""

    async def in_anyio() -> None:
        async with script.anyio() as stream:
            assert [await stream.receive(), await stream.receive()] == [b"a", b"b"]
            await stream.send(b"cd")
            await stream.send_eof()
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()

    trio.run(in_trio)
    anyio.run(in_anyio)


def test_a_loss() -> None:
    """It is the world's error, in both directions, and says what the script does."""

    async def main() -> None:
        script = Script().error(ConnectionResetError("gone")).error(BrokenPipeError("broken"))
        async with script.trio() as stream:
            with pytest.raises(trio.BrokenResourceError, match="gone"):
                await stream.receive_some()
            with pytest.raises(trio.BrokenResourceError, match="broken"):
                await stream.send_all(b"x")

    trio.run(main)


def test_one_at_a_time() -> None:
    """Another task in the same direction is told so; who is cancelled leaves the place free."""
    seen: list[bytes] = []

    async def main() -> None:
        async with Script().write(b"a").read(b"b").trio() as stream:

            async def receive() -> None:
                seen.append(await stream.receive_some())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError, match="in a receive"):
                    await stream.receive_some()
                nursery.cancel_scope.cancel()
            with trio.CancelScope() as scope:
                scope.cancel()
                await stream.send_all(b"a")
            await stream.send_all(b"a")
            await receive()

    trio.run(main)
    assert seen == [b"b"]


def test_waiting_for_who_does_not_come() -> None:
    """Where nobody sends, the receive fails after a while; a stream that is closed wakes it."""

    async def wait() -> None:
        await Script().write(b"a").trio().receive_some()

    with pytest.raises(CheckFailed, match="waits for b'a'"):
        trio.run(wait, clock=trio.testing.MockClock(autojump_threshold=0))

    async def close() -> None:
        stream = Script().write(b"a").trio()

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await stream.receive_some()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()

    trio.run(close)


def test_what_is_left_over() -> None:
    """It fails where the stream is left, unless something else has failed."""

    async def leave(error: Exception | None) -> None:
        async with Script().read(b"a").trio():
            if error is not None:
                raise error

    with pytest.raises(CheckFailed, match="left over"):
        trio.run(leave, None)
    with pytest.raises(LookupError):
        trio.run(leave, LookupError())
