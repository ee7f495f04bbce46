"""The adapter for anyio: frames and channels over byte streams, on asyncio, on uvloop and on trio.

Scripted streams hold what depends on the moment, real sockets and real TLS the rest.
"""
# ruff: noqa: S610 - this extra() is anyio's, and knows no SQL

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import inspect
import logging
import socket
import ssl
import struct
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import anyio
import anyio.abc
import anyio.lowlevel
import conformance
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.stapled import StapledByteStream, StapledObjectStream
from anyio.streams.text import TextStream
from anyio.streams.tls import TLSAttribute
from peers import client_tls, server_tls
from worlds import AnyioWorld

import framer_adapters.anyio as adapter
from framer import PENDING, Channel
from framer_adapters import _task_conversation, _task_stream, _task_world
from framer_adapters.anyio import FramedStream, connect, run_channel, serve, serve_channel

T = TypeVar("T")

LOCALHOST = "127.0.0.1"
TICK = 0.005  # seconds: for what has to time out
DEADLINE = 5.0  # seconds: for what must not

Options = Mapping[str, bool]
WORLDS: dict[str, tuple[str, Options]] = {"asyncio": ("asyncio", {}), "trio": ("trio", {})}
if importlib.util.find_spec("uvloop") is not None:
    WORLDS["uvloop"] = ("asyncio", {"use_uvloop": True})


