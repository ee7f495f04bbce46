"""BatchReader: how whole frames come out, many at a time.

`Framer.frames` has to cost next to nothing a frame, so the loop over them runs in C:
over a list that was made by one call of the scanner's ``split``, a *batch*.
The batch may run ahead of what was delivered,
and whoever needs to know how far delivery has come calls `_settle` first:
the list's iterator tells how much of it is left,
and emptying the list makes a loop under way come back for more, under the new state.
`EventReader` makes lists of events out of batches; here they are settled likewise.

How far to run ahead is learnt:
not at all just after a change of terminator, further and further while it stays,
so that a protocol that changes it at every frame does not pay for frames that are thrown away.
And no further than the limit allows:
a frame that ends within so many bytes cannot be too large, so that nothing has to be measured.

When all was looked at, and no frame is complete, the scanner may know what has to come first:
so many bytes, or one certain byte.  Until it comes, small chunks are only kept.
That is what makes tiny chunks cheap: most of them are not worth a search.
`_patience` is how many bytes may come that way.  Where there is none it tells what is known::

        set the terminator
      ┌────────────────────────┐
      ▼                        │
    FRESH ─ cut one frame ─▶ CUT ─▶ LOOK ─ no frame is left ─▶ patience > 0
                                     │                           │     ▲
                                     │ many           enough     ▼     │ no frame is left
                                     ▼                came     AWAKE ──┤
                                   SPENT ◀────── many ───────────┘     │
                                     └───────── all are delivered ─────┘

Whatever ``split`` cannot do (a frame in pieces, one too large, one that is broken, the end)
is done one step at a time, by `_gather`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from operator import length_hint
from typing import Any, Final

from framer._events import Data, Event
from framer._exceptions import UsageError
from framer._reader import LOOK, NO_LIMIT, FrameReader
from framer._scanners import Limit
from framer._terminators import Terminator

__all__ = [
    "AWAKE",
    "CUT",
    "FRESH",
    "MOST_PIECES",
    "LAST_WINDOW",
    "BatchReader",
    "next_frames",
]

# After a change of terminator so many frames are cut one by one, ...
SINGLE_FRAMES: Final = 4
# ... then whole windows of the buffer, from so many bytes up to so many.
FIRST_WINDOW: Final = 1024
LAST_WINDOW: Final = 65536
# A buffer of so many bytes is not worth a better way than `bytes.split`.
SMALL_BUFFER: Final = 512
# So many bytes, in so many pieces, are kept without looking at them, at the most.
# For chunks of 17 bytes this halves the time, for long frames in chunks of 4 KiB it takes
# two thirds away (bench: lines, 17 B; lines of 8 KiB; u32 of 64 KiB).
MOST_PATIENCE: Final = 1 << 18
MOST_PIECES: Final = 512
# What is left of a buffer is put together with what is pending if it has at most so many bytes.
SHORT_REST: Final = 1024

# Of patience there is none (see `FrameReader`), because what was waited for has come.
# If not even a part of a frame was gathered, the buffer is all there is, and begins with a frame.
AWAKE: Final = 0
# Or else it would be so, were it not for the batch, behind which there is no whole frame.
SPENT: Final = -2
# The terminator was just set, and nothing of its first frame was looked at: it begins at the
# offset of the buffer.
FRESH: Final = -3
# A frame was just cut out by itself: nothing is known of what comes next, nothing is under way.
CUT: Final = -6

_NO_BATCH: list[Any] = []
_NONE_READY: Iterator[Any] = iter(_NO_BATCH)


class BatchReader(FrameReader):
    """The frame under way, and frames or events that were cut out ahead of delivery."""

    __slots__ = ("_batch", "_batch_start", "_lookahead", "_ready_events", "_ready_frames")

    def __init__(self, terminator: Terminator, limit: Limit) -> None:
        super().__init__(terminator, limit)
        # The batch under way, of frames or of events, was cut out of buffer[batch_start:offset].
        # One of the iterators is over it, the other is over nothing.
        self._batch: list[Any] = _NO_BATCH
        self._batch_start: int = 0
        self._ready_frames: Iterator[bytes] = _NONE_READY
        self._ready_events: Iterator[Event] = _NONE_READY
        self._lookahead: int = 0

    def _can_split(self) -> bool:
        """Whether a frame starts at the offset, and nothing is in the way of reading it."""
        return (
            self._progress is None
            and self._offset < len(self._buffer)
            and self._gathered is None
            and not self._delivered
            and not self._skipping
            and self._failure is None
        )

    def _split(self) -> list[bytes]:
        """Cut whole frames out of the buffer, without a step for each."""
        split = self._scanner.split
        buffer, start, lookahead = self._buffer, self._offset, self._lookahead
        if lookahead < SINGLE_FRAMES:
            return self._split_first()
        bound = int(min(len(buffer), start + self._limit + self._scanner.overhead))
        self._lookahead = min(lookahead * 2, LAST_WINDOW)
        end = min(bound, start + lookahead)
        frames, self._offset = split(buffer, start, end, -1)
        if not frames and end < bound:
            frames, self._offset = split(buffer, start, bound, 1)
        return frames

    def _settle(self) -> None:
        """Make the offset that of the first byte that was not delivered."""
        batch = self._batch
        if not batch:
            return
        if left := length_hint(self._ready_frames):
            frames = len(batch) - left
            batch.clear()
            self._unsplit(frames)
        elif left := length_hint(self._ready_events):
            seen: list[Event] = batch[: len(batch) - left]
            batch.clear()
            frames = sum(type(event) is not Data for event in seen)
            self._unsplit(frames)
            if isinstance(last := seen[-1], Data):  # and the end of this frame was not delivered
                self._step(NO_LIMIT)  # the same payload again, to be where it leads
                self._delivered = len(last.chunk)
        self._batch = _NO_BATCH
        self._ready_frames = self._ready_events = _NONE_READY

    def _unsplit(self, frames: int) -> None:
        """Go back to behind so many frames of the batch, the ones that were delivered."""
        end, self._offset = self._offset, self._batch_start
        if frames:
            _, self._offset = self._scanner.split(self._buffer, self._offset, end, frames)
        self._lookahead = 0
        self._patience = LOOK

    # -- Whole frames ----------------------------------------------------------------------

    # Each branch is a state (see above), and a call for each would be half the cost of some.
    def _next_frames(self) -> Iterable[bytes] | None:  # noqa: C901, PLR0912
        """Some whole frames to deliver at once, or None when there are none."""
        patience = self._patience
        if patience > 0:
            return None
        frames: Iterable[bytes] | None
        if patience == AWAKE and self._gathered is None:
            lookahead = self._lookahead
            buffer, limit = self._buffer, self._limit
            size = len(buffer)
            if not lookahead:
                frames = self._split_fresh()
            elif size > lookahead + SHORT_REST or size > limit:
                frames = self._split_long() if size <= limit else None
            elif size > SMALL_BUFFER or (delimiter := self._scanner.delimiter) is None:
                frames = self._split_all()
            else:  # As `_split_all`, with no call: half the time (bench: lines, 17 B; line echo).
                frames = buffer.split(delimiter)
                rest = frames.pop()
                if len(frames) == 1:
                    self._buffer = rest
                    most = MOST_PATIENCE if limit >= MOST_PATIENCE else int(limit)
                    self._patience = most - len(rest)
                elif frames:
                    return self._deliver(frames, 0, size - len(rest))
            if frames:
                return frames
        elif patience == FRESH:
            if frames := self._split_fresh():
                return frames
        elif patience == SPENT:
            if length_hint(self._ready_frames):
                return self._ready_frames
            self._batch = _NO_BATCH
            self._ready_frames = _NONE_READY
            self._wait()
        elif self._batch:
            if length_hint(self._ready_frames):
                return self._ready_frames
            self._settle()
        return None if self._patience > 0 else self._look()

    def _look(self) -> Iterable[bytes] | None:
        """The same, whatever the state."""
        woken = self._patience == AWAKE  # for nothing
        self._patience = LOOK
        if self._gathered is None and self._can_split():
            if self._lookahead >= SINGLE_FRAMES:
                frames = self._split_more()
            elif frames := self._split_first():
                self._let_go()
            if frames:
                return frames
            if not woken and self._is_all():
                self._wait()
            if self._patience > 0:
                return None
        frame = self._gather()
        return None if frame is None else (frame,)

    def _split_fresh(self) -> tuple[bytes] | None:
        """Cut out the first frame under a new terminator, where that is one step; or wait for it.

        The same as `_look`, with no call: half the time where terminators take turns
        (bench: http).
        """
        scanner, buffer, start = self._scanner, self._buffer, self._offset
        if count := scanner.count:
            end = after = start + count
            whole = end <= len(buffer) and count <= self._limit
        elif (delimiter := scanner.delimiter) is not None:
            end = buffer.find(delimiter, start)
            after = end + len(delimiter)
            whole = end >= 0 and end - start <= self._limit
        else:
            return None
        if whole:
            self._offset = after
            self._lookahead = 1
            self._patience = CUT
            if after > LAST_WINDOW:
                self._let_go()
            return (buffer[start:end],)
        if len(buffer) - start <= SHORT_REST and self._is_all():
            self._wait()
        return None

    def _split_long(self) -> list[bytes]:
        """Cut one frame out of a buffer of which all is known, but which is too large for more."""
        buffer, scanner = self._buffer, self._scanner
        frames, end = scanner.split(buffer, 0, len(buffer), 1)
        if frames:
            self._look_further()
            if len(buffer) - end > end:  # To copy it would take longer than what it is for.
                self._offset = end
                self._patience = LOOK
                return frames
            self._buffer = rest = buffer[end:]
            if scanner.trigger is None or scanner.trigger not in rest:
                self._wait_for(rest)
        return frames

    def _deliver(self, frames: list[bytes], start: int, end: int) -> Iterator[bytes]:
        """Make frames that were cut out of buffer[start:end] the batch; behind it is none."""
        self._batch = frames
        self._batch_start = start
        self._offset = end
        self._patience = SPENT
        self._ready_frames = ready = iter(frames)
        return ready

    def _split_first(self) -> list[bytes]:
        """Cut one frame out of the buffer: the terminator is new, and may soon be another."""
        scanner, buffer, start = self._scanner, self._buffer, self._offset
        end = len(buffer)
        if end - start > self._limit:  # A frame that ends before the bound is not too large.
            end = int(min(end, start + self._limit + scanner.overhead))
        frames, self._offset = scanner.split(buffer, start, end, 1)
        if frames:
            self._look_further()
        return frames

    def _look_further(self) -> None:
        """Another frame was delivered alone, and the terminator is still the same."""
        lookahead = self._lookahead
        if lookahead < SINGLE_FRAMES - 1:
            self._lookahead = lookahead + 1
        elif lookahead < LAST_WINDOW:
            self._lookahead = max(lookahead * 2, FIRST_WINDOW)

    def _split_more(self) -> Iterable[bytes]:
        """Cut as many frames out of the buffer as it is wise to."""
        if self._pending is not None and len(self._buffer) - self._offset <= SHORT_REST:
            self._refill()
        if self._is_plain():
            return self._split_all()
        start = self._offset
        frames = self._split()
        if len(frames) > 1:
            self._batch = frames
            self._batch_start = start
            self._ready_frames = iter(frames)
            return self._ready_frames
        if frames:
            self._let_go()
        return frames

    def _is_plain(self) -> bool:
        """Whether the buffer is all there is, and this terminator has been there for a while."""
        return len(self._buffer) - self._offset <= self._lookahead and self._is_all()

    def _is_all(self) -> bool:
        """Whether the buffer is all there is, and no frame in it is too large."""
        return (
            self._pending is None
            and not self._end
            and not self._after_cr
            and len(self._buffer) - self._offset <= self._limit
        )

    def _split_all(self) -> Iterable[bytes]:
        """Cut all frames out of a plain buffer, and then wait for more."""
        buffer, start = self._buffer, self._offset
        frames, end = self._scanner.split(buffer, start, len(buffer), -1)
        if len(frames) > 1:
            return self._deliver(frames, start, end)
        self._offset = end
        self._wait()
        return frames

    def _wait(self) -> None:
        """What is left of a plain buffer is not a whole frame: wait for more, where one can."""
        self._buffer = rest = self._buffer[self._offset :]
        self._offset = 0
        self._wait_for(rest)

    def _wait_for(self, rest: bytes) -> None:
        """*rest*, the buffer, is the first part of a frame: wait for more, where one can."""
        scanner, limit = self._scanner, self._limit
        if scanner.trigger is not None:
            most = (MOST_PATIENCE if limit >= MOST_PATIENCE else int(limit)) - len(rest)
        else:
            most = scanner.expects(rest)
            if most + len(rest) > limit:
                most = 0
            elif most > MOST_PATIENCE:
                most = MOST_PATIENCE
        self._patience = most if most > 0 else LOOK

    def _gather(self) -> bytes | None:
        """Go on with the frame under way; return it when it is whole, None when it is not."""
        if self._skipping:
            self._drop()
        if self._delivered or self._skipping or self._failure is not None:
            self._cannot_gather()
            return None
        gathered = self._gathered
        size = 0 if gathered is None else gathered.tell()
        while isinstance(found := self._step(self._limit - size), bytes):
            if gathered is None:
                gathered = self._gathered = BytesIO()
            size += gathered.write(found)
            # All was payload: do not ask for more just to be told that there is none.
            if (
                self._offset == len(self._buffer)
                and self._progress is None
                and self._pending is None
                and not self._end
            ):
                break
        if found is None or isinstance(found, bytes):
            if not self._ended():
                self._wait_in_frame(size)
            return None
        self._gathered = None
        self._look_further()
        self._let_go()
        return b"" if gathered is None else gathered.getvalue()

    def _wait_in_frame(self, size: int) -> None:
        """Wait, if one can, for the rest of a frame of which *size* bytes are there."""
        # One more than may come in vain, for `receive_data` keeps what is less than that.
        patience = self._scanner.patience(self._progress) + 1
        if not self._after_cr:
            self._patience = max(int(min(patience, self._limit - size, MOST_PATIENCE)), LOOK)
            self._compact()
            if self._gathered is None and self._progress is not None:
                self._gathered = BytesIO()  # It tells that a frame is under way.

    def _let_go(self) -> None:
        """Let a big frame leave no big buffer behind; what is copied is less than what was used."""
        if self._offset > LAST_WINDOW and self._offset * 2 > len(self._buffer):
            self._compact()

    def _cannot_gather(self) -> None:
        """Wait until the frame is skipped, or raise what is in the way."""
        if self._skipping or self._failure is not None:
            self._ended()
            return
        raise UsageError(
            "events() has streamed a part of this frame, so frames() cannot give it whole: "
            "go on with events() up to its TerminatorFound"
        )


# For the channel, whose loop is over this: a generator between them costs a tenth of the time
# of a line that is received and answered (bench: line echo).
next_frames: Final = BatchReader._next_frames  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
