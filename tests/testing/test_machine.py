"""ParserMachine: it finds what depends on cuts, pauses and changes, and nothing else."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from framer import Data, Framer, LengthPrefix, MalformedFrame, Netstring
from framer.testing import CheckFailed, ParserMachine, Subject, framer_subject, streams
from framer.testing._machine import _Replayed

SETTINGS = settings(
    max_examples=20,
    stateful_step_count=12,
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking is hypothesis' own, and takes long
)
WIRE = streams(b"one\r\n", b"\r\n", b"2:hi,", b"\x01x", b"a\rb\n\r\n")


class FramerMachine(ParserMachine):
    """framer's own, whole frames, with terminators of each kind."""

    streams = WIRE
    terminators: ClassVar[Any] = (b"\r\n", b"\n", 3, LengthPrefix(1), Netstring())
    errors = "exact"

    def make(self) -> Subject:
        """Make one."""
        return framer_subject(lambda: Framer(b"\r\n", max_frame_size=6))()


class StreamingMachine(FramerMachine):
    """The same with events."""

    merge = (Data,)
    terminators: ClassVar[Any] = ()

    def make(self) -> Subject:
        """Make one."""
        return framer_subject(lambda: Framer(b"\r\n", max_frame_size=6), streaming=True)()


class Lines:
    """Lines, each subclass with a mistake."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[Any]:
        """Split what is there."""
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        return lines


class LosesCr(Lines):
    """At a cut."""

    def feed(self, data: bytes) -> list[Any]:
        """Lose it."""
        return super().feed(data.removesuffix(b"\r"))


class Pausing(Lines):
    """Forgets what came in a pause but for the last."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[bytes] = []
        self.paused = False

    def feed(self, data: bytes) -> list[Any]:
        """Keep the last feed's only."""
        if not self.paused:
            return super().feed(data)
        self.lines = super().feed(data)
        return []

    def pause(self) -> None:
        """Keep."""
        self.paused = True

    def resume(self) -> list[bytes]:
        """Give."""
        self.paused = False
        lines, self.lines = self.lines, []
        return lines


class LastLine(Lines):
    """Gives the last line only if it came in one piece."""

    def feed(self, data: bytes) -> list[Any]:
        """Remember the piece."""
        self.last = data
        return super().feed(data)

    def close(self) -> Iterator[bytes]:
        """Give it."""
        if self.rest and self.last.endswith(self.rest):
            yield self.rest


class Raises(Lines):
    """Raises for an empty line, unless it comes in a chunk of its own."""

    def feed(self, data: bytes) -> list[Any]:
        """Look for it."""
        lines = super().feed(data)
        if b"" in lines and len(lines) > 1:
            raise ValueError("empty")
        return lines


def machine(subject: type[Any], wire: st.SearchStrategy[bytes] = WIRE) -> type[ParserMachine]:
    """Make a machine that drives it."""

    class Machine(ParserMachine):
        streams: ClassVar[st.SearchStrategy[bytes]] = wire

        def make(self) -> Subject:
            made: Subject = subject()
            return made

    return Machine


@pytest.mark.parametrize(
    "machine_class",
    [FramerMachine, StreamingMachine, machine(Lines)],
    ids=["frames", "events", "lines"],
)
def test_parsers_without_fault(machine_class: type[ParserMachine]) -> None:
    """They say the same, whatever is done in whatever order."""
    run_state_machine_as_test(machine_class, settings=SETTINGS)


@pytest.mark.parametrize(
    ("subject", "wire"),
    [(LosesCr, WIRE), (Pausing, WIRE), (LastLine, st.just(b"a\r\nbc")), (Raises, WIRE)],
    ids=["cut", "pause", "end", "error"],
)
def test_parsers_with_a_fault(subject: type[Any], wire: st.SearchStrategy[bytes]) -> None:
    """The failure has both transcripts, and the chunks to make it again."""
    more = settings(SETTINGS, max_examples=300)
    with pytest.raises(CheckFailed, match=r"with few feeds .* as it was fed") as caught:
        run_state_machine_as_test(machine(subject, wire), settings=more)
    assert caught.value.split
    assert caught.value.difference is not None


def test_a_change_that_is_forgotten() -> None:
    """A change of the terminator that takes effect late is found, too."""

    class Late:
        def __init__(self) -> None:
            self.inner: Any = framer_subject(lambda: Framer(b"\r\n"))()
            self.next: Any = None

        def feed(self, data: bytes) -> list[bytes]:
            frames = list(self.inner.feed(data))
            if self.next is not None:
                self.inner.change_terminator(self.next)
            return frames

        def change_terminator(self, terminator: Any) -> None:
            self.next = terminator

    class Machine(ParserMachine):
        streams: ClassVar[st.SearchStrategy[bytes]] = WIRE
        terminators = (3, b"\n")

        def make(self) -> Subject:
            return Late()

    with pytest.raises(CheckFailed):
        run_state_machine_as_test(Machine, settings=SETTINGS)


def test_a_machine_that_does_not_say_what_it_drives() -> None:
    """It is told so."""
    with pytest.raises(NotImplementedError, match="ParserMachine has to say"):
        ParserMachine()


def test_a_replay_is_not_fed() -> None:
    """It does what was done, by itself."""
    with pytest.raises(NotImplementedError):
        _Replayed(Lines(), []).feed(b"")


class Always:
    """Draws one and the same."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def draw(self, *_: Any, **__: Any) -> Any:
        """Give it."""
        return self.value


def test_events_that_a_change_brings() -> None:
    """To ask for them, with nothing fed since, is no fault of the parser."""
    machine = FramerMachine()
    machine._history.append(b"\r\n\x01x")
    machine._take(lambda: machine._subject.feed(b"\r\n\x01x"))
    for terminator in (LengthPrefix(1), Netstring()):
        machine.change_terminator(data=Always(terminator))
    machine.pause()
    machine.resume()
    machine._same_as_in_one_piece()
    assert isinstance(machine._seen.error, MalformedFrame)


def test_a_change_after_an_error() -> None:
    """A parser that has failed when its events are asked for is not given another terminator."""
    machine = FramerMachine()
    machine.change_terminator(data=Always(Netstring()))
    machine.pause()
    machine._history.append(b"x")
    machine._take(lambda: machine._subject.feed(b"x"))
    machine.change_terminator(data=Always(b"\n"))
    assert isinstance(machine._seen.error, MalformedFrame)
    machine._same_as_in_one_piece()
