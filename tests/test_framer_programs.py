"""Framer: random programs of calls, against a model that holds one byte string.

The model knows what a framer may deliver next from the bytes that were not delivered yet,
and nothing of chunks, batches or progress.
Whatever the program does (other terminators in the middle of a frame, loops left half way,
bytes pushed back or taken away), the two agree at every step, and no byte is lost: R2, R3, R10.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from oracle import cut, number

from framer import (
    ANY_NEWLINE,
    Data,
    EndOfStream,
    Framer,
    FramingError,
    LengthFrom,
    LengthPrefix,
    Netstring,
    Terminator,
    TerminatorFound,
    VarintPrefix,
)

TERMINATORS: list[Terminator] = [
    b"\n",
    b"\r\n",
    b"aab",
    (b"\n", b"\r\n"),
    ANY_NEWLINE,
    1,
    2,
    5,
    LengthPrefix(1),
    VarintPrefix(),
    Netstring(),
    LengthFrom(b";", number, footer=b"\n"),
]
ALPHABET = st.sampled_from(b"\r\n\1\2\3ab;:,123")
CHUNKS = st.lists(ALPHABET, max_size=12).map(bytes) | st.sampled_from(
    [b"aab" * 9, b"\r\n" * 20, b"a\n" * 30, b"1:a,2:bb," * 5, b"2;ab\n" * 5, b"\1a\2bb" * 9]
)


class Programs(RuleBasedStateMachine):
    """A framer, and the bytes that it has not delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.framer = Framer(max_frame_size=None)
        self.terminator: Terminator = b"\n"
        self.rest = b""
        self.fed = 0
        self.pushed = 0
        self.delivered = 0
        self.streamed = False  # a part of the frame, by events()
        self.after_cr = False
        self.ended = False
        self.eof_given = False
        self.broken = False

    @initialize(terminator=st.sampled_from(TERMINATORS))
    def start(self, terminator: Terminator) -> None:
        """Begin with any terminator."""
        self.framer = Framer(terminator, max_frame_size=None)
        self.terminator = terminator

    # What comes in

    @precondition(lambda self: not self.ended)
    @rule(chunk=CHUNKS, mutable=st.booleans())
    def receive(self, chunk: bytes, mutable: bool) -> None:
        """A chunk arrives, in bytes or in a buffer that is overwritten at once."""
        if mutable:
            buffer = bytearray(chunk)
            self.framer.receive_data(buffer)
            buffer[:] = b"X" * len(buffer)
        else:
            self.framer.receive_data(chunk)
        self.fed += len(chunk)
        if chunk and self.after_cr:
            self.after_cr = False
            self.delivered += chunk.startswith(b"\n")
            chunk = chunk.removeprefix(b"\n")
        self.rest += chunk

    @rule()
    def receive_eof(self) -> None:
        """The stream ends, perhaps again."""
        self.framer.receive_eof()
        self.ended = True

    @precondition(lambda self: not self.in_body())
    @rule(data=CHUNKS)
    def push_back(self, data: bytes) -> None:
        """Bytes are put in front."""
        self.framer.push_back(data)
        self.rest = data + self.rest
        self.pushed += len(data)
        if data:
            self.after_cr = self.eof_given = False

    # What goes out

    def in_body(self) -> bool:
        """Whether a part of a frame of known length was streamed: the model leaves that alone."""
        return (
            self.streamed
            and not isinstance(self.terminator, (bytes, tuple))
            and (self.terminator is not ANY_NEWLINE)
        )

    def expected_frame(self) -> bytes | str | None:
        """The next whole frame, None, or the name of an error."""
        first = cut(self.rest, self.terminator, eof=False)
        if first.size is not None:
            return first.payload
        if first.bad is not None:
            return "MalformedFrame"
        return "IncompleteFrame" if self.ended and self.rest else None

    def deliver_frame(self, frame: bytes) -> None:
        """The framer gave a frame: it is the one at the front."""
        assert frame == self.expected_frame()
        size = cut(self.rest, self.terminator, eof=False).size
        assert size is not None
        self.delivered += size
        self.after_cr = self.rest[:size].endswith(b"\r") and self.terminator is ANY_NEWLINE
        self.after_cr = self.after_cr and size == len(self.rest)
        self.rest = self.rest[size:]

    @precondition(lambda self: not self.streamed and not self.broken)
    @rule(most=st.integers(1, 12))
    def loop_over_frames(self, most: int) -> None:
        """A loop over frames(), left after a while."""
        try:
            for frame in self.framer.frames():
                self.deliver_frame(frame)
                most -= 1
                if not most:
                    return
        except FramingError as error:
            self.failed(error)
        else:
            assert self.expected_frame() is None

    @precondition(lambda self: not self.streamed and not self.broken)
    @rule()
    def next_frame(self) -> None:
        """One frame, or word that there is none."""
        try:
            frame = self.framer.next_frame()
        except FramingError as error:
            self.failed(error)
            return
        if frame is None:
            assert self.expected_frame() is None
        else:
            self.deliver_frame(frame)

    @precondition(lambda self: not self.streamed and not self.broken)
    @rule(most=st.integers(1, 6), then=st.sampled_from(TERMINATORS))
    def change_terminator_in_a_loop(self, most: int, then: Terminator) -> None:
        """The terminator changes inside a loop, which goes on under the new one."""
        try:
            for frame in self.framer.frames():
                self.deliver_frame(frame)
                most -= 1
                if not most:
                    self.set_terminator(then)
                if most < -5:
                    return
        except FramingError as error:
            self.failed(error)

    def failed(self, error: FramingError) -> None:
        """The framer raised: the model says the same, at the same place."""
        assert type(error).__name__ == self.expected_frame()
        assert error.frame_start == self.fed - len(self.rest)
        self.broken = type(error).__name__ == "MalformedFrame"

    @precondition(lambda self: not self.broken)
    @rule()
    def next_event(self) -> None:
        """One event: payload that is certain, the end of the frame, or of the stream."""
        if self.in_body():
            self.finish_body()
            return
        first = cut(self.rest, self.terminator, eof=self.ended)
        try:
            event = self.framer.next_event()
        except FramingError as error:
            assert not first.payload
            assert first.bad is not None or (self.ended and (self.rest or self.streamed))
            self.broken = type(error).__name__ == "MalformedFrame"
            return
        if isinstance(event, Data):
            assert event.chunk
            assert first.payload.startswith(event.chunk)
            taken = first.before + len(event.chunk)
            self.rest = self.rest[taken:]
            self.delivered += taken
            self.streamed = True
        elif isinstance(event, TerminatorFound):
            assert not first.payload
            assert first.size is not None
            assert event.matched == first.matched
            self.streamed = False
            self.deliver_frame(b"")
        elif isinstance(event, EndOfStream):
            assert self.ended
            assert not self.rest
            assert not self.streamed
            assert not self.eof_given
            self.eof_given = True
        else:
            assert not first.payload
            assert first.size is None
            assert not self.ended or self.eof_given

    def finish_body(self) -> None:
        """Stream the rest of a frame of known length, as far as it has come."""
        before = self.framer.buffered
        try:
            for event in self.framer.events():
                after = self.framer.buffered
                self.delivered += before - after
                self.rest = self.rest[before - after :]
                before = after
                if isinstance(event, TerminatorFound):
                    self.streamed = False
                    return
        except FramingError as error:
            self.broken = type(error).__name__ == "MalformedFrame"

    # What can be changed

    @rule(terminator=st.sampled_from(TERMINATORS))
    def set_terminator(self, terminator: Terminator) -> None:
        """Another terminator, at any moment."""
        self.framer.terminator = terminator
        self.terminator = terminator
        assert self.framer.terminator is terminator

    @rule()
    def take_buffered(self) -> None:
        """The program takes what is left, and puts it back, or not."""
        taken = self.framer.take_buffered()
        assert taken == self.rest
        self.delivered += len(taken)
        self.rest = b""

    @invariant()
    def nothing_is_lost(self) -> None:
        """Delivered, terminators and prefixes included, and buffered: all that was received."""
        assert self.framer.buffered == len(self.rest)
        assert self.delivered + len(self.rest) == self.fed + self.pushed


TestPrograms = Programs.TestCase
# A hundred by default, and very many in the profile `thorough`.
TestPrograms.settings = settings(stateful_step_count=40)


def test_the_model_is_not_vacuous() -> None:
    """It tells a framer that is wrong: one that was fed behind the model's back."""
    machine: Any = Programs()
    machine.start(b"\n")
    machine.framer.receive_data(b"x")
    try:
        machine.nothing_is_lost()
    except AssertionError:
        return
    raise AssertionError("the model saw nothing")
