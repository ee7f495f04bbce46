"""FrameReader: where the bytes are, and one step at a time through a frame.

This is the lowest part of a `Framer`; `BatchReader` and `EventReader` are on top of it.
Every byte that was received and not yet delivered is in one of these places, in this order::

    header │ gathered │ held │ buffer[offset:]         │ pending
    ───────┴──────────┴──────┼─────────────────────────┼──────────────────────
    of the unfinished frame; │ received, not looked at │ came in while the
    the scanner has seen it  │                         │ buffer was in use

*header* and *held* are what the scanner took and remembers in its progress:
the length prefix of the frame, and bytes that may be the start of a delimiter.
*gathered* is payload that ``frames()`` collects until the frame is whole;
``events()`` never has any.
All three are put back in front of the buffer, by `_rewind`,
when the program does something that makes void what was seen:
it sets another terminator or a lower limit, pushes bytes back or takes them all,
or changes from frames to events.
Once a frame is *started* (``events()`` streamed some of it, or it is being skipped)
its header is gone, and what was streamed does not come back.

A step (`_step`) asks the scanner for the next piece of payload or the end of the frame,
gets it more bytes while there are any, and holds payload to the limit: here and nowhere else.
What goes wrong is noted in `_failure`, which `_ended` raises when there is nothing to deliver.
"""

from __future__ import annotations

import math
from copy import copy
from io import BytesIO
from typing import Any, Final

from framer._delimiters import (
    CR_FOUND,
    AnyNewlineScanner,
    delimiter_scanner,
    delimiters_scanner,
)
from framer._events import TerminatorFound
from framer._exceptions import FrameTooLarge, IncompleteFrame, MalformedFrame, caused_by
from framer._lengths import (
    LengthFromScanner,
    NetstringScanner,
    length_prefix_scanner,
    varint_prefix_scanner,
)
from framer._scanners import (
    END_FOUND,
    NOTHING_FOUND,
    EndScanner,
    Limit,
    Malformed,
    NothingScanner,
    Scanner,
    TooLarge,
    WaitingScanner,
    count_scanner,
)
from framer._terminators import (
    AnyNewline,
    LengthPrefix,
    Netstring,
    Terminator,
    VarintPrefix,
    check_terminator,
)

__all__ = ["DELIVERED", "LOOK", "NO_LIMIT", "OPEN", "RECEIVED", "FrameReader", "scanner_for"]

# More than any integer, so also more than any length that a peer can announce.
NO_LIMIT: Final = math.inf

# Of patience there is none: look for a frame. Where more is known than that, there is another
# number for it: see `_batches` for AWAKE, SPENT, FRESH and CUT, and `_event_reader` for STREAMED
# and STREAMING.
LOOK: Final = -1

# How far the end of the stream has come.
OPEN: Final = 0
RECEIVED: Final = 1
FRAMED: Final = 2  # it has ended a frame whose terminator is None
DELIVERED: Final = 3  # as EndOfStream

_ANY_NEWLINE = AnyNewlineScanner()
_END = EndScanner()
_NETSTRING = NetstringScanner()
_NOTHING = NothingScanner()
_WAITING: Scanner[Any] = WaitingScanner()


