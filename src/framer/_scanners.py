"""How the end of a frame is found: one scanner for each kind of terminator.

Here are what all scanners have in common, and those that need not search:
for a count, for nothing, for the end of the stream.
Those that search are in `_delimiters`, those that read a length in `_lengths`.

A scanner is a function with a table: it holds what can be computed once for its terminator,
and nothing about any stream.
So one scanner serves every framer that has this terminator.
What it must remember between two chunks of a stream it hands out as *progress*,
which the framer keeps and hands back; None is the start of a frame.

Two ways lead through a scanner.

``pull`` is the exact one.
It looks at ``buffer[offset:]`` and takes one step: it returns what it found,
the new offset, and the new progress.  It may find

- bytes: payload; b"" is none of it, but a step all the same, to be followed by another;
- a `TerminatorFound`: the frame is complete;
- None: it needs more bytes;
- `TooLarge` or `Malformed`: it cannot go on.

``split`` is the fast one.
It cuts as many whole frames as it can out of ``buffer[start:end]``, in one go,
and stops, without a word, at whatever is not a plain whole frame:
``pull`` will then say what it is.
Everything subtle (a delimiter cut in two, the limit, the end, errors) lives in ``pull`` alone.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from functools import lru_cache
from itertools import chain
from typing import ClassVar, Final, Generic, TypeAlias, TypeVar, final

from framer._events import TerminatorFound

__all__ = [
    "END_FOUND",
    "NOTHING_FOUND",
    "CountScanner",
    "EndScanner",
    "Found",
    "Limit",
    "Malformed",
    "NothingScanner",
    "Scanner",
    "TooLarge",
    "WaitingScanner",
    "count_scanner",
]


@final
class TooLarge:
    """The frame announces more payload than was allowed."""

    __slots__ = ("announced",)

    def __init__(self, announced: int) -> None:
        self.announced = announced


@final
class Malformed:
    """The byte at *index* of the buffer cannot be; the framing is broken."""

    __slots__ = ("cause", "index", "reason")

    def __init__(self, reason: str, index: int, cause: ValueError | None = None) -> None:
        self.reason = reason
        self.index = index
        self.cause = cause


MANY_RECORDS: Final = 32

Limit: TypeAlias = int | float
"""A number of bytes, or infinity. Of a `float` alone mypyc makes a C double, which is not exact."""

Found: TypeAlias = bytes | TerminatorFound | TooLarge | Malformed | None

P = TypeVar("P")


class Scanner(ABC, Generic[P]):
    """What the framer asks of a scanner; *P* is the type of its progress.

    The defaults are those of a scanner with no header, nothing held, and no announced length.
    """

    __slots__ = ()

    #: The fewest bytes that a frame has besides its payload.
    overhead: int
    #: Whether the peer decides how long a frame is, so that events() has to limit it.
    limited: ClassVar[bool] = True
    #: Whether the length is known, and limited, before the first byte of payload.
    announces: ClassVar[bool] = False
    #: The byte without which no frame ends; None where no byte does.
    trigger: int | None = None
    #: The bytes of the delimiter before that one: a chunk may end amid a delimiter after one.
    inner: frozenset[int] = frozenset()
    #: What ends every frame, where it is always the same.
    found: TerminatorFound | None = None
    #: Whether that is the length of the payload.
    found_is_length: ClassVar[bool] = False
    #: Where frames are what `bytes.split` would give: its argument.
    delimiter: bytes | None = None
    #: Where all frames have the same size, and nothing besides their payload: that size.
    count: int = 0

    @abstractmethod
    def pull(
        self, buffer: bytes, offset: int, progress: P | None, allowed: Limit
    ) -> tuple[Found, int, P | None]:
        """Take one step: what was found, the new offset, the new progress.

        A frame that announces more than *allowed* bytes of payload is `TooLarge`.
        Payload that is found byte by byte is not limited here: the framer counts it.
        """

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        """Cut whole frames, *most* at the most (-1: any number); and where the rest starts."""
        return [], start

    def patience(self, progress: P | None) -> int:
        """How many bytes may come, none of them `trigger`, and no frame can be complete.

        -1 where one can never know.
        """
        return -1

    def expects(self, rest: bytes) -> int:
        """How many bytes are missing in *rest*, the first bytes of a frame; 0: one cannot know."""
        return 0

    def flush(self, progress: P | None) -> bytes | TerminatorFound | None:
        """What the end of the stream makes of *progress*: payload, a whole frame, or nothing."""
        return None

    def header(self, progress: P) -> bytes:
        """The bytes taken from the buffer before the first byte of payload."""
        return b""

    def begun(self, progress: P) -> bool:
        """Whether payload was taken behind that header."""
        return False

    def held(self, progress: P) -> bytes:
        """The bytes taken from the buffer after the last byte of payload."""
        return b""

    def remaining(self, progress: P | None) -> int | None:
        """How many bytes of payload are still to come, where that is known."""
        return None


@final
class CountScanner(Scanner[int]):
    """int: a frame is this many bytes. Progress is how many of them are still to come."""

    __slots__ = ("_found", "count", "found")
    overhead = 0
    limited: ClassVar[bool] = False

    def __init__(self, count: int) -> None:
        self.count = count
        self.found = self._found = TerminatorFound(count)

    def pull(
        self, buffer: bytes, offset: int, progress: int | None, allowed: Limit
    ) -> tuple[Found, int, int | None]:
        remaining = self.count if progress is None else progress
        if not remaining:
            return self._found, offset, None
        if offset == len(buffer):
            return None, offset, progress
        if remaining > allowed:
            return TooLarge(self.count), offset, progress
        payload = buffer[offset : offset + remaining]
        return payload, offset + len(payload), remaining - len(payload)

    def expects(self, rest: bytes) -> int:
        return self.count - len(rest)

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        count = self.count
        frames = (end - start) // count
        if 0 < most < frames:
            frames = most
        end = start + frames * count
        if frames < 2:
            return [buffer[start:end]] * frames, end
        # Many at once, because a tuple for each takes as long again (bench: records).
        many = start + (frames - frames % MANY_RECORDS) * count
        records = struct.iter_unpack(f"{count}s" * MANY_RECORDS, buffer[start:many])
        others = struct.iter_unpack(f"{count}s", buffer[many:end])
        return list(chain.from_iterable(chain(records, others))), end

    def patience(self, progress: int | None) -> int:
        return -1 if progress is None else progress - 1

    def remaining(self, progress: int | None) -> int:
        return self.count if progress is None else progress


NOTHING_FOUND = TerminatorFound(0)


@final
class NothingScanner(Scanner[None]):
    """0: a frame of no bytes. It is up to the framer not to ask a second time."""

    __slots__ = ()
    overhead = 0
    limited: ClassVar[bool] = False

    def pull(
        self, buffer: bytes, offset: int, progress: None, allowed: Limit
    ) -> tuple[Found, int, None]:
        return NOTHING_FOUND, offset, None


@final
class WaitingScanner(Scanner[None]):
    """After the frame of no bytes: there is no frame before another terminator is set."""

    __slots__ = ()
    overhead = 0
    limited: ClassVar[bool] = False

    def pull(
        self, buffer: bytes, offset: int, progress: None, allowed: Limit
    ) -> tuple[Found, int, None]:
        return None, offset, None


END_FOUND = TerminatorFound(b"")


@final
class EndScanner(Scanner[None]):
    """None: a frame ends with the stream."""

    __slots__ = ()
    overhead = 0
    limited: ClassVar[bool] = False

    def pull(
        self, buffer: bytes, offset: int, progress: None, allowed: Limit
    ) -> tuple[Found, int, None]:
        return buffer[offset:] or None, len(buffer), None

    def flush(self, progress: None) -> TerminatorFound:
        return END_FOUND


@lru_cache(maxsize=1024)
def count_scanner(count: int) -> CountScanner:
    """The scanner for this count; framers that have the same one share it."""
    return CountScanner(count)
