"""The Time Protocol (RFC 868) by docs/examples: both sides alone, together, and with rdate."""

import contextlib
import doctest
import re
import socket
import sys
import threading
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

import programs
import pytest

from framer import IncompleteFrame

sys.path.insert(0, str(programs.EXAMPLES))

import time_client
import time_server
from serving import ADAPTERS, converse

WRAP = 2_085_978_496  # 2036-02-07 06:28:16 UTC, in seconds since 1970
TIMES = [0, 1, 1_700_000_000, WRAP - 1, WRAP, WRAP + 1, WRAP + time_server.ERA]


def test_doctests() -> None:
    """What the docstrings show is so."""
    assert doctest.testmod(time_server).failed == 0


# Without I/O.


@pytest.mark.parametrize(
    ("unix", "answer"),
    [
        (-2_208_988_800, b"\0\0\0\0"),  # these are the examples in the RFC, and the wrap
        (0, (2_208_988_800).to_bytes(4, "big")),
        (189_302_400, (2_398_291_200).to_bytes(4, "big")),
        (-3_506_716_800, (-1_297_728_000 % 2**32).to_bytes(4, "big")),
        (WRAP - 0.5, b"\xff\xff\xff\xff"),
        (WRAP, b"\0\0\0\0"),
    ],
)
def test_encoding(unix: float, answer: bytes) -> None:
    """A time is four bytes: whole seconds since 1900, and from 2036 on since then."""
    assert time_server.encode_time(unix) == answer


@pytest.mark.parametrize("unix", TIMES)
@pytest.mark.parametrize("off", [0, -60 * 365 * 86400, 60 * 365 * 86400])
def test_wrap(unix: int, off: int) -> None:
    """The client understands any time that is some 60 years from its own clock at the most."""
    assert time_server.unix_time(time_server.encode_time(unix), near=unix + off) == unix


def test_server_says_four_bytes_and_closes() -> None:
    """Whatever the client says, however it is cut, the answer is there before."""

    def look(pieces: list[bytes]) -> tuple[bytes, bool]:
        channel = time_server.TimeServer(lambda: 1.9)
        return programs.converse(channel, pieces), channel.closed

    answer = (time_server.EPOCH + 1).to_bytes(4, "big")
    assert programs.check_cuttings(look, b"hello\n") == (answer, True)


def test_client_frames_by_count() -> None:
    """However the four bytes and some that do not belong there are cut, the time is the same."""

    def look(pieces: list[bytes]) -> tuple[datetime | None, Exception | None]:
        channel = time_client.TimeClient(lambda: WRAP)
        assert programs.converse(channel, pieces) == b""
        assert channel.closed
        return channel.moment, channel.error

    moment = datetime(2036, 2, 7, 6, 28, 17, tzinfo=UTC)
    assert programs.check_cuttings(look, b"\0\0\0\1behind") == (moment, None)


def test_client_and_a_truncated_answer() -> None:
    """Fewer than four bytes are an error that says how many, and no time."""

    def look(pieces: list[bytes]) -> str:
        channel = time_client.TimeClient()
        programs.converse(channel, pieces, eof=True)
        assert channel.moment is None
        assert isinstance(channel.error, IncompleteFrame)
        assert (channel.error.received, channel.error.expected) == (3, 4)
        return str(channel.error)

    assert "3 of 4" in programs.check_cuttings(look, b"\xff\0\n")


def test_client_and_no_answer() -> None:
    """A server that has no clock closes, and that is an error, too."""
    channel = time_client.TimeClient()
    programs.converse(channel, [], eof=True)
    assert isinstance(channel.error, EOFError)
    lost = time_client.TimeClient()
    lost.receive_loss(ConnectionResetError())
    assert isinstance(lost.error, ConnectionResetError)


# Under the adapters.


@pytest.fixture(scope="module", params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    """The name of an adapter."""
    return str(request.param)


@pytest.fixture(scope="module")
def port(adapter: str) -> Iterator[int]:
    """The port of a time server that runs under the adapter."""
    with programs.serving("time_server.py", "--adapter", adapter) as program:
        yield program.port


def test_client_and_server(adapter: str, port: int) -> None:
    """Both sides under one adapter agree on the time."""
    client = time_client.TimeClient()
    before = int(time.time())
    converse(client, "127.0.0.1", port, adapter)
    assert client.error is None
    assert client.moment is not None
    assert before <= client.moment.timestamp() <= time.time()


def test_server_and_a_client_that_talks(port: int) -> None:
    """Who says something gets the four bytes, and the end of the stream."""
    with socket.create_connection(("127.0.0.1", port), programs.TIMEOUT) as connection:
        connection.sendall(b"what time is it?\n")
        assert len(b"".join(iter(lambda: connection.recv(100), b""))) == time_server.SIZE


def test_rdate(port: int) -> None:
    """rdate, which knows nothing of us, shows the time."""
    rdate = programs.tool("rdate", "rdate")
    done = programs.run(rdate, "-p", "-o", str(port), "127.0.0.1")
    assert done.returncode == 0, done.stderr
    shown = re.search(rb"\d\d:\d\d:\d\d .*\d{4}", done.stdout)
    assert shown, done.stdout


@contextlib.contextmanager
def answering(answer: bytes) -> Generator[int]:
    """Serve one client with `answer`, and give the port."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(programs.TIMEOUT)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_program_shows_the_time(adapter: str) -> None:
    """The client as a program prints what the server said."""
    answer = time_server.encode_time(1_700_000_000)
    command = ["time_client.py", "--adapter", adapter]
    with answering(answer) as port:
        done = programs.run_example(*command, "--port", str(port))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"2023-11-14 22:13:20 UTC\n", b"")


@pytest.mark.parametrize(
    ("answer", "error"), [(b"abc", b"3 of 4"), (b"", b"without an answer"), (None, b"onnect")]
)
def test_program_fails(adapter: str, answer: bytes | None, error: bytes) -> None:
    """Without a time it says why, on stderr, and exits with 1."""
    command = ["time_client.py", "--adapter", adapter]
    with no_server() if answer is None else answering(answer) as port:
        done = programs.run_example(*command, "--port", str(port))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"time_client: ")
    assert error in done.stderr


@contextlib.contextmanager
def no_server() -> Generator[int]:
    """Give a port at which nobody listens, though somebody holds it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
