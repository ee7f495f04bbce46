"""The Redis client of docs/examples: its parser alone, and both its forms with a real server."""

import contextlib
import doctest
import socket
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import programs
import pytest

from framer import Framer, FrameTooLarge, IncompleteFrame, MalformedFrame

sys.path.insert(0, str(programs.EXAMPLES))

import captures
import redis_client
from redis_client import ProtocolError, Redis, RedisError, Reply, Session
from serving import ADAPTERS, converse

BIG = (b"\r\n$5\r\nhello\r\n" + bytes(range(256))) * 3898 + b"\r\n"  # somewhat over 1 MiB


def plain(reply: Reply) -> object:
    """Make of errors something that is equal to another such."""
    match reply:
        case RedisError():
            return ("error", str(reply))
        case list():
            return [plain(item) for item in reply]
        case _:
            return reply


def parsed(pieces: list[bytes]) -> list[object]:
    """Return the replies in a stream that ends between two of them."""
    framer = Framer(redis_client.ELEMENT, max_frame_size=redis_client.MAX_VALUE)
    replies = redis_client.Replies()
    found: list[object] = []
    for piece in pieces:
        framer.receive_data(piece)
        found.extend(plain(reply) for frame in framer.frames() for reply in replies.take(frame))
    return found


# Without I/O.


def test_doctests() -> None:
    """What the docstrings show is so."""
    assert doctest.testmod(redis_client).failed == 0


REPLIES: list[tuple[bytes, list[object]]] = [
    (b"+OK\r\n", ["OK"]),
    (b"-ERR no\r\n", [("error", "ERR no")]),
    (b":-12\r\n:0\r\n", [-12, 0]),
    (b"$0\r\n\r\n$-1\r\n", [b"", None]),
    (b"$4\r\n\r\n\r\n\r\n", [b"\r\n\r\n"]),
    (b"*0\r\n*-1\r\n", [[], None]),
    (b"*2\r\n*1\r\n:1\r\n*0\r\n+a\r\n", [[[1], []], "a"]),
    (b"*2\r\n$-1\r\n*1\r\n-E\r\n", [[None, [("error", "E")]]]),
    (b"*1\r\n*1\r\n*1\r\n*0\r\n:7\r\n", [[[[[]]]], 7]),
    (b"+\xff\r\n", [r"\xff"]),
]


@pytest.mark.parametrize(("stream", "replies"), REPLIES)
def test_replies(stream: bytes, replies: list[object]) -> None:
    """Every kind of reply is what it is, however it was cut."""
    assert programs.check_cuttings(parsed, stream) == replies


def test_recorded_conversation() -> None:
    """What a real server once said has as many replies as it was sent commands."""
    sent = parsed([captures.load("redis.client")])
    received = programs.check_cuttings(parsed, captures.load("redis.server"), most=1)
    assert len(received) == len(sent)
    assert received[0] == (
        "error",
        "ERR unknown command 'COMMAND', with args beginning with: 'DOCS' ",
    )


@pytest.mark.parametrize(
    "stream",
    [
        b"hello\r\n",
        b"\r\n",
        b":1x\r\n",
        b":--1\r\n",
        b":\r\n",
        b"*x\r\n",
        b"*-2\r\n",
        b"$2\r\nabcd",
    ],
)
def test_what_is_no_reply(stream: bytes) -> None:
    """What cannot be RESP2 is an error, and so is a value that ends elsewhere than it said."""
    with pytest.raises(ProtocolError):
        parsed([stream])


@pytest.mark.parametrize(
    "stream", [b"$-2\r\n", b"$x\r\n", b"$+1\r\n", b"$\r\n", b"$" + b"9" * 5000]
)
def test_lengths_that_are_none(stream: bytes) -> None:
    """A length that is no number breaks the framing."""
    with pytest.raises(MalformedFrame):
        parsed([stream + b"\r\n"])


def test_limits() -> None:
    """Neither a value of any size nor arrays without an end fill the memory."""
    with pytest.raises(FrameTooLarge):
        parsed([b"$%d\r\n" % redis_client.MAX_VALUE])
    deep = b"*1\r\n" * redis_client.MAX_DEPTH
    assert parsed([deep + b":1\r\n"])
    with pytest.raises(ProtocolError, match="16 arrays"):
        parsed([deep + b"*1\r\n"])


def test_session_ends_with_the_last_reply() -> None:
    """It sends all, takes the replies however they are cut, and closes after the last."""

    def look(pieces: list[bytes]) -> tuple[bytes, list[Reply], bool]:
        session = Session([["GET", "a"], [b"INCRBY", "n", -1]])
        sent = programs.converse(session, pieces)
        assert session.error is None
        return sent, session.received, session.closed

    sent, received, closed = programs.check_cuttings(look, b"$2\r\n\r\n\r\n:6\r\n+more\r\n")
    assert sent == b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$6\r\nINCRBY\r\n$1\r\nn\r\n$2\r\n-1\r\n"
    assert (received, closed) == ([b"\r\n", 6], True)


def test_session_without_commands() -> None:
    """With nothing to say it closes at once."""
    session = Session([])
    assert programs.converse(session, []) == b""
    assert session.closed
    assert session.error is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", EOFError),
        (b"+OK\r\n", EOFError),
        (b"+OK\r\n$5\r\nhel", IncompleteFrame),
        (b"+OK\r\n$-5\r\n", MalformedFrame),
        (b"+OK\r\nhello\r\n", ProtocolError),
    ],
)
def test_session_that_fails(answer: bytes, error: type[Exception]) -> None:
    """It keeps what came before, and says why there is not more."""

    def look(pieces: list[bytes]) -> tuple[list[Reply], str, bool]:
        session = Session([["SET", "a", 1], ["GET", "a"]])
        programs.converse(session, pieces, eof=True)
        assert type(session.error) is error
        return session.received, str(session.error), session.closed

    received, _, closed = programs.check_cuttings(look, answer)
    assert received == (["OK"] if answer else [])
    assert closed


