r"""A drop-in for the module asynchat, which Python 3.12 removed.

All that Python 3.11 had, under the same names, for programs that stand on it.
docs/migrating.md says where it differs, and how to get away from it: the class to write instead
is `framer.Channel`, which is this one without the socket.

To have ``import asynchat`` and ``import asyncore`` find the drop-ins:

>>> import framer_adapters.asynchat
>>> framer_adapters.asynchat.install()  # doctest: +SKIP

What comes in is cut by a `framer.Framer`, whose terminator follows `set_terminator`;
what it has not delivered yet is `ac_in_buffer`::

    recv ──▶ Framer ──▶ collect_incoming_data(chunk), found_terminator()

What goes out waits in a plain deque, `producer_fifo`: bytes, producers, and None for the end.

>>> class Upper(async_chat):
...     def __init__(self, sock, map):
...         async_chat.__init__(self, sock, map)
...         self.set_terminator(b"\r\n")
...
...     collect_incoming_data = async_chat._collect_incoming_data
...
...     def found_terminator(self):
...         self.push(self._get_data().upper() + b"\r\n")
...         self.close_when_done()
>>> import socket
>>> channels = {}
>>> client, sock = socket.socketpair()
>>> upper = Upper(sock, channels)
>>> client.sendall(b"spam\r\n")
>>> asyncore.loop(map=channels)
>>> client.recv(6)
b'SPAM\r\n'
>>> client.close()
"""

# ruff: noqa: A002, ANN401, N801 - the names and types it always had

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from socket import socket
from typing import Any, Final, Protocol, TypeAlias, cast

from framer import Data, Framer, TerminatorFound
from framer_adapters import asyncore
from framer_adapters._asyncore_install import install_under

__all__ = [
    "async_chat",
    "simple_producer",
    "find_prefix_at_end",
    # What is new
    "install",
    # What `from asynchat import *` brought along, it having no list of its own
    "asyncore",
    "deque",
]

_Terminator: TypeAlias = bytes | bytearray | memoryview | str | int | None


_NOT_FOLLOWED: Final = object()

# That of asyncore: programs put their own there, or in a base behind `async_chat`, which had none.
_RECV: Final = asyncore.dispatcher.recv


class _Producer(Protocol):
    """What `async_chat.push_with_producer` takes, besides plain bytes."""

    def more(self) -> Any: ...


def install(*, force: bool = False) -> None:
    """Have ``import asynchat`` and ``import asyncore`` find the drop-ins, from now on.

    It is harmless a second time.

    Args:
        force: whether to hide modules of these names that are there already.

    Raises:
        framer.UsageError: there is another module of either name, and no `force`.
            Nothing changed.
    """
    install_under({"asyncore": asyncore, "asynchat": sys.modules[__name__]}, force=force)


