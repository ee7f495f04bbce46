"""Scanners that read a length: the same frames for any chunks, and every way to be malformed."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import framer
from framer._events import TerminatorFound
from framer._exceptions import MalformedFrame
from framer._framer import Framer
from framer._lengths import (
    Body,
    LengthFromScanner,
    LengthPrefixScanner,
    NetstringScanner,
    VarintPrefixScanner,
    length_prefix_scanner,
    varint_prefix_scanner,
)
from framer._scanners import Malformed, Scanner, TooLarge
from framer._terminators import (
    LengthFrom,
    LengthPrefix,
    Netstring,
    VarintPrefix,
    encode_frame,
)

Prefix: TypeAlias = LengthPrefix | VarintPrefix | Netstring
Kind: TypeAlias = Prefix | LengthFrom

NO_LIMIT = math.inf


def digits(header: bytes) -> int:
    """Read a header that is a decimal number; it may be nonsense, or negative."""
    return int(header)


def scanner_of(kind: Kind) -> Scanner[Any]:
    """The scanner for a terminator."""
    match kind:
        case LengthPrefix():
            return LengthPrefixScanner(kind)
        case VarintPrefix():
            return VarintPrefixScanner(kind)
        case Netstring():
            return NetstringScanner()
        case LengthFrom():
            return LengthFromScanner(kind)


# -- What must come out, said by naive functions that see the whole string ------------------


class Bad(Exception):
    """The byte at this offset cannot be."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def header_of(rest: bytes, kind: Kind) -> tuple[int, int] | None:
    """The size of the header and the length it announces; None: it is not whole yet."""
    match kind:
        case LengthPrefix(size, byteorder):
            if len(rest) < size:
                return None
            length = int.from_bytes(rest[:size], byteorder) + kind.adjust
            if length < 0:
                raise Bad(0)
            return size, length
        case VarintPrefix(max_bytes):
            for size in range(1, max_bytes + 1):
                if len(rest) < size:
                    return None
                if rest[size - 1] < 0x80:
                    return size, sum((b & 0x7F) << 7 * i for i, b in enumerate(rest[:size]))
            raise Bad(max_bytes - 1)
        case Netstring():
            for size in range(1, len(rest) + 1):
                if re.fullmatch(rb"(0|[1-9][0-9]{0,8}):", rest[:size]):
                    return size, int(rest[: size - 1])
                if not re.fullmatch(rb"0|[1-9][0-9]{0,8}", rest[:size]):
                    raise Bad(size - 1)
            return None
        case LengthFrom():
            return length_from_header(rest, kind)


def length_from_header(rest: bytes, kind: LengthFrom) -> tuple[int, int] | None:
    """The same for a header that ends at a delimiter, at one of several, or after a count."""
    if isinstance(kind.header, int):
        size = whole = kind.header if len(rest) >= kind.header else -1
    else:
        delimiters = (kind.header,) if isinstance(kind.header, bytes) else kind.header
        ends = [(rest.find(d), -len(d)) for d in delimiters if d in rest]
        size, longest = min(ends, default=(-1, 0))
        whole = size - longest
        held = max(k for d in delimiters for k in range(len(d)) if rest.endswith(d[:k]))
        certain = size if size >= 0 else len(rest) - held
        if certain > kind.max_header_size:
            raise Bad(kind.max_header_size)
    if size < 0:
        return None
    try:
        length = kind.length_of(rest[:size])
    except ValueError:
        raise Bad(0) from None
    if length < 0:
        raise Bad(0)
    return whole, length


def footer_of(kind: Kind) -> bytes:
    """What has to follow the payload."""
    if isinstance(kind, LengthFrom):
        return kind.footer
    return b"," if isinstance(kind, Netstring) else b""


def check_footer(tail: bytes, footer: bytes, offset: int) -> None:
    """Find the first byte that is not the footer's, in what is at this offset of a frame."""
    for index, (byte, right) in enumerate(zip(tail, footer, strict=False)):
        if byte != right:
            raise Bad(offset + index)


class Outcome:
    """What there is in a stream: frames, the payload of an unfinished one, what is wrong."""

    def __init__(self, stream: bytes, kind: Kind) -> None:
        self.frames: list[tuple[bytes, object]] = []
        self.payload = b""
        self.remaining: int | None = None
        self.bad: int | None = None
        footer = footer_of(kind)
        start = 0
        try:
            while (header := header_of(stream[start:], kind)) is not None:
                body = start + header[0]
                end = body + header[1]
                first = start if isinstance(kind, LengthFrom) and kind.keep_header else body
                self.payload = stream[first:end]
                self.remaining = max(end - len(stream), 0)
                check_footer(stream[end:], footer, end - start)
                if len(stream) < end + len(footer):
                    return
                self.frames.append((self.payload, footer or header[1]))
                self.payload = b""
                self.remaining = None
                start = end + len(footer)
        except Bad as bad:
            self.bad = start + bad.offset


# -- The scanner, driven chunk by chunk ----------------------------------------------------


