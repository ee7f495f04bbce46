"""Framer: the named traps, and the rules that a single stream cannot show.

In names and docstrings a bar shows where the stream is cut.
"""

from __future__ import annotations

import array
import copy
import gc
import itertools
import sys
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import KINDS, check, name, number, splits

from framer import (
    ANY_NEWLINE,
    Data,
    EndOfStream,
    Event,
    Framer,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    LengthFrom,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    Terminator,
    TerminatorFound,
    UsageError,
    VarintPrefix,
    encode_frame,
)
from framer.testing import check_chunking, feed_subject, framer_subject


def framer_of(
    stream: str | bytes, terminator: Terminator = b"\n", limit: int | None = 65536
) -> Framer:
    """A framer that has received *stream* up to its last bar, drained at each bar before."""
    framer = Framer(terminator, max_frame_size=limit)
    pieces = stream.encode("latin-1") if isinstance(stream, str) else stream
    *drained, last = pieces.split(b"|")
    for piece in drained:
        framer.receive_data(piece)
        assert framer.next_frame() is None
    framer.receive_data(last)
    return framer


def frames_skipping(framer: Framer) -> list[bytes | str]:
    """All frames, with the word TOO LARGE for each that was skipped."""
    out: list[bytes | str] = []
    while True:
        try:
            out.extend(framer.frames())
        except FrameTooLarge:
            out.append("TOO LARGE")
            framer.skip_frame()
        else:
            return out


# -- Traps: the limit ----------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["abcdefgh\n", "abcd", "abcdefgh"])
def test_limit_4_does_not_depend_on_whether_the_newline_is_there(stream: str) -> None:
    r"""`abcdefgh\n` and `abcdefgh|\n` are too large, `abcd` is not yet."""
    framer = framer_of(stream, limit=4)
    if stream == "abcd":
        assert framer.next_frame() is None
        framer.receive_data(b"\n")
        assert framer.next_frame() == b"abcd"
        return
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.receive_data(b"\n")
    with pytest.raises(FrameTooLarge):
        framer.next_frame()


@pytest.mark.parametrize("stream", ["abcd\r|\nok\r\n", "abcd|\r\nok\r\n", "abcd\r\nok\r\n"])
def test_half_a_terminator_is_not_payload(stream: str) -> None:
    r"""Limit 4: `abcd\r|\nok\r\n` is abcd, ok; so is `abcd|\r\nok\r\n`."""
    assert list(framer_of(stream, b"\r\n", 4).frames()) == [b"abcd", b"ok"]


def test_the_tail_of_a_long_frame_is_never_a_frame() -> None:
    r"""Limit 8: `xxxxxxxxxx|ROOT\nok\n`, then skip_frame, gives ok, never ROOT."""
    framer = Framer(max_frame_size=8)
    framer.receive_data(b"x" * 10)
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.skip_frame()
    assert framer.next_frame() is None
    framer.receive_data(b"ROOT\nok\n")
    assert list(framer.frames()) == [b"ok"]


@pytest.mark.parametrize("data", [b"abcdefg\r\nok\r\nok2\r\n", b"abcdefghi\r\nok\r\nok2\r\n"])
def test_skip_frame_skips_one_frame_only(data: bytes) -> None:
    r"""Limit 4: `abcdefg\r\nok\r\nok2\r\n` skips one; `abcdefgh|i\r|\nok\r\n` the same."""

    def receive_and_skip(framer: Framer, chunk: bytes) -> list[bytes | str]:
        framer.receive_data(chunk)
        return frames_skipping(framer)

    make = feed_subject(lambda: Framer(b"\r\n", max_frame_size=4), feed=receive_and_skip)
    seen = check_chunking(make, data, ways=splits(data))
    assert seen.events == ["TOO LARGE", b"ok", b"ok2"]


def test_adjust_moves_the_limit_to_the_payload() -> None:
    """With adjust -4 a payload of 100 passes limit 100; adjust +50: field 100 is too large."""
    counts_itself = LengthPrefix(adjust=-4)
    framer = framer_of(encode_frame(b"x" * 100, counts_itself), counts_itself, 100)
    assert framer.next_frame() == b"x" * 100
    framer = framer_of(b"\0\0\0\x64", LengthPrefix(adjust=50), 100)
    with pytest.raises(FrameTooLarge) as caught:
        framer.next_frame()
    assert (caught.value.announced, caught.value.max_frame_size) == (150, 100)


