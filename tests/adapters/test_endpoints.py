"""What a loop waits for: events that change, and lost connections."""

from __future__ import annotations

import select
import socket

import pytest
from loops import Reader, turn

from framer_adapters._endpoints import HANGUP, READ, WRITE, Endpoint
from framer_adapters._loop import Loop

PATIENCE = 20.0  # seconds until a test has failed; none takes them


def test_what_an_endpoint_waits_for(loop: Loop) -> None:
    """Events that may change, and none."""
    left, right = socket.socketpair()
    reader = Reader(loop, right)
    left.send(b"a")
    turn(loop)
    reader.wait_for(0)
    left.send(b"b")
    turn(loop)
    assert reader.got == [b"a"]
    reader.wait_for(WRITE)
    reader.wait_for(READ | WRITE)
    reader.wait_for(READ | WRITE)
    turn(loop)
    assert reader.got == [b"a", b"b"]
    left.close()
    loop.run()
    assert reader.ended == [None]
    assert right.fileno() == -1


def test_an_endpoint_is_for_others_to_define(loop: Loop) -> None:
    """What it does is in subclasses; ending is harmless a second time."""
    left, right = socket.socketpair()
    endpoint = Endpoint(loop, right)
    with left, pytest.raises(NotImplementedError):
        endpoint.ready(READ)
    endpoint.end(None)
    endpoint.end(None)
    assert not loop.endpoints


class Lost(Reader):
    """Ends all when it is told that its connection is lost."""

    def ready(self, events: int, /) -> None:
        """Note it, and end all."""
        self.got.append(b"%d" % events)
        for endpoint in list(self.loop.endpoints):
            endpoint.end(None)


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll tells of that")
def test_hangups(loop: Loop) -> None:
    """Who waits for nothing else is told, unless another has ended it in the same turn."""
    pairs = [socket.socketpair() for _ in range(2)]
    endpoints = [Lost(loop, ours) for ours, _ in pairs]
    for (_, theirs), endpoint in zip(pairs, endpoints, strict=True):
        endpoint.wait_for(HANGUP)
        theirs.send(b"x")
        theirs.shutdown(socket.SHUT_WR)
    assert not loop.run_until(lambda: any(endpoint.got for endpoint in endpoints), 0)
    for _, theirs in pairs:
        theirs.close()
    loop.run_until(lambda: any(endpoint.ended for endpoint in endpoints), PATIENCE)
    assert sorted(endpoint.got for endpoint in endpoints) == [[], [b"4"]]
    assert not loop.endpoints


def test_waiting_for_this_and_that(loop: Loop) -> None:
    """From anything to anything; where there is no epoll to hang-ups nobody listens."""
    ours, theirs = socket.socketpair()
    with theirs:
        endpoint = Reader(loop, ours)
        for events in (HANGUP, READ, WRITE, READ | WRITE, HANGUP, 0, HANGUP, HANGUP, READ):
            endpoint.wait_for(events)
            assert endpoint.events == events
        theirs.send(b"x")
        loop.run_until(lambda: endpoint.got, PATIENCE)
        endpoint.end(None)


def test_hangups_without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told, and nothing breaks."""
    monkeypatch.delattr(select, "epoll", raising=False)
    with Loop() as loop:
        ours, theirs = socket.socketpair()
        with theirs:
            endpoint = Lost(loop, ours)
            endpoint.wait_for(HANGUP)
            theirs.shutdown(socket.SHUT_RDWR)
            assert not loop.run_until(lambda: endpoint.got, 0)
            endpoint.wait_for(0)
