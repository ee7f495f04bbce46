"""Serving, connecting and running in a loop: the shared suite, and what only selectors has."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import conformance
import pytest
from loops import Clock, turn
from peers import client_tls, server_tls
from worlds import SelectorsWorld

from framer import Channel, UsageError
from framer_adapters import selectors
from framer_adapters._sockets import ACCEPT_PAUSE
from framer_adapters.selectors import Loop, add_channel, connect, run_channel, serve_channel

PATIENCE = 20.0  # seconds until a test has failed; none takes them


class TestChannels(conformance.ChannelSuite):
    """What holds in every world."""

    world = SelectorsWorld()


class Recorder(Channel):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.lost: list[Exception | None] = []

    def frame_received(self, frame: bytes, /) -> None:
        """Note it."""
        self.frames.append(frame)

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Note it."""
        self.lost.append(exc)


class Echo(Recorder):
    """Sends back what it gets."""

    def frame_received(self, frame: bytes, /) -> None:
        """Send it back."""
        super().frame_received(frame)
        self.push(frame + b"\n")


class Asker(Recorder):
    """Asks a thing, and is content with the answer."""

    def connection_made(self) -> None:
        """Ask."""
        self.push(b"spam\n")

    def frame_received(self, frame: bytes, /) -> None:
        """Be content."""
        super().frame_received(frame)
        self.close_when_done()


# Serving


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", None])
def test_serving(host: str | None) -> None:
    """IPv4, IPv6, all of the machine; the port can be asked."""
    client = Asker()
    with serve_channel(Echo, host, 0) as server:
        assert server.port == server.sockets[0].getsockname()[1]
        connect(client, host or "localhost", server.port, loop=server.loop)
        assert server.loop.run_until(lambda: client.closed, PATIENCE)
    assert client.frames == [b"spam"]
    assert server.sockets[0].fileno() == -1
    server.close()


def test_serving_at_a_path(tmp_path: Path) -> None:
    """A Unix socket, which has no port, and is removed in the end."""
    client, path = Asker(), tmp_path / "socket"
    with serve_channel(Echo, path) as server:
        assert server.port is None
        connect(client, path, loop=server.loop)
        assert server.loop.run_until(lambda: client.closed, PATIENCE)
    assert client.frames == [b"spam"]
    assert not path.exists()


def test_a_path_is_what_it_was_when_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the program has gone meanwhile: the socket of somebody else stays."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    with serve_channel(Echo, "socket"), socket.socket(socket.AF_UNIX) as other:
        monkeypatch.chdir(elsewhere)
        other.bind("socket")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    assert (elsewhere / "socket").exists()


def test_a_path_that_has_passed_to_another(tmp_path: Path) -> None:
    """Its socket stays, too, whether the server closes once or twice."""
    path = tmp_path / "socket"
    with serve_channel(Echo, path) as server, socket.socket(socket.AF_UNIX) as other:
        path.unlink()
        other.bind(str(path))
        server.close()
        assert path.exists()


def test_a_server_that_closes_twice(loop: Loop, tmp_path: Path) -> None:
    """The second time the path is that of the next one, and stays."""
    path = tmp_path / "socket"
    first = serve_channel(Echo, path, loop=loop)
    first.close()
    with serve_channel(Echo, path, loop=loop):
        first.close()
        assert path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")
def test_serving_at_an_abstract_name() -> None:
    """A Unix socket that is no file."""
    client, name = Asker(), f"\0framer-{os.getpid()}"
    with serve_channel(Echo, name) as server:
        assert server.port is None
        connect(client, name, loop=server.loop)
        assert server.loop.run_until(lambda: client.closed, PATIENCE)
    assert client.frames == [b"spam"]
    assert server.sockets[0].fileno() == -1


def test_serving_over_tls() -> None:
    """Both ends in one loop."""
    client = Asker()
    with serve_channel(Echo, "127.0.0.1", 0, tls=server_tls()) as server:
        connect(
            client,
            "127.0.0.1",
            server.port,
            loop=server.loop,
            tls=client_tls(),
            server_hostname="localhost",
        )
        assert server.loop.run_until(lambda: client.closed, PATIENCE)
    assert client.frames == [b"spam"]
    assert client.lost == [None]


