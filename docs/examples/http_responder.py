"""The minimal HTTP responder: it answers each request with the request.

A request line ends at CRLF, the header behind it at an empty line, and which of the two the
terminator is says what comes next. `HttpChannel` is that and what RFC 9112 demands of a server for
all that follows: requests that are not quite requests are refused, because what two programs read
differently is how requests are smuggled; and each answer says where it ends, so that the next one
can follow on the same connection, pipelined or not. `http_files.py` and `http_post.py` extend it.

    python http_responder.py --adapter trio --port 8080 &
    curl -v http://127.0.0.1:8080/
"""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import serving

from framer import Channel, FrameTooLarge, FramingError, Producer, Terminator

CRLF: Final = b"\r\n"
END_OF_HEADER: Final = b"\r\n\r\n"
MAX_HEADER: Final = 16384

TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
REQUEST_LINE: Final = re.compile(rb"(%s) ([!-~]+) HTTP/([0-9])\.([0-9])" % TOKEN.pattern)
AUTHORITY: Final = re.compile(rb"[0-9A-Za-z._~!$&'()*+,;=%:\[\]-]*")
CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
KNOWN_METHODS: Final = frozenset(b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())


class Refusal(Exception):
    """A request that cannot be served, and behind which the connection is closed."""

    def __init__(self, status: int, why: str, *fields: bytes) -> None:
        super().__init__(why)
        self.status = status
        self.fields = fields


def parse_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names, in lower case, and the values in a header, or raise ValueError.

    Neither white space before the colon nor a line that goes on in the next is let through (RFC
    9112, 5.1 and 5.2), nor a bare CR, LF or NUL (RFC 9110, 5.5).
    """
    fields: list[tuple[bytes, bytes]] = []
    for line in header.split(CRLF) if header else ():
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name) or CONTROL.search(value):
            raise ValueError(f"not a header field: {line[:80]!r}")
        fields.append((name.lower(), value.strip(b" \t")))
    return fields


def elements(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return the elements of all fields of a name (in lower case), whose values are lists."""
    lists = [value.split(b",") for key, value in fields if key == name]
    return [element.strip(b" \t") for values in lists for element in values]


