"""What goes in comes out and stays so: check_roundtrip, check_aliasing, check_output."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from framer.testing._chunking import check_chunking, expected, smallest_split
from framer.testing._failures import (
    CheckFailed,
    Side,
    Vacuous,
    again,
    compare,
    describe,
    short,
)
from framer.testing._merging import Merge, Rules
from framer.testing._splits import cut_at, splits
from framer.testing._transcripts import Make, Subject, Transcript, drain, transcript
from framer.testing._values import value_of

__all__ = ["check_aliasing", "check_output", "check_roundtrip"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says

T = TypeVar("T")

NOT_TAKEN: Final = (TypeError, AttributeError)
"""What code that works with bytes raises for what is none."""


def check_roundtrip(
    encode: Callable[[T], bytes], make: Make, messages: Iterable[T], *, merge: Merge = ()
) -> None:
    r"""Check that messages come out of the parser as they went into the encoder.

    Args:
        encode: makes bytes of a message.
        make: the subject, whose events are messages.
        messages: some; they are sent alone and one after the other, and cut in every way.
        merge: as for `check_chunking`.

    Raises:
        CheckFailed: something else came out.
        Vacuous: there are no messages.

    >>> from framer import Framer, Netstring, encode_frame
    >>> from framer.testing import check_roundtrip, framer_subject
    >>> kind = Netstring()
    >>> make = framer_subject(lambda: Framer(kind))
    >>> check_roundtrip(lambda message: encode_frame(message, kind), make, [b"spam", b"", b","])
    """
    messages = list(messages)
    if not messages:
        raise Vacuous("vacuous: there are no messages, so nothing was checked")
    for some in [*([message] for message in messages), messages]:
        data = b"".join(map(encode, some))
        wanted = Transcript([data], some, [len(data)] * len(some), values=list(map(value_of, some)))
        rules = Rules.of(merge)
        seen = transcript(make, cut_at(data, ()))
        place = rules.difference(wanted, seen)
        if place is not None:
            sides = Side("the messages", wanted), Side("what came out", seen)
            raise CheckFailed(
                "what comes out of the parser is not what went into the encoder\n\n"
                f"{describe(seen.chunks)}\n\n{compare(*sides, rules, place)}\n\n{again('', seen)}",
                split=seen.chunks,
                transcripts=[wanted, seen],
                difference=place,
            ) from seen.error
        check_chunking(make, data, merge=merge)


def check_aliasing(make: Make, data: bytes) -> None:
    r"""Check that the subject keeps no part of the caller's buffer, and hands out none of its own.

    It is fed from a bytearray, and from a view of one, which are overwritten as soon as they were
    fed, as ``recv_into`` would; the events have to be those that bytes give,
    and the subject may not write into what it was fed.
    And what came out has to be the same when the stream has ended as it was when it came out.
    A subject that takes nothing but bytes (TypeError, AttributeError) is held to the latter alone.
    Two subjects that are fed in turns have nothing to do with each other, either.

    Raises:
        CheckFailed: an event changed, or differs from what bytes give,
            or from what the subject gives when it is alone; or the caller's buffer changed.
        Vacuous: no event came out.

    >>> from framer import Framer
    >>> from framer.testing import check_aliasing, framer_subject
    >>> check_aliasing(framer_subject(Framer), b"one\ntwo\n")
    """
    data = bytes(data)
    rules = Rules.of()
    expected(make, data, rules)
    _check_alone(make, data, rules)
    for chunks in splits(data):
        plain = transcript(make, chunks)
        _check_unchanged(plain, plain.chunks)
        for view in (False, True):
            seen = _overwritten(make, chunks, view=view)
            if isinstance(seen.error, _Written):
                raise CheckFailed(
                    f"the subject writes into the caller's buffer: {seen.error}\n\n"
                    f"{describe(chunks)}\n\n{again(f'check_aliasing(make, {data!r})')}",
                    split=chunks,
                    transcripts=[plain, seen],
                )
            if isinstance(seen.error, NOT_TAKEN) and not isinstance(plain.error, NOT_TAKEN):
                continue
            _check_unchanged(seen, seen.chunks)
            if rules.difference(plain, seen) is not None:
                chunks = smallest_split(partial(_keeps, make, rules, view), chunks)  # noqa: PLW2901 - the same, but smaller
                plain, seen = transcript(make, chunks), _overwritten(make, chunks, view=view)
                place = rules.difference(plain, seen) or 0
                kind = "memoryview" if view else "bytearray"
                sides = Side("fed bytes", plain), Side(f"a {kind}, used again", seen)
                raise CheckFailed(
                    f"the subject keeps a part of the caller's buffer: fed a {kind}"
                    " that is then overwritten, it gives other events\n\n"
                    f"{describe(chunks)}\n\n{compare(*sides, rules, place)}\n\n"
                    f"{again(f'check_aliasing(make, {data!r})')}",
                    split=chunks,
                    transcripts=[plain, seen],
                    difference=place,
                ) from seen.error


def _overwritten(make: Make, chunks: list[bytes], *, view: bool) -> Transcript:
    return transcript(lambda: _Overwriting(make(), view=view), chunks)


def _keeps(make: Make, rules: Rules, view: bool, chunks: list[bytes]) -> bool:  # noqa: FBT001 - for partial
    seen = _overwritten(make, chunks, view=view)
    return rules.difference(transcript(make, chunks), seen) is not None


def _check_alone(make: Make, data: bytes, rules: Rules) -> None:
    """Feed two at once, and see whether the first says what it says when it is alone."""

    def both(chunks: list[bytes]) -> tuple[Transcript, Transcript]:
        return transcript(make, chunks), transcript(lambda: _Accompanied(make(), make()), chunks)

    chunks = cut_at(data, range(1, len(data)))
    if rules.difference(*both(chunks)) is None:
        return
    chunks = smallest_split(lambda chunks: rules.difference(*both(chunks)) is not None, chunks)
    alone, seen = both(chunks)
    place = rules.difference(alone, seen) or 0
    sides = Side("alone", alone), Side("with another", seen)
    raise CheckFailed(
        "two subjects that are fed in turns disturb each other:"
        " something is kept in their class or module\n\n"
        f"{describe(chunks)}\n\n{compare(*sides, rules, place)}\n\n"
        f"{again(f'check_aliasing(make, {data!r})')}",
        split=chunks,
        transcripts=[alone, seen],
        difference=place,
    ) from seen.error


class _Accompanied:
    """A subject, and another one that gets the same, a little later."""

    def __init__(self, subject: Subject, other: Subject) -> None:
        self._subject = subject
        self._other = other
        if hasattr(subject, "close"):
            self.close: Callable[[], Iterable[Any]] = subject.close  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def feed(self, data: bytes) -> Iterator[Any]:
        yield from self._subject.feed(data)
        for _ in drain("feed()", self._other.feed, data):
            pass


class _Written(Exception):
    """The caller's buffer is not what it was."""