def everywhere(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test under each back end, with a deadline."""

    @functools.wraps(test)
    def run(world: str, **fixtures: object) -> None:
        async def main() -> None:
            with anyio.fail_after(DEADLINE):
                await test(**fixtures)

        backend, options = WORLDS[world]
        anyio.run(main, backend=backend, backend_options=dict(options))

    own = inspect.Parameter("world", inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.signature(test)
    vars(run)["__signature__"] = signature.replace(
        parameters=[*signature.parameters.values(), own], return_annotation=None
    )
    parametrized: Callable[..., None] = pytest.mark.parametrize("world", WORLDS)(run)
    return parametrized


class Script(anyio.abc.ByteStream):
    """A peer that follows a script: bytes to receive, or an error; then silence, or the end."""

    def __init__(self, *incoming: bytes | Exception, end: bool = True) -> None:
        self.incoming = deque[bytes | Exception](incoming)
        self.arrived = anyio.Event()
        self.end = end
        self.sent: list[bytes] = []
        self.writable = anyio.Event()
        self.writable.set()
        self.sending = anyio.Event()  # somebody is in send()
        self.receiving = anyio.Event()  # somebody is waiting in receive()
        self.send_error: Exception | None = None
        self.eof_error: Exception | None = None
        self.ended = False
        self.closed = 0

    def arrive(self, *incoming: bytes | Exception) -> None:
        """Have more come in."""
        self.incoming.extend(incoming)
        self.arrived.set()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Follow the script."""
        await anyio.lowlevel.checkpoint()
        while not self.incoming:
            if self.end:
                raise anyio.EndOfStream
            self.arrived = anyio.Event()
            self.receiving.set()
            await self.arrived.wait()
        item = self.incoming.popleft()
        if isinstance(item, Exception):
            raise item
        return item

    async def send(self, item: bytes) -> None:
        """Take it, when that is possible."""
        await anyio.lowlevel.checkpoint()
        self.sending.set()
        await self.writable.wait()
        if self.send_error is not None:
            raise self.send_error
        self.sent.append(item)

    async def send_eof(self) -> None:
        """Take note."""
        await anyio.lowlevel.checkpoint()
        if self.eof_error is not None:
            raise self.eof_error
        self.ended = True

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1
        await anyio.lowlevel.checkpoint()

    @property
    def output(self) -> bytes:
        """All that was sent."""
        return b"".join(self.sent)


async def settle() -> None:
    """Let all other tasks do what they can do without waiting."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


@contextlib.asynccontextmanager
async def running(
    function: Callable[..., Coroutine[Any, Any, object]], *args: Any, **options: Any
) -> AsyncGenerator[Any]:
    """Serve, and give the port, or the path."""
    async with anyio.create_task_group() as tasks:
        listener = await tasks.start(functools.partial(function, **options), *args)
        address = listener.extra(SocketAttribute.local_address)
        yield address if isinstance(address, str) else address[1]
        tasks.cancel_scope.cancel()


async def echo(stream: FramedStream) -> None:
    """Answer each frame with itself."""
    async for frame in stream:
        await stream.send_frame(frame)


def reset(stream: anyio.abc.SocketStream) -> None:
    """Have the close of this socket reset the connection."""
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Echo(Channel):
    """Answers each line with itself, and keeps a diary."""

    def __init__(self) -> None:
        super().__init__()
        self.diary: list[object] = []
        self.losses: list[Exception | None] = []
        self.lost = anyio.Event()

    def connection_made(self) -> None:
        """The first line."""
        self.diary.append("made")

    def frame_received(self, frame: bytes) -> None:
        """A line of its own."""
        self.diary.append(frame)
        if frame == b"QUIT":
            self.close_when_done()
        else:
            self.push(frame + b"\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """The last line."""
        self.losses.append(exc)
        self.diary.append(("lost", exc))
        self.lost.set()

    @property
    def reason(self) -> object:
        """What connection_lost() got; it has to have been called once, and as the last."""
        (reason,) = self.losses
        assert self.diary[-1] == ("lost", reason)
        return reason


@pytest.fixture(autouse=True)
def _no_idle_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trio keeps threads for ten seconds, lest they are needed again; they would seem to leak."""
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", TICK)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all that takes its time hurry up."""
    monkeypatch.setattr(_task_conversation, "LINGER", TICK)
    monkeypatch.setattr(_task_world, "LINGER", TICK)
    monkeypatch.setattr(_task_stream, "CLOSE_TIMEOUT", TICK)
    monkeypatch.setattr(adapter, "ACCEPT_PAUSE", TICK)


# What all adapters have in common


class TestChannels(conformance.ChannelSuite):
    """Channels under asyncio."""

    world = AnyioWorld("asyncio")


class TestChannelsTrio(conformance.ChannelSuite):
    """Channels under trio."""

    world = AnyioWorld("trio")


class TestStreams(conformance.StreamSuite):
    """Streams under asyncio."""

    world = AnyioWorld("asyncio")


class TestStreamsTrio(conformance.StreamSuite):
    """Streams under trio."""

    world = AnyioWorld("trio")


# What is sent


@everywhere
async def test_a_send_that_is_cancelled_half_way_breaks_sending() -> None:
    """Nobody knows how much went; but receiving goes on, and closing does not wait."""
    script = Script(b"spam\n")
    script.writable = anyio.Event()
    stream = FramedStream(script)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send, b"half")
        await script.sending.wait()
        tasks.cancel_scope.cancel()
    script.writable.set()
    for _ in range(2):
        with pytest.raises(anyio.BrokenResourceError, match="broke off"):
            await stream.send(b"more")
    with pytest.raises(anyio.BrokenResourceError):
        await stream.send_producer([b"more"])
    with pytest.raises(anyio.BrokenResourceError):
        await stream.send_eof()
    with pytest.raises(anyio.BrokenResourceError):
        await stream.start_tls(client_tls())
    assert await stream.receive_frame() == b"spam"
    await stream.aclose()
    assert (script.sent, script.closed) == ([], 1)


@everywhere
async def test_a_lost_connection_is_remembered_by_send() -> None:
    """Each send says so, and so does receive, when it has given all that came."""
    for error in (ConnectionResetError(), BrokenPipeError()):
        script = Script(b"spam\n")
        script.send_error = error
        stream = FramedStream(script)
        with pytest.raises(type(error)):
            await stream.send(b"a")
        with pytest.raises(anyio.BrokenResourceError):
            await stream.send(b"b")
        assert await stream.receive_frame() == b"spam"
        for _ in range(2):
            with pytest.raises(type(error)):
                await stream.receive_frame()
        await stream.aclose()
        assert script.closed == 1


