"""A stream taken apart: which of its bytes are prefix, payload, terminator, and of which frame.

The framer gives events; the rest follows from where it stands in the stream, which is always
(bytes received) - `Framer.buffered`.
What was passed over from one event to the next and is neither payload nor terminator is a
prefix, or the LF after the CR that ended a line, or what was left of an oversize frame.

Nothing here grows with the stream.
The raw bytes kept are those that the framer has not delivered, and of a long part of a frame
only how it begins and ends: a `Strip`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from framer import (
    ANY_NEWLINE,
    Data,
    EndOfStream,
    Framer,
    FrameTooLarge,
    FramingError,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    TerminatorFound,
    VarintPrefix,
)

Kind = Literal["prefix", "payload", "terminator", "skipped", "broken", "unread"]
Happening = Data | TerminatorFound | EndOfStream | FramingError

MARGIN: Final = 24  # bytes shown around one that breaks the framing
TAIL_SIZE: Final = 1024
_NETSTRING_PREFIX = re.compile(rb"[0-9]+:\Z")


class Strip:
    """Bytes that follow one another, of which a long middle is forgotten."""

    def __init__(self, head_size: int | None) -> None:
        self.size = 0
        self.head = bytearray()
        self.tail = bytearray()
        self._head_size = head_size  # None: nothing is forgotten

    def add(self, data: bytes) -> None:
        """Put bytes at the end."""
        self.size += len(data)
        room = len(data) if self._head_size is None else self._head_size - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        del self.tail[:-TAIL_SIZE]

    def cut_off(self, count: int) -> bytes:
        """Take bytes away from the end, at most `TAIL_SIZE`."""
        cut = bytes((self.head + self.tail)[len(self.head) + len(self.tail) - count :])
        self.size -= count
        del self.head[len(self.head) - max(0, count - len(self.tail)) :]
        del self.tail[max(0, len(self.tail) - count) :]
        return cut


@dataclass(slots=True)
class Part:
    """Bytes of a frame that are of one kind."""

    kind: Kind
    start: int  # offset in the stream
    strip: Strip


@dataclass(slots=True)
class Frame:
    """A frame, or as much of one as there is.

    In front of it may stand what is left of an oversize one, or the LF after a CR.
    """

    number: int
    parts: list[Part] = field(default_factory=list[Part])
    error: FramingError | None = None
    is_whole: bool = False
    end: int = 0  # the offset after its last byte

    @property
    def is_final(self) -> bool:
        """Whether this is all of it, and not only what stood in front of it."""
        return self.is_whole or self.error is not None

    @property
    def payload_size(self) -> int:
        """How many bytes of payload there are."""
        return sum(part.strip.size for part in self.parts if part.kind == "payload")


def happenings(framer: Framer) -> Iterator[Happening]:
    """Give the events there are, and the errors among them; oversize frames are skipped."""
    while True:
        try:
            yield from framer.events()
            return
        except FrameTooLarge as error:
            yield error
            framer.skip_frame()
        except FramingError as error:
            yield error
            return


class Dissector:
    """Gives the frames of a stream, part by part."""

    def __init__(self, framer: Framer, head_size: int | None) -> None:
        self._framer = framer
        self._terminator = framer.terminator
        self._head_size = head_size
        self._raw = b""  # received and, at the last look, not delivered
        self._at = 0  # how much of it has been since
        self._received = 0
        self._passed = Strip(head_size)  # passed over since the last event
        self._end = 0  # offset at which the next part starts
        self._frame = Frame(1)
        self._oversize: FrameTooLarge | None = None  # while the rest of it is passed over
        self._skip_size = 0  # how much that is, where the framing is by varints

    def frames(self, chunks: Iterable[bytes]) -> Iterator[Frame]:
        """Give each frame once it is whole, or all there will ever be of it."""
        for chunk in chunks:
            self._raw = self._raw[self._at :] + chunk
            self._at = 0
            self._received += len(chunk)
            self._framer.receive_data(chunk)
            yield from self._drain()
            if isinstance(self._frame.error, MalformedFrame):
                return
        self._framer.receive_eof()
        yield from self._drain()

    def _drain(self) -> Iterator[Frame]:
        for happening in happenings(self._framer):
            if self._handle(happening):
                self._frame.end = self._end
                yield self._frame
                if not isinstance(self._frame.error, MalformedFrame):
                    self._frame = Frame(self._frame.number + 1)
        self._passed.add(self._take())

    def _handle(self, happening: Happening) -> bool:
        """Do as it says, and tell whether this is all of the frame."""
        match happening:
            case Data(chunk):
                self._add_payload(chunk)
                return False
            case TerminatorFound(matched):
                self._add_terminator(matched)
                self._frame.is_whole = True
            case EndOfStream():
                self._settle(0 if self._oversize else self._passed.size)
                return bool(self._frame.parts)
            case FrameTooLarge():
                self._stop_at(happening)
                self._skip(happening)
            case MalformedFrame():
                self._stop_at(happening)
                self._add_broken(happening.position)
            case _:
                self._passed.add(self._raw[self._at :])
                self._at = len(self._raw)
                self._stop_at(happening)
        return True

    def _take(self) -> bytes:
        """Give the bytes that the framer has gone over since the last time."""
        start = self._at
        self._at = len(self._raw) - self._framer.buffered
        return self._raw[start : self._at]

    def _add_payload(self, chunk: bytes) -> None:
        taken = self._take()
        self._passed.add(taken[: len(taken) - len(chunk)])
        self._settle(self._prefix_size())
        self._add("payload", chunk)

    def _add_terminator(self, matched: bytes | int) -> None:
        taken = self._take()
        size = len(matched) if isinstance(matched, bytes) else 0
        if self._terminator is ANY_NEWLINE and taken.endswith(b"\r\n"):
            size = 2  # the LF is no part of what matched, but goes with it
        self._passed.add(taken[: len(taken) - size])
        self._settle(self._prefix_size())
        self._add("terminator", taken[len(taken) - size :])

    def _stop_at(self, error: FramingError) -> None:
        """Settle what there is of a frame that breaks here."""
        self._passed.add(self._take())
        if self._oversize and self._oversize.frame_start == error.frame_start:
            self._frame.number -= 1  # the stream ends before the oversize frame does
            self._settle(0)
        else:
            # In the middle of a payload nothing was passed over, so this is about prefixes only.
            self._settle(min(self._end + self._passed.size - error.frame_start, self._passed.size))
        self._frame.error = error

    def _skip(self, error: FrameTooLarge) -> None:
        """Take note that what comes is the rest of an oversize frame."""
        self._oversize = error
        if isinstance(self._terminator, VarintPrefix):
            rest = self._raw[self._at :] if self._end == error.frame_start else b""
            prefix_size = next((at + 1 for at, byte in enumerate(rest) if byte < 0x80), 0)
            self._skip_size = prefix_size + (error.announced or 0)

    def _prefix_size(self) -> int:
        """Tell how many of the bytes passed over are the prefix of the frame that begins."""
        if self._oversize is None:
            return self._passed.size
        match self._terminator:
            case LengthPrefix(size=size):
                return size
            case VarintPrefix():
                return self._passed.size - self._skip_size
            case Netstring():
                found = _NETSTRING_PREFIX.search(self._passed.head + self._passed.tail)
                return len(found[0]) if found else 0
            case _:
                return 0

    def _settle(self, prefix_size: int) -> None:
        """Make parts of what was passed over; its last `prefix_size` bytes are a prefix."""
        if not self._passed.size:
            return
        prefix = self._passed.cut_off(prefix_size)
        if self._passed.size:
            self._frame.parts.append(Part("skipped", self._end, self._passed))
            self._end += self._passed.size
        self._passed = Strip(self._head_size)
        self._oversize = None
        self._add("terminator" if self._terminator is ANY_NEWLINE else "prefix", prefix)

    def _add_broken(self, position: int) -> None:
        """Show the byte that is wrong, and a few on either side."""
        rest = self._raw[self._at :]
        bad = min(max(0, position - self._end), len(rest))
        self._add("unread", rest[:bad])
        self._add("broken", rest[bad : bad + 1])
        self._add("unread", rest[bad + 1 : bad + 1 + MARGIN])

    def _add(self, kind: Kind, data: bytes) -> None:
        if not data:
            return
        parts = self._frame.parts
        if not parts or parts[-1].kind != kind:
            parts.append(Part(kind, self._end, Strip(self._head_size)))
        parts[-1].strip.add(data)
        self._end += len(data)