def content_length(values: list[bytes]) -> int:
    """Return what all the values of Content-Length say, or raise ValueError if they disagree."""
    digits, *others = set(values)
    if others or not digits.isdigit():  # bytes, so no other digits than those of ASCII
        raise ValueError(f"not one length: {values!r}")
    return int(digits)


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says before its body."""

    line: bytes
    header: bytes
    fields: list[tuple[bytes, bytes]]

    @property
    def method(self) -> bytes:
        """GET, say."""
        return self.line.split(b" ")[0]

    @property
    def target(self) -> bytes:
        """What is asked for: a path, as a rule."""
        return self.line.split(b" ")[1]

    @property
    def minor(self) -> int:
        """What is behind the dot in HTTP/1.1."""
        return int(self.line[-1:])

    def values(self, name: bytes) -> list[bytes]:
        """Return the elements of all fields of a name."""
        return elements(self.fields, name)

    @property
    def keep_alive(self) -> bool:
        """Whether the client expects to send more requests (RFC 9112, 9.3)."""
        options = {option.lower() for option in self.values(b"connection")}
        return b"close" not in options and (self.minor > 0 or b"keep-alive" in options)

    @property
    def length(self) -> int:
        """The size of the body in bytes; one without Content-Length is refused (RFC 9112, 6.3)."""
        lengths = self.values(b"content-length")
        if codings := self.values(b"transfer-encoding"):
            if lengths or self.minor == 0:
                raise Refusal(400, "two ways to tell where the body ends")
            chunked = [coding.lower() for coding in codings] == [b"chunked"]
            raise Refusal(411 if chunked else 501, "only Content-Length is understood here")
        try:
            return content_length(lengths) if lengths else 0
        except ValueError as exc:
            raise Refusal(400, str(exc)) from exc


class HttpChannel(Channel):
    """One connection of a client to an HTTP server."""

    terminator: Terminator = CRLF
    max_frame_size = MAX_HEADER
    methods = KNOWN_METHODS - {b"CONNECT"}
    now = staticmethod(time.time)

    line = b""
    keep_alive = False
    head_only = False  # the answer has no body, whatever its header says

    @abstractmethod
    def request_received(self, request: Request) -> None:
        """Answer with `respond` or `respond_text`, once."""

    def header_received(self, request: Request, length: int) -> None:
        """Go on with a request whose body will have `length` bytes; here only none will do."""
        if length:
            raise Refusal(413, "no body is expected here")
        self.request_received(request)

    def frame_received(self, frame: bytes) -> None:
        """Take a request line, or the header behind it."""
        try:
            if self.terminator == CRLF:
                self.take_line(frame)
            else:
                self.take_header(frame[len(CRLF) :])
        except Refusal as refusal:
            self.refuse(refusal)

    def framing_error(self, exc: FramingError) -> None:
        """Say what was wrong, then hang up."""
        if isinstance(exc, FrameTooLarge):
            self.refuse(Refusal(414 if self.terminator == CRLF else 431, "too long"))
        else:
            self.refuse(Refusal(400, "cut off"))

    def take_line(self, line: bytes) -> None:
        """Take the request line; empty ones before it are ignored (RFC 9112, 2.2).

        Its CRLF is pushed back: it is the first half of the end of a header without any fields.
        """
        if not line:
            return
        match = REQUEST_LINE.fullmatch(line)
        if match is None:
            raise Refusal(400, "not a request line")
        if match[3] != b"1":
            raise Refusal(505, "not HTTP/1")
        self.line = line
        self.head_only = match[1] == b"HEAD"
        self.terminator = END_OF_HEADER
        self.max_frame_size = len(CRLF) + MAX_HEADER
        self.framer.push_back(CRLF)

    def take_header(self, header: bytes) -> None:
        """Take the header, and serve the request if there is nothing wrong with it."""
        self.terminator = CRLF
        self.max_frame_size = MAX_HEADER
        try:
            request = Request(self.line, header, parse_fields(header))
        except ValueError as exc:
            raise Refusal(400, str(exc)) from exc
        hosts = [value for name, value in request.fields if name == b"host"]
        if len(hosts) != 1 and (hosts or request.minor):  # RFC 9112, 3.2
            raise Refusal(400, "there has to be one Host")
        if not all(map(AUTHORITY.fullmatch, hosts)):
            raise Refusal(400, "not a host")
        length = request.length
        if request.method not in self.methods:
            status = 405 if request.method in KNOWN_METHODS else 501
            allowed = b", ".join(sorted(self.methods))
            raise Refusal(status, "not served here", b"Allow: " + allowed)
        self.keep_alive = request.keep_alive
        self.header_received(request, length)

    def respond(
        self, status: int, body: bytes | Producer, length: int, kind: bytes, *fields: bytes
    ) -> None:
        """Send an answer, with a body of a length and a media type, and further header fields."""
        lines = [
            b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()),
            b"Date: " + formatdate(self.now(), usegmt=True).encode(),
            b"Content-Type: " + kind,
            b"Content-Length: %d" % length,
            b"Connection: keep-alive" if self.keep_alive else b"Connection: close",
            *fields,
        ]
        self.push(CRLF.join(lines) + END_OF_HEADER)
        if isinstance(body, bytes):
            self.push(b"" if self.head_only else body)
        else:
            self.push_producer(body)
        self.head_only = False
        if not self.keep_alive:
            self.close_when_done()

    def respond_text(self, status: int, text: str, *fields: bytes) -> None:
        """Send an answer of a line."""
        body = f"{status} {text}\n".encode()
        self.respond(status, body, len(body), b"text/plain; charset=utf-8", *fields)

    def refuse(self, refusal: Refusal) -> None:
        """Say what was wrong; what else the client sends is not looked at."""
        self.keep_alive = False
        self.respond_text(refusal.status, str(refusal), *refusal.fields)


class Responder(HttpChannel):
    """The minimal responder."""

    def request_received(self, request: Request) -> None:
        """Answer with the request."""
        header = request.header + CRLF if request.header else b""
        body = request.line + CRLF + header + CRLF
        self.respond(200, body, len(body), b"text/plain; charset=latin-1")


if __name__ == "__main__":
    serving.main(Responder, "Answer each request with the request.")