def test_an_adjusted_length_below_zero_is_malformed() -> None:
    """Field 2, adjust -4."""
    with pytest.raises(MalformedFrame, match="below zero"):
        framer_of(b"\0\0\0\2", LengthPrefix(adjust=-4)).next_frame()


def test_a_prefix_that_announces_too_much_allocates_nothing() -> None:
    """`20000000` alone announces half a gigabyte."""
    framer = framer_of(b"\x20\0\0\0", LengthPrefix())
    tracemalloc.start()
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 65536


def test_frame_too_large_repeats_until_it_is_skipped() -> None:
    """It consumes nothing, and skip_frame() without it is a mistake."""
    framer = framer_of("abcde\nok\n", limit=4)
    for _ in range(3):
        with pytest.raises(FrameTooLarge, match="max_frame_size=4"):
            list(framer.frames())
        assert framer.buffered == 9
    framer.skip_frame()
    with pytest.raises(UsageError, match="nothing to skip"):
        framer.skip_frame()
    assert list(framer.frames()) == [b"ok"]


def test_events_stop_at_the_limit_exactly() -> None:
    """The first max_frame_size bytes are delivered, not one more; the rest can be skipped."""
    framer = framer_of("abcdef\nok\n", limit=4)
    assert framer.next_event() == Data(b"abcd")
    with pytest.raises(FrameTooLarge):
        framer.next_event()
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.skip_frame()
    assert list(framer.events()) == [Data(b"ok"), TerminatorFound(b"\n")]


def test_a_count_that_the_program_set_streams_beyond_the_limit() -> None:
    """events() does not limit an int or None; frames(), which would collect it, does."""
    for terminator in (10, None):
        framer = framer_of("abcdefghij", terminator, 4)
        with pytest.raises(FrameTooLarge):
            list(framer.frames())
        payload = [e.chunk for e in framer.events() if isinstance(e, Data)]
        assert b"".join(payload) == b"abcdefghij"


def test_the_limit_can_be_changed() -> None:
    """SMTP has one limit for commands, and another for messages."""
    framer = framer_of("abcdef\n", limit=4)
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.max_frame_size = 6
    assert framer.max_frame_size == 6
    assert framer.next_frame() == b"abcdef"
    framer.max_frame_size = None
    assert framer.max_frame_size is None
    with pytest.raises(ValueError, match="at least 0"):
        framer.max_frame_size = -1
    with pytest.raises(TypeError, match="must be an int"):
        Framer(max_frame_size=True)


# -- Traps: terminators --------------------------------------------------------------------


def test_any_newline_ends_a_line_at_its_cr() -> None:
    r"""`a\r|\nb\r|\n` is a, b, each out at its CR, and the LF leaves no empty line."""
    framer = Framer(ANY_NEWLINE)
    out: list[list[bytes]] = []
    for piece in (b"a\r", b"\nb\r", b"\n"):
        framer.receive_data(piece)
        out.append(list(framer.frames()))
    assert out == [[b"a"], [b"b"], []]
    assert framer.buffered == 0


def test_the_lf_of_a_crlf_is_swallowed_under_the_next_terminator_too() -> None:
    r"""It belongs to the line that its CR ended: `5\r|\nHELLO` is 5, HELLO in every split."""
    for chunks in splits(b"5\r\nHELLO"):
        framer = Framer(ANY_NEWLINE)
        out: list[bytes] = []
        for chunk in chunks:
            framer.receive_data(chunk)
            for frame in framer.frames():
                out.append(frame)
                framer.terminator = 5
        assert out == [b"5", b"HELLO"]


def test_what_is_pushed_back_is_not_swallowed() -> None:
    """Only an LF that came straight after the CR is a part of the CRLF."""
    framer = framer_of("a\r", ANY_NEWLINE)
    assert framer.next_frame() == b"a"
    framer.push_back(b"\nb\n")
    assert list(framer.frames()) == [b"", b"b"]


def test_held_back_bytes_at_the_end_are_payload() -> None:
    r"""`abc\r` and the end: events() gives `abc\r`, then IncompleteFrame."""
    framer = framer_of("abc\r", b"\r\n")
    framer.receive_eof()
    payload = b""
    with pytest.raises(IncompleteFrame) as caught:
        for event in framer.events():
            assert isinstance(event, Data)
            payload += event.chunk
    assert payload == b"abc\r"
    assert (caught.value.received, caught.value.expected) == (4, None)


def test_a_prefix_and_then_the_end_is_incomplete() -> None:
    """u32 `00000005` and the end."""
    framer = framer_of(b"\0\0\0\5", LengthPrefix())
    framer.receive_eof()
    with pytest.raises(IncompleteFrame) as caught:
        framer.next_frame()
    assert (caught.value.partial, caught.value.received, caught.value.expected) == (b"", 0, 5)
    assert framer.take_buffered() == b"\0\0\0\5"


