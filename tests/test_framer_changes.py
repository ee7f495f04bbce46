"""Framer: calls between two frames or events, when some are cut out already or one is in pieces.

Each of these is a place where something that the framer knows has to be made void.
A batch is made where there are many frames, and a frame is gathered where it comes in pieces:
so the streams here have many frames, and the limits are low.
"""

from __future__ import annotations

from typing import Any

import pytest

from framer import (
    Data,
    EndOfStream,
    Event,
    Framer,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    LengthPrefix,
    Terminator,
    TerminatorFound,
    UsageError,
)

NUMBERS = [b"%d" % number for number in range(40)]
LINES = b"".join(number + b"\r\n" for number in NUMBERS)


def amid_a_batch(taken: int = 20) -> Framer:
    """Make a framer whose loop over lines was left after so many of them."""
    framer = Framer(b"\r\n")
    framer.receive_data(LINES)
    frames = framer.frames()
    assert [next(frames) for _ in range(taken)] == NUMBERS[:taken]
    return framer


LONG = b"x" * 300_000


def amid_a_frame() -> Framer:
    """Make one that has gathered part of a line: it is too long to be kept as it comes."""
    framer = Framer(b"\r\n", max_frame_size=None)
    for chunk in (b"ab;" + LONG, LONG, b"y"):
        framer.receive_data(chunk)
        assert framer.next_frame() is None
    return framer


def test_the_defaults() -> None:
    """A line, and 64 KiB of it."""
    framer = Framer()
    assert framer.terminator == b"\n"
    assert framer.max_frame_size == 65536
    assert isinstance(framer.max_frame_size, int)


@pytest.mark.parametrize("size", [-1, "1", 1.5])
def test_a_limit_that_is_none(size: Any) -> None:
    """The error names the argument."""
    with pytest.raises((ValueError, TypeError), match="max_frame_size"):
        Framer(max_frame_size=size)


# -- push_back -------------------------------------------------------------------------------


def test_push_back_amid_a_batch() -> None:
    """What was not delivered comes behind it, every line."""
    framer = amid_a_batch()
    framer.push_back(b"more\r\n")
    assert list(framer.frames()) == [b"more", *NUMBERS[20:]]


def test_push_back_amid_a_frame() -> None:
    """What was gathered comes behind it, in its order."""
    framer = amid_a_frame()
    framer.push_back(b"x\r\ny")
    framer.receive_data(b"\r\n")
    assert list(framer.frames()) == [b"x", b"yab;" + 2 * LONG + b"y"]


# -- receive_data ----------------------------------------------------------------------------


def test_receive_data_amid_a_batch() -> None:
    """The loop goes on with what is left, and then with that."""
    framer = amid_a_batch()
    framer.receive_data(b"more\r\n")
    assert list(framer.frames()) == [*NUMBERS[20:], b"more"]


def test_many_chunks_before_anybody_asks() -> None:
    """Between two frames, amid one that waits, and amid one that is streamed."""
    framer = Framer(b"\r\n")
    for chunk in (b"ab", b"", b"cd\r", b"\nef", b"g\r\nhi"):
        framer.receive_data(chunk)
    assert list(framer.frames()) == [b"abcd", b"efg"]
    for chunk in (b"jk", b"", b"l\r\n", b"mn\r\n"):
        framer.receive_data(chunk)
    assert list(framer.frames()) == [b"hijkl", b"mn"]
    framer.receive_data(b"op")
    assert list(framer.events()) == [Data(b"op")]
    framer.receive_data(b"")
    assert list(framer.events()) == []
    for chunk in (b"", b"qr", b"st", b""):
        framer.receive_data(chunk)
    assert b"".join(event.chunk for event in framer.events() if isinstance(event, Data)) == b"qrst"
    assert framer.buffered == 0


def test_offsets_count_what_was_streamed() -> None:
    """An error behind frames that came and went in chunks says where it is in the stream."""
    framer = Framer(b"\r\n", max_frame_size=8)
    for chunk in (b"ab", b"cd", b"ef", b"\r\n"):
        framer.receive_data(chunk)
        assert list(framer.events())
    framer.receive_data(b"more than eight")
    with pytest.raises(FrameTooLarge) as raised:
        list(framer.frames())
    assert raised.value.frame_start == 8


