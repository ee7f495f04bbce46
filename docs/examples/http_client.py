"""An HTTP client that feeds a consumer as the body arrives, and follows redirects.

A `HttpClient` is one GET on one connection. Its frames are streamed: what is small (a header, the
size of a chunk) is collected, what may be large (a body, a chunk) goes to the consumer piece by
piece, so memory does not depend on it. A consumer is an object with

- `feed(data)`, which gets the body, and `close()`, at its end: the interface of the parsers in the
  standard library that are fed;
- `http_header(client)`, if it has one, which is called before, when `client` knows `status` and
  `fields`. It may call `client.finish()` when it has seen enough;
- `http_failed(error)`, if it has one, instead of `close()`: the answer cannot be read, or
  was cut off.

`get` runs a client to its end, and behind a redirect the next one.

    python http_client.py --adapter trio https://www.python.org/
"""

from __future__ import annotations

import argparse
import codecs
import re
import ssl
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final, Protocol
from urllib.parse import quote, urljoin, urlsplit

import serving
from http_responder import (
    AUTHORITY,
    CRLF,
    END_OF_HEADER,
    content_length,
    elements,
    parse_fields,
)

from framer import Channel, FramingError, Terminator

STATUS_LINE: Final = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: [^\r\n]*)?")
CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
FOLD: Final = re.compile(rb"\r\n[ \t]+")
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
SAFE: Final = "!$%&'()*+,-./:;=?@_~"


class HttpError(Exception):
    """The answer cannot be read, or is not all there, or leads nowhere."""


class Consumer(Protocol):
    """What is fed; `http_header(client)` and `http_failed(error)` are optional."""

    def feed(self, data: bytes, /) -> object:
        """Take some of the body, never nothing."""

    def close(self) -> object:
        """Take note that this was all."""


