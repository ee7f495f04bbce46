"""Framer and OutputQueue pass what framer.testing has for the parsers of others.

The oracle of test_reader says more about short streams, and after every byte of them.
Here are streams of every kind as they are meant to be, longer than the oracle has time for,
and what holds of any parser: limits are exact, nothing is held back, no buffer is shared, time
is linear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import name, number

from framer import (
    ANY_NEWLINE,
    Data,
    Framer,
    FramingError,
    IncompleteFrame,
    LengthFrom,
    LengthPrefix,
    Netstring,
    OutputQueue,
    Terminator,
    VarintPrefix,
    encode_frame,
)
from framer.testing import (
    Make,
    check_aliasing,
    check_chunking,
    check_coalescing,
    check_limit,
    check_linear,
    check_only_raises,
    check_output,
    check_prefixes,
    check_prompt,
    check_roundtrip,
    framer_subject,
    streams,
    transcript,
)

LIMIT = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """A terminator, and how its frames are written, where `encode_frame` cannot do that."""

    terminator: Terminator
    write: Callable[[bytes], bytes] | None = None
    kept: Callable[[bytes], bytes] = bytes  # the frame that a payload comes out as

    def encode(self, payload: bytes) -> bytes:
        """Write a frame."""
        return self.write(payload) if self.write else encode_frame(payload, self.terminator)

    def subject(self, *, limit: int | None = LIMIT, streaming: bool = False) -> Make:
        """Make framers for the checks."""
        make = partial(Framer, self.terminator, max_frame_size=limit)
        return framer_subject(make, streaming=streaming)


DIGITS = LengthFrom(b";", number)
KEPT = LengthFrom(b";", number, footer=b"\r\n", keep_header=True)

KINDS = [
    Kind(b"\n"),
    Kind(b"\r\n"),
    Kind(b"--end--"),
    Kind((b"\n", b"\r\n"), lambda payload: payload + b"\r\n"),
    Kind((b";", b"--")),
    Kind(ANY_NEWLINE, lambda payload: payload + b"\r\n"),
    Kind(LengthPrefix(1)),
    Kind(LengthPrefix(2, "little")),
    Kind(LengthPrefix(4, adjust=-4)),
    Kind(VarintPrefix()),
    Kind(Netstring()),
    Kind(DIGITS, lambda payload: b"%d;" % len(payload) + payload),
    Kind(
        KEPT,
        lambda payload: b"%d;" % len(payload) + payload + b"\r\n",
        lambda payload: b"%d;" % len(payload) + payload,
    ),
]
"""Every kind whose frames follow each other as they are; counts and None are below."""

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: name(kind.terminator))

PAYLOADS = [b"spam", b"", b"x" * LIMIT, b"eggs and ham", b"", b"\0\xff", b"."]


@every_kind
def test_what_is_encoded_comes_out_however_it_is_cut(kind: Kind) -> None:
    """Payloads of every size up to the limit are frames again: alone, together, in every split."""
    subject = kind.subject()
    if kind.kept is bytes:
        check_roundtrip(kind.encode, subject, PAYLOADS)
    wire = b"".join(map(kind.encode, PAYLOADS))
    assert check_chunking(subject, wire).events == [kind.kept(payload) for payload in PAYLOADS]


@every_kind
def test_events_however_they_are_cut(kind: Kind) -> None:
    """The same payload and the same ends, in as many pieces as there were chunks."""
    wire = b"".join(map(kind.encode, PAYLOADS))
    check_chunking(kind.subject(streaming=True), wire, merge=(Data,), errors="exact")


@every_kind
def test_the_limit_is_exact(kind: Kind) -> None:
    """A payload of the limit passes and one byte more does not, however it is cut.

    What is never going to end is refused before it has filled the memory.
    """

    def frame_of_size(size: int) -> bytes:
        return kind.encode(b"x" * size)

    for limit in (1, 2, LIMIT):
        check_limit(kind.subject(limit=limit), frame_of_size, limit)
        # Streamed payload is counted like payload that is gathered.
        check_limit(kind.subject(limit=limit, streaming=True), frame_of_size, limit)


@every_kind
def test_nothing_is_held_back(kind: Kind) -> None:
    """A frame is out as soon as its last byte is in, whether another follows it or not."""
    frames = [kind.encode(payload) for payload in PAYLOADS]
    if kind.terminator is ANY_NEWLINE:  # its CR ends a line; what follows says nothing new
        frames = [frame.removesuffix(b"\n") for frame in frames]
    for streaming in (False, True):
        check_prompt(kind.subject(streaming=streaming), frames)


@every_kind
def test_a_stream_that_ends_anywhere(kind: Kind) -> None:
    """Between frames it may, within one it is IncompleteFrame; nothing else is raised.

    There is no limit here, for half a terminator at the end is payload, and may be too much.
    """
    ends = [0]
    for payload in PAYLOADS:
        ends.append(ends[-1] + len(kind.encode(payload)))
    wire = b"".join(map(kind.encode, PAYLOADS))
    if kind.terminator is ANY_NEWLINE:  # the LF behind a CR may be missing
        ends += [end - 1 for end in ends[1:]]
    check_prefixes(kind.subject(limit=None), wire, complete=ends)
    check_prefixes(kind.subject(limit=None, streaming=True), wire, merge=(Data,), complete=ends)
    check_only_raises(kind.subject(limit=None), wire, IncompleteFrame)


@every_kind
def test_a_burst_of_frames(kind: Kind) -> None:
    """Very many frames in one chunk are what they are one by one."""
    for payload in (b"", b"spam"):
        check_coalescing(kind.subject(), kind.encode(payload), n=500)
        check_coalescing(kind.subject(streaming=True), kind.encode(payload), n=500)


@every_kind
def test_no_buffer_is_shared(kind: Kind) -> None:
    """The caller's buffer may be overwritten at once, and what came out stays what it was."""
    wire = b"".join(map(kind.encode, PAYLOADS))
    check_aliasing(kind.subject(), wire)
    check_aliasing(kind.subject(streaming=True), wire)


