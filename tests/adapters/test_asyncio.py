"""Streams, channels and servers under asyncio and uvloop: the suites, and what is asyncio's own."""
# ruff: noqa: D102 - a hook of a stub needs no docstring
# ruff: noqa: ASYNC110, SIM117 - the loop is to turn; what is inside is what the outer one serves

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import conformance
import pytest
from peers import client_tls, server_tls
from worlds import AsyncioWorld, UvloopWorld

import framer_adapters.asyncio as module
from framer import PENDING, Channel, Pending, UsageError
from framer_adapters.asyncio import (
    FramedStream,
    Server,
    connect,
    run_channel,
    serve,
    serve_channel,
)

NEEDS_UVLOOP = pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not there")

T = TypeVar("T")
HOST = "127.0.0.1"


class TestChannels(conformance.ChannelSuite):
    world = AsyncioWorld()


class TestStreams(conformance.StreamSuite):
    world = AsyncioWorld()


@NEEDS_UVLOOP
class TestUvloopChannels(conformance.ChannelSuite):
    world = UvloopWorld()


@NEEDS_UVLOOP
class TestUvloopStreams(conformance.StreamSuite):
    world = UvloopWorld()


@pytest.fixture(
    params=[AsyncioWorld(), pytest.param(UvloopWorld(), marks=NEEDS_UVLOOP)],
    ids=["asyncio", "uvloop"],
    name="run",
)
def make_run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine under each event loop, within ten seconds; no task may be left."""

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        async def main() -> T:
            async with asyncio.timeout(10):
                return await coroutine

        world: AsyncioWorld = request.param
        return world.run(main)

    return run


Run = Callable[[Coroutine[Any, Any, None]], None]


class Log(Channel):
    """Write down how it begins and ends."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def connection_made(self) -> None:
        self.log.append("made")

    def frame_received(self, frame: bytes) -> None:
        self.log.append(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.log.append(exc)


async def echo(stream: FramedStream) -> None:
    """Send back each frame."""
    async for frame in stream:
        await stream.send_frame(frame)


async def ended(sock: socket.socket) -> None:
    """See that the peer has closed its connection, and close this end."""
    sock.setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(sock, 1) == b""
    sock.close()


# -- Streams ----------------------------------------------------------------------------------


def test_stream_of_a_pair(run: Run) -> None:
    """It takes over what asyncio's own streams have begun."""

    async def main() -> None:
        async with await serve(echo, HOST, 0) as server:
            pair = await asyncio.open_connection(HOST, server.port)
            async with FramedStream(pair) as stream:
                assert stream.transport is pair[1].transport
                await stream.send_frame(b"x")
                assert await stream.receive_frame() == b"x"
            await pair[1].wait_closed()

    run(main())


def test_send_eof_behind_another_task(run: Run) -> None:
    """What others send while it waits goes out as well."""

    async def main() -> None:
        async with await serve(echo, HOST, 0) as server:
            async with await connect(HOST, server.port) as stream:
                slow = asyncio.create_task(stream.send_eof())
                stream.output.push(b"one\n")
                await asyncio.sleep(0)
                await stream.send(b"two\n")
                await slow
                assert [frame async for frame in stream] == [b"one", b"two"]
                with pytest.raises(UsageError):
                    await stream.send(b"three\n")

    run(main())


def test_aclose_that_is_cancelled(run: Run) -> None:
    """It closes at once, and a second time does nothing."""

    async def main() -> None:
        left, right = socket.socketpair()
        stream = FramedStream(await asyncio.open_connection(sock=left))
        stream.output.push(b"x" * (1 << 23))  # which nobody reads
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.aclose(), 0.005)
        await stream.aclose()
        assert left.fileno() == -1
        right.close()

    run(main())


class Late:
    """A producer that has something the second time it is asked."""

    def __init__(self) -> None:
        self.chunks: list[bytes | Pending] = [PENDING, b"late\n", b""]

    def more(self) -> bytes | Pending:
        return self.chunks.pop(0)


def test_aclose_behind_another_task(run: Run) -> None:
    """What is pushed while it waits goes out as well."""
    frames: list[bytes] = []

    async def handler(stream: FramedStream) -> None:
        frames.extend([frame async for frame in stream])

    async def main() -> None:
        async with await serve(handler, HOST, 0) as server:
            stream = await connect(HOST, server.port)
            closing = asyncio.create_task(stream.aclose())
            await asyncio.sleep(0)
            late = Late()
            stream.output.push_producer(late)
            while len(late.chunks) == 3:
                await asyncio.sleep(0)
            stream.output.wake()
            await closing
            while not frames:
                await asyncio.sleep(0)

    run(main())
    assert frames == [b"late"]


def test_a_client_whose_handshake_fails(run: Run) -> None:
    """There is no stream then, and its connection is closed."""

    async def hang_up(stream: FramedStream) -> None:
        await stream.send(b"220 no TLS here\n")

    async def main() -> None:
        async with await serve(hang_up, HOST, 0) as server:
            with pytest.raises(OSError):
                await connect(HOST, server.port, tls=client_tls())

    run(main())


# -- Servers ----------------------------------------------------------------------------------


def test_wrong_settings_and_addresses(run: Run, tmp_path: Path) -> None:
    """They are refused by the call itself, and nothing is left open."""

    async def main() -> None:
        with pytest.raises(ValueError, match="at least one byte"):
            await serve(echo, HOST, 0, b"")
        with pytest.raises(TypeError):
            await serve(echo, None)
        with pytest.raises(OSError):
            await serve(echo, tmp_path / "no" / "such")
        with pytest.raises(OSError):
            await connect(tmp_path / "nothing")

    run(main())


