"""framer over trio: its rules of cancellation and checkpoints, on all kinds of its streams.

What holds in all worlds is in the suite, at the end.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

import conformance
import pytest
import trio
from trio_streams import Recorder, run
from worlds import TrioWorld

from framer import Channel
from framer_adapters import trio as adapter
from framer_adapters.trio import FramedStream, connect, run_channel, serve, serve_channel

T = TypeVar("T")
Pair: TypeAlias = tuple[trio.abc.Stream, trio.abc.Stream]


@asynccontextmanager
async def serving(
    server: Callable[..., Awaitable[object]], *args: Any
) -> AsyncGenerator[int, None]:
    """Serve, and give the port."""
    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(partial(server, *args))
        address: Any = listeners[0].socket.getsockname()
        yield 0 if isinstance(address, str) else address[1]
        nursery.cancel_scope.cancel()


# -- The module


def test_a_missing_trio_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is an ImportError that helps."""
    assert adapter.__file__ is not None
    spec = importlib.util.spec_from_file_location("without_trio", adapter.__file__)
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.setitem(sys.modules, "trio", None)
    with pytest.raises(ImportError, match=r'pip install "sansio-framer\[trio\]"') as caught:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert isinstance(caught.value.__cause__, ImportError)


# -- connect and serve


async def check_echo(port: int, host: str = "127.0.0.1") -> None:
    """Ask, and compare the answer."""
    async with await connect(host, port) as client:
        await client.send_frame(b"hello")
        assert await client.receive_frame() == b"HELLO"


async def handle(stream: FramedStream) -> None:
    """Do what the peer says."""
    async for frame in stream:
        if frame == b"group":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.receive_frame)
        elif frame == b"think":
            await trio.sleep(100)
        elif frame == b"exit":
            raise SystemExit(3)
        await stream.send_frame(frame.upper())


def test_all_addresses_have_the_same_port() -> None:
    """Also when the system has chosen it."""

    async def main() -> None:
        async with serving(serve, handle, None, 0) as port:
            for host in ("127.0.0.1", "::1"):
                await check_echo(port, host)

    run(main)


def test_what_is_no_terminator() -> None:
    """The server does not begin: it would end with the first connection."""

    async def handler(_: FramedStream) -> None:
        """There is none."""

    with pytest.raises(ValueError, match="at least one byte"):
        trio.run(serve, handler, "127.0.0.1", 0, b"")


def test_a_handler_with_a_nursery(caplog: pytest.LogCaptureFixture) -> None:
    """What it raises comes in a group, and is logged all the same."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with serving(serve, handle, "127.0.0.1", 0) as port:
            async with await connect("127.0.0.1", port) as client:
                await client.send_frame(b"group")
                await client.send_eof()
                with pytest.raises(trio.EndOfChannel):
                    await client.receive_frame()
            await check_echo(port)

    run(main)
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_what_is_no_exception_ends_the_server() -> None:
    """In groups, as from any nursery."""

    async def main() -> None:
        address = ("127.0.0.1", 0)
        async with (
            serving(serve, handle, *address) as port,
            await connect(address[0], port) as client,
        ):
            await client.send_frame(b"exit")
            await trio.sleep_forever()

    with pytest.RaisesGroup(SystemExit, flatten_subgroups=True):
        run(main)


def test_the_time_limit_is_for_the_peer() -> None:
    """Not for what the handler does meanwhile."""

    async def main() -> None:
        server = partial(serve, handle, "127.0.0.1", 0, idle_timeout=5)
        async with serving(server) as port, await connect("127.0.0.1", port) as client:
            start = trio.current_time()
            await client.send_frame(b"think")
            assert await client.receive_frame() == b"THINK"
            with pytest.raises(trio.EndOfChannel):
                await client.receive_frame()
            assert trio.current_time() == pytest.approx(start + 105)

    run(main)


def test_a_factory_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and one connection is closed."""
    made: list[int] = []

    def factory() -> Channel:
        made.append(1)
        if len(made) == 1:
            raise ValueError("of the factory")
        return Recorder()

    async def main() -> None:
        async with serving(serve_channel, factory, "127.0.0.1", 0) as port:
            async with await connect("127.0.0.1", port) as client:
                with pytest.raises(trio.EndOfChannel):
                    await client.receive_frame()
            await check_echo(port)

    run(main)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_producer_that_fails_when_its_handler_has_returned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the server goes on."""

    async def push(stream: FramedStream) -> None:
        stream.output.push_producer(1 // number for number in (1, 0))  # type: ignore[misc]

    async def main() -> None:
        async with serving(serve, push, "127.0.0.1", 0) as port:
            for _ in range(2):
                async with await connect("127.0.0.1", port) as stream:
                    with pytest.raises((trio.EndOfChannel, trio.BrokenResourceError)):
                        await stream.receive_frame()

    run(main)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_the_last_word_over_what_cannot_be_half_closed() -> None:
    """It is closed at once, for the peer would not learn that nothing more comes."""

    class Whole(trio.abc.Stream):
        closed = False

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            return await trio.sleep_forever()

        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            """Take it."""

        async def wait_send_all_might_not_block(self) -> None:
            """Take anything."""

        async def aclose(self) -> None:
            self.closed = True

    async def main() -> None:
        channel, stream = Channel(), Whole()
        channel.push(b"bye")
        channel.close_when_done()
        before = trio.current_time()
        await run_channel(channel, stream)
        assert stream.closed
        assert trio.current_time() - before < 0.5

    run(main)


# -- What all adapters have in common


def test_what_is_no_tls() -> None:
    """It is refused before anything is opened."""
    wrong: Any = True

    async def main() -> None:
        for refused in (
            connect("127.0.0.1", 1, tls=wrong),
            serve(trio.aclose_forcefully, "127.0.0.1", 0, tls=wrong),
            serve_channel(Channel, "127.0.0.1", 0, tls=wrong),
        ):
            with pytest.raises(TypeError, match="give an ssl"):
                await refused

    run(main)


class TestChannels(conformance.ChannelSuite):
    """Channels, as in all worlds."""

    world = TrioWorld()


class TestStreams(conformance.StreamSuite):
    """Streams, as in all worlds."""

    world = TrioWorld()
