"""Blocking sockets: the conformance suite, and what is so only where calls block."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import conformance
import pytest
from peers import server_tls
from worlds import BlockingWorld

from framer import PENDING, Channel, OutputQueue, Pending, UsageError
from framer_adapters import _waits, blocking
from framer_adapters.blocking import FramedStream, run_channel

DEADLINE = 20.0
MIB = 1 << 20

Pair = tuple[socket.socket, socket.socket]


class TestChannels(conformance.ChannelSuite):
    """Channels, each in a thread."""

    world = BlockingWorld()


class TestStreams(conformance.StreamSuite):
    """Streams, each in a thread."""

    world = BlockingWorld()


@pytest.fixture(autouse=True)
def _short_farewells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers here rarely end first, and then closing takes as long as it may."""
    for module in (blocking, _waits):
        monkeypatch.setattr(module, "LINGER", 0.05)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets that do not wait for ever."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(DEADLINE)
        theirs.settimeout(DEADLINE)
        yield ours, theirs


class Later:
    """A producer that has nothing before another thread has brought it something."""

    def __init__(self, output: OutputQueue) -> None:
        self.output = output
        self.chunks: list[bytes] = []
        self.asked = threading.Event()

    def more(self) -> bytes | Pending:
        """Give the next, or wait for it."""
        if self.chunks:
            return self.chunks.pop(0)
        self.asked.set()
        return PENDING

    def bring(self) -> None:
        """Bring two chunks and the end, once it was asked."""
        assert self.asked.wait(DEADLINE)
        self.chunks += [b"a", b"b", b""]
        self.output.wake()


def read_all(sock: socket.socket) -> bytes:
    """Read to the end of the stream."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


# Waiting for what another thread brings


def test_a_stream_waits_for_its_producer(pair: Pair) -> None:
    """While it has nothing the call waits; the other thread only has to wake the queue."""
    with FramedStream(pair[0]) as stream:
        later = Later(stream.output)
        thread = threading.Thread(target=later.bring)
        thread.start()
        stream.send_producer(later)
        thread.join(DEADLINE)
    assert read_all(pair[1]) == b"ab"


def test_a_stream_waits_for_its_producer_no_longer_than_for_its_peer(pair: Pair) -> None:
    """The timeout of the socket is that of every call."""
    pair[0].settimeout(0.01)
    with FramedStream(pair[0]) as stream, pytest.raises(TimeoutError, match="came in time"):
        stream.send_producer([PENDING])


def test_a_channel_waits_for_its_producer(pair: Pair) -> None:
    """When the peer has ended its stream there is nothing else to wait for."""

    class Waiting(Channel):
        def eof_received(self) -> bool:
            later = Later(self.output)
            thread = threading.Thread(target=later.bring)
            thread.start()
            self.push_producer(later)
            self.close_when_done()
            return True

    pair[1].shutdown(socket.SHUT_WR)
    run_channel(Waiting(), pair[0])
    assert read_all(pair[1]) == b"ab"


# Files, which the kernel sends, and it does not wait as send() does


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """Have more than fits between two sockets."""
    path = tmp_path / "large"
    path.write_bytes(bytes(8 * MIB))
    return path


def test_a_file_waits_for_the_peer(pair: Pair, large_file: Path) -> None:
    """All of it goes out, as the peer takes it."""
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(read_all(pair[1])))
    thread.start()
    with FramedStream(pair[0]) as stream:
        stream.send_producer(large_file.open("rb"))
    thread.join(DEADLINE)
    assert received == [bytes(8 * MIB)]


def test_a_file_that_the_peer_does_not_take(pair: Pair, large_file: Path) -> None:
    """It times out; what is left of it goes with the next send."""
    pair[0].settimeout(0.01)
    with FramedStream(pair[0]) as stream:
        with pytest.raises(TimeoutError, match="took nothing"):
            stream.send_producer(large_file.open("rb"))
        pair[0].settimeout(DEADLINE)
        received: list[bytes] = []
        thread = threading.Thread(target=lambda: received.append(read_all(pair[1])))
        thread.start()
        stream.send(b"end")
    thread.join(DEADLINE)
    assert received == [bytes(8 * MIB) + b"end"]


def test_a_file_over_a_socket_that_does_not_block(
    pair: Pair, large_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no way to wait, and the error says what to do."""
    monkeypatch.setattr(blocking, "CLOSE_TIMEOUT", 0.05)
    pair[0].settimeout(0)
    with FramedStream(pair[0]) as stream, pytest.raises(BlockingIOError, match="give it a timeout"):
        stream.send_producer(large_file.open("rb"))