def test_a_count_stays_what_it_was() -> None:
    """Count 3 over `abcdef` is abc, def, and the terminator still says 3."""
    framer = framer_of("abcdef", 3)
    assert list(framer.frames()) == [b"abc", b"def"]
    assert framer.terminator == 3


def test_a_new_terminator_looks_at_the_unfinished_frame_again() -> None:
    r"""`\n`: `abc;def`, then `;`, then `g;h\n`: abc first."""
    framer = framer_of("abc;def|")
    framer.terminator = b";"
    assert framer.next_frame() == b"abc"
    framer.receive_data(b"g;h\n")
    assert list(framer.frames()) == [b"defg"]
    framer.terminator = b"\n"
    assert list(framer.frames()) == [b"h"]


def test_lines_and_counts_in_turns_in_every_split() -> None:
    r"""`L5\r\nHELLOX\r\n`, switching to 5 and back."""
    for chunks in splits(b"L5\r\nHELLOX\r\n"):
        framer = Framer(b"\r\n")
        frames: list[bytes] = []
        events: list[Event] = []
        streamer = Framer(b"\r\n")
        for chunk in chunks:
            framer.receive_data(chunk)
            for frame in framer.frames():
                frames.append(frame)
                framer.terminator = 5 if frame.startswith(b"L") else b"\r\n"
            streamer.receive_data(chunk)
            for event in streamer.events():
                events.append(event)
                if isinstance(event, TerminatorFound):
                    streamer.terminator = 5 if event.matched == b"\r\n" else b"\r\n"
        assert frames == [b"L5", b"HELLO", b"X"]
        payload = b"".join(event.chunk for event in events if isinstance(event, Data))
        ends = [event.matched for event in events if isinstance(event, TerminatorFound)]
        assert (payload, ends) == (b"L5HELLOX", [b"\r\n", 5, b"\r\n"])


@pytest.mark.parametrize(
    ("delimiter", "data"), [(b"aab", b"aaaab"), (b"abab", b"abaabab"), (b"aab", b"aaaabaab")]
)
def test_delimiters_are_found_where_bytes_find_finds_them(delimiter: bytes, data: bytes) -> None:
    """`aab` in `a|a|aab`, `abab` in `abaabab`."""
    seen = check_chunking(framer_subject(lambda: Framer(delimiter)), data, ways=splits(data))
    assert seen.events == data.split(delimiter)[:-1]


@pytest.mark.parametrize(
    ("stream", "position"),
    [
        (b"05:x", 1),
        (b"+5:", 0),
        (b"5\n", 1),
        (b"999999999999:", 9),
        (b"3:abcX", 5),
        (b":", 0),
    ],
)
def test_netstrings_that_are_none(stream: bytes, position: int) -> None:
    """Leading zero, sign, newline, too many digits, no comma: at the first bad byte."""
    for chunks in splits(stream):
        framer = Framer(Netstring())
        with pytest.raises(MalformedFrame) as caught:
            for chunk in chunks:
                framer.receive_data(chunk)
                list(framer.frames())
        assert caught.value.position == position
        assert framer.take_buffered().startswith(stream[: position + 1])
        with pytest.raises(MalformedFrame):
            framer.next_frame()


def test_the_empty_netstring() -> None:
    """`0:,` is a frame of nothing."""
    assert list(framer_of("0:,", Netstring()).frames()) == [b""]


def test_varints() -> None:
    """`80|80|01` is 16384, eleven `80` are malformed at the tenth, `80` and the end incomplete."""
    framer = framer_of(b"\x80|\x80|\x01" + b"x" * 16384, VarintPrefix())
    assert framer.next_frame() == b"x" * 16384
    with pytest.raises(MalformedFrame) as malformed:
        framer_of(b"\x80" * 11, VarintPrefix()).next_frame()
    assert malformed.value.position == 9
    framer = framer_of(b"\x80", VarintPrefix())
    framer.receive_eof()
    with pytest.raises(IncompleteFrame):
        framer.next_frame()


def test_two_frames_of_nothing() -> None:
    r"""`\r\n\r\n` is two frames, and two TerminatorFound with no Data between."""
    assert list(framer_of("\r\n\r\n", b"\r\n").frames()) == [b"", b""]
    assert list(framer_of("\r\n\r\n", b"\r\n").events()) == [TerminatorFound(b"\r\n")] * 2


