"""Scanners that search: the same frames for any chunks, as little held as can be, linear work."""

from __future__ import annotations

import itertools
import math
from array import array
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import framer
from framer import _delimiters
from framer._delimiters import (
    CR_FOUND,
    LF_FOUND,
    LONG_LINE,
    VERY_LONG_LINE,
    AnyNewlineScanner,
    DelimiterScanner,
    DelimitersScanner,
    delimiter_scanner,
    delimiters_scanner,
)
from framer._events import TerminatorFound
from framer._scanners import Scanner

# -- What must come out, said by naive functions that see the whole string ------------------


def cut(stream: bytes, delimiters: tuple[bytes, ...]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Cut at the earliest delimiter, of several that start there at the longest; and the rest."""
    frames: list[tuple[bytes, bytes]] = []
    start = here = 0
    while here < len(stream):
        matching = [d for d in delimiters if stream.startswith(d, here)]
        if matching:
            delimiter = max(matching, key=len)
            frames.append((stream[start:here], delimiter))
            start = here = here + len(delimiter)
        else:
            here += 1
    return frames, stream[start:]


def cut_lines(stream: bytes) -> tuple[list[bytes], bytes]:
    """Cut at CR, LF or CRLF; and the rest."""
    marked = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *lines, rest = marked.split(b"\n")
    return lines, rest


def longest_start(data: bytes, delimiters: tuple[bytes, ...]) -> bytes:
    """Give the longest suffix of *data* that may be the start of a delimiter, but not all of it."""
    starts = [d[:size] for d in delimiters for size in range(len(d))]
    return max((start for start in starts if data.endswith(start)), key=len)


def ambiguous(delimiters: tuple[bytes, ...]) -> bool:
    """Whether one of them is inside another, other than as its last bytes."""
    return any(shorter in longer[:-1] for longer in delimiters for shorter in delimiters)


# -- The scanner, driven chunk by chunk ----------------------------------------------------


class Feed:
    """A stream on its way through a scanner, as a framer would lead it.

    After each step all bytes that were taken are accounted for, in their order.
    """

    def __init__(self, scanner: Scanner[Any]) -> None:
        self.scanner = scanner
        self.progress: Any = None
        self.frames: list[tuple[bytes, object]] = []
        self.payload = b""
        self.frame = b""  # all that was taken of the unfinished one
        self.steps = 0

    def __call__(self, chunk: bytes) -> None:
        """Take steps until all is taken, and more is needed."""
        offset = 0
        while True:
            self.steps += 1
            before = offset
            found, offset, self.progress = self.scanner.pull(chunk, offset, self.progress, 0)
            self.frame += chunk[before:offset]
            if found is None:
                break
            if isinstance(found, TerminatorFound):
                assert isinstance(found.matched, bytes)
                assert self.frame == self.payload + found.matched
                assert self.progress is None
                self.frames.append((self.payload, found.matched))
                self.payload = self.frame = b""
            else:
                assert isinstance(found, bytes)
                self.payload += found
                assert self.frame == self.payload + self.held
        assert offset == len(chunk), "no byte is looked at again with the next chunk"
        assert self.frame == self.payload + self.held

    @property
    def held(self) -> bytes:
        """The bytes that are neither payload nor terminator yet."""
        return b"" if self.progress is None else self.scanner.held(self.progress)


def scanner_of(delimiters: tuple[bytes, ...]) -> DelimiterScanner | DelimitersScanner:
    """The scanner for one, or for several."""
    if len(delimiters) == 1:
        return DelimiterScanner(delimiters[0])
    return DelimitersScanner(delimiters)


def pulled(
    scanner: Scanner[Any], buffer: bytes, start: int, end: int, most: int
) -> tuple[list[bytes], int]:
    """What ``split`` has to give, by a loop over ``pull``."""
    window = buffer[:end]
    frames: list[bytes] = []
    payload = b""
    offset, progress = start, None
    while len(frames) != most:
        found, offset, progress = scanner.pull(window, offset, progress, math.inf)
        if found is None:
            break
        if isinstance(found, TerminatorFound):
            frames.append(payload)
            payload = b""
            start = offset
        else:
            assert isinstance(found, bytes)
            payload += found
    return frames, start


# -- Strategies ----------------------------------------------------------------------------


def strings(letters: bytes, least: int, most: int) -> st.SearchStrategy[bytes]:
    """Strings of few letters, so that delimiters are often there, and often by halves."""
    return st.lists(st.sampled_from(letters), min_size=least, max_size=most).map(bytes)


DELIMITERS = st.one_of(
    strings(b"ab", 1, 6).map(lambda delimiter: (delimiter,)),
    st.lists(strings(b"abc", 1, 5), min_size=2, max_size=4).map(tuple),
).filter(lambda delimiters: not ambiguous(delimiters))


@st.composite
def chunks(draw: st.DrawFn, delimiters: tuple[bytes, ...]) -> list[bytes]:
    """Cut a stream of letters, and of delimiters and their starts, into chunks."""
    pieces = [d[:size] for d in delimiters for size in range(1, len(d) + 1)] + [b"a", b"b", b"c"]
    stream = b"".join(draw(st.lists(st.sampled_from(pieces), max_size=14)))
    cuts = sorted(draw(st.sets(st.integers(0, len(stream)))))
    return [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]


WINDOWS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from([-1, -1, 1, 2, 5]))


# -- One delimiter, or several -------------------------------------------------------------


@given(st.data(), DELIMITERS)
def test_frames(data: st.DataObject, delimiters: tuple[bytes, ...]) -> None:
    """After every chunk: the frames, their delimiters, and the least that may be held back.

    What is held is exactly the longest end of the unfinished frame
    that may be the start of a delimiter; all before it is out.
    """
    feed = Feed(scanner_of(delimiters))
    stream = b""
    for chunk in data.draw(chunks(delimiters)):
        stream += chunk
        feed(chunk)
        frames, rest = cut(stream, delimiters)
        assert feed.frames == frames
        assert feed.frame == rest
        assert feed.held == longest_start(rest, delimiters)


@pytest.mark.parametrize(
    ("delimiters", "stream"),
    [
        ((b"abab",), b"abacababab"),
        ((b"aab",), b"aaaaaab"),
        ((b"aa",), b"aaaaa"),
        ((b"\n", b"\r\n"), b"a\r\nb\nc\r\r\n"),
        ((b"\r\n", b"\n"), b"a\r\nb\nc\r\r\n"),
        ((b"c", b"aabc", b"ab!"), b"xaabcaab!abc"),
        ((b"abcd", b"bcx"), b"abcxabcd"),
        ((b"abcd", b"bcx", b"c!"), b"abc!abcxabcabcd"),
    ],
)
def test_frames_for_every_split(delimiters: tuple[bytes, ...], stream: bytes) -> None:
    """Delimiters that overlap with themselves and each other, cut in all possible ways."""
    expected, rest = cut(stream, delimiters)
    for cuts in itertools.product((False, True), repeat=len(stream) - 1):
        feed = Feed(scanner_of(delimiters))
        edges = [0, *(place for place, here in enumerate(cuts, 1) if here), len(stream)]
        for a, b in itertools.pairwise(edges):
            feed(stream[a:b])
        assert feed.frames == expected
        assert feed.frame == rest


@given(st.data(), DELIMITERS)
def test_flush(data: st.DataObject, delimiters: tuple[bytes, ...]) -> None:
    """At the end of the stream the held bytes turn out to be payload."""
    scanner = scanner_of(delimiters)
    feed = Feed(scanner)
    for chunk in data.draw(chunks(delimiters)):
        feed(chunk)
    assert (scanner.flush(feed.progress) or b"") == feed.held
    assert scanner.flush(None) is None


@given(st.data(), DELIMITERS)
def test_patience(data: st.DataObject, delimiters: tuple[bytes, ...]) -> None:
    """A scanner that is patient misses nothing: no frame ends without the trigger.

    It is patient only while no byte is held back, and there is only one delimiter.
    """
    scanner = scanner_of(delimiters)
    feed = Feed(scanner)
    for chunk in data.draw(chunks(delimiters)):
        feed(chunk)
    frames = len(feed.frames)
    patience = scanner.patience(feed.progress)
    assert (patience >= 0) is (len(delimiters) == 1 and not feed.held)
    if patience >= 0:
        trigger = delimiters[0][-1:]
        assert scanner.trigger == trigger[0]
        feed(data.draw(strings(b"abc", 0, 9))[:patience].replace(trigger, b""))
        assert len(feed.frames) == frames


@given(st.data(), DELIMITERS, WINDOWS)
def test_split(
    data: st.DataObject, delimiters: tuple[bytes, ...], window: tuple[int, int, int]
) -> None:
    """``split`` of a window cuts what a loop over ``pull`` does, as many as are asked for."""
    buffer = b"".join(data.draw(chunks(delimiters)))
    start, end, most = window
    end = min(end, len(buffer))
    assume(start <= end)
    scanner = scanner_of(delimiters)
    frames, rest = scanner.split(buffer, start, end, most)
    assert (frames, rest) == pulled(scanner, buffer, start, end, most)
    expected, unfinished = cut(buffer[start:end], delimiters)
    assert frames == [payload for payload, _ in expected][: None if most < 0 else most]
    assert most > 0 or buffer[rest:end] == unfinished


FAR = b"x" * (LONG_LINE + 2)

DELIMITERS_AND_LINES = [b"\n", b"\r\n", b"\n\r\n", b"\n\n", b"a\n", b"\nb", b"aab"]


def buffers_of(delimiter: bytes) -> list[bytes]:
    """Streams with the delimiter far off, near, twice in a row, by halves, or its last byte."""
    first, last = delimiter[:-1], delimiter[-1:]
    similar = b"".join(b"x" * size + last for size in (0, 1, 0, 2))
    return [
        delimiter + b"y" + delimiter * 2 + first + b"z" + last + first * 2 + delimiter + FAR,
        FAR + delimiter + b"y" + delimiter + b"z" * 9 + delimiter + b"z",
        FAR + last + b"y" + last + b"z",
        FAR + similar + delimiter + first + b"y" + delimiter + similar,
        FAR + similar[:-1] + delimiter + b"y",
        # Lines that have lost as many bytes as if all of them had ended with the delimiter.
        FAR + last + b"y" + delimiter + b"z",
        FAR + last * len(FAR),
    ]


@pytest.mark.parametrize("delimiter", DELIMITERS_AND_LINES)
def test_split_of_every_window(delimiter: bytes) -> None:
    """What is cut out of a part of a buffer is as `bytes.split` would have it of a copy."""
    scanner = DelimiterScanner(delimiter)
    for buffer in buffers_of(delimiter):
        for start, end in itertools.combinations_with_replacement(range(len(buffer) + 1), 2):
            window = buffer[start:end]
            for most in (-1, 1, 2):
                *frames, rest = window.split(delimiter, most)
                assert scanner.split(buffer, start, end, most) == (frames, end - len(rest))
            assert scanner._find(buffer, start, end) == buffer.find(delimiter, start, end)


@pytest.mark.parametrize("size", [VERY_LONG_LINE + more for more in range(-3, 3)])
@pytest.mark.parametrize("delimiter", DELIMITERS_AND_LINES)
def test_a_first_line_that_is_very_long(delimiter: bytes, size: int) -> None:
    """It decides how they are cut, and not where."""
    buffer = delimiter.join([b"y" * size, b"z", b"", b"y" * size, delimiter[:-1]])
    *frames, rest = buffer.split(delimiter)
    found = DelimiterScanner(delimiter).split(buffer, 0, len(buffer), -1)
    assert found == (frames, len(buffer) - len(rest))


HEADS_OF_LINES = st.sampled_from([b"", b"\n", b"\r", b"b\n", b"a", b"z\n\n"])


def line_of(head: bytes, size: int) -> bytes:
    """Make a line that may be long."""
    return head + b"x" * size


@given(
    delimiter=st.sampled_from([b"\r\n", b"ab\n", *DELIMITERS_AND_LINES]),
    first=st.sampled_from([LONG_LINE - 2, LONG_LINE, VERY_LONG_LINE - 2, VERY_LONG_LINE]),
    lines=st.lists(
        st.builds(line_of, HEADS_OF_LINES, st.integers(0, 200) | st.just(VERY_LONG_LINE)),
        max_size=6,
    ),
    ended=st.booleans(),
    start=st.integers(0, 2),
)
def test_split_long_lines(
    delimiter: bytes, first: int, lines: list[bytes], ended: bool, start: int
) -> None:
    """They are cut in other ways, which notice an LF that is no delimiter."""
    buffer = b"y" * first + delimiter + delimiter.join(lines) + delimiter * ended
    *frames, rest = buffer.split(delimiter)
    # It may also start amid what only looks like a delimiter together with bytes before it.
    start = min(start, len(delimiter))
    buffer = delimiter[:start] + buffer
    scanner = scanner_of((delimiter,))
    assert scanner.split(buffer, start, len(buffer), -1) == (frames, len(buffer) - len(rest))


def test_what_was_used_up_is_no_part_of_a_delimiter() -> None:
    """The first bytes of a long one were delivered: what is left of it is payload."""
    delimiter = b"a" * 2 * VERY_LONG_LINE + b"\n"
    buffer = delimiter + b"b" + delimiter
    scanner = scanner_of((delimiter,))
    assert scanner.split(buffer, 1, len(buffer), -1) == ([delimiter[1:] + b"b"], len(buffer))


@given(DELIMITERS)
def test_nothing_known_beforehand(delimiters: tuple[bytes, ...]) -> None:
    """Delimiters have no header and announce no length, and the peer sets it."""
    scanner = scanner_of(delimiters)
    assert scanner.limited
    assert not scanner.announces
    assert scanner.remaining(None) is None
    progress = (1,) * len(delimiters)
    assert scanner.remaining(progress) is None
    assert scanner.header(progress) == b""
    assert scanner.overhead == min(map(len, delimiters))


def test_what_ends_every_frame() -> None:
    """It is known beforehand for one delimiter, and not for several."""
    assert DelimiterScanner(b"\r\n").found == TerminatorFound(b"\r\n")
    assert DelimitersScanner((b"\n", b";")).found is None


def test_pull_in_small_steps() -> None:
    """One delimiter, step by step: what is found, how far it goes, what is held."""
    scanner = DelimiterScanner(b"\r\n")
    assert scanner.pull(b"", 0, None, 9) == (None, 0, None)
    assert scanner.pull(b"ab\r\n", 0, None, 9) == (b"ab", 2, None)
    assert scanner.pull(b"ab\r\n", 2, None, 9) == (TerminatorFound(b"\r\n"), 4, None)
    assert scanner.pull(b"ab\r", 0, None, 9) == (b"ab", 3, (1,))
    assert scanner.pull(b"", 0, (1,), 9) == (None, 0, (1,))
    assert scanner.pull(b"\n", 0, (1,), 9) == (TerminatorFound(b"\r\n"), 1, None)
    assert scanner.pull(b"x", 0, (1,), 9) == (b"\r", 0, None)
    assert scanner.pull(b"\r", 0, None, 9) == (b"", 1, (1,))
    # Bytes before the offset are none of its business.
    assert scanner.pull(b"xxxxx\n", 5, (1,), 9) == (TerminatorFound(b"\r\n"), 6, None)
    assert scanner.pull(b"xxxxx\r", 5, (1,), 9) == (b"\r", 5, None)


def test_nothing_is_held_where_nothing_can_start() -> None:
    """A delimiter of one byte holds nothing back, and so does a chunk that ends elsewhere."""
    assert DelimiterScanner(b"\n").pull(b"ab", 0, None, 9) == (b"ab", 2, None)
    assert DelimiterScanner(b"\r\n").pull(b"\rab", 0, None, 9) == (b"\rab", 3, None)
    # The last byte is inside a delimiter, but what comes before it is not.
    assert DelimiterScanner(b"abc").pull(b"xb", 0, None, 9) == (b"xb", 2, None)


def test_progress_is_a_value() -> None:
    """A step that is taken again from the same progress leads to the same place."""
    scanner = DelimitersScanner((b"abcd", b"bcx"))
    _, _, progress = scanner.pull(b"abc", 0, None, 9)
    assert scanner.held(progress or ()) == b"abc"
    for _ in range(2):
        assert scanner.pull(b"d", 0, progress, 9) == (TerminatorFound(b"abcd"), 1, None)
        found, offset, then = scanner.pull(b"x", 0, progress, 9)
        assert (found, offset) == (b"a", 0)
        assert scanner.held(then or ()) == b"bc"
        assert scanner.pull(b"x", 0, then, 9) == (TerminatorFound(b"bcx"), 1, None)


def test_delimiters_are_no_patterns() -> None:
    """What means something in a regular expression stands for itself."""
    stream = b"a.b*c\\d|e\n"
    for delimiter in (b".", b"*", b"\\", b"|", b"[", b"(?i)", b"$", b"^"):
        feed = Feed(DelimitersScanner((delimiter, b"\n")))
        feed(stream)
        assert feed.frames == cut(stream, (delimiter, b"\n"))[0]


@given(strings(b"ab", 1, 12))
def test_borders(delimiter: bytes) -> None:
    """For each prefix, the longest border: proper prefix and suffix at once."""
    expected = [
        max(k for k in range(size) if delimiter[:k] == delimiter[size - k : size])
        for size in range(1, len(delimiter) + 1)
    ]
    assert list(_delimiters._borders(delimiter)) == expected


def test_scanners_are_shared() -> None:
    """Framers with the same delimiters share the tables, which nothing can change."""
    assert delimiter_scanner(b"\r\n").delimiter == b"\r\n"
    assert delimiter_scanner(b"\r\n") is delimiter_scanner(b"\r\n")
    assert delimiters_scanner((b"\n", b";")) is delimiters_scanner((b"\n", b";"))
    assert delimiters_scanner((b"\n", b";")) is not delimiters_scanner((b";", b"\n"))
    assert framer.__compiled__ or not hasattr(delimiter_scanner(b"\r\n"), "__dict__")
    assert framer.__compiled__ or not hasattr(delimiters_scanner((b"\n", b";")), "__dict__")


# -- Linear work ---------------------------------------------------------------------------


class Work:
    """Counts what the automaton does: a call for each byte, and each fall back to a border."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        advance: Any = _delimiters._advance

        def counting(delimiter: bytes, borders: array[int], state: int, byte: int) -> Any:
            self.done += 1
            return advance(delimiter, Watched(self, borders), state, byte)

        monkeypatch.setattr(_delimiters, "_advance", counting)


class Watched:
    """Borders, and a note of how often they are looked up."""

    def __init__(self, work: Work, borders: array[int]) -> None:
        self._work = work
        self._borders = borders

    def __getitem__(self, index: int) -> int:
        """Count, and look up."""
        self._work.done += 1
        return self._borders[index]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Count the work of the automaton."""
    return Work(monkeypatch)


LONG = b"a" * 400 + b"b"
STREAMS: dict[str, bytes] = {
    "never": b"a" * 20_000,
    "nearly": (b"a" * 399 + b"b") * 50,
    "once too many": (b"a" * 402 + b"b") * 50,
    "always": LONG * 50,
    "hold and let go": (b"a" * 300 + b"c") * 60,
    "alternately": b"ab" * 10_000,
    "in the way": b"xa" * 10_000,
}


def pieces(stream: bytes, size: int) -> list[bytes]:
    """Cut a stream into chunks of one size."""
    return [stream[start : start + size] for start in range(0, len(stream), size)]


@pytest.mark.parametrize("size", [1, 2, 7, 399, 400, 401, 1000, 100_000])
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("delimiters", [(LONG,), (LONG, b"a" * 350 + b"c")], ids=["one", "two"])
def test_linear_work(work: Work, delimiters: tuple[bytes, ...], stream: bytes, size: int) -> None:
    """A long delimiter that nearly matches all the time costs some steps a byte, not hundreds.

    Steps of the automaton are counted, and its falls back, and steps of the scanner.
    """
    scanner = scanner_of(delimiters)
    work.done = 0
    feed = Feed(scanner)
    parts = pieces(stream, size)
    for chunk in parts:
        feed(chunk)
        assert work.done <= 4 * len(delimiters) * (len(stream) + len(LONG))
    assert feed.frames == cut_fast(stream, delimiters)
    assert feed.steps <= 3 * len(parts) + 3 * len(feed.frames)


def cut_fast(stream: bytes, delimiters: tuple[bytes, ...]) -> list[tuple[bytes, object]]:
    """The frames of the streams above, in which only the long delimiters matter."""
    frames: list[tuple[bytes, object]] = []
    while True:
        found = [(stream.find(d), d) for d in delimiters if d in stream]
        if not found:
            return frames
        start, delimiter = min(found)
        frames.append((stream[:start], delimiter))
        stream = stream[start + len(delimiter) :]


@given(st.data(), DELIMITERS)
def test_linear_work_for_any_stream(data: st.DataObject, delimiters: tuple[bytes, ...]) -> None:
    """The same bound holds for streams that nobody thought of, cut anywhere."""
    parts = data.draw(chunks(delimiters))
    with pytest.MonkeyPatch.context() as monkeypatch:
        work = Work(monkeypatch)
        scanner = scanner_of(delimiters)
        work.done = 0
        feed = Feed(scanner)
        for chunk in parts:
            feed(chunk)
    size = len(b"".join(parts))
    assert work.done <= 4 * len(delimiters) * size
    assert feed.steps <= 3 * len(parts) + 3 * len(feed.frames)


@pytest.mark.skipif(
    framer.__compiled__, reason="what is compiled calls its own functions, not those put there"
)
@pytest.mark.parametrize("delimiter", [LONG, b"a" * 401, b"ab" * 200, bytes(range(256)) * 2])
def test_linear_preparation(work: Work, delimiter: bytes) -> None:
    """The table for a delimiter is made in some steps a byte."""
    DelimiterScanner(delimiter)
    assert len(delimiter) <= work.done + 1 <= 4 * len(delimiter)


# -- Any newline ---------------------------------------------------------------------------

LINES = strings(b"ab\r\n", 0, 14)


def pull_lines(parts: list[bytes]) -> tuple[list[bytes], bytes, list[TerminatorFound]]:
    """Drive the scanner for any newline, and swallow the LF after a CR as a framer does."""
    scanner = AnyNewlineScanner()
    lines: list[bytes] = []
    found_all: list[TerminatorFound] = []
    line = b""
    after_cr = False
    for part in parts:
        offset = int(after_cr and part.startswith(b"\n"))
        after_cr = after_cr and not part
        while True:
            found, offset, _ = scanner.pull(part, offset, None, 0)
            if found is None:
                break
            if isinstance(found, TerminatorFound):
                found_all.append(found)
                lines.append(line)
                line = b""
                if found is CR_FOUND:
                    after_cr = offset == len(part)
                    offset += part.startswith(b"\n", offset)
            else:
                assert isinstance(found, bytes)
                assert found
                line += found
        assert offset == len(part)
    return lines, line, found_all


@given(LINES, st.sets(st.integers(0, 14)))
def test_any_newline(stream: bytes, cuts: set[int]) -> None:
    """CR, LF and CRLF end a line, wherever the stream is cut, and nothing is held back."""
    edges = [0, *sorted(place for place in cuts if place < len(stream)), len(stream)]
    lines, rest, found = pull_lines([stream[a:b] for a, b in itertools.pairwise(edges)])
    assert (lines, rest) == cut_lines(stream)
    # CRLF counts as the CR that ended the line.
    ends = stream.replace(b"\r\n", b"\r").translate(None, b"ab")
    assert found == [{0x0D: CR_FOUND, 0x0A: LF_FOUND}[end] for end in ends]


def test_any_newline_does_not_wait() -> None:
    """A line is out with its CR, before anyone knows whether an LF follows."""
    scanner = AnyNewlineScanner()
    assert scanner.pull(b"ab\r", 0, None, 9) == (b"ab", 2, None)
    assert scanner.pull(b"ab\r", 2, None, 9) == (TerminatorFound(b"\r"), 3, None)
    assert scanner.pull(b"ab\r\n", 2, None, 9) == (TerminatorFound(b"\r"), 3, None)
    assert scanner.pull(b"\n", 0, None, 9) == (TerminatorFound(b"\n"), 1, None)
    assert scanner.pull(b"ab", 0, None, 9) == (b"ab", 2, None)
    assert scanner.pull(b"ab", 2, None, 9) == (None, 2, None)


@given(LINES, WINDOWS)
@example(b"a\r\nb", (0, 2, -1))
@example(b"a\r\nb", (0, 2, 1))
@example(b"a\n\r", (0, 3, -1))
@example(b"", (0, 0, -1))
def test_any_newline_split(buffer: bytes, window: tuple[int, int, int]) -> None:
    """``split`` cuts the lines of a window, but for one that ends with a CR at its very end.

    The LF that belongs to that CR may be behind the window.
    """
    start, end, most = window
    end = min(end, len(buffer))
    assume(start <= end)
    inside = buffer[start:end]
    certain = inside.removesuffix(b"\r")
    certain = certain[: max(certain.rfind(b"\r"), certain.rfind(b"\n")) + 1]
    lines, rest = AnyNewlineScanner().split(buffer, start, end, most)
    assert lines == cut_lines(certain)[0][: None if most < 0 else most]
    if most < 0 or len(lines) < most:
        assert rest == start + len(certain)
    else:
        assert cut_lines(buffer[start:rest]) == (lines, b"")
        assert buffer[rest - 1 : rest + 1] != b"\r\n", "a CRLF is never torn apart"


def test_any_newline_splits_at_nothing_else() -> None:
    """What ends a line of text, but not of bytes, is payload: form feed, NEL, and the like."""
    line = b"a\x0b\x0c\x1c\x1d\x1e\x85\xe2\x80\xa8\xe2\x80\xa9b"
    scanner = AnyNewlineScanner()
    for most in (-1, 1, 2):
        assert scanner.split(line + b"\n", 0, len(line) + 1, most) == ([line], len(line) + 1)
    assert pull_lines([line + b"\n"])[0] == [line]


def test_any_newline_has_no_state() -> None:
    """Nothing is known beforehand, held or flushed: the peer sets the length, line by line."""
    scanner = AnyNewlineScanner()
    assert scanner.limited
    assert not scanner.announces
    assert scanner.overhead == 1
    assert scanner.found is None
    assert scanner.flush(None) is None
    assert scanner.header(None) == scanner.held(None) == b""
    assert scanner.remaining(None) is None
    assert scanner.trigger is None
    assert scanner.patience(None) < 0
    assert framer.__compiled__ or not hasattr(scanner, "__dict__")
