"""Streams of trio and anyio, on all kinds of trio's streams: cancellation and checkpoints, too."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from peers import client_tls, server_tls
from trio_streams import (
    BIG,
    CancelAt,
    Pair,
    background,
    lockstep,
    memory,
    read_all,
    reset,
    run,
    settle,
    sockets,
    tcp,
)

from framer import PENDING, UsageError
from framer_adapters import _sockets, _trio_world
from framer_adapters.trio import FramedStream


@pytest.mark.parametrize("pair", [memory, sockets, lockstep])
def test_every_method_is_a_checkpoint(pair: Callable[[], Pair]) -> None:
    """Also when it need not wait."""

    async def main() -> None:
        ours, theirs = pair()
        stream = FramedStream(ours)
        async with background(read_all, theirs):
            for step in (
                partial(stream.send, b"data"),
                partial(stream.send, b""),
                partial(stream.send_frame, b"frame"),
                partial(stream.send_producer, [b"1", b"2"]),
                partial(stream.send_producer, list[bytes]()),
                stream.send_eof,
                stream.send_eof,
            ):
                with trio.testing.assert_checkpoints():
                    await step()
        stream.framer.receive_data(b"one\ntwo\nthree\n")
        with trio.testing.assert_checkpoints():
            await stream.receive_frame()
        with trio.testing.assert_checkpoints():
            await stream.__anext__()
        with trio.testing.assert_checkpoints():
            await stream.receive_event()
        for _ in range(2):
            with trio.testing.assert_checkpoints():
                await stream.aclose()
        await theirs.aclose()

    run(main)


@pytest.mark.parametrize("pair", [memory, sockets, lockstep])
def test_a_receive_that_is_cancelled_at_any_point_loses_nothing(pair: Callable[[], Pair]) -> None:
    """What it did not return comes next."""
    frames = [b"%d" % number for number in range(9)]

    async def feed(stream: trio.abc.Stream) -> None:
        data = b"".join(frame + b"\n" for frame in frames)
        for start in range(0, len(data), 3):
            await stream.send_all(data[start : start + 3])
        await stream.aclose()

    async def main(cancel: CancelAt) -> bool:
        ours, theirs = pair()
        received: list[bytes] = []

        async def receive() -> None:
            async for frame in stream:
                received.append(frame)  # noqa: PERF401 - kept when it is cut off

        async with FramedStream(ours) as stream, background(feed, theirs):
            cut_off = await cancel.run(receive)
            await receive()
            assert received == frames
        return cut_off

    cuts = [run(partial(main, cancel), cancel) for cancel in map(CancelAt, range(1, 30))]
    assert cuts[:9] == [True] * 9
    assert not cuts[-1]


def test_a_send_over_a_socket_cancelled_at_any_point_leaves_the_rest_in_the_queue() -> None:
    """Byte for byte, and it goes with the next send."""
    data = BIG[:40000]

    async def main(cancel: CancelAt) -> bool:
        ours, theirs = sockets()
        stream = FramedStream(ours)
        read = b""

        async def read_on() -> None:
            nonlocal read
            async with theirs:
                while got := await theirs.receive_some(1000):
                    read += got

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_on)
            cut_off = await cancel.run(partial(stream.send, data))
            await settle()
            assert len(read) + len(stream.output) == len(data)
            assert bool(stream.output) <= cut_off
            await stream.send(b"more")
            await stream.aclose()
        assert read == data + b"more"
        return cut_off

    cuts = [run(partial(main, cancel), cancel) for cancel in map(CancelAt, (1, 2, 3, 5, 1000))]
    assert cuts == [True] * 4 + [False]


@pytest.mark.parametrize("pair", [lockstep, memory])
def test_a_send_over_another_stream_that_is_cancelled_breaks_it(pair: Callable[[], Pair]) -> None:
    """Nobody knows what has gone; but if it had not begun, nothing is broken."""

    async def main() -> None:
        ours, theirs = pair()
        stream = FramedStream(ours)
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.send(b"not begun")
        assert len(stream.output) == 9
        assert not await CancelAt(0).run(stream.aclose)
        await theirs.aclose()

    async def broken() -> None:
        ours, theirs = lockstep()
        stream = FramedStream(ours)
        stream.idle_timeout = 3
        with pytest.raises(trio.TooSlowError):
            await stream.send(b"begun")
        with pytest.raises(trio.BrokenResourceError, match="broke off"):
            await stream.send(b"more")
        await stream.aclose()
        assert await read_all(theirs) in {b"", b"begun"}  # never "more"

    run(main)
    run(broken)


def test_the_error_of_a_producer_is_not_taken_for_one_of_the_socket() -> None:
    """An OSError of its own comes out as it is."""

    def produce() -> Iterator[bytes]:
        yield b"x"
        raise FileNotFoundError("of the producer")

    async def main() -> None:
        ours, theirs = sockets()
        async with FramedStream(ours) as stream, theirs:
            with pytest.raises(FileNotFoundError, match="of the producer"):
                await stream.send_producer(produce())

    run(main)


def test_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes by sendfile over a socket, but for what is read while the socket takes no more."""
    sent: list[int] = []

    def spy(*args: Any) -> int:
        sent.append(_sockets.send_file(*args))
        return sent[-1]

    monkeypatch.setattr(_trio_world, "send_file", spy)

    async def main() -> None:
        ours, theirs = sockets()
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the stream closes it
        file.write(BIG)
        file.seek(0)

        async def read_on() -> None:
            async with theirs:
                assert await read_all(theirs) == BIG

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_on)
            async with FramedStream(ours) as stream:
                await stream.send_producer(file)
                assert file.closed

    run(main)
    assert sum(sent) > 0


