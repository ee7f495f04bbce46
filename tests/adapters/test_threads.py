"""A server with a thread for each connection: how it accepts, and how it ends."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from peers import Background, client_tls, server_tls, wait_until

from framer_adapters._common import Host
from framer_adapters._threads import Server

DEADLINE = 20.0


class Echo:
    """Sends back what comes, and takes note of its end."""

    def __init__(self, sock: socket.socket, ended: threading.Semaphore) -> None:
        self.transport = sock
        self.ended = ended

    def run(self) -> None:
        """Do it."""
        with self.transport:
            while data := self.transport.recv(100):
                self.transport.sendall(data)
        self.ended.release()


@contextmanager
def serving(
    make: Callable[[socket.socket], Any],
    host: Host = "127.0.0.1",
    port: int | None = 0,
    tls: Any = None,
) -> Generator[Server]:
    """Run a server in a thread, which has to end with it."""
    with Server(host, port, make, tls, DEADLINE) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.close()
        thread.join(DEADLINE)
        assert not thread.is_alive()


def dial(server: Server) -> socket.socket:
    """Connect to it."""
    return socket.create_connection(("127.0.0.1", cast("int", server.port)), DEADLINE)


def echoes(sock: socket.socket) -> bool:
    """Whether somebody is there."""
    sock.sendall(b"x")
    return sock.recv(1) == b"x"


def test_every_connection_has_its_thread() -> None:
    """They go on side by side, with the timeout that was asked for, and without a delay."""
    ended = threading.Semaphore(0)
    made: list[socket.socket] = []

    def make(sock: socket.socket) -> Echo:
        made.append(sock)
        assert sock.gettimeout() == DEADLINE
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        return Echo(sock, ended)

    with serving(make) as server:
        with dial(server) as one, dial(server) as two:
            assert echoes(two)
            assert echoes(one)
            assert threading.active_count() >= 4
        for _ in range(2):
            assert ended.acquire(timeout=DEADLINE)
    assert [sock.fileno() for sock in made] == [-1, -1]


def test_closing_shuts_connections_down() -> None:
    """Who waits for a peer sees its end, and all threads are gone when `close` returns."""
    ended = threading.Semaphore(0)
    before = threading.active_count()
    with serving(lambda sock: Echo(sock, ended)) as server, dial(server) as client:
        assert echoes(client)
        server.close()
        assert threading.active_count() <= before + 1  # that of serve_forever may be ending
        assert client.recv(1) == b""
        server.close()
    assert ended.acquire(blocking=False)


def test_closing_from_a_connection() -> None:
    """A thread that closes its own server does not wait for itself."""
    closed = threading.Event()

    class Closing(Echo):
        def run(self) -> None:
            with self.transport:
                server.close()
            closed.set()

    with serving(lambda sock: Closing(sock, threading.Semaphore(0))) as server, dial(server):
        assert closed.wait(DEADLINE)


def test_closed_before_it_serves() -> None:
    """There is nothing left to do."""
    server = Server("127.0.0.1", 0, cast("Any", None), None, None)
    server.close()
    server.serve_forever()


def test_closed_by_a_signal_handler() -> None:
    """It runs in the midst of `serve_forever`, which ends as soon as it is gone on with."""

    def close(_number: int, _frame: object) -> None:
        server.close()

    before = signal.signal(signal.SIGUSR1, close)
    server = Server("127.0.0.1", 0, cast("Any", None), None, None)
    thread = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    thread.start()
    try:
        server.serve_forever()
    finally:
        thread.join(DEADLINE)
        signal.signal(signal.SIGUSR1, before)
    assert [sock.fileno() for sock in server.sockets] == [-1]


def test_a_signal_that_comes_to_another_thread() -> None:
    """It does not interrupt the wait by itself, as one that comes just before the wait does not."""
    heard: list[int] = []

    def close(number: int, _frame: object) -> None:
        heard.append(number)
        if len(heard) == 2:  # the first one is heard, too, and serving goes on
            server.close()

    def kill() -> None:
        for count in (1, 2):
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            wait_until(lambda: len(heard) >= count, "the handler")  # noqa: B023 - called at once

    before = signal.signal(signal.SIGUSR1, close)
    server = Server("127.0.0.1", 0, cast("Any", None), None, None)
    try:
        with Background(kill) as killing:
            server.serve_forever()
            killing.result()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1] * 2
    assert signal.set_wakeup_fd(-1) == -1


def test_closed_by_a_signal_handler_before_it_knows_who_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has the lock already, and does not wait for itself."""
    server = Server("127.0.0.1", 0, cast("Any", None), None, None)
    get_ident = threading.get_ident

    def signalled() -> int:
        monkeypatch.setattr(threading, "get_ident", get_ident)
        server.close()
        return get_ident()

    monkeypatch.setattr(threading, "get_ident", signalled)
    server.serve_forever()
    assert [sock.fileno() for sock in server.sockets] == [-1]


