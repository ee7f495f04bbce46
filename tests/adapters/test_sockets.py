"""What the adapters with plain sockets share: how they listen, and what one send takes."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from peers import client_tls, server_tls

from framer import PENDING, Framer, OutputQueue, TlsRequest
from framer_adapters import _sockets
from framer_adapters._sockets import (
    close,
    dial,
    listen,
    next_piece,
    remove_unix_socket,
    send_file,
    send_piece,
    set_no_delay,
    wrap_socket,
)

MIB = 1 << 20


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    left, right = socket.socketpair()
    left.settimeout(0)
    with left, right:
        yield left, right


def send_some(sock: socket.socket, out: OutputQueue) -> int:
    """Send what is next."""
    return send_piece(sock, out, next_piece(sock, out))


def pushed(*items: bytes) -> OutputQueue:
    """Make a queue of these."""
    out = OutputQueue()
    for item in items:
        out.push(item)
    return out


# Listening


def test_listen_to_all_of_the_machine() -> None:
    """Every family that there is, at the same port, which the system chose."""
    listeners = listen(None, 0)
    ports = {listener.getsockname()[1] for listener in listeners}
    families = {listener.family for listener in listeners}
    for listener in listeners:
        listener.close()
    assert len(listeners) == len(families) >= 1
    assert len(ports) == 1
    assert ports != {0}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listen_to_an_address(host: str) -> None:
    """One address is one socket, and it is heard."""
    (listener,) = listen(host, 0)
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getpeername() == client.getsockname()


def test_listen_where_somebody_else_does() -> None:
    """It is an OSError, and nothing is left open."""
    (listener,) = listen("127.0.0.1", 0)
    with listener, pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        listen("127.0.0.1", listener.getsockname()[1])


def test_listen_at_a_path(tmp_path: Path) -> None:
    """A Unix socket; what a server that is gone has left there is replaced."""
    path = tmp_path / "socket"
    for _ in range(2):
        (listener,) = listen(path, None)
        with listener, socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        assert path.is_socket()
    remove_unix_socket(str(path))
    remove_unix_socket(str(path))
    assert not path.exists()


def test_listen_where_a_server_lives(tmp_path: Path) -> None:
    """Its path is not taken from it."""
    path = tmp_path / "socket"
    (listener,) = listen(path, None)
    with listener, pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        listen(path, None)
    assert path.is_socket()
    remove_unix_socket(str(path))


def test_only_our_own_socket_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one that somebody else has put there since, nor one of that name in another folder."""
    monkeypatch.chdir(tmp_path)
    (listener,) = listen("socket", None)
    listener.close()
    Path("socket").unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("socket")
        remove_unix_socket("socket")
        assert Path("socket").is_socket()
    Path("socket").unlink()
    (listener,) = listen("socket", None)
    listener.close()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    remove_unix_socket("socket")
    assert not (tmp_path / "socket").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are of Linux")
def test_listen_at_an_abstract_name() -> None:
    """It is no file, so there is nothing to remove."""
    name = f"\0framer-{os.getpid()}"
    (listener,) = listen(name, None)
    with listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
    remove_unix_socket(name)


def test_listen_at_a_path_with_a_file(tmp_path: Path) -> None:
    """What is no socket is not ours to remove."""
    path = tmp_path / "precious"
    path.write_bytes(b"data")
    with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        listen(path, None)
    assert path.read_bytes() == b"data"


@pytest.mark.parametrize("timeout", [None, 20.0])
def test_dialling(tmp_path: Path, timeout: float | None) -> None:
    """To a port or to a path; the timeout stays."""
    (at_port,), (at_path,) = listen("127.0.0.1", 0), listen(tmp_path / "socket", None)
    with at_port, at_path:
        port = at_port.getsockname()[1]
        with dial("127.0.0.1", port, timeout) as sock, at_port.accept()[0]:
            assert sock.gettimeout() == timeout
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with dial(tmp_path / "socket", None, timeout) as sock, at_path.accept()[0]:
            assert sock.gettimeout() == timeout


def test_dialling_where_nobody_is(tmp_path: Path) -> None:
    """That is an error of the system, and no socket is left."""
    with pytest.raises(FileNotFoundError):
        dial(tmp_path / "nobody", None, None)


