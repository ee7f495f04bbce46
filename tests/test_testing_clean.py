"""Well-kept parsers pass: framer.testing raises no false alarm, and needs few words for each."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import h11
import hiredis
import httptools
import msgpack  # type: ignore[import-untyped]  # it has no types
import tornado.iostream
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from framer.testing import (
    Script,
    callback_subject,
    check_chunking,
    check_coalescing,
    check_only_raises,
    check_prefixes,
    check_prompt,
    feed_subject,
    pull_subject,
    splits,
)

POST = (
    b"POST /a?b HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: z\r\n\r\n"
)


def next_of_h11(connection: h11.Connection) -> Any:
    """Leave out what says where chunks of HTTP start: not if their size came alone."""
    event = connection.next_event()
    return bytes(event.data) if isinstance(event, h11.Data) else event


def test_h11() -> None:
    """A pull parser; its payload comes in pieces."""
    make = pull_subject(
        lambda: h11.Connection(h11.SERVER),
        next_event=next_of_h11,
        end=lambda connection: connection.receive_data(b""),
        done=(h11.NEED_DATA, h11.PAUSED),
        last=(h11.ConnectionClosed,),
    )
    assert len(check_chunking(make, POST, merge=[bytes], errors="exact").events) > 3
    check_chunking(make, POST.replace(b"chunked", b"chnuked"), errors="exact")
    check_prefixes(make, POST, merge=[bytes])
    check_only_raises(make, POST.replace(b"5\r", b"x\r"), h11.RemoteProtocolError)


def test_httptools() -> None:
    """A parser that calls back; whatever it hands on comes in pieces."""
    make = callback_subject(httptools.HttpRequestParser, feed="feed_data")
    pieces = ("on_body", "on_url")
    seen = check_chunking(make, POST, merge=pieces)
    assert ("on_message_complete",) in seen.events
    check_coalescing(make, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 100)


def test_msgpack() -> None:
    """A parser that is fed and then iterated over."""

    def feed(unpacker: Any, data: bytes) -> Iterator[Any]:
        unpacker.feed(data)
        return iter(unpacker)

    values = [1, "two", [3.5, None, {"four": b"five"}], "x" * 300, float("nan"), {}]
    frames: list[bytes] = [bytes(msgpack.packb(value) or b"") for value in values]
    make = feed_subject(msgpack.Unpacker, feed=feed)
    assert len(check_chunking(make, b"".join(frames)).events) == len(values)
    check_prompt(make, frames)
    check_coalescing(make, frames[2])


def test_hiredis() -> None:
    """The same, with a sign of its own for nothing; its errors are events, and plain objects."""
    make = pull_subject(hiredis.Reader, receive="feed", next_event="gets", end=None, done=(False,))
    frames = [b"+OK\r\n", b":1\r\n", b"$5\r\nhe\r\no\r\n", b"*2\r\n$-1\r\n*0\r\n", b"-ERR no\r\n"]
    assert len(check_chunking(make, b"".join(frames)).events) == 5
    check_prompt(make, frames)
    check_coalescing(make, frames[3])
    check_only_raises(make, b"+OK\r\n?\r\n", hiredis.ProtocolError)


def test_websockets() -> None:
    """A parser that gathers its events itself, and has the end of a stream as a call."""

    def make_parser() -> ServerProtocol:
        return ServerProtocol(state=OPEN)

    def feed(parser: ServerProtocol, data: bytes) -> list[Any]:
        parser.receive_data(data)
        return parser.events_received()

    def close(parser: ServerProtocol) -> list[Any]:
        parser.receive_eof()
        return parser.events_received()

    frames = [
        Frame(opcode, payload).serialize(mask=True, extensions=[])
        for opcode, payload in [
            (Opcode.TEXT, "żółć".encode()),
            (Opcode.BINARY, b""),
            (Opcode.PING, b"ping"),
            (Opcode.BINARY, b"x" * 200),
        ]
    ]
    make = feed_subject(make_parser, feed=feed, close=close)
    assert len(check_chunking(make, b"".join(frames)).events) == 4
    check_prompt(make, frames)
    check_prefixes(make, b"".join(frames[:3]))


def test_h2() -> None:
    """Events that compare by identity, of a connection that returns them when it is fed."""
    config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
    client = h2.connection.H2Connection(config)
    client.initiate_connection()
    headers = [(":method", "POST"), (":path", "/"), (":scheme", "https"), (":authority", "a")]
    client.send_headers(1, headers)
    client.send_data(1, b"hello", end_stream=True)
    client.ping(b"12345678")
    wire = client.data_to_send()

    def server() -> h2.connection.H2Connection:
        return h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))

    make = feed_subject(server, feed="receive_data")
    kinds = {type(event) for event in check_chunking(make, wire).events}
    assert {h2.events.RequestReceived, h2.events.DataReceived, h2.events.StreamEnded} <= kinds
    check_prefixes(make, wire)


def test_tornado() -> None:
    """A stream with a loop and a socket: its reads, however the peer sends."""
    wire = b"spam\r\n\r\neggs\r\n5:bytes"

    class Stream(tornado.iostream.BaseIOStream):
        """Reads from a scripted socket, and never waits."""

        def __init__(self, sock: Any) -> None:
            super().__init__()
            self.sock = sock

        def fileno(self) -> int:
            return 0

        def close_fd(self) -> None:
            self.sock.close()

        def read_from_fd(self, buf: Any) -> int | None:
            count: int = self.sock.recv_into(buf)
            return count

        def _add_io_state(self, state: int) -> None:
            self._handle_read()

    async def read(chunks: list[bytes]) -> list[bytes]:
        with Script().read(*chunks).socket() as sock:
            stream = Stream(sock)
            lines = [await stream.read_until(b"\r\n") for _ in range(3)]
            return [*lines, await stream.read_bytes(7)]

    for chunks in splits(wire, k=2):
        seen = asyncio.run(read(chunks))
        assert seen == [b"spam\r\n", b"\r\n", b"eggs\r\n", b"5:bytes"]
