"""Playing a stream to a subject, and writing down what comes out: `transcript`.

A *subject* is a factory without arguments.
What it makes has ``feed(data)``, which returns the events that this brought,
and, where the end of a stream means something, ``close()``, which returns the last ones.
Each may return a list, or a generator that raises in the middle: what came before counts.

Code that cannot be fed, because it asks for its input itself, has ``play`` instead:
see `framer.testing.recv_subject`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, cast

from framer.testing._failures import CheckFailed, again, describe, short
from framer.testing._values import value_of

__all__ = [
    "Make",
    "NotASubject",
    "Played",
    "Raised",
    "Subject",
    "Transcript",
    "drain",
    "require_end",
    "transcript",
]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says


MOST_EVENTS: Final = 100_000
"""More events than this, and ten for each byte, and the subject is taken never to stop."""


class NotASubject(TypeError):
    """What was given for a subject is not put together like one: the test is wrong, not the parser.

    It is raised by whatever plays the subject, and never taken for an error of the parser's.
    """


class Subject(Protocol):
    """A parser under test, for one stream. It may have ``close()``, too."""

    def feed(self, data: bytes, /) -> Iterable[Any]: ...


Make: TypeAlias = Callable[[], Subject]
"""Makes a new subject each time it is called."""


@dataclass(frozen=True, slots=True)
class Raised:
    """In place of an event: the subject raised this, and nothing follows."""

    error: Exception


Played: TypeAlias = Iterator[tuple[int, bool, Any]]
"""How many bytes were in, whether the stream had ended, and what came out: an event or Raised."""


@dataclass(frozen=True, slots=True)
class Transcript:
    r"""What came out of a subject, when it was fed in these chunks.

    Attributes:
        chunks: how the stream was cut.
        events: what came out, in order.
        offsets: for each event, how many bytes had been fed when it came out.
        error: what was raised, or None. Nothing is fed after an error.
        error_offset: how many bytes had been fed when it was raised, or None.
        open_events: how many of the events came out before the stream was ended.
        values: for each event what it is compared by, as it was when it came out.
    """

    chunks: list[bytes]
    events: list[Any] = field(default_factory=list[Any])
    offsets: list[int] = field(default_factory=list[int])
    error: Exception | None = None
    error_offset: int | None = None
    open_events: int = 0
    values: list[Any] = field(default_factory=list[Any], repr=False)


def transcript(make: Make, chunks: Iterable[bytes], *, eof: bool = True) -> Transcript:
    r"""Feed a new subject with these chunks, end the stream, and write down what comes out.

    Args:
        make: the subject.
        chunks: what to feed, one after the other.
        eof: whether to end the stream, by `close`, if the subject has that.

    Raises:
        NotASubject: ``feed`` or ``close`` returned something that is not iterable.
        CheckFailed: the events do not end: there are 100,000 of them, and ten for each byte.

    >>> from framer import Framer
    >>> from framer.testing import framer_subject, transcript
    >>> seen = transcript(framer_subject(Framer), [b"on", b"e\ntw", b"o\n"])
    >>> list(zip(seen.offsets, seen.events))
    [(6, b'one'), (8, b'two')]
    """
    chunks = list(chunks)
    subject = make()
    play: Callable[[list[bytes], bool], Played] = getattr(subject, "play", partial(_play, subject))
    events: list[Any] = []
    offsets: list[int] = []
    values: list[Any] = []
    open_events = 0
    error, error_offset = None, None
    for offset, ended, event in play(chunks, eof):
        if isinstance(event, Raised):
            error, error_offset = event.error, offset
            break
        events.append(event)
        offsets.append(offset)
        values.append(value_of(event))
        open_events += not ended
        if len(events) > MOST_EVENTS:
            require_end(chunks, events)
    return Transcript(chunks, events, offsets, error, error_offset, open_events, values)


def require_end(chunks: list[bytes], events: list[Any]) -> None:
    """Refuse to go on with a subject that gives events for ever.

    Raises:
        CheckFailed: there are more of them than any parser has from so many bytes.
    """
    size = sum(map(len, chunks))
    if len(events) <= MOST_EVENTS + 10 * size:
        return
    raise CheckFailed(
        f"the events do not end: {len(events)} came out of a stream of {size} bytes,"
        " and there are more\n\n"
        f"{describe(chunks)}\n\nthe last was: {short(events[-1], 300)}\n\n"
        f"{again(f'transcript(make, {chunks!r})')}",
        split=chunks,
    )


def _play(subject: Subject, chunks: list[bytes], eof: bool) -> Played:  # noqa: FBT001 - private
    offset, feed = 0, subject.feed
    for chunk in chunks:
        offset += len(chunk)
        for event in drain("feed()", feed, chunk):
            yield offset, False, event
    close: Callable[[], Iterable[Any]] | None = getattr(subject, "close", None)
    if eof and close is not None:
        for event in drain("close()", close):
            yield offset, True, event


def drain(name: str, call: Callable[..., Iterable[Any] | None], *args: object) -> Iterator[Any]:
    """What a call brings, one by one; an error is the last of it.

    Raises:
        NotASubject: the call of this *name* returned nothing that is iterable.
    """
    # Checks are made of some thousand of these, most of which bring nothing.
    try:
        events = call(*args)
        try:
            each = iter(cast("Iterable[Any]", events))
        except TypeError:
            raise NotASubject(
                f"{name} of a subject returns the events that it brings, in an iterable;"
                f" this one returned {events!r}"
            ) from None
        yield from each
    except NotASubject:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, it belongs to the transcript
        yield Raised(exc)
