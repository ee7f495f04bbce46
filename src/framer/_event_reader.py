"""EventReader: how events come out, many at a time where frames are whole.

The events of a batch of frames are made in one go, as a list, and the loop over it runs in C,
as the one over frames does; see `BatchReader`.
Whatever is in pieces is streamed one step at a time.

Between two chunks in the middle of a frame nothing is buffered and nothing is to be decided.
`_patience` tells so, and a chunk that comes then, and is payload from its first byte to its last,
is handed on as it is::

    step: Data, and all is used up ──▶ STREAMED ──▶ receive_data() ──▶ STREAMING
                                          ▲                               │ │
                                          └──── all of it is payload ─────┘ └──▶ LOOK: step
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from operator import length_hint
from typing import Any, Final

from framer._batches import LAST_WINDOW, BatchReader
from framer._events import (
    Data,
    EndOfStream,
    Event,
    TerminatorFound,
    length_found,
    new_data,
    set_chunk,
)
from framer._reader import DELIVERED, LOOK, NO_LIMIT

__all__ = ["STREAMED", "STREAMING", "EventReader"]

# events() has delivered payload of the frame under way, and the buffer is empty, and so is all
# else but the scanner's progress; it takes more bytes for there to be another event.
STREAMED: Final = -4
# The buffer has what came next.
STREAMING: Final = -5

# Fewer frames than this are made into events one by one.
FEW_FRAMES: Final = 4


class EventReader(BatchReader):
    """The frame under way, and events that were made ahead of delivery."""

    __slots__ = ()

    def _next_events(self) -> Iterable[Event] | None:
        """Some events to deliver at once, or None when there are none."""
        patience = self._patience
        if patience == STREAMED:
            return None
        if patience == STREAMING and (data := self._stream()) is not None:
            return (data,)
        if patience > 0:
            self._refill()
        self._patience = LOOK
        if self._batch:
            if length_hint(self._ready_events):
                return self._ready_events
            self._settle()
        if (
            not self._delivered
            and self._can_split()
            and (events := self._split_events()) is not None
        ):
            return events
        event = self._step_event()
        return None if event is None else (event,)

    def _stream(self) -> Data | None:
        """The chunk that has just come, if all of it is payload of the frame under way."""
        chunk, scanner = self._buffer, self._scanner
        size = self._delivered + len(chunk)
        trigger = scanner.trigger
        if trigger is None or trigger in chunk or chunk[-1] in scanner.inner or size > self._limit:
            return None
        self._buffer = b""
        self._delivered = size
        self._patience = STREAMED
        data = new_data(Data)
        set_chunk(data, chunk)
        return data

    def _split_events(self) -> Iterator[Event] | None:
        """The events of a batch of whole frames, or None if there is none."""
        found = self._scanner.found
        if found is None and not self._scanner.found_is_length:
            return None
        start = self._offset
        frames = self._split()
        if self._offset - start > LAST_WINDOW:
            # One big frame: a batch would hold on to it, and to the buffer.
            self._offset = start
            return None
        if not frames:
            return None
        self._batch = _events_of(frames, found)
        self._batch_start = start
        self._ready_events = ready = iter(self._batch)
        return ready

    def _step_event(self) -> Event | None:
        if self._gathered is not None or self._failure is not None or self._skipping:
            self._change_to_events()
        if not self._skipping and self._failure is None:
            allowed = max(self._limit - self._delivered, 0) if self._scanner.limited else NO_LIMIT
            found = self._step(allowed)
            if isinstance(found, bytes):
                self._delivered += len(found)
                if self._offset == len(self._buffer):
                    self._note_streamed()
                return Data(found)
            if found is not None:
                self._delivered = 0
                self._let_go()
                return found
        if not self._ended() or self._end == DELIVERED:
            return None
        self._end = DELIVERED
        return EndOfStream()

    def _note_streamed(self) -> None:
        """All that came was streamed: note so, if no event can come before more bytes do.

        It saves a step that finds nothing: half the time of small chunks (bench: lines, 17 B).
        """
        if (
            self._pending is None
            and not self._end
            and self._failure is None
            and self._scanner.patience(self._progress) >= 0
        ):
            self._compact()
            self._patience = STREAMED

    def _change_to_events(self) -> None:
        if self._gathered is not None and self._failure is None:
            self._rewind()
        # What is too large to collect may not be too large to stream.
        if self._failure is not None and not self._scanner.limited:
            self._rewind()
        if self._skipping:
            self._drop()


def _events_of(frames: list[bytes], found: TerminatorFound | None) -> list[Event]:
    """The events of whole frames that all end with *found*, or else with their lengths.

    What is in a loop here runs in C: a third of the time (bench: lines, events).
    """
    if len(frames) < FEW_FRAMES or not all(frames):
        return [event for frame in frames for event in _events_of_one(frame, found)]
    data = list(map(new_data, repeat(Data, len(frames))))
    deque(map(set_chunk, data, frames), maxlen=0)  # which does it for each
    events: list[Any] = [found] * (2 * len(frames))
    events[::2] = data
    if found is None:
        events[1::2] = map(length_found, map(len, frames))
    return events


def _events_of_one(frame: bytes, found: TerminatorFound | None) -> tuple[Event, ...]:
    end = found or length_found(len(frame))
    return (Data(frame), end) if frame else (end,)
