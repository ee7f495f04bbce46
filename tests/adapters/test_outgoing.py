"""Connecting in the loop of `selectors`: addresses that answer, refuse, or do neither."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import Any

import pytest
from loops import Clock, Echo, Quitter, Recorder, turns
from peers import client_tls, server_tls

from framer_adapters._loop import Loop
from framer_adapters.selectors import connect, serve_channel


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_connecting(loop: Loop, host: str) -> None:
    """Over IPv4, IPv6 and by name."""
    client = Recorder()
    client.push(b"early\n")
    with serve_channel(Echo, host, 0, loop=loop) as server:
        connect(client, host, server.port, loop=loop)
        assert client.heard == []
        turns(loop, lambda: client.heard == ["made", b"early"])


def test_connecting_to_a_path(loop: Loop, tmp_path: Path) -> None:
    """A Unix socket."""
    client = Recorder()
    with serve_channel(Quitter, tmp_path / "socket", loop=loop):
        connect(client, tmp_path / "socket", loop=loop)
        client.push(b"spam\n")
        turns(loop, lambda: client.closed)
    assert client.heard == ["made", b"bye", "eof"]


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_each_address_is_tried(loop: Loop, monkeypatch: Any) -> None:
    """A family that the machine has not, one that refuses, then one that answers."""
    client = Recorder()
    with serve_channel(Echo, "127.0.0.1", 0, loop=loop) as server:
        found = [
            (9999, 0, 0, "", ("x", 1)),
            (socket.AF_INET, 0, 0, "", ("127.0.0.1", free_port())),
            (socket.AF_INET, 0, 0, "", ("127.0.0.1", server.port)),
        ]

        def resolve(*_: object, **__: object) -> object:
            return found

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        connect(client, "example.org", 1, loop=loop)
        client.push(b"spam\n")
        turns(loop, lambda: client.heard == ["made", b"spam"])


def test_nobody_answers(loop: Loop, tmp_path: Path, monkeypatch: Any) -> None:
    """The channel hears why."""
    refused, absent, unknown = Recorder(), Recorder(), Recorder()
    connect(refused, "127.0.0.1", free_port(), loop=loop)
    connect(absent, tmp_path / "absent", loop=loop)
    loop.run()

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(errno.ENOENT, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    connect(unknown, "example.org", 1, loop=loop)
    assert unknown.lost == []
    loop.run()
    assert [type(exc) for exc in refused.lost] == [ConnectionRefusedError]
    assert [type(exc) for exc in absent.lost] == [FileNotFoundError]
    assert [type(exc) for exc in unknown.lost] == [socket.gaierror]
    assert refused.heard == []


@pytest.mark.parametrize("discard", [True, False])
def test_connecting_is_given_up(loop: Loop, clock: Clock, discard: bool) -> None:
    """By discard(), or by the idle timeout: the queue of the listener is full, nobody answers."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(5):
            sock = opened.enter_context(socket.socket())
            sock.settimeout(0)
            sock.connect_ex(listener.getsockname())
        client = Recorder()
        connect(client, *listener.getsockname(), loop=loop, idle_timeout=60)
        loop.run_until(lambda: False, 0)
        client.push(b"early")
        loop.run_until(lambda: False, 0)
        assert not client.closed
        if discard:
            client.discard()
        else:
            clock.now += 60
        loop.run()
        assert client.heard == []
        assert [type(exc) for exc in client.lost] == [type(None) if discard else TimeoutError]


def test_start_tls_knows_the_host(loop: Loop) -> None:
    """The certificate is held against what connect() was given."""

    class Client(Recorder):
        def connection_made(self) -> None:
            self.start_tls(client_tls())

    client = Client()
    with serve_channel(Echo, "127.0.0.1", 0, tls=server_tls(), loop=loop) as server:
        connect(client, "127.0.0.1", server.port, loop=loop)
        turns(loop, lambda: client.heard == ["tls"])
