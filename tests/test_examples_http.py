"""The HTTP examples: in memory with every cut, and under every adapter with real clients."""

import contextlib
import http.client
import http.server
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import Channel, IncompleteFrame
from framer.testing import splits

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))

import captures  # noqa: E402
import http_client  # noqa: E402
import http_files  # noqa: E402
import http_post  # noqa: E402
import http_responder  # noqa: E402
import serving  # noqa: E402

TIMEOUT = 30.0
HOST = b"Host: example.org\r\n"
SECRET = b"nobody may see this"
MiB = 1 << 20
LARGEST = "anyio"  # the adapter to get 1 GiB: it reads files, which takes more care than sendfile


# In memory: a channel is fed, and says what it says.


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all answers bear the same Date."""
    monkeypatch.setattr(http_responder.HttpChannel, "now", staticmethod(lambda: 0.0))


def said(channel: Channel) -> bytes:
    """Take all that a channel has to say now."""
    return b"".join(iter(channel.output.data_to_send, b""))


def talk(channel: Channel, *pieces: bytes) -> bytes:
    """Feed a channel, send what it says after each piece, and end the stream."""
    channel.connection_made()
    answer = said(channel)
    for piece in pieces:
        channel.receive_data(piece)
        answer += said(channel)
    channel.receive_eof()
    answer += said(channel)
    assert channel.output.done
    channel.receive_loss()
    return answer


def ask(factory: Callable[[], Channel], stream: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return the answers to a stream of requests, which are the same for every cut of it."""
    answers = {talk(factory(), *pieces) for pieces in splits(stream)}
    assert len(answers) == 1
    return read_answers(answers.pop(), stream)


def read_answers(output: bytes, requests: bytes = b"") -> list[tuple[int, bytes, bytes]]:
    """Return status, header and body of each answer; what they answer matters only to HEAD."""
    methods = [line.partition(b" ")[0] for line in re.findall(rb"[A-Z]+ \S+ HTTP/1", requests)]
    found: list[tuple[int, bytes, bytes]] = []
    for piece in captures.HttpResponses([*methods, *[b"GET"] * 100]).read([output]):
        if piece.kind == "header":
            found.append((int(piece.payload.split(b" ")[1]), piece.payload, b""))
        else:
            found[-1] = (*found[-1][:2], found[-1][2] + piece.payload)
    return found


def statuses(answers: list[tuple[int, bytes, bytes]]) -> list[int]:
    """Return only the statuses."""
    return [status for status, _, _ in answers]


def get(target: bytes, *, fields: bytes = b"", method: bytes = b"GET") -> bytes:
    """Return a request."""
    return b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method, target, HOST, fields)


# The responder.


def test_responder_answers_with_the_request() -> None:
    """The body of the answer is the request; nothing is lost but the white space before it."""
    request = get(b"/", fields=b"X: 1\r\nX:2\r\n")
    [(status, header, body)] = ask(http_responder.Responder, b"\r\n" + request)
    assert status == 200
    assert body == request
    assert b"\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n" in header
    assert b"\r\nContent-Length: %d\r\n" % len(request) in header


