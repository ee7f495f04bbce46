"""Wrappers: a Framer, a parser to pull from, one that returns events, one that calls back."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from collections.abc import Iterator
from typing import Any

import pytest

from framer import Data, Framer, MalformedFrame, Netstring, TerminatorFound
from framer.testing import (
    NotASubject,
    callback_subject,
    check_chunking,
    feed_subject,
    framer_subject,
    pull_subject,
    transcript,
)


def test_frames_of_a_framer() -> None:
    """Whole frames; and what is wrong comes behind what was right."""
    make = framer_subject(lambda: Framer(Netstring()))
    seen = check_chunking(make, b"2:hi,0:,x", errors="exact")
    assert seen.events == [b"hi", b""]
    assert isinstance(seen.error, MalformedFrame)


def test_events_of_a_framer() -> None:
    """With streaming=True, the payload as it comes."""
    make = framer_subject(Framer, streaming=True)
    seen = transcript(make, [b"a", b"b\n"])
    assert seen.events[:3] == [Data(b"a"), Data(b"b"), TerminatorFound(b"\n")]
    check_chunking(make, b"ab\nc\n", merge=[Data])


class Pulled:
    """Numbers, one for each byte; at the end one more, for ever if asked."""

    def __init__(self) -> None:
        self.queue: list[int] = []
        self.ended = False

    def receive_data(self, data: bytes) -> None:
        """Take some."""
        self.queue += data

    def receive_eof(self) -> None:
        """Take the end."""
        self.ended = True

    def next_event(self) -> Any:
        """Give one."""
        if self.queue:
            return self.queue.pop(0)
        return "end" if self.ended else None


def test_pulling() -> None:
    """One event after the other, until there is none, or the last."""
    make = pull_subject(Pulled, last=(str,))
    assert check_chunking(make, b"ab").events == [97, 98, "end"]
    functions = pull_subject(
        Pulled,
        receive=lambda parser, data: parser.receive_data(data[::-1]),
        next_event=lambda parser: parser.next_event() or NEED_DATA,
        end=None,
        done=(NEED_DATA,),
    )
    assert transcript(functions, [b"ab"]).events == [98, 97]


NEED_DATA = object()


def test_pulling_without_an_end() -> None:
    """A parser that never says that it has none: the test is told what to say."""
    with pytest.raises(NotASubject, match="say in done="):
        transcript(pull_subject(Pulled), [b"a"])


@pytest.mark.parametrize(
    "make",
    [framer_subject(Framer), pull_subject(Framer, next_event="next_frame")],
    ids=["framer", "pull"],
)
def test_pausing(make: Any) -> None:
    """While it is paused it takes what it is fed; then it gives all at once."""
    subject = make()
    subject.pause()
    assert list(subject.feed(b"one\ntw")) == []
    assert list(subject.feed(b"o\n")) == []
    assert list(subject.resume()) == [b"one", b"two"]
    assert list(subject.feed(b"three\n")) == [b"three"]


def test_changing_the_terminator() -> None:
    """Of a framer, between any two feeds."""
    subject: Any = framer_subject(Framer)()
    assert list(subject.feed(b"one\nab")) == [b"one"]
    subject.change_terminator(2)
    assert list(subject.feed(b"cd")) == [b"ab", b"cd"]


class Split:
    """Returns lines, or None for none."""

    def __init__(self) -> None:
        self.rest = b""

    def parse(self, data: bytes) -> list[bytes] | None:
        """Split."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines or None

    def finish(self) -> list[bytes]:
        """Give what is left."""
        return [self.rest]


def test_feeding() -> None:
    """A method of any name; None is no event."""
    make = feed_subject(Split, feed="parse", close="finish")
    assert check_chunking(make, b"a\n\nb").events == [b"a", b"", b"b"]
    assert not hasattr(feed_subject(Split, feed="parse")(), "close")
    generator = feed_subject(Split, feed=lambda parser, data: iter(parser.parse(data) or ()))
    assert check_chunking(generator, b"a\nb\n").events == [b"a", b"b"]


class Calling:
    """Calls an object for each byte, and raises for a minus."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def feed_data(self, data: bytes) -> None:
        """Call."""
        for byte in data:
            if byte == ord("-"):
                raise ValueError("minus")
            self.target.on_byte(byte)

    def end(self) -> None:
        """Call once more."""
        self.target.on_end()


def test_calling_back() -> None:
    """Calls are events, before the error of the same feed, too."""
    make = callback_subject(Calling, feed="feed_data", close="end")
    assert check_chunking(make, b"a").events == [("on_byte", 97), ("on_end",)]
    seen = check_chunking(make, b"ab-c")
    assert seen.events == [("on_byte", 97), ("on_byte", 98)]
    assert isinstance(seen.error, ValueError)
    assert not hasattr(callback_subject(Calling, feed="feed_data")(), "close")


def test_what_is_fed_is_fed_at_once() -> None:
    """A subject takes its data when it is fed, not when somebody looks at the events."""
    subject = callback_subject(Calling, feed="feed_data")()
    first = subject.feed(b"a")
    second = subject.feed(b"b")
    assert (list(first), list(second)) == ([("on_byte", 97)], [("on_byte", 98)])


def test_a_recorder_has_no_protocol_methods() -> None:
    """It has any method, but is not taken for a container or a context manager for that."""

    def make(calls: Any) -> Calling:
        assert not hasattr(calls, "__len__")
        return Calling(calls)

    assert transcript(callback_subject(make, feed="feed_data"), [b"a"]).events


def test_generators_are_events() -> None:
    """The events of a feed may come from a generator that raises in the middle."""

    def parse(parser: Split, data: bytes) -> Iterator[bytes]:
        for line in parser.parse(data) or ():
            if not line:
                raise ValueError("empty")
            yield line

    seen = check_chunking(feed_subject(Split, feed=parse), b"a\nb\n\nc\n")
    assert seen.events == [b"a", b"b"]
