"""check_roundtrip, check_aliasing, check_output: what goes in comes out, and stays as it is."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framer import Framer, LengthPrefix, Netstring, OutputQueue, VarintPrefix, encode_frame
from framer.testing import (
    CheckFailed,
    Vacuous,
    check_aliasing,
    check_chunking,
    check_output,
    check_roundtrip,
    framer_subject,
)

KINDS = [LengthPrefix(1), VarintPrefix(), Netstring()]

Kind = LengthPrefix | VarintPrefix | Netstring


@settings(max_examples=30)
@given(st.sampled_from(KINDS), st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_framers_keep_all_of_it(kind: Kind, payloads: list[bytes]) -> None:
    """What framer encodes it decodes, and it keeps nothing of anybody's buffer."""
    make = framer_subject(lambda: Framer(kind))
    check_roundtrip(lambda payload: encode_frame(payload, kind), make, payloads)
    check_aliasing(make, b"".join(encode_frame(payload, kind) for payload in payloads))


class Lines:
    """Lines of text."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[Any]:
        """Split what is there."""
        *lines, self.rest = (self.rest + bytes(data)).split(b"\n")
        return [line.decode() for line in lines]


def encode(line: str) -> bytes:
    """Make a line."""
    return line.encode() + b"\n"


def test_what_comes_out_differently() -> None:
    """Alone, or only where messages follow each other, or only where they are cut."""
    check_roundtrip(encode, Lines, ["a", "", "ż"])
    with pytest.raises(CheckFailed, match="not what went into") as caught:
        check_roundtrip(encode, Lines, ["a", "b\nc"])
    assert caught.value.transcripts[0].events == ["b\nc"]
    assert caught.value.transcripts[1].events == ["b", "c"]
    assert caught.value.difference == 0

    class Utf8(Lines):
        def feed(self, data: bytes) -> list[Any]:
            return super().feed(data.decode().encode())

    with pytest.raises(CheckFailed, match="how the stream is cut"):
        check_roundtrip(encode, Utf8, ["ż"])


def test_joined_messages() -> None:
    """merge= works here as elsewhere."""

    class Raw:
        def feed(self, data: bytes) -> list[bytes]:
            return [data]

    check_roundtrip(bytes, Raw, [b"ab", b"cd"], merge=[bytes])


def test_vacuity() -> None:
    """Without messages, events or writes nothing is checked."""
    with pytest.raises(Vacuous):
        check_roundtrip(encode, Lines, [])
    with pytest.raises(Vacuous):
        check_aliasing(Lines, b"a")
    nothing: list[list[bytes | list[bytes]]] = [[], [b"", []]]
    for writes in nothing:
        with pytest.raises(Vacuous):
            check_output(OutputQueue, writes, [1])


# Aliasing


class Keeping:
    """Keeps views of what it is fed until a newline comes."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def feed(self, data: Any) -> list[bytes]:
        """Join them."""
        self.pieces.append(data)
        if data[-1] != 10:
            return []
        pieces, self.pieces = self.pieces, []
        return [b"".join(pieces)]


class KeepingArrays(Keeping):
    """Keeps only what it could add to."""

    def feed(self, data: Any) -> list[bytes]:
        """Copy all else."""
        return super().feed(data if isinstance(data, bytearray) else bytes(data))


class Unmasking(Lines):
    """Decodes in place, where it can."""

    def feed(self, data: Any) -> list[Any]:
        """Make it small."""
        if not isinstance(data, bytes):
            data[:] = bytes(data).lower()
        return super().feed(bytes(data).lower())


class OfTheClass(Lines):
    """Has one buffer for all, which each new one empties."""

    buffer: ClassVar[bytes] = b""

    def __init__(self) -> None:
        OfTheClass.buffer = b""

    def feed(self, data: bytes) -> list[Any]:
        """Split what is there."""
        *lines, OfTheClass.buffer = (self.buffer + data).split(b"\n")
        return lines

    def close(self) -> list[Any]:
        """Give the rest."""
        return [self.buffer]


class Sharing(Lines):
    """Hands out its own buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.line = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:  # type: ignore[override]  # events all the same
        """Give it again and again."""
        for line in super().feed(data):
            self.line[:] = line.encode()
            yield self.line


class Viewing:
    """Hands out a view, and releases it at the end."""

    def feed(self, data: bytes) -> list[Any]:
        """Give it."""
        self.view = memoryview(bytes(data))
        return [self.view]

    def close(self) -> list[Any]:
        """Take it back."""
        self.view.release()
        return []


class OnlyBytes(Lines):
    """Takes nothing else."""

    def feed(self, data: bytes) -> list[Any]:
        """Look first."""
        if type(data) is not bytes:
            raise TypeError("bytes wanted")
        return super().feed(data)


@pytest.mark.parametrize("kind", [Keeping, KeepingArrays])
def test_a_buffer_that_is_kept(kind: type[Keeping]) -> None:
    """It is used again, be it given as it is or as a view, and the events show it."""
    with pytest.raises(CheckFailed, match="keeps a part of the caller's buffer") as caught:
        check_aliasing(kind, b"ab\n")
    assert caught.value.split == [b"a", b"b\n"]
    assert caught.value.difference == 0


def test_a_buffer_that_is_written_into() -> None:
    """What the caller has is the caller's, and was to be sent on, perhaps."""
    check_aliasing(Unmasking, b"ab\n")
    with pytest.raises(CheckFailed, match=r"writes into .*: b'aB\\n' became b'ab\\n'") as caught:
        check_aliasing(Unmasking, b"aB\n")
    assert caught.value.split == [b"aB\n"]


