"""The examples run, and what they find in real traffic is what other parsers find there.

`docs/examples/demo.py` checks framer against itself: every cutting gives the same frames.
Frames that are the same and wrong would pass, so here each capture is also parsed in another way:
by the standard library's own parsers where it has one, else by hand over the whole stream at once.
"""

import email
import hashlib
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framer import IncompleteFrame, MalformedFrame

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))

import captures  # noqa: E402
import demo  # noqa: E402

TIMEOUT = 30.0
ALL_BYTES = bytes(range(256))
BYTES_BIN = ALL_BYTES * 80 + b"\r\n\r\n" * 16  # what record.sh put into bytes.bin
FORM = b"a=1\r\n\r\nPOST /not-a-request HTTP/1.1\r\nContent-Length: 5\r\n\r\nb=2"


def pieces_of(name: str) -> list[captures.Piece]:
    """Frame the capture `name` in one piece."""
    [capture] = [capture for capture in captures.CAPTURES if capture.name == name]
    return capture.reader().read([capture.data])


def payloads_of(name: str) -> list[bytes]:
    """Return the payloads in the capture `name`."""
    return [piece.payload for piece in pieces_of(name)]


# The files.


def test_readme_of_the_captures_names_each_of_them() -> None:
    """The table in data/README.md has the size and the digest of every file, and no others."""
    text = (captures.DATA / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| `(\S+\.bin)` \| (\d+) \| `([0-9a-f]{64})` \|", text)
    files = {path.name: path.read_bytes() for path in captures.DATA.glob("*.bin")}
    assert {name: (int(size), digest) for name, size, digest in rows} == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()
    }
    assert {f"{capture.name}.bin" for capture in captures.CAPTURES} == set(files)


@pytest.mark.parametrize("capture", captures.CAPTURES, ids=lambda capture: capture.name)
def test_captures_are_small_and_name_no_machine(capture: captures.Capture) -> None:
    """No capture is large, and none has a path or a host of the machine that made it."""
    assert 0 < len(capture.data) <= 60_000
    assert not re.search(rb"/(home|root|tmp|work|usr|var)/|localhost|\.local\b", capture.data)


# Each capture against another parser.


def test_smtp_client() -> None:
    """Splitting the whole stream at DATA and at the lone dot gives the same frames."""
    data = captures.load("smtp.client")
    before, after = data.split(b"\r\nDATA\r\n", 1)
    message, rest = after.split(b"\r\n.\r\n")
    pieces = pieces_of("smtp.client")
    assert [p.payload for p in pieces if p.kind == "message"] == [message]
    commands = [p.payload for p in pieces if p.kind == "command"]
    assert commands == [*before.split(b"\r\n"), b"DATA", *rest.splitlines()]
    assert [command[:4] for command in commands].count(b"RCPT") == 3


def test_smtp_message_without_its_dots() -> None:
    """Unstuffed, the message is the one that was handed to the client."""
    [stuffed] = [p.payload for p in pieces_of("smtp.client") if p.kind == "message"]
    message = email.message_from_bytes(captures.unstuffed(stuffed))
    assert message["Subject"] == "dots"
    lines = str(message.get_payload()).splitlines()
    assert lines[1:4] == [
        ".",
        ".hidden files start with a dot, and",
        "..two dots become three.",
    ]
    assert {"QUIT", "DATA"} <= set(lines)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b""),
        (b"a\r\n.\r\n", b"a"),
        (b"..\r\n.\r\n", b".."),
        (b"a\n.\nb\r\n.\r\n", b"a\n.\nb"),
        (b"a\r\n.\nb\r\n.\r\n", b"a\r\n.\nb"),
    ],
)
def test_smtp_messages_end_at_a_lone_dot_only(sent: bytes, message: bytes) -> None:
    """Messages of no line, of an empty line, of dots, and with the bare LF of smugglers."""
    stream = b"data\r\n" + sent + b"QUIT\r\n"
    for cut in range(len(stream) + 1):
        pieces = captures.SmtpCommands().read([stream[:cut], stream[cut:]])
        assert [(p.kind, p.payload) for p in pieces] == [
            ("command", b"data"),
            ("message", message),
            ("command", b"QUIT"),
        ]
        assert b"".join(p.wire for p in pieces) == stream