class async_chat(asyncore.dispatcher):
    """A channel for a conversation of commands and answers.

    A program extends it by `collect_incoming_data` and `found_terminator`.

    Args:
        sock: see `asyncore.dispatcher`.
        map: likewise.

    Attributes:
        ac_in_buffer_size: how many bytes to receive at once.
        ac_out_buffer_size: how many bytes to send at once.
        use_encoding: whether a str may stand for bytes, as terminator or from a producer.
        encoding: which bytes it stands for.
        incoming: a list of chunks, for `_collect_incoming_data` and `_get_data`.
        producer_fifo: what is to be sent: bytes, producers, and None, which closes.
        terminator: what `set_terminator` has set.
    """

    ac_in_buffer_size: int = 65536
    ac_out_buffer_size: int = 65536
    use_encoding: bool | int = 0
    encoding: str = "latin-1"
    terminator: _Terminator
    incoming: list[bytes]
    producer_fifo: deque[Any]

    # These names are of no subclass: Python puts the class into them.
    __framer: Framer | None = None
    __followed: object = _NOT_FOLLOWED
    __delimiter: bytes = b""  # what the framer looks for, if it does
    __left: int = 0  # bytes in the framer, which would take longer to say it
    __inside: bool = False  # a frame of which a part was delivered
    __taken: tuple[bytes, ...] = ()
    __sets: int = 0
    __reading: bool = False
    __raised: OSError | None = None  # by a hook, while recv came upon the end
    __busy: bool = False

    def __init__(self, sock: socket | None = None, map: dict[int, Any] | None = None) -> None:
        self.ac_in_buffer = b""
        self.incoming = []
        self.producer_fifo = deque()
        asyncore.dispatcher.__init__(self, sock, map)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        asyncore.unhide(cls, async_chat, "ac_in_buffer")

    # -- What comes in ---------------------------------------------------------------------

    @property
    def ac_in_buffer(self) -> bytes:
        """What was received, and not collected yet. It may be set.

        To look at it takes time linear in it.
        While a chunk is collected it still stands there, with the terminator behind it.
        """
        framer = self.__input()
        rest = framer.take_buffered()
        framer.receive_data(rest)
        return b"".join((*self.__taken, rest))

    @ac_in_buffer.setter
    def ac_in_buffer(self, data: bytes) -> None:
        framer = self.__input()
        framer.take_buffered()
        framer.receive_data(data or b"")
        self.__left = len(data)
        self.__taken = ()
        self.__sets += 1

    def __input(self) -> Framer:
        if self.__framer is None:
            self.__framer = Framer(None, max_frame_size=None)
        return self.__framer

    def collect_incoming_data(self, data: bytes) -> None:
        """Take some of what was received; `_collect_incoming_data` is one way to do it.

        Raises:
            NotImplementedError: the program has not said how.
        """
        raise NotImplementedError("must be implemented in subclass")

    def _collect_incoming_data(self, data: bytes) -> None:
        self.incoming.append(data)

    def _get_data(self) -> bytes:
        data = b"".join(self.incoming)
        self.incoming.clear()
        return data

    def found_terminator(self) -> None:
        """Do what is to be done now that the terminator has come. It may be changed here.

        Raises:
            NotImplementedError: the program has not said what.
        """
        raise NotImplementedError("must be implemented in subclass")

    def set_terminator(self, term: bytes | str | int | None) -> None:
        """Say what has to come for `found_terminator` to be called.

        Args:
            term: these bytes, of any length; or a str, with `use_encoding`;
                or so many bytes, once: it counts down to 0.
                0, None and b"" stand for never: everything is just collected.

        Raises:
            ValueError: a number below 0.
        """
        if isinstance(term, str) and self.use_encoding:
            term = term.encode(self.encoding)
        elif isinstance(term, int) and term < 0:
            raise ValueError(f"a number of bytes cannot be negative: {term}")
        self.terminator = term

    def get_terminator(self) -> Any:
        """Return the terminator; of a number what is left of it."""
        return self.terminator

    def recv(self, buffer_size: int) -> bytes:
        """Do as that of `asyncore.dispatcher`.

        If it is for `handle_read`, and this is the end, then `collect_incoming_data` first gets
        what was held back: bytes with which the terminator could have begun.
        A base of the program's that has a `recv` of its own, behind this class, is asked instead.
        """
        inherited: Any = super().recv
        if getattr(inherited, "__func__", None) is not _RECV:
            return cast("bytes", inherited(buffer_size))
        ended = self.__end if self.__reading else self.handle_close
        self.__reading = False
        return asyncore.receive(self, buffer_size, ended)

    def __end(self) -> None:
        if self.__left:
            try:
                self.__deliver()
                held, self.ac_in_buffer = self.ac_in_buffer, b""
                if held:
                    self.collect_incoming_data(held)
            except OSError as exc:
                self.__raised = exc
                raise
        self.handle_close()

    def handle_read(self) -> None:
        """Receive, and call `collect_incoming_data` and `found_terminator` for what there is."""
        self.__reading = True
        try:
            data: bytes | str = self.recv(self.ac_in_buffer_size)
        except OSError as exc:
            raised, self.__raised = self.__raised, None
            if exc is raised:
                raise
            if not isinstance(exc, BlockingIOError):
                self.handle_error()
            return
        finally:
            self.__reading = False
        if isinstance(data, str) and self.use_encoding:
            data = data.encode(self.encoding)
        if data:
            framer = self.__framer or self.__input()
            framer.receive_data(cast("bytes", data))
            self.__left += len(data)
        if self.__left:
            self.__deliver()

    def __deliver(self) -> None:
        """Call the hooks for all that has come, one frame or piece of a frame at a time.

        What ends a frame is found before the hook gets its bytes: that one may set another
        terminator, but for what comes behind. Whole lines come by a loop over ``frames()``, which
        is the fast way (`tests/bench/asyncore_turns.py`); it goes on whatever the hooks do.
        """
        framer = self.__input()
        frames: Iterator[bytes] | None = None
        while self.__left:
            terminator = self.get_terminator()
            if terminator is not self.__followed:
                self.__follow(terminator)
            matched: bytes | None = self.__delimiter
            chunk = None
            if matched and not self.__inside:
                frames = frames or framer.frames()
                chunk = next(frames, None)
            if chunk is None or not matched:
                frames = None
                chunk, matched = self.__next_piece(framer)
            else:
                self.__left -= len(chunk) + len(matched)
            if chunk:
                self.__collect(chunk, matched)
            if isinstance(terminator, int) and terminator:
                left = cast("int", self.terminator) - len(chunk) if matched is None else 0
                self.terminator = max(left, 0)
            if matched is None:
                return
            self.found_terminator()

    def __follow(self, terminator: _Terminator) -> None:
        """Let the framer have the program's terminator."""
        self.__delimiter = b""
        wanted: bytes | int | None = None
        if isinstance(terminator, int):
            wanted = int(terminator) or None
        elif terminator:
            wanted = self.__delimiter = bytes(memoryview(cast("bytes", terminator)))
        self.__input().terminator = wanted
        # A number counts from here each time, and of other things the content may change.
        same = terminator is None or type(terminator) is bytes
        self.__followed = terminator if same else _NOT_FOLLOWED

    def __next_piece(self, framer: Framer) -> tuple[bytes, bytes | None]:
        """Take what the next hook gets, and the delimiter behind it: None if that has not come.

        b"" is that of a count.
        """
        event = framer.next_event()
        chunk = b""
        while isinstance(event, Data):  # Two, if one was held back before.
            chunk = chunk + event.chunk if chunk else event.chunk
            event = framer.next_event()
        self.__left -= len(chunk)
        if not isinstance(event, TerminatorFound):
            self.__inside = self.__inside or bool(chunk)
            return chunk, None
        self.__inside = False
        matched = event.matched if isinstance(event.matched, bytes) else b""
        self.__left -= len(matched)
        return chunk, matched

    def __collect(self, chunk: bytes, matched: bytes | None) -> None:
        """Have a chunk collected. If that fails, it was not: it is put back.

        The hook may set the buffer. Then it is cut as the one that was there would have been.
        """
        before, held = self.__sets, self.__left
        whole = chunk + (matched or b"")
        self.__taken = chunk, matched or b""
        try:
            self.collect_incoming_data(chunk)
        except BaseException:
            if self.__sets == before:
                self.__input().push_back(whole)
                self.__left += len(whole)
            raise
        finally:
            self.__taken = ()
        if self.__sets != before:
            buffer = self.ac_in_buffer
            cut = len(whole) if matched is not None else max(len(buffer) - held, 0)
            self.ac_in_buffer = buffer[cut:]

    # -- What goes out ---------------------------------------------------------------------

    def push(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, or have them wait until they can be sent.

        Raises:
            TypeError: these are no bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"data argument must be byte-ish ({type(data)!r}): encode a str")
        size = self.ac_out_buffer_size
        if len(data) > size:
            self.producer_fifo.extend(data[i : i + size] for i in range(0, len(data), size))
        else:
            self.producer_fifo.append(data)
        self.initiate_send()

    def push_with_producer(self, producer: _Producer | bytes) -> None:
        """Send what the producer's ``more()`` gives, until that is empty."""
        self.producer_fifo.append(producer)
        self.initiate_send()

    def close_when_done(self) -> None:
        """Close when all that was pushed has been sent."""
        self.producer_fifo.append(None)

    def discard_buffers(self) -> None:
        """Forget all that came in, and all that was to go out."""
        self.ac_in_buffer = b""
        self.incoming.clear()
        self.producer_fifo.clear()

    def readable(self) -> bool:
        """Always read."""
        return True

    def writable(self) -> bool:
        """Say that there is something to send, or a connection to wait for."""
        return bool(self.producer_fifo) or not self.connected

    def handle_write(self) -> None:
        """Send more."""
        self.initiate_send()

    def handle_close(self) -> None:
        """Close the channel."""
        self.close()

    def initiate_send(self) -> None:
        """Send once what is first in `producer_fifo`, if the channel is connected.

        A producer that pushes while it is asked is not asked again: what it pushed waits.
        Nor is what is being sent sent a second time by a `send` that pushes.
        """
        while self.producer_fifo and self.connected and not self.__busy and self.__advance():
            pass

    def __advance(self) -> bool:
        """Do something about the first in the queue; say whether to go on."""
        fifo = self.producer_fifo
        first = fifo[0]
        if first is None:
            fifo.popleft()
            self.handle_close()
            return False
        size = self.ac_out_buffer_size
        try:
            data = first[:size]
        except TypeError:
            self.__ask(first)
            return True
        if not first:
            fifo.popleft()
            return True
        if isinstance(first, str) and self.use_encoding:
            fifo[0] = first.encode(self.encoding)
            return True
        if isinstance(data, (bytearray, memoryview)):
            data = bytes(cast("bytearray", data))
        try:
            sent = self.__guard(self.send, data)
        except OSError:
            self.handle_error()
            return False
        if sent and fifo and fifo[0] is first:
            if sent < len(first):
                fifo[0] = _rest(first, sent, size)
            else:
                fifo.popleft()
        return False

    def __ask(self, producer: _Producer) -> None:
        """Put the producer's next chunk in front of it; remove it when it has none."""
        data = self.__guard(producer.more)
        fifo = self.producer_fifo
        if data:
            fifo.appendleft(data)
        elif fifo and fifo[0] is producer:
            fifo.popleft()

    def __guard(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call during which nothing else is sent."""
        self.__busy = True
        try:
            return call(*arguments)
        finally:
            self.__busy = False


def _rest(data: Any, sent: int, size: int) -> Any:
    """What is left of data of which some was sent. A big rest is not copied each time."""
    if isinstance(data, (bytes, bytearray)) and len(data) - sent > size:
        return memoryview(data)[sent:] if isinstance(data, bytes) else memoryview(data[sent:])
    return data[sent:]


class simple_producer:
    """A producer that gives bytes in chunks.

    Args:
        data: the bytes.
        buffer_size: how many of them to give at once.
    """

    __data: bytes
    __offset: int = 0

    def __init__(self, data: bytes, buffer_size: int = 512) -> None:
        self.data = data
        self.buffer_size = buffer_size

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        data = asyncore.unhide(cls, simple_producer, "data")
        if data is not None:  # It stands in the body of the class.
            cls.__data = data

    @property
    def data(self) -> bytes:
        """What has not been given yet. It may be set."""
        return self.__data[self.__offset :]

    @data.setter
    def data(self, data: bytes) -> None:
        self.__data = data
        self.__offset = 0

    def more(self) -> bytes:
        """Give the next chunk; an empty one at the end."""
        chunk = self.__data[self.__offset : self.__offset + self.buffer_size]
        self.__offset += len(chunk)
        return chunk


def find_prefix_at_end(haystack: str | bytes, needle: str | bytes) -> int:
    r"""How many of the needle's first characters, but not all, are the haystack's last ones.

    It takes time linear in the needle.

    >>> find_prefix_at_end("qwerty\r", "\r\n")
    1
    """
    if len(needle) < 2:
        return len(needle) - 1
    tail = haystack[1 - len(needle) :]
    if isinstance(tail, str) or isinstance(needle, str):
        held = _held_back(_encode(cast("str", tail)), _encode(cast("str", needle)))
        return len(held.decode(errors="surrogatepass"))
    return len(_held_back(bytes(tail), bytes(needle)))


def _encode(text: str) -> bytes:
    """In UTF-8 no part of a character looks like the start of another."""
    return text.encode(errors="surrogatepass")


def _held_back(tail: bytes, needle: bytes) -> bytes:
    """What a framer holds back at the end, for it may be the start of its terminator."""
    framer = Framer(needle, max_frame_size=None)
    framer.receive_data(tail)
    for _ in framer.events():
        pass
    return framer.take_buffered()
