"""EventReader: events made ahead of delivery, and chunks handed on as they are, are as if stepped.

What can go wrong is what is known between two chunks: that all of the next one is payload.
So the framer is changed in the middle of frames here, in every way that there is.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import KINDS, check, name

from framer import (
    Data,
    EndOfStream,
    Event,
    Framer,
    FrameTooLarge,
    LengthPrefix,
    Terminator,
    TerminatorFound,
    UsageError,
    VarintPrefix,
    encode_frame,
)
from framer._batches import AWAKE, CUT, FRESH, SPENT
from framer._event_reader import STREAMED, STREAMING
from framer._reader import LOOK
from framer.testing._splits import cut_at

# Delimiters that are like themselves, so that a chunk may end amid one in every way.
DELIMITERS = [b"\n", b"\r\n", b"aab", b"abab"]


def merged(events: Iterable[Event]) -> list[bytes | Event]:
    """Put the payload of each frame together: how it was divided is up to the network."""
    items: list[bytes | Event] = []
    for event in events:
        if not isinstance(event, Data):
            items.append(event)
        elif items and isinstance(items[-1], bytes):
            items[-1] += event.chunk
        else:
            items.append(event.chunk)
    return items


@given(
    stream=st.lists(st.sampled_from([b"a", b"b", b"\r", b"\n", b"x"]), max_size=60).map(b"".join),
    cuts=st.sets(st.integers(0, 60)),
    terminator=st.sampled_from(DELIMITERS),
    limit=st.none() | st.integers(0, 20),
)
def test_lines_in_any_chunks(
    stream: bytes, cuts: set[int], terminator: bytes, limit: int | None
) -> None:
    """Each chunk is streamed as far as it is certain, and no further than the limit."""
    check(stream, terminator, limit, ways=[cut_at(stream, sorted(cuts))])


@pytest.mark.parametrize(("terminator", "alphabet"), KINDS, ids=name)
def test_events_of_every_kind(terminator: Terminator, alphabet: bytes) -> None:
    """Streams long enough for batches, in large and small chunks, agree with the oracle."""
    stream = (alphabet + alphabet[::-1] + alphabet[:1] * 3) * 8
    for size in (1, 3, 64, len(stream)):
        check(stream, terminator, 7, ways=[cut_at(stream, range(size, len(stream), size))])


@given(
    payloads=st.lists(st.binary(max_size=9), max_size=40),
    terminator=st.sampled_from([b"\r\n", LengthPrefix(1), VarintPrefix()]),
    single=st.booleans(),
)
def test_a_batch_has_what_steps_would_give(
    payloads: list[bytes], terminator: Terminator, single: bool
) -> None:
    """Frames that are whole, some of them empty: their events are those of each byte alone."""
    payloads = [payload.replace(b"\r", b"").replace(b"\n", b"") for payload in payloads]
    stream = b"".join(encode_frame(payload, terminator) for payload in payloads)
    batched, stepped = Framer(terminator), Framer(terminator)
    batched.receive_data(stream)
    one_by_one: Iterable[Event] = iter(batched.next_event, None)
    events = list(one_by_one if single else batched.events())
    steps: list[Event] = []
    for byte in stream:
        stepped.receive_data(bytes([byte]))
        steps += stepped.events()
    assert merged(events) == merged(steps)
    assert sum(isinstance(event, TerminatorFound) for event in events) == len(payloads)


@given(
    lines=st.lists(st.binary(max_size=4).map(bytes.hex).map(str.encode), min_size=1, max_size=30),
    taken=st.integers(0, 60),
    change=st.sampled_from(["terminator", "push_back", "take", "limit", "frames", "buffered"]),
)
def test_a_change_after_any_event_of_a_batch(lines: list[bytes], taken: int, change: str) -> None:
    """What was not delivered is there for what comes next, to the byte."""
    stream = b"".join(line + b"\r\n" for line in lines)
    framer = Framer(b"\r\n")
    framer.receive_data(stream)
    events = framer.events()
    seen = list(itertools.islice(events, taken))
    gone = b"".join(e.chunk if isinstance(e, Data) else b"\r\n" for e in seen)
    rest = stream[len(gone) :]
    assert stream.startswith(gone)
    if change == "terminator":
        framer.terminator = None
        framer.receive_eof()
        assert merged([*events, *framer.events()])[: bool(rest)] == ([rest] if rest else [])
    elif change == "push_back":
        framer.push_back(b"!")
        assert (
            merged([*events, *framer.events()])[:1] == merged([Data(b"!"), *_events_of(rest)])[:1]
        )
    elif change == "take":
        assert framer.take_buffered() == rest
        assert not [*events, *framer.events()]
    elif change == "limit":
        framer.max_frame_size = 0
        framer.max_frame_size = 100
        assert merged([*events, *framer.events()]) == merged(_events_of(rest))
    elif change == "frames" and seen and isinstance(seen[-1], Data):
        with pytest.raises(UsageError):
            list(framer.frames())
        assert merged([*events, *framer.events()]) == merged(_events_of(rest))
    elif change == "frames":
        assert list(framer.frames()) == rest.split(b"\r\n")[:-1]
        assert not [*events, *framer.events()]
    else:
        assert framer.buffered == len(rest)
        assert merged([*events, *framer.events()]) == merged(_events_of(rest))


def _events_of(rest: bytes) -> list[Event]:
    """What stands at the end of a stream of lines, the first of which may have begun before."""
    events: list[Event] = []
    for line in rest.split(b"\r\n")[:-1]:
        events += [Data(line)] if line else []
        events.append(TerminatorFound(b"\r\n"))
    return events


@pytest.mark.parametrize("more", [b"b", b"b\r", b"\r\nc", b"b\r\nc"])
@pytest.mark.parametrize("change", ["eof", "terminator", "push_back", "take", "limit", "frames"])
def test_a_change_between_two_chunks_of_a_frame(change: str, more: bytes) -> None:
    """The first chunk was streamed, and the next one has come, or not yet."""
    for early in (False, True):
        framer = Framer(b"\r\n", max_frame_size=8)
        framer.receive_data(b"a")
        assert list(framer.events()) == [Data(b"a")]
        if early:
            framer.receive_data(more)
        items: list[Any] = [b"a"]
        if change == "eof":
            if not early:
                framer.receive_data(more)
            framer.receive_eof()
            framer.terminator = None
            items = [b"a" + more, TerminatorFound(b""), EndOfStream()]
        elif change == "terminator":
            framer.terminator = b"c"
            items = [b"a" + more.rstrip(b"c"), *([TerminatorFound(b"c")] if b"c" in more else [])]
        elif change == "push_back":
            framer.push_back(b"x\r\n")
            held = {b"b": b"b", b"b\r": b"b", b"\r\nc": TerminatorFound(b"\r\n"), b"b\r\nc": b"b"}
            items = [b"ax", TerminatorFound(b"\r\n"), held[more]]
            items += [TerminatorFound(b"\r\n")] if more == b"b\r\nc" else []
            items += [b"c"] if b"c" in more else []
        elif change == "take":
            assert framer.take_buffered() == (more if early else b"")
            framer.push_back(more if early else b"")
            items = merged([Data(b"a"), *_streamed(more)])
        elif change == "limit":
            framer.max_frame_size = 1
            if more.startswith(b"b"):
                if not early:
                    framer.receive_data(more)
                with pytest.raises(FrameTooLarge):
                    list(framer.events())
                continue
            items = merged([Data(b"a"), *_streamed(more)])
        else:
            with pytest.raises(UsageError):
                framer.next_frame()
            items = merged([Data(b"a"), *_streamed(more)])
        if not early and change != "eof":
            framer.receive_data(more)
        assert merged([Data(b"a"), *framer.events()]) == items


def _streamed(more: bytes) -> list[Event]:
    """What lines make of these bytes in the middle of one, a CR at the end being held."""
    first, *rest = more.split(b"\r\n")
    events: list[Event] = [Data(chunk)] if (chunk := first.removesuffix(b"\r")) else []
    for chunk in rest:
        events += [TerminatorFound(b"\r\n"), Data(chunk)]
    return events


@pytest.mark.parametrize(
    "chunk", [b"b", b"b\r", b"\rb", b"\r", b"b\r\nc", b"\n", b"b" * 6, b"b" * 7]
)
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\n", b"d"])
def test_a_chunk_amid_a_frame(chunk: bytes, after: bytes) -> None:
    """It is streamed up to what may be a delimiter, and up to the limit, and not one byte more."""
    chunks = [b"a", chunk, after]
    check(b"".join(chunks), b"\r\n", 7, ways=[chunks])
    framer = Framer(b"\r\n", max_frame_size=7)
    framer.receive_data(b"a")
    assert list(framer.events()) == [Data(b"a")]
    framer.receive_data(chunk)
    events: list[Event] = []
    with contextlib.suppress(FrameTooLarge):
        events += iter(framer.next_event, None)
    assert merged([Data(b"a"), *events]) == merged([Data(b"a"), *_streamed(chunk[:6])])


@pytest.mark.parametrize("more", [b"d", b"def", b"\r\nd"])
def test_a_limit_below_what_was_streamed(more: bytes) -> None:
    """Nothing more of that frame is delivered; if it ends there, it was not too large after all."""
    framer = Framer(b"\r\n")
    framer.receive_data(b"abc")
    assert list(framer.events()) == [Data(b"abc")]
    framer.max_frame_size = 1
    framer.receive_data(more)
    if more.startswith(b"d"):
        with pytest.raises(FrameTooLarge):
            framer.next_event()
    else:
        assert list(framer.events()) == [TerminatorFound(b"\r\n"), Data(b"d")]


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 7, 8, 9, 40])
@pytest.mark.parametrize("terminator", [b"\r\n", LengthPrefix(1), 2])
def test_a_few_frames_and_more(frames: int, terminator: Terminator) -> None:
    """However few or many there are, each has its payload and its end."""
    framer = Framer(terminator)
    framer.receive_data(encode_frame(b"ab", terminator) * frames)
    found = TerminatorFound(b"\r\n" if terminator == b"\r\n" else 2)
    assert list(framer.events()) == [Data(b"ab"), found] * frames


def test_no_two_states_are_the_same() -> None:
    """They share one attribute, with numbers of bytes, which are positive."""
    states = [LOOK, AWAKE, SPENT, FRESH, CUT, STREAMED, STREAMING]
    assert len(set(states)) == len(states)
    assert max(states) == AWAKE == 0


def test_chunks_that_come_before_anybody_asks() -> None:
    """Two of them at once, in the middle of a frame, and both are streamed."""
    framer = Framer(b"\r\n")
    framer.receive_data(b"a")
    assert list(framer.events()) == [Data(b"a")]
    assert framer.next_event() is None
    framer.receive_data(b"")
    framer.receive_data(b"b")
    framer.receive_data(b"c")
    assert framer.buffered == 2
    assert merged(list(framer.events())) == [b"bc"]


def test_frames_that_were_gathered_are_streamed_when_asked_for() -> None:
    """A change from frames() to events(), in the middle of a frame of each kind."""
    for terminator, frame in ((b"\n", b"abcdef\n"), (6, b"abcdef"), (LengthPrefix(1), b"\6abcdef")):
        framer = Framer(terminator)
        framer.receive_data(frame[:4])
        assert framer.next_frame() is None
        framer.receive_data(frame[4:])
        chunks = [event.chunk for event in framer.events() if isinstance(event, Data)]
        assert b"".join(chunks) == b"abcdef"


@pytest.mark.parametrize("pieces", [[b"x" * 99], [b"x" * 9, b"x"], [b"x" * 99, b"y\n", b"z"]])
def test_pieces_that_waited_for_a_whole_frame(pieces: list[bytes]) -> None:
    """However frames() keeps them, events() streams them all at once."""
    framer = Framer(b"\r\n")
    framer.receive_data(b"a\r\n" * 3)
    assert len(list(framer.frames())) == 3
    for piece in pieces:
        framer.receive_data(piece)
        assert framer.next_frame() is None
    assert merged(list(framer.events())) == [b"".join(pieces)]


def test_a_loop_that_is_left_amid_a_batch() -> None:
    """The next one goes on with the same events."""
    framer = Framer(LengthPrefix(1))
    frames = [b"x" * size for size in range(1, 40)]
    framer.receive_data(b"".join(encode_frame(frame, LengthPrefix(1)) for frame in frames))
    events: list[Event] = []
    while some := list(itertools.islice(framer.events(), 7)):
        events += some
    assert events[::2] == [Data(frame) for frame in frames]
    assert events[1::2] == [TerminatorFound(len(frame)) for frame in frames]


def test_a_big_frame_is_no_batch() -> None:
    """That would hold on to it while its events are handled."""
    framer = Framer(max_frame_size=None)
    framer.receive_data(b"a\n" * 40 + b"x" * 200_000 + b"\nb\n")
    events = list(framer.events())
    assert merged(events)[80::2] == [b"x" * 200_000, b"b"]


def test_what_is_too_large_to_collect_can_be_streamed() -> None:
    """A count that the program has set itself: frames() refuses, events() does not."""
    framer = Framer(100, max_frame_size=10)
    framer.receive_data(b"x" * 50)
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    assert framer.next_event() == Data(b"x" * 50)


@pytest.mark.parametrize("chunks", [[b"abcdef"], [b"ab", b"cdef"], [b"abc", b"d", b"ef"]])
def test_what_was_too_large_to_collect_stays_so(chunks: list[bytes]) -> None:
    """The error repeats, and consumes nothing, whichever way one asks."""
    framer = Framer(max_frame_size=3)
    errors: list[FrameTooLarge] = []
    for chunk in chunks:
        framer.receive_data(chunk)
        try:
            assert framer.next_frame() is None
        except FrameTooLarge as error:
            errors.append(error)
    for _ in range(2):
        with pytest.raises(FrameTooLarge) as again:
            framer.next_event()
        assert vars(again.value) == vars(errors[0])
    assert framer.buffered == 6


def test_a_frame_that_is_being_skipped_is_no_event() -> None:
    """Its rest is dropped as it comes."""
    framer = Framer(LengthPrefix(1), max_frame_size=3)
    framer.receive_data(b"\5ab")
    with pytest.raises(FrameTooLarge):
        framer.next_event()
    framer.skip_frame()
    framer.receive_data(b"c")
    assert framer.next_event() is None
    assert framer.next_frame() is None
    framer.receive_data(b"de\1x")
    assert list(framer.events()) == [Data(b"x"), TerminatorFound(1)]


def test_the_first_event_of_a_batch() -> None:
    """Its Data was delivered, and the delimiter behind it was not."""
    framer = Framer()
    framer.receive_data(b"ab\ncd\n")
    assert next(iter(framer.events())) == Data(b"ab")
    assert framer.buffered == 4
    assert list(framer.events())[:2] == [TerminatorFound(b"\n"), Data(b"cd")]


def test_the_end_after_a_batch() -> None:
    """events() ends with EndOfStream, once."""
    framer = Framer()
    framer.receive_data(b"a\n" * 20)
    framer.receive_eof()
    assert list(framer.events())[-1] == EndOfStream()
    assert framer.next_event() is None
