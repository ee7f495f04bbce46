"""What is written down of a run: events, where they came out, and how it ended."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer.testing import CheckFailed, NotASubject, transcript
from framer.testing._transcripts import MOST_EVENTS


class Bytes:
    """Gives each byte as a number, and 0 at the end; a minus raises."""

    def feed(self, data: bytes) -> Iterator[int]:
        """One event a byte."""
        for byte in data:
            if byte == ord("-"):
                raise ValueError("minus")
            yield byte

    def close(self) -> list[int]:
        """The last event."""
        return [0]


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=6))
def test_events_and_offsets(chunks: list[bytes]) -> None:
    """All that was fed comes out, each at the end of its chunk; what the end brings comes last."""
    data = b"".join(chunks).partition(b"-")[0]
    seen = transcript(Bytes, chunks)
    ended = seen.error is None
    assert seen.chunks == chunks
    assert seen.events == [*data, *([0] if ended else [])] == seen.values
    ends = [sum(map(len, chunks[: i + 1])) for i, chunk in enumerate(chunks) for _ in chunk]
    assert seen.offsets == [*ends[: len(data)], *([sum(map(len, chunks))] if ended else [])]
    assert seen.open_events == len(data)


def test_an_error_ends_it() -> None:
    """What came before the error counts, and nothing is fed behind it."""
    seen = transcript(Bytes, [b"a", b"b-c", b"d"])
    assert seen.events == [97, 98]
    assert isinstance(seen.error, ValueError)
    assert (seen.error_offset, seen.open_events) == (4, 2)


def test_a_stream_that_does_not_end() -> None:
    """With eof=False nobody calls close()."""
    assert transcript(Bytes, [b"a"], eof=False).events == [97]


def test_a_subject_without_an_end() -> None:
    """close() need not be there."""

    class Lasting:
        def feed(self, data: bytes) -> list[bytes]:
            return [data]

    assert transcript(Lasting, [b"a"]).events == [b"a"]


def test_errors_at_once() -> None:
    """An error may also come out of the calls themselves."""

    class Failing:
        def feed(self, data: bytes) -> list[bytes]:
            return [data]

        def close(self) -> list[bytes]:
            raise EOFError

    seen = transcript(Failing, [b"a"])
    assert isinstance(seen.error, EOFError)
    assert (seen.error_offset, seen.events) == (1, [b"a"])


def returning(result: Any) -> Callable[[bytes], Any]:
    """Make a feed() that returns something."""
    return lambda data: result


@pytest.mark.parametrize("result", [None, 5])
def test_what_is_no_subject(result: object) -> None:
    """That feed() returns no events is a fault of the test, and not of the parser."""

    class Wrong:
        feed = staticmethod(returning(result))

    with pytest.raises(NotASubject, match=r"feed\(\) of a subject returns"):
        transcript(Wrong, [b"a"])


def test_a_wrapper_that_was_told_wrong_things() -> None:
    """NotASubject comes through, from a call and from the middle of the events."""

    class Later:
        def feed(self, data: bytes) -> Iterable[bytes]:
            yield data
            raise NotASubject("never ends")

    class AtOnce:
        def feed(self, data: bytes) -> Iterable[bytes]:
            raise NotASubject("never ends")

    for wrong in (Later, AtOnce):
        with pytest.raises(NotASubject, match="never ends"):
            transcript(wrong, [b"a"])


def test_events_without_end() -> None:
    """A parser that gives an event for ever is stopped, and told so; a generous one is not."""

    class Stuck:
        def feed(self, data: bytes) -> Iterator[bytes]:
            while True:
                yield b""

    class Generous:
        def feed(self, data: bytes) -> Iterator[bytes]:
            return itertools.repeat(b"", MOST_EVENTS + 9 * len(data))

    with pytest.raises(CheckFailed, match="the events do not end") as caught:
        transcript(Stuck, [b"a", b"b"])
    assert caught.value.split == [b"a", b"b"]
    assert len(transcript(Generous, [b"abc"]).events) == MOST_EVENTS + 27


def test_only_errors_of_the_parser_are_written_down() -> None:
    """KeyboardInterrupt and its like are nobody's outcome."""

    class Interrupted:
        def feed(self, data: bytes) -> list[bytes]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transcript(Interrupted, [b"a"])


def test_the_doing_of_make() -> None:
    """What make() raises is no transcript either."""

    def make() -> Bytes:
        raise RuntimeError("no parser today")

    with pytest.raises(RuntimeError, match="today"):
        transcript(make, [])
