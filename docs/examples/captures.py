"""How real protocols are framed, one small class for each side of a conversation.

The theory: a protocol is a `Framer` and a rule that says, after each frame, what ends the next one.
For most protocols that rule is "the same as before" and the class below has nothing to say but its
terminator. Where it is not, the rule is one assignment to `framer.terminator`, and the terminator
that is set *is* the state: no class here has another one.

| protocol | a frame ends | and then |
|---|---|---|
| SMTP, commands | at CRLF | after DATA: at CRLF . CRLF, once |
| SMTP, replies | at CRLF | |
| HTTP/1.1 | at the empty line | after as many bytes, or chunks, as the header announced |
| Redis | after a line, and what it announces | |
| QMQP | like every netstring | |
| LSP | after a header, and what it announces | |
| protobuf | after a varint, and what it announces | |

Each reader turns what it is fed into `Piece` values and knows nothing of sockets or files.
A piece keeps the bytes that stood on the wire around its payload, so that whoever wants to check
that nothing was lost can put the stream together again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framer import Framer, LengthFrom, Netstring, VarintPrefix, encode_frame

DATA: Final = Path(__file__).parent / "data"

CRLF: Final = b"\r\n"
END_OF_MESSAGE: Final = b"\r\n.\r\n"
END_OF_HEADER: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """One frame: what it is, what it says, and what stood on the wire for it."""

    kind: str
    payload: bytes
    wire: bytes


class Reader(ABC):
    """Turn one direction of a conversation into pieces, however the bytes arrive."""

    def __init__(self, framer: Framer) -> None:
        self.framer = framer

    @abstractmethod
    def take(self, frame: bytes) -> Piece:
        """Say what `frame` is, and set the terminator of the one behind it if that differs."""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield the pieces that are complete now that `data` is in."""
        self.framer.receive_data(data)
        for frame in self.framer.frames():
            yield self.take(frame)

    def close(self) -> Iterator[Piece]:
        """Yield what the end of the stream completes.

        Raises framer.IncompleteFrame when it cut a frame off.
        """
        self.framer.receive_eof()
        for frame in self.framer.frames():
            yield self.take(frame)

    def read(self, pieces: Iterable[bytes]) -> list[Piece]:
        """Feed all of a stream, cut as it is, and return all that was in it."""
        found = [piece for data in pieces for piece in self.feed(data)]
        found.extend(self.close())
        return found


# SMTP (RFC 5321): lines, and one message after each DATA.


class SmtpCommands(Reader):
    """What an SMTP client says.

    The line end of DATA is also the first half of the terminator of an empty message, so it is
    pushed back to be found again; the message's own frame starts with it, unless it *is* empty.

    A client that was refused with something other than 354 goes on with commands instead.
    One who sees both sides would look at the reply; this reader sees one and trusts the server.
    """

    def __init__(self) -> None:
        super().__init__(Framer(CRLF, max_frame_size=1 << 20))

    def take(self, frame: bytes) -> Piece:
        """Tell commands from messages."""
        if self.framer.terminator == END_OF_MESSAGE:
            self.framer.terminator = CRLF
            wire = (frame + END_OF_MESSAGE)[len(CRLF) :]
            return Piece("message", frame[len(CRLF) :], wire)
        if frame.upper() == b"DATA":
            self.framer.terminator = END_OF_MESSAGE
            self.framer.push_back(CRLF)
        return Piece("command", frame, frame + CRLF)


class Lines(Reader):
    """Nothing but lines, like the replies of an SMTP server."""

    def __init__(self) -> None:
        super().__init__(Framer(CRLF, max_frame_size=4096))

    def take(self, frame: bytes) -> Piece:
        """Every frame is a line."""
        return Piece("line", frame, frame + CRLF)


def unstuffed(message: bytes) -> bytes:
    """Take away the dots that a client put before each line that starts with one."""
    lines = message.split(CRLF)
    return CRLF.join(line.removeprefix(b".") for line in lines)