class _Overwriting:
    """Feeds a subject from a buffer that is used again at once."""

    def __init__(self, subject: Subject, *, view: bool) -> None:
        self._subject = subject
        self._view = view
        if hasattr(subject, "close"):
            self.close: Callable[[], Iterable[Any]] = subject.close  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def feed(self, data: bytes) -> Iterator[Any]:
        buffer = bytearray(data)
        given: Any = memoryview(buffer) if self._view else buffer
        try:
            yield from self._subject.feed(given)
        finally:
            became = bytes(buffer)
            buffer[:] = bytes(byte ^ 0xFF for byte in buffer)
        if became != data:
            raise _Written(f"{short(data, 60)} became {short(became, 60)}")


def _check_unchanged(seen: Transcript, chunks: Sequence[bytes]) -> None:
    for place, (event, value) in enumerate(zip(seen.events, seen.values, strict=True)):
        try:
            now = value_of(event)
        except ValueError as exc:  # a view that was released
            now = exc
        if now != value:
            raise CheckFailed(
                "an event changed after it had come out\n\n"
                f"{describe(chunks)}\n\nevent {place} was {short(value, 300)}\n"
                f"and then became {short(now, 300)}\n\n"
                f"{again('', seen)}",
                split=chunks,
                transcripts=[seen],
                difference=place,
            )


