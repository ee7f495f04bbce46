"""A server of asyncio by itself: how it accepts, and how it ends."""
# ruff: noqa: D102 - a hook of a stub needs no docstring
# ruff: noqa: ASYNC110 - the loop is to turn

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest
from peers import client_tls, no_more_files, server_tls
from protocols import run

import framer_adapters._asyncio_server as module
from framer_adapters._asyncio_server import Server
from framer_adapters._common import Host
from framer_adapters._handshakes import Secured

HOST = "127.0.0.1"


class Greeter(Secured):
    """Says hello, and waits to be stopped."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast("asyncio.Transport", transport)
        plain.write(b"hello\n")
        self.server.add(self.ended, plain.abort)

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(max(sizehint, 100))

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)


@contextlib.asynccontextmanager
async def greeting(
    host: Host = HOST, port: int | None = 0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Server]:
    """Serve greetings."""
    server = Server(host, port)
    async with await server.start(lambda: Greeter(server), tls, None):
        yield server
    assert all(sock.fileno() == -1 for sock in server.sockets)


def test_at_a_port() -> None:
    """It greets who comes; when it is closed their connections are."""

    async def main() -> None:
        async with greeting() as server:
            assert server.port == server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(HOST, server.port)
            assert await reader.readline() == b"hello\n"
            server.close()
            await server.wait_closed()
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    run(main())


def test_at_a_path(tmp_path: Path) -> None:
    """There is no port, and closing removes the socket, once."""
    path = tmp_path / "socket"

    async def main() -> None:
        async with greeting(path, None) as server:
            assert server.port is None
            reader, writer = await asyncio.open_unix_connection(path)
            assert await reader.readline() == b"hello\n"
            server.close()
            assert not path.exists()
            path.touch()
        assert path.exists()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    run(main())


def test_over_tls() -> None:
    """They shake hands before the protocol hears of it; whoever does not is let go with it."""

    async def main() -> None:
        async with greeting(tls=server_tls()) as server:
            reader, writer = await asyncio.open_connection(
                HOST, server.port, ssl=client_tls(), server_hostname="localhost"
            )
            assert await reader.readline() == b"hello\n"
            with socket.create_connection((HOST, cast("int", server.port))) as silent:
                silent.setblocking(False)
                while len(server._running) < 2:
                    await asyncio.sleep(0)
                server.close()
                await server.wait_closed()
                assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    run(main())


def test_what_cannot_be_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was opened is closed."""
    listener, closed = socket.create_server((HOST, 0)), socket.socket()
    closed.close()

    def listen(*_: object) -> list[socket.socket]:
        return [listener, closed]

    monkeypatch.setattr(module, "listen", listen)

    async def main() -> None:
        with pytest.raises((OSError, ValueError)):
            async with greeting():
                pytest.fail("it serves")

    run(main())
    assert listener.fileno() == -1


def test_out_of_descriptors() -> None:
    """That is told a few times, and not thousands of times, in which all others would wait."""
    told: list[object] = []

    async def main() -> None:
        async with greeting() as server:
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, context: told.append(context)
            )
            with socket.socket() as sock:
                sock.setblocking(False)
                with no_more_files():
                    sock.connect_ex((HOST, cast("int", server.port)))
                    while not told:
                        await asyncio.sleep(0)

    run(main())
    assert len(told) <= module.ACCEPTS_A_TURN


def test_how_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the system allows, in the end."""
    asked: list[int] = []

    class Listener(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            asked.append(backlog)
            super().listen(backlog)

    listener = Listener()
    listener.bind((HOST, 0))
    listener.listen(1)

    def listen(*_: object) -> list[socket.socket]:
        return [listener]

    monkeypatch.setattr(module, "listen", listen)

    async def main() -> None:
        async with greeting():
            assert asked[-2:] == [module.ACCEPTS_A_TURN, socket.SOMAXCONN]

    run(main())


def test_what_is_added_after_the_close() -> None:
    """It is stopped at once."""

    async def main() -> None:
        stopped: list[bool] = []
        async with greeting() as server:
            server.close()
            end = asyncio.get_running_loop().create_future()
            server.add(end, lambda: stopped.append(True))
            assert stopped == [True]
            end.set_result(None)

    run(main())


def test_serve_forever() -> None:
    """It ends with the server; and if it is cancelled, so does the server."""

    async def main() -> None:
        async with greeting() as server:
            serving = asyncio.create_task(server.serve_forever())
            await asyncio.sleep(0)
            server.close()
            await serving
        async with greeting() as server:
            serving = asyncio.create_task(server.serve_forever())
            await asyncio.sleep(0)
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert server.sockets[0].fileno() == -1

    run(main())


def test_a_task_of_its_own_that_waits_for_its_end() -> None:
    """It waits for the others, not for itself."""

    async def main() -> None:
        async with greeting() as server:

            async def closes() -> None:
                server.close()
                await server.wait_closed()

            task = asyncio.create_task(closes())
            server.add(task, lambda: None)
            await task

    run(main())
