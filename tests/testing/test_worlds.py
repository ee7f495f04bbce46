"""Wrappers for what sits in a connection: an asyncio.Protocol, and blocking code."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from framer.testing import check_chunking, protocol_subject, recv_subject, transcript
from framer.testing._worlds import FakeTransport


class Shout(asyncio.Protocol):
    """Answers lines in capitals; knows some words."""

    transport: Any
    rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = transport
        self.transport.write(b"hello\n")

    def data_received(self, data: bytes) -> None:
        """Look for lines."""
        self.rest += data
        while b"\n" in self.rest and not self.transport.is_closing():
            line, _, self.rest = self.rest.partition(b"\n")
            self.line_received(line)

    def line_received(self, line: bytes) -> None:
        """Answer one."""
        if line == b"quit":
            self.transport.close()
            self.transport.close()
        elif line == b"abort":
            self.transport.abort()
        elif line == b"raise":
            raise ValueError("raise")
        else:
            self.transport.writelines([line.upper(), b"\n"])
            self.transport.write(b"")

    def eof_received(self) -> None:
        """Say so."""
        self.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so."""
        self.lost()

    def lost(self) -> None:
        """Be watched."""


def test_what_a_protocol_writes() -> None:
    """Its writes, its calls that are watched, and the end, in order."""
    make = protocol_subject(Shout, watch=["line_received", "lost"])
    seen = check_chunking(make, b"a\nb\n", merge=["write"])
    assert seen.events == [
        ("write", b"hello\n"),
        ("line_received", b"a"),
        ("write", b"A\n"),
        ("line_received", b"b"),
        ("write", b"B\n"),
        ("write_eof",),
        ("lost",),
    ]


@pytest.mark.parametrize("word", [b"quit", b"abort"])
def test_a_protocol_that_closes(word: bytes) -> None:
    """It is fed no more, as by a loop, and what it writes then is not sent."""
    event = ("close",) if word == b"quit" else ("abort",)
    seen = check_chunking(protocol_subject(Shout, watch=["lost"]), word + b"\na\n", merge=["write"])
    assert seen.events == [("write", b"hello\n"), event, ("lost",)]


def test_a_protocol_that_raises() -> None:
    """What it did before the error comes before it."""
    seen = check_chunking(protocol_subject(Shout), b"a\nraise\n", merge=["write"])
    assert seen.events == [("write", b"hello\n"), ("write", b"A\n")]
    assert isinstance(seen.error, ValueError)


class Pausing(Shout):
    """Pauses reading for each line, until the next thing happens; or for good."""

    for_good = False

    def line_received(self, line: bytes) -> None:
        """Pause, and go on at once, unless it is for good."""
        self.transport.pause_reading()
        assert not self.transport.is_reading()
        if not self.for_good:
            self.transport.resume_reading()
        super().line_received(line)


class PausingForGood(Pausing):
    """The same, and does not go on."""

    for_good = True


def test_a_protocol_that_pauses() -> None:
    """While it pauses it is not fed; what waits comes when it goes on, or before the end."""
    lines = transcript(protocol_subject(Pausing, watch=["lost"]), [b"a\n", b"b\n"]).events
    assert lines.count(("write", b"B\n")) == 1
    seen = transcript(protocol_subject(PausingForGood), [b"a\n", b"b\n"])
    assert seen.events == [
        ("write", b"hello\n"),
        ("write", b"A\n"),
        ("write", b"B\n"),
        ("write_eof",),
    ]
    assert seen.offsets == [2, 2, 4, 4]
    quits = transcript(protocol_subject(PausingForGood), [b"a\n", b"quit\n"])
    assert quits.events[-1] == ("close",)


class Buffered(asyncio.BufferedProtocol):
    """Brings its own buffer, of three bytes."""

    transport: Any

    def __init__(self) -> None:
        self.buffer = bytearray(3)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        """Give it."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Write what came; a full stop closes."""
        self.transport.write(self.buffer[:nbytes])
        if b"." in self.buffer[:nbytes]:
            self.transport.close()