# -- terminator ------------------------------------------------------------------------------


def test_another_terminator_amid_a_frame() -> None:
    """It applies to what was gathered under the old one."""
    framer = amid_a_frame()
    framer.terminator = b";"
    framer.receive_data(b";")
    assert list(framer.frames()) == [b"ab", 2 * LONG + b"y"]


def test_another_terminator_after_an_error() -> None:
    """What was too large is another frame now."""
    framer = Framer(max_frame_size=3)
    framer.receive_data(b"ab;cd")
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.terminator = b";"
    assert framer.next_frame() == b"ab"


def test_another_terminator_after_an_error_of_what_is_streamed() -> None:
    """The frame ends there, and so it was not too large."""
    framer = Framer(max_frame_size=3)
    framer.receive_data(b"abc;d")
    with pytest.raises(FrameTooLarge):
        list(framer.events())
    framer.terminator = b";"
    assert list(framer.events()) == [TerminatorFound(b";"), Data(b"d")]


@pytest.mark.parametrize("terminator", [b";", 2, LengthPrefix(1)])
def test_another_terminator_amid_a_frame_that_is_streamed(terminator: Terminator) -> None:
    """It still cannot be had whole: its beginning is gone."""
    for early in (False, True):
        framer = Framer(b"\r\n")
        framer.receive_data(b"ab")
        assert list(framer.events()) == [Data(b"ab")]
        if early:
            framer.receive_data(b"\1c;\1d;")
        framer.terminator = terminator
        if not early:
            framer.receive_data(b"\1c;\1d;")
        with pytest.raises(UsageError):
            framer.next_frame()


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_the_same_terminator_between_data_and_its_end(size: int) -> None:
    """It applies from the first byte that was not streamed, however the stream was cut.

    So the frame that was streamed to its last byte has no end of its own any more.
    """
    stream = b"\2ab" * 9 + b"\1c"
    framer = Framer(LengthPrefix(1))
    payload = b""
    found = 0
    for start in range(0, len(stream), size):
        framer.receive_data(stream[start : start + size])
        for event in framer.events():
            found += isinstance(event, TerminatorFound)
            if isinstance(event, Data):
                payload += event.chunk
                if len(payload) == 14:
                    framer.terminator = LengthPrefix(1)
    assert (payload, found) == (b"ab" * 9 + b"c", 9)


# -- max_frame_size --------------------------------------------------------------------------


def test_a_lower_limit_amid_a_batch() -> None:
    """The lines that were cut out already have to keep it, too."""
    framer = amid_a_batch()
    framer.max_frame_size = 1
    with pytest.raises(FrameTooLarge) as raised:
        framer.next_frame()
    assert raised.value.frame_start == LINES.index(b"20\r\n")


# -- skip_frame ------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [[b"abcdef"], [b"ab", b"cdef"], [b"a\n", b"b", b"c", b"def"]])
def test_a_frame_that_is_skipped(chunks: list[bytes]) -> None:
    """It is not buffered, what comes of it is not, and all of it counts at the end."""
    framer = Framer(b"\r\n", max_frame_size=3)
    size = 0
    for chunk in chunks:
        framer.receive_data(chunk)
        size += len(chunk)
        try:
            assert framer.next_frame() is None
        except FrameTooLarge:
            break
    framer.skip_frame()
    assert framer.buffered == 0
    framer.receive_data(b"ghi")
    assert framer.buffered == 0
    assert framer.next_frame() is None
    framer.receive_eof()
    with pytest.raises(IncompleteFrame) as raised:
        framer.next_frame()
    assert (raised.value.received, raised.value.frame_start) == (size + 3, 0)


def test_what_ends_after_a_skip() -> None:
    """The frame behind it is whole, and so is the end."""
    framer = Framer(b"\n", max_frame_size=3)
    framer.receive_data(b"abcdef")
    with pytest.raises(FramingError):
        framer.next_frame()
    framer.skip_frame()
    framer.receive_data(b"g\nhi\n")
    assert framer.buffered == 3
    framer.receive_eof()
    events: list[Event] = list(framer.events())
    assert events == [Data(b"hi"), TerminatorFound(b"\n"), EndOfStream()]