def test_no_delay(pair: tuple[socket.socket, socket.socket]) -> None:
    """It is set for TCP, and means nothing elsewhere."""
    set_no_delay(pair[0])
    with socket.socket() as sock:
        set_no_delay(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Sending


def test_nothing_to_send(pair: tuple[socket.socket, socket.socket]) -> None:
    """Neither an empty queue nor one that waits has anything."""
    assert send_some(pair[0], OutputQueue()) == 0
    out = OutputQueue()
    out.push_producer([PENDING])
    assert send_some(pair[0], out) == 0


@pytest.mark.parametrize("size", [1, 5000])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_all_that_is_next_goes_in_one_send(
    pair: tuple[socket.socket, socket.socket], count: int, size: int
) -> None:
    """Few or many, small or large."""
    data = [bytes([65 + n % 26]) * size for n in range(count)]
    out = pushed(*data)
    whole = b"".join(data)
    sent = send_some(pair[0], out)
    assert 0 < sent <= len(whole)
    assert sent == len(whole) or size > 1
    assert out.data_to_send() == whole[sent:]


def test_without_sendmsg() -> None:
    """A socket of another make may have no such call."""

    class Plain:
        def __init__(self) -> None:
            self.sent: list[bytes] = []

        def send(self, data: bytes) -> int:
            self.sent.append(bytes(data))
            return len(data)

    plain: Any = Plain()
    assert send_some(plain, pushed(b"a" * 5000, b"b" * 5000)) == 10000
    assert plain.sent == [b"a" * 5000 + b"b" * 5000]


def test_partial_sends_lose_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    """What the socket does not take stays, and what it says comes out."""
    left, right = pair
    right.settimeout(10)
    data = os.urandom(3 * MIB)
    out = pushed(*(data[at : at + 100_000] for at in range(0, len(data), 100_000)))
    received = bytearray()
    while out:
        try:
            send_some(left, out)
        except BlockingIOError:
            received += right.recv(1 << 16)
    left.close()
    while more := right.recv(1 << 16):
        received += more
    assert received == data


# Files


def drained(sock: socket.socket, out: OutputQueue, peer: socket.socket) -> bytes:
    """Send all, and return what the peer got."""
    received = bytearray()
    peer.setblocking(False)
    while out:
        send_some(sock, out)
        with contextlib.suppress(BlockingIOError):
            while True:
                received += peer.recv(1 << 20)
    return bytes(received)


@pytest.mark.parametrize("buffering", [-1, 0])
def test_a_file_is_sent_from_where_it_is(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path, buffering: int
) -> None:
    """From its position to its end, between what is before and behind it; then it is closed."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 1000)
    file = path.open("rb", buffering)
    file.read(3)
    out = pushed(b"<")
    out.push_producer(file)
    out.push(b">")
    assert drained(*pair[:1], out, pair[1]) == b"<" + (b"0123456789" * 1000)[3:] + b">"
    assert file.closed


def test_the_kernel_sends_the_file(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a byte of it is read here."""
    path = tmp_path / "file"
    path.write_bytes(bytes(100_000))
    with path.open("rb", buffering=0) as file:
        out = OutputQueue()
        out.push_producer(file)
        taken: list[int] = []
        sendfile = os.sendfile

        def counted(*args: int) -> int:
            taken.append(sendfile(*args))
            return taken[-1]

        monkeypatch.setattr(os, "sendfile", counted)
        received = drained(pair[0], out, pair[1])
    assert received == bytes(100_000)
    assert sum(taken) == 100_000


def not_a_file(path: Path) -> object:
    """Give bytes by itself."""
    return [path.read_bytes()]


def compressed(path: Path) -> object:
    """Have a descriptor whose bytes are others than those that it reads."""
    path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))
    return gzip.open(path.with_suffix(".gz"))


def buffered_compressed(path: Path) -> object:
    """The same, behind a buffer."""
    return io.BufferedReader(cast("Any", compressed(path)))


def pipe(path: Path) -> object:
    """Have a descriptor that has no position."""
    reading, writing = os.pipe()
    os.write(writing, path.read_bytes())
    os.close(writing)
    return os.fdopen(reading, "rb")


def closed(path: Path) -> object:
    """Be closed before it could be sent; that is an error of the producer, and ends it."""
    file = path.open("rb")
    file.close()
    return file


def in_memory(path: Path) -> object:
    """Have no descriptor at all."""
    return io.BytesIO(path.read_bytes())


