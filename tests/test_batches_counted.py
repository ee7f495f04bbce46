"""What `BatchReader` does not do: looks that find nothing, frames that are cut for nobody.

None of it changes what comes out, so it is counted: how many frames a batch has,
and how often a scanner is asked. Nothing here takes the time.
"""

from __future__ import annotations

import itertools
from typing import Any, cast

import pytest

from framer import (
    ANY_NEWLINE,
    Framer,
    FrameTooLarge,
    LengthPrefix,
    Netstring,
    Terminator,
    VarintPrefix,
    encode_frame,
)
from framer._batches import (
    FIRST_WINDOW,
    LAST_WINDOW,
    MOST_PATIENCE,
    SHORT_REST,
    SINGLE_FRAMES,
    SMALL_BUFFER,
)


class Counting:
    """A scanner that counts how often it is asked for frames, or for a piece of one."""

    def __init__(self, framer: Framer) -> None:
        self.scanner = framer._scanner
        self.asked = 0
        framer._scanner = cast("Any", self)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.scanner, name)
        if name in {"pull", "split"}:
            self.asked += 1
        return value


PREFIXES: list[Terminator] = [LengthPrefix(4), VarintPrefix(), Netstring()]
DELIMITERS: list[Terminator] = [b"\n", b"\r\n", b"--"]

FRAMES = {"new": 0, "one": 1, "some": 12, "batch": 50, "windows": 9000}
"""What came before, and how many frames that is."""


def frame_of(terminator: Terminator, payload: bytes) -> bytes:
    """Make a frame; that of a count has one size, whatever the payload."""
    return encode_frame(b"x" * terminator if isinstance(terminator, int) else payload, terminator)


