"""What gives its bytes little by little: the three shapes of a producer, made one.

::

    what is pushed        asked by            has nothing yet     has ended
    ────────────────────────────────────────────────────────────────────────────────
    1. an object          more()              PENDING             b""
    2. a binary file      read(chunk_size)    PENDING or None     b""
    3. an iterable        next()              PENDING             b"", or exhaustion

**Which wins.** The first that fits.
A file is an iterable, too, of lines of any size, so `read` comes before iteration;
and what has `more` was written for a queue like this one, so that comes before both.
Whether a producer is true is never asked: one with a length of 0 would not be sent.
Bytes are iterable, but of ints, and a str of strs; both are refused when they are pushed.

**What ends one.** The end, an exception, or something that is neither bytes-like nor PENDING.
It is never asked again.

**Who closes it.** The queue, whose it is from the push on:
when it ends and on `discard`, once, after it is out of the queue.
What is closed is what was pushed.
Only of an iterable that cannot be closed, such as a class whose ``__iter__`` is a generator,
is it the iterator, or its ``finally`` would run who knows when.

**What it may do while it is asked.** It is foreign code, and may call its very queue.
Meanwhile it is not `ready`, so that the order holds and a generator is not entered twice.
A `wake` counts for the PENDING that it is about to give.
A `discard` cannot close it, for a generator that runs cannot be closed:
what it gives then is dropped, and the call that asked it closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Final, Protocol, TypeAlias, cast

__all__ = ["PENDING", "Chunk", "Pending", "Producer", "PushedProducer", "close_all", "to_bytes"]


class Pending(Enum):
    """The type of `PENDING`, for annotations."""

    PENDING = "PENDING"

    def __repr__(self) -> str:
        return "framer.PENDING"


PENDING: Final = Pending.PENDING
"""What a producer gives when it has nothing yet; `OutputQueue.wake` has it asked again."""

Chunk: TypeAlias = bytes | bytearray | memoryview | Pending
"""What a producer gives."""


class _HasMore(Protocol):
    def more(self) -> Chunk: ...


class _Reads(Protocol):
    def read(self, size: int, /) -> Chunk | None: ...


Producer: TypeAlias = _HasMore | _Reads | Iterable[Chunk]
"""What `OutputQueue.push_producer` takes; of several shapes the first that fits.

1. An object whose ``more()`` gives the next chunk, and ``b""`` at the end.
2. One whose ``read(chunk_size)`` does: a file opened in binary mode.
3. An iterable of chunks: a list, a generator. An empty chunk ends it, too.

A chunk is bytes-like and of any size; a mutable one is copied.
Or it is `PENDING` (or the None of a non-blocking file): there is nothing yet.
Then the producer is not asked, and nothing behind it goes out, until `OutputQueue.wake`.
While it is asked it may call the queue, which has no bytes for it.
"""


class PushedProducer:
    """A producer of any shape in the queue, to be asked and to be closed.

    Raises:
        TypeError: it has none of the shapes, or is itself bytes or a str.
    """

    __slots__ = ("_ask", "_asking", "_dropped", "_owner", "pending", "producer")

    def __init__(self, producer: Producer, chunk_size: int) -> None:
        self.producer = producer
        self._owner: object = producer  # of close()
        self._ask: Callable[[], object]
        self._asking = False
        self._dropped = False
        self.pending = False
        more = getattr(producer, "more", None)
        read = getattr(producer, "read", None)
        if callable(more):
            self._ask = more
        elif callable(read):
            self._ask = partial(_read, read, chunk_size)
        else:
            iterator = _iterate(producer)
            self._ask = partial(next, iterator, b"")
            if not hasattr(producer, "close"):
                self._owner = iterator

    @property
    def ready(self) -> bool:
        """Whether it may be asked: it is not being asked, nor `pending`."""
        return not (self._asking or self.pending)

    def ask(self) -> bytes | Pending:
        """Return the next chunk, b"" at the end, or PENDING; raise what the producer raises.

        After PENDING it is `pending`, unless `wake` has come in between.
        """
        self._asking = self.pending = True
        try:
            chunk = self._ask()
        finally:
            self._asking = False
        if self._dropped:
            return b""
        if chunk is PENDING:
            return PENDING
        self.pending = False
        return to_bytes(chunk, "a producer gives bytes, b'' at its end, or PENDING")

    def close(self) -> None:
        """Call `close` of the producer, if it has one; while it is asked, drop what it gives."""
        if self._asking:
            self._dropped = True
            return
        close = getattr(self._owner, "close", None)
        if callable(close):
            close()


def close_all(producers: Iterable[PushedProducer]) -> None:
    """Close all of them, whatever some raise; then raise that, several errors as a group."""
    errors: list[BaseException] = []
    for producer in producers:
        try:
            producer.close()
        except BaseException as error:  # noqa: BLE001 - raised when all are closed
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else BaseExceptionGroup("closing producers", errors)


def _read(read: Callable[[int], object], chunk_size: int) -> object:
    chunk = read(chunk_size)
    return PENDING if chunk is None else chunk  # None is what a non-blocking file has to say


def _iterate(producer: object) -> Iterator[object]:
    if not _is_data(producer):
        with suppress(TypeError):
            return iter(cast("Iterable[object]", producer))
    raise TypeError(
        "push_producer() takes an object with more(), a binary file or an iterable of bytes, "
        f"not {type(producer).__name__}; data as such goes to push()"
    )


def _is_data(value: object) -> bool:
    """Whether its items are no chunks but parts of one, of whatever type: int, str, float."""
    if isinstance(value, str):
        return True
    with suppress(TypeError):
        memoryview(cast("bytes", value)).release()
        return True
    return False


def to_bytes(data: object, wanted: str) -> bytes:
    """Return bytes that nobody can change, or say what was wanted instead."""
    if type(data) is bytes:
        return data
    try:
        view = memoryview(cast("bytes", data))
    except TypeError:
        advice = "; encode it, or open the file in binary mode" if isinstance(data, str) else ""
        raise TypeError(f"{wanted}, not {type(data).__name__}{advice}") from None
    with view:
        return view.tobytes()
