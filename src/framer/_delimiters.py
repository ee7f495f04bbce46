"""Scanners that search: for one delimiter, for the earliest of several, for any newline.

When a chunk ends with what could be the first bytes of a delimiter,
they are neither payload nor terminator yet.
They are always a proper prefix of the delimiter, so a number says which bytes they are:
the state of the Knuth-Morris-Pratt automaton
(SIAM Journal on Computing 6(2), 1977), one for each delimiter.
The bulk of a chunk is searched by C code; the automaton walks over the few bytes
at its two ends only, with a bounded number of steps for each,
whence the time is linear for any delimiter and any chunks.
"""

from __future__ import annotations

import re
import sys
from array import array
from functools import lru_cache
from io import BytesIO
from itertools import chain, repeat
from typing import Final, TypeAlias, final

from framer._events import TerminatorFound
from framer._scanners import Found, Limit, Scanner

__all__ = [
    "CR_FOUND",
    "AnyNewlineScanner",
    "delimiter_scanner",
    "delimiters_scanner",
]

# In a line that is longer than this, a search for its LF alone is worth it.
LONG_LINE: Final = 64
# In a line that is longer than this, it takes less time than another copy of the line.
VERY_LONG_LINE: Final = 1024
# After so many bytes that are like the last one of a delimiter, look for all of it at once.
SIMILAR_BYTES: Final = 4

Matched: TypeAlias = tuple[int, ...]
"""For each delimiter, how many of its first bytes are the last bytes that were seen."""

Step: TypeAlias = tuple[Found, int, Matched | None]


class _Delimited(Scanner[Matched]):
    """One delimiter or several. The subclasses add the search in C."""

    __slots__ = ("_borders", "_delimiters", "_found", "_longest", "inner", "overhead")

    def __init__(self, delimiters: tuple[bytes, ...]) -> None:
        self._delimiters = delimiters
        self._longest = max(map(len, delimiters))
        self._borders = tuple(map(_borders, delimiters))
        self._found = {delimiter: TerminatorFound(delimiter) for delimiter in delimiters}
        # A chunk whose last byte is not in here ends with no part of a delimiter.
        self.inner = frozenset(chain.from_iterable(d[:-1] for d in delimiters))
        self.overhead = min(map(len, delimiters))

    def _not_found(self, buffer: bytes, offset: int) -> Step:
        """There is no whole delimiter: all is payload but what may be the start of one."""
        if offset == len(buffer):
            return None, offset, None
        if buffer[-1] not in self.inner:
            return buffer[offset:], len(buffer), None
        matched = self._matched(buffer[max(offset, len(buffer) - self._longest + 1) :])
        end = len(buffer) - max(matched)
        return buffer[offset:end], len(buffer), matched if any(matched) else None

    def _matched(self, data: bytes) -> Matched:
        """The automata's states after *data*, which holds no whole delimiter."""
        matched = (0,) * len(self._delimiters)
        for byte in data:
            matched = self._advance(matched, byte)
        return matched

    def _advance(self, matched: Matched, byte: int) -> Matched:
        return tuple(map(_advance, self._delimiters, self._borders, matched, repeat(byte)))

    def _resume(self, buffer: bytes, offset: int, matched: Matched) -> Step:
        """Decide what becomes of the bytes that were held back, now that there are more."""
        held = self.held(matched)
        taken = 0
        for taken, byte in enumerate(buffer[offset : offset + self._longest], 1):
            matched = self._advance(matched, byte)
            longest = max(matched)
            if longest <= taken:  # No delimiter starts in the held bytes: let C code go on.
                return held, offset, None
            pairs = zip(self._delimiters, matched, strict=True)
            complete = [delimiter for delimiter, state in pairs if state == len(delimiter)]
            if complete:
                delimiter = max(complete, key=len)
                payload = len(held) + taken - len(delimiter)
                if not payload:
                    return self._found[delimiter], offset + taken, None
                return held[:payload], offset, self._matched(held[payload:])
        payload = len(held) + taken - max(matched)
        return held[:payload] or None, offset + taken, matched

    def flush(self, progress: Matched | None) -> bytes | None:
        return self.held(progress) if progress else None

    def held(self, progress: Matched) -> bytes:
        longest = max(progress)
        return self._delimiters[progress.index(longest)][:longest]