# Sockets of another make


class Interrupted:
    """A socket that is interrupted by a signal before everything that it does."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.calls = 0

    def interrupt(self) -> None:
        """Every other time."""
        self.calls += 1
        if self.calls % 2:
            raise InterruptedError

    def recv(self, size: int) -> bytes:
        """Receive a byte."""
        self.interrupt()
        return self.sock.recv(min(size, 1))

    def send(self, data: bytes) -> int:
        """Send a byte."""
        self.interrupt()
        return self.sock.send(data[:1])

    def settimeout(self, timeout: float) -> None:
        """Do so."""
        self.sock.settimeout(timeout)

    def close(self) -> None:
        """Do so."""
        self.sock.close()


def test_signals_lose_nothing(pair: Pair) -> None:
    """Nor does a socket that takes and gives a byte at a time."""
    other: Any = Interrupted(pair[0])
    with FramedStream(other, b"\r\n") as stream:
        pair[1].sendall(b"one\r\ntwo\r\n")
        assert [stream.receive_frame(), stream.receive_frame()] == [b"one", b"two"]
        stream.output.push(b"<")
        stream.send(b"three>")
    assert read_all(pair[1]) == b"<three>"


class Broken(Interrupted):
    """A socket that takes nothing any more, and still has something."""

    def send(self, data: bytes) -> int:
        """Fail."""
        raise BrokenPipeError

    def recv(self, size: int) -> bytes:
        """Give the same for ever."""
        return b"bye\n"


def test_the_rest_is_heard_out_until_the_channel_closes(pair: Pair) -> None:
    """What comes behind that is not delivered to a channel, be the connection lost or not."""

    class Brief(Channel):
        frames = 0
        lost: Exception | None = None

        def connection_made(self) -> None:
            self.push(b"hello")

        def frame_received(self, frame: bytes) -> None:
            self.frames += 1
            if self.frames == 3:
                self.close_when_done()

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost = exc

    channel, broken = Brief(), cast("Any", Broken(pair[0]))
    run_channel(channel, broken)
    assert channel.frames == 3
    assert isinstance(channel.lost, BrokenPipeError)


# Several threads, and what each does to the others


def test_start_tls_while_another_thread_receives(pair: Pair) -> None:
    """It would take for encrypted what comes in plain text meanwhile."""
    with FramedStream(pair[0]) as stream:
        got: list[bytes] = []
        thread = threading.Thread(target=lambda: got.append(stream.receive_frame()))
        thread.start()
        while not stream._receiving.locked():
            pass
        with pytest.raises(UsageError, match="another thread is receiving"):
            stream.start_tls(server_tls())
        pair[1].sendall(b"x\n")
        thread.join(DEADLINE)
    assert got == [b"x"]


def test_closing_while_another_thread_receives() -> None:
    """That thread sees the end, and so does the peer."""
    ours, theirs = socket.socketpair()
    with theirs:
        stream = FramedStream(ours)
        ends: list[type[Exception]] = []

        def receive() -> None:
            try:
                stream.receive_frame()
            except (EOFError, OSError) as exc:
                ends.append(type(exc))

        thread = threading.Thread(target=receive)
        thread.start()
        while not stream._receiving.locked():
            pass
        stream.close()
        thread.join(DEADLINE)
        assert ends in ([EOFError], [OSError])
        theirs.settimeout(DEADLINE)
        assert theirs.recv(1) == b""


def test_closing_while_another_thread_sends(pair: Pair) -> None:
    """It waits for its turn, so that no byte goes out twice."""
    data = bytes(range(256)) * (4 * MIB // 256)
    stream = FramedStream(pair[0])
    sender = threading.Thread(target=stream.send, args=(data,))
    sender.start()
    while not stream._sending.locked():
        pass
    closer = threading.Thread(target=stream.close)
    closer.start()
    assert read_all(pair[1]) == data
    for thread in (sender, closer):
        thread.join(DEADLINE)


def test_closing_with_a_file_left(pair: Pair, large_file: Path) -> None:
    """All of it goes out, as the peer takes it."""
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(read_all(pair[1])))
    with FramedStream(pair[0]) as stream:
        stream.output.push_producer(large_file.open("rb"))
        thread.start()
    thread.join(DEADLINE)
    assert received == [bytes(8 * MIB)]


def test_closing_in_the_middle_of_a_send_that_does_not_end(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for longer than closing may take; it fails then."""
    monkeypatch.setattr(blocking, "CLOSE_TIMEOUT", 0.05)
    failed = threading.Event()
    stream = FramedStream(pair[0])

    def send() -> None:
        try:
            stream.send(bytes(8 * MIB))
        except OSError:
            failed.set()

    thread = threading.Thread(target=send)
    thread.start()
    while not stream._sending.locked():
        pass
    stream.close()
    assert failed.wait(DEADLINE)
    thread.join(DEADLINE)