def test_serve_forever(run: Run) -> None:
    """Cancelled it closes: handlers are cancelled, and what they sent goes out."""
    cancelled: list[bool] = []

    async def handler(stream: FramedStream) -> None:
        await stream.send(b"hello\n")
        try:
            await stream.receive_frame()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        server = await serve(handler, HOST, 0)
        serving = asyncio.create_task(server.serve_forever())
        async with await connect(HOST, server.port) as stream:
            assert await stream.receive_frame() == b"hello"
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert cancelled == [True]
            with pytest.raises(EOFError):
                await stream.receive_frame()
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            await connect(HOST, server.port)

    run(main())


def test_a_server_closed_by_its_handler(run: Run) -> None:
    """A handler may end the whole, and wait for the others; serve_forever() then returns."""
    servers: list[Server] = []

    async def handler(_stream: FramedStream) -> None:
        servers[0].close()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        await servers[0].wait_closed()

    async def main() -> None:
        servers.append(await serve(handler, HOST, 0))
        async with await connect(HOST, servers[0].port) as stream:
            await servers[0].serve_forever()
            with pytest.raises(EOFError):
                await stream.receive_frame()

    run(main())


def test_a_connection_made_after_the_close(run: Run) -> None:
    """What was accepted at the last moment is closed again, its handler never called."""

    async def main() -> None:
        left, right = socket.socketpair()
        server = await serve(echo, HOST, 0)
        server.close()
        stream = FramedStream(await asyncio.open_connection(sock=left))
        module._start_handler(server, echo, stream)
        await server.wait_closed()
        await stream.aclose()
        await ended(right)

    run(main())


def test_what_a_stopped_server_leaves_of_channels(run: Run) -> None:
    """Their connections are closed, and each hears of it once."""
    logs: list[Log] = []

    def factory() -> Log:
        logs.append(Log())
        return logs[-1]

    async def main() -> None:
        async with await serve_channel(factory, HOST, 0, tls=server_tls()) as server:
            stream = await connect(HOST, server.port, tls=client_tls())
            await stream.send(b"x\n")
            while len(logs) < 1 or len(logs[0].log) < 2:
                await asyncio.sleep(0)
            server.close()
            await server.wait_closed()
            with contextlib.suppress(OSError, EOFError):
                await stream.receive_frame()
            await stream.aclose()
        assert [log.log for log in logs] == [["made", b"x", None]]

    run(main())


def test_a_server_closed_while_peers_shake_hands(run: Run) -> None:
    """Their connections are closed with it."""

    async def main() -> None:
        server = await serve_channel(Log, HOST, 0, tls=server_tls())
        with socket.create_connection((HOST, server.port or 0)) as sock:
            while not server._running:
                await asyncio.sleep(0)
            server.close()
            await server.wait_closed()
            await ended(sock)

    run(main())


def test_a_server_closed_by_a_hook(run: Run) -> None:
    """The hook goes on, and the connection is lost after it."""
    servers: list[Server] = []
    log: list[str] = []

    class Closes(Log):
        def frame_received(self, frame: bytes) -> None:
            servers[0].close()
            self.push(frame)
            log.append("the hook is over")

        def connection_lost(self, exc: Exception | None) -> None:
            log.append("lost")

    async def main() -> None:
        servers.append(await serve_channel(Closes, HOST, 0))
        async with await connect(HOST, servers[0].port) as stream:
            await stream.send(b"x\n")
            await servers[0].wait_closed()

    run(main())
    assert log == ["the hook is over", "lost"]


def test_a_producer_that_fails_behind_a_handler(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the connection closed."""

    def failing() -> Iterator[bytes]:
        yield b"line\n"
        raise ValueError("the producer's")

    async def handler(stream: FramedStream) -> None:
        stream.output.push_producer(failing())

    async def main() -> None:
        async with await serve(handler, HOST, 0) as server:
            async with await connect(HOST, server.port) as stream:
                assert [frame async for frame in stream] == [b"line"]

    run(main())
    assert "the producer's" in caplog.text


# -- One conversation -------------------------------------------------------------------------


def test_run_channel_cancelled(run: Run) -> None:
    """The channel hears of the end, and the connection is closed."""

    async def main() -> None:
        left, right = socket.socketpair()
        log = Log()
        running = asyncio.create_task(run_channel(log, await asyncio.open_connection(sock=left)))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert log.log == ["made", None]
        await ended(right)

    run(main())


class InterruptedRunError(BaseException):
    """Not to be caught."""


def ignore(_loop: object, _context: object) -> None:
    """Let an error pass."""


def test_no_plain_exception_in_a_hook() -> None:
    """It comes out of run_channel, when the connection is closed; but uvloop stops."""

    class Bad(Log):
        def frame_received(self, frame: bytes) -> None:
            raise InterruptedRunError

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(ignore)
        left, right = socket.socketpair()
        right.sendall(b"x\n")
        with pytest.raises(InterruptedRunError):
            await run_channel(Bad(), await asyncio.open_connection(sock=left))
        await ended(right)

    asyncio.run(main())


def test_a_pair_that_is_closed_by_its_writer() -> None:
    """As callbacks of ``start_server`` do it: what was sent before goes out."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = FramedStream((reader, writer), b"\r\n")
        await stream.send_frame(await stream.receive_frame())
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        async with await asyncio.start_server(converse, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\r\n")
            assert await reader.read() == b"hello\r\n"
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())
