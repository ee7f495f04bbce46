"""ParserMachine: a parser driven by any order of calls, held to what it says to the whole stream.

The machine feeds pieces of a stream, asks for no events for a while, changes the terminator
where the parser has one, ends the stream. Beside it stands a new subject after each step,
which gets the same bytes with as few feeds as there can be: one between any two changes.
Both have to have said the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any, ClassVar, TypeAlias, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from framer.testing._failures import CheckFailed, Side, again, compare, describe
from framer.testing._merging import Errors, Merge, Rules
from framer.testing._transcripts import (
    Played,
    Raised,
    Subject,
    Transcript,
    drain,
    require_end,
    transcript,
)
from framer.testing._values import value_of

__all__ = ["ParserMachine"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says


@dataclass(frozen=True, slots=True)
class Change:
    """The terminator was changed to this one."""

    terminator: Any


@dataclass(frozen=True, slots=True)
class Ask:
    """Events were asked for, with nothing fed since a change, which may have brought some."""


Step: TypeAlias = bytes | Change | Ask
"""What was done: bytes that were fed, a change, or a question."""


class ParserMachine(RuleBasedStateMachine):
    r"""A state machine for hypothesis: feed, pause, change the terminator, end; to subclass.

    What a subclass says:

    Attributes:
        make: the method that makes a subject.
        streams: a strategy of bytes to feed, mostly `streams` of frames.
        terminators: what the terminator is changed to; none by default.
            The subject needs a method ``change_terminator(terminator)``, as `framer_subject` has.
        merge, errors: as for `check_chunking`.

    To pause it takes a subject with ``pause()``, after which it is fed and asked for nothing,
    and ``resume()``, which returns the events; `framer_subject` and `pull_subject` have these.

    >>> from framer import Framer
    >>> from framer.testing import ParserMachine, framer_subject, streams
    >>> class Lines(ParserMachine):
    ...     streams = streams(b"one\r\n", b"\r\n", b"th\rree\n\r\n")
    ...     terminators = (b"\n", b"\r\n", 3)
    ...
    ...     def make(self):
    ...         return framer_subject(lambda: Framer(b"\r\n"))()
    >>> TestLines = Lines.TestCase  # for pytest and unittest
    """

    streams: ClassVar[st.SearchStrategy[bytes]]
    terminators: ClassVar[Sequence[Any]] = ()
    merge: ClassVar[Merge] = ()
    errors: ClassVar[Errors] = "outcome"

    def make(self) -> Subject:
        """Make a subject: override this."""
        raise NotImplementedError(f"{type(self).__name__} has to say how its parser is made")

    def __init__(self) -> None:
        super().__init__()
        self._subject: Any = self.make()
        self._rules = Rules.of(self.merge, self.errors)
        self._seen = Transcript([])
        self._paused = False
        self._ended = False
        self._history: list[Step] = []

    def _live(self) -> bool:
        return self._seen.error is None and not self._ended

    # Rules

    @rule(data=st.data())
    def feed(self, data: st.DataObject) -> None:
        """Feed some bytes, in two pieces; nothing, once the stream has ended or failed."""
        if not self._live():
            return  # there has to be something that can always be done
        stream = data.draw(self.streams, label="stream")
        first = data.draw(st.integers(0, len(stream)), label="cut at")
        for piece in (stream[:first], stream[first:]):
            if piece and self._seen.error is None:
                self._history.append(piece)
                self._seen.chunks.append(piece)
                self._take(partial(self._subject.feed, piece))

    @precondition(lambda self: self._live() and not self._paused and self._can("pause"))
    @rule()
    def pause(self) -> None:
        """Ask for no events until further notice."""
        self._paused = True
        self._subject.pause()

    @precondition(lambda self: self._paused)
    @rule()
    def resume(self) -> None:
        """Ask for all events that there are by now."""
        self._paused = False
        if self._history and isinstance(self._history[-1], Change):
            self._history.append(Ask())
        self._take(self._subject.resume)

    @precondition(lambda self: self._live() and self.terminators)
    @rule(data=st.data())
    def change_terminator(self, data: st.DataObject) -> None:
        """Set another terminator, when all events up to now are out."""
        if self._paused:
            self.resume()
        terminator = data.draw(st.sampled_from(self.terminators), label="terminator")
        self._history.append(Change(terminator))
        if self._seen.error is None:
            self._subject.change_terminator(terminator)

    @precondition(lambda self: self._live() and not self._paused and self._can("close"))
    @rule()
    def end(self) -> None:
        """End the stream."""
        self._ended = True
        self._take(self._subject.close)

    @invariant()
    def _same_as_in_one_piece(self) -> None:
        """What came out is what comes out if as much as possible is fed at once."""
        if self._paused:
            return
        whole = transcript(lambda: _Replayed(self.make(), self._history), [], eof=self._ended)
        seen = self._seen
        place = self._rules.difference(whole, seen)
        if place is not None:
            sides = Side("with few feeds", whole), Side("as it was fed", seen)
            raise CheckFailed(
                "the events depend on how the stream is cut, or on when they are asked for\n\n"
                f"{describe(seen.chunks)}\n\n{compare(*sides, self._rules, place)}\n\n"
                f"{again(f'transcript(make, {seen.chunks!r})')}",
                split=seen.chunks,
                transcripts=[whole, seen],
                difference=place,
            ) from seen.error

    # What the rules are made of

    def _can(self, method: str) -> bool:
        return hasattr(self._subject, method)

    def _take(self, call: Callable[[], Iterable[Any]]) -> None:
        """Write down what a call brings."""
        seen = self._seen
        for event in drain("the subject", call):
            if isinstance(event, Raised):
                self._seen = replace(seen, error=event.error)
                return
            seen.events.append(event)
            seen.offsets.append(sum(map(len, seen.chunks)))
            seen.values.append(value_of(event))
            require_end(seen.chunks, seen.events)


class _Replayed:
    """A subject that does by itself what was done to another, with as few feeds as there can be."""

    def __init__(self, subject: Any, history: list[Step]) -> None:
        self._subject = subject
        self._history = history

    def feed(self, data: bytes, /) -> Iterable[Any]:
        """It is played."""
        raise NotImplementedError

    def play(self, _chunks: list[bytes], eof: bool) -> Played:  # noqa: FBT001 - Subject's
        """Feed what stands between two changes in one piece."""
        offset = 0
        for kind, steps in groupby(self._history, type):
            if kind is Change:
                for step in steps:
                    self._subject.change_terminator(cast("Change", step).terminator)
                continue
            if kind is Ask:
                self._subject.pause()
                drained = drain("resume()", self._subject.resume)
            else:
                data = b"".join(cast("Iterator[bytes]", steps))
                offset += len(data)
                drained = drain("feed()", self._subject.feed, data)
            for event in drained:
                yield offset, False, event
        if eof:
            for event in drain("close()", self._subject.close):
                yield offset, True, event
