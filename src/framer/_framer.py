"""Framer: bytes in; events or whole frames out.

This is the part that users see. Behind it are, each extending the one before,

- `FrameReader`: where the bytes are, and one step at a time through a frame;
- `BatchReader`: how whole frames come out, many at a time;
- `EventReader`: how events do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import length_hint
from typing import Any, Final, NoReturn, cast, final

from framer._batches import AWAKE, CUT, FRESH, MOST_PIECES
from framer._delimiters import delimiter_scanner
from framer._event_reader import STREAMED, STREAMING, EventReader
from framer._events import Event
from framer._exceptions import FrameTooLarge, UsageError
from framer._reader import LOOK, NO_LIMIT, RECEIVED, scanner_for
from framer._scanners import Limit, Scanner, count_scanner
from framer._terminators import Terminator, check_int

__all__ = ["Framer"]

# Of chunks that wait to be looked at, those below this many bytes are put together:
# a list of very small ones would take many times their size.
SMALL_PIECE: Final = 4096

# A buffer of more bytes is taken to have many frames.
MANY_FRAMES: Final = 1024


@final
class Framer(EventReader):
    r"""Cut a stream of bytes into frames, without doing any I/O.

    Feed it what comes from the network, with `receive_data` and `receive_eof`,
    and take from it either whole frames (`frames`, `next_frame`)
    or a stream of events (`events`, `next_event`).
    How the network cut the stream never makes a difference.

    Args:
        terminator: what ends a frame; see `Terminator` for the choice.
        max_frame_size: how many bytes of payload a frame may have; None means no limit,
            which lets a peer fill the memory.

    Raises:
        ValueError: a terminator that is empty or ambiguous, a negative size.
        TypeError: something that is no terminator or no size.

    Time is proportional to the bytes received, whatever the chunks and the terminators.
    Memory is bounded by ``max_frame_size``, the longest terminator and one chunk.

    >>> from framer import Framer
    >>> framer = Framer(b"\r\n")
    >>> framer.receive_data(b"EHLO example.org\r\nMAIL FR")
    >>> list(framer.frames())
    [b'EHLO example.org']
    >>> framer.receive_data(b"OM:<>\r\n")
    >>> framer.next_frame()
    b'MAIL FROM:<>'
    """

    __slots__ = ()

    def __init__(
        self, terminator: Terminator = b"\n", *, max_frame_size: int | None = 65536
    ) -> None:
        super().__init__(terminator, _check_limit(max_frame_size))

    def __repr__(self) -> str:
        return f"<Framer terminator={self._terminator!r} buffered={self.buffered}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Framer cannot be copied or pickled: it stands for one stream")

    # -- What comes in ---------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes that came from the network.

        b"" does nothing; for the end of the stream there is `receive_eof`.
        This only stores them: call `frames` or `events` to have them framed.
        Bytes are kept without a copy, anything mutable is copied,
        so the caller may use its buffer again at once.

        Raises:
            UsageError: the end of the stream was received before.
            TypeError: not a bytes-like object.
        """
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        size = len(data)
        patience = self._patience
        if patience <= 0:
            if patience == STREAMED and size:  # As `_receive`, with nothing in its way.
                self._received += size
                self._buffer = data
                self._patience = STREAMING
            elif size:
                self._receive(data)
            return
        # Nothing can be complete: this is all that most small chunks cost (bench: lines, 1 B).
        trigger = self._scanner.trigger
        pending = self._pending
        if (
            0 < size < patience
            and (trigger is None or trigger not in data)
            and (pending is None or len(pending) < MOST_PIECES)
        ):
            self._received += size
            self._patience = patience - size
            if pending is None:
                self._pending = [data]
            else:
                pending.append(data)
        elif size:
            self._received += size
            if pending is not None:
                data = b"".join((self._buffer, *pending, data))
                self._pending = None
            elif self._buffer:
                data = self._buffer + data
            self._buffer = data
            self._patience = AWAKE

    def _receive(self, data: bytes) -> None:
        """Take *data* where there may be something to deliver before it."""
        if self._end:
            raise UsageError("receive_data() after receive_eof(): a new stream wants a new Framer")
        self._received += len(data)
        if self._after_cr and not (data := self._without_lf(data)):
            return
        if self._batch:
            self._settle()
        self._patience = LOOK
        pending = self._pending
        if pending is not None:
            if len(pending[-1]) < SMALL_PIECE and len(data) < SMALL_PIECE:
                pending[-1] += data
            else:
                pending.append(data)
        elif self._offset < len(self._buffer):
            self._pending = [data]
        else:
            self._buffer = data
            self._offset = 0

    def receive_eof(self) -> None:
        """Note that the stream has ended. To do so twice is harmless.

        `frames` and `events` still deliver what is complete;
        then they end, or raise `IncompleteFrame`.
        """
        self._end = self._end or RECEIVED
        self._patience = LOOK

    def push_back(self, data: bytes | bytearray | memoryview) -> None:
        r"""Put bytes in front of those that are buffered, to be framed next.

        This also works after the end of the stream.
        It takes time linear in what is buffered.
        Offsets in errors count the bytes received, so bytes that never were shift them.

        Raises:
            TypeError: not a bytes-like object.

        >>> framer = Framer()
        >>> framer.receive_data(b"one\ntwo\n")
        >>> framer.next_frame()
        b'one'
        >>> framer.push_back(b"one and a half\n")
        >>> list(framer.frames())
        [b'one and a half', b'two']
        """
        data = bytes(memoryview(data))
        if not data:
            return
        self._settle()
        self._rewind()
        self._buffer = data + self._buffer[self._offset :]
        self._offset = 0
        if self._end:
            self._end = RECEIVED

    # -- What goes out ---------------------------------------------------------------------

    def frames(self) -> Iterator[bytes]:
        """Whole frames, as many as are complete.

        The loop may be left at any time, and the framer changed inside it:
        what was not delivered stays, and the next call, or the loop itself, goes on with it.

        Raises, after the last frame that is complete:
            FrameTooLarge, MalformedFrame, IncompleteFrame: each says what to do.
            UsageError: a part of this frame has already been streamed by `events`.

        >>> from framer import LengthPrefix
        >>> framer = Framer(LengthPrefix(1))
        >>> framer.receive_data(bytes([2]) + b"hi" + bytes([0, 3]) + b"th")
        >>> list(framer.frames())
        [b'hi', b'']
        """
        # A loop in C costs less a frame, a generator less to make (bench: lines, 64 KiB and 17 B).
        if len(self._buffer) > MANY_FRAMES:
            return chain.from_iterable(iter(self._next_frames, None))
        return self._few_frames()

    def _few_frames(self) -> Iterator[bytes]:
        while self._patience <= 0:
            frames = self._next_frames()
            if frames is None:
                return
            yield from frames

    def next_frame(self) -> bytes | None:
        """One frame, or None when more bytes are needed, or the stream has ended.

        Beware that b"" is a frame, too: compare with None.
        Raises the same as `frames`.
        """
        for frame in self._ready_frames:
            return frame
        for frame in self._next_frames() or ():
            return frame
        return None

    def events(self) -> Iterator[Event]:
        r"""Events, as many as can be told from what was received.

        Payload is delivered as it arrives, in `Data`;
        held back is only what may still turn out to be the start of a delimiter.
        As with `frames`, the loop may be left at any time, and the framer changed inside it.

        Raises, after the last event that is certain:
            FrameTooLarge: after exactly ``max_frame_size`` bytes of the frame;
                a count or None that the program has set is not limited here.
            MalformedFrame, IncompleteFrame: each says what to do.

        >>> framer = Framer(b"\r\n")
        >>> framer.receive_data(b"ab\r\nc\r")
        >>> list(framer.events())
        [Data(chunk=b'ab'), TerminatorFound(matched=b'\r\n'), Data(chunk=b'c')]
        """
        if len(self._buffer) > MANY_FRAMES:
            return chain.from_iterable(iter(self._next_events, None))
        return self._few_events()

    def _few_events(self) -> Iterator[Event]:
        while (events := self._next_events()) is not None:
            yield from events

    def next_event(self) -> Event | None:
        """One event, or None when more bytes are needed, or the stream has ended.

        Raises the same as `events`.
        """
        for event in self._ready_events:
            return event
        for event in self._next_events() or ():
            return event
        return None

    # -- What can be asked and changed between any two frames or events --------------------

    @property
    def terminator(self) -> Terminator:
        r"""What ends a frame: exactly the value that was set.

        A new one applies from the first byte that has not been delivered.
        With `frames` that is the start of the unfinished frame,
        with `events` what has not been streamed yet.
        The setter raises ValueError and TypeError for what is no terminator.

        >>> framer = Framer()
        >>> framer.receive_data(b"body: 5\nhello")
        >>> for frame in framer.frames():
        ...     print(frame)
        ...     framer.terminator = 5
        b'body: 5'
        b'hello'
        """
        return self._terminator

    @terminator.setter
    def terminator(self, terminator: Terminator) -> None:
        if type(terminator) is bytes and terminator:  # The two that programs set by turns, with
            scanner: Scanner[Any] = delimiter_scanner(terminator)  # no call (bench: http).
        elif type(terminator) is int and terminator > 0:
            scanner = count_scanner(terminator)
        else:
            scanner = scanner_for(terminator)
        if self._patience == CUT and terminator != self._terminator:  # As below, for this state.
            self._terminator = terminator
            self._scanner = scanner
            self._lookahead = 0
            self._patience = FRESH
            return
        if self._batch and length_hint(self._ready_events):  # so perhaps amid a frame
            self._settle()
        # The same once more changes nothing, save for a count: that starts to count again.
        same = terminator == self._terminator and terminator != 0 and not self._delivered
        self._terminator = terminator
        if same or self._skipping:  # A frame that is being skipped ends as it began.
            return
        if self._batch:
            self._settle()
        if self._progress is None and self._gathered is None and self._failure is None:
            # There is nothing to rewind (bench: http).
            self._patience = LOOK if self._delivered else FRESH
        else:
            self._rewind()
            self._progress = None
        self._scanner = scanner
        self._lookahead = 0

    @property
    def max_frame_size(self) -> int | None:
        """How many bytes of payload a frame may have; None means no limit. It may be set."""
        return None if self._limit == NO_LIMIT else int(self._limit)

    @max_frame_size.setter
    def max_frame_size(self, max_frame_size: int | None) -> None:
        limit = _check_limit(max_frame_size)
        if limit < self._limit or self._failure is not None:
            self._settle()
            self._rewind()
        self._limit = limit

    @property
    def buffered(self) -> int:
        """How many bytes were received and not yet delivered."""
        self._settle()
        self._drop()
        return self._undelivered()

    def take_buffered(self) -> bytes:
        r"""Hand over the bytes that were received and not yet delivered, and forget them.

        For a change of protocol: what came in behind the last frame belongs to the next one.
        Before a change to TLS, refuse the connection if there are any
        (CVE-2011-0411): they came in plain text, from anybody.
        This works after every error, too.

        >>> framer = Framer(b"\r\n")
        >>> framer.receive_data(b"UPGRADE\r\nsomething else")
        >>> framer.next_frame(), framer.take_buffered()
        (b'UPGRADE', b'something else')
        """
        self._settle()
        self._drop()
        self._rewind()
        data = self._buffer[self._offset :]
        if self._pending is not None:
            data = b"".join((data, *self._pending))
        self._buffer = b""
        self._offset = 0
        self._pending = None
        return data

    def skip_frame(self) -> None:
        r"""After `FrameTooLarge`: drop the rest of that frame, also what has not come yet.

        What comes out next is the frame behind it.

        Raises:
            UsageError: there was no FrameTooLarge.

        >>> framer = Framer(max_frame_size=4)
        >>> framer.receive_data(b"too long, and its end has not come")
        >>> try:
        ...     framer.next_frame()
        ... except FrameTooLarge:
        ...     framer.skip_frame()
        >>> framer.receive_data(b", now it has\nshort\nok\n")
        >>> framer.max_frame_size = 5
        >>> list(framer.frames())
        [b'short', b'ok']
        """
        if not isinstance(self._failure, FrameTooLarge):
            raise UsageError("skip_frame() has nothing to skip: it is for after a FrameTooLarge")
        self._failure = None
        self._delivered += self._size_gathered()
        self._gathered = None
        self._skipping = True
        self._drop()


def _check_limit(max_frame_size: object) -> Limit:
    if max_frame_size is None:
        return NO_LIMIT
    check_int("max_frame_size", max_frame_size, at_least=0)
    return cast("Limit", max_frame_size)