def test_zero_fires_once_for_each_time_it_is_set() -> None:
    """It is a frame of no bytes; it does not loop, and does not mean collect everything."""
    framer = framer_of("abc", 0)
    assert list(framer.frames()) == [b""]
    assert framer.terminator == 0
    assert list(framer.events()) == []
    framer.receive_data(b"def")
    assert framer.next_event() is None
    framer.terminator = 0
    assert list(framer.events()) == [TerminatorFound(0)]
    assert framer.take_buffered() == b"abcdef"
    framer.push_back(b"gh")
    assert framer.next_frame() is None
    framer.terminator = 2
    assert list(framer.frames()) == [b"gh"]


def test_zero_at_the_end_of_the_stream() -> None:
    """What is left waits for a terminator; with nothing left, the stream has ended."""
    framer = framer_of("ab", 0)
    framer.receive_eof()
    assert list(framer.events()) == [TerminatorFound(0)]
    framer.terminator = 2
    assert list(framer.events()) == [Data(b"ab"), TerminatorFound(2), EndOfStream()]


def test_none_collects_to_the_end() -> None:
    """One frame, possibly empty; setting None again does not make another."""
    framer = Framer(None)
    framer.receive_eof()
    out: list[bytes] = []
    for frame in framer.frames():
        out.append(frame)
        framer.terminator = None
    assert out == [b""]
    assert list(framer.events()) == [EndOfStream()]
    assert list(framer.events()) == []


def test_crlf_means_crlf() -> None:
    r"""A bare LF or CR is data (SMTP smuggling lives on the opposite)."""
    assert list(framer_of("a\nb\rc\r\n", b"\r\n").frames()) == [b"a\nb\rc"]


# -- R2, R3, R10: loops that are left, and changes inside them -------------------------------


def test_a_loop_that_is_left_loses_nothing() -> None:
    """Not after break, not after an exception, wherever the batch of frames stands."""
    lines = [b"%d" % n for n in range(200)]
    framer = framer_of(b"\n".join(lines) + b"\nrest")
    out: list[bytes] = []
    for stop in (0, 5, 50, 60):
        for frame in framer.frames():
            out.append(frame)
            if len(out) > stop:
                break
    assert framer.buffered == len(b"\n".join(lines[len(out) :])) + 5
    framer.push_back(b"pushed\n")
    assert framer.next_frame() == b"pushed"
    assert out + list(framer.frames()) == lines
    assert framer.take_buffered() == b"rest"


def test_changes_inside_a_loop_over_frames_take_effect_at_once() -> None:
    """A terminator, new data, taking the buffer: the loop goes on from the new state."""
    framer = framer_of(b"a\n" * 100 + b"b;c;d\n")
    out: list[bytes] = []
    for frame in framer.frames():
        out.append(frame)
        if len(out) == 100:
            framer.terminator = b";"
        if frame == b"c":
            framer.receive_data(b"e;f")
        if frame == b"d\ne":
            assert framer.take_buffered() == b"f"
            framer.receive_data(b"g;")
    assert out == [b"a"] * 100 + [b"b", b"c", b"d\ne", b"g"]


def test_changes_inside_a_loop_over_events_take_effect_at_once() -> None:
    """The same, at the end of a frame and in the middle of one."""
    framer = framer_of(b"a\n" * 100 + b"b;cc\n")
    out: list[object] = []
    for event in framer.events():
        out.append(event)
        if len(out) == 200:
            framer.terminator = b";"
        if event == TerminatorFound(b";"):
            framer.terminator = 1
        if event == TerminatorFound(1):
            assert framer.take_buffered() == b"c\n"
            framer.receive_data(b"g")
            framer.terminator = b"\n"
    assert out[:200] == [Data(b"a"), TerminatorFound(b"\n")] * 100
    found = [Data(b"b"), TerminatorFound(b";"), Data(b"c"), TerminatorFound(1), Data(b"g")]
    assert out[200:] == found


def test_data_received_inside_a_loop_is_delivered_by_it() -> None:
    """Also when the buffer was cut into frames to its very end."""
    framer = framer_of(b"x\n" * 50)
    out: list[bytes] = []
    for frame in framer.frames():
        out.append(frame)
        if len(out) == 20:
            framer.receive_data(b"y\n")
    assert out == [b"x"] * 50 + [b"y"]