@everywhere
async def test_send_eof_that_the_transport_cannot_do_changes_nothing() -> None:
    """What it raises comes out."""
    script = Script()
    script.eof_error = NotImplementedError()
    stream = FramedStream(script)
    with pytest.raises(NotImplementedError):
        await stream.send_eof()
    await stream.send(b"more")
    assert script.sent == [b"more"]


# Closing


@everywhere
async def test_close_waits_for_a_send_under_way() -> None:
    """It is not cut off, nor are those behind it; later ones are told."""
    script = Script()
    script.writable = anyio.Event()
    stream = FramedStream(script)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send, b"first")
        await settle()
        tasks.start_soon(stream.send, b"second")
        await settle()
        tasks.start_soon(stream.aclose)
        await settle()
        assert script.closed == 0
        with pytest.raises(anyio.ClosedResourceError):
            await stream.send(b"no")
        script.writable.set()
    assert (script.sent, script.closed) == ([b"first", b"second"], 1)


@everywhere
async def test_close_when_cancelled_closes_at_once() -> None:
    """Whatever is left."""
    script = Script()
    stream = FramedStream(script)
    with anyio.CancelScope() as scope:
        async with stream:
            stream.output.push(b"left")
            scope.cancel()
    assert (script.sent, script.closed) == ([], 1)


