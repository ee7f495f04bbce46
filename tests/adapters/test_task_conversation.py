"""Channels of trio and anyio, on all kinds of trio's streams: cancellation, TLS and losses."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from peers import client_tls, server_tls
from trio_streams import (
    BIG,
    CancelAt,
    Pair,
    Recorder,
    background,
    lockstep,
    memory,
    read_all,
    read_exactly,
    reset,
    run,
    settle,
    sockets,
    tcp,
)

from framer import Channel
from framer_adapters.trio import FramedStream, run_channel


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