# With a server.


@dataclass(frozen=True, slots=True)
class Server:
    """Where a Redis server listens."""

    port: int
    path: str


@contextlib.contextmanager
def redis_server(folder: Path) -> Generator[Server]:
    """Start a server that keeps nothing, at a port that was free a moment ago."""
    command = programs.tool("redis-server", "redis-server")
    path = folder / "socket"
    options = ["--save", "", "--appendonly", "no", "--dir", str(folder), "--unixsocket", str(path)]
    log: list[bytes] = []
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
        here = ["--bind", "127.0.0.1", "--port", str(port)]
        with programs.started(command, *here, *options) as process:
            assert process.stdout is not None
            log.clear()
            for line in process.stdout:
                log.append(line)
                if b"ready to accept connections at" in line:  # the Unix socket, which is the last
                    yield Server(port, str(path))
                    return
        if b"in use" not in b"".join(log):
            break
    pytest.fail(b"".join(log).decode())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server for these tests."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis(server: Server) -> Iterator[Redis]:
    """Connect to the server's Unix socket, and leave nothing there."""
    with Redis(server.path) as redis:
        yield redis
        redis.execute("FLUSHALL")


@pytest.mark.parametrize("value", [b"", b"\r\n", b"hello\r\nworld", bytes(range(256)), BIG])
def test_values_come_back(redis: Redis, value: bytes) -> None:
    """Whatever a value is made of, up to over 1 MiB, it comes back as it went."""
    assert redis.execute("SET", "key", value) == "OK"
    assert redis.execute("STRLEN", "key") == len(value)
    assert redis.execute("GET", "key") == value


def test_kinds_of_replies(redis: Redis) -> None:
    """nil, negative numbers, errors, and arrays within arrays."""
    assert redis.execute("PING") == "PONG"
    assert redis.execute("GET", "missing") is None
    assert redis.execute("DECRBY", "n", 5) == -5
    assert redis.execute("LRANGE", "missing", 0, -1) == []
    with pytest.raises(RedisError, match="WRONGTYPE"):
        redis.execute("LPUSH", "n", "x")
    script = "return {1, {2, {'three', {}}, false}, {ok='four'}, 'five\\r\\n'}"
    assert redis.execute("EVAL", script, 0) == [1, [2, [b"three", []], None], "four", b"five\r\n"]
    assert redis.execute("PING") == "PONG"


def test_pipeline(redis: Redis) -> None:
    """A thousand commands go out at once; an error among the replies is one of them."""
    sets = [("SET", f"key:{n}", n) for n in range(500)]
    gets = [("GET", f"key:{n}") for n in range(500)]
    assert redis.pipeline(sets) == ["OK"] * 500
    replies = redis.pipeline([*gets[:250], ("NONSENSE",), *gets[250:]])
    assert isinstance(replies.pop(250), RedisError)
    assert replies == [str(n).encode() for n in range(500)]


def test_transaction(server: Server, redis: Redis) -> None:
    """EXEC gives an array of replies, or nil where somebody else was there first."""
    begin: list[redis_client.Command] = [["MULTI"], ["INCR", "n"], ["LPUSH", "n", 1], ["GET", "n"]]
    *_, reply = redis.pipeline([*begin, ["EXEC"]])
    assert isinstance(reply, list)
    assert reply[::2] == [1, b"1"]
    assert isinstance(reply[1], RedisError)
    redis.execute("WATCH", "n")
    with Redis("127.0.0.1", server.port) as other:
        assert other.execute("INCR", "n") == 2
    assert redis.pipeline([["MULTI"], ["INCR", "n"], ["EXEC"]])[-1] is None


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_session(server: Server, adapter: str) -> None:
    """The Channel says and hears the same under every adapter, large values included."""
    commands: list[redis_client.Command] = [
        ["SET", adapter, BIG],
        ["GET", adapter],
        ["EVAL", "return {1, {false, 'x'}}", 0],
        ["NONSENSE"],
        *(("ECHO", n) for n in range(1000)),
        ["DEL", adapter],
    ]
    session = Session(commands)
    converse(session, "127.0.0.1", server.port, adapter)
    assert session.error is None
    ok, value, array, error, *echoes, deleted = session.received
    assert (ok, value, array, deleted) == ("OK", BIG, [1, [None, b"x"]], 1)
    assert isinstance(error, RedisError)
    assert echoes == [str(n).encode() for n in range(1000)]


def test_program(server: Server) -> None:
    """The program sends its arguments and shows the reply."""
    command = ["redis_client.py", "--adapter", "blocking", "--port", str(server.port), "--"]
    script = "return {1, {false, 'a\\r\\n'}, {err='E no'}}"
    done = programs.run_example(*command, "EVAL", script, "0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == (
        "array of 3\n  1\n  array of 2\n    (nil)\n    'a\\r\\n'\n  error: E no\n"
    )


def test_program_without_a_server() -> None:
    """It says why there is no reply, on stderr, and exits with 1."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = str(sock.getsockname()[1])
        done = programs.run_example(
            "redis_client.py", "--adapter", "blocking", "--port", port, "PING"
        )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"redis_client: ")