def test_a_buffer_of_the_class() -> None:
    """One stream at a time comes out well, so that nothing else shows it."""
    check_chunking(OfTheClass, b"ab\nc")
    with pytest.raises(CheckFailed, match="fed in turns disturb each other") as caught:
        check_aliasing(OfTheClass, b"ab\nc")
    alone, together = caught.value.transcripts
    assert alone.events == [b"ab", b"c"]
    assert caught.value.split == [b"a", b"b\nc"]
    assert together.events[0] == b"aab"


def test_a_buffer_that_is_shared() -> None:
    """An event that changes later is found, and so is a view that ends."""
    with pytest.raises(CheckFailed, match="event 0 was b'a'\nand then became b'b'"):
        check_aliasing(Sharing, b"a\nb\n")
    with pytest.raises(CheckFailed, match=r"and then became ValueError\('operation forbidden"):
        check_aliasing(Viewing, b"a")


def test_a_parser_of_bytes_only() -> None:
    """It may refuse all else; then what it hands out is all that is held."""
    check_aliasing(OnlyBytes, b"a\nb\n")

    class Typing(Lines):
        def feed(self, data: bytes) -> Iterator[Any]:  # type: ignore[override]  # events all the same
            yield from super().feed(data)
            if b"b" in self.rest:
                raise TypeError("always")

    check_aliasing(Typing, b"a\nb")


# Output


@settings(max_examples=50)
@given(
    st.lists(st.binary(max_size=6) | st.lists(st.binary(min_size=1, max_size=4))),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_framers_queue(writes: list[bytes | list[bytes]], takes: list[int]) -> None:
    """OutputQueue gives what it was given, whatever is asked of it, and when."""
    try:
        check_output(OutputQueue, writes, takes)
    except Vacuous:
        assert not any(writes)


class Queue:
    """A queue of chunks, as it should be; each subclass spoils something."""

    def __init__(self) -> None:
        self.chunks: deque[Any] = deque()

    def push(self, data: Any) -> None:
        """Add some."""
        self.chunks.append(bytes(data))

    def push_producer(self, producer: Iterable[bytes]) -> None:
        """Add what it gives."""
        for data in producer:
            self.push(data)

    def data_to_send(self, max_size: int) -> bytes:
        """Give some."""
        if not self.chunks:
            return b""
        data = self.chunks.popleft()
        if data[max_size:]:
            self.chunks.appendleft(data[max_size:])
        return bytes(data[:max_size])


class Keeps(Queue):
    """Keeps the caller's buffer."""

    def push(self, data: Any) -> None:
        """Add it."""
        self.chunks.append(data)


class Loses(Queue):
    """Loses what did not fit."""

    def data_to_send(self, max_size: int) -> bytes:
        """Give some."""
        return bytes(self.chunks.popleft()[:max_size]) if self.chunks else b""


class TooMuch(Queue):
    """Gives more than it should."""

    def data_to_send(self, max_size: int) -> bytes:
        """Give all."""
        return bytes(self.chunks.popleft()) if self.chunks else b""


class Stops(Queue):
    """Gives nothing any more at some time."""

    def data_to_send(self, max_size: int) -> bytes:
        """Give the first ones."""
        return super().data_to_send(max_size) if len(self.chunks) > 1 else b""


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Keeps, "was given by then"),
        (Loses, "was given by then"),
        (TooMuch, "4 bytes were given, and 3 asked for"),
        (Stops, "is missing"),
    ],
)
def test_queues_that_are_wrong(make: type[Queue], told: str) -> None:
    """What is wrong is said, with the calls that led there."""
    check_output(Queue, [b"spam", b"eggs"], [3, 1])
    with pytest.raises(CheckFailed, match=told) as caught:
        check_output(make, [b"spam", b"eggs"], [3, 1])
    assert re.search(r"what was called:\n    push\(", str(caught.value))


def test_producers() -> None:
    """A list of bytes is pushed as one."""
    with pytest.raises(CheckFailed, match=r"push_producer\(iter\(\[b'ab', b'c'\]\)\)"):
        check_output(Stops, [[b"ab", b"c"]], [1])


@pytest.mark.parametrize("takes", [[], [0], [3, -1]])
def test_takes_that_take_nothing(takes: list[int]) -> None:
    """They would never come to an end."""
    with pytest.raises(ValueError, match="1 at least"):
        check_output(OutputQueue, [b"a"], takes)