@everywhere
async def test_errors_in_closing() -> None:
    """Those of the connection are of no interest; those of a producer come out, after all."""
    script = Script()
    script.send_error = anyio.BrokenResourceError()
    async with FramedStream(script) as stream:
        stream.output.push(b"left")
    stream = FramedStream(script)
    stream.output.push_producer(b"%d" % (1 // n) for n in (0, 0))
    with pytest.raises(ZeroDivisionError):
        await stream.aclose()
    assert script.closed == 2


class Later:
    """A producer that has nothing until it is told."""

    data: Any = PENDING

    def more(self) -> Any:
        """Give it, once."""
        data, self.data = self.data, b""
        return data


@everywhere
async def test_closing_cuts_a_producer_that_has_nothing() -> None:
    """At once, and who sends it hears of it, as does who waits behind."""
    stream = FramedStream(Script())

    async def cut(function: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(anyio.ClosedResourceError, match="before all was sent"):
            await function()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cut, functools.partial(stream.send_producer, Later()))
        await settle()
        tasks.start_soon(cut, functools.partial(stream.send, b"behind"))
        await settle()
        with anyio.fail_after(DEADLINE / 5):
            await stream.aclose()


@everywhere
async def test_a_send_waits_behind_a_producer_that_was_cancelled() -> None:
    """When that has something, both go out."""
    script, producer = Script(), Later()
    stream = FramedStream(script)
    with anyio.move_on_after(TICK):
        await stream.send_producer(producer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send, b" and this")
        await settle()
        producer.data = b"that"
        stream.output.wake()
    assert script.output == b"that and this"


# With what anyio has


@everywhere
async def test_it_is_an_object_stream() -> None:
    """TextStream, StapledObjectStream and BufferedByteReceiveStream take it as it is."""
    script = Script("spam\nä\n".encode())
    text = TextStream(FramedStream(script))
    assert await text.receive() == "spam"
    await text.send("é")
    assert await text.receive() == "ä"
    assert script.sent == ["é".encode()]
    stapled = StapledObjectStream(FramedStream(Script()), FramedStream(Script(b"spam\n")))
    assert [frame async for frame in stapled] == [b"spam"]
    await stapled.send_eof()
    await stapled.aclose()
    buffered = BufferedByteReceiveStream(FramedStream(Script(b"spam\neggs\n")))
    assert await buffered.receive_exactly(8) == b"spameggs"


@everywhere
async def test_it_takes_any_stream_of_bytes() -> None:
    """Memory streams and stapled ones, objects of any size."""
    into, incoming = anyio.create_memory_object_stream[bytes](10)
    outgoing, out = anyio.create_memory_object_stream[bytes](10)
    async with FramedStream(StapledObjectStream(outgoing, incoming)) as stream:
        await into.send(b"sp")
        await into.send(b"")
        await into.send(b"am\neggs\n")
        await stream.send_frame(b"ham")
        assert [await stream.receive_frame() for _ in range(2)] == [b"spam", b"eggs"]
        await into.aclose()
        with pytest.raises(anyio.EndOfStream):
            await stream.receive_frame()
    assert [item async for item in out] == [b"ham\n"]
    await out.aclose()
    script = Script(b"spam\n")
    async with FramedStream(StapledByteStream(script, script)) as stream:
        assert await stream.receive_frame() == b"spam"


@everywhere
async def test_extra_attributes_are_those_of_the_transport() -> None:
    """Of sockets and of TLS."""
    seen = anyio.Event()

    async def handler(stream: FramedStream) -> None:
        assert stream.extra(TLSAttribute.server_side)
        seen.set()

    async with (
        running(serve, handler, LOCALHOST, 0, tls=server_tls()) as port,
        await connect("localhost", port, tls=client_tls()) as stream,
    ):
        assert stream.extra(SocketAttribute.remote_port) == port
        assert stream.extra(TLSAttribute.peer_certificate)
        await seen.wait()


# Sockets and TLS


@everywhere
async def test_arguments_that_make_no_sense() -> None:
    """They are refused before anything is opened, or nothing is left open."""
    with pytest.raises(TypeError, match="path of a Unix socket"):
        await connect(LOCALHOST, b"\n")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="path of a Unix socket"):
        await serve(echo, None)
    with pytest.raises(ValueError, match="at least one byte"):
        await serve(echo, LOCALHOST, 0, b"")
    async with running(serve, echo, LOCALHOST, 0) as port:
        with pytest.raises(ValueError, match="at least one byte"):
            await connect(LOCALHOST, port, b"")


@everywhere
async def test_a_peer_that_floods_is_not_read_before_its_turn(quick: None) -> None:
    """A connection that anyio accepted under asyncio is read without end, unless it is stopped."""
    for function in (serve, serve_channel):

        class Lazy(Echo):
            def connection_made(self) -> None:
                self.push_producer(iter(lambda: PENDING, None))
                self.push(b"x" * 100_000)  # congested

        async def lazy(stream: FramedStream) -> None:
            await anyio.sleep_forever()

        serving = lazy if function is serve else Lazy
        async with running(function, serving, LOCALHOST, 0) as port:
            stream = await connect(LOCALHOST, port)
            raw = stream.extra(SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            sent = 0
            with anyio.move_on_after(10 * TICK) as scope:
                while sent < 32 << 20:
                    await stream.send(bytes(1 << 18))
                    sent += 1 << 18
                    scope.deadline = anyio.current_time() + 10 * TICK
            assert scope.cancelled_caught, "it took all that there was"
            await stream.aclose()


@everywhere
async def test_a_transport_that_is_lost_at_once() -> None:
    """It refuses to stop reading, under uvloop."""

    class Lost:
        def pause_reading(self) -> None:
            raise RuntimeError

    async with running(serve, echo, LOCALHOST, 0) as port:
        transport = await anyio.connect_tcp(LOCALHOST, port)
        kept = vars(transport).get("_transport")
        vars(transport)["_transport"] = Lost()
        stream = FramedStream(transport)
        vars(transport).pop("_transport")
        if kept is not None:
            vars(transport)["_transport"] = kept
        await stream.aclose()


@everywhere
async def test_other_errors_at_accept(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """Who gives up while he waits does no harm; what is wrong with the listener comes out."""
    no_files = anyio.BrokenResourceError()
    no_files.__cause__ = OSError(errno.ENFILE, "")
    errors = [ConnectionAbortedError(), no_files, OSError(errno.EBADF, "gone")]

    class Listener:
        async def serve(self, *_: object) -> None:
            raise errors.pop(0)

        async def aclose(self) -> None: ...

    async def from_socket(_: object) -> Listener:
        return Listener()

    def listen(*_: object) -> list[None]:
        return [None]

    monkeypatch.setattr(adapter, "listen", listen)
    monkeypatch.setattr(anyio.abc.SocketListener, "from_socket", from_socket)
    with pytest.raises(ExceptionGroup) as caught:
        await serve(echo, LOCALHOST, 0)
    assert [str(error) for error in caught.value.exceptions] == ["[Errno 9] gone"]


@everywhere
async def test_after_a_handshake_that_failed_nothing_works() -> None:
    """Or what was meant to be secret would go out in plain text."""
    cancelled = Script(end=False)
    stream = FramedStream(cancelled)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(stream.start_tls, server_tls()))
        await cancelled.receiving.wait()
        tasks.cancel_scope.cancel()
    failed = FramedStream(Script(b"no TLS at all"))
    with pytest.raises(ssl.SSLError):
        await failed.start_tls(server_tls())
    for broken in (stream, failed):
        with pytest.raises(anyio.BrokenResourceError, match="handshake"):
            await broken.send(b"secret")
        with pytest.raises(anyio.BrokenResourceError, match="handshake"):
            await broken.receive_frame()
        await broken.aclose()
    assert cancelled.sent == []


@everywhere
async def test_closing_tls_does_not_wait_long(quick: None) -> None:
    """A peer that does not answer the close_notify is left alone; what was sent has arrived."""
    got: list[bytes] = []

    async def handler(stream: FramedStream) -> None:
        await stream.send(b"bye\n")

    async with running(serve, handler, LOCALHOST, 0, tls=server_tls()) as port:
        transport = await anyio.connect_tcp(
            LOCALHOST, port, ssl_context=client_tls(), tls_hostname="localhost"
        )
        with contextlib.suppress(anyio.EndOfStream):
            while True:
                got.append(await transport.receive())
        await anyio.aclose_forcefully(transport)
    assert got == [b"bye\n"]


# Channels


@everywhere
async def test_reading_goes_on_while_sending() -> None:
    """Until it is congested; when that is over, it goes on."""

    class Loud(Echo):
        def frame_received(self, frame: bytes) -> None:
            self.diary.append(frame)
            self.push(frame * 40_000)

    script = Script(b"a\n", end=False)
    script.writable = anyio.Event()
    channel = Loud()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_channel, channel, script)
        await script.sending.wait()
        for line in (b"b\n", b"c\n"):
            await settle()
            script.arrive(line)
        await settle()
        assert channel.diary == ["made", b"a", b"b"]  # by then it is congested
        script.end = True
        script.writable.set()
    assert channel.diary == ["made", b"a", b"b", b"c", ("lost", None)]
    assert script.output == b"a" * 40_000 + b"b" * 40_000 + b"c" * 40_000


@everywhere
async def test_discard_ends_a_send_that_is_stuck(quick: None) -> None:
    """The peer takes nothing. Without a close, what is pushed then goes out."""
    script = Script(end=False)
    script.writable = anyio.Event()
    channel = Echo()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_channel, channel, script)
        await settle()
        channel.push(b"a")
        await script.sending.wait()
        channel.output.discard()
        channel.push(b"b")
        await settle()
        script.writable.set()
        await settle()
        assert script.sent == [b"a", b"b"]
        script.writable = anyio.Event()
        channel.push(b"c")
        await settle()
        channel.discard()
        await channel.lost.wait()
    assert (script.sent, script.ended, script.closed) == ([b"a", b"b"], True, 1)
    assert channel.reason is None