def test_next_frame_and_next_event_draw_from_the_same_batch() -> None:
    """Single calls and loops can be mixed."""
    lines = [b"%d" % n for n in range(60)]
    framer = Framer()
    framer.receive_data(b"\n".join(lines) + b"\n")
    out: list[bytes | None] = []
    while len(out) < len(lines):
        out.append(framer.next_frame())
        out.append(next(iter(framer.frames())))
        event = framer.next_event()
        assert isinstance(event, Data)
        out.append(event.chunk)
        assert next(iter(framer.events())) == TerminatorFound(b"\n")
    assert out == lines
    assert framer.next_event() is None


def test_single_calls_go_on_where_a_loop_was_left() -> None:
    """next_frame() after frames(), next_event() after events(), within one batch."""
    framer = Framer()
    framer.receive_data(b"x\n" * 20 + b"a\nb\nc\nd\ne\n")
    assert list(itertools.islice(framer.frames(), 21))[-1] == b"a"
    assert [framer.next_frame(), framer.next_frame()] == [b"b", b"c"]
    assert list(itertools.islice(framer.events(), 1)) == [Data(b"d")]
    assert [framer.next_event(), framer.next_event()] == [TerminatorFound(b"\n"), Data(b"e")]


def test_two_loops_share_the_frames() -> None:
    """An inner loop takes what the outer one would have got; none is lost or given twice."""
    framer = framer_of(b"".join(b"%d\n" % n for n in range(100)))
    out: list[bytes] = []
    for outer in framer.frames():
        out.append(outer)
        for inner in framer.frames():
            out.append(inner)
            if len(out) % 7 == 0:
                break
    assert out == [b"%d" % n for n in range(100)]


def test_after_an_error_a_new_loop_goes_on() -> None:
    """The loop that was told of it has ended, as a generator would have."""
    framer = framer_of("ab\nabcdef\ncd\n", limit=4)
    frames = framer.frames()
    assert next(frames) == b"ab"
    with pytest.raises(FrameTooLarge):
        next(frames)
    framer.skip_frame()
    assert list(frames) == []
    assert list(framer.frames()) == [b"cd"]


def test_events_between_data_and_its_end() -> None:
    """A terminator set there applies to the delimiter itself, which was not delivered."""
    for warm_up in range(12):
        framer = framer_of(b".\n" * warm_up + b"abc\nxyz\n")
        for event in framer.events():
            if event == Data(b"abc"):
                break
        assert framer.buffered == 5
        with pytest.raises(UsageError, match="events"):
            framer.next_frame()
        framer.terminator = 3
        assert list(framer.events())[:2] == [Data(b"\nxy"), TerminatorFound(3)]


def test_frames_after_part_of_a_frame_was_streamed() -> None:
    """It is a UsageError, nothing changes, and after the frame's end frames() is welcome."""
    framer = framer_of("abc")
    assert list(framer.events()) == [Data(b"abc")]
    with pytest.raises(UsageError):
        list(framer.frames())
    framer.receive_data(b"d\nef\n")
    with pytest.raises(UsageError):
        framer.next_frame()
    assert framer.next_event() == Data(b"d")
    assert framer.next_event() == TerminatorFound(b"\n")
    assert framer.next_frame() == b"ef"


def test_events_take_over_what_frames_had_gathered() -> None:
    """The other way round loses nothing either."""
    framer = framer_of("abc|def|")
    assert framer.buffered == 6
    assert list(framer.events()) == [Data(b"abcdef")]
    framer = framer_of(b"\0\0\0\x06abc|", LengthPrefix())
    assert list(framer.events()) == [Data(b"abc")]
    framer.receive_data(b"def")
    assert list(framer.events()) == [Data(b"def"), TerminatorFound(6)]


def test_a_terminator_set_while_a_frame_is_skipped_is_for_the_next_one() -> None:
    """What was given up ends as it began, whether it had come by then or not."""
    for chunks in splits(b"aaaaaaaa\nb;c;"):
        framer = Framer(max_frame_size=4)
        out: list[bytes] = []
        for chunk in chunks:
            framer.receive_data(chunk)
            try:
                out += framer.frames()
            except FrameTooLarge:
                framer.skip_frame()
                framer.terminator = b";"
                out += framer.frames()
        assert out == [b"b", b"c"]


def test_take_buffered_after_every_error() -> None:
    """The bytes of the frame that broke are all there, with their prefix."""
    for stream, terminator in (
        (b"5:abcdefg", Netstring()),
        (b"abcde", b"\n"),
        (b"\x09", VarintPrefix()),
    ):
        framer = framer_of(stream, terminator, 4)
        with pytest.raises(FramingError):
            framer.next_frame()
        assert framer.take_buffered() == stream
        assert framer.buffered == 0