# HTTP/1.1 (RFC 9112): a header, then a body of a length that the header tells.


def field(header: bytes, name: bytes) -> bytes | None:
    """Return the value of a header field, or None where there is none of that name."""
    for line in header.split(CRLF)[1:]:
        key, colon, value = line.partition(b":")
        if colon and key.strip().lower() == name:
            return value.strip()
    return None


def number(digits: bytes, base: int = 10) -> int:
    """Read a length as protocols write it: digits and nothing else.

    int() is more generous (`+5`, ` 5 `, `1_000`), and what one side reads differently from the
    other is how requests are smuggled. Raises ValueError, of which framer makes MalformedFrame.
    """
    if not digits.isalnum():
        raise ValueError(f"not a number: {digits!r}")
    return int(digits, base)


def chunk_size(header: bytes) -> int:
    """Read the size of an HTTP chunk, which is hexadecimal and may have extensions behind it."""
    return number(header.partition(b";")[0].strip(), 16)


# A chunk is a line that tells its size, the chunk, and CRLF. The last one is empty.
# (Trailer fields behind it, which hardly anyone sends, would be a MalformedFrame here.)
CHUNK: Final = LengthFrom(CRLF, chunk_size, footer=CRLF)


class HttpRequests(Reader):
    """What an HTTP/1.1 client says: headers, bodies by count, and chunks."""

    def __init__(self) -> None:
        super().__init__(Framer(END_OF_HEADER, max_frame_size=1 << 20))

    def take(self, frame: bytes) -> Piece:
        """Tell headers, bodies and chunks apart by what ended them."""
        if self.framer.terminator == END_OF_HEADER:
            self.framer.terminator = self.after_header(frame)
            return Piece("header", frame, frame + END_OF_HEADER)
        if self.framer.terminator is CHUNK:
            if not frame:
                self.framer.terminator = END_OF_HEADER
            return Piece("chunk", frame, b"%x\r\n%s\r\n" % (len(frame), frame))
        self.framer.terminator = END_OF_HEADER
        return Piece("body", frame, frame)

    def after_header(self, header: bytes) -> bytes | int | LengthFrom | None:
        """Return what ends the frame behind `header`: a body, a chunk, or the next header."""
        if field(header, b"transfer-encoding") == b"chunked":
            return CHUNK
        length = field(header, b"content-length")
        return END_OF_HEADER if length is None else number(length)


class HttpResponses(HttpRequests):
    """What an HTTP/1.1 server says, which only makes sense to one who knows what it was asked."""

    def __init__(self, methods: Iterable[bytes]) -> None:
        super().__init__()
        self.methods = iter(methods)

    def after_header(self, header: bytes) -> bytes | int | LengthFrom | None:
        """Return what ends the frame behind `header`, whose length some answers only pretend."""
        status = header.split(b" ", 2)[1]
        if status.startswith(b"1"):
            return END_OF_HEADER  # interim: the answer proper comes behind it
        method = next(self.methods)
        if method == b"HEAD" or status in {b"204", b"304"}:
            return END_OF_HEADER
        if field(header, b"transfer-encoding") or field(header, b"content-length"):
            return super().after_header(header)
        return None  # no length at all: the body ends with the stream


def methods_of(requests: bytes) -> list[bytes]:
    """Return the method of each request in one side of an HTTP conversation."""
    pieces = HttpRequests().read([requests])
    return [piece.payload.partition(b" ")[0] for piece in pieces if piece.kind == "header"]


# Redis (RESP2): every element is a line; the line of a bulk string announces bytes behind it.


def resp_size(header: bytes) -> int:
    """Say how many bytes belong to an element beyond its first line."""
    if not header.startswith(b"$") or header == b"$-1":
        return 0
    return number(header[1:]) + len(CRLF)


