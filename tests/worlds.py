"""The worlds that the conformance suite runs in: what it has to know of each, and no more.

The suite is written once. What differs from world to world is how it is started and stopped,
how it waits for two things at once, and what its errors are called: that is a `World`.

For an adapter of your own, subclass `World` (or `AsyncWorld`), say what its class attributes say,
and write the methods that raise NotImplementedError: for a world without streams
`serve` and `_run_channel` will do, for one with streams all of them.
`TrioWorld` is a short one to look at. Then plug it in, as `conformance` shows.
"""

# ruff: noqa: D102 - what overrides a method does what that one says

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
)
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Final, Protocol, Self, TypeAlias, TypeVar, cast

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import trio
from peers import Address, Background, client_tls, server_tls, wait_until

from framer import Channel, Event, Framer, OutputQueue, Producer, Terminator, UsageError
from framer.testing import check_stream

__all__ = [
    "AnyioWorld",
    "AsyncWorld",
    "AsyncioWorld",
    "BlockingWorld",
    "SelectorsWorld",
    "Stream",
    "TrioWorld",
    "UvloopWorld",
    "World",
]

T = TypeVar("T")

LOCALHOST: Final = "127.0.0.1"

Ready: TypeAlias = Callable[[int | None, Callable[[], object]], object]
"""To be called with the port (None at a path) and with what stops the server from any thread."""


class Stream(Protocol):
    """A FramedStream of any world, as the scenarios of the suite see it."""

    @property
    def terminator(self) -> Terminator: ...
    @terminator.setter
    def terminator(self, terminator: Terminator, /) -> None: ...
    @property
    def max_frame_size(self) -> int | None: ...
    @max_frame_size.setter
    def max_frame_size(self, max_frame_size: int | None, /) -> None: ...
    @property
    def framer(self) -> Framer: ...
    @property
    def output(self) -> OutputQueue: ...
    async def receive_frame(self) -> bytes: ...
    async def receive_event(self) -> Event: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def send(self, data: bytes | bytearray | memoryview) -> None: ...
    async def send_frame(self, payload: bytes | bytearray | memoryview) -> None: ...
    async def send_producer(self, producer: Producer) -> None: ...
    async def start_tls(
        self,
        context: Any,
        *,
        server_side: bool | None = None,
        server_hostname: str | None = None,
        leftover: Any = "refuse",
    ) -> None: ...
    async def send_eof(self) -> None: ...
    async def aclose(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc_info: object) -> bool | None: ...


Scenario: TypeAlias = Callable[[Stream], Coroutine[Any, Any, T]]


