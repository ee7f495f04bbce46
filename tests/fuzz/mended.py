"""asyncore and asynchat as Python 3.11 had them, with what docs/migrating.md lists, and no more.

A drop-in is compared with these: what it does otherwise is written down there, or it is a finding.
The originals stay as they are. Each difference is put around them, by a subclass
or by what they are given: a queue that passes over what is empty, a map that knows who was asked.
"""

# ruff: noqa: A002 - the names they always had

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from old_python import original

from framer_adapters import asynchat, asyncore
from framer_adapters._asyncore_polling import HANG_UP, READ

__all__ = ["Channels", "Old", "as_bytes", "drop_ins", "originals"]


@dataclass(frozen=True)
class Old:
    """What a program of that time finds: the drop-ins, or what they replace."""

    asyncore: Any
    asynchat: Any
    dispatcher: type[Any]
    dispatcher_with_send: type[Any]
    async_chat: type[Any]
    make_map: Callable[[], Any]


@functools.cache
def drop_ins() -> Old:
    """Ours, as they are."""
    classes = asyncore.dispatcher, asyncore.dispatcher_with_send, asynchat.async_chat
    return Old(asyncore, asynchat, *classes, dict)


@functools.cache
def originals() -> Old:
    """Theirs, with what is listed."""
    core, chat = original("asyncore"), original("asynchat")
    return Old(
        core,
        chat,
        types.new_class("Mended", (EndsOnce, core.dispatcher)),
        types.new_class("Mended", (SendsSomething, EndsOnce, core.dispatcher_with_send)),
        types.new_class("Mended", (Reads, Writes, EndsOnce, chat.async_chat)),
        Channels,
    )


# -- The loop: stale events, and a hang-up under poll2 -------------------------------------


class Channels(dict[int, Any]):
    """A map that in a turn knows only those who were asked, with the sockets they had then."""

    def __init__(self) -> None:
        self.asked: dict[int, Any] = {}
        self.sockets: dict[int, Any] = {}
        self.events: dict[int, int] = {}

    def items(self) -> Any:
        """Begin a turn: the loop takes down who is there."""
        self.asked = dict(super().items())
        return super().items()

    def waited(self, events: dict[int, int]) -> None:
        """Note what was found, and which sockets they had."""
        self.sockets = {fd: channel.socket for fd, channel in self.asked.items()}
        self.events = events

    @contextmanager
    def nested(self) -> Generator[None]:
        """Have a turn within a turn, which is not to be forgotten over it."""
        before = self.asked, self.sockets, self.events
        try:
            yield
        finally:
            self.asked, self.sockets, self.events = before

    def get(self, fd: Any, default: Any = None) -> Any:
        """Look for the channel that is to be told."""
        asked = Asked(self, fd)
        return asked if asked.stands() else default


class Asked:
    """A channel that is told what was found, as long as it stands."""

    def __init__(self, channels: Channels, fd: int) -> None:
        self.channels, self.fd = channels, fd
        self.channel: Any = channels.asked.get(fd)
        self.socket: Any = channels.sockets.get(fd)
        self.hangs_up = channels.events.get(fd, 0) & READ and channels.events[fd] & HANG_UP
        self.raised = False
        self.before = self.unread()

    def unread(self) -> int:
        """How much there is to read before a hang-up."""
        return len(self.socket.inbox) if self.hangs_up and self.socket else 0

    def stands(self) -> bool:
        """Whether the map has the same channel, with the same socket."""
        there: Any = dict[int, Any].get(self.channels, self.fd)
        return there is not None and there is self.channel and there.socket is self.socket

    def tell(self, event: str) -> None:
        """Tell it, if it stands. If it raises, whatever follows is about that."""
        if self.stands():
            try:
                getattr(self.channel, event)()
            except BaseException:
                self.raised = True
                raise

    def handle_read_event(self) -> None:
        """Tell it."""
        self.tell("handle_read_event")

    def handle_write_event(self) -> None:
        """Tell it."""
        self.tell("handle_write_event")

    def handle_expt_event(self) -> None:
        """Tell it."""
        self.tell("handle_expt_event")

    def handle_error(self) -> None:
        """Tell it of what it raised."""
        self.channel.handle_error()

    def handle_close(self) -> None:
        """Tell it of the hang-up, unless reading gets on; or that it raised something like it."""
        if self.raised:
            self.channel.handle_close()
        elif self.unread() >= self.before:
            self.tell("handle_close")


# -- The channels --------------------------------------------------------------------------


class EndsOnce:
    """At the end of the stream `handle_close` is called once, also if it raises."""

    def recv(self, size: int) -> bytes:
        """Keep what it raises until the original can no longer take it for its own."""
        this: Any = self
        parent: Any = super()
        raised: list[Exception] = []

        def handle_close() -> None:
            del this.handle_close
            try:
                self.ended()
            except OSError as exc:
                raised.append(exc)

        this.handle_close = handle_close
        try:
            data: bytes = parent.recv(size)
        finally:
            this.__dict__.pop("handle_close", None)
        if raised:
            raise raised[0]
        return data

    def ended(self) -> None:
        """Say that this was the end."""
        this: Any = self
        this.handle_close()


