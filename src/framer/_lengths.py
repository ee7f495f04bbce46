"""Scanners for frames that announce their length: a header, that much payload, a footer.

All of them share one body (`_Announced`) and differ in how they read the header::

                header                      payload             footer
    progress    None ────────────────────▶  Body ────────────▶  TerminatorFound
                (LengthFrom: Heading)       remaining > 0       remaining == 0

A short header is looked at again from its first byte whenever more bytes have come:
it has some ten bytes at the most.
The header of a `LengthFrom` may be long, so it is collected,
by the scanner of its own terminator.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from itertools import count
from struct import Struct
from typing import Any, ClassVar, NamedTuple, TypeAlias, cast, final

from framer._delimiters import delimiter_scanner, delimiters_scanner
from framer._events import TerminatorFound, length_found
from framer._exceptions import caused_by
from framer._scanners import Found, Limit, Malformed, Scanner, TooLarge, count_scanner
from framer._terminators import (
    MAX_NETSTRING_DIGITS,
    LengthFrom,
    LengthPrefix,
    VarintPrefix,
    check_int,
)

__all__ = [
    "LengthFromScanner",
    "LengthPrefixScanner",
    "NetstringScanner",
    "VarintPrefixScanner",
    "length_prefix_scanner",
    "varint_prefix_scanner",
]


class Body(NamedTuple):
    """Progress through the payload. The header is b"" where it is a part of the frame."""

    header: bytes
    length: int
    remaining: int


@final
class Heading:
    """Progress through a header that is collected piece by piece."""

    __slots__ = ("collected", "length", "matched", "progress")

    def __init__(self) -> None:
        self.collected = BytesIO()
        self.progress: Any = None
        self.matched: bytes | None = None
        self.length: int | None = None

    @property
    def header(self) -> bytes:
        return self.collected.getvalue() + (self.matched or b"")


Progress: TypeAlias = Body | Heading
Step: TypeAlias = tuple[Found, int, Progress | None]


class _Announced(Scanner[Progress]):
    """Everything but the header."""

    __slots__ = ("_footer", "overhead")
    announces: ClassVar[bool] = True

    def __init__(self, overhead: int, footer: bytes = b"") -> None:
        self.overhead = overhead
        self._footer = footer

    def _pull_body(self, buffer: bytes, offset: int, body: Body) -> Step:
        header, length, remaining = body
        if not remaining:
            return self._close(buffer, offset, body)
        payload = buffer[offset : offset + remaining]
        body = Body(header, length, remaining - len(payload))
        return payload or None, offset + len(payload), body

    def _close(self, buffer: bytes, offset: int, body: Body) -> Step:
        footer = self._footer
        if not footer:
            return length_found(body.length), offset, None
        seen = buffer[offset : offset + len(footer)]
        if seen == footer:
            return TerminatorFound(footer), offset + len(footer), None
        if footer.startswith(seen):
            return None, offset, body
        good = next(index for index in count() if seen[index] != footer[index])
        reason = f"the payload is followed by {seen[: good + 1]!r}, not by {footer!r}"
        return Malformed(reason, offset + good), offset, body

    def patience(self, progress: Progress | None) -> int:
        return progress.remaining - 1 if isinstance(progress, Body) else -1

    def header(self, progress: Progress) -> bytes:
        return progress.header

    def begun(self, progress: Progress) -> bool:
        return isinstance(progress, Body) and progress.remaining < progress.length

    def remaining(self, progress: Progress | None) -> int | None:
        return progress.remaining if isinstance(progress, Body) else None


class _Prefixed(_Announced):
    """A header that is short enough to be read in one go."""

    __slots__ = ()

    @abstractmethod
    def _open(self, buffer: bytes, offset: int) -> tuple[int, int] | Malformed | None:
        """The announced length and where the payload starts."""

    def pull(self, buffer: bytes, offset: int, progress: Progress | None, allowed: Limit) -> Step:
        if isinstance(progress, Body):
            return self._pull_body(buffer, offset, progress)
        opened = self._open(buffer, offset)
        if not isinstance(opened, tuple):
            return opened, offset, None
        length, start = opened
        if length > allowed:
            return TooLarge(length), offset, None
        return self._pull_body(buffer, start, Body(buffer[offset:start], length, length))

    def expects(self, rest: bytes) -> int:
        opened = self._open(rest, 0)
        if opened is None:
            return 1
        if isinstance(opened, Malformed):
            return 0
        length, start = opened
        return max(start + length + len(self._footer) - len(rest), 0)


@final
class LengthPrefixScanner(_Prefixed):
    """LengthPrefix: an unsigned integer of fixed size."""

    __slots__ = ("_adjust", "_read", "_size")
    found_is_length: ClassVar[bool] = True

    def __init__(self, terminator: LengthPrefix) -> None:
        super().__init__(overhead=terminator.size)
        self._size = terminator.size
        self._adjust = terminator.adjust
        self._read = _length_reader(terminator)

    def _open(self, buffer: bytes, offset: int) -> tuple[int, int] | Malformed | None:
        start = offset + self._size
        if start > len(buffer):
            return None
        field = self._read(buffer, offset)[0]
        if field + self._adjust < 0:
            return Malformed("the length field, adjusted, is below zero", offset)
        return field + self._adjust, start

    def expects(self, rest: bytes) -> int:
        missing = self._size - len(rest)
        if missing > 0:
            return missing
        length = self._read(rest, 0)[0] + self._adjust
        return max(missing + length, 0) if length >= 0 else 0

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        frames: list[bytes] = []
        size, read, adjust = self._size, self._read, self._adjust
        last = end - size
        while start <= last:
            (length,) = read(buffer, start)
            body = start + size
            after = body + length + adjust
            if after > end or after < body:
                break
            frames.append(buffer[body:after])
            start = after
            if len(frames) == most:
                break
        return frames, start


def _length_reader(terminator: LengthPrefix) -> Callable[[bytes, int], tuple[int, ...]]:
    """A function of a buffer and an offset, whose result's only item is the length field."""
    size, byteorder = terminator.size, terminator.byteorder
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(size)
    if code:
        return Struct((">" if byteorder == "big" else "<") + code).unpack_from
    return lambda buffer, offset: (int.from_bytes(buffer[offset : offset + size], byteorder),)


