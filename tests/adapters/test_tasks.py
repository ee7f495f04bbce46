"""What trio and anyio share, on all kinds of trio's streams: cancellation and checkpoints, too."""

from __future__ import annotations

import logging
import socket
import struct
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.abc
import pytest
import trio
import trio.lowlevel
import trio.testing
from peers import client_tls, server_tls

import framer_adapters.anyio
from framer import PENDING, Channel, UsageError
from framer_adapters import _sockets
from framer_adapters import trio as adapter
from framer_adapters._common import LINGER
from framer_adapters.trio import FramedStream, run_channel

T = TypeVar("T")
Pair: TypeAlias = tuple[trio.abc.Stream, trio.abc.Stream]

BIG = b"0123456789abcdef" * (1 << 16)  # 1 MiB, which no socket takes at once


def run(main: Callable[[], Awaitable[T]], *instruments: trio.abc.Instrument) -> T:
    """Run it, with a clock that jumps as soon as there is nothing but to wait."""
    clock = trio.testing.MockClock(autojump_threshold=0.02)
    return trio.run(main, clock=clock, instruments=instruments)


def memory() -> Pair:
    """Connect two streams, which take any amount."""
    return trio.testing.memory_stream_pair()


def lockstep() -> Pair:
    """Connect two streams that take something only when somebody waits for it."""
    return trio.testing.lockstep_stream_pair()


def sockets() -> tuple[trio.SocketStream, trio.SocketStream]:
    """Connect two sockets, with small buffers."""
    ours, theirs = trio.socket.socketpair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return trio.SocketStream(ours), trio.SocketStream(theirs)


async def tcp() -> tuple[trio.SocketStream, trio.SocketStream]:
    """Connect two sockets over TCP, which can reset the connection."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        ours = await trio.testing.open_stream_to_socket_listener(listener)
        return ours, await listener.accept()


def reset(stream: trio.SocketStream) -> None:
    """Close it the hard way."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def read_all(stream: trio.abc.Stream) -> bytes:
    """Read to the end."""
    read = b""
    while data := await stream.receive_some(65536):
        read += data
    return read


async def read_exactly(stream: trio.abc.Stream, size: int) -> bytes:
    """Read so many bytes."""
    read = b""
    while len(read) < size:
        read += await stream.receive_some(size - len(read))
    return read


async def settle() -> None:
    """Let all others run until they wait."""
    await trio.testing.wait_all_tasks_blocked(0.01)


@asynccontextmanager
async def background(
    function: Callable[..., Awaitable[Any]], *args: Any
) -> AsyncGenerator[trio.Nursery, None]:
    """Run something beside the test, and cancel it at the end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(function, *args))
        yield nursery
        nursery.cancel_scope.cancel()


class CancelAt(trio.abc.Instrument):
    """Cancel a scope when its task has stopped for the n-th time."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        if task is self.task:
            self.steps -= 1
            if self.steps == 0:
                self.scope.cancel()

    async def run(self, function: Callable[[], Awaitable[object]]) -> bool:
        """Run it; tell whether it was cut off."""
        self.task = trio.lowlevel.current_task()
        with self.scope:
            await function()
        self.task = None
        return self.scope.cancelled_caught


class Recorder(Channel):
    """Note what happens, and answer each line."""

    terminator = b"\n"

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.calls: list[str] = []
        self.lost: list[BaseException | None] = []

    def connection_made(self) -> None:
        """Note."""
        self.calls.append("made")

    def frame_received(self, frame: bytes, /) -> None:
        """Note, and do what it says."""
        self.frames.append(frame)
        command = getattr(self, f"do_{frame.decode()}", None)
        if command is None:
            self.push(frame.upper() + b"\n")
        else:
            command()

    def eof_received(self) -> bool | None:
        """Note."""
        self.calls.append("eof")
        return None

    def tls_started(self) -> None:
        """Note."""
        self.calls.append("tls")

    def connection_lost(self, exc: BaseException | None, /) -> None:
        """Note."""
        self.lost.append(exc)

    def do_quit(self) -> None:
        """Close when done."""
        self.push(b"bye\n")
        self.close_when_done()

    def do_big(self) -> None:
        """Give the peer something to read."""
        self.push(BIG)

    def do_discard(self) -> None:
        """Drop all."""
        self.discard()

    def do_fail(self) -> None:
        """Raise."""
        self.push(b"never sent\n")
        raise ValueError("failed")

    def do_exit(self) -> None:
        """Raise what is no Exception."""
        raise SystemExit(3)

    def do_tls(self) -> None:
        """Change to TLS, as a server."""
        self.push(b"go ahead\n")
        self.start_tls(server_tls())
        self.push(b"encrypted\n")


# -- FramedStream: receiving


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