def test_serving_in_another_thread() -> None:
    """close() ends serve_forever(), from wherever it comes."""
    with serve_channel(Echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with socket.create_connection(("127.0.0.1", server.port or 0), PATIENCE) as sock:
            sock.sendall(b"spam\n")
            assert sock.recv(100) == b"spam\n"
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_server_in_a_loop_of_others(loop: Loop) -> None:
    """It closes, once or twice; its connections and the loop go on."""
    client = Recorder()
    server = serve_channel(Echo, "127.0.0.1", 0, loop=loop)
    connect(client, "127.0.0.1", server.port, loop=loop)
    client.push(b"a\n")
    while not client.frames:
        turn(loop)
    server.close()
    server.close()
    client.push(b"b\n")
    while len(client.frames) < 2:
        turn(loop)
    client.close_when_done()
    loop.run()
    assert client.lost == [None]


def test_an_address_that_cannot_be_had() -> None:
    """OSError, and nothing is left open."""
    with serve_channel(Echo, "127.0.0.1", 0) as server, pytest.raises(OSError, match="in use"):
        serve_channel(Echo, "127.0.0.1", server.port)
    with pytest.raises(TypeError):
        serve_channel(Echo, None)


def test_a_factory_that_raises(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """That connection is closed, and the next one is served."""
    failures = [ZeroDivisionError]

    def make() -> Channel:
        if failures:
            raise failures.pop()
        return Echo()

    with serve_channel(make, "127.0.0.1", 0, loop=loop) as server:
        with socket.create_connection(("127.0.0.1", server.port or 0), PATIENCE) as sock:
            turn(loop)
            assert sock.recv(1) == b""
        client = Asker()
        connect(client, "127.0.0.1", server.port, loop=loop)
        while not client.closed:
            turn(loop)
    assert client.frames == [b"spam"]
    assert "ZeroDivisionError" in caplog.text


def test_a_factory_that_interrupts(loop: Loop) -> None:
    """What is no Exception comes out of the loop, and the connection is closed."""

    def make() -> Channel:
        raise KeyboardInterrupt

    with (
        serve_channel(make, "127.0.0.1", 0, loop=loop) as server,
        socket.create_connection(("127.0.0.1", server.port or 0), PATIENCE) as sock,
    ):
        with pytest.raises(KeyboardInterrupt):
            loop.run()
        assert sock.recv(1) == b""


def test_a_loop_that_is_closed(loop: Loop) -> None:
    """Nothing can be added, and nothing was opened."""
    loop.close()
    left, right = socket.socketpair()
    with left, right:
        for start in (add_channel, run_channel):
            with pytest.raises(UsageError, match="closed"):
                start(Echo(), right, loop=loop)
    with pytest.raises(UsageError, match="closed"):
        connect(Echo(), "127.0.0.1", 1, loop=loop)
    with pytest.raises(UsageError, match="closed"):
        serve_channel(Echo, "127.0.0.1", 0, loop=loop)


def test_an_interrupt_leaks_nothing() -> None:
    """Ctrl-C between a connection and its channel waits till both are known to the loop."""
    made: list[Channel] = []

    def make() -> Channel:
        made.append(Echo())
        if len(made) == 1:
            signal.raise_signal(signal.SIGINT)
        return made[-1]

    with serve_channel(make, "127.0.0.1", 0) as server:
        for _ in range(3):
            connect(Asker(), "127.0.0.1", server.port, loop=server.loop)
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()
    assert made
    assert all(channel.closed for channel in made)


class Refusing(socket.socket):
    """A listening socket whose accept() fails."""

    errors: list[OSError]

    def accept(self) -> tuple[socket.socket, Any]:
        """Fail, as long as there are errors."""
        if self.errors:
            raise self.errors.pop(0)
        return super().accept()


def refuse(monkeypatch: pytest.MonkeyPatch, *errors: int) -> None:
    """Have listening sockets fail with these."""

    def listen(*_: object) -> list[socket.socket]:
        sock = Refusing()
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.errors = [OSError(code, os.strerror(code)) for code in errors]
        return [sock]

    monkeypatch.setattr(selectors, "listen", listen)


def test_who_is_gone_before_it_is_accepted(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It does no harm, and a signal neither; the next is accepted."""
    refuse(monkeypatch, errno.ECONNABORTED, errno.EINTR, errno.ECONNABORTED)
    client = Asker()
    with serve_channel(Echo, "127.0.0.1", 0, loop=loop) as server:
        connect(client, "127.0.0.1", server.port, loop=loop)
        while not client.closed:
            turn(loop)
    assert client.frames == [b"spam"]
    assert caplog.text == ""


def test_no_more_descriptors(
    loop: Loop, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Accepting pauses, says so, and is tried again; those that are there are served."""
    refuse(monkeypatch, *[errno.EMFILE] * 3)
    client = Asker()
    left, right = socket.socketpair()
    other = Echo()
    add_channel(other, right, loop=loop)
    with serve_channel(Echo, "127.0.0.1", 0, loop=loop) as server:
        connect(client, "127.0.0.1", server.port, loop=loop)
        for _ in range(3):
            turn(loop, 5)
            left.send(b"eggs\n")
            turn(loop)
            assert left.recv(100) == b"eggs\n"
            clock.now += ACCEPT_PAUSE
        while not client.closed:
            turn(loop)
    left.close()
    assert client.frames == [b"spam"]
    assert len([line for line in caplog.messages if "error" in line]) == 3


def test_a_server_that_is_closed_while_it_pauses(
    loop: Loop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not come back."""
    refuse(monkeypatch, errno.EMFILE)
    server = serve_channel(Echo, "127.0.0.1", 0, loop=loop)
    with socket.create_connection(("127.0.0.1", server.port or 0), PATIENCE):
        turn(loop)
        server.close()
        clock.now += ACCEPT_PAUSE
        loop.run()


def test_no_more_descriptors_in_earnest(caplog: pytest.LogCaptureFixture) -> None:
    """The limit of the system, not a mock: who comes too many waits until there is room."""
    caplog.set_level(logging.INFO)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serve_channel(Echo, "127.0.0.1", 0) as server, contextlib.ExitStack() as opened:
        clients = [opened.enter_context(socket.socket()) for _ in range(20)]
        highest = max(client.fileno() for client in clients)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 6, before[1]))
        try:
            for client in clients:
                client.connect(("127.0.0.1", server.port))
            assert not server.loop.run_until(lambda: False, 0.01)
            assert "Too many open files" in caplog.text
            for client in clients[:10]:
                client.close()
            clients[-1].sendall(b"spam\n")
            clients[-1].settimeout(0)
            got: list[bytes] = []

            def answered() -> bool:
                with contextlib.suppress(BlockingIOError):
                    got.append(clients[-1].recv(100))
                return bool(got)

            assert server.loop.run_until(answered, PATIENCE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert got == [b"spam\n"]


def test_accepting_does_not_starve_others(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many a turn; and a server that its own factory closes accepts no more."""
    monkeypatch.setattr(selectors, "ACCEPTS_A_TURN", 3)
    made: list[Channel] = []

    def make() -> Channel:
        made.append(Echo())
        if len(made) == 5:
            server.close()
        return made[-1]

    with contextlib.ExitStack() as opened:
        server = opened.enter_context(serve_channel(make, "127.0.0.1", 0, loop=loop))
        for _ in range(7):
            opened.enter_context(socket.create_connection(("127.0.0.1", server.port or 0)))
        turn(loop)
        assert len(made) == 3
        turn(loop, 5)
        assert len(made) == 5


def test_two_thousand_connections_at_once() -> None:
    """Each gets its answer, and nothing is left."""
    clients = [Asker() for _ in range(2000)]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 5000:
        pytest.skip("the system allows too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 5000), before[1]))
    served: list[Echo] = []

    def make() -> Echo:
        served.append(Echo())
        return served[-1]

    try:
        with serve_channel(make, "127.0.0.1", 0) as server:
            for client in clients:
                connect(client, "127.0.0.1", server.port, loop=server.loop)
            assert server.loop.run_until(
                lambda: all(client.closed for client in reversed(clients)), PATIENCE
            )
            assert server.loop.run_until(lambda: all(one.closed for one in served), PATIENCE)
            assert len(server.loop.endpoints) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert all(client.frames == [b"spam"] for client in clients)
    assert [one.lost for one in served] == [[None]] * 2000


# One conversation


def test_run_channel() -> None:
    """Until it is over, in a loop of its own."""
    left, right = socket.socketpair()
    channel = Echo()
    left.sendall(b"spam\n")
    left.shutdown(socket.SHUT_WR)
    run_channel(channel, right)
    assert left.recv(100) == b"spam\n"
    left.close()
    assert channel.lost == [None]
    assert right.fileno() == -1


def test_run_channel_in_a_loop_of_others(loop: Loop, clock: Clock) -> None:
    """They go on meanwhile; a timeout bounds it."""
    pairs = [socket.socketpair() for _ in range(2)]
    other, channel = Echo(), Recorder()
    add_channel(other, pairs[0][1], loop=loop)
    pairs[0][0].sendall(b"spam\n")
    loop.call_soon(lambda: setattr(clock, "now", clock.now + 60))
    run_channel(channel, pairs[1][1], loop=loop, idle_timeout=60)
    assert [type(exc) for exc in channel.lost] == [TimeoutError]
    assert other.frames == [b"spam"]
    for outer, _ in pairs:
        outer.close()