class Feed:
    """A stream on its way through a scanner, as a framer would lead it.

    After each step all bytes that were taken are accounted for, in their order.
    """

    def __init__(self, scanner: Scanner[Any]) -> None:
        self.scanner = scanner
        self.buffer = b""
        self.seen = 0
        self.progress: Any = None
        self.frames: list[tuple[bytes, object]] = []
        self.payload = b""
        self.frame = b""  # all that was taken of the unfinished one
        self.bad: int | None = None
        self.reason = ""
        self.too_large: TooLarge | None = None

    def __call__(self, chunk: bytes, allowed: float = NO_LIMIT) -> None:
        """Take steps until more is needed, or there is no going on."""
        self.buffer += chunk
        self.seen += len(chunk)
        self.too_large = None
        offset = 0
        while True:
            before = offset
            found, offset, self.progress = self.scanner.pull(
                self.buffer, offset, self.progress, allowed
            )
            self.frame += self.buffer[before:offset]
            if isinstance(found, TerminatorFound):
                assert self.progress is None
                self.frames.append((self.payload, found.matched))
                self.payload = self.frame = b""
                continue
            if isinstance(found, bytes):
                self.payload += found
            self.account()
            if isinstance(found, Malformed):
                self.reason = found.reason
                self.bad = self.seen - len(self.buffer) + found.index
            elif isinstance(found, TooLarge):
                assert found.announced > allowed
                self.too_large = found
            if not isinstance(found, bytes):
                break
        self.buffer = self.buffer[offset:]

    def account(self) -> None:
        """Compare what was taken with what came of it."""
        if self.progress is None:
            assert self.frame == self.payload
            return
        header, held = self.scanner.header(self.progress), self.scanner.held(self.progress)
        assert self.frame == header + self.payload + held
        remaining = self.scanner.remaining(self.progress)
        if not header and self.payload:
            return  # The header is kept, and so counts as payload.
        begun = self.scanner.begun(self.progress)
        assert begun is bool(self.payload)
        assert not begun or remaining is not None


def pulled(
    scanner: Scanner[Any], buffer: bytes, start: int, end: int, most: int
) -> tuple[list[bytes], int]:
    """What ``split`` has to give, by a loop over ``pull``."""
    window = buffer[:end]
    frames: list[bytes] = []
    payload = b""
    offset, progress = start, None
    while len(frames) != most:
        found, offset, progress = scanner.pull(window, offset, progress, NO_LIMIT)
        if isinstance(found, TerminatorFound):
            frames.append(payload)
            payload = b""
            start = offset
        elif isinstance(found, bytes):
            payload += found
        else:
            break
    return frames, start


# -- Strategies ----------------------------------------------------------------------------

PREFIXES: st.SearchStrategy[Prefix] = st.one_of(
    st.builds(
        LengthPrefix,
        st.integers(1, 8),
        st.sampled_from(["big", "little"]),
        adjust=st.integers(-3, 3),
    ),
    st.builds(VarintPrefix, st.integers(1, 3)),
    st.just(Netstring()),
)
LENGTH_FROMS = st.builds(
    LengthFrom,
    st.sampled_from([b"\n", b"::", b"1:", (b"\n", b";"), (b"\n", b"\r\n"), (b"::", b":;"), 1, 2]),
    st.just(digits),
    footer=st.sampled_from([b"", b"!", b"\r\n", b"aab"]),
    keep_header=st.booleans(),
    max_header_size=st.integers(2, 5),
)
KINDS: st.SearchStrategy[Kind] = PREFIXES | LENGTH_FROMS
PAYLOADS = st.lists(st.sampled_from(b"a1:\n!"), max_size=5).map(bytes)


def frame_of(payload: bytes, kind: Kind) -> bytes:
    """Make a frame, also of a kind that `encode_frame` cannot make."""
    if not isinstance(kind, LengthFrom):
        return encode_frame(payload, kind)
    if isinstance(kind.header, int):
        return b"%0*d" % (kind.header, len(payload)) + payload + kind.footer
    delimiter = kind.header if isinstance(kind.header, bytes) else kind.header[-1]
    return b"%d" % len(payload) + delimiter + payload + kind.footer


@st.composite
def streams(draw: st.DrawFn, kind: Kind) -> bytes:
    """Frames, and now and then what is none."""
    junk = b"0123-:;,\n\r!a\x00\x01\x80\xff"
    stream = b""
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.integers(0, 4)):
            try:
                stream += frame_of(draw(PAYLOADS), kind)
            except ValueError:  # adjust leaves no room for this length
                continue
        else:
            stream += draw(st.lists(st.sampled_from(junk), max_size=8).map(bytes))
    return stream