# What a producer raises is not of the socket


@pytest.mark.parametrize("error", [FileNotFoundError, BlockingIOError, ConnectionResetError])
def test_errors_of_producers(pair: Pair, error: type[OSError]) -> None:
    """It comes out, and neither sending nor receiving is any worse for it."""

    def failing() -> Iterator[bytes]:
        yield b"one "
        raise error

    with FramedStream(pair[0]) as stream:
        with pytest.raises(error):
            stream.send_producer(failing())
        stream.send(b"two")
        pair[1].shutdown(socket.SHUT_WR)
        assert list(stream) == []
    assert read_all(pair[1]) == b"one two"


def test_a_channel_that_is_closed_already(pair: Pair) -> None:
    """No hook is called but the last."""

    class Never(Channel):
        lost = 0

        def connection_made(self) -> None:
            raise AssertionError

        def connection_lost(self, exc: Exception | None) -> None:
            assert exc is None
            self.lost += 1

    channel = Never()
    channel.close_when_done()
    pair[1].shutdown(socket.SHUT_WR)
    run_channel(channel, pair[0])
    assert channel.lost == 1


def test_arguments_are_looked_at_before_anything_is_opened() -> None:
    """So nothing has to be closed again."""
    wrong: Any = "\n"
    with pytest.raises(TypeError):
        blocking.connect("127.0.0.1", 1, wrong)
    with pytest.raises(TypeError, match="give an ssl"):
        blocking.connect("127.0.0.1", 1, tls=cast("Any", True))
    with pytest.raises(TypeError):
        blocking.serve(lambda _: None, "127.0.0.1", 0, wrong)


# The last word


def test_the_last_word_of_a_stream_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the peer has sent, and nobody read, does not reset the connection."""
    monkeypatch.setattr(blocking, "LINGER", DEADLINE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with theirs:
        theirs.settimeout(DEADLINE)
        theirs.sendall(bytes(1000))
        data = bytes(MIB)
        received: list[bytes] = []

        def read() -> None:
            received.append(read_all(theirs))
            theirs.close()

        thread = threading.Thread(target=read)
        thread.start()
        with FramedStream(ours) as stream:
            stream.send(data)
        thread.join(DEADLINE)
    assert received == [data]


def test_lingering_has_an_end(pair: Pair) -> None:
    """A peer that goes on sending is heard for a while, and then no more."""

    class Brief(Channel):
        def connection_made(self) -> None:
            self.push(b"bye")
            self.close_when_done()

    stop = threading.Event()

    def babble() -> None:
        while not stop.is_set():
            try:
                pair[1].send(b"blah")
            except OSError:
                return

    thread = threading.Thread(target=babble)
    thread.start()
    run_channel(Brief(), pair[0])
    stop.set()
    thread.join(DEADLINE)
    assert pair[0].fileno() == -1


def test_a_producer_that_fails_when_its_handler_has_returned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged; the server goes on."""
    caplog.set_level(logging.ERROR)

    def handler(stream: FramedStream) -> None:
        stream.output.push_producer(bytes([1 // number]) for number in (1, 0))

    with blocking.serve(handler, "127.0.0.1", 0) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        for _ in range(2):
            with blocking.connect("127.0.0.1", server.port, 1, timeout=DEADLINE) as stream:
                assert stream.receive_frame() == b"\x01"
                with pytest.raises((EOFError, OSError)):
                    stream.receive_frame()
        server.close()
        serving.join(DEADLINE)
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [type(error) for error in errors] == [ZeroDivisionError] * 2
