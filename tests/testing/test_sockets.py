"""The socket that code under test is given: what it has in common with a real one."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import errno
import io
from typing import Any, cast

import pytest

from framer.testing._sockets import MOST_REFUSALS, FakeSocket, Sign


class Fake(FakeSocket):
    """Gives and takes what is in two lists."""

    def __init__(self, *reads: bytes | Sign, accepts: tuple[int | Sign, ...] = ()) -> None:
        super().__init__()
        self.reads = list(reads)
        self.accepts = list(accepts)
        self.sent = b""

    def _receive(self, max_size: int) -> bytes | Sign:
        if not self.reads:
            return Sign.BLOCKED
        data = self.reads.pop(0)
        if isinstance(data, bytes) and data[max_size:]:
            self.reads.insert(0, data[max_size:])
        return data if isinstance(data, Sign) else data[:max_size]

    def _accept(self, data: bytes) -> int | Sign:
        count = self.accepts.pop(0) if self.accepts else len(data)
        if not isinstance(count, Sign):
            self.sent += data[:count]
        return count

    def _refuse_for_ever(self, what: str) -> Exception:
        return RuntimeError(f"{what} for ever")


def test_receiving() -> None:
    """At most as much as was asked for; into a buffer, too."""
    sock = Fake(b"spam and", b"")
    assert sock.recv(3) == b"spa"
    buffer = bytearray(10)
    assert sock.recv_into(buffer, 2) == 2
    assert sock.recv_into(memoryview(buffer)[2:]) == 3
    assert buffer[:5] == b"m and"
    assert sock.recv(1) == b""


def test_sending() -> None:
    """Partial sends are told; sendall goes on until all is gone."""
    sock = Fake(accepts=(1, 2))
    assert sock.send(b"spam") == 1
    sock.sendall(bytearray(b"pam"))
    assert sock.sendmsg([b" an", memoryview(b"d")]) == 4
    assert sock.sent == b"spam and"
    with pytest.raises(NotImplementedError):
        sock.sendmsg([b"a"], [b"ancillary"])


def test_waiting() -> None:
    """A moment passes where it blocks, is EAGAIN where it must not, and TimeoutError in between."""
    assert Fake(Sign.WAIT, b"a").recv(1) == b"a"
    sock = Fake(Sign.WAIT, b"a")
    sock.setblocking(False)
    assert (sock.getblocking(), sock.gettimeout()) == (False, 0)
    with pytest.raises(BlockingIOError) as caught:
        sock.recv(1)
    assert caught.value.errno == errno.EAGAIN
    assert sock.recv(1) == b"a"
    sock.settimeout(5)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    sock.setblocking(True)
    with pytest.raises(RuntimeError, match="recv for ever"):
        sock.recv(1)
    assert Fake(accepts=(Sign.WAIT, 1)).send(b"ab") == 1


def test_code_that_never_gives_up() -> None:
    """Who asks again and again is told at last; who gets something in between may go on asking."""
    sock = Fake()
    sock.setblocking(False)
    for _ in range(MOST_REFUSALS - 1):
        with pytest.raises(BlockingIOError):
            sock.recv(1)
    sock.reads.append(b"a")
    assert sock.recv(1) == b"a"
    for _ in range(MOST_REFUSALS - 1):
        with pytest.raises(BlockingIOError):
            sock.recv(1)
    with pytest.raises(RuntimeError):
        sock.recv(1)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("rb", io.BufferedReader),
        ("wb", io.BufferedWriter),
        ("rwb", io.BufferedRWPair),
        ("r", io.TextIOWrapper),
    ],
)
def test_files(mode: str, kind: type) -> None:
    """Of the same kinds as of a real socket."""
    with Fake(b"a\n", b"b", *[b""] * 4) as sock, sock.makefile(mode) as file:
        assert isinstance(file, kind)
        if "r" in mode:
            assert list(file) in ([b"a\n", b"b"], ["a\n", "b"])
        if "w" in mode:
            cast("io.BufferedIOBase", file).write(b"spam")
            file.flush()
            assert sock.sent == b"spam"


def test_files_without_a_buffer_and_with_a_small_one() -> None:
    """What the second argument of makefile says."""
    sock = Fake(b"abc", Sign.WAIT, accepts=(1, Sign.WAIT))
    raw: Any = sock.makefile("rwb", buffering=0)
    assert isinstance(raw, io.RawIOBase)
    assert raw.read(2) == b"ab"
    assert raw.write(b"xy") == 1
    sock.setblocking(False)
    assert raw.write(b"y") is None
    assert raw.read(1) == b"c"
    assert raw.read(1) is None
    small: Any = Fake(b"a\nb").makefile("rb", 2)
    assert small.readline() == b"a\n"


def test_what_else_sockets_have() -> None:
    """Options and names are there and mean nothing; flags are refused; a closed one is closed."""
    sock = Fake(b"a")
    sock.setsockopt(6, 1, 1)
    sock.shutdown(1)
    assert (sock.getsockname(), sock.getpeername(), sock.fileno()) == ("", "", -1)
    with pytest.raises(NotImplementedError):
        sock.recv(1, 2)
    sock.close()
    for call in (lambda: sock.recv(1), lambda: sock.send(b"a"), lambda: sock.shutdown(0)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EBADF


def test_a_socket_alone() -> None:
    """What bytes come from is a subclass's to say."""
    for call in (
        lambda: FakeSocket().recv(1),
        lambda: FakeSocket().send(b"a"),
        lambda: FakeSocket()._refuse(Sign.BLOCKED, "recv"),
    ):
        with pytest.raises(NotImplementedError):
            call()