class FrameReader:
    """The bytes of a stream, and the frame under way."""

    __slots__ = (
        "_after_cr",
        "_buffer",
        "_delivered",
        "_end",
        "_failure",
        "_gathered",
        "_limit",
        "_offset",
        "_patience",
        "_pending",
        "_progress",
        "_received",
        "_scanner",
        "_skipping",
        "_terminator",
    )

    def __init__(self, terminator: Terminator, limit: Limit) -> None:
        self._scanner: Scanner[Any] = scanner_for(terminator)
        self._terminator: Terminator = terminator
        self._limit: Limit = limit
        # Where the bytes are (see above); _received counts all that ever came in.
        self._received: int = 0
        self._buffer: bytes = b""
        self._offset: int = 0
        self._pending: list[bytes] | None = None
        self._gathered: BytesIO | None = None
        # Before so many bytes have come, or the scanner's trigger, it is not worth looking for a
        # whole frame. Where nothing is waited for: LOOK, or what is known besides.
        self._patience: int = LOOK
        # The frame under way: the scanner's progress, how much payload was streamed or skipped.
        self._progress: Any = None
        self._delivered: int = 0
        self._skipping: bool = False
        # The last byte was a CR that ended a line: an LF that comes next belongs to it.
        self._after_cr: bool = False
        self._failure: FrameTooLarge | MalformedFrame | None = None
        self._end: int = OPEN

    # -- One step of the scanner -----------------------------------------------------------

    def _step(self, allowed: Limit) -> bytes | TerminatorFound | None:
        """Payload of the frame under way, at most *allowed* bytes of it, or its end.

        None: it needs more bytes, or cannot go on (see `_ended`).
        """
        scanner = self._scanner
        while True:
            start, progress = self._offset, self._progress
            found, self._offset, self._progress = scanner.pull(
                self._buffer, start, progress, allowed
            )
            if not found:
                if found is None and not self._refill():
                    return self._flush(allowed)
            elif isinstance(found, bytes):
                if len(found) <= allowed or scanner.announces:
                    return found
                return self._trim(found, int(allowed), start if progress is None else None)
            elif isinstance(found, TerminatorFound):
                if found is CR_FOUND or found is NOTHING_FOUND:
                    self._clean_up(found)
                return found
            else:
                self._fail(found)
                return None

    def _flush(self, allowed: Limit) -> bytes | TerminatorFound | None:
        """No more bytes: see what that makes of those that were held, if it is for good."""
        if self._end != RECEIVED:
            return None
        found = self._scanner.flush(self._progress)
        if found is END_FOUND:
            self._end = FRAMED
        elif isinstance(found, bytes):
            self._progress = None
            if len(found) > allowed:
                return self._trim(found, int(allowed), None)
        return found

    def _clean_up(self, found: TerminatorFound) -> None:
        """After the few terminators that leave something to do."""
        if found is NOTHING_FOUND:
            self._scanner = _WAITING
        elif self._offset == len(self._buffer) and not self._refill():
            self._after_cr = True
        elif self._buffer[self._offset] == 0x0A:
            self._offset += 1

    def _trim(self, payload: bytes, allowed: int, start: int | None) -> bytes | None:
        """Put back what is more than *allowed*; that there is more is an error, once it is all.

        *start* is where the payload stands in the buffer; None where it was held.
        """
        if start is None:
            rest = self._buffer[self._offset :]
            self._buffer = payload[allowed:] + self._held() + rest
            self._offset = 0
        else:
            self._offset = start + allowed
        self._progress = None
        if allowed:
            return payload[:allowed]
        self._failure = FrameTooLarge(int(self._limit), None, self._frame_start())
        return None

    def _fail(self, found: TooLarge | Malformed) -> None:
        start = self._frame_start()
        if isinstance(found, TooLarge):
            self._failure = FrameTooLarge(int(self._limit), found.announced, start)
            return
        position = self._received - self._size_pending() - len(self._buffer) + found.index
        self._failure = MalformedFrame(found.reason, position, start)
        self._failure.__cause__ = found.cause

    def _drop(self) -> None:
        """Go on dropping the frame that skip_frame() gave up, as far as it has come."""
        while self._skipping and self._failure is None and (found := self._step(NO_LIMIT)):
            if isinstance(found, bytes):
                self._delivered += len(found)
            else:
                self._skipping = False
                self._delivered = 0
                self._scanner = scanner_for(self._terminator)

    def _ended(self) -> bool:
        """Whether the stream has ended, and between two frames. If not so, raise.

        For when there is nothing to deliver.
        """
        if self._failure is not None:
            raise caused_by(self._failure.__cause__, copy(self._failure))
        if not self._end:
            return False
        if self._scanner is _WAITING and not self._delivered:
            return not self._undelivered()
        if not (self._started() or self._undelivered()):
            return True
        partial = self._gathered.getvalue() if self._gathered is not None else b""
        received = self._delivered + len(partial)
        remaining = self._scanner.remaining(self._progress)
        expected = None if remaining is None else received + remaining
        raise IncompleteFrame(partial, received, expected, self._frame_start())

    # -- Where the bytes are ---------------------------------------------------------------

    def _refill(self) -> bool:
        """Drop what was used up from the buffer, and move what is pending into it, if any."""
        if self._pending is None or self._scanner is _WAITING:
            if self._offset * 2 > len(self._buffer):
                self._compact()
            return False
        self._buffer = b"".join((self._buffer[self._offset :], *self._pending))
        self._offset = 0
        self._pending = None
        return True

    def _without_lf(self, data: bytes) -> bytes:
        """What is left of *data*, which follows a CR that ended a line."""
        self._after_cr = False
        return data[1:] if data[0] == 0x0A else data

    def _compact(self) -> None:
        self._buffer = self._buffer[self._offset :]
        self._offset = 0

    def _size_gathered(self) -> int:
        return self._gathered.tell() if self._gathered is not None else 0

    def _size_pending(self) -> int:
        return sum(map(len, self._pending or ()))

    def _started(self) -> bool:
        """Whether a part of the frame under way is gone: streamed, or skipped."""
        return self._delivered > 0 or self._skipping

    def _header(self, *, gone: bool) -> bytes:
        """The header of the frame under way, if it is *gone* with the payload behind it or not."""
        progress, scanner = self._progress, self._scanner
        if progress is None:
            return b""
        is_gone = self._skipping or (self._delivered > 0 and scanner.begun(progress))
        return scanner.header(progress) if is_gone == gone else b""

    def _held(self) -> bytes:
        return b"" if self._progress is None else self._scanner.held(self._progress)

    def _seen(self) -> tuple[bytes, bytes, bytes]:
        """The undelivered bytes that stand before the buffer: header, gathered, held."""
        header = self._header(gone=False)
        gathered = b"" if self._gathered is None else self._gathered.getvalue()
        return header, gathered, self._held()

    def _undelivered(self) -> int:
        unseen = len(self._buffer) - self._offset + self._size_pending()
        return sum(map(len, self._seen())) + unseen

    def _frame_start(self) -> int:
        """The offset in the stream of the first byte of the frame under way."""
        gone = len(self._header(gone=True)) + self._delivered
        return self._received - self._undelivered() - gone

    def _rewind(self) -> None:
        """Forget what was seen of the bytes that were not delivered, and look at them anew."""
        self._patience = LOOK
        if isinstance(self._failure, FrameTooLarge):
            self._failure = None
        header, gathered, held = self._seen()
        if header or gathered or held:
            self._buffer = b"".join((header, gathered, held, self._buffer[self._offset :]))
            self._offset = 0
            self._gathered = None
        if header or held or not self._started():
            self._progress = None


def scanner_for(terminator: Terminator) -> Scanner[Any]:
    """The scanner for *terminator*, which is checked: ValueError, TypeError."""
    check_terminator(terminator)
    match terminator:
        case bytes():
            return delimiter_scanner(bytes(terminator))  # of subclasses none is shared
        case int():
            return count_scanner(int(terminator)) if terminator else _NOTHING
        case tuple():
            return delimiters_scanner(tuple(map(bytes, terminator)))
        case AnyNewline():
            return _ANY_NEWLINE
        case None:
            return _END
        case LengthPrefix():
            return length_prefix_scanner(terminator)
        case VarintPrefix():
            return varint_prefix_scanner(terminator)
        case Netstring():
            return _NETSTRING
        case _:
            return LengthFromScanner(terminator)