class HttpClient(Channel):
    """One request and its answer.

    Attributes:
        url: what is asked for.
        host, port, secure: whom to connect to, and whether over TLS.
        status, fields: what the header of the answer says; names are in lower case.
        error: None, or why the consumer did not get everything.
    """

    terminator: Terminator = END_OF_HEADER
    max_frame_size = 65536

    def __init__(self, url: str, consumer: Consumer, method: str = "GET") -> None:
        """Prepare a request. Raises ValueError if that is no URL of HTTP."""
        super().__init__()
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        if parts.scheme not in {"http", "https"} or not host or not AUTHORITY.fullmatch(host):
            raise ValueError(f"not a URL of HTTP: {url!r}")
        self.url = url
        self.secure = parts.scheme == "https"
        self.host = host.decode("ascii")
        self.port = parts.port or (443 if self.secure else 80)
        self.consumer = consumer
        self.method = method
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.error: Exception | None = None
        self.finished = False
        self.take: Callable[[bytes], None] = self.take_header  # what the frame is that comes
        self.collected = bytearray()

    @property
    def request(self) -> bytes:
        """The request as it is sent; what a URL may not have in it is escaped."""
        parts = urlsplit(self.url)
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{parts.port}" if parts.port else ""
        target = quote(parts.path or "/", SAFE)
        if parts.query:
            target += "?" + quote(parts.query, SAFE)
        lines = [
            f"{self.method} {target} HTTP/1.1",
            f"Host: {host}{port}",
            "User-Agent: framer",
            "Accept-Encoding: identity",
            "Connection: close",
        ]
        return "\r\n".join([*lines, "\r\n"]).encode("ascii")

    # What framer calls.

    def connection_made(self) -> None:
        """Ask."""
        self.push(self.request)

    def data_received(self, chunk: bytes) -> None:
        """Pass some of the body on, or collect what is small."""
        if self.take in {self.take_body, self.take_chunk}:
            self.consumer.feed(chunk)
        else:
            self.collected += chunk

    def terminator_found(self, matched: bytes | int) -> None:
        """Take what has been collected."""
        frame = bytes(self.collected)
        self.collected.clear()
        try:
            self.take(frame)
        except HttpError as error:
            self.fail(error)

    def framing_error(self, exc: FramingError) -> None:
        """Tell that the answer was cut off, or has too long a header."""
        self.fail(exc)

    def eof_received(self) -> None:
        """Tell that the answer was cut off between two frames."""
        self.fail(HttpError("the answer was cut off"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that the answer was cut off, if it was."""
        self.fail(exc or HttpError("the connection was lost"))

    # The answer, in the order in which it comes.

    def take_header(self, frame: bytes) -> None:
        """Take the header, tell the consumer, and see what ends the body."""
        line, _, rest = frame.partition(CRLF)
        match = STATUS_LINE.fullmatch(line)
        if match is None:
            raise HttpError(f"not a status line: {line[:80]!r}")
        self.status = int(match[1])
        if self.status == 101:
            raise HttpError("a change of protocol that nobody asked for")
        if self.status < 200:
            return  # interim: the header proper comes behind it
        try:
            self.fields = parse_fields(FOLD.sub(b" ", rest))
            self.take, self.terminator = self.body()
        except ValueError as exc:
            raise HttpError(str(exc)) from exc
        tell = getattr(self.consumer, "http_header", None)
        if tell is not None:
            tell(self)

    def body(self) -> tuple[Callable[[bytes], None], Terminator]:
        """Return what comes behind the header and what ends it (RFC 9112, 6.3).

        The end of the stream ends a body without a length; so does a count of 0 one that is empty.
        """
        if self.method == "HEAD" or self.status in {204, 304}:
            return self.take_body, 0
        codings = [coding.lower() for coding in elements(self.fields, b"transfer-encoding")]
        lengths = elements(self.fields, b"content-length")
        if codings not in ([], [b"chunked"]) or (codings and lengths):
            raise HttpError(f"no telling where the body ends: {codings}, {lengths}")
        if codings:
            return self.take_size, CRLF
        return self.take_body, content_length(lengths) if lengths else None

    def take_body(self, _frame: bytes) -> None:
        """Be done: all of the body has been passed on."""
        self.finish()

    def take_size(self, line: bytes) -> None:
        """Take the line before a chunk; whatever extensions it has mean nothing here."""
        match = CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise HttpError(f"not the size of a chunk: {line[:80]!r}")
        size = int(match[1], 16)
        self.take, self.terminator = (self.take_chunk, size) if size else (self.take_trailer, CRLF)

    def take_chunk(self, _frame: bytes) -> None:
        """Go on behind a chunk, all of which has been passed on."""
        self.take, self.terminator = self.take_chunk_end, len(CRLF)

    def take_chunk_end(self, frame: bytes) -> None:
        """Take the line end behind a chunk."""
        if frame != CRLF:
            raise HttpError(f"not the end of a chunk: {frame!r}")
        self.take, self.terminator = self.take_size, CRLF

    def take_trailer(self, line: bytes) -> None:
        """Drop what is said behind the body, and be done at the empty line."""
        if not line:
            self.finish()

    # How it ends.

    def finish(self) -> None:
        """Want no more, and tell the consumer that it has everything it will get."""
        if not self.finished:
            self.consumer.close()
            self.finished = True
            self.close_when_done()

    def fail(self, error: Exception) -> None:
        """Tell the consumer that it will not get everything."""
        if not self.finished:
            self.finished = True
            self.error = error
            self.close_when_done()
            tell_failure(self.consumer, error)


def tell_failure(consumer: Consumer, error: Exception) -> None:
    """Call `http_failed`, if the consumer has one."""
    tell = getattr(consumer, "http_failed", None)
    if tell is not None:
        tell(error)


class Redirecting:
    """A consumer in front of another, which does not see answers that send one elsewhere.

    Attributes:
        location: None, or where to go instead.
    """

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.location: str | None = None

    def http_header(self, client: HttpClient) -> None:
        """Look at where to go; the body of an answer that says so is not waited for."""
        locations = [value for name, value in client.fields if name == b"location"]
        if client.status in REDIRECTS and locations:
            self.location = urljoin(client.url, locations[0].decode("utf-8", "replace"))
            client.finish()
        elif (tell := getattr(self.consumer, "http_header", None)) is not None:
            tell(client)

    def feed(self, data: bytes) -> None:
        """Pass it on."""
        self.consumer.feed(data)

    def close(self) -> None:
        """Pass it on, unless this was not the answer."""
        if self.location is None:
            self.consumer.close()


def get(
    url: str, consumer: Consumer, adapter: str = "asyncio", *, max_redirects: int = 10
) -> HttpClient:
    """Feed the consumer what is at a URL, or where that leads, and return the last client.

    It raises what went wrong, and the consumer has been told: HttpError, FramingError, OSError or
    what else a world says of a connection that is lost, ValueError if something is no URL of HTTP,
    or what the consumer itself raised.
    """
    try:
        return follow(url, consumer, adapter, max_redirects)
    except Exception as error:
        tell_failure(consumer, error)
        raise


def follow(url: str, consumer: Consumer, adapter: str, max_redirects: int) -> HttpClient:
    """Do what `get` does, without telling the consumer of errors."""
    for _ in range(1 + max_redirects):
        redirecting = Redirecting(consumer)
        client = HttpClient(url, redirecting)
        tls = ssl.create_default_context() if client.secure else None
        serving.converse(client, client.host, client.port, adapter, tls=tls)
        if client.error is not None:
            raise client.error
        if redirecting.location is None:
            return client
        url = redirecting.location
    raise HttpError(f"more than {max_redirects} redirects")


class Links(HTMLParser):
    """The links in a page, as far as it has come."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a link leads."""
        if tag == "a":
            self.found.extend(value for name, value in attrs if name == "href" and value)


class LinkConsumer:
    """A consumer that decodes UTF-8 and parses HTML as it arrives, wherever it is cut."""

    def __init__(self) -> None:
        self.url = ""
        self.links = Links()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def http_header(self, client: HttpClient) -> None:
        """Note what the links are relative to."""
        self.url = client.url

    def feed(self, data: bytes) -> None:
        """Parse some more."""
        self.links.feed(self.decoder.decode(data))

    def close(self) -> None:
        """Parse what is left."""
        self.links.feed(self.decoder.decode(b"", final=True))
        self.links.close()


def main() -> None:
    """Print where the links in a page lead."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--adapter", choices=serving.ADAPTERS, default="asyncio")
    parser.add_argument("url")
    options = parser.parse_args()
    consumer = LinkConsumer()
    get(options.url, consumer, options.adapter)
    for link in consumer.links.found:
        print(urljoin(consumer.url, link))


if __name__ == "__main__":
    main()