@everywhere
@pytest.mark.parametrize("place", ["made", "frame", "producer", "lost"])
async def test_what_is_no_exception_comes_out_of_a_hook(place: str) -> None:
    """The transport is closed all the same."""

    class Stop(BaseException):
        pass

    class Stopping(Channel):
        def connection_made(self) -> None:
            if place == "made":
                raise Stop

        def frame_received(self, frame: bytes) -> None:
            if place == "frame":
                raise Stop
            self.push_producer(self.produce())

        def produce(self) -> Iterator[bytes]:
            if place == "producer":
                raise Stop
            yield b"!"

        def connection_lost(self, exc: Exception | None) -> None:
            if place == "lost":
                raise Stop

    script = Script(b"a\n")
    with pytest.raises((Stop, BaseExceptionGroup)) as caught:
        await run_channel(Stopping(), script)
    assert "Stop()" in repr(caught.value)
    assert script.closed == 1


@everywhere
async def test_a_channel_whose_connection_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    """All that came in before is delivered, also when it is a send that finds out."""
    error = anyio.BrokenResourceError()
    script, channel = Script(b"a\n", b"b\n", error), Echo()
    await run_channel(channel, script)
    assert channel.diary == ["made", b"a", b"b", ("lost", error)]
    script, channel = Script(b"a\n", end=False), Echo()
    script.send_error = error
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_channel, channel, script)
        await script.sending.wait()
        await settle()
        script.end = True
        script.arrive(b"b\n")
    assert channel.diary == ["made", b"a", b"b", ("lost", error)]
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert script.closed == 1