class World:
    """A runtime, its adapter, and how the suite gets a conversation going in it."""

    module_name: ClassVar[str]
    """The adapter. It is imported when it is needed first."""

    full_duplex: ClassVar[bool] = True
    """Whether a channel hears its peer while it is sending to it."""

    pushes_from_elsewhere: ClassVar[bool] = True
    """Whether the hook of one channel may push to another."""

    drops_without_files: ClassVar[bool] = False
    """Whether who connects while there is no descriptor left is turned away, not kept waiting."""

    drops_unread: bool = False
    """Whether a send that fails throws away what had come in and was not read yet."""

    end_of_stream: ClassVar[type[Exception]] = EOFError
    timeout_error: ClassVar[type[Exception]] = TimeoutError
    busy_error: ClassVar[type[Exception]] = UsageError
    lost_errors: ClassVar[tuple[type[Exception], ...]] = (ConnectionError,)
    """What a connection is lost with."""

    closed_errors: ClassVar[tuple[type[Exception], ...]] = (UsageError, OSError)
    """What using a stream after closing it raises."""

    @property
    def module(self) -> ModuleType:
        """The adapter."""
        return import_module(self.module_name)

    # What the suite uses

    def warm_up(self) -> None:
        """Open what this world opens once and keeps for ever."""

    @contextlib.contextmanager
    def channel_server(
        self,
        factory: Callable[[], Channel],
        host: str = LOCALHOST,
        *,
        tls: bool = False,
        idle_timeout: float | None = None,
    ) -> Generator[Address]:
        """Serve channels in a thread; `host` may be the path of a Unix socket."""
        start = partial(self.module.serve_channel, factory)
        with self._server(start, host, tls=tls, idle_timeout=idle_timeout) as address:
            yield address

    @contextlib.contextmanager
    def stream_server(
        self,
        handler: Scenario[object],
        host: str = LOCALHOST,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
        tls: bool = False,
        idle_timeout: float | None = None,
    ) -> Generator[Address]:
        """Serve streams in a thread."""
        start = partial(
            self.module.serve,
            self._handler(handler),
            terminator=terminator,
            max_frame_size=max_frame_size,
        )
        with self._server(start, host, tls=tls, idle_timeout=idle_timeout) as address:
            yield address

    @contextlib.contextmanager
    def _server(
        self, start: Callable[..., Any], host: str, *, tls: bool, idle_timeout: float | None
    ) -> Generator[Address]:
        path = "/" in host
        start = partial(
            start,
            host=host,
            port=None if path else 0,
            tls=server_tls() if tls else None,
            idle_timeout=idle_timeout,
        )
        started: list[tuple[int | None, Callable[[], object]]] = []

        def ready(port: int | None, stop: Callable[[], object]) -> None:
            started.append((port, stop))

        with Background(partial(self.serve, start, ready)) as serving:
            wait_until(lambda: started or serving.ended, "the start of the server")
            if not started:
                serving.result()
            port, stop = started[0]
            try:
                yield host if port is None else (host, port)
            finally:
                stop()
            serving.result()

    def run_channel(
        self, channel: Channel, sock: socket.socket, *, idle_timeout: float | None = None
    ) -> Background[None]:
        """Run one channel over a connected socket, in a thread, which is returned."""
        return Background(partial(self._run_channel, channel, sock, idle_timeout=idle_timeout))

    def run_stream(
        self,
        scenario: Scenario[T],
        sock: socket.socket,
        terminator: Terminator = b"\n",
        *,
        max_frame_size: int | None = 65536,
    ) -> T:
        """Run a scenario with a stream over a connected socket, and close the stream."""
        run = partial(self._run_stream, scenario, sock, terminator, max_frame_size=max_frame_size)
        return Background(run).result()

    def run_client(
        self,
        scenario: Scenario[T],
        address: Address,
        terminator: Terminator = b"\n",
        *,
        tls: bool = False,
        server_hostname: str | None = None,
    ) -> T:
        """Run a scenario with a stream that is connected to a server, and close it."""
        host, port = (address, None) if isinstance(address, str) else address
        connect = partial(
            self.module.connect,
            host,
            port,
            terminator=terminator,
            tls=client_tls() if tls else None,
            server_hostname=server_hostname,
        )
        return Background(partial(self._run_client, scenario, connect)).result()

    def check_pairs(self) -> None:
        """Have `check_stream` look at pairs of streams that are connected to each other."""
        Background(self._check_pairs).result()

    # What each world says

    def serve(self, start: Callable[..., Any], ready: Ready) -> None:
        """Start a server, call `ready`, and serve until it is stopped. It runs in a thread.

        `start` is the adapter's ``serve`` or ``serve_channel`` with all its arguments.
        """
        raise NotImplementedError

    def _run_channel(
        self, channel: Channel, sock: socket.socket, *, idle_timeout: float | None
    ) -> None:
        raise NotImplementedError

    def _run_stream(
        self, scenario: Scenario[T], sock: socket.socket, terminator: Terminator, **options: Any
    ) -> T:
        raise NotImplementedError

    def _run_client(self, scenario: Scenario[T], connect: Callable[[], Any]) -> T:
        raise NotImplementedError

    def _check_pairs(self) -> None:
        raise NotImplementedError

    def _handler(self, handler: Scenario[object]) -> Callable[..., Any]:
        """Make of a scenario what the adapter's ``serve`` takes for a handler."""
        return handler

    def timeout(self, stream: Stream, seconds: float) -> AbstractAsyncContextManager[object]:
        """Bound what the stream does in a block; `timeout_error` comes out of it."""
        raise NotImplementedError

    async def gather(self, *functions: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run scenarios at the same time, and wait for all of them."""
        raise NotImplementedError


# Threads


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to its end what never waits for a loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    raise AssertionError("there is no loop to wait for")


class _Facade:
    """A blocking stream whose methods are asynchronous by name."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    @property
    def framer(self) -> Framer:
        return cast("Framer", self.stream.framer)

    @property
    def output(self) -> OutputQueue:
        return cast("OutputQueue", self.stream.output)

    @property
    def terminator(self) -> Terminator:
        return cast("Terminator", self.stream.terminator)

    @terminator.setter
    def terminator(self, terminator: Terminator) -> None:
        self.stream.terminator = terminator

    @property
    def max_frame_size(self) -> int | None:
        return cast("int | None", self.stream.max_frame_size)

    @max_frame_size.setter
    def max_frame_size(self, max_frame_size: int | None) -> None:
        self.stream.max_frame_size = max_frame_size

    async def receive_frame(self) -> bytes:
        return cast("bytes", self.stream.receive_frame())

    async def receive_event(self) -> Event:
        return cast("Event", self.stream.receive_event())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for frame in self.stream:
            yield frame

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        self.stream.send(data)

    async def send_frame(self, payload: bytes | bytearray | memoryview) -> None:
        self.stream.send_frame(payload)

    async def send_producer(self, producer: Producer) -> None:
        self.stream.send_producer(producer)

    async def start_tls(self, context: Any, **options: Any) -> None:
        self.stream.start_tls(context, **options)

    async def send_eof(self) -> None:
        self.stream.send_eof()

    async def aclose(self) -> None:
        self.stream.close()

    async def __aenter__(self) -> Self:
        self.stream.__enter__()
        return self

    async def __aexit__(self, *exc_info: object) -> bool | None:
        return cast("bool | None", self.stream.__exit__(*exc_info))


class BlockingWorld(World):
    """A thread a connection. Scenarios run because nothing in the facade ever suspends."""

    module_name = "framer_adapters.blocking"
    full_duplex = False
    pushes_from_elsewhere = False

    def serve(self, start: Callable[..., Any], ready: Ready) -> None:
        with start() as server:
            ready(server.port, server.close)
            server.serve_forever()

    def _run_channel(
        self, channel: Channel, sock: socket.socket, *, idle_timeout: float | None
    ) -> None:
        self.module.run_channel(channel, sock, idle_timeout=idle_timeout)

    def _run_stream(
        self, scenario: Scenario[T], sock: socket.socket, terminator: Terminator, **options: Any
    ) -> T:
        with self.module.FramedStream(sock, terminator, **options) as stream:
            return drive(scenario(_Facade(stream)))

    def _run_client(self, scenario: Scenario[T], connect: Callable[[], Any]) -> T:
        with connect() as stream:
            return drive(scenario(_Facade(stream)))

    def _check_pairs(self) -> None:
        def make_pair() -> tuple[Any, Any]:
            here, there = map(self.module.FramedStream, socket.socketpair())
            return here, there

        check_stream(make_pair)

    def _handler(self, handler: Scenario[object]) -> Callable[..., Any]:
        def handle(stream: object) -> None:
            drive(handler(_Facade(stream)))

        return handle

    @contextlib.asynccontextmanager
    async def timeout(self, stream: Stream, seconds: float) -> AsyncGenerator[None]:
        transport = cast("_Facade", stream).stream.transport
        before = transport.gettimeout()
        transport.settimeout(max(seconds, 0.001))  # 0 would mean not to block at all
        try:
            yield
        finally:
            transport.settimeout(before)

    async def gather(self, *functions: Callable[[], Coroutine[Any, Any, object]]) -> None:
        running = [Background(partial(drive, function())) for function in functions]
        for thread in running:
            thread.result()


class SelectorsWorld(World):
    """One loop in one thread, and channels only."""

    module_name = "framer_adapters.selectors"

    def serve(self, start: Callable[..., Any], ready: Ready) -> None:
        with start() as server:
            ready(server.port, server.close)
            server.serve_forever()

    def _run_channel(
        self, channel: Channel, sock: socket.socket, *, idle_timeout: float | None
    ) -> None:
        self.module.run_channel(channel, sock, idle_timeout=idle_timeout)


# Tasks


class AsyncWorld(World):
    """What asyncio, trio and anyio have in common: a function to run, and streams to wrap."""

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run an asynchronous function in a new loop."""
        raise NotImplementedError

    async def wrap(self, sock: socket.socket) -> object:
        """Make of a connected socket what the adapter takes for a transport."""
        raise NotImplementedError

    async def serve_until_stopped(self, start: Callable[..., Any], ready: Ready) -> None:
        """See `serve`."""
        raise NotImplementedError

    def serve(self, start: Callable[..., Any], ready: Ready) -> None:
        self.run(partial(self.serve_until_stopped, start, ready))

    def _run_channel(
        self, channel: Channel, sock: socket.socket, *, idle_timeout: float | None
    ) -> None:
        async def converse() -> None:
            transport = await self.wrap(sock)
            await self.module.run_channel(channel, transport, idle_timeout=idle_timeout)

        self.run(converse)

    def _run_stream(
        self, scenario: Scenario[T], sock: socket.socket, terminator: Terminator, **options: Any
    ) -> T:
        async def converse() -> T:
            transport = await self.wrap(sock)
            stream = self.module.FramedStream(transport, terminator, **options)
            async with cast("Stream", stream):
                return await scenario(stream)

        return self.run(converse)

    def _check_pairs(self) -> None:
        async def make_pair() -> tuple[Any, Any]:
            here, there = [await self.wrap(sock) for sock in socket.socketpair()]
            return self.module.FramedStream(here), self.module.FramedStream(there)

        self.run(partial(check_stream, make_pair))

    def _run_client(self, scenario: Scenario[T], connect: Callable[[], Any]) -> T:
        async def converse() -> T:
            stream = await cast("Awaitable[Stream]", connect())
            async with stream:
                return await scenario(stream)

        return self.run(converse)


class AsyncioWorld(AsyncWorld):
    """asyncio with the loop of the standard library."""

    module_name = "framer_adapters.asyncio"

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run(self._leave_no_task(function))

    async def _leave_no_task(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        result = await function()
        for _ in range(10):  # what was cancelled may take a few rounds to end
            await asyncio.sleep(0)
        if len(asyncio.all_tasks()) > 1:
            raise AssertionError(f"tasks are left: {asyncio.all_tasks()}")
        return result

    async def wrap(self, sock: socket.socket) -> object:
        return await asyncio.open_connection(sock=sock)

    async def serve_until_stopped(self, start: Callable[..., Any], ready: Ready) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with await start() as server:
            ready(server.port, partial(loop.call_soon_threadsafe, stop.set))
            await stop.wait()

    @contextlib.asynccontextmanager
    async def timeout(self, stream: Stream, seconds: float) -> AsyncGenerator[None]:
        async with asyncio.timeout(seconds):
            yield

    async def gather(self, *functions: Callable[[], Coroutine[Any, Any, object]]) -> None:
        await asyncio.gather(*(function() for function in functions))


class UvloopWorld(AsyncioWorld):
    """asyncio with the loop of uvloop."""

    drops_without_files = True  # libuv closes a spare descriptor, accepts, and hangs up

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        with asyncio.Runner(loop_factory=import_module("uvloop").new_event_loop) as runner:
            return runner.run(self._leave_no_task(function))

    def warm_up(self) -> None:
        self.run(partial(asyncio.sleep, 0))


class TrioWorld(AsyncWorld):
    """trio."""

    module_name = "framer_adapters.trio"
    end_of_stream = trio.EndOfChannel
    timeout_error = trio.TooSlowError
    busy_error = trio.BusyResourceError
    lost_errors = (ConnectionError, trio.BrokenResourceError)
    closed_errors = (trio.ClosedResourceError,)

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return trio.run(function)

    async def wrap(self, sock: socket.socket) -> object:
        return trio.SocketStream(trio.socket.from_stdlib_socket(sock))

    async def serve_until_stopped(self, start: Callable[..., Any], ready: Ready) -> None:
        async with trio.open_nursery() as nursery:
            listeners = cast("list[trio.SocketListener]", await nursery.start(start))
            name = listeners[0].socket.getsockname()
            token = trio.lowlevel.current_trio_token()

            def stop() -> None:
                token.run_sync_soon(nursery.cancel_scope.cancel)

            ready(None if isinstance(name, str) else name[1], stop)

    @contextlib.asynccontextmanager
    async def timeout(self, stream: Stream, seconds: float) -> AsyncGenerator[None]:
        with trio.fail_after(seconds):
            yield

    async def gather(self, *functions: Callable[[], Coroutine[Any, Any, object]]) -> None:
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)


class AnyioWorld(AsyncWorld):
    """anyio, on asyncio or on trio."""

    module_name = "framer_adapters.anyio"
    end_of_stream = anyio.EndOfStream
    busy_error = anyio.BusyResourceError
    lost_errors = (ConnectionError, anyio.BrokenResourceError)
    closed_errors = (anyio.ClosedResourceError,)

    def __init__(self, backend: str = "asyncio") -> None:
        self.backend = backend
        self.drops_unread = (
            backend == "asyncio"
        )  # anyio closes the socket, unread, and says so late

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return anyio.run(function, backend=self.backend)

    async def wrap(self, sock: socket.socket) -> object:
        unix = sock.family == socket.AF_UNIX
        kind = anyio.abc.UNIXSocketStream if unix else anyio.abc.SocketStream
        return await kind.from_socket(sock)

    async def serve_until_stopped(self, start: Callable[..., Any], ready: Ready) -> None:
        async with anyio.create_task_group() as group:
            listener = await group.start(start)
            name = listener.extra(anyio.abc.SocketAttribute.local_address)  # noqa: S610 - no Django
            token = anyio.lowlevel.current_token()

            def stop() -> None:
                anyio.from_thread.run_sync(group.cancel_scope.cancel, token=token)

            ready(None if isinstance(name, str) else name[1], stop)

    @contextlib.asynccontextmanager
    async def timeout(self, stream: Stream, seconds: float) -> AsyncGenerator[None]:
        with anyio.fail_after(seconds):
            yield

    async def gather(self, *functions: Callable[[], Coroutine[Any, Any, object]]) -> None:
        async with anyio.create_task_group() as group:
            for function in functions:
                group.start_soon(function)