def test_take_buffered_leaves_out_what_is_being_skipped() -> None:
    """skip_frame() gave those bytes up, also the ones that come later."""
    framer = framer_of("abcdefgh", limit=4)
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.skip_frame()
    framer.receive_data(b"ij\nrest")
    assert framer.take_buffered() == b"rest"


def test_take_buffered_includes_what_has_not_been_looked_at() -> None:
    """Several chunks that nobody drained."""
    framer = Framer()
    for piece in (b"ab", b"c\n", b"d"):
        framer.receive_data(piece)
    assert framer.buffered == 5
    assert framer.take_buffered() == b"abc\nd"
    assert list(framer.frames()) == []


# -- Found by attacking it -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terminator", "prefix"),
    [
        (LengthPrefix(8), b"\xff" * 8),
        (VarintPrefix(), b"\xff" * 9 + b"\1"),
        (LengthFrom(b";", lambda header: int(header, 16)), b"f" * 5000 + b";"),
    ],
    ids=name,
)
def test_a_length_beyond_all_bounds_can_be_skipped(terminator: Terminator, prefix: bytes) -> None:
    """A peer announces more than 2**63 bytes: the error can be printed, and skipped once."""
    framer = framer_of(prefix + b"xyz", terminator, 10)
    with pytest.raises(FrameTooLarge, match=r"announces \d.* bytes"):
        framer.next_frame()
    framer.skip_frame()
    assert framer.next_frame() is None
    assert framer.buffered == 0
    framer.receive_eof()
    with pytest.raises(IncompleteFrame, match=r"after 3 of \d.* bytes"):
        framer.next_frame()
    unlimited = framer_of(prefix + b"xyz", terminator, None)
    assert unlimited.next_frame() is None


def test_the_lf_of_a_crlf_is_swallowed_behind_what_was_pushed_back() -> None:
    r"""`a\r|\nb\n` with x pushed back after a: no empty line, in any split."""
    for chunks in splits(b"a\r\nb\n"):
        framer = Framer(ANY_NEWLINE)
        out: list[bytes] = []
        for chunk in chunks:
            framer.receive_data(chunk)
            for frame in framer.frames():
                if not out:
                    framer.push_back(b"x")
                out.append(frame)
        assert out == [b"a", b"xb"]


def test_the_lf_of_a_crlf_is_swallowed_after_take_buffered() -> None:
    r"""`a\r|\nb\n`, taking what is there after a: nothing, and then no empty line."""
    framer = framer_of("a\r", ANY_NEWLINE)
    assert framer.next_frame() == b"a"
    assert framer.take_buffered() == b""
    framer.receive_data(b"\n")
    framer.receive_data(b"b\n")
    assert list(framer.frames()) == [b"b"]


def test_a_count_above_the_limit_in_single_bytes() -> None:
    """Count 3, limit 1: too large at its first byte, and what is skipped is not held."""
    framer = Framer(3, max_frame_size=1)
    out: list[bytes | str] = []
    for byte in b"0\n\n00":
        framer.receive_data(bytes([byte]))
        out += frames_skipping(framer)
        assert framer.buffered == 0
    assert out == ["TOO LARGE", "TOO LARGE"]


def test_a_prefix_read_in_the_middle_of_a_streamed_frame_is_not_lost() -> None:
    """It is not delivered before its payload is: another terminator sees it again."""
    framer = framer_of("abc")
    assert list(framer.events()) == [Data(b"abc")]
    framer.terminator = LengthPrefix(1)
    framer.receive_data(b"\5")
    assert framer.next_event() is None
    assert framer.buffered == 1
    framer.terminator = b"\n"
    framer.receive_data(b"x\n")
    assert list(framer.events()) == [Data(b"\5"), Data(b"x"), TerminatorFound(b"\n")]


def test_length_of_cannot_end_the_loop() -> None:
    """StopIteration, say of a next() without a default, would look like "no more frames"."""
    framer = framer_of("x;", LengthFrom(b";", lambda _: next(iter(()))))
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(framer.frames())


def test_a_framer_is_not_copied() -> None:
    """Two framers that share a half-delivered batch would give each other's frames away."""
    with pytest.raises(TypeError, match="one stream"):
        copy.copy(framer_of("a\nb\n"))


def test_setting_the_same_terminator_again() -> None:
    """It changes nothing, but a count starts to count again, and 0 fires again."""
    framer = framer_of("abc|de")
    framer.terminator = bytes(bytearray(b"\n"))
    framer.receive_data(b"f\n")
    assert framer.next_frame() == b"abcdef"
    framer = framer_of("abc", 5)
    assert list(framer.events()) == [Data(b"abc")]
    framer.terminator = 5
    framer.receive_data(b"defgh")
    assert list(framer.events()) == [Data(b"defgh"), TerminatorFound(5)]


