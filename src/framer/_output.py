"""What goes out: a queue of bytes and of producers of bytes.

The queue never sends.
It answers one question, "what is next on the wire?", and is told how much of that went out.
Its whole state is this::

      what is going out now           what comes after it
    ┌───────────────────────┐   ┌───────┬──────────┬───────┬──
    │ _head, from _offset on│ ◀ │ bytes │ producer │ bytes │ …       _items
    └───────────────────────┘   └───────┴──────────┴───────┴──

- A partial send moves the offset; the rest of a buffer is never copied.
  So each byte costs constant time, for a peer that takes one byte at a time as well.
- A producer in front is asked only when the head is empty and somebody wants bytes.
  Its chunk becomes the head, and it stays where it is, to be asked again afterwards.
  So there is one chunk of it in memory at the most, and what stands behind it waits.
- A producer is first taken out of the queue and then closed.
  So it is closed once, and an error from its `close` finds the queue already in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, cast

from framer._exceptions import UsageError
from framer._producers import PENDING, Pending, Producer, PushedProducer, close_all, to_bytes
from framer._terminators import check_int

__all__ = ["OutputQueue"]

_Items: TypeAlias = deque[bytes | PushedProducer]
_Bytes: TypeAlias = deque[bytes]

_TOO_LATE: Final = "comes too late: the queue is closing; look at closing if others may close it"


class OutputQueue:
    """Bytes and producers of bytes, which go out in exactly the order they were pushed.

    It does no I/O: `push` puts in; `data_to_send` takes out,
    and so does `advance`, of what `next_buffer` or `buffers` has shown.

    >>> out = OutputQueue()
    >>> out.push(b"spam and ")
    >>> out.push_producer([b"eggs", b" and ham"])
    >>> out.close_when_done()
    >>> list(iter(out.data_to_send, b""))
    [b'spam and ', b'eggs', b' and ham']
    >>> out.done
    True

    ``len(out)`` is how many bytes are in memory: pushed, or given by a producer, and not taken.
    ``bool(out)`` is whether anything has still to go out, be it a producer that has nothing yet.
    A call takes time in proportion to the bytes that it copies, takes out or drops.
    A push costs its bytes and some 50 more; an idle queue costs under 250. It is for one thread.

    Args:
        high_water: with more bytes than this in memory the queue is `congested` …
        low_water: … until there are this many or fewer. None means a quarter of `high_water`.
        chunk_size: how many bytes to ask of a producer that has `read`. At least 1.

    Raises:
        TypeError, ValueError: one is no int, or too small, or `low_water` is above `high_water`.

    Attributes:
        closing: whether `close_when_done` was called; nothing can be pushed from then on. To read.
        on_ready: None, or what to call, without arguments, when there is something new to do:
            at the first push to an empty queue, a `wake` of a producer that had nothing,
            the first `close_when_done`, a `discard` that makes it `done` or ends congestion.
            An adapter has no other way to learn of these; it should take a note, and send later.
    """

    __slots__ = (
        "_chunk_size",
        "_congested",
        "_head",
        "_high_water",
        "_items",
        "_low_water",
        "_offset",
        "_producers",
        "_shown",
        "_size",
        "closing",
        "on_ready",
    )

    def __init__(
        self, high_water: int = 65536, low_water: int | None = None, chunk_size: int = 65536
    ) -> None:
        check_int("high_water", high_water, at_least=0)
        low_water = high_water // 4 if low_water is None else low_water
        check_int("low_water", low_water, at_least=0)
        check_int("chunk_size", chunk_size, at_least=1)
        if high_water < low_water:
            raise ValueError(f"high_water={high_water} is below low_water={low_water}")
        self._high_water = high_water
        self._low_water = low_water
        self._chunk_size = chunk_size
        self._head = b""
        self._offset: int = 0
        self._items: _Items | None = None  # None when empty: a deque takes 760 bytes
        self._size = 0  # bytes in head and items
        self._producers = 0  # how many of the items
        self._shown = 0  # what the last buffers() showed, less what advance() removed of it
        self.closing: bool = False
        self._congested = False
        self.on_ready: Callable[[], object] | None = None

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return self._size > 0 or self._producers > 0

    def __repr__(self) -> str:
        states = [state for state in ("congested", "closing", "done") if getattr(self, state)]
        held = [f"{self._size} bytes", f"{self._producers} producers"]
        return f"<framer.OutputQueue {', '.join(held + states)}>"

    @property
    def done(self) -> bool:
        """Whether `close_when_done` was called and everything has gone out: time to close.

        After the last chunk of a producer it takes one more call for bytes to see that it ended.
        """
        return self.closing and not self

    @property
    def congested(self) -> bool:
        """Whether to push no more for now, and to stop reading what causes pushes.

        It goes up above `high_water` and comes down at `low_water`. Pushing is not refused.
        """
        return self._congested

    def push(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes, a mutable buffer as a copy, of any itemsize; empty data does nothing.

        Raises:
            TypeError: `data` is not bytes-like. Encode a str; give a file to `push_producer`.
            UsageError: `close_when_done` was called before.
        """
        if self.closing:
            raise UsageError(f"push() {_TOO_LATE}")
        if type(data) is not bytes:
            data = to_bytes(data, "push() takes bytes")
        if not data:
            return
        if self._items:  # One test a push, and no call: `tests/bench/echo.py` has thousands.
            self._items.append(data)
            self._size = size = self._size + len(data)
            if size > self._high_water:
                self._congested = True
        elif self._head:
            self._append(data, len(data))
        else:  # Without a deque, which is for more than one.
            self._head = data
            self._size = size = len(data)
            if size > self._high_water:
                self._congested = True
            if self.on_ready is not None:
                self.on_ready()

    def push_producer(self, producer: Producer) -> None:
        """Append what gives its bytes when they are needed: a file, an iterable; see `Producer`.

        The producer belongs to the queue from here on.
        When it ends or raises, and on `discard`, it is removed and its ``close()`` is called once.
        What it raises, or ``close()`` raises, comes out of the call that asked for bytes, once;
        the queue goes on with what is behind it.

        Raises:
            TypeError: it is no `Producer`, or is itself bytes or a str.
            UsageError: `close_when_done` was called before. The producer was not touched.
        """
        if self.closing:
            raise UsageError(f"push_producer() {_TOO_LATE}")
        pushed = PushedProducer(producer, self._chunk_size)
        self._producers += 1
        self._append(pushed, 0)

    def close_when_done(self) -> None:
        """Take no more pushes; what was pushed still goes out. To call it again is harmless."""
        if not self.closing:
            self.closing = True
            self._notify()

    def data_to_send(self, max_size: int | None = None) -> bytes:
        """Remove the bytes that are next and return them, `max_size` of them at the most.

        That is everything up to the first producer; if nothing is before that, one chunk of it.
        So this is not all that could be had: call again until there is nothing.

        Returns:
            ``b""`` when there is nothing now. If ``bool(out)`` is true then,
            the producer in front has nothing yet: `on_ready` tells when to try again.

        Raises:
            TypeError, ValueError: `max_size` is no int, or negative; a producer gave no bytes.
            Exception: whatever a producer raises; it is gone then. Call again for what is behind.
        """
        data = self._head
        if data and max_size is None and not (self._items or self._offset):
            # All there is, in one piece, as it is after one answer (bench: line echo).
            self._head, self._items = b"", None
            self._size = self._shown = 0
            self._congested = False
            return data
        data = b"".join(self._next(None, max_size))
        self._remove(len(data))
        return data

    def buffers(self, max_count: int = 64, max_size: int | None = None) -> list[memoryview]:
        """Show the bytes that `data_to_send` would remove, for ``send`` and ``sendmsg``.

        >>> out = OutputQueue()
        >>> out.push(b"spam")
        >>> [bytes(buffer) for buffer in out.buffers()]
        [b'spam']
        >>> out.advance(3)  # as if a socket had taken three of the four bytes
        >>> out.data_to_send()
        b'm'

        Each push or chunk is one buffer, not copied, and valid for ever.
        At most `max_count` of them are shown, and `max_size` bytes in all.
        Below some 2 KiB a buffer, ``send(out.next_buffer())`` is faster than ``sendmsg(buffers)``.

        Raises:
            TypeError, ValueError, Exception: as `data_to_send` does.
        """
        check_int("max_count", max_count, at_least=0)
        buffers = [memoryview(piece) for piece in self._next(max_count, max_size)]
        self._shown = sum(map(len, buffers))
        return buffers

    def next_buffer(self, max_size: int = 1 << 18) -> bytes | memoryview:
        """Show what is next as one buffer, for ``send``: small pushes are joined, each byte once.

        >>> out = OutputQueue()
        >>> out.push(b"spam")
        >>> out.push(b"eggs")
        >>> out.next_buffer()
        b'spameggs'
        >>> out.advance(7)
        >>> bytes(out.next_buffer())
        b's'

        It is not all that is there: to what was shown and not removed yet nothing is joined,
        nor is a large push to others. As ever, when it is empty there is nothing now.

        Raises:
            TypeError, ValueError, Exception: as `data_to_send` does.
        """
        if type(max_size) is not int or max_size < 1:
            check_int("max_size", max_size, at_least=1)
        if self._items and not (self._head and (self._offset or self._shown)):
            self._pull()
            if self._items:
                self._join(self._items, max_size)
        shown: bytes | memoryview = self._head
        if self._offset or len(shown) > max_size:
            shown = memoryview(shown)[self._offset : self._offset + max_size]
        self._shown = len(shown)
        return shown

    def advance(self, n: int) -> None:
        """Remove the first `n` bytes of what `buffers` or `next_buffer` showed.

        All at once or in several calls.
        After `data_to_send` or `discard` nothing counts as shown; pushes change nothing.

        Raises:
            TypeError: `n` is not an int.
            ValueError: `n` is negative, or more than was shown. Nothing changed.
        """
        if type(n) is not int or n < 0:
            check_int("n", n, at_least=0)
        if n > self._shown:
            raise ValueError(f"cannot advance by {n} bytes: {self._shown} are left of those shown")
        if n == self._size and not self._producers:  # As _forget(), with no call: line echo.
            self._head, self._items = b"", None
            self._offset = self._size = self._shown = 0
            self._congested = False
            return
        self._shown -= n
        self._remove(n)

    @property
    def producer(self) -> Producer | None:
        """The producer whose bytes are next, if none of them is in memory and it can be asked.

        For an adapter that has a faster way to send a file: it moves the file on,
        and `buffers` or `data_to_send` then see its end.
        """
        if self._head or not self._items:
            return None
        front = self._items[0]
        return front.producer if isinstance(front, PushedProducer) and front.ready else None

    def wake(self) -> None:
        """Have the producer that gave `PENDING` asked again, at the next call that wants bytes.

        It is harmless when there is none.
        """
        front = self._items[0] if self._items else None
        if isinstance(front, PushedProducer) and front.pending:
            front.pending = False
            self._notify()

    def discard(self) -> None:
        """Drop everything and close all producers; the queue is `done`, or else goes on empty.

        Raises:
            Exception: what a ``close()`` raised, when all were called; of several, in a group.
        """
        dropped, was_done, was_congested = self._items or (), self.done, self._congested
        self._forget()
        if was_congested or (self.done and not was_done):
            self._notify()
        close_all(item for item in dropped if isinstance(item, PushedProducer))

    def _notify(self) -> None:
        if self.on_ready is not None:
            self.on_ready()

    def _append(self, item: bytes | PushedProducer, size: int) -> None:
        """Put an item of `size` bytes in memory at the end."""
        was_empty = not (self._items or self._head)
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        self._grow(size)
        if was_empty:
            self._notify()

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._high_water:
            self._congested = True

    def _next(self, max_count: int | None, max_size: int | None) -> list[bytes | memoryview]:
        """List the bytes that are next, as few as cover the limits; nothing counts as shown."""
        if max_size is not None:
            check_int("max_size", max_size, at_least=0)
        self._shown = 0
        if max_count == 0 or max_size == 0:
            return []
        self._pull()
        pieces: list[bytes | memoryview] = []
        room = self._size if max_size is None else max_size
        if self._head:
            pieces.append(memoryview(self._head)[self._offset :] if self._offset else self._head)
            room -= len(pieces[0])
        items = self._items or ()
        if max_count is max_size is None and not self._producers:  # the same as the loop, faster
            return [*pieces, *cast("Iterable[bytes]", items)]
        for item in items:
            if room <= 0 or len(pieces) == max_count or not isinstance(item, bytes):
                break
            pieces.append(item)
            room -= len(item)
        if room < 0:
            pieces[-1] = memoryview(pieces[-1])[:room]
        return pieces

    def _join(self, items: _Items, max_size: int) -> None:
        """Make the head, which nobody has seen yet, as many bytes as fit in `max_size`."""
        if not self._producers and self._size <= max_size:  # As below, faster.
            if self._head:
                items.appendleft(self._head)
            self._head = b"".join(cast("_Bytes", items))
            items.clear()
            return
        pieces: list[bytes] = [self._head] if self._head else []
        room = max_size - len(self._head)
        while items and isinstance(items[0], bytes) and (len(items[0]) <= room or not pieces):
            room -= len(items[0])
            pieces.append(cast("_Bytes", items).popleft())
        self._head = pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _pull(self) -> None:
        """Make a chunk the head, if producers are in front and one of them has a chunk."""
        while self._items and not self._head:
            front = self._items[0]
            if isinstance(front, bytes) or not front.ready:
                return
            chunk: bytes | Pending = b""
            try:
                chunk = front.ask()
            finally:
                if not chunk:
                    self._end(front)
            if chunk is PENDING:
                return
            if chunk:
                self._head = chunk
                self._grow(len(chunk))

    def _end(self, producer: PushedProducer) -> None:
        """Remove the producer, if it did not call discard() when it was asked, and close it."""
        if self._items and self._items[0] is producer:
            self._items.popleft()
            self._producers -= 1
            if not self:
                self._forget()
        producer.close()

    def _remove(self, n: int) -> None:
        """Remove the first `n` bytes; before the first producer there are that many."""
        if n == self._size and not self._producers:
            self._forget()
            return
        self._size -= n
        if self._size <= self._low_water:
            self._congested = False
        n += self._offset
        head, items = self._head, cast("deque[bytes]", self._items)
        while n and n >= len(head):
            n -= len(head)
            head = items.popleft() if n else b""
        self._head, self._offset = head, n

    def _forget(self) -> None:
        """Have nothing to send."""
        self._head, self._items = b"", None
        self._offset = self._size = self._producers = self._shown = 0
        self._congested = False