RESP_KINDS: Final = {
    b"*": "array",
    b"$": "bulk",
    b"+": "simple",
    b"-": "error",
    b":": "integer",
}


class Resp(Reader):
    """What Redis and its clients say: one frame an element, an array being a count and elements."""

    def __init__(self) -> None:
        super().__init__(
            Framer(LengthFrom(CRLF, resp_size, keep_header=True), max_frame_size=1 << 20)
        )

    def take(self, frame: bytes) -> Piece:
        """Take the frame apart: its first byte tells what it is."""
        line, _, rest = frame.partition(CRLF)
        if line == b"$-1":
            return Piece("null", b"", frame)
        match RESP_KINDS.get(line[:1], "inline"):
            case "bulk" as kind:
                return Piece(kind, rest.removesuffix(CRLF), frame)
            case "inline" as kind:
                return Piece(kind, line, frame)
            case kind:
                return Piece(kind, line[1:], frame)


# The rest are their terminators.


class Netstrings(Reader):
    """What both sides of QMQP say: `<digits>:<payload>,`."""

    def __init__(self) -> None:
        super().__init__(Framer(Netstring(), max_frame_size=1 << 20))

    def take(self, frame: bytes) -> Piece:
        """Every frame is a netstring."""
        return Piece("netstring", frame, encode_frame(frame, Netstring()))


class VarintMessages(Reader):
    """A stream of protobuf messages, each behind its length."""

    def __init__(self) -> None:
        super().__init__(Framer(VarintPrefix(), max_frame_size=1 << 20))

    def take(self, frame: bytes) -> Piece:
        """Every frame is a message."""
        return Piece("message", frame, encode_frame(frame, VarintPrefix()))


def content_length(header: bytes) -> int:
    """Read the length of a message of the Language Server Protocol."""
    length = field(CRLF + header, b"content-length")
    if length is None:
        raise ValueError("no Content-Length")
    return number(length)


class LspMessages(Reader):
    """What both sides of the Language Server Protocol say: a header, then JSON."""

    def __init__(self) -> None:
        super().__init__(
            Framer(
                LengthFrom(END_OF_HEADER, content_length, keep_header=True), max_frame_size=1 << 20
            )
        )

    def take(self, frame: bytes) -> Piece:
        """Every frame is a message; its header was kept because its fields vary."""
        return Piece("message", frame.partition(END_OF_HEADER)[2], frame)


# The captures themselves. data/README.md tells where they come from.


@dataclass(frozen=True, slots=True)
class Capture:
    """One direction of a recorded conversation, and the reader that understands it."""

    name: str
    framing: str
    reader: Callable[[], Reader]

    @property
    def data(self) -> bytes:
        """All of it, as it went over the wire."""
        return load(self.name)


def load(name: str) -> bytes:
    """Return the bytes of the capture `name`."""
    return (DATA / f"{name}.bin").read_bytes()


def http_responses() -> HttpResponses:
    """Make a reader for the responses to the captured requests."""
    return HttpResponses(methods_of(load("http.client")))


CAPTURES: Final = (
    Capture("smtp.client", "CRLF; CRLF . CRLF after DATA", SmtpCommands),
    Capture("smtp.server", "CRLF", Lines),
    Capture("http.client", "empty line, then count or chunks", HttpRequests),
    Capture("http.server", "empty line, then count or chunks", http_responses),
    Capture("redis.client", "LengthFrom a line", Resp),
    Capture("redis.server", "LengthFrom a line", Resp),
    Capture("redis-pipe.client", "LengthFrom a line", Resp),
    Capture("redis-pipe.server", "LengthFrom a line", Resp),
    Capture("netstring.client", "Netstring", Netstrings),
    Capture("netstring.server", "Netstring", Netstrings),
    Capture("lsp.client", "LengthFrom a header", LspMessages),
    Capture("lsp.server", "LengthFrom a header", LspMessages),
    Capture("protobuf", "VarintPrefix", VarintMessages),
)