def test_lowering_the_limit_in_the_middle_of_a_frame() -> None:
    """The new limit holds for what was gathered, too."""
    framer = framer_of("abcdef|")
    framer.max_frame_size = 4
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.receive_data(b"g\nok\n")
    framer.skip_frame()
    assert framer.next_frame() == b"ok"


# -- R6, R9 and the rest ---------------------------------------------------------------------


def test_the_end_is_given_once() -> None:
    """By events(); frames() just ends; a second receive_eof() is harmless, data is not."""
    framer = framer_of("a\n")
    framer.receive_eof()
    framer.receive_eof()
    with pytest.raises(UsageError, match="new Framer"):
        framer.receive_data(b"x")
    framer.receive_data(b"")
    assert list(framer.frames()) == [b"a"]
    assert list(framer.events()) == [EndOfStream()]
    assert framer.next_event() is None
    framer.push_back(b"")
    assert framer.next_event() is None
    framer.push_back(b"b\n")
    assert list(framer.events()) == [Data(b"b"), TerminatorFound(b"\n"), EndOfStream()]


def test_mutable_input_may_be_reused_at_once() -> None:
    """A bytearray that is overwritten after it was fed, and a memoryview of items of 4 bytes."""
    data = bytearray(b"abc\nde")
    framer = Framer()
    framer.receive_data(data)
    framer.receive_data(memoryview(data))
    data[:] = b"XXXXXX"
    assert list(framer.frames()) == [b"abc", b"deabc"]
    items = (
        array.array("I", [0x0A636261])
        if sys.byteorder == "little"
        else array.array("I", [0x6162630A])
    )
    framer = Framer()
    framer.receive_data(memoryview(items))
    assert list(framer.frames()) == [b"abc"]
    assert type(framer_of("x\n").next_frame()) is bytes


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_only_bytes_are_received(data: object) -> None:
    """Everything else is a TypeError, and changes nothing."""
    framer = framer_of("a")
    with pytest.raises(TypeError):
        framer.receive_data(data)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        framer.push_back(data)  # type: ignore[arg-type]
    assert framer.buffered == 1


def test_a_terminator_that_is_refused_changes_nothing() -> None:
    """The old one stays."""
    framer = framer_of("a\nb")
    with pytest.raises(ValueError, match="at least one byte"):
        framer.terminator = b""
    with pytest.raises(TypeError, match="not str"):
        framer.terminator = "\n"  # type: ignore[assignment]
    assert framer.terminator == b"\n"
    assert list(framer.frames()) == [b"a"]


@given(kind=st.sampled_from(KINDS))
def test_the_terminator_is_given_back_as_it_was_set(kind: tuple[Terminator, bytes]) -> None:
    """The very object, at construction and by assignment."""
    terminator, _ = kind
    framer = Framer(terminator)
    assert framer.terminator is terminator
    framer = Framer()
    framer.terminator = terminator
    assert framer.terminator is terminator


def test_repr() -> None:
    """For the debugger: what it waits for, and how much it holds."""
    assert repr(framer_of("ab", ANY_NEWLINE)) == "<Framer terminator=ANY_NEWLINE buffered=2>"


def test_length_of_that_fails_is_asked_again() -> None:
    """An error that is no ValueError is the program's own: it passes, and nothing is lost."""
    lengths: Iterable[int] = iter([3])

    def length_of(header: bytes) -> int:
        if header == b"bug" and fail:
            raise KeyError(header)
        return next(iter(lengths))

    fail = True
    framer = framer_of("bu|g;abc", LengthFrom(b";", length_of))
    for _ in range(2):
        with pytest.raises(KeyError):
            framer.next_frame()
        assert framer.buffered == 7
    fail = False
    assert framer.next_frame() == b"abc"


@pytest.mark.parametrize("length", [0.5, True, None, "1"])
def test_length_of_must_return_an_int(length: Any) -> None:
    """Anything else is a mistake of the program, not of the peer."""
    framer = framer_of("x;", LengthFrom(b";", lambda _: length))
    with pytest.raises(TypeError, match="must be an int"):
        framer.next_frame()


