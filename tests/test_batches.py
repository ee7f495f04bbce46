"""BatchReader: running ahead of delivery costs nothing, and nobody can tell.

Here is R8, too: linear time and bounded memory.
Time is held by growth: twice the input takes less than 2.6 times as long, where quadratic
work would take 4 times.  The best of several runs counts, and several tries, so that a busy
machine cannot fail it.
"""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import KINDS, Driver, check, name

from framer import (
    ANY_NEWLINE,
    Data,
    EndOfStream,
    Framer,
    FrameTooLarge,
    FramingError,
    LengthPrefix,
    Netstring,
    Terminator,
    TerminatorFound,
    UsageError,
    VarintPrefix,
    encode_frame,
)
from framer._batches import LAST_WINDOW, MOST_PATIENCE, SINGLE_FRAMES
from framer.testing._splits import cut_at

ENCODABLE: list[Terminator] = [
    b"\n",
    b"\r\n",
    b"--",
    (b"\n", b"\r\n"),
    ANY_NEWLINE,
    LengthPrefix(1),
    LengthPrefix(3, "little", adjust=-2),
    VarintPrefix(),
    Netstring(),
]


def primed(terminator: Terminator) -> Framer:
    """Make a framer that has had this terminator for a while."""
    framer = Framer(terminator)
    for _ in range(12):
        framer.receive_data(encode_frame(b"a", terminator))
        assert framer.next_frame() == b"a"
        assert framer.next_frame() is None
    return framer


# -- Batches -------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(0, 200), min_size=1, max_size=60),
    terminator=st.sampled_from(ENCODABLE),
    stops=st.lists(st.integers(1, 9), max_size=12),
    streaming=st.booleans(),
)
def test_leaving_the_loop_anywhere(
    sizes: list[int], terminator: Terminator, stops: list[int], streaming: bool
) -> None:
    """Loops left after any number of items, with a look at what is held: all come out, in order."""
    payloads = [b"x" * size for size in sizes]
    frames = [encode_frame(payload, terminator) for payload in payloads]
    framer = Framer(terminator)
    framer.receive_data(b"".join(frames))
    out: list[Any] = []
    for stop in [*stops, 10**9]:
        for count, item in enumerate(framer.events() if streaming else framer.frames(), 1):
            out.append(item)
            if count == stop:
                break
        if not streaming:
            assert framer.buffered == sum(map(len, frames[len(out) :]))
    if streaming:
        ends = [n for n, event in enumerate(out) if isinstance(event, TerminatorFound)]
        assert len(ends) == len(payloads)
        out = [event.chunk for event in out if isinstance(event, Data)]
        payloads = [payload for payload in payloads if payload]
    assert out == payloads


@given(
    bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=12),
    size=st.integers(1, 120),
    spare=st.none() | st.integers(0, 2),
    single=st.booleans(),
    ended=st.booleans(),
)
def test_terminators_by_turns(
    bodies: list[bytes], size: int, spare: int | None, single: bool, ended: bool
) -> None:
    """A head that says how long the body is: all come out, whatever the chunks and the limit."""
    heads = [b"%d" % len(body) for body in bodies]
    stream = b"".join(head + b"\r\n\r\n" + body for head, body in zip(heads, bodies, strict=True))
    largest = max(map(len, heads + bodies))
    limit = None if spare is None else largest + spare
    framer = Framer(b"\r\n\r\n", max_frame_size=limit)
    got: list[bytes] = []

    def take(frame: bytes) -> None:
        got.append(frame)
        framer.terminator = int(frame) if len(got) % 2 else b"\r\n\r\n"

    def take_all() -> None:
        if single:
            while (frame := framer.next_frame()) is not None:
                take(frame)
        else:
            for frame in framer.frames():
                take(frame)

    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    for number, chunk in enumerate(chunks, 1):
        framer.receive_data(chunk)
        if number == len(chunks) and ended:
            framer.receive_eof()
        take_all()
    assert got == list(itertools.chain(*zip(heads, bodies, strict=True)))
    assert framer.buffered == 0


@pytest.mark.parametrize("terminator", [b"--", 5])
def test_the_first_frame_under_a_new_terminator_is_limited(terminator: Terminator) -> None:
    """The limit is exact, and what follows is still there for the error to be handled."""
    framer = Framer(max_frame_size=4)
    framer.receive_data(b"a\n12345--678\n")
    assert framer.next_frame() == b"a"
    framer.terminator = terminator
    with pytest.raises(FrameTooLarge):
        framer.next_frame()
    framer.max_frame_size = 5
    assert framer.next_frame() == b"12345"


