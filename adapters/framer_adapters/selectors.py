r"""framer on a loop of its own, over the standard library's selectors.

Thousands of channels run in one thread.
Hooks are called by ``Loop.run`` and by nothing else, one at a time.
They must not block: what takes long holds up all connections of the loop.

>>> class Greeter(Channel):
...     def frame_received(self, name):
...         self.push(b"hello, " + name + b"\n")
>>> class Client(Channel):
...     def connection_made(self):
...         self.push(b"world\n")
...
...     def frame_received(self, frame):
...         print(frame)
...         self.close_when_done()
>>> with serve_channel(Greeter, "127.0.0.1", 0) as server:
...     client = Client()
...     connect(client, "127.0.0.1", server.port, loop=server.loop)
...     server.loop.run_until(lambda: client.closed)
b'hello, world'
True
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final, Self, cast

from framer import Channel, TlsRequest
from framer_adapters._common import (
    IDLE_TIMEOUT,
    Host,
    check_channel,
    check_tls,
    log_error,
    unix_path,
)
from framer_adapters._connection import Connection
from framer_adapters._endpoints import READ, Endpoint
from framer_adapters._loop import Loop, Timer
from framer_adapters._outgoing import OutgoingConnection
from framer_adapters._sockets import ACCEPT_PAUSE, OUT_OF_RESOURCES, listen, remove_unix_socket

__all__ = ["connect", "serve_channel", "run_channel", "add_channel", "Server", "Loop", "Timer"]

ACCEPTS_A_TURN: Final = 64
"""How many connections to accept before those that are there have their turn."""


def connect(
    channel: Channel,
    host: Host,
    port: int | None = None,
    *,
    loop: Loop,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    idle_timeout: float | None = None,
) -> None:
    """Have a loop connect to a server, and run a channel on the connection.

    Nothing happens before the loop runs. If there is no connection, or no TLS,
    ``connection_lost(exc)`` tells the channel, without `connection_made` before.
    A name is looked up with ``socket.getaddrinfo``, and while that waits the loop does.

    Args:
        channel: new, not yet connected. What is pushed before it is connected is sent then.
        host: a name or an address; or the path of a Unix socket, and no port.
        port: the port.
        loop: the loop.
        tls: None for plain text.
        server_hostname: whose certificate to accept; None for `host`.
        idle_timeout: for how many seconds the peer may neither send nor take anything.
            It bounds all attempts to connect together, then the handshake. None for ever.

    Raises:
        TypeError: neither a host and a port, nor a path alone; no channel, no context.
        framer.UsageError: the loop is closed.
    """
    name = None if unix_path(host, port) is not None else cast("str | None", host)
    check_channel(channel)
    check_tls(tls)
    request = None
    if tls is not None:
        request = TlsRequest(
            channel.framer, tls, server_side=False, server_hostname=server_hostname
        )
    loop.check_open()
    addresses = _addresses(host, port)
    OutgoingConnection(loop, channel, addresses, idle_timeout=idle_timeout, tls=request, host=name)


def _addresses(host: Host, port: int | None) -> Iterator[tuple[int, object]]:
    """Look the name up, when the first address is asked for."""
    path = unix_path(host, port)
    if path is None:
        found = socket.getaddrinfo(cast("str | None", host), port, type=socket.SOCK_STREAM)
        yield from ((family, address) for family, _, _, _, address in found)
    else:
        yield socket.AF_UNIX, path


def serve_channel(
    factory: Callable[[], Channel],
    host: Host,
    port: int | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = IDLE_TIMEOUT,
    loop: Loop | None = None,
) -> Server:
    """Listen, and run a channel for every connection.

    Args:
        factory: what makes a channel.
        host: a name or an address, None for all of the machine;
            or the path of a Unix socket, and no port.
        port: the port; 0 has the system choose: see ``Server.port``.
        tls: None for plain text.
        idle_timeout: for how many seconds a peer may neither send nor take anything;
            it bounds the handshake, too. None for ever.
        loop: the loop; None for one of its own, which is closed with the server.

    Returns:
        A `Server`, which accepts connections while its loop runs.

    Raises:
        OSError: an address cannot be had.
        TypeError: neither a host and a port, nor a path alone.
        framer.UsageError: the loop is closed.
    """
    check_tls(tls)
    with contextlib.ExitStack() as opened:
        home = opened.enter_context(Loop()) if loop is None else loop

        def start(sock: socket.socket) -> None:
            channel = factory()
            request = None if tls is None else TlsRequest(channel.framer, tls, server_side=True)
            Connection(home, channel, sock, idle_timeout=idle_timeout, tls=request)

        home.check_open()
        path = unix_path(host, port)
        listeners = [_Listener(home, sock, start, path) for sock in listen(host, port)]
        opened.pop_all()
    return Server(listeners, owns_loop=loop is None)


def add_channel(
    channel: Channel,
    transport: socket.socket,
    *,
    loop: Loop,
    idle_timeout: float | None = None,
) -> None:
    """Have a loop run a channel on a connected socket, and close that in the end.

    Args:
        channel: new, not yet connected.
        transport: the socket; an ``ssl.SSLSocket`` may still have to shake hands.
        loop: the loop.
        idle_timeout: for how many seconds the peer may neither send nor take anything.

    Raises:
        framer.UsageError: the loop is closed.
        TypeError: it is no channel.
    """
    check_channel(channel)
    loop.check_open()
    Connection(loop, channel, transport, idle_timeout=idle_timeout)


def run_channel(
    channel: Channel,
    transport: socket.socket,
    *,
    idle_timeout: float | None = None,
    loop: Loop | None = None,
) -> None:
    """Run a loop until one conversation over a connected socket is over, and close the socket.

    What goes wrong is the channel's to hear of, in ``connection_lost(exc)``, and is logged.

    Args:
        channel: new, not yet connected.
        transport: the socket.
        idle_timeout: for how many seconds the peer may neither send nor take anything.
        loop: the loop, in which others may go on meanwhile. If it is stopped, the conversation
            stays in it. None for one of its own.

    Raises:
        framer.UsageError: the loop is closed, or it is running, and runs the channel anyway.
    """
    with contextlib.ExitStack() as opened:
        home = opened.enter_context(Loop()) if loop is None else loop
        add_channel(channel, transport, loop=home, idle_timeout=idle_timeout)
        home.run_until(lambda: channel.closed)


class Server:
    """Listening sockets; made by `serve_channel`.

    Attributes:
        sockets: those that listen.
        port: the port of the first; None for a Unix socket.
        loop: the loop that serves.
    """

    def __init__(self, listeners: list[_Listener], *, owns_loop: bool) -> None:
        self.loop: Loop = listeners[0].loop
        self.sockets: list[socket.socket] = [listener.sock for listener in listeners]
        name = self.sockets[0].getsockname()
        self.port: int | None = name[1] if isinstance(name, tuple) else None
        self._listeners = listeners
        self._owns_loop = owns_loop

    def serve_forever(self) -> None:
        """Run the loop: see `Loop.run`."""
        self.loop.run()

    def close(self) -> None:
        """Stop listening; harmless a second time. The connections go on.

        If the loop is the server's own, it is closed, with all connections: see `Loop.close`.
        """
        if self._owns_loop:
            self.loop.close()
        else:
            for listener in self._listeners:
                listener.end(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Listener(Endpoint):
    """A socket that listens, maybe at a path; `start` takes over each connection."""

    __slots__ = ("_path", "_start")

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        start: Callable[[socket.socket], None],
        path: str | None,
    ) -> None:
        super().__init__(loop, sock)
        self._start = start
        self._path = path
        self.wait_for(READ)

    def ready(self, _events: int, /) -> None:
        """Accept who waits, some of them at a time."""
        for _ in range(ACCEPTS_A_TURN):
            try:
                sock, _address = self.sock.accept()
            except OSError as exc:
                if exc.errno in OUT_OF_RESOURCES:
                    self._pause(exc)
                return  # else nobody is left, or whoever wanted to come in has gone
            try:
                self._start(sock)
            except BaseException as exc:
                sock.close()
                if not isinstance(exc, Exception):
                    raise
                log_error(exc)

    def end(self, error: Exception | None, /) -> None:
        """Close the socket, and remove it if it has a path."""
        if self._path is not None and self.sock.fileno() >= 0:
            remove_unix_socket(self._path)
        super().end(error)

    def _pause(self, error: OSError) -> None:
        """Accept nothing for a moment: see `ACCEPT_PAUSE`."""
        log_error(error)
        self.wait_for(0)
        self.loop.call_later(ACCEPT_PAUSE, self._resume)

    def _resume(self) -> None:
        if self in self.loop.endpoints:
            self.wait_for(READ)
