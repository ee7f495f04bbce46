"""What a stream of asyncio waits on, over real sockets."""
# ruff: noqa: D102 - a hook of a stub needs no docstring
# ruff: noqa: ASYNC110 - the loop is to turn

import asyncio
import socket
from collections.abc import Iterator

import pytest
from peers import pair
from protocols import Slow, failing, run, streams

from framer import OutputQueue
from framer_adapters._stream_protocol import StreamProtocol

MIB = 1 << 20


def test_reading_one_chunk_ahead() -> None:
    """With nobody there to receive nothing more is read, and then it goes on."""

    async def main() -> None:
        async with streams() as stream:
            receiving = asyncio.create_task(stream.protocol.more(None))
            await asyncio.sleep(0)
            stream.peer.send(b"one")
            await receiving
            stream.peer.send(b"two")
            while not stream.protocol.paused:
                await asyncio.sleep(0)
            stream.peer.send(b"three")
            await asyncio.sleep(0.002)
            assert stream.taken == [b"one", b"two"]
            await stream.protocol.more(None)
            assert stream.taken == [b"one", b"two", b"three"]

    run(main())


def test_producers_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    """The error goes to who waits for it, else to the log; what is behind goes out."""

    async def main() -> None:
        async with streams() as stream:

            async def send(producer: Iterator[bytes]) -> None:
                stream.output.push_producer(producer)
                await stream.drain()

            first, second = send(failing(ValueError("mine"))), send(failing(ValueError("theirs")))
            results = await asyncio.gather(first, second, return_exceptions=True)
            assert [str(error) for error in results] == ["mine", "theirs"]
            stream.output.push_producer(failing(ValueError("nobody's")))
            stream.output.push(b"innocent")
            await stream.drain()
            assert await stream.read(20) == b"linelinelineinnocent"
            await stream.drain()

    run(main())
    assert "nobody's" in caplog.text
    assert "theirs" not in caplog.text


class BadClose(list[bytes]):
    def close(self) -> None:
        raise ValueError("close")


def test_a_send_that_need_not_wait() -> None:
    """It goes out when the loop has its turn."""

    async def main() -> None:
        async with streams() as stream:
            stream.output.push(b"x")
            await stream.drain(to_the_end=False)
            assert stream.output
            assert await stream.read(1) == b"x"

    run(main())


def test_losing_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    """Senders and receivers hear of it; what producers say to that is logged."""

    async def main() -> None:
        async with streams() as stream:
            receiving = asyncio.create_task(stream.protocol.more(None))
            stream.output.push_producer(Slow())
            stream.output.push_producer(BadClose([b"x"]))
            draining = asyncio.create_task(stream.drain())
            await asyncio.sleep(0)
            stream.protocol.end(None)
            for task in (receiving, draining):
                with pytest.raises(ConnectionAbortedError):
                    await task

    run(main())
    assert "close" in caplog.text


def test_taking_over_what_is_lost() -> None:
    """Who uses it hears so."""

    async def main() -> None:
        with pair() as (sock, _):
            reader, writer = await asyncio.open_connection(sock=sock)
            writer.transport.abort()
            await asyncio.sleep(0)
            protocol = StreamProtocol()
            protocol.attach(lambda _: None, OutputQueue())
            protocol.take_over(reader, writer)
            with pytest.raises(ConnectionAbortedError):
                protocol.check()
            with pytest.raises(ConnectionAbortedError):
                await protocol.more(None)

    run(main())


def test_an_idle_peer() -> None:
    """Who waits is told; who does not, is not; and a byte counts."""

    async def main() -> None:
        async with streams() as stream:
            for waiting in (stream.protocol.more(0.01), stream.drain(0.01)):
                stream.output.push_producer(Slow())
                with pytest.raises(TimeoutError, match=r"0\.01 seconds"):
                    await waiting
            stream.protocol.watch(0.01)
            stream.protocol.watch(None)
            await asyncio.sleep(0.02)
            stream.protocol.check()

    run(main())


def test_the_last_words_of_a_stream() -> None:
    """What the peer goes on sending is read, and dropped, until it ends."""

    async def main() -> None:
        async with streams(tcp=True) as stream:
            stream.output.push(bytes(MIB))
            await stream.drain()
            stream.peer.send(b"not read")
            receiving = asyncio.create_task(stream.protocol.more(None))
            await asyncio.sleep(0)
            closing = asyncio.create_task(stream.finish())
            with pytest.raises(ConnectionAbortedError):
                await receiving
            stream.peer.send(b"nor this")
            assert await stream.read(MIB + 1) == bytes(MIB)
            assert not closing.done()
            stream.peer.shutdown(socket.SHUT_WR)
            await closing
            assert stream.taken in ([b""], [b"not read", b""])

    run(main())


def test_a_stream_closed_when_the_peer_has_ended() -> None:
    """There is nothing to wait for."""

    async def main() -> None:
        async with streams() as stream:
            stream.peer.shutdown(socket.SHUT_WR)
            await stream.protocol.more(None)
            await stream.finish()
            assert stream.protocol.closed.done()

    run(main())