def test_a_file_to_a_peer_that_is_gone() -> None:
    """What sendfile says is said in trio's way."""

    async def main() -> None:
        ours, theirs = sockets()
        await theirs.aclose()
        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(b"data")
            file.seek(0)
            async with FramedStream(ours) as stream:
                with pytest.raises(trio.BrokenResourceError, match="Broken pipe"):
                    await stream.send_producer(file)

    run(main)


def test_what_is_discarded_while_it_is_sent() -> None:
    """Nothing of what was pushed instead is taken for sent."""

    async def main() -> None:
        ours, _ = trio.testing.memory_stream_pair()
        stream = FramedStream(ours)

        async def discard() -> None:
            ours.send_stream.send_all_hook = None
            stream.output.discard()
            stream.output.push(b"instead")

        ours.send_stream.send_all_hook = discard
        await stream.send(b"one")
        assert ours.send_stream.get_data_nowait() == b"oneinstead"

    run(main)


@pytest.mark.parametrize("pair", [sockets, lockstep])
def test_aclose_that_is_cancelled_closes_at_once(pair: Callable[[], Pair]) -> None:
    """It neither sends nor waits."""

    async def main() -> None:
        ours, theirs = pair()
        stream = FramedStream(ours)
        stream.output.push(BIG)
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.aclose()
        assert scope.cancelled_caught
        assert trio.current_time() < 1e9
        assert await read_all(theirs) == b""
        await theirs.aclose()

    run(main)


def test_aclose_closes_though_a_producer_fails() -> None:
    """Its error comes out, when all is closed."""

    class Producer:
        def more(self) -> Any:
            return PENDING

        def close(self) -> None:
            raise ValueError("close failed")

    async def main() -> None:
        ours, theirs = sockets()
        stream = FramedStream(ours)
        stream.output.push_producer(Producer())
        with pytest.raises(ValueError, match="close failed"):
            await stream.aclose()
        assert await read_all(theirs) == b""
        await theirs.aclose()

    run(main)


def test_closing_wakes_those_who_wait() -> None:
    """A receive and a send both hear of it; what is left in the framer is not received, either."""

    async def closed(function: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await function()

    async def main() -> None:
        ours, theirs = sockets()
        stream = FramedStream(ours)
        async with trio.open_nursery() as nursery, theirs:
            nursery.start_soon(closed, stream.receive_frame)
            nursery.start_soon(closed, partial(stream.send, BIG))
            await settle()
            await stream.aclose()
        stream.framer.receive_data(b"frame\n")
        await closed(stream.receive_frame)
        await closed(partial(stream.start_tls, client_tls()))

    run(main)


class Later:
    """A producer that has nothing until it is told."""

    data: Any = PENDING

    def more(self) -> Any:
        """Give it, once."""
        data, self.data = self.data, b""
        return data


def test_closing_cuts_a_producer_that_has_nothing() -> None:
    """At once, and who sends it hears of it, as does who waits behind."""

    async def cut(function: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(trio.ClosedResourceError, match="before all was sent"):
            await function()

    async def main() -> None:
        ours, _ = memory()
        stream = FramedStream(ours)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut, partial(stream.send_producer, Later()))
            await settle()
            nursery.start_soon(cut, partial(stream.send, b"behind"))
            await settle()
            start = trio.current_time()
            await stream.aclose()
            assert trio.current_time() < start + 1

    run(main)


def test_what_waits_for_its_turn_when_time_is_up_is_told() -> None:
    """It was dropped, and so must not seem to be sent."""

    async def closed(stream: FramedStream) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await stream.send(BIG)

    async def main() -> None:
        ours, theirs = sockets()
        stream = FramedStream(ours)
        async with theirs, trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(closed, stream)
                await settle()
            await stream.aclose()

    run(main)


def test_a_send_waits_behind_a_producer_that_was_cancelled() -> None:
    """When that has something, both go out."""

    async def main() -> None:
        ours, theirs = memory()
        stream, producer = FramedStream(ours), Later()
        with trio.move_on_after(1):
            await stream.send_producer(producer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send, b" and this")
            await settle()
            producer.data = b"that"
            stream.output.wake()
        with trio.fail_after(9):
            assert await theirs.receive_some() == b"that and this"

    run(main)


def test_start_tls_over_any_stream() -> None:
    """The transport is trio's own then, and cannot end one direction; it is checked whose it is."""

    async def main() -> None:
        ours, theirs = memory()
        client, server = FramedStream(ours), FramedStream(theirs)
        with pytest.raises(ValueError, match="server_hostname"):
            await client.start_tls(client_tls())
        assert client.transport is ours
        client.host = "localhost"
        async with client, server:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.start_tls, client_tls())
                nursery.start_soon(server.start_tls, server_tls())
            await client.send_frame(b"secret")
            assert await server.receive_frame() == b"secret"
            with pytest.raises(UsageError, match="SSLStream"):
                await client.send_eof()

    run(main)


def test_a_reset_of_a_stream() -> None:
    """It is told again and again, also if it is a send that hears of it."""

    async def main() -> None:
        ours, theirs = await tcp()
        async with FramedStream(ours) as stream:
            reset(theirs)
            for _ in range(2):
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_frame()
        ours, theirs = await tcp()
        async with FramedStream(ours) as stream:
            await theirs.send_all(b"spam\n")
            await trio.testing.wait_all_tasks_blocked()
            reset(theirs)
            with pytest.raises(trio.BrokenResourceError):
                await stream.send(BIG)
            assert await stream.receive_frame() == b"spam"
            for _ in range(2):
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_frame()

    run(main)


def test_send_eof_of_a_closed_stream() -> None:
    """It is as closed for that as for the rest."""

    async def main() -> None:
        stream = FramedStream(memory()[0])
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_eof()

    run(main)
