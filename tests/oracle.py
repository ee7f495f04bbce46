"""What must come out, said by a function that sees the whole string at once.

It is naive on purpose: no chunks, no state, no look-ahead, quadratic where that is simpler.
The framer is fed the same string in pieces, and must agree after every piece.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from framer import (
    ANY_NEWLINE,
    Data,
    Framer,
    FramingError,
    LengthFrom,
    LengthPrefix,
    Netstring,
    Terminator,
    TerminatorFound,
    VarintPrefix,
    testing,
)
from framer.testing._splits import cut_at

Item: TypeAlias = tuple[Any, ...]
"""("frame", payload), ("data", payload), ("found", matched), ("eos",), (error's name, fields)."""

Announced: TypeAlias = LengthPrefix | VarintPrefix | Netstring | LengthFrom


@dataclass
class Outcome:
    """What a framer has said of a stream, or of a part of it, and how much it still holds."""

    items: list[Item]
    buffered: int


# -- The oracle ----------------------------------------------------------------------------


@dataclass
class Cut:
    """What stands at the front of a string."""

    payload: bytes = b""  # all that is certain
    size: int | None = None  # of the whole frame; None: it is not complete
    matched: bytes | int = b""
    before: int = 0  # header
    announced: int | None = None
    bad: int | None = None  # offset of the first bad byte, from the front
    held: int = 0  # bytes after the payload that are not payload yet


def cut(rest: bytes, terminator: Terminator, *, eof: bool) -> Cut:
    """Look at the first frame of *rest*, whatever its size."""
    if isinstance(terminator, bytes):
        return cut_delimited(rest, (terminator,), eof=eof)
    if isinstance(terminator, tuple):
        return cut_delimited(rest, terminator, eof=eof)
    if terminator is ANY_NEWLINE:
        for i, byte in enumerate(rest):
            if byte == 13:
                return Cut(rest[:i], i + 1 + (rest[i + 1 : i + 2] == b"\n"), b"\r")
            if byte == 10:
                return Cut(rest[:i], i + 1, b"\n")
        return Cut(rest)
    if terminator is None:
        return Cut(rest, len(rest) if eof else None, b"")
    if isinstance(terminator, int):
        whole = len(rest) >= terminator
        return Cut(
            rest[:terminator], terminator if whole else None, terminator, announced=terminator
        )
    return cut_announced(rest, terminator)


def cut_delimited(rest: bytes, delimiters: tuple[bytes, ...], *, eof: bool) -> Cut:
    for i in range(len(rest)):
        for delimiter in delimiters:
            if rest.startswith(delimiter, i):
                return Cut(rest[:i], i + len(delimiter), delimiter)
    held = 0
    if not eof:
        held = max(k for d in delimiters for k in range(len(d)) if rest.endswith(d[:k]))
    return Cut(rest[: len(rest) - held], held=held)


def cut_announced(rest: bytes, terminator: Any) -> Cut:
    """A header, payload, footer."""
    footer = b""
    kept = b""
    header: tuple[int, int] | Cut | None
    if isinstance(terminator, LengthPrefix):
        header = None
        if len(rest) >= terminator.size:
            n = int.from_bytes(rest[: terminator.size], terminator.byteorder) + terminator.adjust
            header = (terminator.size, n) if n >= 0 else Cut(bad=0)
    elif isinstance(terminator, VarintPrefix):
        header = varint_header(rest, terminator.max_bytes)
    elif isinstance(terminator, Netstring):
        header, footer = netstring_header(rest), b","
    else:
        assert isinstance(terminator, LengthFrom)
        header, footer = length_from_header(rest, terminator), terminator.footer
    if header is None:
        return Cut()
    if isinstance(header, Cut):
        return header
    start, length = header
    if isinstance(terminator, LengthFrom) and terminator.keep_header:
        kept = rest[:start]
    result = Cut(kept + rest[start : start + length], before=start - len(kept), announced=length)
    tail = rest[start + length :]
    if len(rest) >= start + length:
        for i in range(len(footer)):
            if tail[i : i + 1] not in (b"", footer[i : i + 1]):
                result.bad = start + length + i
                return result
        if tail.startswith(footer):
            result.size = start + length + len(footer)
            result.matched = footer or length
        else:
            result.held = len(tail)
    return result


def varint_header(rest: bytes, max_bytes: int) -> tuple[int, int] | Cut | None:
    for i, byte in enumerate(rest):
        if byte < 128:
            value = sum((b & 127) << (7 * k) for k, b in enumerate(rest[: i + 1]))
            return i + 1, value
        if i + 1 == max_bytes:
            return Cut(bad=i)
    return None


def netstring_header(rest: bytes) -> tuple[int, int] | Cut | None:
    for i in range(len(rest)):
        text = rest[: i + 1]
        if text[:-1].isdigit() and text.endswith(b":"):
            return i + 1, int(text[:-1])
        if not text.isdigit() or (len(text) > 1 and text[:1] == b"0") or len(text) > 9:
            return Cut(bad=i)
    return None


def length_from_header(rest: bytes, t: LengthFrom) -> tuple[int, int] | Cut | None:
    first = cut(rest, t.header, eof=False)
    if not isinstance(t.header, int) and len(first.payload) > t.max_header_size:
        return Cut(bad=t.max_header_size)
    if first.size is None:
        return None
    try:
        length = t.length_of(first.payload)
    except ValueError:
        return Cut(bad=0)
    return (first.size, length) if length >= 0 else Cut(bad=0)


def oracle(
    data: bytes, terminator: Terminator, limit: int | None, *, eof: bool, streaming: bool
) -> Outcome:
    """What a framer makes of *data* when frames that are too large are skipped."""
    items: list[Item] = []
    position = 0
    limit = 1 << 128 if limit is None else limit  # more than a prefix can announce
    announces = isinstance(terminator, (LengthPrefix, VarintPrefix, Netstring, LengthFrom))
    own = terminator is None or isinstance(terminator, int)
    while True:
        rest = data[position:]
        if terminator == 0:
            items.append(("found", 0) if streaming else ("frame", b""))
            if eof and streaming and not rest:
                items.append(("eos",))
            return Outcome(items, len(rest))
        if not rest and terminator is not None:
            if eof and streaming:
                items.append(("eos",))
            return Outcome(items, 0)
        first = cut(rest, terminator, eof=eof)
        counted = first.announced if announces else len(first.payload)
        if isinstance(terminator, int):
            counted = terminator
        skipping = counted is not None and counted > limit and not (own and streaming)
        if skipping:
            if streaming and not announces and limit:
                items.append(("data", rest[:limit]))
            announced = first.announced
            items.append(
                (
                    "FrameTooLarge",
                    {"announced": announced, "max_frame_size": limit, "frame_start": position},
                )
            )
        elif streaming and first.payload:
            items.append(("data", first.payload))
        if first.bad is not None:
            items.append(
                ("MalformedFrame", {"position": position + first.bad, "frame_start": position})
            )
            gone = (streaming and first.payload) or skipping
            return Outcome(
                items, len(rest) - first.before - len(first.payload) if gone else len(rest)
            )
        if first.size is None:
            gone = bool(skipping or (streaming and first.payload))
            if eof:
                partial = b"" if streaming or skipping else first.payload
                expected = first.announced
                if (
                    expected is not None
                    and isinstance(terminator, LengthFrom)
                    and terminator.keep_header
                ):
                    expected += kept_size(rest, terminator)
                items.append(
                    (
                        "IncompleteFrame",
                        {
                            "partial": partial,
                            "received": len(first.payload),
                            "expected": expected,
                            "frame_start": position,
                        },
                    )
                )
            taken = first.before + len(first.payload) if gone else 0
            return Outcome(items, len(rest) - taken)
        if not skipping:
            items.append(("found", first.matched) if streaming else ("frame", first.payload))
        position += first.size
        if terminator is None:
            if streaming:
                items.append(("eos",))
            return Outcome(items, 0)


def kept_size(rest: bytes, terminator: LengthFrom) -> int:
    size = cut(rest, terminator.header, eof=False).size
    assert size is not None
    return size


# -- The framer, driven the same way -------------------------------------------------------


class Driver:
    """A framer, and everything it said, in the oracle's words."""

    def __init__(self, terminator: Terminator, limit: int | None, *, streaming: bool) -> None:
        self.framer = Framer(terminator, max_frame_size=limit)
        self.streaming = streaming
        self.items: list[Item] = []
        self.broken = False

    def feed(self, chunk: bytes) -> None:
        """Receive a chunk, and take out all there is."""
        self.framer.receive_data(chunk)
        self.drain()

    def eof(self) -> None:
        """Receive the end, and take out all there is."""
        self.framer.receive_eof()
        self.drain()

    def drain(self) -> None:
        """Take out all there is; skip what is too large."""
        while not self.broken:
            try:
                self._take()
                return
            except FramingError as error:
                self._note(error)

    def _take(self) -> None:
        if not self.streaming:
            for frame in self.framer.frames():
                self.items.append(("frame", frame))
            return
        for event in self.framer.events():
            if isinstance(event, Data):
                assert event.chunk
                self._add(event.chunk)
            elif isinstance(event, TerminatorFound):
                self.items.append(("found", event.matched))
            else:
                self.items.append(("eos",))

    def _add(self, chunk: bytes) -> None:
        if self.items and self.items[-1][0] == "data":
            chunk = self.items.pop()[1] + chunk
        self.items.append(("data", chunk))

    def _note(self, error: FramingError) -> None:
        buffered = self.framer.buffered
        name = type(error).__name__
        fields = {k: v for k, v in vars(error).items() if k != "reason"}
        again = None
        try:
            self.framer.next_event() if self.streaming else self.framer.next_frame()
        except FramingError as repeated:
            again = {k: v for k, v in vars(repeated).items() if k != "reason"}
        assert again == fields, "an error repeats itself"
        assert self.framer.buffered == buffered, "an error does not consume"
        self.items.append((name, fields))
        if name == "FrameTooLarge":
            self.framer.skip_frame()
        else:
            self.broken = True

    def outcome(self) -> Outcome:
        """All that was said up to now."""
        return Outcome(self.items, self.framer.buffered)


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Every way to cut short data; for longer the ways of framer.testing, and many of them."""
    if len(data) > 9:
        yield from testing.splits(data, k=64)
        return
    for cuts in itertools.product((False, True), repeat=max(len(data) - 1, 0)):
        yield cut_at(data, (i for i, here in enumerate(cuts, 1) if here))


def check(
    data: bytes,
    terminator: Terminator,
    limit: int | None = None,
    *,
    ways: Iterable[list[bytes]] | None = None,
) -> None:
    """The framer agrees with the oracle, for every split, after every chunk and at the end."""
    for streaming in (False, True):

        @cache  # Splits have many beginnings in common.
        def expected(size: int, *, eof: bool, streaming: bool = streaming) -> Outcome:
            return oracle(data[:size], terminator, limit, eof=eof, streaming=streaming)

        for chunks in splits(data) if ways is None else ways:
            driver = Driver(terminator, limit, streaming=streaming)
            driver.drain()
            seen = 0
            for chunk in chunks:
                if driver.broken:
                    break
                driver.feed(chunk)
                seen += len(chunk)
                want = expected(seen, eof=False)
                assert driver.outcome() == want, (chunks, data[:seen], terminator, limit)
            if not driver.broken:
                driver.eof()
            whole = expected(len(data), eof=True)
            assert driver.items == whole.items, (chunks, terminator, limit)
            if not driver.broken or seen == len(data):
                assert driver.framer.buffered == whole.buffered, (chunks, terminator, limit)


# -- One terminator of each kind, and bytes that make trouble for it -------------------------


def number(header: bytes) -> int:
    """The length in decimal digits; ValueError for anything else, negative for "-1"."""
    return int(header)


def name(value: object) -> str:
    """A terminator, as a test's id: the same in every run."""
    return re.sub(r"<function (.+?) at \w+>", r"\1", repr(value))


KINDS: list[tuple[Terminator, bytes]] = [
    (b"b", b"abA"),
    (b"\r\n", b"\r\nx"),
    (b"aab", b"ab"),
    (b"abab", b"ab"),
    ((b"ab", b"bc"), b"abc"),
    ((b"\n", b"\r\n"), b"\r\nx"),
    (ANY_NEWLINE, b"\r\nx"),
    (0, b"ab"),
    (1, b"ab"),
    (3, b"ab"),
    (None, b"ab"),
    (LengthPrefix(1), bytes([0, 1, 2, 3])),
    (LengthPrefix(1, adjust=-1), bytes([0, 1, 2, 3])),
    (LengthPrefix(1, adjust=1), bytes([0, 1, 2, 3])),
    (LengthPrefix(2, "little"), bytes([0, 2])),
    (LengthPrefix(3), bytes([0, 1, 2])),
    (VarintPrefix(), bytes([0x80, 1, 2, 0])),
    (VarintPrefix(2), bytes([0x80, 1, 2])),
    (Netstring(), b"01:,"),
    (Netstring(), b"12:,"),
    (LengthFrom(b";", number), b"012;"),
    (LengthFrom(b";", number, footer=b"-;"), b"01;-"),
    (LengthFrom(b";", number, keep_header=True), b"01;-"),
    (LengthFrom(b";", number, keep_header=True, footer=b"0"), b"012;"),
    (LengthFrom(b";", number, max_header_size=1), b"012;"),
    (LengthFrom(1, number, footer=b"0"), b"012;"),
    (LengthFrom((b";", b"--"), number, max_header_size=2), b"01;-"),
]

__all__ = [
    "KINDS",
    "Driver",
    "Outcome",
    "check",
    "cut",
    "name",
    "number",
    "oracle",
    "splits",
]
