"""How much of something a parser takes: check_limit for size, check_linear for time.

Limits are where parsers differ from themselves most often:
the length is compared on one path before the terminator is found and on another behind it,
and half of a terminator is counted or not.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from typing import Final

from framer.testing._chunking import require_something, smallest_split
from framer.testing._failures import CheckFailed, again, describe, short
from framer.testing._splits import cut_at, splits
from framer.testing._transcripts import Make, Transcript, transcript

__all__ = ["check_limit", "check_linear"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says


def check_limit(make: Make, frame_of_size: Callable[[int], bytes], limit: int) -> None:
    r"""Check that a frame of `limit` passes and a larger one does not, however they are cut.

    Args:
        make: the subject, which raises an exception for a frame that is too large.
        frame_of_size: makes a whole frame with a payload of this size.
        limit: the largest size that should pass.

    It also checks that what is much too large is refused before the end of it has come:
    a peer that never sends that end would otherwise fill the memory.
    A size of which `frame_of_size` cannot make a frame (ValueError, OverflowError,
    struct.error) is left out there.

    Raises:
        CheckFailed: a frame passed that should not, or the other way round.
        Vacuous: the frame that should pass gave no event.

    >>> from framer import Framer
    >>> from framer.testing import check_limit, framer_subject
    >>> make = framer_subject(lambda: Framer(b"\r\n", max_frame_size=20))
    >>> check_limit(make, lambda size: b"x" * size + b"\r\n", 20)
    """
    for size in sorted({limit, max(limit - 1, 0), min(1, limit)}, reverse=True):
        for chunks in splits(frame_of_size(size)):
            seen = transcript(make, chunks)
            if seen.error is not None:
                split = smallest_split(lambda chunks: _refused(make, chunks), chunks)
                told = f"a frame of {size} is refused, and the limit is {limit}"
                _fail(told, transcript(make, split), limit)
            require_something(seen)
    for chunks in splits(frame_of_size(limit + 1)):
        if not _refused(make, chunks):
            split = smallest_split(lambda chunks: not _refused(make, chunks), chunks)
            told = f"a frame of {limit + 1} passes, and the limit is {limit}"
            _fail(told, transcript(make, split), limit)
    try:
        frame = frame_of_size(2 * limit + 1024)
    except (ValueError, OverflowError, struct.error):
        return
    step = max(1, len(frame) // 256)
    seen = transcript(make, cut_at(frame[:-1], range(step, len(frame) - 1, step)), eof=False)
    if seen.error is None:
        _fail(
            f"nothing is said about a frame of {2 * limit + 1024} until its last byte has come,"
            f" and the limit is {limit}",
            seen,
            limit,
        )


def _refused(make: Make, chunks: list[bytes]) -> bool:
    return transcript(make, chunks).error is not None


def _fail(told: str, seen: Transcript, limit: int) -> None:
    error = "no error" if seen.error is None else f"{type(seen.error).__name__}: {seen.error}"
    raise CheckFailed(
        f"{told}\n\n{describe(seen.chunks)}\n\n"
        f"what came out: {short(seen.values, 200)}, {short(error, 200)}\n\n"
        f"{again(f'check_limit(make, frame_of_size, {limit})', seen)}",
        split=seen.chunks,
        transcripts=[seen],
    ) from seen.error


# Time

FACTOR: Final = 4
"""How much longer the second stream is than the first."""

STEEPEST: Final = 1.5
"""The power of the length up to which time counts as linear: square would be 2."""

LONG_ENOUGH: Final = 0.02
"""Seconds that a run has to take to be measured; fewer say more about the machine."""

LONGEST: Final = 1 << 18
"""Bytes of the longest stream that is tried. What takes no time up to there is quick enough."""

ATTEMPTS: Final = 3


def check_linear(
    make: Make,
    data_of_size: Callable[[int], bytes],
    *,
    clock: Callable[[], float] = time.thread_time,
) -> None:
    r"""Check that a stream four times as long takes about four times as long.

    It is fed in one piece, in pieces of 64 bytes, and byte by byte.
    Lengths grow until a run takes long enough to be measured;
    it is measured three times over, and the smallest growth counts.

    Args:
        make: the subject.
        data_of_size: makes a stream of about this many bytes.
        clock: what tells the time, in seconds: by default how long this thread has worked,
            which does not depend on what else the machine does.

    Raises:
        CheckFailed: time grows with a power of the length above 1.5.
        Vacuous: no event came out.

    >>> from framer import Framer
    >>> from framer.testing import check_linear, framer_subject
    >>> check_linear(framer_subject(Framer), lambda size: b"spam\n" * (size // 5))
    """
    for piece in (None, 64, 1):
        size, taken = _measurable(make, data_of_size, piece, clock)
        if taken < LONG_ENOUGH:
            continue
        power, short_run, long_run = math.inf, 0.0, 0.0
        for _ in range(ATTEMPTS):
            short_run = min(_time(make, data_of_size(size), piece, clock) for _ in range(2))
            long_run = _time(make, data_of_size(size * FACTOR), piece, clock)
            power = min(power, math.log(long_run / short_run, FACTOR))
            if power <= STEEPEST:
                break
        else:
            way = "in one piece" if piece is None else f"in pieces of {piece} bytes"
            raise CheckFailed(
                f"time is not linear: {FACTOR} times the stream, fed {way}, takes"
                f" {FACTOR**power:.1f} times as long, about its length to the power {power:.1f}\n\n"
                f"{size} bytes took {short_run:.3f} s, {size * FACTOR} took {long_run:.3f} s\n\n"
                f"{again('check_linear(make, data_of_size)')}"
            )


def _measurable(
    make: Make, data_of_size: Callable[[int], bytes], piece: int | None, clock: Callable[[], float]
) -> tuple[int, float]:
    """The shortest stream that takes long enough, and how long."""
    size = 1024
    while True:
        taken = _time(make, data_of_size(size), piece, clock)
        if taken >= LONG_ENOUGH or size * FACTOR >= LONGEST:
            return size, taken
        size *= 2


def _time(make: Make, data: bytes, piece: int | None, clock: Callable[[], float]) -> float:
    """Seconds for one run."""
    chunks = [data] if piece is None else cut_at(data, range(piece, len(data), piece))
    before = clock()
    seen = transcript(make, chunks)
    taken = clock() - before
    require_something(seen)
    return taken