def after(history: str, terminator: Terminator, limit: int | None = 65536) -> Framer:
    """Make a framer that has delivered that much, and then waits for the next frame."""
    framer = Framer(b"?" if history != "new" else terminator, max_frame_size=limit)
    framer.terminator = terminator
    frame = frame_of(terminator, b"ab")
    count, at_once = FRAMES[history], 1
    if history in {"batch", "windows"}:
        count, at_once = 1, min(count, 6_000_000 // len(frame))
    for _ in range(count):
        framer.receive_data(frame * at_once)
        assert len(list(framer.frames())) == at_once
    return framer


# -- How far it runs ahead -------------------------------------------------------------------


def batches(framer: Framer, *, streaming: bool = False) -> list[int]:
    """Drain it, and tell how many frames were cut out at a time."""
    sizes: list[int] = []
    seen: object = None
    for _ in framer.events() if streaming else framer.frames():
        batch = framer._batch
        if not batch:
            sizes.append(1)
        elif batch is not seen:
            sizes.append(len(batch) // (1 + streaming))
        seen = batch
    return sizes


def windows(frame: int, size: int) -> list[int]:
    """How many frames there are to be in each, of so many bytes each, in so many bytes."""
    expected = [1] * SINGLE_FRAMES
    left, window = size // frame - SINGLE_FRAMES, FIRST_WINDOW
    while left:
        some = min(window // frame, left)
        expected.append(some)
        left -= some
        window = min(window * 2, LAST_WINDOW)
    return expected


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("terminator", "frame"),
    [(b"\n", b"ab\n"), (5, b"abcde"), (LengthPrefix(1), b"\2ab"), (Netstring(), b"2:ab,")],
)
def test_how_far_it_runs_ahead(terminator: Terminator, frame: bytes, streaming: bool) -> None:
    """Some frames alone, then windows of twice the size each; anew with each terminator."""
    framer = Framer(terminator, max_frame_size=None)
    framer.receive_data(frame * 120_000)
    expected = windows(len(frame), len(frame) * 120_000)
    assert batches(framer, streaming=streaming) == expected
    framer.terminator = b"?"
    framer.terminator = terminator
    framer.receive_data(frame * 120_000)
    assert batches(framer, streaming=streaming) == expected


@pytest.mark.parametrize("terminator", [b"\n", LengthPrefix(1)], ids=str)
def test_whoever_looks_in_has_it_run_ahead_anew(terminator: Terminator) -> None:
    """What was cut out for nobody is cut again; so it begins with single frames again."""
    framer = after("batch", terminator)
    framer.receive_data(frame_of(terminator, b"ab") * 100)
    frames = framer.frames()
    assert next(frames) == b"ab"
    assert len(framer._batch) > 1
    assert framer.buffered == 99 * len(frame_of(terminator, b"ab"))
    for _ in range(SINGLE_FRAMES):
        assert next(frames) == b"ab"
        assert framer._batch == []
    assert next(frames) == b"ab"
    assert len(framer._batch) > 1


# -- How it waits ----------------------------------------------------------------------------


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("history", FRAMES)
@pytest.mark.parametrize("terminator", [*DELIMITERS, *PREFIXES, 20_000], ids=str)
def test_nobody_looks_at_what_ends_no_frame(
    terminator: Terminator, history: str, together: bool
) -> None:
    """The start of a frame is looked at once, by itself or behind another; then pieces are kept."""
    payload = b"x" * 20_000
    frame = frame_of(terminator, payload)
    before = frame_of(terminator, b"ab") if together else b""
    for first in (6, SMALL_BUFFER, SHORT_REST, 2 * SHORT_REST, 9000):
        framer = after(history, terminator)
        counting = Counting(framer)
        framer.receive_data(before + frame[:first])
        assert len(list(framer.frames())) == together
        # One that is longer than what it has ever looked ahead is looked at in more ways.
        longer = first == 9000 and terminator in PREFIXES
        assert counting.asked <= (4 if longer else 1 + together)
        counting.asked = 0
        for start in range(first, len(frame) - 1, 97):
            framer.receive_data(frame[start : min(start + 97, len(frame) - 1)])
            assert framer.next_frame() is None
        # It is the last byte of b"--" that is waited for, and the first is just the same;
        # and of a netstring one knows no more than where the digits end.
        assert counting.asked <= (4 if terminator in {b"--", Netstring()} else 0)
        counting.asked = 0
        framer.receive_data(frame[-1:])
        assert framer.next_frame() == payload
        assert counting.asked <= 1 + longer


@pytest.mark.parametrize("history", FRAMES)
@pytest.mark.parametrize("terminator", PREFIXES, ids=str)
def test_a_prefix_is_waited_for(terminator: Terminator, history: str) -> None:
    """It is looked at when it is there, and, if one cannot know how long it is, at each byte."""
    frame = encode_frame(b"x" * 300, terminator)
    framer = after(history, terminator)
    counting = Counting(framer)
    for start in range(len(frame) - 1):
        framer.receive_data(frame[start : start + 1])
        assert framer.next_frame() is None
    assert counting.asked <= 3 * (len(frame) - 300)
    framer.receive_data(frame[-1:])
    assert framer.next_frame() == b"x" * 300


@pytest.mark.parametrize("history", FRAMES)
@pytest.mark.parametrize("terminator", [ANY_NEWLINE, (b"\r\n", b"!")], ids=str)
def test_several_ends_are_looked_for_in_each_piece(terminator: Terminator, history: str) -> None:
    """Once in each, or once and for the frames behind it."""
    framer = after(history, terminator)
    counting = Counting(framer)
    for _ in range(100):
        framer.receive_data(b"x" * 97)
        assert framer.next_frame() is None
    assert counting.asked <= 300
    framer.receive_data(b"\r\n")
    assert framer.next_frame() == b"x" * 9700


@pytest.mark.parametrize("history", FRAMES)
@pytest.mark.parametrize("terminator", DELIMITERS, ids=str)
@pytest.mark.parametrize("limit", [3000, 70_000, MOST_PATIENCE, MOST_PATIENCE + 1000])
def test_the_limit_is_exact_however_a_frame_waits(
    limit: int, terminator: Terminator, history: str
) -> None:
    """A frame that long may still end; with one byte more it is too large, at once."""
    for first in (1, SMALL_BUFFER - 10, SMALL_BUFFER + 1, SHORT_REST + 1, 1900):
        for last, before in itertools.product((1, 7, 1000), (b"", frame_of(terminator, b"ab"))):
            framer = after(history, terminator, limit)
            framer.receive_data(before + b"x" * first)
            assert len(list(framer.frames())) == bool(before)
            for size in (limit - first - last, last):
                framer.receive_data(b"x" * size)
                assert framer.next_frame() is None
            framer.receive_data(b"x")
            with pytest.raises(FrameTooLarge):
                framer.next_frame()


@pytest.mark.parametrize("history", FRAMES)
@pytest.mark.parametrize("terminator", [b"\n", LengthPrefix(4), 1 << 20], ids=str)
def test_what_is_kept_without_a_look_is_bounded(terminator: Terminator, history: str) -> None:
    """A frame without a limit is gathered in one place from time to time."""
    payload = b"x" * (1 << 20)
    frame = frame_of(terminator, payload)
    framer = after(history, terminator, None)
    for start in range(0, len(frame) - 1, 1 << 15):
        framer.receive_data(frame[start : min(start + (1 << 15), len(frame) - 1)])
        assert framer.next_frame() is None
        assert sum(map(len, framer._pending or ())) <= MOST_PATIENCE
    framer.receive_data(frame[-1:])
    assert framer.next_frame() == payload


# -- What it lets go -------------------------------------------------------------------------


def cut(stream: bytes, piece: int, pieces: int) -> bytes:
    """One of so many pieces."""
    size = -(-len(stream) // pieces)
    return stream[piece * size : (piece + 1) * size]


@pytest.mark.parametrize("history", FRAMES)
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("terminator", [*DELIMITERS, *PREFIXES, 200_000], ids=str)
def test_behind_a_big_frame_its_buffer_is_gone(
    terminator: Terminator, ended: bool, pieces: int, history: str
) -> None:
    """With the frame itself, also if nobody asks for another one, and there is some rest."""
    payload = b"x" * 200_000
    framer = after(history, terminator, None)
    stream = frame_of(terminator, payload) + b"0"
    for piece in range(pieces):
        assert framer.next_frame() is None
        framer.receive_data(cut(stream, piece, pieces))
    if ended:
        framer.receive_eof()
    assert framer.next_frame() == payload
    assert len(framer._buffer) <= 1
    assert framer._pending is None


@pytest.mark.parametrize("terminator", [*DELIMITERS, *PREFIXES, 20], ids=str)
def test_what_was_delivered_is_not_held(terminator: Terminator) -> None:
    """Whoever has asked in vain has nothing of the last batch left in the framer."""
    framer = after("batch", terminator)
    assert framer.next_frame() is None
    assert framer._batch == []
    assert framer._buffer == b""


@pytest.mark.parametrize("history", FRAMES)
@pytest.mark.parametrize("terminator", [b"\n", LengthPrefix(4), 70_000], ids=str)
def test_before_many_big_frames_nothing_is_copied(terminator: Terminator, history: str) -> None:
    """What is left of a large chunk moves when it is less than what is gone, and not before."""
    payload = b"x" * 70_000
    frame = frame_of(terminator, payload)
    framer = after(history, terminator, None)
    framer.receive_data(frame * 100)
    sizes = {len(framer._buffer)}
    for _ in range(100):
        assert framer.next_frame() == payload
        sizes.add(len(framer._buffer))
    assert len(sizes) <= 8  # each is half of the one before, or less
