r"""A client for Redis (RESP2), whose replies are lines, lengths, counts, and replies again.

Three parts, of which only the last has to do with I/O:

1. `ELEMENT` is what a `Framer` cuts the stream at. A frame is a line, and with a bulk string
   also the bytes that its line announces, so a value may be anything: CRLF, or RESP.

       +OK CR LF        :7 CR LF        *2 CR LF        $5 CR LF h CR LF l o CR LF

2. `Replies` puts elements together: an array is a count, and behind it as many replies.
3. `Redis` is a connection for programs that wait (`framer_adapters.blocking`), and `Session`
   the same conversation as a `Channel`, for any adapter:

    python redis_client.py SET greeting "hello, world"      # --adapter blocking, trio, ...
    python redis_client.py GET greeting

Pipelining is to send commands before the replies to others have come; they come in that order.
(Redis reads on while it answers. A server that does not would want its replies read meanwhile,
which `Session` does under all adapters but blocking.)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Self, TypeAlias

from captures import CRLF, number, resp_size
from serving import ADAPTERS, converse

from framer import Channel, FramingError, LengthFrom
from framer_adapters import blocking

MAX_VALUE: Final = 1 << 24  # bytes; Redis itself allows 512 MiB
MAX_DEPTH: Final = 16  # arrays within arrays

ELEMENT: Final = LengthFrom(CRLF, resp_size, keep_header=True)


# The protocol, without I/O.


class RedisError(Exception):
    """The server did not do what it was asked; the first word says what kind of error it is."""


class ProtocolError(Exception):
    """The server said something that is not RESP2. Nothing behind it can be trusted."""


Reply: TypeAlias = "bytes | str | int | RedisError | list[Reply] | None"
"""A bulk string is bytes, a simple one str; nil is None; an error is a value, until it is raised.
"""

Command: TypeAlias = Sequence[bytes | str | int]


def encode_command(command: Command) -> bytes:
    r"""Write a command as the array of bulk strings that it is.

    >>> encode_command(["GET", b"key"])
    b'*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n'
    """
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    bulks = (b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    return b"*%d\r\n%b" % (len(words), b"".join(bulks))


class Replies:
    """Put the elements of one connection together to replies."""

    def __init__(self) -> None:
        self._open: list[tuple[list[Reply], int]] = []  # arrays, and how many replies each wants

    def take(self, element: bytes) -> Iterator[Reply]:
        """Yield the reply that is complete with `element`, if one is.

        Raises ProtocolError if it is none of RESP2.
        """
        line, _, rest = element.partition(CRLF)
        kind, text = line[:1], line[1:]
        if kind == b"*" and text != b"-1":
            if len(self._open) == MAX_DEPTH:
                raise ProtocolError(f"arrays within more than {MAX_DEPTH} arrays")
            self._open.append(([], count(text)))
            yield from self._close()
        else:
            yield from self._add(scalar(kind, text, rest))

    def _add(self, reply: Reply) -> Iterator[Reply]:
        """Put a reply into the array that it belongs to, or yield it."""
        if not self._open:
            yield reply
            return
        self._open[-1][0].append(reply)
        yield from self._close()

    def _close(self) -> Iterator[Reply]:
        """Put the array away that is full now, if one is."""
        array, size = self._open[-1]
        if len(array) == size:
            self._open.pop()
            yield from self._add(array)


def scalar(kind: bytes, text: bytes, rest: bytes) -> Reply:
    """Read an element that has no others in it."""
    match kind:
        case b"$" | b"*" if text == b"-1":
            return None
        case b"$" if rest.endswith(CRLF):
            return rest.removesuffix(CRLF)
        case b"+":
            return text.decode(errors="backslashreplace")
        case b"-":
            return RedisError(text.decode(errors="backslashreplace"))
        case b":":
            return -count(text[1:]) if text.startswith(b"-") else count(text)
        case _:
            raise ProtocolError(f"neither RESP2 nor the end of a value: {(kind + text)!r}")


def count(digits: bytes) -> int:
    """Read a number that is digits and nothing else."""
    try:
        return number(digits)
    except ValueError as exc:
        raise ProtocolError(str(exc)) from exc


# A connection for programs that wait.


class Redis:
    r"""A connection to a server, at a port or, with no port, at the path of its Unix socket.

    After an error other than RedisError, nobody knows whose reply comes next: close it.

    >>> with Redis("127.0.0.1", 6379) as redis:  # doctest: +SKIP
    ...     redis.execute("SET", "greeting", b"hello\r\nworld")
    ...     redis.execute("GET", "greeting")
    'OK'
    b'hello\r\nworld'
    """

    def __init__(self, host: str = "127.0.0.1", port: int | None = None) -> None:
        self.stream = blocking.connect(host, port, terminator=ELEMENT, max_frame_size=MAX_VALUE)
        self.replies = Replies()

    def execute(self, *command: bytes | str | int) -> Reply:
        """Send a command and return the reply. Raises RedisError if that is an error."""
        [reply] = self.pipeline([command])
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, commands: Iterable[Command]) -> list[Reply]:
        """Send all commands at once and return their replies, errors among them as values."""
        sent = [encode_command(command) for command in commands]
        self.stream.send(b"".join(sent))
        return [self.receive() for _ in sent]

    def receive(self) -> Reply:
        """Return the next reply, for which something must have been sent."""
        while True:
            for reply in self.replies.take(self.stream.receive_frame()):
                return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()


# The same conversation for any adapter.


class Session(Channel):
    """Send commands, all at once, and take their replies.

    Attributes:
        received: the replies, in the order of the commands; all are there if `error` is None.
        error: why there are not more of them.
    """

    terminator = ELEMENT
    max_frame_size = MAX_VALUE

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = list(commands)
        self.replies = Replies()
        self.received: list[Reply] = []
        self.error: Exception | None = None

    def connection_made(self) -> None:
        """Send everything."""
        for command in self.commands:
            self.push(encode_command(command))
        self.close_if_complete()

    def frame_received(self, frame: bytes) -> None:
        """Take an element; with the last one of the last reply all is said."""
        try:
            self.received.extend(self.replies.take(frame))
        except ProtocolError as exc:
            self.fail(exc)
        self.close_if_complete()

    def framing_error(self, exc: FramingError) -> None:
        """Take no part of a reply for a reply."""
        self.fail(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why replies are missing, if they are."""
        if self.error is None and len(self.received) < len(self.commands):
            self.error = exc or EOFError("the server closed the connection")

    def fail(self, exc: Exception) -> None:
        """Trust nothing that comes behind."""
        self.error = exc
        self.close_when_done()

    def close_if_complete(self) -> None:
        """Close if nothing is to come."""
        if len(self.received) == len(self.commands):
            self.close_when_done()


# The command line.


def shown(reply: Reply, indent: str = "") -> Iterator[str]:
    """Yield the lines that show a reply to a person."""
    match reply:
        case list():
            yield f"{indent}array of {len(reply)}"
            for item in reply:
                yield from shown(item, indent + "  ")
        case None:
            yield f"{indent}(nil)"
        case RedisError():
            yield f"{indent}error: {reply}"
        case bytes():
            yield f"{indent}{reply.decode(errors='backslashreplace')!r}"
        case _:
            yield f"{indent}{reply}"


def main() -> int:
    """Send the command of the command line, show the reply, and return the exit status."""
    parser = argparse.ArgumentParser(description="Send a command to Redis.")
    parser.add_argument("--adapter", choices=ADAPTERS, default="asyncio")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("command", nargs="+", help="its words, such as GET key")
    options = parser.parse_args()
    session = Session([options.command])
    try:
        converse(session, options.host, options.port, options.adapter)
    except OSError as exc:
        session.error = exc
    if session.error is not None:
        print(f"redis_client: {session.error}", file=sys.stderr)
        return 1
    for reply in session.received:
        print("\n".join(shown(reply)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