@pytest.mark.parametrize("terminator", [2, b"!", (b"!", b"?"), LengthPrefix(1)], ids=str)
@pytest.mark.parametrize("asked", [False, True])
def test_a_cr_waits_for_its_lf_under_a_new_terminator(terminator: Terminator, asked: bool) -> None:
    """An LF that belongs to the CR before it is not payload of the frame behind, nor its prefix."""
    framer = Framer(ANY_NEWLINE)
    framer.receive_data(b"a\r")
    assert list(framer.frames()) == [b"a"]
    framer.terminator = terminator
    assert not asked or framer.next_frame() is None
    framer.receive_data(b"\n" + encode_frame(b"bc", terminator))
    assert framer.next_frame() == b"bc"


def test_events_go_on_where_the_loop_changes_the_framer() -> None:
    """That all was streamed is asked only after the loop has had its say."""
    framer = Framer(b"\r\n")
    framer.receive_data(b"abc")
    events: list[object] = []
    for event in framer.events():
        events.append(event)
        if len(events) == 1:
            framer.receive_data(b"d")
        elif len(events) == 2:
            framer.terminator = 0
        elif len(events) == 3:
            framer.terminator = b"!"
            framer.receive_data(b"e!")
            framer.receive_eof()
            framer.push_back(b"!")
            framer.push_back(b"x")
    assert events == [
        Data(b"abc"),
        Data(b"d"),
        TerminatorFound(0),
        Data(b"x"),
        TerminatorFound(b"!"),
        Data(b"e"),
        TerminatorFound(b"!"),
        EndOfStream(),
    ]


@pytest.mark.parametrize(("terminator", "alphabet"), KINDS, ids=name)
def test_batches_of_every_kind(terminator: Terminator, alphabet: bytes) -> None:
    """Streams long enough for batches, in large and small chunks, agree with the oracle."""
    stream = (alphabet + alphabet[::-1] + alphabet[:1] * 3) * 8
    for limit in (None, 2, 7):
        for size in (1, 5, 64, len(stream)):
            check(stream, terminator, limit, ways=[cut_at(stream, range(size, len(stream), size))])


def test_big_frames_in_big_chunks() -> None:
    """Frames larger than any window of look-ahead, whole and in pieces, between small ones."""
    frames = [b"x" * n for n in (5, 70_000, 3, 200_000, 0, 65_536, 1)] * 3
    stream = b"".join(frame + b"\r\n" for frame in frames)
    for size in (len(stream), 100_000, 65_536, 4096):
        framer = Framer(b"\r\n", max_frame_size=200_000)
        out: list[bytes] = []
        for start in range(0, len(stream), size):
            framer.receive_data(stream[start : start + size])
            out += framer.frames()
        assert out == frames


def test_events_cannot_be_finished_by_frames() -> None:
    """With Data from a batch delivered and its end not, frames() refuses and nothing changes."""
    framer = Framer()
    framer.receive_data(b"ab\n" * 40)
    events = framer.events()
    *_, last = itertools.islice(events, 21)
    assert last == Data(b"ab")
    with pytest.raises(UsageError):
        framer.next_frame()
    assert [next(events), next(events)] == [TerminatorFound(b"\n"), Data(b"ab")]


@pytest.mark.parametrize("taken", range(10))
def test_a_change_of_terminator_between_two_events(taken: int) -> None:
    """It applies to what was not delivered, be that a frame, a part of it, or its end alone."""
    framer = Framer()
    framer.receive_data(b"a\n\nbc\n" + b"d\n" * 9)
    loop = framer.events()
    events = list(itertools.islice(loop, taken))
    seen = b"".join(event.chunk if isinstance(event, Data) else b"\n" for event in events)
    framer.terminator = None
    framer.receive_eof()
    assert next(loop) == Data((b"a\n\nbc\n" + b"d\n" * 9)[len(seen) :])


