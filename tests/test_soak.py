"""The soak, for a second: that it still runs, and that its peers see what is wrong.

`make soak` takes minutes for each adapter; docs/reliability.md has what came of that.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("counts descriptors in /proc", allow_module_level=True)

import soak.__main__ as soaking
from soak.clients import KINDS, Client
from soak.server import LINE

HASTY = {kind: KINDS[kind] for kind in ("polite", "resetter", "vanisher", "babbler")}
"""The kinds that need no clock to come to their end."""


@pytest.mark.parametrize("adapter", ["selectors", "asyncio"])
def test_a_short_soak(adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers come and go, the server runs out of descriptors, and nothing is lost or left."""
    monkeypatch.setattr(soaking, "KINDS", HASTY)
    tally = soaking.Tally(adapter)
    with soaking.Server(adapter) as server:
        before = server.ask("stats")
        crowd = soaking.Crowd(server.ports, 1, tally)
        for _ in soaking.soak_round(server, crowd, 20, 0.5):
            pass
        soaking.settle(server, before, tally)
        crowd.selector.close()
    assert tally.problems == []
    assert tally.ended.total()
    assert tally.verified


def test_lodgers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is more than those that come and go stays until the round is over, and is served."""
    monkeypatch.setattr(soaking, "KINDS", HASTY)
    monkeypatch.setattr(soaking, "COMING", 5)
    tally = soaking.Tally("selectors")
    with soaking.Server("selectors") as server:
        before = server.ask("stats")
        crowd = soaking.Crowd(server.ports, 1, tally)
        for part in soaking.soak_round(server, crowd, 20, 0.5):
            if 0.0 < part < 1.0:
                assert sum(client.kind == "lodger" for client in crowd.clients) == 15
        soaking.settle(server, before, tally)
        crowd.selector.close()
    assert tally.problems == []
    assert tally.ended["lodger"] == 15


@pytest.fixture
def server() -> Iterator[tuple[Client, socket.socket]]:
    """A polite peer, and the socket that serves it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client("polite", listener.getsockname(), LINE, 3, 0.0)
        accepted, _ = listener.accept()
        with accepted:
            client.sock.settimeout(30)
            yield client, accepted
            client.close()


def talk(client: Client, server: socket.socket) -> bytes:
    """Have the peer send all that it has to say; return that."""
    said = b""
    while not client.half_closed:
        client.write(0.0)
        while len(said) < client.sent:
            said += server.recv(65536)
    return said


def test_a_polite_peer_is_content_with_an_echo(server: Any) -> None:
    """What it sent comes back, then the end: nothing is wrong."""
    client, sock = server
    said = talk(client, sock)
    sock.sendall(said)
    sock.shutdown(socket.SHUT_WR)
    while client.outcome is None:
        client.read(0.0)
    assert client.outcome == ""
    assert client.verified == len(said) > 0


@pytest.mark.parametrize(
    ("first", "last", "more", "complaint"),
    [
        (0, -1, b"", "bytes owed"),
        (1, None, b"", "not what was sent"),
        (0, None, b"spam\n", "not what was sent"),
        (0, -1, b"\r", "not what was sent"),
    ],
    ids=["end lost", "beginning lost", "too much", "one byte changed"],
)
def test_a_polite_peer_sees_what_is_wrong(
    first: int, last: int | None, more: bytes, complaint: str, server: Any
) -> None:
    """One byte too few, too many, or another one: it complains."""
    client, sock = server
    sock.sendall(talk(client, sock)[first:last] + more)
    sock.shutdown(socket.SHUT_WR)
    while client.outcome is None:
        client.read(0.0)
    assert complaint in client.outcome


def test_what_is_left_is_told() -> None:
    """Conversations, descriptors, threads and objects that were not there before are problems."""
    before = {"open": 0, "descriptors": 8, "threads": 2, "alive": {"Channel": 0}}
    assert soaking.left(before, before) == []
    now = {"open": 1, "descriptors": 9, "threads": 3, "alive": {"Channel": 2}}
    assert len(soaking.left(now, before)) == 4


@pytest.mark.parametrize("adapter", ["asyncio", "uvloop"])
@pytest.mark.parametrize("starved", [False, True])
@pytest.mark.parametrize("verified", [0, 1])
def test_who_is_turned_away(adapter: str, starved: bool, verified: int, server: Any) -> None:
    """Only libuv may close a peer that was not heard, and only when it has no descriptors."""
    client, _ = server
    client.outcome, client.verified = "reset", verified
    tally = soaking.Tally(adapter)
    tally.note(client, starved=starved)
    excused = adapter == "uvloop" and starved and not verified
    assert tally.turned_away == excused
    assert tally.problems == ([] if excused else ["reset"])