def test_smtp_server() -> None:
    """The replies are the lines of the stream."""
    data = captures.load("smtp.server")
    assert payloads_of("smtp.server") == data.split(b"\r\n")[:-1]


def bodies(pieces: list[captures.Piece]) -> list[tuple[bytes, bytes]]:
    """Put headers and what follows them together: (first line, body)."""
    found: list[tuple[bytes, bytes]] = []
    for piece in pieces:
        if piece.kind == "header":
            found.append((piece.payload.split(b"\r\n", 1)[0], b""))
        else:
            line, body = found[-1]
            found[-1] = (line, body + piece.payload)
    return found


def test_http_client() -> None:
    """The requests are those that record.sh had curl make, bodies and all."""
    assert bodies(pieces_of("http.client")) == [
        (b"GET /hello.txt HTTP/1.1", b""),
        (b"HEAD /hello.txt HTTP/1.1", b""),
        (b"GET /empty.txt HTTP/1.1", b""),
        (b"GET /nothing HTTP/1.1", b""),
        (b"GET /hello.txt HTTP/1.1", b""),
        (b"GET /bytes.bin HTTP/1.1", b""),
        (b"POST /form HTTP/1.1", FORM),
        (b"PUT /upload HTTP/1.1", b"Hello, world!\n"),
        (b"POST /form HTTP/1.1", BYTES_BIN),
        (b"GET /chunked.shtml HTTP/1.1", b""),
        (b"GET /missing HTTP/1.1", b""),
        (b"GET /old HTTP/1.1", b""),
    ]


class Wire(io.BytesIO):
    """What http.client takes for a socket: a stream that several responses are read from."""

    def makefile(self, _mode: str) -> "Wire":
        """Return the stream itself, position and all."""
        return self

    def close(self) -> None:
        """Stay open for the next response."""


def test_http_server() -> None:
    """http.client reads the same statuses and bodies from the stream."""
    stream = Wire(captures.load("http.server"))
    expected: list[tuple[int, bytes]] = []
    for method in captures.methods_of(captures.load("http.client")):
        response = http.client.HTTPResponse(stream, method=method.decode())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        response.begin()
        expected.append((response.status, response.read()))
    assert not stream.read()
    found = [(int(line.split()[1]), body) for line, body in bodies(pieces_of("http.server"))]
    assert [status for status, _ in found].count(100) == 1
    assert [(status, body) for status, body in found if status != 100] == expected
    assert (200, BYTES_BIN) in expected


def test_http_body_until_the_end() -> None:
    """A response without a length ends with the stream."""
    reader = captures.HttpResponses([b"GET"])
    pieces = reader.read([b"HTTP/1.1 200 OK\r\n", b"\r\nabc\r\n", b"\r\ndef"])
    assert bodies(pieces) == [(b"HTTP/1.1 200 OK", b"abc\r\n\r\ndef")]


@pytest.mark.parametrize("length", [b"+5", b"-1", b"1_0", b"0x5", b"", b"five"])
def test_lengths_are_digits(length: bytes) -> None:
    """A length that int() would take, or that is none, is refused."""
    with pytest.raises(ValueError, match=r"not a number|invalid literal"):
        captures.number(length)
    with pytest.raises(MalformedFrame):
        captures.LspMessages().read([b"Content-Length: " + length + b"\r\n\r\n{}"])


def test_lsp_message_without_a_length() -> None:
    """A header without Content-Length is malformed."""
    with pytest.raises(MalformedFrame, match="no Content-Length"):
        captures.LspMessages().read([b"Content-Type: x\r\n\r\n{}"])


def resp(stream: io.BytesIO) -> Iterator[tuple[str, bytes]]:
    """Parse RESP2 from a stream that is all there."""
    while line := stream.readline():
        assert line.endswith(b"\r\n")
        text = line[1:-2]
        match line[:1]:
            case b"$" if text == b"-1":
                yield "null", b""
            case b"$":
                yield "bulk", stream.read(int(text))
                assert stream.read(2) == b"\r\n"
            case b"*":
                yield "array", text
            case b"+":
                yield "simple", text
            case b"-":
                yield "error", text
            case b":":
                yield "integer", text
            case _:
                yield "inline", line[:-2]