def cut_at(stream: bytes, cuts: set[int]) -> list[bytes]:
    """Cut a stream into chunks."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


CUTS = st.sets(st.integers(0, 50))


# -- All kinds -----------------------------------------------------------------------------


@given(st.data(), KINDS, CUTS)
def test_frames(data: st.DataObject, kind: Kind, cuts: set[int]) -> None:
    """After every chunk: the frames, what ended them, the payload under way, what is to come.

    A malformed frame is seen with its first bad byte, and not later.
    """
    feed = Feed(scanner_of(kind))
    stream = b""
    for chunk in cut_at(data.draw(streams(kind)), cuts):
        stream += chunk
        feed(chunk)
        outcome = Outcome(stream, kind)
        assert feed.frames == outcome.frames
        assert feed.bad == outcome.bad
        assert feed.payload == outcome.payload
        if feed.bad is not None:
            break
        assert feed.scanner.remaining(feed.progress) == outcome.remaining


@given(st.data(), KINDS)
def test_frames_bytewise(data: st.DataObject, kind: Kind) -> None:
    """Byte by byte it is the same as in one go, up to the byte that is bad."""
    stream = data.draw(streams(kind))
    whole, bytewise = Feed(scanner_of(kind)), Feed(scanner_of(kind))
    whole(stream)
    for byte in stream:
        if bytewise.bad is None:
            bytewise(bytes([byte]))
    assert bytewise.frames == whole.frames
    assert bytewise.payload == whole.payload
    assert bytewise.bad == whole.bad
    assert bytewise.reason == whole.reason


@given(st.data(), PREFIXES)
def test_malformed_again(data: st.DataObject, kind: Prefix) -> None:
    """What is malformed stays so, and is not taken: the same step finds the same byte bad."""
    feed = Feed(scanner_of(kind))
    feed(data.draw(streams(kind)))
    found, offset, progress = feed.scanner.pull(feed.buffer, 0, feed.progress, NO_LIMIT)
    assert (offset, progress) == (0, feed.progress)
    if isinstance(found, Malformed):
        assert feed.bad == feed.seen - len(feed.buffer) + found.index
    else:
        assert found is None
        assert feed.bad is None


@given(st.data(), KINDS)
def test_split(data: st.DataObject, kind: Kind) -> None:
    """``split`` of a window cuts what a loop over ``pull`` does, as many as are asked for.

    It stops where a frame is not whole or not well-formed.
    For LengthFrom it leaves everything to ``pull``.
    """
    buffer = data.draw(streams(kind))
    start = data.draw(st.just(0) | st.integers(0, len(buffer)))
    end = data.draw(st.integers(start, len(buffer)))
    most = data.draw(st.sampled_from([-1, 1, 2, 3]))
    scanner = scanner_of(kind)
    split = scanner.split(buffer, start, end, most)
    if isinstance(kind, LengthFrom):
        assert split == ([], start)
    else:
        assert split == pulled(scanner, buffer, start, end, most)


@given(
    PREFIXES,
    st.lists(PAYLOADS | st.integers(120, 300).map(bytes), max_size=5),
    st.sampled_from([-1, -1, 1, 3]),
)
def test_split_whole_frames(kind: Prefix, payloads: list[bytes], most: int) -> None:
    """``split`` of nothing but whole frames gives them all, or as many as are asked for.

    With a byte less, the last one is not whole, wherever the window ends in it.
    """
    sent: list[bytes] = []
    buffer = b""
    for payload in payloads:
        try:
            buffer += encode_frame(payload, kind)
        except ValueError:
            continue
        sent.append(payload)
    split = scanner_of(kind).split
    frames, rest = split(buffer, 0, len(buffer), most)
    assert frames == (sent if most < 0 else sent[:most])
    assert most > 0 or rest == len(buffer)
    if sent:
        last = len(encode_frame(sent[-1], kind))
        for missing in range(1, last + 1):
            cut = len(buffer) - missing
            assert split(buffer, 0, cut, -1) == (sent[:-1], len(buffer) - last)
            assert split(buffer[:cut], 0, cut, -1) == (sent[:-1], len(buffer) - last)


@given(st.data(), PREFIXES)
def test_split_stops_at_what_is_malformed(data: st.DataObject, kind: Prefix) -> None:
    """Behind whole frames comes what is none: that is left for ``pull``."""
    junk = data.draw(st.sampled_from([b"\xff" * 9, b"0" * 9, b"1:ab", b"01:a,", b":,", b"x"]))
    frame = encode_frame(b"abcd", kind)
    buffer = frame * 2 + junk
    expected = pulled(scanner_of(kind), buffer, 0, len(buffer), -1)
    assert scanner_of(kind).split(buffer, 0, len(buffer), -1) == expected
    assert expected[1] >= 2 * len(frame)


@given(st.data(), KINDS, st.integers(0, 4))
def test_too_large(data: st.DataObject, kind: Kind, allowed: int) -> None:
    """A length up to *allowed* passes, one more does not, and that is told with its header.

    Nothing of the frame is lost thereby: with more allowed, it goes on.
    """
    payload = data.draw(PAYLOADS)
    try:
        frame = frame_of(payload, kind)
    except ValueError:
        assume(False)
        return
    header = len(frame) - len(payload) - len(footer_of(kind))
    feed = Feed(scanner_of(kind))
    feed(frame[:header], allowed)
    if len(payload) > allowed:
        assert feed.too_large is not None
        assert feed.too_large.announced == len(payload)
        assert not feed.payload
        feed(b"", allowed)
        assert feed.too_large is not None, "and again"
        feed(b"", len(payload))
    assert feed.too_large is None
    feed(frame[header:], len(payload))
    assert feed.too_large is None
    assert feed.frames == Outcome(frame, kind).frames
    assert len(feed.frames) == 1


@given(st.data(), KINDS)
def test_patience(data: st.DataObject, kind: Kind) -> None:
    """Inside a payload it can wait for all that is missing but one byte, whatever the bytes.

    No frame is complete before, nor can one be malformed.
    """
    scanner = scanner_of(kind)
    feed = Feed(scanner)
    feed(data.draw(streams(kind)))
    assert scanner.trigger is None
    patience = scanner.patience(feed.progress)
    missing = scanner.remaining(feed.progress) or 0
    assert patience == missing - 1
    if 0 <= patience < 1000:
        frames, bad = len(feed.frames), feed.bad
        feed(bytes(patience))
        assert (len(feed.frames), feed.bad) == (frames, bad)
        assert scanner.remaining(feed.progress) == 1


@given(PREFIXES, PAYLOADS, st.data())
def test_expects(kind: Prefix, payload: bytes, data: st.DataObject) -> None:
    """Once the length has been read, all that is missing is expected, and never more than that."""
    try:
        frame = frame_of(payload, kind)
    except ValueError:
        assume(False)
        return
    scanner = scanner_of(kind)
    size = data.draw(st.integers(0, len(frame)))
    missing = len(frame) - size
    header = len(frame) - len(payload) - len(footer_of(kind))
    if size >= header:
        assert scanner.expects(frame[:size]) == missing
    else:
        assert 1 <= scanner.expects(frame[:size]) <= missing


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        (LengthPrefix(1, adjust=-2), b"\x01"),
        (VarintPrefix(2), b"\xff\xff"),
        (Netstring(), b"x"),
    ],
)
def test_nothing_is_expected_of_what_is_malformed(kind: Prefix, rest: bytes) -> None:
    """It is not waited for: ``pull`` says at once what is wrong."""
    assert scanner_of(kind).expects(rest) == 0


@given(KINDS)
def test_in_common(kind: Kind) -> None:
    """The peer says the length, beforehand; the end of the stream completes no frame."""
    scanner = scanner_of(kind)
    assert scanner.limited
    assert scanner.announces
    assert scanner.found == (TerminatorFound(b",") if isinstance(kind, Netstring) else None)
    assert scanner.remaining(None) is None
    for progress in (None, Body(b"\x05", 5, 3)):
        assert scanner.flush(progress) is None
    assert scanner.header(Body(b"\x05", 5, 3)) == b"\x05"
    assert scanner.held(Body(b"\x05", 5, 3)) == b""
    assert scanner.remaining(Body(b"\x05", 5, 3)) == 3
    assert scanner.begun(Body(b"\x05", 5, 3))
    assert not scanner.begun(Body(b"\x05", 5, 5))
    assert framer.__compiled__ or not hasattr(scanner, "__dict__")


@given(PREFIXES, PAYLOADS)
def test_overhead(kind: Prefix, payload: bytes) -> None:
    """No frame has fewer bytes besides its payload than the overhead says."""
    try:
        frame = encode_frame(payload, kind)
    except ValueError:
        return
    assert len(frame) - len(payload) >= scanner_of(kind).overhead > 0


def test_scanners_are_shared() -> None:
    """Framers with equal prefixes share what is known about them, and unequal ones do not."""
    assert length_prefix_scanner(LengthPrefix(2)) is length_prefix_scanner(LengthPrefix(2))
    assert length_prefix_scanner(LengthPrefix(2)) is not length_prefix_scanner(LengthPrefix(3))
    assert varint_prefix_scanner(VarintPrefix(2)) is varint_prefix_scanner(VarintPrefix(2))
    assert varint_prefix_scanner(VarintPrefix(2)) is not varint_prefix_scanner(VarintPrefix(3))


def test_overhead_of_a_header() -> None:
    """For LengthFrom nothing is promised: a header and a footer may be short."""
    assert LengthFromScanner(LengthFrom(1, digits)).overhead == 0


class Slices(bytes):
    """Bytes that take note of how much of them is copied."""

    copied = 0

    def __getitem__(self, index: Any) -> Any:
        """Count."""
        get: Callable[[Any], Any] = super().__getitem__
        piece = get(index)
        self.copied += 0 if isinstance(piece, int) else len(piece)
        return piece


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        (LengthPrefix(1), 8),
        (LengthPrefix(3), 10),
        (VarintPrefix(), 8),
        (Netstring(), 10),
    ],
    ids=repr,
)
def test_split_copies_its_window_only(kind: Prefix, end: int) -> None:
    """``split`` of a small window costs nothing for what is behind it in the buffer.

    Else a flood of small frames in one big chunk takes quadratic time.
    """
    frame = encode_frame(b"ab", kind)
    buffer = Slices(frame * 10_000)
    frames, _ = scanner_of(kind).split(buffer, 0, end, -1)
    assert frames == [b"ab"] * (end // len(frame))
    assert buffer.copied <= 4 * end


# -- Fields of fixed size ------------------------------------------------------------------


@given(st.integers(1, 8), st.sampled_from(["big", "little"]), st.integers(-300, 300), st.data())
def test_length_fields(size: int, byteorder: Any, adjust: int, data: st.DataObject) -> None:
    """Every size and order is read as the integer it is; below 0 its first byte is bad."""
    field = data.draw(st.integers(0, 600) | st.integers(0, 256**size - 1))
    assume(field < 256**size)
    scanner = LengthPrefixScanner(LengthPrefix(size, byteorder, adjust=adjust))
    buffer = b"??" + field.to_bytes(size, byteorder)
    assert scanner.pull(buffer[:-1], 2, None, NO_LIMIT) == (None, 2, None)
    found, offset, progress = scanner.pull(buffer, 2, None, -1)
    assert (offset, progress) == (2, None)
    if field + adjust < 0:
        assert isinstance(found, Malformed)
        assert found.index == 2
        assert "below zero" in found.reason
        assert scanner.split(buffer, 2, len(buffer), -1) == ([], 2)
    else:
        assert isinstance(found, TooLarge)
        assert found.announced == field + adjust


@pytest.mark.parametrize("size", range(1, 9))
def test_split_stops_below_zero(size: int) -> None:
    """``split`` never goes back, not even into the field that announces too little."""
    for adjust in range(-2 * size - 1, 0):
        scanner = LengthPrefixScanner(LengthPrefix(size, adjust=adjust))
        for field in range(-adjust):
            buffer = field.to_bytes(size, "big") * 3
            assert scanner.split(buffer, size, len(buffer), -1) == ([], size)


def test_length_prefix_step_by_step() -> None:
    """A field, step by step: what is found, how far it goes, what is remembered."""
    scanner = LengthPrefixScanner(LengthPrefix(2))
    assert scanner.pull(b"\x00", 0, None, 9) == (None, 0, None)
    body = Body(b"\x00\x03", 3, 3)
    assert scanner.pull(b"\x00\x03", 0, None, 9) == (None, 2, body)
    assert scanner.pull(b"ab", 0, body, 9) == (b"ab", 2, Body(b"\x00\x03", 3, 1))
    assert scanner.pull(b"cd", 0, Body(b"\x00\x03", 3, 1), 9) == (b"c", 1, Body(b"\x00\x03", 3, 0))
    assert scanner.pull(b"cd", 1, Body(b"\x00\x03", 3, 0), 9) == (TerminatorFound(3), 1, None)
    assert scanner.pull(b"\x00\x00", 0, None, 0) == (TerminatorFound(0), 2, None)


# -- Varints -------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 127), min_size=1, max_size=12), st.integers(1, 12))
def test_varints(groups: list[int], max_bytes: int) -> None:
    """Seven bits a byte, the lowest first; overlong ones are fine, up to *max_bytes*."""
    varint = bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])
    scanner = VarintPrefixScanner(VarintPrefix(max_bytes))
    for size in range(min(len(varint), max_bytes)):
        assert scanner.pull(b"?" + varint[:size], 1, None, 0) == (None, 1, None)
    found, offset, progress = scanner.pull(b"?" + varint, 1, None, -1)
    assert (offset, progress) == (1, None)
    if len(varint) > max_bytes:
        assert isinstance(found, Malformed)
        assert found.index == max_bytes
        assert "longer than max_bytes" in found.reason
    else:
        assert isinstance(found, TooLarge)
        assert found.announced == sum(group << 7 * place for place, group in enumerate(groups))


def test_varint_is_malformed_with_the_last_byte_allowed() -> None:
    """That a varint goes on is certain with the byte that says so, not with the next."""
    scanner = VarintPrefixScanner(VarintPrefix(2))
    assert scanner.pull(b"\x80", 0, None, 9) == (None, 0, None)
    found, _, _ = scanner.pull(b"\x80\x80", 0, None, 9)
    assert isinstance(found, Malformed)
    assert found.index == 1


# -- Netstrings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "bad", "words"),
    [
        (b":", 0, "b':' for a digit"),
        (b",", 0, "b',' for a digit"),
        (b"-1:", 0, "b'-' for a digit"),
        (b"+1:", 0, "b'+' for a digit"),
        (b" 1:", 0, "b' ' for a digit"),
        (b"\n", 0, r"b'\n' for a digit"),
        (b"1 :", 1, "b' ' for a digit"),
        (b"12\n", 2, r"b'\n' for a digit"),
        (b"1_0:", 1, "b'_' for a digit"),
        (b"\xb2:", 0, r"b'\xb2' for a digit"),
        (b"00:,", 1, "leading zero"),
        (b"01:a,", 1, "leading zero"),
        (b"0x1:", 1, "b'x' for a digit"),
        (b"1234567890", 9, "more than nine digits"),
        (b"1234567890:", 9, "more than nine digits"),
        (b"0:;", 2, "followed by b';'"),
        (b"2:ab\n", 4, r"followed by b'\n', not by b','"),
        (b"2:abc,", 4, "followed by b'c'"),
        (b"1:a,1:a1:a,", 7, "followed by b'1'"),
        (b"1:a,1 :", 5, "b' ' for a digit"),
        (b"1:a,01:a,", 5, "leading zero"),
        (b"1:a,1234567890:", 13, "more than nine digits"),
    ],
)
def test_netstring_malformed(stream: bytes, bad: int, words: str) -> None:
    """Every departure from the specification is bad at its first byte, for every split."""
    for cut in range(len(stream)):
        feed = Feed(NetstringScanner())
        for chunk in (stream[:cut], stream[cut:]):
            if feed.bad is None:
                feed(chunk)
        assert feed.bad == bad
        assert words in feed.reason
    before = Feed(NetstringScanner())
    before(stream[:bad])
    assert before.bad is None
    before(stream[bad : bad + 1])
    assert before.bad == bad


def test_netstring_nine_digits() -> None:
    """Nine digits pass, as far as the length goes, and no memory is set aside for them."""
    scanner = NetstringScanner()
    assert scanner.pull(b"999999999", 0, None, NO_LIMIT) == (None, 0, None)
    found, _, progress = scanner.pull(b"999999999:", 0, None, NO_LIMIT)
    assert found is None
    assert scanner.remaining(progress) == 999_999_999
    found, offset, progress = scanner.pull(b"999999999:", 0, None, 999_999_998)
    assert isinstance(found, TooLarge)
    assert (found.announced, offset, progress) == (999_999_999, 0, None)


# -- Footers -------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=5), st.data(), CUTS)
@example(b"aab", None, set())
def test_wrong_footer(footer: bytes, data: st.DataObject | None, cuts: set[int]) -> None:
    """A footer is malformed at its first byte that differs, whichever that is.

    It is so with that byte, whatever the chunks; the payload before it is out.
    """
    kind = LengthFrom(1, digits, footer=footer)
    for place, right in enumerate(footer):
        wrong = (right + 1) % 256 if data is None else data.draw(st.integers(0, 255))
        if wrong == right:
            continue
        feed = Feed(LengthFromScanner(kind))
        for chunk in cut_at(b"2ab" + footer[:place], cuts):
            feed(chunk)
        assert feed.bad is None
        assert feed.payload == b"ab"
        feed(bytes([wrong]) + footer[place + 1 :])
        assert feed.bad == 3 + place
        assert feed.payload == b"ab"
        assert feed.buffer == footer[:place] + bytes([wrong]) + footer[place + 1 :]


def test_wrong_footer_says_what_is_there() -> None:
    """The reason shows what came, up to the bad byte and no more, and what should have."""
    scanner = LengthFromScanner(LengthFrom(1, digits, footer=b"\r\n!"))
    for tail in (b"\rx", b"\rx!", b"\rxyz"):
        found, _, _ = scanner.pull(tail, 0, Body(b"0", 0, 0), 9)
        assert isinstance(found, Malformed)
        assert found.reason == r"the payload is followed by b'\rx', not by b'\r\n!'"
        assert found.index == 1


# -- Headers of any kind -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "stream", "given_to_length_of"),
    [
        (b"\n", b"2\nab", b"2"),
        (b"\r\n", b"2\r\nab", b"2"),
        (b"\r\n", b"\r2\r\nab", b"\r2"),
        ((b"\n", b"\r\n"), b"2\r\nab", b"2"),
        ((b"\n", b"\r\n"), b"2\nab", b"2"),
        ((b";", b":"), b"2:ab", b"2"),
        (1, b"2ab", b"2"),
        (4, b"0002ab", b"0002"),
    ],
)
@pytest.mark.parametrize("keep_header", [False, True])
@pytest.mark.parametrize("footer", [b"", b"!"])
def test_headers(
    header: Any, stream: bytes, given_to_length_of: bytes, keep_header: bool, footer: bytes
) -> None:
    """The function is called once, with the header alone; the frame may have it as it came."""
    asked: list[bytes] = []

    def length_of(header: bytes) -> int:
        asked.append(header)
        return 2

    kind = LengthFrom(header, length_of, footer=footer, keep_header=keep_header)
    stream += footer
    for cuts in itertools.product((False, True), repeat=len(stream) - 1):
        asked.clear()
        feed = Feed(LengthFromScanner(kind))
        for chunk in cut_at(stream, {place for place, here in enumerate(cuts, 1) if here}):
            feed(chunk)
        payload = stream.removesuffix(footer) if keep_header else b"ab"
        assert feed.frames == [(payload, footer or 2)]
        assert asked == [given_to_length_of]
        assert type(asked[0]) is bytes


@pytest.mark.parametrize("keep_header", [False, True])
def test_kept_header_is_payload_at_once(keep_header: bool) -> None:
    """A header that is kept is out as soon as it is whole, with its delimiter."""
    feed = Feed(LengthFromScanner(LengthFrom(b"\r\n", digits, keep_header=keep_header)))
    feed(b"3\r")
    assert feed.payload == b""
    assert feed.scanner.held(feed.progress) == b"\r"
    feed(b"\n")
    assert feed.payload == (b"3\r\n" if keep_header else b"")
    assert feed.scanner.header(feed.progress) == (b"" if keep_header else b"3\r\n")
    assert feed.scanner.remaining(feed.progress) == 3


@pytest.mark.parametrize("header", [b"\n", b"\r\n", b"aab", (b"\r\n", b"\n"), (b";", b"\r\n")])
@given(most=st.integers(1, 6), size=st.integers(0, 9), cuts=CUTS)
def test_max_header_size(header: Any, most: int, size: int, cuts: set[int]) -> None:
    """A header of *max_header_size* bytes passes, one more is bad at just that byte.

    A delimiter that is half there does not count, whatever the chunks.
    """
    kind = LengthFrom(header, lambda _: 0, max_header_size=most)
    delimiter = header if isinstance(header, bytes) else header[0]
    stream = b"a" * size + delimiter
    expected = Outcome(stream, kind)
    feed = Feed(LengthFromScanner(kind))
    for chunk in cut_at(stream, cuts):
        if feed.bad is None:
            feed(chunk)
    assert feed.bad == expected.bad == (most if size > most else None)
    assert feed.frames == expected.frames


@given(most=st.integers(1, 6), header=st.binary(max_size=9), cuts=CUTS)
def test_max_header_size_without_an_end(most: int, header: bytes, cuts: set[int]) -> None:
    """That a header is too long is certain with its first byte too many, end or no end."""
    kind = LengthFrom(b"\r\n", lambda _: 0, max_header_size=most)
    assume(b"\r\n" not in header)
    stream = b""
    feed = Feed(LengthFromScanner(kind))
    for chunk in cut_at(header, cuts):
        stream += chunk
        feed(chunk)
        size = len(stream) - stream.endswith(b"\r")
        assert feed.bad == (most if size > most else None)
        if feed.bad is not None:
            break


def test_max_header_size_says_so() -> None:
    """The reason names the limit."""
    found, _, _ = LengthFromScanner(LengthFrom(b"\n", digits, max_header_size=2)).pull(
        b"123", 0, None, 9
    )
    assert isinstance(found, Malformed)
    assert found.reason == "the header is longer than max_header_size"


# -- The function of a header --------------------------------------------------------------


def refuse(header: bytes) -> int:
    """Raise a ValueError that can be told from others."""
    raise ValueError(f"no {header!r}", 42)


@pytest.mark.parametrize("header", [b"\r\n", (b"\r\n", b";"), 2])
def test_length_of_raises_value_error(header: Any) -> None:
    """A header that the function refuses is malformed from its first byte; the error is kept."""
    kind = LengthFrom(header, refuse, keep_header=True)
    stream = b"xx" if header == 2 else b"xx\r\n"
    for cut in range(len(stream)):
        feed = Feed(LengthFromScanner(kind))
        feed(stream[:cut])
        feed(stream[cut:])
        assert feed.bad == 0
        assert feed.payload == b""
        found, _, _ = feed.scanner.pull(feed.buffer, 0, feed.progress, 9)
        assert isinstance(found, Malformed)
        assert "length_of() does not accept the header: " in found.reason
        assert "no b'xx'" in found.reason
        assert isinstance(found.cause, ValueError)
        assert found.cause.args == ("no b'xx'", 42)


def test_cause_reaches_the_program() -> None:
    """The framer's error is caused by the function's, every time it is raised."""
    framer = Framer(LengthFrom(b"\n", refuse))
    framer.receive_data(b"x\n")
    for read in (framer.next_frame, framer.next_event, framer.next_frame):
        with pytest.raises(MalformedFrame) as raised:
            read()
        assert isinstance(raised.value.__cause__, ValueError)
        assert raised.value.__cause__.args == ("no b'x'", 42)
    assert framer.take_buffered() == b"x\n"


def test_subclasses_of_value_error() -> None:
    """Bytes that are no text are a ValueError, too, and make the frame malformed."""
    kind = LengthFrom(b"\n", lambda header: int(header.decode("ascii")))
    feed = Feed(LengthFromScanner(kind))
    feed(b"\xff\n")
    assert feed.bad == 0


@pytest.mark.parametrize("length", [-1, -(2**70)])
def test_length_of_returns_negative(length: int) -> None:
    """A negative length is malformed from the header's first byte on."""
    feed = Feed(LengthFromScanner(LengthFrom(b"\n", lambda _: length)))
    feed(b"1")
    assert feed.bad is None
    feed(b"23\n")
    assert feed.bad == 0
    found, _, _ = feed.scanner.pull(feed.buffer, 0, feed.progress, 9)
    assert isinstance(found, Malformed)
    assert found.reason == "length_of() finds a negative length in the header"
    assert found.cause is None