class Queue(Protocol):
    """What check_output asks of a queue; ``push_producer`` only if producers are written."""

    def push(self, data: Any, /) -> object: ...
    def data_to_send(self, max_size: int, /) -> bytes: ...


Write: TypeAlias = bytes | Sequence[bytes]
"""Bytes are pushed; several of them are pushed as a producer."""


def check_output(
    make_queue: Callable[[], Queue], writes: Iterable[Write], takes: Iterable[int]
) -> None:
    r"""Check that what is written to a queue comes out once, in order, however it is taken.

    Args:
        make_queue: makes a queue with ``push(data)`` and ``data_to_send(max_size)``.
        writes: what to push: bytes, or a list of bytes for ``push_producer``.
        takes: how many bytes to take at a time, over and over until nothing is left.

    Writes and takes are interleaved in several ways. Bytes are pushed as a bytearray, too,
    that is overwritten as soon as it was pushed.

    Raises:
        CheckFailed: bytes are missing, changed or out of order, more was given than asked for,
            or nothing was given while something was left.
        Vacuous: nothing was written.
        ValueError: a take is not positive.

    >>> from framer import OutputQueue
    >>> from framer.testing import check_output
    >>> check_output(OutputQueue, [b"spam", [b"a", b"b"], b"eggs"], [3, 1])
    """
    writes, takes = list(writes), list(takes)
    if not takes or min(takes) < 1:
        raise ValueError(f"takes are numbers of bytes, 1 at least, and there is one: {takes!r}")
    if not any(map(_joined, writes)):
        raise Vacuous("vacuous: nothing was written, so nothing was checked")
    for seed in range(-2, 8):
        for mutable in (False, True):
            turns = _turns(seed, len(writes))
            _check_interleaving(make_queue(), writes, takes, turns, mutable=mutable)


def _joined(write: Write) -> bytes:
    return bytes(write) if isinstance(write, bytes | bytearray | memoryview) else b"".join(write)


def _turns(seed: int, count: int) -> list[int]:
    """How often to take behind each write: never, once, or as the seed has it."""
    if seed < 0:
        return [seed + 2] * count
    rng = random.Random(seed)
    return [rng.choice((0, 0, 1, 2, 5)) for _ in range(count)]


def _check_interleaving(
    queue: Queue, writes: list[Write], takes: list[int], turns: list[int], *, mutable: bool
) -> None:
    taken, written, calls = b"", b"", 0
    story: list[str] = []

    def take() -> bool:
        nonlocal taken, calls
        size = takes[calls % len(takes)]
        calls += 1
        data = queue.data_to_send(size)
        story.append(f"data_to_send({size}) -> {data!r}")
        taken += data
        if len(data) > size:
            _fail(f"{len(data)} bytes were given, and {size} asked for", story)
        if not written.startswith(taken):
            _fail(f"{taken!r} was given by then, of {written!r}", story)
        return bool(data)

    for write, turn in zip(writes, turns, strict=True):
        _write(queue, write, story, mutable=mutable)
        written += _joined(write)
        for _ in range(turn):
            take()
    while take():
        pass
    if taken != written:
        _fail(f"nothing more is given, and {written[len(taken) :]!r} is missing", story)


def _write(queue: Any, write: Write, story: list[str], *, mutable: bool) -> None:
    if not isinstance(write, bytes | bytearray | memoryview):
        story.append(f"push_producer(iter({list(write)!r}))")
        queue.push_producer(iter(write))
    elif mutable:
        story.append(f"push(bytearray({bytes(write)!r}))  # and then overwritten")
        buffer = bytearray(write)
        queue.push(buffer)
        buffer[:] = bytes(byte ^ 0xFF for byte in buffer)
    else:
        story.append(f"push({bytes(write)!r})")
        queue.push(write)


def _fail(told: str, story: list[str]) -> None:
    lines = "\n".join(f"    {line}" for line in story[-20:])
    raise CheckFailed(f"the queue is wrong: {told}\n\nwhat was called:\n{lines}")