def test_responder_answers_one_after_the_other() -> None:
    """Pipelined requests are answered in order, those without a header, too; HEAD has no body."""
    requests = [get(b"/a"), get(b"/b", method=b"HEAD"), b"PUT /c HTTP/1.0\r\n\r\n", get(b"/d")]
    answers = ask(http_responder.Responder, b"".join(requests))
    assert [body for _, _, body in answers] == [requests[0], b"", requests[2]]
    assert [b"Connection: keep-alive" in header for _, header, _ in answers] == [1, 1, 0]


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: foo, Close\r\n", False),
        (b"1.1", b"Connection: foo\r\nconnection: close\r\n", False),
        (b"1.1", b"Connection: closed\r\n", True),
        (b"1.2", b"", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_keep_alive(version: bytes, connection: bytes, *, kept: bool) -> None:
    """The connection stays if both sides want it (RFC 9112, 9.3), and the answer says so."""
    stream = b"GET / HTTP/" + version + b"\r\n" + HOST + connection + b"\r\n"
    answers = ask(http_responder.Responder, stream * 2)
    assert len(answers) == 1 + kept
    assert (b"\r\nConnection: keep-alive" in answers[0][1]) is kept
    assert (b"\r\nConnection: close" in answers[0][1]) is not kept


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        # The request line.
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1 \r\n", 400),
        (b" GET / HTTP/1.1\r\n", 400),
        (b"G@T / HTTP/1.1\r\n", 400),
        (b"GET / http/1.1\r\n", 400),
        (b"GET / HTTP/1.10\r\n", 400),
        (b"GET /a\rb HTTP/1.1\r\n", 400),
        (b"GET /a\nb HTTP/1.1\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\n", 400),
        (b"GET /\xe4 HTTP/1.1\r\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\r\n", 400),
        (b"GET / HTTP/2.0\r\n", 505),
        (b"GET / HTTP/0.9\r\n", 505),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        # Fields.
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        (get(b"/", fields=b"X: 1\r\n 2\r\n"), 400),
        (get(b"/", fields=b"X: 1\n2\r\n"), 400),
        (get(b"/", fields=b"X: 1\r2\r\n"), 400),
        (get(b"/", fields=b"X: 1\0002\r\n"), 400),
        (get(b"/", fields=b"no colon\r\n"), 400),
        (get(b"/", fields=b": no name\r\n"), 400),
        # The length of the body.
        (get(b"/", fields=b"Content-Length: 1\r\n"), 413),
        (get(b"/", fields=b"Content-Length: -1\r\n"), 400),
        (get(b"/", fields=b"Content-Length: +0\r\n"), 400),
        (get(b"/", fields=b"Content-Length: 0x0\r\n"), 400),
        (get(b"/", fields=b"Content-Length: 0 0\r\n"), 400),
        (get(b"/", fields=b"Content-Length: 1_0\r\n"), 400),
        (get(b"/", fields=b"Content-Length: \xb2\r\n"), 400),
        (get(b"/", fields=b"Content-Length:\r\n"), 400),
        (get(b"/", fields=b"Content-Length: 0,\r\n"), 400),
        (get(b"/", fields=b"Content-Length: 0, 1\r\n"), 400),
        (get(b"/", fields=b"Content-Length: 0\r\nContent-Length: 1\r\n"), 400),
        (get(b"/", fields=b"Transfer-Encoding: chunked\r\n"), 411),
        (get(b"/", fields=b"Transfer-Encoding: gzip, chunked\r\n"), 501),
        (get(b"/", fields=b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
def test_refused(request_: bytes, status: int) -> None:
    """What is not quite a request is refused, and the connection is closed behind it."""
    for factory in (http_responder.Responder, http_post.Posts):
        if factory is http_post.Posts and status in {405, 413}:
            continue
        method = b"POST" if factory is http_post.Posts else b"GET"
        stream = request_.replace(b"GET ", method + b" ")
        answers = ask(factory, stream + get(b"/"))
        assert statuses(answers) == [status]
        assert b"\r\nConnection: close" in answers[0][1]


def test_limits() -> None:
    """Up to the limit a line and a header are served, above it they are 414 and 431."""
    limit = http_responder.MAX_HEADER
    filler = limit - len(HOST) - len(b"X: ")
    line = limit - len(b"GET / HTTP/1.1")
    assert statuses(read_answers(talk(http_responder.Responder(), get(b"/" + b"x" * line)))) == [
        200
    ]
    long_line = talk(http_responder.Responder(), get(b"/" + b"x" * (line + 1)))
    assert statuses(read_answers(long_line)) == [414]
    fields = b"X: " + b"x" * filler + b"\r\n"
    assert statuses(read_answers(talk(http_responder.Responder(), get(b"/", fields=fields)))) == [
        200
    ]
    fields = b"X" + fields
    assert statuses(read_answers(talk(http_responder.Responder(), get(b"/", fields=fields)))) == [
        431
    ]
    many = talk(http_responder.Responder(), get(b"/", fields=b"X:\r\n" * (limit // 4)))
    assert statuses(read_answers(many)) == [431]


def test_refused_after_head() -> None:
    """It is the answer to HEAD that has no body, not the one behind it."""
    [_, (status, _, body)] = ask(http_responder.Responder, get(b"/", method=b"HEAD") + b"bad\r\n")
    assert (status, body) == (400, b"400 not a request line\n")


def test_digits_without_end() -> None:
    """A length that Python would not even read is a bad request."""
    stream = get(b"/", fields=b"Content-Length: " + b"9" * 5000 + b"\r\n", method=b"POST")
    assert statuses(read_answers(talk(http_post.Posts(), stream))) == [400]


@pytest.mark.parametrize("stream", [b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost:"])
def test_cut_off(stream: bytes) -> None:
    """Who ends the stream inside a request is told so."""
    assert statuses(ask(http_responder.Responder, stream)) == [400]


@given(st.lists(st.sampled_from([get(b"/a"), get(b"/b", method=b"HEAD"), b"\r\n"])), st.data())
def test_any_cuts(requests: list[bytes], data: st.DataObject) -> None:
    """However many pieces a stream comes in, the answers are the same bytes."""
    stream = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert talk(http_responder.Responder(), *pieces) == talk(http_responder.Responder(), stream)


# The file server.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a directory of files, next to one that is a secret."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "hello.txt").write_bytes(b"Hello, world!\n")
    (root / "index.html").write_bytes(b"<p>index\n")
    (root / "sub" / "index.html").write_bytes(b"<p>sub\n")
    (root / "a b%.tar.gz").write_bytes(b"odd\n")
    (root / "empty").write_bytes(b"")
    (root / "..hidden").write_bytes(b"not hidden\n")
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "root-of-another").mkdir()
    (tmp_path / "root-of-another" / "secret").write_bytes(SECRET)
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to(tmp_path)
    (root / "beside").symlink_to(tmp_path / "root-of-another")
    (root / "in").symlink_to("sub/index.html")
    (root / "circle").symlink_to("circle")
    (root / "leads").mkdir()
    (root / "leads" / "index.html").symlink_to(tmp_path / "secret")
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize(
    ("target", "body", "media_type"),
    [
        (b"/hello.txt", b"Hello, world!\n", b"text/plain"),
        (b"/hello.txt?x=/../../secret", b"Hello, world!\n", b"text/plain"),
        (b"//hello.txt", b"Hello, world!\n", b"text/plain"),
        (b"http://example.org/hello.txt", b"Hello, world!\n", b"text/plain"),
        (b"HTTP://example.org:80/hello.txt?", b"Hello, world!\n", b"text/plain"),
        (b"/", b"<p>index\n", b"text/html"),
        (b"/sub/", b"<p>sub\n", b"text/html"),
        (b"/in", b"<p>sub\n", b"application/octet-stream"),
        (b"/a%20b%25.tar.gz", b"odd\n", b"application/octet-stream"),
        (b"/%68ello.txt", b"Hello, world!\n", b"text/plain"),
        (b"/empty", b"", b"application/octet-stream"),
        (b"/..hidden", b"not hidden\n", b"application/octet-stream"),
    ],
)
def test_files(root: Path, target: bytes, body: bytes, media_type: bytes) -> None:
    """A file comes with its size and its type, twice on one connection, and HEAD leaves it out."""
    factory = partial(http_files.Files, root)
    stream = get(target) + get(target, method=b"HEAD") + get(target)
    first, head, second = ask(factory, stream)
    if target == b"/in":  # the type is that of the file, and what its name is the link does not say
        media_type = b"text/html"
    assert first == second == (200, first[1], body)
    assert b"\r\nContent-Type: " + media_type + b"\r\n" in first[1]
    assert head == (200, first[1], b"")


@pytest.mark.parametrize(
    "target",
    [
        b"/nothing",
        b"/sub",
        b"/hello.txt/",
        b"/sub/../hello.txt",
        b"/../secret",
        b"/../root/hello.txt",
        b"/..",
        b"/../",
        b"/%2e%2e/secret",
        b"/%2E./secret",
        b"/..%2fsecret",
        b"/sub%2f..%2f..%2fsecret",
        b"/%2e%2e%2fsecret",
        b"/..\\secret",
        b"//etc/passwd",
        b"/%2fetc/passwd",
        b"///etc/passwd",
        b"/hello.txt%00",
        b"/%00",
        b"/out",
        b"/up/secret",
        b"/beside/secret",
        b"/leads/",
        b"/circle",
        b"/pipe",
        b"/" + b"x" * 5000,
        b"/" + b"x/" * 5000,
        b"/%ff%fe",
        b"../secret",
        b"*",
        b"file:///etc/passwd",
        b"http://example.org",
    ],
)
def test_not_files(root: Path, target: bytes) -> None:
    """What is not below the root is not there, and the connection stays."""
    answer = talk(http_files.Files(root), get(target) + get(b"/hello.txt"))
    assert statuses(read_answers(answer)) == [404, 200]
    assert SECRET not in answer


def test_files_root_that_is_a_link(tmp_path: Path, root: Path) -> None:
    """The root may be reached by a symbolic link, or be relative."""
    (tmp_path / "link").symlink_to(root)
    answer = talk(http_files.Files(tmp_path / "link"), get(b"/hello.txt"))
    assert statuses(read_answers(answer)) == [200]


@pytest.mark.parametrize(
    ("error", "status"), [(PermissionError(13, "no"), 403), (OSError(24, "full"), 503)]
)
def test_files_that_cannot_be_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, status: int
) -> None:
    """It is no error of the server when a file is not for it, or when it has too many."""

    def fail(_path: Path, _mode: str) -> None:
        raise error

    monkeypatch.setattr(Path, "open", fail)
    answers = ask(partial(http_files.Files, root), get(b"/hello.txt") + get(b"/nothing"))
    assert statuses(answers) == [status, 404]


def test_files_other_methods(root: Path) -> None:
    """They are refused, and the answer says which are not."""
    for method, status in ((b"POST", 405), (b"DELETE", 405), (b"OPTIONS", 405), (b"BREW", 501)):
        [(found, header, _)] = ask(partial(http_files.Files, root), get(b"/", method=method))
        assert found == status
        assert b"\r\nAllow: GET, HEAD" in header


def test_a_file_that_grows(root: Path) -> None:
    """No more is sent than was promised."""
    channel = http_files.Files(root)
    channel.receive_data(get(b"/hello.txt") * 2)
    with (root / "hello.txt").open("ab") as file:
        file.write(b"more")
    bodies = [body for _, _, body in read_answers(said(channel))]
    assert bodies == [b"Hello, world!\n"] * 2


def test_a_file_that_shrinks(root: Path) -> None:
    """What was promised cannot be kept: an error, for which adapters close the connection."""
    channel = http_files.Files(root)
    channel.receive_data(get(b"/hello.txt") * 2)
    (root / "hello.txt").write_bytes(b"Hello")
    with pytest.raises(EOFError, match="9 bytes shorter"):
        said(channel)
    channel.receive_loss()


def test_large_files_are_left_to_the_adapter(root: Path) -> None:
    """They are pushed as they are, and the connection ends behind them."""
    with (root / "large").open("wb") as file:
        file.truncate(http_files.LARGE)
    channel = http_files.Files(root)
    channel.receive_data(get(b"/large") * 2)
    assert channel.closing
    header = channel.output.data_to_send()
    assert b"\r\nConnection: close" in header
    assert channel.output.producer in channel.open
    assert len(said(channel)) == http_files.LARGE
    assert channel.output.done
    assert channel.open[0].closed


def test_files_are_closed_when_the_connection_is_lost(root: Path) -> None:
    """Nothing stays open."""
    channel = http_files.Files(root)
    channel.receive_data(get(b"/hello.txt") * 3)
    assert [file.closed for file in channel.open] == [False] * 3
    channel.receive_loss(ConnectionResetError())
    assert [file.closed for file in channel.open] == [True] * 3


def test_not_too_many_files_are_open(root: Path) -> None:
    """Who pipelines without end gets some answers, and has to come again."""
    channel = http_files.Files(root)
    answers = read_answers(talk(channel, get(b"/hello.txt") * 10 + get(b"/hello.txt") * 1000))
    assert len(answers) == http_files.MAX_OPEN
    assert [b"Connection: close" in header for _, header, _ in answers].index(True) == 31
    channel = http_files.Files(root)
    assert len(read_answers(talk(channel, *[get(b"/hello.txt")] * 100))) == 100


# Bodies.


def post(body: bytes, fields: bytes = b"") -> bytes:
    """Return a request with a body."""
    length = b"Content-Length: %d\r\n" % len(body)
    return get(b"/", method=b"POST", fields=length + fields) + body


def test_posts() -> None:
    """Each body comes back: an empty one, none, one that looks like a request; in order."""
    sent = [b"a=1", b"", b"\r\n\r\n", post(b"x"), bytes(range(256)), b"last"]
    stream = b"".join(map(post, sent)) + get(b"/", method=b"POST")
    answers = ask(http_post.Posts, stream)
    assert statuses(answers) == [200] * 7
    assert [body for _, _, body in answers] == [*sent, b""]


def test_posts_with_a_length_said_twice() -> None:
    """The same length twice is that length (RFC 9110, 8.6)."""
    answers = ask(http_post.Posts, post(b"abc", b"Content-Length: 3, 3\r\n"))
    assert [body for _, _, body in answers] == [b"abc"]


def test_what_is_sent_beyond_the_body() -> None:
    """An empty line too many is ignored; and behind the last request anything."""
    stream = post(b"abc") + b"\r\n" + post(b"def", b"Connection: close\r\n") + b"\r\nmore" * 9
    assert [body for _, _, body in ask(http_post.Posts, stream)] == [b"abc", b"def"]


def test_limits_behind_a_body() -> None:
    """The limit of a body is no limit for the next request."""
    stream = post(b"abc") + b"POST /" + b"x" * http_responder.MAX_HEADER
    assert statuses(read_answers(talk(http_post.Posts(), stream))) == [200, 414]


def test_a_body_that_is_cut_off() -> None:
    """It is not handed over."""
    assert statuses(ask(http_post.Posts, post(b"abc")[:-1])) == [400]


def test_a_body_that_is_too_large() -> None:
    """It is refused before it comes; one byte less is taken."""
    limit = http_post.MAX_BODY
    header = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n"
    assert statuses(ask(http_post.Posts, header % (limit + 1))) == [413]
    expecting = header.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    assert statuses(ask(http_post.Posts, expecting % (limit + 1))) == [413]
    [(status, _, body)] = read_answers(talk(http_post.Posts(), header % limit + b"x" * limit))
    assert (status, len(body)) == (200, limit)


@pytest.mark.parametrize(
    ("body", "version", "expected"),
    [
        (b"abc", b"HTTP/1.1", [100, 200]),
        (b"abc", b"HTTP/1.0", [200]),
        (b"", b"HTTP/1.1", [200]),
    ],
)
def test_expect_continue(body: bytes, version: bytes, expected: list[int]) -> None:
    """Who asks whether to send a body is told to, unless there is none, or it is HTTP/1.0."""
    request = post(body, b"Expect: 100-Continue\r\n").replace(b"HTTP/1.1", version)
    assert statuses(ask(http_post.Posts, request)) == expected
    channel = http_post.Posts()
    channel.receive_data(request.removesuffix(body))
    assert statuses(read_answers(said(channel))) == (expected[:-1] if body else [200])


# The client.


class Recorder:
    """A consumer that notes all that happens to it."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.url = ""
        self.ends: list[str] = []

    def http_header(self, client: http_client.HttpClient) -> None:
        """Note the header."""
        assert not self.status
        self.status = client.status
        self.url = client.url

    def feed(self, data: bytes) -> None:
        """Note some of the body."""
        assert data
        assert not self.ends
        self.body += data

    def close(self) -> None:
        """Note the end."""
        self.ends.append("closed")

    def http_failed(self, error: Exception) -> None:
        """Note the end that is none."""
        self.ends.append(type(error).__name__)


def fetch(
    answer: bytes, method: str = "GET", *, url: str = "http://example.org/"
) -> tuple[int, bytes, list[str]]:
    """Return status, body and end of an answer, which are the same for every cut of it."""
    found: set[tuple[int, bytes, tuple[str, ...]]] = set()
    for pieces in splits(answer):
        recorder = Recorder()
        client = http_client.HttpClient(url, recorder, method)
        talk(client, *pieces)
        assert (client.error is None) is (recorder.ends == ["closed"])
        assert client.hook_error is None
        found.add((recorder.status, recorder.body, tuple(recorder.ends)))
    [(status, body, ends)] = found
    return status, body, list(ends)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSED = ["closed"]


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello"),
        (OK + b"Content-Length: 5\r\n\r\nhello and more", 200, b"hello"),
        (OK + b"Content-Length: 5, 5\r\n\r\nhello", 200, b"hello"),
        (OK + b"Content-Length: 0\r\n\r\nmore", 200, b""),
        (OK + b"\r\nto the\r\n\r\nend", 200, b"to the\r\n\r\nend"),
        (OK + b"\r\n", 200, b""),
        (b"HTTP/1.0 404 \r\nX: 1\r\n 2\r\n\r\nabc", 404, b"abc"),
        (b"HTTP/1.1 204\r\nContent-Length: 5\r\n\r\nhello", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\n" + OK + b"\r\nx", 200, b"x"),
        (CHUNKED + b"0\r\n\r\nmore", 200, b""),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", 200, b"hello"),
        (
            CHUNKED + b'00A \t;x="1";y\r\n0123\r\n\r\n89\r\n1\r\n!\r\n000\r\n\r\n',
            200,
            b"0123\r\n\r\n89!",
        ),
        (CHUNKED + b"1\r\nx\r\n0;last\r\nDigest: y\r\nMore: z\r\n\r\n", 200, b"x"),
    ],
)
def test_client(answer: bytes, status: int, body: bytes) -> None:
    """The body is what its header says (RFC 9112, 6.3), and the consumer is closed once."""
    assert fetch(answer) == (status, body, CLOSED)


def test_client_head() -> None:
    """The answer to HEAD has no body."""
    assert fetch(OK + b"Content-Length: 5\r\n\r\n", "HEAD") == (200, b"", CLOSED)


@pytest.mark.parametrize(
    ("answer", "status", "body", "end"),
    [
        (b"", 0, b"", "HttpError"),
        (OK, 0, b"", "IncompleteFrame"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 0, b"", "HttpError"),
        (OK + b"Content-Length: 5\r\n\r\n", 200, b"", "HttpError"),
        (OK + b"Content-Length: 5\r\n\r\nhell", 200, b"hell", "IncompleteFrame"),
        (CHUNKED, 200, b"", "HttpError"),
        (CHUNKED + b"5", 200, b"", "IncompleteFrame"),
        (CHUNKED + b"5\r\n", 200, b"", "HttpError"),
        (CHUNKED + b"5\r\nhell", 200, b"hell", "IncompleteFrame"),
        (CHUNKED + b"5\r\nhello", 200, b"hello", "HttpError"),
        (CHUNKED + b"5\r\nhello\r", 200, b"hello", "IncompleteFrame"),
        (CHUNKED + b"5\r\nhello\r\n", 200, b"hello", "HttpError"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", 200, b"hello", "HttpError"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n", 200, b"hello", "HttpError"),
        (CHUNKED + b"5\r\nhello!\n0\r\n\r\n", 200, b"hello", "HttpError"),
        (CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n0\r\n\r\n", 200, b"", "HttpError"),
        (CHUNKED + b"+5\r\nhello", 200, b"", "HttpError"),
        (CHUNKED + b"0x5\r\nhello", 200, b"", "HttpError"),
        (CHUNKED + b"\r\nhello", 200, b"", "HttpError"),
        (CHUNKED + b"5 5\r\nhello", 200, b"", "HttpError"),
        (CHUNKED + b"f" * 16 + b"\r\nhello", 200, b"", "HttpError"),
        (OK + b"Content-Length: -1\r\n\r\n", 200, b"", "HttpError"),
        (OK + b"Content-Length: 5, 6\r\n\r\nhello", 200, b"", "HttpError"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 200, b"", "HttpError"),
        (OK + b"no field\r\n\r\n", 200, b"", "HttpError"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", 0, b"", "HttpError"),
        (b"HTTP/1.1 99 Low\r\n\r\n", 0, b"", "HttpError"),
        (b"HTTP/2 200 OK\r\n\r\n", 0, b"", "HttpError"),
        (b"220 mail.example ESMTP\r\n\r\n", 0, b"", "HttpError"),
    ],
)
def test_client_tells_of_what_is_not_all_there(
    answer: bytes, status: int, body: bytes, end: str
) -> None:
    """A body that was cut off, or has no telling where it ends, is no body: `close` is not called.

    The consumer hears of the header only when it makes sense as a whole.
    """
    found = fetch(answer)
    assert found[1:] == (body, [end])
    assert found[0] in {0, status}


def test_client_with_an_endless_header() -> None:
    """It is refused when it has become too long."""
    recorder = Recorder()
    client = http_client.HttpClient("http://example.org/", recorder)
    client.receive_data(OK + b"X: y\r\n" * 20000)
    assert recorder.ends == ["FrameTooLarge"]
    assert client.closing


def test_client_streams() -> None:
    """What came of a body has been handed over, and nothing of it is kept."""
    recorder = Recorder()
    client = http_client.HttpClient("http://example.org/", recorder)
    client.receive_data(OK + b"Content-Length: 1000000000000\r\n\r\n")
    for _ in range(100):
        client.receive_data(b"x" * 1000)
        assert client.framer.buffered == 0
        assert len(recorder.body) % 1000 == 0
        recorder.body = b""
    client.receive_loss(ConnectionResetError())
    assert recorder.ends == ["ConnectionResetError"]


def test_client_with_a_consumer_that_raises() -> None:
    """It is the consumer that is told, and whoever asked."""

    class Broken(Recorder):
        def close(self) -> None:
            raise ArithmeticError

    broken = Broken()
    client = http_client.HttpClient("http://example.org/", broken)
    client.receive_data(OK + b"Content-Length: 0\r\n\r\n")
    assert isinstance(client.error, ArithmeticError)
    assert broken.ends == ["ArithmeticError"]
    assert client.closed


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("http://example.org", "GET / HTTP/1.1", "example.org"),
        ("http://user:pw@example.org:8080/a/b?c=d#e", "GET /a/b?c=d HTTP/1.1", "example.org:8080"),
        ("http://[::1]:80/", "GET / HTTP/1.1", "[::1]:80"),
        ("http://bücher.example/ä b?ö", "GET /%C3%A4%20b?%C3%B6 HTTP/1.1", "xn--bcher-kva.example"),
        ("http://a/%C3%A4\x0bb\r\nX: y", "GET /%C3%A4%0BbX:%20y HTTP/1.1", "a"),
    ],
)
def test_client_request(url: str, line: str, host: str) -> None:
    """What is asked is what the URL says, and nothing in a URL can add a line to that."""
    client = http_client.HttpClient(url, Recorder())
    client.connection_made()
    lines = said(client).decode().split("\r\n")
    assert lines[:2] == [line, f"Host: {host}"]
    assert "Connection: close" in lines
    assert len(lines) == 7


@pytest.mark.parametrize(
    "url", ["", "example.org", "ftp://a/", "file:///x", "http:///x", "http://a b/", "http://a:x/"]
)
def test_client_refuses_what_is_no_url(url: str) -> None:
    """Other schemes, and hosts that are none, are refused before anything is sent."""
    with pytest.raises(ValueError):
        http_client.HttpClient(url, Recorder())


def test_links_are_found_as_they_arrive() -> None:
    """However the page is cut, in tags and in characters, the links are the same."""
    page = '<a href="/ä">ö</a><!-- <a href="no"> --><A HREF=b&amp;c><a name=x><a href="€">'.encode()
    for pieces in splits(page):
        consumer = http_client.LinkConsumer()
        for piece in pieces:
            consumer.feed(piece)
        consumer.close()
        assert consumer.links.found == ["/ä", "b&c", "€"]


# Under every adapter, with real clients.


@dataclass
class Server:
    """An example that runs in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    directory: Path

    def url(self, path: str = "/") -> str:
        """Return a URL of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def ask(self, *requests: bytes) -> bytes:
        """Send requests at once, and return all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as connection:
            connection.sendall(b"".join(requests))
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def peak_memory(self) -> int:
        """Return how many bytes the process had in memory at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        [kib] = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(kib) * 1024


@contextlib.contextmanager
def started(example: str, adapter: str, directory: Path, end: int) -> Generator[Server]:
    """Start an example; in the end a signal ends it, without any complaint."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / example), "--adapter", adapter]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"listening on 127\.0\.0\.1 port (\d+)\n", line)
            errors.seek(0)
            assert found, errors.read()
            yield Server(process, int(found[1]), directory)
            process.send_signal(end)
            assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()
            process.communicate()
        errors.seek(0)
        assert not errors.read()


@pytest.fixture(scope="module", params=serving.ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    """Give each adapter in turn."""
    name: str = request.param
    if name in {"trio", "anyio"}:
        pytest.importorskip(name)
    return name


@pytest.fixture(scope="module")
def responder(adapter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the responder."""
    directory = tmp_path_factory.mktemp("responder")
    with started("http_responder.py", adapter, directory, signal.SIGTERM) as server:
        yield server


@pytest.fixture(scope="module")
def files(adapter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the file server, with a sparse file that is large."""
    directory = tmp_path_factory.mktemp("files") / "root"
    directory.mkdir()
    (directory / "hello.txt").write_bytes(b"Hello, world!\n")
    (directory.parent / "secret").write_bytes(SECRET)
    for name, size in (("medium", 2), ("large", 1024 if adapter == LARGEST else 64)):
        with (directory / name).open("wb") as file:
            file.truncate(size * MiB)
    with started("http_files.py", adapter, directory, signal.SIGTERM) as server:
        yield server


@pytest.fixture(scope="module")
def posts(adapter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the server for bodies."""
    directory = tmp_path_factory.mktemp("posts")
    with started("http_post.py", adapter, directory, signal.SIGTERM) as server:
        yield server


def curl(*arguments: str, code: int = 0) -> bytes:
    """Run curl and return what it wrote."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not there; in Debian it is in the package curl")
    command = [program, "--silent", "--show-error", "--max-time", str(int(TIMEOUT)), "--noproxy"]
    done = subprocess.run(
        [*command, "*", *arguments], check=False, capture_output=True, timeout=TIMEOUT + 5
    )
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_server(adapter: str, tmp_path: Path, number: signal.Signals) -> None:
    """It exits with status 0, while connections are open, and without a word."""
    with socket.socket() as connection:
        connection.settimeout(TIMEOUT)
        with started("http_responder.py", adapter, tmp_path, number) as server:
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(get(b"/"))
            assert connection.recv(17) == b"HTTP/1.1 200 OK\r\n"


def test_responder_and_curl(responder: Server) -> None:
    """What curl says it sent is what it gets back."""
    body = curl("--user-agent", "me", responder.url("/a?b"), responder.url("/c"))
    request = "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: me\r\nAccept: */*\r\n\r\n"
    assert body.decode() == "".join(request.format(path, responder.port) for path in ("/a?b", "/c"))


def test_responder_and_http_client(responder: Server) -> None:
    """The standard library's client, several requests on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", responder.port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        for method in ("GET", "HEAD", "DELETE"):
            connection.request(method, "/x", headers={"X": "y"})
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200
            assert not response.will_close
            assert body.startswith(
                b"" if method == "HEAD" else method.encode() + b" /x HTTP/1.1\r\n"
            )
            assert (b"\r\nX: y\r\n" in body) is (method != "HEAD")


def test_responder_pipelined(responder: Server) -> None:
    """More requests than one read brings are answered in their order."""
    paths = [b"/%d" % i for i in range(3000)]
    output = responder.ask(*map(get, paths), get(b"/", fields=b"Connection: close\r\n"))
    assert re.findall(rb"\nGET (\S+) ", output) == [*paths, b"/"]


def test_files_and_curl(files: Server) -> None:
    """Two files, one connection; the second is new only where the first was large."""
    wanted = [
        "--write-out",
        "%{http_code} %{num_connects} %{content_type}\n",
        "--output",
        os.devnull,
    ]
    hello = files.url("/hello.txt")
    written = curl(*wanted, hello, *wanted[2:], hello, *wanted[2:], files.url("/no"))
    assert written.decode().splitlines() == [
        "200 1 text/plain",
        "200 0 text/plain",
        "404 0 text/plain; charset=utf-8",
    ]
    assert curl(hello, hello) == b"Hello, world!\n" * 2
    written = curl(*wanted, "--http1.0", hello, *wanted[2:], hello)
    assert written.decode().splitlines() == ["200 1 text/plain"] * 2


def test_files_head(files: Server) -> None:
    """`curl -I` gets the header, and the connection stays."""
    header = curl("--head", files.url("/large"), files.url("/hello.txt"))
    assert header.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert header.endswith(b"Content-Length: 14\r\nConnection: keep-alive\r\n\r\n")


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/x/../../secret", "//../secret"])
def test_files_traversal(files: Server, path: str) -> None:
    """A path that leads out of the directory leads nowhere."""
    assert curl("--path-as-is", files.url(path)) == b"404 no such file\n"


def test_files_too_long_a_header(files: Server, tmp_path: Path) -> None:
    """The answer 431 arrives, though the client still has most of 1 MiB to send."""
    (tmp_path / "header").write_bytes(b"X: " + b"x" * (MiB - 4096) + b"\r\n")
    answer = curl("--include", "--header", f"@{tmp_path / 'header'}", files.url("/hello.txt"))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.endswith(b"\r\n\r\n431 too long\n")


PROC = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it looks at Linux' /proc")


@PROC
def test_files_large(files: Server) -> None:
    """A file of 1 GiB (or less, not to take long) arrives whole and takes next to no memory."""
    curl(files.url("/hello.txt"))
    before = files.peak_memory()
    size = (files.directory / "large").stat().st_size
    found = curl("--write-out", "%{size_download}", "--output", os.devnull, files.url("/large"))
    assert int(found) == size
    assert files.peak_memory() - before < 8 * MiB


def links_in(folder: Path) -> Iterator[str]:
    """Where the links in a folder lead; one that has gone meanwhile leads nowhere."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(path.readlink())


@PROC
def test_files_that_are_not_wanted_any_more(files: Server) -> None:
    """Who leaves in the middle of a file does no harm: the server goes on, and closes the file."""
    with socket.create_connection(("127.0.0.1", files.port), TIMEOUT) as connection:
        connection.sendall(get(b"/large"))
        assert connection.recv(17) == b"HTTP/1.1 200 OK\r\n"
    assert curl(files.url("/hello.txt")) == b"Hello, world!\n"
    descriptors = Path(f"/proc/{files.process.pid}/fd")
    deadline = time.monotonic() + TIMEOUT
    while any(link.endswith("large") for link in links_in(descriptors)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_pipelined(files: Server) -> None:
    """Answers come in the order of the requests, from files and from memory."""
    targets = [b"/hello.txt", b"/no", b"/hello.txt", b"/hello.txt"]
    size = 2 * MiB
    output = files.ask(*map(get, targets), get(b"/medium"), get(b"/hello.txt"))
    header, _, rest = output[:-size].rpartition(b"HTTP/1.1 200 OK\r\n")
    assert statuses(read_answers(header)) == [200, 404, 200, 200]
    assert b"Content-Length: %d\r\n" % size in rest
    assert not output[-size:].strip(b"\0")


def test_posts_and_curl(posts: Server, tmp_path: Path) -> None:
    """A body comes back: large, empty, asked for first; and one that is too large is refused."""
    body = os.urandom(http_post.MAX_BODY)
    (tmp_path / "body").write_bytes(body)
    sent = ["--data-binary", f"@{tmp_path / 'body'}"]
    assert curl(*sent, posts.url()) == body
    assert curl(*sent, "--header", "Expect: 100-continue", posts.url()) == body
    assert curl("--data", "", posts.url()) == b""
    assert curl("--data", "a=1", posts.url(), posts.url()) == b"a=1" * 2
    (tmp_path / "body").write_bytes(body + b"!")
    answer = curl(*sent, "--include", posts.url())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert curl(posts.url()) == b"405 not served here\n"


def test_posts_and_http_client(posts: Server) -> None:
    """The standard library's client, which sends header and body in two pieces."""
    connection = http.client.HTTPConnection("127.0.0.1", posts.port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        for body in (b"abc", b"", b"\r\n" * 1000):
            connection.request("POST", "/", body)
            assert connection.getresponse().read() == body


def test_posts_that_send_too_much(posts: Server) -> None:
    """What follows the last body is not looked at, and does not cost the client its answer."""
    more = b"POST / HTTP/1.1\r\n" * 20000
    output = posts.ask(post(b"abc"), b"\r\n", post(b"def", b"Connection: close\r\n"), more)
    assert [body for _, _, body in read_answers(output)] == [b"abc", b"def"]


# The client under every adapter, and servers from the standard library.


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in all ways that there are to say where a body ends, or not to."""

    protocol_version = "HTTP/1.1"
    body = bytes(range(256)) * 2000

    def do_GET(self) -> None:
        """Answer as the first word of the path says."""
        word = self.path.split("/")[1].partition("?")[0]
        getattr(self, f"do_{word}")()
        self.close_connection = True

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name is not ours
        """Say nothing."""

    def header(self, status: int, **fields: object) -> None:
        """Send a header."""
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def do_length(self) -> None:
        """Send a body by its length."""
        self.header(200, Content_Length=len(self.body))
        self.wfile.write(self.body)

    def do_chunked(self) -> None:
        """Send a body in chunks of several sizes, and a trailer."""
        self.header(200, Transfer_Encoding="chunked")
        rest = self.body
        for size in (1, 10, 1000, 100000, len(rest)):
            chunk, rest = rest[:size], rest[size:]
            self.wfile.write(b"%x;size\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\nDigest: none\r\n\r\n")

    def do_eof(self) -> None:
        """Send a body to the end of the stream."""
        self.header(200, Connection="close")
        self.wfile.write(self.body)

    def do_truncated(self) -> None:
        """Send less than was promised."""
        self.header(200, Content_Length=len(self.body))
        self.wfile.write(self.body[:1000])

    def do_empty(self) -> None:
        """Send a status that has no body."""
        self.header(204)

    def do_redirect(self) -> None:
        """Lead elsewhere: /redirect/302/x leads to what is x, seen from there."""
        _, _, status, location = self.path.split("/", 3)
        self.header(int(status), Location=location, Content_Length=5)
        self.wfile.write(b"moved")

    def do_loop(self) -> None:
        """Lead to itself."""
        self.header(307, Location=self.path, Content_Length=0)

    def do_nowhere(self) -> None:
        """Lead away, but not say where to."""
        self.header(302, Content_Length=5)
        self.wfile.write(b"moved")

    def do_away(self) -> None:
        """Lead to what is not HTTP."""
        self.header(302, Location="file:///etc/passwd", Content_Length=0)

    def do_page(self) -> None:
        """Send a page with links."""
        body = '<a href="/ä">ä</a> <a href=b?c>'.encode()
        self.header(200, Content_Length=len(body))
        self.wfile.write(body)


@contextlib.contextmanager
def website(context: ssl.SSLContext | None = None) -> Generator[str]:
    """Serve with http.server, and give the start of its URLs."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for them
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(TIMEOUT)
        server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Serve in plain text."""
    with website() as url:
        yield url


@pytest.mark.parametrize("path", ["/length", "/chunked", "/eof", "/redirect/301//chunked"])
def test_client_gets_bodies(adapter: str, site: str, path: str) -> None:
    """A body of half a megabyte arrives whole, however its end is told."""
    recorder = Recorder()
    http_client.get(site + path, recorder, adapter)
    assert recorder.status == 200
    assert recorder.body == Handler.body
    assert recorder.ends == CLOSED


def test_client_gets_nothing(adapter: str, site: str) -> None:
    """An answer without a body is an answer."""
    recorder = Recorder()
    assert http_client.get(site + "/empty", recorder, adapter).status == 204
    assert (recorder.body, recorder.ends) == (b"", CLOSED)


def test_client_gets_half(adapter: str, site: str) -> None:
    """A body that is cut off is an error, to the consumer and to whoever asked."""
    recorder = Recorder()
    with pytest.raises(IncompleteFrame, match="after 1000 of 512000 bytes"):
        http_client.get(site + "/truncated", recorder, adapter)
    assert recorder.body == Handler.body[:1000]
    assert set(recorder.ends) == {"IncompleteFrame"}


@pytest.mark.parametrize(
    ("path", "url", "body"),
    [
        ("/redirect/301//length?a", "/length?a", Handler.body),
        ("/redirect/303/../../length", "/length", Handler.body),
        ("/redirect/307//redirect/308//redirect/302//eof", "/eof", Handler.body),
        ("/redirect/304//length", "/redirect/304//length", b""),
        ("/redirect/300//length", "/redirect/300//length", b"moved"),
        ("/nowhere", "/nowhere", b"moved"),
    ],
)
def test_client_follows(adapter: str, site: str, path: str, url: str, body: bytes) -> None:
    """Redirects are followed, relative ones from where they are, and nothing else is one."""
    recorder = Recorder()
    client = http_client.get(site + path, recorder, adapter)
    assert recorder.url == client.url == site + url
    assert recorder.body == body
    assert recorder.ends == CLOSED


@pytest.mark.parametrize(
    ("path", "error"), [("/loop", http_client.HttpError), ("/away", ValueError)]
)
def test_client_does_not_follow(adapter: str, site: str, path: str, error: type[Exception]) -> None:
    """Not in circles, and not to what is not HTTP; and the consumer is told once."""
    recorder = Recorder()
    with pytest.raises(error):
        http_client.get(site + path, recorder, adapter, max_redirects=3)
    assert (recorder.status, recorder.ends) == (0, [error.__name__])


def test_client_finds_nobody(adapter: str) -> None:
    """Where nobody listens is an error, and the consumer is told once."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        recorder = Recorder()
        with pytest.raises(OSError):
            http_client.get(f"http://127.0.0.1:{nobody.getsockname()[1]}/", recorder, adapter)
    assert len(recorder.ends) == 1


def is_about_trust(error: Exception) -> bool:
    """Tell whether a certificate is no good, or whether that is behind the error of a world."""
    return any(isinstance(e, ssl.SSLCertVerificationError) for e in (error, error.__cause__))


def test_client_over_tls(adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body comes over TLS from whom the system trusts, and nothing from anybody else."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with website(context) as url, authority.cert_pem.tempfile() as trusted:
        with pytest.raises(Exception, check=is_about_trust):  # noqa: B017 - checked
            http_client.get(url + "/chunked", Recorder(), adapter)
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        recorder = Recorder()
        http_client.get(url + "/chunked", recorder, adapter)
    assert recorder.body == Handler.body
    assert recorder.ends == CLOSED


def test_client_prints_links(adapter: str, site: str) -> None:
    """The program prints where the links in a page lead."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / "http_client.py")]
    done = subprocess.run(
        [*command, "--adapter", adapter, f"{site}/redirect/302//page"],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{site}/ä", f"{site}/b?c"]