# -- FramedStream: sending


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

    monkeypatch.setattr(adapter, "send_file", spy)

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


# -- FramedStream: TLS


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


# -- Channels


@asynccontextmanager
async def conversation(
    pair: Callable[[], Pair] = memory, **options: Any
) -> AsyncGenerator[tuple[Recorder, trio.abc.Stream], None]:
    """Run a channel, give it and its peer, and wait for its end."""
    ours, theirs = pair()
    channel = Recorder()
    async with theirs, trio.open_nursery() as nursery:
        nursery.start_soon(partial(run_channel, channel, ours, **options))
        await settle()
        yield channel, theirs
    assert channel.closed
    assert len(channel.lost) == 1
    with suppress(trio.ClosedResourceError):
        await ours.receive_some(1)
        pytest.fail("the transport is still open")


PAIRS = pytest.mark.parametrize("pair", [memory, sockets, lockstep])


@PAIRS
def test_a_conversation(pair: Callable[[], Pair]) -> None:
    """Frames, answers, what others push, the end of the peer."""

    async def main() -> None:
        async with conversation(pair) as (channel, peer):
            await peer.send_all(b"one\ntwo\n")
            assert await peer.receive_some() == b"ONE\nTWO\n"
            channel.push_producer([b"t", b"hr", b"ee"])
            assert await read_exactly(peer, 5) == b"three"
            assert isinstance(peer, trio.abc.HalfCloseableStream)
            await peer.send_eof()
            assert await read_all(peer) == b""
        assert channel.calls == ["made", "eof"]
        assert channel.lost == [None]

    run(main)


@PAIRS
def test_what_is_no_exception_comes_out_in_a_group(pair: Callable[[], Pair]) -> None:
    """As from any nursery; all is closed."""

    async def main() -> None:
        ours, theirs = pair()
        channel = Recorder()

        async def peer() -> None:
            await theirs.send_all(b"exit\n")
            assert await read_all(theirs) == b""

        async with theirs, trio.open_nursery() as nursery:
            nursery.start_soon(peer)
            with pytest.RaisesGroup(SystemExit):
                await run_channel(channel, ours)
        assert isinstance(channel.lost[0], SystemExit)

    run(main)


@PAIRS
@pytest.mark.parametrize("when", ["inside", "outside"])
def test_discard_ends_a_send_that_is_stuck(pair: Callable[[], Pair], when: str) -> None:
    """The peer need not read what is going out; it ends as after any last word."""

    async def main() -> None:
        async with conversation(pair) as (channel, peer):
            channel.push(BIG[:60000])
            await settle()
            channel.push(b"more")
            start = trio.current_time()
            if when == "inside":
                await peer.send_all(b"discard\n")
            else:
                channel.discard()
            while not channel.closed:  # noqa: ASYNC110
                await trio.sleep(0.25)
            assert trio.current_time() < start + 2
        assert channel.lost == [None]

    run(main)


def test_a_channel_that_is_closed_before_it_begins() -> None:
    """Nothing is to be said."""

    async def main() -> None:
        ours, theirs = memory()
        channel = Recorder()
        channel.close_when_done()
        await theirs.aclose()
        await run_channel(channel, ours)
        assert channel.calls == []
        assert channel.lost == [None]

    run(main)