def _borders(delimiter: bytes) -> array[int]:
    """For each prefix of *delimiter*, the size of its longest proper prefix that is its suffix."""
    borders = array("L", bytes(array("L").itemsize * len(delimiter)))
    for index in range(1, len(delimiter)):
        borders[index] = _advance(delimiter, borders, borders[index - 1], delimiter[index])
    return borders


def _advance(delimiter: bytes, borders: array[int], state: int, byte: int) -> int:
    """How many of the delimiter's first bytes are the last bytes seen, *byte* being the newest."""
    while state and delimiter[state] != byte:
        state = borders[state - 1]
    return state + 1 if delimiter[state] == byte else state


@final
class DelimiterScanner(_Delimited):
    """bytes: a frame ends at this delimiter."""

    __slots__ = ("_delimiter", "_ends_line", "_last", "delimiter", "found", "trigger")

    def __init__(self, delimiter: bytes) -> None:
        super().__init__((delimiter,))
        # Those without an underscore are None in other scanners, and so declared; these never are.
        self._delimiter = self.delimiter = delimiter
        self._ends_line = len(delimiter) > 1 and delimiter.find(0x0A) == len(delimiter) - 1
        # An int, because `b"\n" in data` takes four to ten times as long as `10 in data`.
        self.trigger = self._last = delimiter[-1]
        self.found = self._found[delimiter]

    def patience(self, progress: Matched | None) -> int:
        return sys.maxsize if progress is None else -1

    def pull(self, buffer: bytes, offset: int, progress: Matched | None, allowed: Limit) -> Step:
        if progress:
            return self._resume(buffer, offset, progress)
        delimiter = self._delimiter
        start = self._find(buffer, offset, len(buffer))
        if start > offset:
            return buffer[offset:start], start, None
        if start == offset:
            return self._found[delimiter], start + len(delimiter), None
        return self._not_found(buffer, offset)

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        delimiter = self._delimiter
        if most == 1:
            found = self._find(buffer, start, end)
            return ([], start) if found < 0 else ([buffer[start:found]], found + len(delimiter))
        lines = None
        if self._ends_line and most < 0 and end - start > LONG_LINE:
            first = buffer.find(0x0A, start, min(start + VERY_LONG_LINE, end))
            if first < 0:
                return self._split_one_by_one(buffer, start, end)
            if first - start >= LONG_LINE:
                lines = self._split_lines(buffer[start:end])
        window = buffer[start:end]
        frames = window.split(delimiter, most) if lines is None else lines
        rest = frames.pop()
        return frames, start + len(window) - len(rest)

    def _split_one_by_one(self, buffer: bytes, start: int, end: int) -> tuple[list[bytes], int]:
        """The same where lines are so long that another copy costs more than a search for each.

        (bench: lines, 8 KiB)
        """
        delimiter = self._delimiter
        frames: list[bytes] = []
        after = start
        while (after := buffer.find(0x0A, after, end) + 1) > 0:
            found = after - len(delimiter)
            if found >= start and buffer.startswith(delimiter, found):
                frames.append(buffer[start:found])
                start = after
        return frames, start

    def _split_lines(self, window: bytes) -> list[bytes] | None:
        """What `window.split()` gives, but faster if lines are long; None: it cannot be had so.

        The search for the one byte LF is many times faster than that for two bytes
        (bench: lines, 200 B and 8 KiB).  It goes wrong where an LF is not a whole delimiter.
        """
        delimiter = self._delimiter
        lines = list(map(bytes.removesuffix, BytesIO(window), repeat(delimiter)))
        if window.endswith(delimiter):
            lines.append(b"")
        # Each line but the last one has lost a delimiter.  To add up their sizes by joining them
        # is faster than by sum() (bench: lines, 200 B).
        lost = len(delimiter) * (len(lines) - 1)
        return lines if len(b"".join(lines)) + lost == len(window) else None

    def _find(self, buffer: bytes, start: int, stop: int) -> int:
        """What `buffer.find(delimiter, start, stop)` gives, but faster where it is far off."""
        delimiter = self._delimiter
        if stop - start < LONG_LINE:
            return buffer.find(delimiter, start, stop)
        last = len(delimiter) - 1
        end = start + last
        # Stop before bytes that are only like the last one of the delimiter cost more than that.
        for _ in range(SIMILAR_BYTES):
            end = buffer.find(self._last, end, stop)
            if end < 0:
                return -1
            if buffer.startswith(delimiter, end - last):
                return end - last
            end += 1
        return buffer.find(delimiter, end - last, stop)