def test_a_batch_that_the_limit_cut_short_is_gone_on_with() -> None:
    """A loop that is left in the middle of it, with more in the buffer than it was cut from."""
    frames = [b"%05d" % number for number in range(3000)]
    framer = Framer(max_frame_size=100)
    framer.receive_data(b"".join(frame + b"\n" for frame in frames))
    out: list[bytes] = []
    while some := list(itertools.islice(framer.frames(), 7)):
        out += some
    assert out == frames


def test_terminators_by_turns_in_one_large_chunk() -> None:
    """What is used up of it is let go on the way."""
    framer = Framer(b"\n", max_frame_size=None)
    framer.receive_data(b"5\nhello" * 30_000)
    out: list[bytes] = []
    for frame in framer.frames():
        out.append(frame)
        framer.terminator = b"\n" if len(out) % 2 == 0 else int(frame)
    assert out == [b"5", b"hello"] * 30_000


def test_more_is_announced_than_any_patience_has() -> None:
    """The header of a giant frame came, and its payload comes in two pieces."""
    framer = Framer(LengthPrefix(4), max_frame_size=None)
    size = MOST_PATIENCE * 3
    framer.receive_data(bytes(4) + size.to_bytes(4, "big"))
    assert list(framer.frames()) == [b""]
    for _ in range(2):
        framer.receive_data(b"x" * (size // 2))
    assert list(framer.frames()) == [b"x" * size]


def test_bytes_that_only_look_like_an_end_wake_a_long_frame() -> None:
    """An LF that ends nothing, in a frame that waits; then its end, and frames behind it."""
    framer = Framer(b"\r\n")
    framer.receive_data(b"a\r\nb\r\n" + b"x" * 5000)
    assert list(framer.frames()) == [b"a", b"b"]
    for piece in (b"y\n", b"z" * 3000 + b"\n"):
        framer.receive_data(piece)
        assert framer.next_frame() is None
    framer.receive_data(b"!\r\n1\r\n" * 2 + b"x" * 100)
    assert framer.next_frame() == b"x" * 5000 + b"y\n" + b"z" * 3000 + b"\n!"
    assert list(framer.frames()) == [b"1", b"!", b"1"]


def test_what_woke_a_frame_in_vain_can_be_streamed() -> None:
    """An LF that ends nothing had it gathered; as events it comes out from its first byte."""
    framer = Framer(b"\r\n")
    framer.receive_data(b"a\r\nab")
    assert list(framer.frames()) == [b"a"]
    for piece in (b"c\n", b"d\r\ne\r\n"):
        assert framer.next_frame() is None
        framer.receive_data(piece)
    events = list(framer.events())
    assert b"".join(event.chunk for event in events if isinstance(event, Data)) == b"abc\nde"
    assert events[-2:] == [Data(b"e"), TerminatorFound(b"\r\n")]


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n", LengthPrefix(4), Netstring()], ids=str)
@pytest.mark.parametrize("before", [0, 1, 12])
def test_whole_frames_behind_a_long_one(before: int, terminator: Terminator) -> None:
    """One that waited, and came to its end in a chunk with some of those that follow."""
    framer = Framer(terminator)
    for _ in range(before):
        framer.receive_data(encode_frame(b"a", terminator))
        assert framer.next_frame() == b"a"
    first = encode_frame(b"x" * 9000, terminator)
    framer.receive_data(first[:4500])
    assert framer.next_frame() is None
    framer.receive_data(first[4500:] + encode_frame(b"y", terminator) * 3)
    assert list(framer.frames()) == [b"x" * 9000] + [b"y"] * 3


@pytest.mark.parametrize("terminator", ENCODABLE, ids=str)
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("count", range(1, 8))
def test_few_frames_at_once_by_single_calls(
    count: int, ended: bool, terminator: Terminator
) -> None:
    """Each comes once, however many there are, and whether or not the stream has ended."""
    framer = primed(terminator)
    frames = [b"", *(b"%d" % number for number in range(1, count))]
    framer.receive_data(b"".join(encode_frame(frame, terminator) for frame in frames))
    if ended:
        framer.receive_eof()
    for delivered, frame in enumerate(frames, 1):
        assert framer.next_frame() == frame
        rest = sum(len(encode_frame(left, terminator)) for left in frames[delivered:])
        assert delivered % 2 or framer.buffered == rest
    assert framer.next_frame() is None


@pytest.mark.parametrize("terminator", [*ENCODABLE, 1], ids=str)
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("count", [2, 3, 9, 200, 3000])
def test_a_loop_that_asks_what_is_held(count: int, ended: bool, terminator: Terminator) -> None:
    """It is what was not delivered; and the loop goes on behind what was."""
    frames = [b"%d" % (number % 10) for number in range(count)]
    stream = [encode_frame(frame, terminator) for frame in frames]
    framer = primed(terminator)
    framer.receive_data(stream[0] + b"".join(stream))
    if ended:
        framer.receive_eof()
    assert framer.next_frame() == frames[0]
    got: list[bytes] = []
    for frame in framer.frames():
        got.append(frame)
        if len(got) in {1, 2, 7, 150}:
            assert framer.buffered == (count - len(got)) * len(stream[0])
    assert got == frames
    assert framer.buffered == 0
    assert framer._batch == []


@pytest.mark.parametrize("turn", [1, 2, 5, 30])
@pytest.mark.parametrize("terminator", [b"\n", b"\r\n", LengthPrefix(1), Netstring()], ids=str)
def test_a_loop_that_sets_another_terminator(terminator: Terminator, turn: int) -> None:
    """It obeys it from the next frame on, however far it has run ahead."""
    framer = primed(terminator)
    framer.receive_data(encode_frame(b"spam", terminator) * 60)
    rest = encode_frame(b"spam", terminator) * (60 - turn)
    got: list[bytes] = []
    for frame in framer.frames():
        got.append(frame)
        if len(got) == turn:
            framer.terminator = 3
    assert got == [b"spam"] * turn + [rest[at : at + 3] for at in range(0, len(rest) - 2, 3)]


@pytest.mark.parametrize("terminator", [2, b"\n", LengthPrefix(1)], ids=str)
def test_what_is_held_between_payload_and_its_end(terminator: Terminator) -> None:
    """Of a batch of events none but the first was taken: all but that payload is held."""
    frame = encode_frame(b"ab", terminator)
    for framer in (Framer(terminator), primed(terminator) if terminator != 2 else Framer(2)):
        framer.receive_data(frame * 3)
        assert framer.next_event() == Data(b"ab")
        end = 1 if terminator == b"\n" else 0
        assert framer.buffered == 2 * len(frame) + end
        kinds = [type(event) for event in framer.events()]
        assert kinds == [TerminatorFound] + [Data, TerminatorFound] * 2


def test_from_a_frame_to_events() -> None:
    """Behind one that was cut out alone, under a new terminator, the rest is streamed."""
    framer = Framer(b"?")
    framer.terminator = b"\n"
    framer.receive_data(b"a\nbc")
    assert framer.next_frame() == b"a"
    assert list(framer.events()) == [Data(b"bc")]


@pytest.mark.parametrize("terminator", [LengthPrefix(4), VarintPrefix(), Netstring(), 9], ids=str)
@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_frame_that_is_almost_whole(before: int, terminator: Terminator) -> None:
    """Of the largest there may be, and not: it comes whole, and not before its last byte."""
    for size in (9, 10) if not isinstance(terminator, int) else (9,):
        frame = b"x" * 9 if isinstance(terminator, int) else encode_frame(b"x" * size, terminator)
        for cut in range(len(frame)):
            framer = Framer(terminator, max_frame_size=10)
            framer.receive_data(frame * before + frame[:cut])
            assert list(framer.frames()) == [b"x" * size] * before
            framer.receive_data(frame[cut:])
            assert framer.next_frame() == b"x" * size


@pytest.mark.parametrize("chunks", [[b"abc"], [b"a", b"bc"], [b""]])
@pytest.mark.parametrize("asked", [False, True])
def test_a_frame_that_the_end_ends(chunks: list[bytes], asked: bool) -> None:
    """It is whole then, whether or not one has asked for it before."""
    framer = Framer(None)
    for chunk in chunks:
        framer.receive_data(chunk)
        assert not asked or framer.next_frame() is None
    framer.receive_eof()
    assert list(framer.frames()) == [b"".join(chunks)]


@pytest.mark.parametrize("rest", [0, 1, MOST_PATIENCE, 2 * MOST_PATIENCE])
def test_a_long_frame_by_itself_and_what_is_behind_it(rest: int) -> None:
    """More bytes are announced, or are there, than any patience has."""
    for terminator, head in ((LengthPrefix(4), rest.to_bytes(4, "big")), (b"\n", b"")):
        end = b"\n" if terminator == b"\n" else b""
        first = encode_frame(b"x" * 9000, terminator)
        framer = Framer(terminator, max_frame_size=None)
        framer.receive_data(encode_frame(b"a", terminator))
        assert framer.next_frame() == b"a"
        framer.receive_data(first[:20])
        assert framer.next_frame() is None
        framer.receive_data(first[20:] + head + b"y" * (rest // 2))
        assert framer.next_frame() == b"x" * 9000
        for piece in (b"y" * (rest - rest // 2 - 1), b"y" * bool(rest)):
            assert rest == 0 or framer.next_frame() is None
            framer.receive_data(piece)
        framer.receive_data(end)
        assert framer.next_frame() == b"y" * rest


def test_a_count_at_the_end_of_its_frame_waits_for_nothing() -> None:
    """The frame is whole with its last byte, not with the first one of the next."""
    for terminator in (4, LengthPrefix(1)):
        driver = Driver(terminator, None, streaming=False)
        for piece in (b"\3", b"ab", b"c"):
            driver.feed(piece)
        assert len(driver.items) == 1


def test_errors_wait_for_their_turn() -> None:
    """The frames before a broken one come out first, however it was batched."""
    framer = Framer(Netstring(), max_frame_size=9)
    framer.receive_data(b"1:a," * 30 + b"77:")
    out: list[bytes] = []
    with pytest.raises(FrameTooLarge):
        for frame in framer.frames():
            out.append(frame)  # noqa: PERF402 - extend() would lose them to the error
    assert out == [b"a"] * 30
    framer.receive_eof()
    with pytest.raises(FrameTooLarge):
        framer.next_event()
    framer.skip_frame()
    for _ in range(2):
        with pytest.raises(FramingError, match="77 bytes"):
            framer.next_frame()


# -- R8: linear time -----------------------------------------------------------------------


def _growth(work: Callable[[int], object], size: int) -> float:
    """How many times as long twice the size takes; the smallest of some measurements."""
    best = 99.0
    for _ in range(6):
        seconds = [min(_clock(work, n) for _ in range(2)) for n in (size, 2 * size)]
        best = min(best, seconds[1] / seconds[0])
        if best < 2.3:
            break
    return best


def _clock(work: Callable[[int], object], size: int) -> float:
    before = time.process_time()
    work(size)
    return time.process_time() - before


def _drain(framer: Framer, *, streaming: bool) -> int:
    items: Any = framer.events() if streaming else framer.frames()
    return sum(1 for _ in items)


def _single_bytes(n: int, terminator: Terminator, pattern: bytes, *, streaming: bool) -> None:
    framer = Framer(terminator, max_frame_size=None)
    for i in range(n):
        framer.receive_data(pattern[i % len(pattern) :][:1])
        _drain(framer, streaming=streaming)


def _undrained_bytes(n: int) -> None:
    framer = Framer(max_frame_size=None)
    for _ in range(n):
        framer.receive_data(b"x")
    framer.receive_data(b"\n")
    frame = framer.next_frame()
    assert frame is not None
    assert len(frame) == n


def _empty_frames(n: int, terminator: Terminator, *, streaming: bool) -> None:
    frame = encode_frame(b"", terminator)
    framer = Framer(terminator)
    framer.receive_data(frame * n)
    assert _drain(framer, streaming=streaming) == n


def _one_rare_delimiter(n: int) -> None:
    framer = Framer((b"\n", b"absent"))
    framer.receive_data(b"ab\n" * n)
    assert _drain(framer, streaming=False) == n


def _changing_terminators(n: int) -> None:
    framer = Framer()
    framer.receive_data(b"5\nHELLO" * n)
    for frame in framer.frames():
        framer.terminator = 5 if frame == b"5" else b"\n"
    assert framer.buffered == 0


def _loops_of_one(n: int) -> None:
    framer = Framer()
    framer.receive_data(b"ab\n" * n)
    for _ in range(n):
        assert next(framer.frames()) == b"ab"


def _asking_at_each_frame(n: int) -> None:
    framer = Framer(max_frame_size=None)
    framer.receive_data(b"ab\n" * n)
    for left, _ in enumerate(framer.frames(), 1):
        assert framer.buffered == 3 * (n - left)


def _feeding_at_each_frame(n: int) -> None:
    framer = Framer()
    framer.receive_data(b"ab\n" * n)
    for count, _ in enumerate(framer.frames()):
        if count < n:
            framer.receive_data(b"cd\n")


def _skipping_each_frame(n: int) -> None:
    framer = Framer(max_frame_size=4)
    framer.receive_data(b"abcdef\n" * n)
    for _ in range(n):
        with pytest.raises(FrameTooLarge):
            framer.next_frame()
        framer.skip_frame()
    assert framer.buffered == 0


def _pieces_of_one_frame(n: int) -> None:
    framer = Framer(max_frame_size=None)
    for _ in range(n):
        framer.receive_data(b"x" * 64)
        assert framer.next_frame() is None


def _waiting_at_each_frame(n: int) -> None:
    framer = Framer()
    framer.receive_data(b"ab\n" * n)
    for _ in range(n):
        framer.terminator = 0
        assert framer.next_frame() == b""
        assert framer.next_frame() is None
        framer.terminator = b"\n"
        assert framer.next_frame() == b"ab"


def _same_settings_at_each_chunk(n: int) -> None:
    framer = Framer(max_frame_size=None)
    for _ in range(n):
        framer.receive_data(b"x" * 1024)
        assert framer.next_frame() is None
        framer.max_frame_size = None
        framer.terminator = b"\n"


def _netstrings_in_one_feed(n: int) -> None:
    framer = Framer(Netstring(), max_frame_size=None)
    framer.receive_data(b"2:ab," * n)
    assert _drain(framer, streaming=False) == n


SELF_SIMILAR = b"a" * 4000 + b"b"

WORK: dict[str, tuple[Callable[[int], object], int]] = {
    "bytes, one at a time": (
        lambda n: _single_bytes(n, b"\r\n", b"abc\r\n", streaming=False),
        8000,
    ),
    "bytes, as events": (lambda n: _single_bytes(n, b"\r\n", b"abc\r\n", streaming=True), 8000),
    "bytes of one frame, 256 KiB of them": (
        lambda n: _single_bytes(n, b"\n", b"x", streaming=False),
        1 << 17,
    ),
    "last bytes of delimiters": (
        lambda n: _single_bytes(n, b"\r\n", b"\n", streaming=False),
        8000,
    ),
    "bytes that nobody drains": (_undrained_bytes, 100_000),
    "empty lines": (lambda n: _empty_frames(n, b"\r\n", streaming=False), 200_000),
    "empty lines, as events": (lambda n: _empty_frames(n, b"\r\n", streaming=True), 50_000),
    "empty netstrings": (lambda n: _empty_frames(n, Netstring(), streaming=False), 20_000),
    "a stream of a, one at a time": (
        lambda n: _single_bytes(n, SELF_SIMILAR, b"a", streaming=False),
        12_000,
    ),
    "a stream of a, as events": (
        lambda n: _single_bytes(n, SELF_SIMILAR, b"a", streaming=True),
        12_000,
    ),
    "a delimiter that never comes": (_one_rare_delimiter, 20_000),
    "terminators that change": (_changing_terminators, 8000),
    "a loop for each frame": (_loops_of_one, 20_000),
    "buffered at each frame": (_asking_at_each_frame, 8000),
    "data at each frame": (_feeding_at_each_frame, 4000),
    "frames that are too large": (_skipping_each_frame, 4000),
    "a frame of nothing at each frame": (_waiting_at_each_frame, 16_000),
    "the same settings at each chunk": (_same_settings_at_each_chunk, 2000),
    "netstrings": (_netstrings_in_one_feed, 100_000),
    "pieces of one frame": (_pieces_of_one_frame, 20_000),
}


@pytest.mark.parametrize("name", WORK)
def test_time_is_linear(name: str) -> None:
    """Twice the input takes less than 2.6 times as long."""
    work, size = WORK[name]
    assert _growth(work, size) < 2.6


def test_that_time_is_linear_can_be_told() -> None:
    """The measurement sees quadratic work for what it is."""

    def quadratic(n: int) -> None:
        for _ in range(n):
            sum(range(n))

    assert _growth(quadratic, 500) > 2.6


# -- R8: bounded memory --------------------------------------------------------------------


def _peak_of(work: Callable[[], object]) -> tuple[int, int]:
    """What *work* leaves behind, and its peak, in bytes."""
    tracemalloc.start()
    result = work()
    retained, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return retained, peak


@pytest.mark.parametrize("size", [65536, 16 << 20])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_big_frame_leaves_no_big_buffer_behind(size: int, streaming: bool) -> None:
    """A frame of 16 MiB, in chunks of 64 KiB or in one, and then a byte: 64 KiB at most stay."""

    def work() -> Framer:
        framer = Framer(max_frame_size=None)
        for _ in range((16 << 20) // size):
            framer.receive_data(b"x" * size)
            _drain(framer, streaming=streaming)
        framer.receive_data(b"\ny")
        assert _drain(framer, streaming=streaming) == 1 + streaming
        return framer

    retained, _ = _peak_of(work)
    assert retained < 65536


@pytest.mark.parametrize("streaming", [False, True])
def test_one_big_frame_taken_by_a_single_call(streaming: bool) -> None:
    """The chunk that it came in is let go although nobody asked for another frame."""

    def work() -> Framer:
        framer = Framer(max_frame_size=None)
        framer.receive_data(b"x" * (16 << 20) + b"\nrest")
        if streaming:
            assert isinstance(framer.next_event(), Data)
            assert framer.next_event() == TerminatorFound(b"\n")
        else:
            assert framer.next_frame() is not None
        return framer

    retained, _ = _peak_of(work)
    assert retained < 65536


def test_a_big_frame_peaks_at_little_more_than_its_size() -> None:
    """It is gathered in one place, and handed over without a copy."""
    size = 16 << 20

    def work() -> int:
        framer = Framer(max_frame_size=None)
        chunk = b"x" * 65536
        for _ in range(size // len(chunk)):
            framer.receive_data(chunk)
            _drain(framer, streaming=False)
        framer.receive_data(b"\n")
        frame = framer.next_frame()
        assert frame is not None
        return len(frame)

    _, peak = _peak_of(work)
    assert peak < 1.3 * size


def test_small_pieces_take_no_more_memory_than_large_ones() -> None:
    """64 KiB in pieces of two bytes, drained or not."""

    def work(*, drained: bool) -> Framer:
        framer = Framer()
        for n in range(32768):
            framer.receive_data(b"%02d" % (n % 100))
            if drained:
                _drain(framer, streaming=False)
        return framer

    for drained in (True, False):
        retained, peak = _peak_of(lambda: work(drained=drained))  # noqa: B023
        assert retained < 2 * 65536
        assert peak < 3 * 65536


def test_looking_ahead_is_bounded() -> None:
    """A chunk of many frames is not cut all at once: a window, and its frames, at a time."""
    data = b"x\n" * (1 << 18)

    def work() -> None:
        framer = Framer()
        framer.receive_data(data)
        for _ in framer.frames():
            assert len(framer._batch) <= LAST_WINDOW // 2

    _, peak = _peak_of(work)
    assert peak < 40 * LAST_WINDOW
    assert SINGLE_FRAMES > 1


def test_a_large_chunk_behind_a_small_rest() -> None:
    """It is not copied to be put behind the rest, and the frames are the same."""
    framer = Framer(b"\n", max_frame_size=None)
    framer.receive_data(b"a\nb\nc\nd\nab")
    assert list(framer.frames()) == [b"a", b"b", b"c", b"d"]
    large = b"c" * 100_000 + b"\nd"
    framer.receive_data(large)
    assert framer.next_frame() == b"ab" + large[:-2]
    assert framer.take_buffered() == b"d"


# -- Between the pieces ----------------------------------------------------------------------


def test_asking_while_a_frame_is_incomplete() -> None:
    """There is no frame however often one asks; what waits is streamed when asked for."""
    framer = Framer()
    framer.receive_data(b"ab")
    assert [framer.next_frame() for _ in range(3)] == [None] * 3
    framer.receive_data(b"cd")
    assert list(framer.events()) == [Data(b"abcd")]


def test_a_batch_is_shared_by_loops_and_calls() -> None:
    """Frames by one loop, then by another; events by single calls."""
    framer = Framer()
    framer.receive_data(b"ab\n" * 40)
    assert list(itertools.islice(framer.frames(), 9)) == [b"ab"] * 9
    assert list(framer.frames()) == [b"ab"] * 31
    framer.receive_data(b"ab\n" * 3)
    events = [framer.next_event() for _ in range(7)]
    assert events == [Data(b"ab"), TerminatorFound(b"\n")] * 3 + [None]
