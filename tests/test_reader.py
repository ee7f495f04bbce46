"""FrameReader: the framer agrees with an oracle that sees the whole string at once.

Agreement means: after every chunk, the same frames or events, the same errors with the same
attributes, the same number of bytes held; and the same again at the end of the stream.
That is R1 (chunking never matters), R2 (nothing is lost), R4 (as early as can be),
R5 (the limit is exact), R6 (the end is explicit) and R7 (the first bad byte) in one.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import KINDS, check, name

from framer import (
    ANY_NEWLINE,
    Data,
    Framer,
    FrameTooLarge,
    FramingError,
    LengthFrom,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    Terminator,
    TerminatorFound,
    VarintPrefix,
)
from framer._reader import scanner_for
from framer.testing import chunked
from framer.testing._splits import cut_at

LIMITS = (0, 1, 2, 3, 5)

# Under `make coverage` all runs several times as slowly, and shorter ones reach as much.
LONGEST = 4 if settings.get_current_profile_name() != "coverage" else 3


def _short_strings(alphabet: bytes, longest: int) -> Iterator[bytes]:
    for length in range(longest + 1):
        yield from map(bytes, itertools.product(alphabet, repeat=length))


@pytest.mark.parametrize(("terminator", "alphabet"), KINDS, ids=name)
def test_all_short_streams_in_all_splits(terminator: Terminator, alphabet: bytes) -> None:
    """Every string of up to four bytes that make trouble, in every split, at three limits."""
    for data in _short_strings(alphabet, LONGEST if len(alphabet) > 2 else LONGEST + 1):
        for limit in (None, 0, 2):
            check(data, terminator, limit)


@pytest.mark.parametrize(("terminator", "alphabet"), KINDS, ids=name)
def test_seeded_streams_of_eight_bytes_in_all_splits(
    terminator: Terminator, alphabet: bytes
) -> None:
    """A sample of the longer strings, each in all of its 128 splits."""
    rng = random.Random(repr(alphabet))
    for _ in range(8):
        data = bytes(rng.choices(alphabet, k=8))
        check(data, terminator, rng.choice(LIMITS))


@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_long_streams_in_seeded_splits(data: st.DataObject, kind: tuple[Terminator, bytes]) -> None:
    """Strings of up to 60 bytes, troublesome and other, in one piece and in two random splits."""
    terminator, alphabet = kind
    byte = st.sampled_from(alphabet) | st.integers(0, 255)
    stream = bytes(data.draw(st.lists(byte, max_size=60)))
    limit = data.draw(st.sampled_from((None, 0, 1, 5, 20)))
    ways = [cut_at(stream, ()), data.draw(chunked(stream)), data.draw(chunked(stream))]
    check(stream, terminator, limit, ways=ways)


@given(
    frames=st.lists(st.integers(0, 40), max_size=30),
    delimiters=st.sampled_from([(b"b",), (b"\r\n",), (b"aab",), (b"\n", b"\r\n")]),
    size=st.integers(1, 50),
)
def test_many_frames_in_chunks_of_one_size(
    frames: list[int], delimiters: tuple[bytes, ...], size: int
) -> None:
    """Streams of well-formed frames, which the fast path takes many at a time."""
    stream = b"".join(b"." * n + delimiters[n % len(delimiters)] for n in frames)
    for limit in (None, 40, 39, 20):
        check(stream, delimiters, limit, ways=[cut_at(stream, range(size, len(stream), size))])


@pytest.mark.parametrize(("terminator", "alphabet"), KINDS, ids=name)
def test_whatever_was_seen_is_looked_at_anew(terminator: Terminator, alphabet: bytes) -> None:
    """In the middle of a frame of any kind, a terminator that is never found brings all back."""
    rng = random.Random(repr(alphabet))
    for _ in range(40):
        data = bytes(rng.choices(alphabet, k=rng.randint(1, 6)))
        framer = Framer(terminator, max_frame_size=None)
        framer.receive_data(data[:-1])
        with contextlib.suppress(FramingError):
            list(framer.frames())
        framer.receive_data(data[-1:])
        rest = framer.buffered
        framer.terminator = b"never found"
        assert framer.buffered == rest
        assert framer.take_buffered() == data[len(data) - rest :]


def test_an_lf_that_follows_the_cr_of_a_line() -> None:
    """It is dropped from the front of the next chunk, if it is there, and only from there."""
    framer = Framer(ANY_NEWLINE)
    for chunk in (b"a\r", b"\n", b"\r", b"b\r", b"\nc\n"):
        framer.receive_data(chunk)
    assert list(framer.frames()) == [b"a", b"", b"b", b"c"]
    framer.receive_data(b"d\r")
    assert list(framer.frames()) == [b"d"]
    framer.receive_data(b"\n")
    framer.receive_data(b"\n")
    assert list(framer.frames()) == [b""]
    framer.receive_data(b"\r")
    assert list(framer.frames()) == [b""]
    framer.receive_data(b"e\n")
    assert list(framer.frames()) == [b"e"]


def test_bytes_pushed_back_into_a_frame_that_is_streamed() -> None:
    """They are the next of its payload, and the frame still ends where its count says."""
    framer = Framer(5)
    framer.receive_data(b"ab")
    assert framer.next_event() == Data(b"ab")
    framer.push_back(b"b")
    framer.receive_data(b"cdef")
    *payload, end, rest = framer.events()
    assert [payload, end, rest] == [[Data(b"b"), Data(b"cd")], TerminatorFound(5), Data(b"ef")]


@pytest.mark.parametrize("ask", ["frames", "events"])
@pytest.mark.parametrize(
    ("terminator", "frame", "size"),
    [
        (b"\r\n", b"ab\r\n", 3),
        (b"\r\n", b"ab\r\n", 2),
        (LengthPrefix(2), b"\0\5hello", 4),
        (LengthPrefix(2), b"\0\5hello", 1),
        (VarintPrefix(), b"\x80\1" + b"h" * 128, 9),
        (Netstring(), b"5:hello,", 4),
        (Netstring(), b"5:hello,", 7),
        (6, b"sixsix", 2),
        (LengthFrom(b"\n", int), b"5\nhello", 4),
        (LengthFrom(b"\n", int, keep_header=True), b"5\nhello", 4),
        (LengthFrom(b"\n", int, footer=b";;"), b"5\nhello;;", 8),
        (ANY_NEWLINE, b"ab\r", 1),
        ((b"ab", b"cc"), b"xcc", 2),
        (1_000_000, b"x" * 1_000_000, 600_000),
    ],
)
def test_what_was_seen_of_a_frame_is_put_back_behind(
    terminator: Terminator, frame: bytes, size: int, ask: str
) -> None:
    """Bytes that are pushed back come first, then those that were held; no byte is lost.

    What was streamed is gone; so what comes back is payload of the same frame, and then the rest.
    """
    framer = Framer(terminator, max_frame_size=None)
    framer.receive_data(frame[:size])
    if ask == "frames":
        assert framer.next_frame() is None
        framer.push_back(frame)
        framer.receive_data(frame[size:])
        assert list(framer.frames()) == [_payload(frame, terminator)] * 2
        return
    seen = len(b"".join(e.chunk for e in framer.events() if isinstance(e, Data)))
    held = framer.buffered
    framer.push_back(b"")
    framer.push_back(again := frame[size - held : size])
    assert framer.take_buffered() == again + frame[size - held : size]
    framer.push_back(frame[size - held :])
    payload = b"".join(e.chunk for e in framer.events() if isinstance(e, Data))
    assert payload == _payload(frame, terminator)[seen:]


def _payload(frame: bytes, terminator: Terminator) -> bytes:
    framer = Framer(terminator, max_frame_size=None)
    framer.receive_data(frame)
    payload = framer.next_frame()
    assert payload is not None
    return payload


def test_what_is_malformed_stays_so() -> None:
    """Neither taking the bytes nor setting the terminator once more mends it; it has its cause."""
    for chunks in ([b"x\nyz"], [b"x", b"\n", b"yz"], [b"x\n", b"yz"]):
        framer = Framer(LengthFrom(b"\n", int))
        for chunk in chunks:
            framer.receive_data(chunk)
        for change in (framer.take_buffered, partial(framer.push_back, b"5\nhello"), bool):
            with pytest.raises(MalformedFrame) as raised:
                framer.next_frame()
            assert raised.value.position == 0
            assert isinstance(raised.value.__cause__, ValueError)
            change()


@pytest.mark.parametrize("ask", [False, True])
def test_where_it_is_malformed(ask: bool) -> None:
    """The position is one in the stream, whatever has come in behind it and was not looked at."""
    framer = Framer(Netstring())
    for chunk in (b"1:a,", b"1:b,x", b"yz", b"1:c,"):
        framer.receive_data(chunk)
        if ask and chunk == b"1:a,":
            assert framer.next_frame() == b"a"
    with pytest.raises(MalformedFrame) as raised:
        list(framer.frames())
    assert raised.value.position == 8


def test_a_count_of_a_class_of_its_own() -> None:
    """What is found is an int of the plain class."""

    class Five(int):
        pass

    framer = Framer(Five(5))
    framer.receive_data(b"hello")
    *_, found = framer.events()
    assert isinstance(found, TerminatorFound)
    assert type(found.matched) is int


def test_an_error_is_forgotten_with_what_it_was_about() -> None:
    """Another terminator makes what was too large something else."""
    framer = Framer(max_frame_size=3)
    framer.receive_data(b"ab;cd")
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.terminator = b";"
    assert framer.next_frame() == b"ab"


def test_a_terminator_is_checked_before_anything_else() -> None:
    """What is no terminator is refused where it is set, not where it is first used."""
    with pytest.raises(ValueError, match="at least one byte"):
        scanner_for(b"")
    with pytest.raises(TypeError, match="bool"):
        scanner_for(True)


def test_a_delimiter_of_a_class_of_its_own() -> None:
    """It ends frames as its bytes do, whatever its methods say."""

    class Own(bytes):
        __slots__ = ()

        def find(self, *_: object) -> int:
            raise AssertionError

    assert scanner_for(Own(b"\r\n")) is scanner_for(b"\r\n")