@final
class VarintPrefixScanner(_Prefixed):
    """VarintPrefix: LEB128, seven bits a byte, the lowest first."""

    __slots__ = ("_max_bytes",)
    found_is_length: ClassVar[bool] = True

    def __init__(self, terminator: VarintPrefix) -> None:
        super().__init__(overhead=1)
        self._max_bytes = terminator.max_bytes

    def _open(self, buffer: bytes, offset: int) -> tuple[int, int] | Malformed | None:
        length = 0
        for index, byte in enumerate(buffer[offset : offset + self._max_bytes]):
            length |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return length, offset + index + 1
        if offset + self._max_bytes > len(buffer):
            return None
        return Malformed("the varint is longer than max_bytes", offset + self._max_bytes - 1)

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        frames: list[bytes] = []
        while start < end and len(frames) != most:
            length = buffer[start]
            body = start + 1
            if length > 0x7F:
                opened = self._open(buffer, start)
                if not isinstance(opened, tuple):
                    break
                length, body = opened
            after = body + length
            if after > end:
                break
            frames.append(buffer[body:after])
            start = after
        return frames, start


@final
class NetstringScanner(_Prefixed):
    """Netstring: decimal digits, a colon, the payload, a comma."""

    __slots__ = ()
    found: TerminatorFound | None = TerminatorFound(b",")

    def __init__(self) -> None:
        super().__init__(overhead=3, footer=b",")

    def _open(self, buffer: bytes, offset: int) -> tuple[int, int] | Malformed | None:
        head = buffer[offset : offset + MAX_NETSTRING_DIGITS + 1]
        for index, byte in enumerate(head):
            if byte == 0x3A and index:
                return int(head[:index]), offset + index + 1
            if not 0x30 <= byte <= 0x39:
                reason = f"a netstring's length has {head[index : index + 1]!r} for a digit"
                return Malformed(reason, offset + index)
            if index == 1 and head[0] == 0x30:
                return Malformed("a netstring's length has a leading zero", offset + index)
            if index == MAX_NETSTRING_DIGITS:
                return Malformed("a netstring's length has more than nine digits", offset + index)
        return None

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        frames: list[bytes] = []
        while len(frames) != most:
            colon = buffer.find(b":", start, min(end, start + MAX_NETSTRING_DIGITS + 1))
            if colon < 0:
                break
            digits = buffer[start:colon]
            if not digits.isdigit() or (digits[0] == 0x30 and len(digits) > 1):
                break
            after = colon + 1 + int(digits)
            if after >= end or buffer[after] != 0x2C:
                break
            frames.append(buffer[colon + 1 : after])
            start = after + 1
        return frames, start


