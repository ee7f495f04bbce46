"""Wrappers for parsers that sit in a connection: an ``asyncio.Protocol``, and code that calls recv.

Both are tested without a loop, a thread or a socket: the one is called, the other calls.
Code that asks for its input cannot be fed piece by piece, unless it runs in a thread of its own.
It is started anew instead, and plays the whole stream in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from framer.testing._sockets import Buffer, FakeSocket, Sign
from framer.testing._subjects import recorded
from framer.testing._transcripts import Make, Played, Raised, drain

__all__ = ["FakeTransport", "protocol_subject", "recv_subject"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says


# asyncio.Protocol


def protocol_subject(make: Callable[[], Any], *, watch: Iterable[str] = ()) -> Make:
    r"""Make a subject of an ``asyncio.Protocol`` or ``BufferedProtocol``.

    Args:
        make: makes a protocol. It runs without a loop, so it may not ask for the running one.
        watch: names of methods of the protocol whose calls are events.

    An event is what it does to its transport, ``("write", data)``, ``("write_eof",)``,
    ``("close",)``, ``("abort",)``, or ``(name, *arguments)`` of a method that is watched.
    How it divides what it writes mostly is of no matter: ``merge=("write",)``.
    When it has closed its transport, or while it has paused it, it is not fed.

    >>> import asyncio
    >>> from framer.testing import check_chunking, protocol_subject
    >>> class Shout(asyncio.Protocol):
    ...     def connection_made(self, transport):
    ...         self.transport = transport
    ...
    ...     def data_received(self, data):
    ...         self.transport.write(data.upper())
    >>> check_chunking(protocol_subject(Shout), b"hey", merge=("write",)).events
    [('write', b'HEY')]
    """
    names = tuple(watch)
    return lambda: _ProtocolSubject(make(), names)


class _ProtocolSubject:
    def __init__(self, protocol: Any, watch: Iterable[str]) -> None:
        self._log: list[Any] = []
        self._waiting: list[bytes] = []
        self.protocol = protocol
        self.transport = FakeTransport(self._log)
        for name in watch:
            setattr(protocol, name, self._watched(name, getattr(protocol, name)))
        protocol.connection_made(self.transport)

    def feed(self, data: bytes) -> Iterator[Any]:
        return recorded(self._log, self._receive, data)

    def close(self) -> Iterator[Any]:
        return recorded(self._log, self._end)

    def _receive(self, data: bytes) -> None:
        self._waiting.append(bytes(data))
        self._flush()

    def _flush(self) -> None:
        while self._waiting and self.transport.is_reading():
            self._deliver(self._waiting.pop(0))

    def _deliver(self, data: bytes) -> None:
        protocol = self.transport.protocol or self.protocol
        if not hasattr(protocol, "get_buffer"):
            protocol.data_received(data)
            return
        while data and self.transport.is_reading():
            buffer = memoryview(protocol.get_buffer(len(data))).cast("B")
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            protocol.buffer_updated(count)
            data = data[count:]

    def _end(self) -> None:
        protocol = self.transport.protocol or self.protocol
        if not self.transport.is_closing():
            self.transport.paused = False
            self._flush()
        if not self.transport.is_closing():
            protocol.eof_received()
        protocol.connection_lost(None)

    def _watched(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self._log.append((name, *args))
            return method(*args)

        return call


class FakeTransport:
    """An ``asyncio.Transport`` that writes down what is done to it."""

    def __init__(self, log: list[Any]) -> None:
        self._log = log
        self._closing = False
        self.paused = False
        self.protocol: Any = None

    def write(self, data: Buffer) -> None:
        """Take it down, if there is any."""
        if data and not self._closing:
            self._log.append(("write", bytes(data)))

    def writelines(self, pieces: Iterable[Buffer]) -> None:
        """Take them down as one."""
        self.write(b"".join(pieces))

    def write_eof(self) -> None:
        """Take it down."""
        self._log.append(("write_eof",))

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def close(self) -> None:
        """Take it down, the first time."""
        self._close("close")

    def abort(self) -> None:
        """Take it down, the first time."""
        self._close("abort")

    def _close(self, name: str) -> None:
        if not self._closing:
            self._closing = True
            self._log.append((name,))

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def is_reading(self) -> bool:
        """Whether it is neither closed nor paused."""
        return not (self._closing or self.paused)

    def pause_reading(self) -> None:
        """Feed nothing."""
        self.paused = True

    def resume_reading(self) -> None:
        """Feed what comes from now on, and first what has come meanwhile."""
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def get_write_buffer_size(self) -> int:
        """There is no buffer."""
        return 0

    def set_protocol(self, protocol: Any) -> None:
        """Feed that one from now on."""
        self.protocol = protocol

    def get_protocol(self) -> Any:
        """Who was set."""
        return self.protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """There is none."""
        return default


# Code that calls recv


def recv_subject(read: Callable[[Any], Iterable[Any] | None]) -> Make:
    r"""Make a subject of blocking code that reads from a socket.

    Args:
        read: takes a socket, and returns events, mostly as a generator.
            What it sends is an event, too, ``("send", data)``, so it may as well return None.

    The socket has what connected sockets have: ``recv``, ``recv_into``, ``makefile``,
    ``send``, ``sendall``; each piece of the stream is one ``recv``, or several small ones.

    >>> from framer.testing import check_chunking, recv_subject
    >>> def lines(sock):
    ...     with sock.makefile("rb") as file:
    ...         yield from file
    >>> check_chunking(recv_subject(lines), b"one\ntwo\n").events
    [b'one\n', b'two\n']
    """
    return lambda: _RecvSubject(read)


class _Starved(BaseException):
    """There is nothing to read, and the stream has not ended: the run ends here."""


class _RecvSubject:
    def __init__(self, read: Callable[[Any], Iterable[Any] | None]) -> None:
        self._read = read
        self._chunks: list[bytes] = []
        self._count = 0

    def play(self, chunks: list[bytes], eof: bool) -> Played:  # noqa: FBT001 - Subject's
        sock = _FedSocket(chunks, eof=eof)
        try:
            for event in drain("the function that reads", self._events, sock):
                for sent in sock.take_sent():
                    yield sock.offset, sock.ended, sent
                yield sock.offset, sock.ended, event
        except _Starved:
            pass
        for sent in sock.take_sent():
            yield sock.offset, sock.ended, sent

    def _events(self, sock: FakeSocket) -> Iterable[Any]:
        events = self._read(sock)
        return () if events is None else events

    def feed(self, data: bytes) -> Iterator[Any]:
        """Play all that was fed, once more, for what is new."""
        self._chunks.append(bytes(data))
        return self._new(eof=False)

    def close(self) -> Iterator[Any]:
        return self._new(eof=True)

    def _new(self, *, eof: bool) -> Iterator[Any]:
        events = [event for _, _, event in self.play(self._chunks, eof)]
        new, self._count = events[self._count :], len(events)
        for event in new:
            if isinstance(event, Raised):
                raise event.error
            yield event


class _FedSocket(FakeSocket):
    def __init__(self, chunks: list[bytes], *, eof: bool) -> None:
        super().__init__()
        self._chunks = chunks.copy()
        self._eof = eof
        self._sent: list[Any] = []
        self.offset = 0
        self.ended = False

    def _receive(self, max_size: int) -> bytes | Sign:
        if not self._chunks:
            if not self._eof:
                raise _Starved
            self.ended = True
            return b""
        data = self._chunks[0][:max_size]
        self._chunks[0] = self._chunks[0][max_size:]
        if not self._chunks[0]:
            del self._chunks[0]
        self.offset += len(data)
        return data

    def _accept(self, data: bytes) -> int | Sign:
        self._sent.append(("send", data))
        return len(data)

    def take_sent(self) -> list[Any]:
        sent, self._sent = self._sent, []
        return sent