@everywhere
async def test_a_send_that_fails_while_the_peer_is_silent(quick: None) -> None:
    """There is nothing to be delivered, and so no waiting for it."""
    script, channel = Script(b"a\n", end=False), Echo()
    script.send_error = anyio.BrokenResourceError()
    await run_channel(channel, script)
    assert channel.diary == ["made", b"a", ("lost", script.send_error)]


@everywhere
async def test_cancelling_a_conversation() -> None:
    """In every state: the transport is closed, and connection_lost() called without an error."""
    idle, sending, lingering = Script(end=False), Script(b"a\n"), Script(b"QUIT\n", end=False)
    sending.writable = anyio.Event()
    for script in (idle, sending, lingering):
        channel = Echo()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_channel, channel, script)
            await settle()
            tasks.cancel_scope.cancel()
        assert channel.reason is None
        assert script.closed == 1
        assert channel.output.on_ready is None


@everywhere
async def test_cancelling_at_every_await() -> None:
    """Over real sockets, after every so many turns of the loop; nothing is left open."""

    async def stream(transport: anyio.abc.SocketStream) -> None:
        async with FramedStream(transport) as stream:
            await stream.start_tls(server_tls())
            await echo(stream)

    async def channel(transport: anyio.abc.SocketStream) -> None:
        channel = Echo()
        try:
            await run_channel(channel, transport)
        finally:
            assert channel.reason is None

    for converse in (stream, channel):
        for turns in range(16):
            async with (
                await anyio.create_tcp_listener(local_host=LOCALHOST) as listener,
                anyio.create_task_group() as clients,
                anyio.create_task_group() as tasks,
            ):
                (one,) = listener.listeners
                assert isinstance(one, anyio.abc.SocketListener)
                port = one.extra(SocketAttribute.local_port)
                clients.start_soon(talk, port, client_tls() if converse is stream else None)
                tasks.start_soon(converse, await one.accept())
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()


async def talk(port: int, tls: ssl.SSLContext | None) -> None:
    """Be a client until the server has gone."""
    with contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream):
        async with await connect("localhost", port, tls=tls) as stream:
            while True:
                await stream.send(b"spam\n")
                await stream.receive_frame()