def test_the_cause_of_a_malformed_header_is_kept() -> None:
    """The ValueError of length_of() is the __cause__, every time."""
    framer = framer_of("x;", LengthFrom(b";", number))
    for _ in range(2):
        with pytest.raises(MalformedFrame, match="invalid literal") as caught:
            framer.next_frame()
        assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("terminator", [b"\r\n", ANY_NEWLINE, 5, LengthPrefix(), VarintPrefix()])
@pytest.mark.parametrize("used", [False, True])
def test_an_idle_framer_is_small(terminator: Terminator, used: bool) -> None:
    """Under 200 bytes, with all that belongs to it alone; also after a busy time."""

    def framer() -> Framer:
        framer = Framer(terminator)
        if used:
            framer.receive_data(bytes([0, 0, 0, 5, 104, 101, 108, 108, 13, 10]))
            for events in (framer.frames(), framer.events(), framer.events()):
                next(iter(events), None)
            framer.take_buffered()
        return framer

    framers = [framer() for _ in range(10)]
    gc.collect()
    tracemalloc.start()
    framers += [framer() for _ in range(1000)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sys.getsizeof(framers[0]) < 200
    assert size / 1000 < 200 + 9  # the list of them grows, too


def test_check_itself_can_fail() -> None:
    """The oracle is not a mirror: a framer with another terminator does not agree with it."""
    with pytest.raises(AssertionError):
        check(b"ab", b"b", ways=[[b"a", b"c"]])


# -- Loops over events, in the middle of a frame ---------------------------------------------


def test_a_terminator_set_between_data_and_its_end() -> None:
    """The end that the old one would have found does not come; the next byte obeys the new one."""
    framer = Framer(b";")
    framer.receive_data(b"ab;cd;")
    events = framer.events()
    assert next(events) == Data(b"ab")
    framer.terminator = 2
    assert list(events) == [
        *(Data(b";c"), TerminatorFound(2)),
        *(Data(b"d;"), TerminatorFound(2)),
    ]


@pytest.mark.parametrize("terminator", [b"\n", LengthPrefix(1)])
def test_an_event_taken_by_another_call_inside_the_loop(terminator: Terminator) -> None:
    """The loop goes on behind it, wherever in the frame it was."""
    stream = b"".join(encode_frame(payload, terminator) for payload in (b"ab", b"", b"cd") * 9)
    expected = Framer(terminator)
    expected.receive_data(stream)
    events = list(expected.events())
    for step, more in itertools.product((1, 2, 3), (1, 2, 3)):
        framer = Framer(terminator)
        framer.receive_data(stream)
        seen: list[object] = []
        for count, event in enumerate(framer.events()):
            seen.append(event)
            if count % step == 0:
                seen += [framer.next_event() for _ in range(more)]
        assert [event for event in seen if event is not None] == events


def test_a_loop_over_events_left_after_data() -> None:
    """The next loop begins with the end of that frame."""
    framer = Framer(b";")
    framer.receive_data(b"ab;cd;")
    assert next(framer.events()) == Data(b"ab")
    assert list(framer.events()) == [TerminatorFound(b";"), Data(b"cd"), TerminatorFound(b";")]


# -- Chunks that wait ------------------------------------------------------------------------


@pytest.mark.parametrize("terminator", [b"\r\n", LengthPrefix(4)])
@pytest.mark.parametrize("size", [1, 2, 5000])
def test_a_long_frame_in_pieces_that_wait(terminator: Terminator, size: int) -> None:
    """More pieces, and more bytes, than are put together (SMALL_PIECE) or kept without a look."""
    payload = bytes(range(14, 114)) * (1500 if size > 2 else 150)
    stream = encode_frame(payload, terminator) + encode_frame(b"short", terminator)
    framer = Framer(terminator, max_frame_size=None)
    out: list[bytes] = []
    for start in range(0, len(stream), size):
        framer.receive_data(stream[start : start + size])
        out += framer.frames()
        assert framer.buffered <= len(stream)
    assert out == [payload, b"short"]


def test_chunks_that_nobody_looks_at() -> None:
    """Small ones and large ones, received one after the other, in the order they came."""
    chunks = [b"a", b"b" * 5000, b"c", b"d", b"", b"e" * 5000, b"\n"]
    framer = Framer()
    for chunk in chunks:
        framer.receive_data(chunk)
    assert framer.buffered == sum(map(len, chunks))
    assert list(framer.frames()) == [b"".join(chunks)[:-1]]


def test_an_empty_chunk_while_waiting() -> None:
    """It changes nothing."""
    framer = Framer(b";")
    framer.receive_data(b"ab")
    assert framer.next_frame() is None
    framer.receive_data(b"")
    assert framer.next_frame() is None
    assert framer.buffered == 2