@pytest.mark.parametrize("make", [not_a_file, compressed, buffered_compressed, pipe, in_memory])
def test_what_is_no_plain_file_is_read(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    """Also what looks like one, with a descriptor whose bytes are not meant."""
    path = tmp_path / "file"
    path.write_bytes(b"payload" * 100)
    producer = make(path)
    out = OutputQueue()
    out.push_producer(producer)
    assert send_file(pair[0], out) == 0
    assert drained(pair[0], out, pair[1]) == b"payload" * 100


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.ENOSYS])
def test_a_file_that_the_kernel_cannot_send_is_read(
    pair: tuple[socket.socket, socket.socket],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    """Some file systems cannot; and a file that cannot be read says so itself."""

    def failing(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "sendfile", failing)
    path = tmp_path / "file"
    path.write_bytes(b"payload")
    out = OutputQueue()
    out.push_producer(path.open("rb"))
    assert drained(pair[0], out, pair[1]) == b"payload"


def test_a_file_where_there_is_no_sendfile(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.delattr(os, "sendfile")
    path = tmp_path / "file"
    path.write_bytes(b"payload")
    out = OutputQueue()
    out.push_producer(path.open("rb"))
    assert drained(pair[0], out, pair[1]) == b"payload"


@pytest.mark.parametrize("error", [BlockingIOError, InterruptedError, BrokenPipeError])
def test_what_the_socket_says_comes_out(
    pair: tuple[socket.socket, socket.socket],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[OSError],
) -> None:
    """And the file is where it was."""

    def failing(*_: object) -> int:
        raise error

    path = tmp_path / "file"
    path.write_bytes(b"payload")
    out = OutputQueue()
    with path.open("rb") as file:
        out.push_producer(file)
        with monkeypatch.context() as patched, pytest.raises(error):
            patched.setattr(os, "sendfile", failing)
            send_some(pair[0], out)
        assert drained(pair[0], out, pair[1]) == b"payload"


def test_a_file_that_is_closed(pair: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    """Who reads it is told, once, and what is behind it goes out."""
    path = tmp_path / "file"
    path.write_bytes(b"payload")
    out = OutputQueue()
    out.push_producer(cast("Any", closed(path)))
    out.push(b"more")
    with pytest.raises(ValueError, match="closed file"):
        next_piece(pair[0], out)
    assert drained(pair[0], out, pair[1]) == b"more"


def test_what_is_discarded_while_it_is_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    """It has gone out, and the queue is in order."""
    out = pushed(b"abc")
    piece = next_piece(pair[0], out)
    out.discard()
    out.push(b"def")
    assert send_piece(pair[0], out, piece) == 3
    assert drained(pair[0], out, pair[1]) == b"abcdef"


# Closing


def test_lingering_reads_to_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    """And ends its own direction first, so that the peer knows."""
    pair[1].sendall(b"x" * 1000)
    pair[1].shutdown(socket.SHUT_WR)
    close(pair[0], linger=20)
    assert pair[1].recv(1) == b""


@pytest.mark.parametrize("linger", [0.0, 0.01])
def test_lingering_has_an_end(pair: tuple[socket.socket, socket.socket], linger: float) -> None:
    """A peer that does not end its stream is not waited for any longer."""
    pair[1].send(b"x")
    close(pair[0], linger)
    assert pair[0].fileno() == -1


# TLS


def secured(pair: tuple[socket.socket, socket.socket]) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Shake hands over a pair of sockets."""
    left = wrap_socket(pair[0], TlsRequest(Framer(), server_tls()), None)
    right = client_tls().wrap_socket(
        pair[1],
        server_hostname="localhost",
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,  # an end that TLS was not told of is an error
    )
    done: set[ssl.SSLSocket] = set()
    left.setblocking(False)
    right.setblocking(False)
    while len(done) < 2:
        for sock in {left, right} - done:
            try:
                sock.do_handshake()
            except ssl.SSLWantReadError:
                continue
            done.add(sock)
    return left, right


def test_over_tls_nothing_goes_round_it(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    """A file is read and encrypted, several buffers are one record, and the end is told."""
    left, right = secured(pair)
    path = tmp_path / "file"
    path.write_bytes(b"payload")
    out = pushed(b"a" * 5000, b"b" * 5000)
    out.push_producer(path.open("rb"))
    with contextlib.closing(left), contextlib.closing(right):
        while out:
            send_some(left, out)
        close(left)
        right.setblocking(True)
        received = bytearray()
        while data := right.recv(1 << 16):
            received += data
        assert received == b"a" * 5000 + b"b" * 5000 + b"payload"


def test_close_of_tls_that_never_was(pair: tuple[socket.socket, socket.socket]) -> None:
    """There is nobody to tell."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sock = context.wrap_socket(pair[0], server_side=True, do_handshake_on_connect=False)
    close(sock)
    assert sock.fileno() == -1
    close(pair[1])
    assert pair[1].fileno() == -1


def test_all_names_are_used() -> None:
    """The module offers what it lists."""
    assert all(hasattr(_sockets, name) for name in _sockets.__all__)


@pytest.mark.parametrize("error", [None, ssl.SSLWantReadError(), ssl.SSLError(), ValueError()])
def test_a_farewell_that_has_to_wait(
    error: Exception | None, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Until the kernel takes it, but not until the peer answers."""
    answers: list[Exception | None] = [ssl.SSLWantWriteError(), error]

    class Wire:
        settimeout = pair[0].settimeout
        fileno = pair[0].fileno

        def unwrap(self) -> None:
            if (answer := answers.pop(0)) is not None:
                raise answer

    _sockets._say_farewell(cast("ssl.SSLSocket", Wire()), 0)
    assert answers == []


def test_waiting_for_room(pair: tuple[socket.socket, socket.socket]) -> None:
    """There is some, there is none in time, or one must not wait."""
    pair[0].settimeout(0)
    _sockets.wait_until_writable(pair[0], None)
    with pytest.raises(BlockingIOError, match="give it a timeout"):
        _sockets.wait_until_writable(pair[0], 0)
    with contextlib.suppress(BlockingIOError):
        while True:
            pair[0].send(bytes(1 << 16))
    with pytest.raises(TimeoutError):
        _sockets.wait_until_writable(pair[0], 0.01)