@pytest.mark.parametrize(
    "name", ["redis.client", "redis.server", "redis-pipe.client", "redis-pipe.server"]
)
def test_redis(name: str) -> None:
    """A parser that sees the whole stream at once finds the same elements."""
    expected = list(resp(io.BytesIO(captures.load(name))))
    assert [(piece.kind, piece.payload) for piece in pieces_of(name)] == expected


def test_redis_gives_back_what_it_was_given() -> None:
    """Values full of CRLF, of RESP, and of all bytes come back as they went."""
    sent, received = payloads_of("redis.client"), payloads_of("redis.server")
    for value in (
        b"one\r\ntwo\r\n",
        b"*2\r\n$3\r\nGET\r\n$5\r\nlines\r\n",
        ALL_BYTES,
        b"x" * 10000,
    ):
        assert value in sent
        assert value in received
    kinds = {piece.kind for piece in pieces_of("redis.server")}
    assert kinds == {"simple", "error", "integer", "bulk", "null", "array"}


def test_redis_pipe_echoes_its_last_word() -> None:
    """The 20 random bytes behind the pipeline come back."""
    pieces = pieces_of("redis-pipe.client")
    assert [p.kind for p in pieces if p.kind != "bulk"] == ["array"] * 200 + ["inline", "array"]
    assert pieces[-2].payload == b"ECHO"
    assert payloads_of("redis-pipe.server")[-1] == pieces[-1].payload
    assert len(pieces[-1].payload) == 20


def netstrings(data: bytes) -> Iterator[bytes]:
    """Parse netstrings from a stream that is all there."""
    while data:
        digits, _, data = data.partition(b":")
        size = int(digits)
        assert data[size : size + 1] == b","
        yield data[:size]
        data = data[size + 1 :]


@pytest.mark.parametrize("name", ["netstring.client", "netstring.server"])
def test_netstrings(name: str) -> None:
    """A parser that sees the whole stream at once finds the same netstrings."""
    expected = list(netstrings(captures.load(name)))
    assert len(expected) == 5
    assert payloads_of(name) == expected


def test_netstrings_in_a_netstring() -> None:
    """A QMQP request is the message, the sender and the recipient, as netstrings again."""
    for request in payloads_of("netstring.client"):
        message, sender, recipient = (p.payload for p in captures.Netstrings().read([request]))
        assert len(message) == 300
        assert (sender, recipient) == (b"alice@client.example", b"bob@mail.example")


def json_messages(stream: io.BytesIO) -> Iterator[bytes]:
    """Parse LSP messages from a stream that is all there, their headers as http.client does."""
    while stream.tell() < len(stream.getvalue()):
        yield stream.read(int(http.client.parse_headers(stream)["Content-Length"]))


@pytest.mark.parametrize(("name", "messages"), [("lsp.client", 10), ("lsp.server", 8)])
def test_lsp(name: str, messages: int) -> None:
    """A parser that sees the whole stream at once finds the same messages, and they are JSON."""
    expected = list(json_messages(io.BytesIO(captures.load(name))))
    assert payloads_of(name) == expected
    assert len(expected) == messages
    assert all(json.loads(message)["jsonrpc"] == "2.0" for message in expected)


def varint_messages(data: bytes) -> Iterator[bytes]:
    """Parse varint-delimited messages from a stream that is all there."""
    position = 0
    while position < len(data):
        size = shift = 0
        while data[position] >= 0x80:
            size |= (data[position] & 0x7F) << shift
            shift += 7
            position += 1
        size |= data[position] << shift
        yield data[position + 1 : position + 1 + size]
        position += 1 + size


def test_protobuf() -> None:
    """A parser that sees the whole stream at once finds the same messages."""
    payloads = payloads_of("protobuf")
    assert payloads == list(varint_messages(captures.load("protobuf")))
    assert [len(payload) for payload in payloads] == [7, 6, 0, 87, 127, 128, 259, 20004, 0, 6]
    assert payloads[0] == b"\x0a\x05first"
    assert payloads[7][4:] == b"\x80\x01\r\n" * 5000


@pytest.mark.parametrize("capture", captures.CAPTURES, ids=lambda capture: capture.name)
def test_captures_cut_short(capture: captures.Capture) -> None:
    """Without its last byte a capture ends inside a frame, and that is an error."""
    with pytest.raises(IncompleteFrame):
        capture.reader().read([capture.data[:-1]])