def test_interrupted_while_a_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs, so it is shut down with the others."""
    started: list[Echo] = []

    def make(sock: socket.socket) -> Echo:
        started.append(Echo(sock, threading.Semaphore(0)))
        return started[0]

    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        thread.start()
        raise KeyboardInterrupt

    server = Server("127.0.0.1", 0, make, None, None)
    with socket.create_connection(("127.0.0.1", cast("int", server.port)), DEADLINE) as peer:
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        with server, pytest.raises(KeyboardInterrupt):
            server.serve_forever()
        assert peer.recv(1) == b""
    assert started[0].transport.fileno() == -1


def test_interrupted_by_a_signal() -> None:
    """A KeyboardInterrupt comes out, and the server can be closed."""
    server = Server("127.0.0.1", 0, cast("Any", None), None, None)
    thread = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    thread.start()
    with server, pytest.raises(KeyboardInterrupt):
        server.serve_forever()
    thread.join(DEADLINE)
    assert [sock.fileno() for sock in server.sockets] == [-1]


def test_a_connection_that_is_gone_when_all_are_shut_down() -> None:
    """It has closed its socket, and its thread is about to end."""
    gone, may_end = threading.Event(), threading.Event()

    class Slow(Echo):
        def run(self) -> None:
            self.transport.close()
            gone.set()
            may_end.wait(DEADLINE)

    with serving(lambda sock: Slow(sock, threading.Semaphore(0))) as server, dial(server):
        assert gone.wait(DEADLINE)
        threading.Timer(0.01, may_end.set).start()
        server.close()


def test_a_path(tmp_path: Path) -> None:
    """A Unix socket has no port, and is removed in the end."""
    path = tmp_path / "socket"
    with serving(lambda sock: Echo(sock, threading.Semaphore(0)), path, None) as server:
        assert server.port is None
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE)
            client.connect(str(path))
            assert echoes(client)
    assert not path.exists()


def test_tls() -> None:
    """The handshake is the thread's, so that one who is slow at it holds up nobody."""
    with (
        serving(lambda sock: Echo(sock, threading.Semaphore(0)), tls=server_tls()) as server,
        dial(server),
        client_tls().wrap_socket(dial(server), server_hostname="localhost") as client,
    ):
        assert echoes(client)


def test_what_cannot_be_made_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged, and the next connection is served."""
    made: list[Echo] = []

    def make(sock: socket.socket) -> Echo:
        made.append(Echo(sock, threading.Semaphore(0)))
        if len(made) == 1:
            raise KeyError("boom")
        return made[-1]

    with serving(make) as server:
        with dial(server) as client:
            assert client.recv(1) == b""
        with dial(server) as client:
            assert echoes(client)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_thread_that_cannot_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That connection is closed, and the server goes on, and can be closed."""

    def failing(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ended = threading.Semaphore(0)
    with serving(lambda sock: Echo(sock, ended)) as server:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", failing)
            with dial(server) as client:
                assert client.recv(1) == b""
        with dial(server) as client:
            assert echoes(client)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_is_no_tls() -> None:
    """It is refused before anybody can connect."""
    wrong: Any = True
    with pytest.raises(TypeError, match="give an ssl"):
        Server("127.0.0.1", 0, cast("Any", None), wrong, None)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ECONNABORTED, errno.EAGAIN])
def test_accept_that_fails(number: int, caplog: pytest.LogCaptureFixture) -> None:
    """The server goes on; only what it cannot help itself is worth an alarm."""

    class Failing:
        def accept(self) -> None:
            raise OSError(number, "accept")

    with Server("127.0.0.1", 0, cast("Any", None), None, None) as server:
        server._accept(cast("Any", Failing()))
    assert len(caplog.records) == (number == errno.EMFILE)