class Upgrade(Echo):
    """Starts TLS when it is asked to."""

    def __init__(self, context: ssl.SSLContext, name: str | None = None) -> None:
        super().__init__()
        self.context = context
        self.name = name

    def frame_received(self, frame: bytes) -> None:
        """Do so."""
        super().frame_received(frame)
        if frame == b"STARTTLS":
            self.start_tls(self.context, server_hostname=self.name)

    def tls_started(self) -> None:
        """Speak first."""
        self.diary.append("tls")
        self.push(b"safe\n")


@everywhere
async def test_tls_that_is_started_from_elsewhere() -> None:
    """A read that is under way is given up for it; here it is a client that does so."""

    async def handler(stream: FramedStream) -> None:
        await stream.receive_frame()
        await stream.start_tls(server_tls())
        assert await stream.receive_frame() == b"safe"
        await stream.send(b"QUIT\n")
        with contextlib.suppress(anyio.EndOfStream):
            await stream.receive_frame()

    async with running(serve, handler, LOCALHOST, 0) as port:
        channel = Upgrade(client_tls())
        transport = await anyio.connect_tcp(LOCALHOST, port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_channel, channel, transport)
            await settle()
            channel.push(b"STARTTLS\n")
            channel.start_tls(channel.context, server_hostname="localhost")
    assert channel.diary == ["made", "tls", b"QUIT", ("lost", None)]


@everywhere
async def test_tls_from_elsewhere_when_the_answer_is_there_at_once() -> None:
    """The receiver must not take it, though the sender has not returned yet."""
    script, channel = Script(end=False), Echo()
    script.writable = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_channel, channel, script)
        await settle()
        channel.push(b"go\n")
        channel.start_tls(server_tls())
        await script.sending.wait()
        script.arrive(b"ClientHello")
        await settle()
        script.writable.set()
    assert isinstance(channel.reason, ssl.SSLError)


@everywhere
async def test_the_last_word_is_not_given_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """After LINGER it is closed; what cannot be half-closed, or is lost by then, at once."""
    monkeypatch.setattr(_task_world, "LINGER", 12 * TICK)
    for error in (None, NotImplementedError(), anyio.BrokenResourceError()):
        script = Script(b"QUIT\n", end=False)
        script.eof_error = error
        channel = Echo()
        await run_channel(channel, script, idle_timeout=10 * TICK)
        assert channel.reason is None
        assert script.closed == 1


@everywhere
async def test_a_factory_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the connection closed."""
    async with (
        running(serve_channel, lambda: 1 // 0, LOCALHOST, 0) as port,
        await connect(LOCALHOST, port) as stream,
    ):
        with pytest.raises(anyio.EndOfStream):
            await stream.receive_frame()
    (record,) = caplog.records
    assert record.levelname == "ERROR"


@everywhere
async def test_each_receive_is_a_checkpoint() -> None:
    """Also of a frame that is here: others have their turn, and it can be cancelled."""
    stream = FramedStream(Script(b"1\n2\n3\n"))
    assert await stream.receive() == b"1"
    with anyio.CancelScope() as scope:
        scope.cancel()
        await stream.receive()
    assert scope.cancelled_caught
    assert await stream.receive() == b"2"
    await stream.aclose()
    with pytest.raises(anyio.ClosedResourceError):
        await stream.receive()


@everywhere
async def test_what_is_no_tls() -> None:
    """It is refused before anything is opened."""
    wrong: Any = True
    for refused in (
        connect(LOCALHOST, 1, tls=wrong),
        serve(anyio.aclose_forcefully, LOCALHOST, 0, tls=wrong),
        serve_channel(Channel, LOCALHOST, 0, tls=wrong),
    ):
        with pytest.raises(TypeError, match="give an ssl"):
            await refused


# Without anyio


def test_without_anyio_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the extra."""
    monkeypatch.setitem(sys.modules, "anyio", None)
    spec = importlib.util.spec_from_file_location("without_anyio", adapter.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.raises(
        ModuleNotFoundError, match=r'pip install "sansio-framer\[anyio\]"'
    ) as caught:
        spec.loader.exec_module(module)
    assert caught.value.name == "anyio"
