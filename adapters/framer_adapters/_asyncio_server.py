"""A server of asyncio; what is said over its connections is none of its business.

::

    transport ──▶ accept(), which makes a protocol ──▶ add(end, stop)
                        ▲                                      │
                        └── over TLS once they have            ▼
                            shaken hands: Handshake     close() calls each stop()

It listens by itself, for with a port of 0 asyncio gives each address a port of its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, Self, cast

from framer_adapters._common import Host, unix_path
from framer_adapters._handshakes import Handshake, Secured
from framer_adapters._sockets import listen, remove_unix_socket

__all__ = ["Server"]

ACCEPTS_A_TURN: Final = 1
"""How many connections to accept before those that are there have their turn.

asyncio takes the backlog for that, and without descriptors it does not stop early:
it logs an error with a traceback for each, and sets a timer to try so often again.
"""


class Server:
    """What `serve` and `serve_channel` return: it accepts connections until it is closed.

    Attributes:
        sockets: those that listen.
        port: that of the first, or None if it is a Unix socket.
    """

    def __init__(self, host: Host, port: int | None) -> None:
        self._path = unix_path(host, port)
        self.sockets: list[socket.socket] = listen(host, port)
        self.port: int | None = None
        if self._path is None:
            self.port = self.sockets[0].getsockname()[1]
        self._servers: list[asyncio.AbstractServer] = []
        self._running: dict[asyncio.Future[None], Callable[[], object]] = {}
        self._stopped = asyncio.Event()

    async def start(
        self,
        accept: Callable[[], Secured],
        tls: ssl.SSLContext | None,
        idle_timeout: float | None,
    ) -> Self:
        """Accept connections, and have each spoken for by what `accept` returns."""
        loop = asyncio.get_running_loop()
        create = loop.create_server if self._path is None else loop.create_unix_server

        def accept_tls() -> asyncio.Protocol:
            return Handshake(
                accept(), self._add_handshake, cast("ssl.SSLContext", tls), idle_timeout
            )

        factory = accept if tls is None else accept_tls
        try:
            for sock in self.sockets:
                self._servers.append(await create(factory, sock=sock, backlog=ACCEPTS_A_TURN))
                sock.listen(socket.SOMAXCONN)  # as it was: the kernel may let more wait than that
        except BaseException:
            self.close()
            raise
        return self

    def add(self, end: asyncio.Future[None], stop: Callable[[], object]) -> None:
        """Take note of a conversation: when it is at its end, and how to stop it."""
        self._running[end] = stop
        end.add_done_callback(self._running.pop)
        if self._stopped.is_set():
            stop()

    def _add_handshake(self, handshake: Handshake) -> None:
        self.add(handshake.task, handshake.stop)

    def close(self) -> None:
        """Stop accepting, cancel the handlers, and close the connections of channels."""
        for server in self._servers:
            server.close()
        for sock in self.sockets:
            sock.close()
        if self._path is not None and not self._stopped.is_set():
            remove_unix_socket(self._path)
        self._stopped.set()
        for stop in tuple(self._running.values()):
            stop()

    async def wait_closed(self) -> None:
        """Wait until `close` was called, and all conversations are at their end."""
        await self._stopped.wait()
        while running := self._running.keys() - {asyncio.current_task()}:
            await asyncio.wait(running)

    async def serve_forever(self) -> None:
        """Wait until the server is closed, or this is cancelled, which closes it."""
        async with self:
            await self._stopped.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await self.wait_closed()
