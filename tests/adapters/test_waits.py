"""What a thread does with a blocking socket: sending to the end, and a channel step by step."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import DEADLINE, Background, Peer, pair, server_tls

from framer import PENDING, Channel, OutputQueue, Pending, UsageError
from framer_adapters import _waits
from framer_adapters._waits import (
    BlockingConversation,
    BrokenError,
    Handling,
    ReceiveLock,
    SendLock,
    receive,
    send_all,
    send_to_the_end,
    shake_hands,
)

MIB = 1 << 20


@pytest.fixture
def both() -> Iterator[tuple[socket.socket, Peer]]:
    """Two connected sockets that do not wait for ever."""
    with pair(tcp=True) as (ours, peer):
        ours.settimeout(DEADLINE)
        yield ours, peer


class Interrupted:
    """A socket that a signal interrupts before everything that it does."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        self.calls += 1
        if self.calls % 2:
            raise InterruptedError
        return getattr(self.sock, name)


def test_signals(both: tuple[socket.socket, Peer]) -> None:
    """What they interrupt is done again."""
    ours, peer = both
    interrupted, output = Interrupted(ours), OutputQueue()
    output.push(b"spam")
    send_all(interrupted, output)  # type: ignore[arg-type]
    assert peer.read(4) == b"spam"
    output.push(b"ham")
    send_all(ours, output, time.monotonic() + DEADLINE)
    assert peer.read(3) == b"ham"
    peer.send(b"eggs")
    assert receive(interrupted) == b"eggs"  # type: ignore[arg-type]


def test_a_peer_that_takes_nothing(both: tuple[socket.socket, Peer]) -> None:
    """The timeout is an error, and what was not sent is still there."""
    ours, peer = both
    output = OutputQueue()
    output.push(bytes(16 * MIB))
    ours.settimeout(0.05)
    with pytest.raises(TimeoutError):
        send_all(ours, output)
    left = len(output)
    assert 0 < left < 16 * MIB
    with Background(lambda: peer.read(16 * MIB)):
        ours.settimeout(DEADLINE)
        send_to_the_end(ours, output)
    assert not output


def test_a_file_that_a_peer_does_not_take(both: tuple[socket.socket, Peer], tmp_path: Path) -> None:
    """The kernel does not wait, so we do."""
    ours, peer = both
    path = tmp_path / "file"
    path.write_bytes(bytes(16 * MIB))
    output = OutputQueue()
    output.push_producer(path.open("rb"))
    with Background(lambda: peer.read(16 * MIB)):
        send_all(ours, output)
    assert not output


def test_a_peer_that_is_gone(both: tuple[socket.socket, Peer]) -> None:
    """What the socket says is told from what a producer raises."""
    ours, peer = both
    output = OutputQueue()
    output.push(bytes(16 * MIB))
    peer.reset()
    with pytest.raises(BrokenError) as caught:
        send_all(ours, output)
    assert isinstance(caught.value.error, ConnectionError)


class Later:
    """A producer that has something only when it is told so, from another thread."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.asked = threading.Event()

    def more(self) -> bytes | Pending:
        """Give it."""
        self.asked.set()
        return self.data.pop(0) if self.data else PENDING


def test_a_producer_of_another_thread(both: tuple[socket.socket, Peer]) -> None:
    """It is waited for, but no longer than for the peer."""
    ours, peer = both
    output, later = OutputQueue(), Later()
    output.push_producer(later)

    def bring() -> None:
        later.asked.wait(DEADLINE)
        later.data += [b"spam", b""]
        output.wake()

    with Background(bring):
        send_to_the_end(ours, output)
    assert peer.read(4) == b"spam"
    output.push_producer(Later())
    ours.settimeout(0.01)
    with pytest.raises(TimeoutError):
        send_to_the_end(ours, output)


def test_a_handler(both: tuple[socket.socket, Peer], caplog: pytest.LogCaptureFixture) -> None:
    """It gets its stream, which is closed in the end; what either raises is logged."""
    ours, _peer = both
    did: list[object] = []

    class Stream:
        transport = ours

        def __enter__(self) -> object:
            return self

        def __exit__(self, *_: object) -> None:
            assert "the handler's" in caplog.text
            did.append("closed")
            raise KeyError("a producer's")

    def handler(stream: Stream) -> None:
        did.append(stream)
        raise KeyError("the handler's")

    handling = Handling(handler, stream := Stream())
    assert handling.transport is ours
    handling.run()
    assert did == [stream, "closed"]
    assert "a producer's" in caplog.text


class Talker(Channel):
    """Does what it is told, and says what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.later = Later()

    def frame_received(self, frame: bytes) -> None:
        """Do it."""
        self.heard.append(frame)
        if frame == b"quit":
            self.push(b"bye\n")
            self.close_when_done()
        elif frame == b"tls":
            self.push(b"go ahead\n")
            self.start_tls(server_tls())
        elif frame == b"much":
            self.push(bytes(16 * MIB))
        elif frame == b"raise":
            raise ZeroDivisionError

    def eof_received(self) -> bool:
        """Wait for what another thread brings."""
        self.heard.append("eof")
        self.push_producer(self.later)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        self.heard.append(type(exc))