@final
class DelimitersScanner(_Delimited):
    """tuple: a frame ends at the earliest of these delimiters.

    One regular expression looks for all of them at once:
    a search for each would run ahead to the next of the rare ones, again for every frame.
    """

    __slots__ = ("_pattern",)

    def __init__(self, delimiters: tuple[bytes, ...]) -> None:
        super().__init__(delimiters)
        self._pattern = re.compile(b"|".join(map(re.escape, delimiters)))

    def pull(self, buffer: bytes, offset: int, progress: Matched | None, allowed: Limit) -> Step:
        if progress:
            return self._resume(buffer, offset, progress)
        match = self._pattern.search(buffer, offset)
        if match is None:
            return self._not_found(buffer, offset)
        start = match.start()
        if start > offset:
            return buffer[offset:start], start, None
        return self._found[match.group()], match.end(), None

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        return _split(self._pattern, buffer, start, end, most)


def _split(
    pattern: re.Pattern[bytes], buffer: bytes, start: int, end: int, most: int
) -> tuple[list[bytes], int]:
    frames: list[bytes] = []
    while len(frames) != most and (match := pattern.search(buffer, start, end)):
        frames.append(buffer[start : match.start()])
        start = match.end()
    return frames, start


CR_FOUND = TerminatorFound(b"\r")
LF_FOUND = TerminatorFound(b"\n")


@final
class AnyNewlineScanner(Scanner[None]):
    """ANY_NEWLINE: a frame ends at CR, LF or CRLF.

    ``pull`` ends the frame at a CR without looking further;
    it is up to the framer to swallow an LF straight after it, which may not have come yet.
    """

    __slots__ = ()
    overhead = 1
    _newline = re.compile(rb"[\r\n]")
    # A CR at the very end is left alone, the LF that belongs to it may be behind the window.
    _whole_newline = re.compile(rb"\r\n|\n|\r(?!\Z)")

    def pull(
        self, buffer: bytes, offset: int, progress: None, allowed: Limit
    ) -> tuple[Found, int, None]:
        match = self._newline.search(buffer, offset)
        if match is None:
            return buffer[offset:] or None, len(buffer), None
        start = match.start()
        if start > offset:
            return buffer[offset:start], start, None
        return (CR_FOUND if buffer[start] == 0x0D else LF_FOUND), start + 1, None

    def split(self, buffer: bytes, start: int, end: int, most: int) -> tuple[list[bytes], int]:
        if most > 0:
            return _split(self._whole_newline, buffer, start, end, most)
        window = buffer[start:end]
        frames = window.splitlines()
        rest = 0
        if frames and window[-1] != 0x0A:
            rest = len(frames.pop()) + (window[-1] == 0x0D)
        return frames, start + len(window) - rest


@lru_cache(maxsize=256)
def delimiter_scanner(delimiter: bytes) -> DelimiterScanner:
    """The scanner for this delimiter; framers that have the same one share it."""
    return DelimiterScanner(delimiter)


@lru_cache(maxsize=256)
def delimiters_scanner(delimiters: tuple[bytes, ...]) -> DelimitersScanner:
    """The scanner for these delimiters; framers that have the same ones share it."""
    return DelimitersScanner(delimiters)