@PAIRS
def test_the_time_limit_of_a_conversation(
    pair: Callable[[], Pair], caplog: pytest.LogCaptureFixture
) -> None:
    """What is received or taken counts as life, give or take a hundredth."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with conversation(pair, idle_timeout=10) as (channel, peer):
            start = trio.current_time()
            for seconds in (7, 7, 7, 0.05):
                await trio.sleep(seconds)
                await peer.send_all(b"x")
            await trio.sleep(7)
            channel.push(b"y")
            assert await peer.receive_some() == b"y"
            assert await read_all(peer) == b""
            assert trio.current_time() == pytest.approx(start + 38, abs=0.1)
        assert isinstance(channel.lost[0], TimeoutError)

    run(main)
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_peer_that_resets_after_the_last_words() -> None:
    """They are said; that is no error."""

    async def main() -> None:
        ours, theirs = await tcp()
        channel = Recorder()
        async with background(run_channel, channel, ours):
            await theirs.send_all(b"quit\n")
            assert await theirs.receive_some(4) == b"bye\n"
            reset(theirs)
            await settle()
            assert channel.lost == [None]

    run(main)


@pytest.mark.parametrize("pair", [sockets, lockstep])
def test_reading_goes_on_while_output_goes_out_until_it_is_congested(
    pair: Callable[[], Pair],
) -> None:
    """Full duplex, in bounded memory."""

    async def main() -> None:
        async with conversation(pair) as (channel, peer):
            channel.push(b"y" * 40000)
            await settle()
            await peer.send_all(b"one\n")
            await settle()
            assert channel.frames == [b"one"]
            channel.push(b"z" * 70000)
            await settle()
            assert channel.output.congested
            with trio.move_on_after(1):
                for _ in range(1000):
                    await peer.send_all(b"two\n" * 100)
            assert channel.frames.count(b"two") < 5000
            before = len(channel.frames)
            read = b""
            with trio.move_on_after(1):
                while True:
                    read += await peer.receive_some()
            assert read.startswith(b"y" * 40000 + b"ONE\n" + b"z" * 70000)
            assert pair is lockstep or len(channel.frames) > before
            channel.discard()

    run(main)


def test_a_hook_that_raises_while_the_peer_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """What is going out does not hold it up."""

    async def main(pair: Callable[[], Pair]) -> None:
        async with conversation(pair) as (channel, peer):
            channel.push(b"x" * 30000)
            await settle()
            start = trio.current_time()
            await peer.send_all(b"fail\n")
            await settle()
            assert channel.closed
            assert trio.current_time() == start

    run(partial(main, sockets))
    run(partial(main, lockstep))
    assert len(caplog.records) == 2


@PAIRS
def test_a_conversation_that_is_cancelled_at_any_point(pair: Callable[[], Pair]) -> None:
    """It is closed, and says so once; Cancelled passes."""

    async def main(cancel: CancelAt) -> bool:
        ours, theirs = pair()
        channel = Recorder()

        async def talk() -> None:
            async with theirs:
                with suppress(trio.BrokenResourceError):
                    await theirs.send_all(b"one\nbig\nquit\n")
                    await read_all(theirs)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            cut_off = await cancel.run(partial(run_channel, channel, ours))
        assert channel.lost == [None]
        return cut_off

    cuts = [run(partial(main, cancel), cancel) for cancel in map(CancelAt, range(1, 9))]
    assert True in cuts
    assert not run(partial(main, last := CancelAt(1000)), last)


def test_a_send_that_fails_later(caplog: pytest.LogCaptureFixture) -> None:
    """The task that sends tells the one that receives, which takes what there is."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        ours, theirs = await tcp()
        channel = Recorder()
        async with background(run_channel, channel, ours):
            await settle()
            channel.push(BIG * 8)
            await settle()
            await theirs.send_all(b"one\n")
            reset(theirs)
            await settle()
            await settle()
        assert channel.frames == [b"one"]
        assert isinstance(channel.lost[0], trio.BrokenResourceError)

    run(main)
    assert len(caplog.records) == 1


def test_the_rest_is_not_waited_for_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that cannot send any more may be silent, too."""
    caplog.set_level(logging.INFO)

    class CannotSend(trio.abc.Stream):
        def __init__(self, stream: trio.abc.Stream) -> None:
            self.stream = stream

        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            raise trio.BrokenResourceError("cannot send")

        async def wait_send_all_might_not_block(self) -> None:
            raise NotImplementedError

        async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
            return await self.stream.receive_some(max_bytes)

        async def aclose(self) -> None:
            await self.stream.aclose()

    async def main() -> None:
        async with conversation(lambda: (CannotSend((pair := memory())[0]), pair[1])) as (
            channel,
            peer,
        ):
            start = trio.current_time()
            channel.push(b"x")
            await settle()
            await peer.send_all(b"one\ntwo")
            while not channel.closed:  # noqa: ASYNC110
                await trio.sleep(0.25)
            assert start + 1 <= trio.current_time() < start + 2
            assert channel.frames == [b"one"]
        assert isinstance(channel.lost[0], trio.BrokenResourceError)

    run(main)


# -- Channels: TLS


@PAIRS
def test_tls_started_from_elsewhere(pair: Callable[[], Pair]) -> None:
    """The read that is under way is stopped, for what comes next is the handshake's."""

    async def main() -> None:
        async with conversation(pair) as (channel, peer):
            channel.start_tls(client_tls(), server_hostname="localhost")
            async with FramedStream(peer) as server:
                await server.start_tls(server_tls())
                await server.send_frame(b"one")
                assert await server.receive_frame() == b"ONE"
                await server.aclose()
        assert channel.calls == ["made", "tls", "eof"]

    run(main)


def test_tls_from_elsewhere_when_the_answer_is_there_at_once() -> None:
    """The receiver must not take it, though the sender has not returned yet."""

    async def main() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        channel = Recorder()

        async def answer() -> None:
            ours.send_stream.send_all_hook = None
            await theirs.send_all(b"ClientHello")
            await settle()
            await theirs.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_channel, channel, ours)
            await settle()
            ours.send_stream.send_all_hook = answer
            channel.push(b"go\n")
            channel.start_tls(server_tls())
        (error,) = channel.lost
        assert isinstance(error, trio.BrokenResourceError), error  # of the handshake

    run(main)