def converse(ours: socket.socket) -> tuple[Talker, Background[None]]:
    """Have a channel talk, in a thread."""
    talker = Talker()
    return talker, Background(BlockingConversation(talker, ours).run)


def test_a_conversation(both: tuple[socket.socket, Peer]) -> None:
    """In plain text, over TLS, to the last word."""
    ours, peer = both
    talker, running = converse(ours)
    peer.send(b"tls\n")
    assert peer.read(9) == b"go ahead\n"
    peer.start_tls()
    peer.send(b"spam\nquit\nnobody reads this\n" * 1000)
    assert peer.read_all() == b"bye\n"
    peer.sock.close()
    running.result()
    assert talker.heard == [b"tls", b"spam", b"quit", type(None)]


def test_a_conversation_goes_on_when_the_peer_has_ended(both: tuple[socket.socket, Peer]) -> None:
    """There is nothing to do then but to wait for a producer; an end of it ends nothing."""
    ours, peer = both
    ours.settimeout(0.2)
    talker, running = converse(ours)
    peer.end()
    talker.later.asked.wait(DEADLINE)
    running.result()
    assert talker.heard == ["eof", TimeoutError]


def test_a_hook_that_raises(
    both: tuple[socket.socket, Peer], caplog: pytest.LogCaptureFixture
) -> None:
    """The socket is closed at once."""
    ours, peer = both
    talker, running = converse(ours)
    peer.send(b"raise\n")
    assert peer.read_until_gone() == b""
    running.result()
    assert talker.heard == [b"raise", ZeroDivisionError]
    assert caplog.records[-1].levelno == logging.ERROR


def test_what_came_in_before_a_send_fails(
    both: tuple[socket.socket, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is delivered, and then comes the error."""
    ours, peer = both
    monkeypatch.setattr(_waits, "RECEIVE_SIZE", 5)
    talker = Talker()
    talker.push(bytes(16 * MIB))
    peer.send(b"spam\neggs\n")
    peer.reset()
    BlockingConversation(talker, ours).run()
    assert talker.heard[:2] == [b"spam", b"eggs"]
    assert issubclass(talker.heard[2], ConnectionError)  # type: ignore[arg-type]


def test_the_rest_is_not_heard_when_nobody_listens(both: tuple[socket.socket, Peer]) -> None:
    """A channel that has closed itself meanwhile hears nothing more."""
    ours, peer = both
    talker = Talker()
    talker.push(bytes(16 * MIB))
    talker.close_when_done()
    peer.send(b"spam\n")
    peer.reset()
    BlockingConversation(talker, ours).run()
    assert len(talker.heard) == 1


def test_plain_sockets_shake_no_hands(both: tuple[socket.socket, Peer]) -> None:
    """There is nothing to do."""
    shake_hands(both[0])


def test_one_receives() -> None:
    """Another that wants to gets an error, until the first one has done; also if that failed."""
    lock = ReceiveLock()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock:
            assert lock.locked()
            with pytest.raises(UsageError, match="another thread"), lock:
                pass
            assert lock.locked()
            raise ZeroDivisionError
    assert not lock.locked()


def test_one_sends_after_the_other() -> None:
    """The other waits for its turn."""
    lock = SendLock()
    sent: list[int] = []

    def send() -> None:
        with lock:
            sent.append(2)

    with lock, Background(send) as sending:
        sent.append(1)
        lock.release()
        sending.result()
        lock.acquire()
    assert sent == [1, 2]
    assert not lock.locked()


def test_why_nothing_more_can_be_sent() -> None:
    """What the socket said is raised as it was, and kept; an error of a producer is neither."""
    lock = SendLock()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    assert lock.broken is None
    gone = ConnectionResetError()
    with pytest.raises(ConnectionResetError) as raised, lock:
        raise BrokenError(gone)
    assert raised.value is lock.broken is gone
    assert not lock.locked()