class SendsSomething:
    """Nothing is not sent."""

    def initiate_send(self) -> None:
        """Send, if there is something."""
        this: Any = self
        parent: Any = super()
        if this.out_buffer:
            parent.initiate_send()


class HookError(BaseException):
    """What a hook raised at the end, on its way past those who look for errors of recv."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(cause)
        self.cause = cause


class Reads:
    """What comes in: the end of the stream, counts that a hook changes, terminators of any type."""

    reading = False

    @property
    def terminator(self) -> Any:
        """What was set. A count does not go below 0."""
        return self._terminator

    @terminator.setter
    def terminator(self, value: Any) -> None:
        self._terminator = max(value, 0) if isinstance(value, int) else value

    def get_terminator(self) -> Any:
        """Give bytes for what is like them."""
        return as_bytes(self.terminator)

    def handle_read(self) -> None:
        """Read; what is left is delivered before the end is told."""
        parent: Any = super()
        self.reading = True
        try:
            parent.handle_read()
        except HookError as exc:
            raise exc.cause from None

    def recv(self, size: int) -> Any:
        """Receive; a str stands for bytes, if it is for `handle_read`."""
        parent: Any = super()
        this: Any = self
        this.for_handle_read, self.reading = self.reading, False
        encodes = this.for_handle_read and this.use_encoding
        data: Any = parent.recv(size)
        return data.encode(this.encoding) if isinstance(data, str) and encodes else data

    def ended(self) -> None:
        """Deliver what is left and what is held back, and say that this was the end."""
        this: Any = self
        parent: Any = super()
        if this.for_handle_read and this.ac_in_buffer:
            try:
                self.deliver()
            except BaseException as exc:
                raise HookError(exc) from exc
        parent.ended()

    def deliver(self) -> None:
        """Have the original look at its buffer, and collect what it leaves there."""
        this: Any = self
        parent: Any = super()

        def nothing(_size: int) -> bytes:
            del this.recv
            return b""

        this.recv = nothing
        parent.handle_read()
        held, this.ac_in_buffer = this.ac_in_buffer, b""
        if held:
            this.collect_incoming_data(held)


class Writes:
    """What goes out: entries that are empty or text, producers that are false, or push."""

    sending = False
    busy = False

    def __init__(self, sock: Any = None, map: Any = None) -> None:
        parent: Any = super()
        parent.__init__(sock, map)
        self.producer_fifo: Any = Queue(self)

    def push_with_producer(self, producer: Any) -> None:
        """Queue it, as one that is true, and during whose ``more()`` nothing is sent."""
        parent: Any = super()
        parent.push_with_producer(
            Producer(self, producer) if hasattr(producer, "more") else producer
        )

    def writable(self) -> bool:
        """Answer by what is in the queue, empty or not."""
        this: Any = self
        return len(self.producer_fifo) > 0 or not this.connected

    def initiate_send(self) -> None:
        """Send, but not while something is being sent."""
        parent: Any = super()
        if self.busy:
            return
        before, self.sending = self.sending, True
        try:
            parent.initiate_send()
        finally:
            self.sending = before

    def send(self, data: Any) -> int:
        """Send it as bytes."""
        parent: Any = super()
        self.busy = self.sending
        try:
            sent: int = parent.send(as_bytes(data))
            return sent
        finally:
            self.busy = False


class Producer:
    """A producer that is true."""

    def __init__(self, channel: Any, inner: Any) -> None:
        self.channel, self.inner = channel, inner

    def more(self) -> Any:
        """Ask it."""
        self.channel.busy = True
        try:
            return self.inner.more()
        finally:
            self.channel.busy = False


class Queue(deque[Any]):
    """A queue that passes over what is empty, encodes text, and removes only what it gave."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.first: Any = None

    def __bool__(self) -> bool:
        """Whether there is anything; who sends sees nothing that is empty."""
        channel = self.channel
        if channel.sending and channel.connected and not channel.busy:
            while len(self) and isinstance(super().__getitem__(0), TEXT) and not self[0]:
                self.popleft()
        return len(self) > 0

    def __getitem__(self, at: Any) -> Any:
        """Look at the first."""
        first = super().__getitem__(at)
        if isinstance(first, str) and first and self.channel.use_encoding:
            first = first.encode(self.channel.encoding)
            super().__setitem__(at, first)
        self.first = first
        return first

    def __setitem__(self, at: Any, value: Any) -> None:
        if len(self) and super().__getitem__(at) is self.first:
            super().__setitem__(at, value)

    def __delitem__(self, at: Any) -> None:
        if len(self) and super().__getitem__(at) is self.first:
            super().__delitem__(at)


TEXT = bytes, bytearray, memoryview, str


def as_bytes(value: Any) -> Any:
    """Make bytes of what is like them."""
    return value if value is None or isinstance(value, (int, str)) else bytes(value)