# The demo.


def test_smtplib_is_served() -> None:
    """A real client gets its message through a real socket."""
    assert [line[:6] for line in demo.converse()][:4] == ["S: 220", "C: ehl", "S: 250", "C: mai"]


def run_demo(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py")],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, **environment},
        timeout=TIMEOUT * 2,
    )


def test_demo_runs() -> None:
    """It ends well, says what it did, and in plain text where nobody looks."""
    done = run_demo(NO_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()
    for capture in captures.CAPTURES:
        assert capture.name in done.stdout
    total = sum(len(capture.data) for capture in captures.CAPTURES)
    assert f"all of {total:,} bytes accounted for" in done.stdout
    assert "S: 221 mail.example closing connection" in done.stdout


def test_demo_with_rich(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal it shows the same numbers in tables that rich drew."""
    pytest.importorskip("rich")
    monkeypatch.setattr(demo, "somebody_looks", lambda: True)
    monkeypatch.setattr(demo, "RANDOM_CUTTINGS", 1)
    monkeypatch.setenv("COLUMNS", "120")
    assert demo.main() == 0
    output = capsys.readouterr().out
    assert "smtp.client" in output
    assert "3 of 3" in output


@pytest.mark.parametrize(
    ("terminal", "no_color", "installed", "rich"),
    [
        (True, "", True, True),
        (False, "", True, False),
        (True, "1", True, False),
        (True, "", False, False),
    ],
)
def test_demo_knows_when_to_be_plain(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, no_color: str, installed: bool, rich: bool
) -> None:
    """Rich needs to be there, a terminal to show it, and nobody who minds."""

    def find(_name: str) -> object | None:
        return object() if installed else None

    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setattr("importlib.util.find_spec", find)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert demo.somebody_looks() is rich


class CutSensitive(captures.Lines):
    """A reader with the bug that the demo looks for: it takes what one read brings for a frame."""

    def feed(self, data: bytes) -> Iterator[captures.Piece]:
        """Yield whatever came."""
        yield captures.Piece("read", data, data)

    def close(self) -> Iterator[captures.Piece]:
        """Yield nothing more."""
        return iter(())


class Forgetful(captures.Lines):
    """A reader that loses the line ends."""

    def take(self, frame: bytes) -> captures.Piece:
        """Keep less than there was."""
        return captures.Piece("line", frame, frame)


@pytest.mark.parametrize(
    ("reader", "message"),
    [(CutSensitive, "other frames with byte by byte"), (Forgetful, "do not add up")],
)
def test_demo_notices(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reader: Callable[[], captures.Reader],
    message: str,
) -> None:
    """A reader that depends on the cuts or loses bytes fails the demo: exit status 1."""
    monkeypatch.setattr(demo, "CAPTURES", [captures.Capture("smtp.server", "CRLF", reader)])
    assert demo.main() == 1
    assert message in capsys.readouterr().err


# The recorder.


def everything(connection: socket.socket) -> bytes:
    """Read to the end of the stream."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def shout(listener: socket.socket) -> None:
    """Serve one connection: all that comes, in upper case."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(TIMEOUT)
        connection.sendall(everything(connection).upper())


CLIENT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as server:
    server.sendall(sys.stdin.buffer.read())
    server.shutdown(socket.SHUT_WR)
    while server.recv(65536):
        pass
"""


def test_recorder(tmp_path: Path) -> None:
    """Both directions end up in their files, byte for byte."""
    sent = b"hello\r\n\x00\xff" * 1000
    (tmp_path / "input").write_bytes(sent)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        server = threading.Thread(target=shout, args=(listener,))
        server.start()
        port = str(listener.getsockname()[1])
        recorder = [sys.executable, str(captures.DATA / "capture.py"), "--to", port]
        files = ["--out", str(tmp_path / "echo"), "--stdin", str(tmp_path / "input")]
        client = ["--", sys.executable, "-c", CLIENT, "{port}"]
        subprocess.run(
            [*recorder, *files, *client], check=True, capture_output=True, timeout=TIMEOUT
        )
        server.join(TIMEOUT)
    assert (tmp_path / "echo.client.bin").read_bytes() == sent
    assert (tmp_path / "echo.server.bin").read_bytes() == sent.upper()