class Fickle:
    """A function of a header that does something else each time."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.headers: list[bytes] = []

    def __call__(self, header: bytes) -> int:
        """Raise, or return, the next answer."""
        self.headers.append(header)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert answer is not Ellipsis
        return answer  # type: ignore[no-any-return]


# What a function may do wrong, and the error that then comes out.
MISTAKES: list[tuple[Any, type[Exception]]] = [
    (KeyError("x"), KeyError),
    (RuntimeError("x"), RuntimeError),
    (TypeError("x"), TypeError),
    (OSError("x"), OSError),
    (StopIteration("x"), RuntimeError),  # else a loop over frames would just end
    (1.0, TypeError),
    (2.5, TypeError),
    ("2", TypeError),
    (b"2", TypeError),
    (None, TypeError),
]


@pytest.mark.parametrize(("mistake", "error"), MISTAKES, ids=repr)
@pytest.mark.parametrize("header", [b"\r\n", 3])
def test_length_of_makes_a_mistake(mistake: Any, error: type[Exception], header: Any) -> None:
    """A mistake in the function is the program's, not the peer's: it comes out as it is.

    Nothing is lost by it. The same step again asks again, and goes on if there is an answer.
    """
    length_of = Fickle(mistake, mistake, 2)
    scanner = LengthFromScanner(LengthFrom(header, length_of))
    stream = b"5\r\nab" if header == b"\r\n" else b"005ab"
    found, offset, progress = scanner.pull(stream, 0, None, 9)
    while offset < 3:
        assert found == b""
        found, offset, progress = scanner.pull(stream, offset, progress, 9)
    while not length_of.headers:
        try:
            found, offset, progress = scanner.pull(stream, offset, progress, 9)
        except error:
            break
    with pytest.raises(error):
        scanner.pull(stream, offset, progress, 9)
    assert progress is not None
    assert scanner.header(progress) == stream[:3]
    assert offset == 3
    assert scanner.pull(stream, offset, progress, 9) == (b"", 3, Body(stream[:3], 2, 2))
    assert length_of.headers == [stream[: 1 if header == b"\r\n" else 3]] * 3


@pytest.mark.parametrize(("mistake", "error"), MISTAKES, ids=repr)
@pytest.mark.parametrize("read", [Framer.next_frame, Framer.next_event])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_mistake_loses_no_byte(
    mistake: Any, error: type[Exception], read: Callable[[Framer], object], size: int
) -> None:
    """Through a framer, too: the mistake comes again and again, and all bytes stay."""
    framer = Framer(LengthFrom(b"\r\n", Fickle(*[mistake] * 9)))
    stream = b"5\r\nab"
    for start in range(0, 3, size):
        framer.receive_data(stream[start : min(start + size, 3)])
        if start + size < 3:
            assert read(framer) is None
    for _ in range(3):
        with pytest.raises(error):
            read(framer)
        assert framer.buffered == 3
    framer.receive_data(stream[3:])
    with pytest.raises(error):
        read(framer)
    assert framer.take_buffered() == stream


def test_wrong_type_says_so() -> None:
    """The message shows what the function returned."""
    framer = Framer(LengthFrom(b"\n", Fickle(2.5)))
    framer.receive_data(b"x\n")
    with pytest.raises(TypeError, match=r"length_of\(\) returns must be an int, not 2\.5"):
        framer.next_frame()


@pytest.mark.parametrize("read", [Framer.frames, Framer.events])
def test_stop_iteration_does_not_end_the_loop(read: Callable[[Framer], Any]) -> None:
    """A StopIteration from the function is not taken for the end of what there is to read."""
    framer = Framer(LengthFrom(b"\n", Fickle(StopIteration("x"), 2)))
    framer.receive_data(b"x\nab")
    with pytest.raises(RuntimeError) as raised:
        list(read(framer))
    assert isinstance(raised.value.__cause__, StopIteration)
    assert framer.buffered == 4
    assert len(list(read(framer))) > 0


def test_length_of_is_asked_once() -> None:
    """A frame that is too large is measured once, however often it is looked at."""
    length_of = Fickle(5)
    scanner = LengthFromScanner(LengthFrom(1, length_of))
    feed = Feed(scanner)
    for _ in range(3):
        feed(b"" if length_of.headers else b"x", 4)
        assert feed.too_large is not None
    feed(b"abcde", 5)
    assert feed.frames == [(b"abcde", 5)]
    assert length_of.headers == [b"x"]


# -- What mutants of the module taught -------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 129, 16383, 16384])
def test_varint_where_it_gets_longer(size: int) -> None:
    """Just below and just above, many frames at once and piece by piece, they come back."""
    frames = [bytes(size)] * 9
    stream = b"".join(encode_frame(frame, VarintPrefix()) for frame in frames)
    framer = Framer(VarintPrefix())
    framer.receive_data(stream)
    assert list(framer.frames()) == frames
    step = 1 if size < 200 else 5000
    pieces: list[bytes] = []
    for start in range(0, len(stream), step):
        framer.receive_data(stream[start : start + step])
        pieces += framer.frames()
    assert pieces == frames


@pytest.mark.parametrize("before", [0, 1, 3, 10])
def test_varint_that_one_byte_completes(before: int) -> None:
    """After any number of frames, the last byte of the prefix of an empty one is enough."""
    framer = Framer(VarintPrefix())
    for _ in range(before):
        framer.receive_data(b"\x01a\x01b")
        assert list(framer.frames()) == [b"a", b"b"]
    framer.receive_data(b"\x01c\x01d\x80")
    assert list(framer.frames()) == [b"c", b"d"]
    framer.receive_data(b"\x00")
    assert list(framer.frames()) == [b""]


@pytest.mark.parametrize("adjust", [-1, -2, -3])
def test_length_just_below_zero(adjust: int) -> None:
    """A field that does not even count itself is malformed, by however little."""
    framer = Framer(LengthPrefix(1, adjust=adjust))
    framer.receive_data(bytes([-adjust, -adjust - 1]))
    assert framer.next_frame() == b""
    with pytest.raises(MalformedFrame) as caught:
        framer.next_frame()
    assert caught.value.position == 1


@pytest.mark.parametrize("byteorder", ["big", "little"])
@pytest.mark.parametrize("size", range(1, 9))
def test_length_prefix_of_every_size(size: int, byteorder: Any) -> None:
    """All bytes of the field count, in their order, and no other."""
    prefix = LengthPrefix(size, byteorder)
    frames = [b"abc", b"", bytes(200), b"d"]
    stream = b"".join(len(frame).to_bytes(size, byteorder) + frame for frame in frames)
    framer = Framer(prefix)
    framer.receive_data(stream)
    assert list(framer.frames()) == frames


@pytest.mark.parametrize("lead", [b"", b"1:a,", b"1:a,2:bc,"])
@pytest.mark.parametrize(
    ("bad", "index"),
    [
        (b":a,", 0),
        (b"/:a,", 0),
        (b"1/:a,", 1),
        (b"1;:a,", 1),
        (b"+1:a,", 0),
        (b" 1:a,", 0),
        (b"1 :a,", 1),
        (b"1_0:abcdefghij,", 1),
        (b"01:a,", 1),
        (b"1234567890:", 9),
        (b"1:abcd", 3),
    ],
)
def test_netstring_that_is_none(lead: bytes, bad: bytes, index: int) -> None:
    """Where it is whole as well it is malformed, at the very byte, behind any good ones."""
    framer = Framer(Netstring())
    framer.receive_data(lead + bad)
    for _ in range(lead.count(b",")):
        assert framer.next_frame() is not None
    with pytest.raises(MalformedFrame) as caught:
        framer.next_frame()
    assert caught.value.position == len(lead) + index
    assert caught.value.frame_start == len(lead)