@final
class LengthFromScanner(_Announced):
    """LengthFrom: a header of any kind, from which a function reads the length."""

    __slots__ = ("_header", "_length_of", "_terminator")

    def __init__(self, terminator: LengthFrom) -> None:
        super().__init__(overhead=0, footer=terminator.footer)
        self._terminator = terminator
        # As object, or mypyc would check what it gives, and say less than `check_int`.
        self._length_of: Callable[[bytes], object] = terminator.length_of
        self._header = _header_scanner(terminator.header)

    def pull(self, buffer: bytes, offset: int, progress: Progress | None, allowed: Limit) -> Step:
        if isinstance(progress, Body):
            return self._pull_body(buffer, offset, progress)
        heading = progress or Heading()
        if heading.matched is None:
            return self._pull_heading(buffer, offset, heading)
        return self._measure(offset, heading, allowed)

    def _pull_heading(self, buffer: bytes, offset: int, heading: Heading) -> Step:
        found, offset, heading.progress = self._header.pull(
            buffer, offset, heading.progress, self._terminator.max_header_size
        )
        if isinstance(found, TerminatorFound):
            heading.matched = found.matched if isinstance(found.matched, bytes) else b""
            return b"", offset, heading
        if not isinstance(found, bytes):
            return found, offset, heading
        size = heading.collected.tell() + len(found)
        heading.collected.write(found)
        excess = size - self._terminator.max_header_size
        if excess > 0:
            end = offset - len(self._held_header(heading))
            return (
                Malformed("the header is longer than max_header_size", end - excess),
                offset,
                heading,
            )
        return b"", offset, heading

    def _measure(self, offset: int, heading: Heading, allowed: Limit) -> Step:
        """The header is whole: see how much payload it announces."""
        header = heading.header
        if heading.length is None:
            try:
                said = self._length_of(heading.collected.getvalue())
            except StopIteration as error:  # It would end the loop over the frames instead.
                wrong = RuntimeError("length_of() raised StopIteration")
                raise caused_by(error, wrong)  # noqa: B904 - that is what it is for
            except ValueError as error:
                reason = f"length_of() does not accept the header: {error}"
                return Malformed(reason, offset - len(header), error), offset, heading
            check_int("what length_of() returns", said)
            length = cast("int", said)
            if length < 0:
                reason = "length_of() finds a negative length in the header"
                return Malformed(reason, offset - len(header)), offset, heading
            heading.length = length
        length = heading.length
        if length > allowed:
            return TooLarge(length), offset, heading
        if self._terminator.keep_header:
            return header, offset, Body(b"", length, length)
        return b"", offset, Body(header, length, length)

    def _held_header(self, heading: Heading) -> bytes:
        return self._header.held(heading.progress) if heading.progress else b""

    def held(self, progress: Progress) -> bytes:
        return self._held_header(progress) if isinstance(progress, Heading) else b""


def _header_scanner(header: bytes | tuple[bytes, ...] | int) -> Scanner[Any]:
    if isinstance(header, bytes):
        return delimiter_scanner(header)
    if isinstance(header, tuple):
        return delimiters_scanner(header)
    return count_scanner(header)


@lru_cache(maxsize=64)
def length_prefix_scanner(terminator: LengthPrefix) -> LengthPrefixScanner:
    """The scanner for this prefix; framers that have the same one share it."""
    return LengthPrefixScanner(terminator)


@lru_cache(maxsize=64)
def varint_prefix_scanner(terminator: VarintPrefix) -> VarintPrefixScanner:
    """The scanner for this prefix; framers that have the same one share it."""
    return VarintPrefixScanner(terminator)