def test_a_buffered_protocol() -> None:
    """It is fed through its own buffer, in as many steps as that takes."""
    seen = check_chunking(protocol_subject(Buffered), b"spam and", merge=["write"])
    assert b"".join(event[1] for event in seen.events) == b"spam and"
    assert [
        len(event[1]) for event in transcript(protocol_subject(Buffered), [b"spam and"]).events
    ] == [3, 3, 2]
    assert transcript(protocol_subject(Buffered), [b"ab.cdef"]).events == [
        ("write", b"ab."),
        ("close",),
    ]


def test_another_protocol_in_its_place() -> None:
    """set_protocol hands the rest of the stream to another one, its end as well."""

    class First(Shout):
        def line_received(self, line: bytes) -> None:
            other = Shout()
            other.transport = self.transport
            self.transport.set_protocol(other)
            assert self.transport.get_protocol() is other

    seen = transcript(protocol_subject(First), [b"x\n", b"a\n"])
    assert seen.events == [("write", b"hello\n"), ("write", b"A\n"), ("write_eof",)]


def test_what_else_a_transport_has() -> None:
    """It has no socket and no buffer."""
    transport = FakeTransport([])
    assert transport.get_extra_info("socket", "default") == "default"
    transport.set_write_buffer_limits(1, 0)
    assert transport.get_write_buffer_size() == 0
    assert transport.can_write_eof()


# Code that calls recv


def lines(sock: Any) -> Iterator[bytes]:
    """Yield lines, without their ends."""
    rest = b""
    while data := sock.recv(4):
        *found, rest = (rest + data).split(b"\n")
        yield from found
    yield b"end:" + rest


def test_code_that_blocks() -> None:
    """It is played in one go, and its events have the offsets of what it had read by then."""
    seen = check_chunking(recv_subject(lines), b"one\ntwo\nth")
    assert seen.events == [b"one", b"two", b"end:th"]
    pieces = transcript(recv_subject(lines), [b"one\nt", b"wo\nth"])
    assert (pieces.offsets, pieces.open_events) == ([4, 9, 10], 2)


def test_code_that_blocks_with_a_stream_that_goes_on() -> None:
    """With eof=False it stays where it would wait."""
    seen = transcript(recv_subject(lines), [b"one\nt"], eof=False)
    assert (seen.events, seen.error) == ([b"one"], None)


def test_what_it_sends() -> None:
    """Is an event, also if it returns none of its own, and before an error."""

    def serve(sock: Any) -> None:
        for line in sock.makefile("rb"):
            if line == b"raise\n":
                raise ValueError
            sock.sendall(line.upper())

    seen = check_chunking(recv_subject(serve), b"a\nb\n")
    assert seen.events == [("send", b"A\n"), ("send", b"B\n")]
    seen = check_chunking(recv_subject(serve), b"a\nraise\n")
    assert seen.events == [("send", b"A\n")]
    assert isinstance(seen.error, ValueError)

    def echo(sock: Any) -> Iterator[bytes]:
        while data := sock.recv(1):
            sock.sendall(data)
            yield data

    assert transcript(recv_subject(echo), [b"ab"]).events == [
        ("send", b"a"),
        b"a",
        ("send", b"b"),
        b"b",
    ]


def test_feeding_it() -> None:
    """It can be fed by hand, too; then it is played again each time, for what is new."""
    subject: Any = recv_subject(lines)()
    assert list(subject.feed(b"one\ntw")) == [b"one"]
    assert list(subject.feed(b"o\n")) == [b"two"]
    assert list(subject.close()) == [b"end:"]

    def failing(sock: Any) -> Iterator[bytes]:
        yield sock.recv(10)
        raise ValueError

    broken: Any = recv_subject(failing)()
    with pytest.raises(ValueError):
        list(broken.feed(b"x"))