@every_kind
def test_what_is_damaged_is_a_framing_error_in_every_split(kind: Kind) -> None:
    """Damaged streams give the same frames and then the same FramingError, or none."""
    frames = [kind.encode(payload) for payload in PAYLOADS]

    @settings(max_examples=25)
    @given(streams(*frames, max_frames=4, damage=0.6))
    def check(data: bytes) -> None:
        check_chunking(kind.subject(), data, errors="exact")
        check_only_raises(kind.subject(), data, FramingError)

    check()


@pytest.mark.parametrize(
    "kind",
    {type(kind.terminator): kind for kind in KINDS}.values(),
    ids=lambda kind: name(kind.terminator),
)
def test_time_is_linear(kind: Kind) -> None:
    """Four times as many frames take four times as long, in one chunk and in single bytes.

    This costs a second each, so one terminator of each type is enough.
    """
    frame = kind.encode(b"spam")
    check_linear(kind.subject(), lambda size: frame * (size // len(frame) + 1))


# -- Counts and the rest of the stream -------------------------------------------------------


@given(st.binary(min_size=1, max_size=40), st.integers(1, 8))
def test_counts(data: bytes, size: int) -> None:
    """So many bytes are a frame, and what is missing at the end is incomplete."""
    whole = check_chunking(framer_subject(lambda: Framer(size)), data, errors="exact")
    cut = len(data) - len(data) % size
    assert whole.events == [data[i : i + size] for i in range(0, cut, size)]
    assert isinstance(whole.error, IncompleteFrame) is (cut < len(data))


def test_counts_as_they_are_meant() -> None:
    """They are out at their last byte, share no buffer, and end nowhere but at their ends."""
    make = framer_subject(lambda: Framer(3))
    check_prompt(make, [b"abc", b"\n\r\n", b"xyz"])
    check_aliasing(make, b"abcdefghi")
    check_coalescing(make, b"abc")
    check_prefixes(make, b"abcdefghi", complete=(0, 3, 6, 9))


@given(st.binary(max_size=40))
def test_the_rest_of_the_stream(data: bytes) -> None:
    """None gathers all, once, and has nothing out before the end."""
    make = framer_subject(lambda: Framer(None))
    assert check_chunking(make, data).events == [data]
    assert not transcript(make, [data], eof=False).events
    check_aliasing(make, data)


# -- What goes out ---------------------------------------------------------------------------

WRITES: list[Any] = [
    b"spam",
    [b"a", b"bc"],
    b"",
    bytearray(b"eggs"),
    [b"x" * 100],
    memoryview(b"and"),
    [],
    b"y" * 300,
]


@pytest.mark.parametrize("takes", [[1], [3, 1], [7, 64, 2], [1000]], ids=str)
def test_output_is_what_was_pushed(takes: list[int]) -> None:
    """In order, no more at a time than was asked for, and without the caller's buffers."""
    check_output(OutputQueue, WRITES, takes)


@given(
    writes=st.lists(st.binary(max_size=20) | st.lists(st.binary(min_size=1, max_size=9))),
    takes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
)
def test_output_of_any_writes(writes: list[Any], takes: list[int]) -> None:
    """The same for whatever is pushed, with water marks that are passed all the time."""
    check_output(lambda: OutputQueue(16, 4), [b"first", *writes], takes)