def test_a_handshake_of_a_channel_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The channel hears of it; it may also be given up meanwhile, or take too long."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with conversation(idle_timeout=10) as (channel, peer):
            await peer.send_all(b"tls\n")
            assert await peer.receive_some() == b"go ahead\n"
            await peer.send_all(b"this is no TLS, not at all\n")
        assert isinstance(channel.lost[0], trio.BrokenResourceError)
        async with conversation(idle_timeout=10) as (channel, peer):
            await peer.send_all(b"tls\n")
            await settle()
            channel.discard()
        assert channel.lost == [None]
        async with conversation(idle_timeout=10) as (channel, peer):
            await peer.send_all(b"tls\n")
            await trio.sleep(11)
        assert isinstance(channel.lost[0], TimeoutError)

    run(main)
    assert [record.levelname for record in caplog.records] == ["INFO"] * 2


def test_what_is_cut_off_does_not_look_like_an_end_over_tls() -> None:
    """A conversation that is cancelled sends no close_notify; one that ends does."""

    async def main(word: bytes) -> None:
        ours, theirs = sockets()
        server = trio.SSLStream(ours, server_tls(), server_side=True)
        async with FramedStream(theirs) as client, background(run_channel, Recorder(), server) as n:
            await client.start_tls(client_tls(), server_hostname="localhost")
            await client.send_frame(word)
            await client.receive_frame()
            if word == b"quit":
                with pytest.raises(trio.EndOfChannel):
                    await client.receive_frame()
            else:
                n.cancel_scope.cancel()
                with trio.CancelScope(shield=True), pytest.raises(trio.BrokenResourceError):
                    await client.receive_frame()

    run(partial(main, b"quit"))
    run(partial(main, b"one"))


# -- Losses, and the last word


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


async def encrypted(
    ours: trio.abc.Stream, theirs: trio.abc.Stream
) -> tuple[FramedStream, trio.SSLStream[trio.abc.Stream]]:
    """Shake hands, and let both hear the end of it."""
    stream = FramedStream(ours)
    peer = trio.SSLStream(theirs, client_tls(), server_hostname="localhost")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(stream.start_tls, server_tls()))
        nursery.start_soon(peer.do_handshake)
    return stream, peer


def test_a_file_of_a_channel(tmp_path: Path) -> None:
    """The kernel sends it."""
    path = tmp_path / "file"
    path.write_bytes(BIG)

    async def main() -> None:
        ours, theirs = sockets()
        channel, file = Channel(), path.open("rb")
        channel.push_producer(file)
        channel.close_when_done()
        async with background(run_channel, channel, ours):
            assert await read_all(theirs) == BIG
            await theirs.aclose()
        assert file.closed

    run(main)


@pytest.mark.parametrize("pair", [memory, sockets])
def test_the_last_word_over_tls(pair: Callable[[], Pair]) -> None:
    """It can be read, with the proper end of TLS, though the peer has sent what nobody reads."""

    async def main() -> None:
        stream, peer = await encrypted(*pair())
        for _ in range(9):
            await peer.send_all(b"nobody reads this\n" * 9)
        assert await stream.receive_frame() == b"nobody reads this"
        stream.output.push(b"the last word")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.aclose)
            assert await read_all(peer) == b"the last word"
            with pytest.raises(trio.ClosedResourceError):
                await stream.send_eof()
            await peer.send_all(b"nor this\n")
            await peer.transport_stream.aclose()

    run(main)


def test_a_farewell_that_nobody_hears() -> None:
    """Closing takes no longer than it may; nor does it wait for who receives."""

    async def main() -> None:
        stream, peer = await encrypted(*memory())
        before = trio.current_time()
        await stream.aclose()
        assert trio.current_time() - before == pytest.approx(LINGER, abs=0.5)
        await trio.aclose_forcefully(peer)
        stream, peer = await encrypted(*sockets())
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await stream.receive_frame()

            nursery.start_soon(receive)
            await settle()
            await stream.aclose()
            assert await read_all(peer) == b""
        await trio.aclose_forcefully(peer)

    run(main)


def test_a_world_that_says_as_little_as_it_can() -> None:
    """It has files read, and a send that breaks off has sent nobody knows what."""
    ours, theirs = socket.socketpair()

    async def main() -> None:
        transport = await anyio.abc.UNIXSocketStream.from_socket(ours)
        stream = framer_adapters.anyio.FramedStream(transport)
        with anyio.move_on_after(0.01):
            await stream.send_producer([BIG] * 8)
        with pytest.raises(anyio.BrokenResourceError, match="broke off"):
            await stream.send(b"more")
        theirs.close()
        await stream.aclose()

    anyio.run(main)
