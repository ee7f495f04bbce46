"""What a `Loop` waits for: sockets, each with what it wants to be told of and who is told.

::

    Endpoint.wait_for(READ | WRITE) ──▶ loop.selector ──▶ Endpoint.ready(events)
    Endpoint.wait_for(HANGUP) ──▶ loop.hangups, an epoll in the selector ──▶ Endpoint.ready(HANGUP)
"""

from __future__ import annotations

import select
import selectors
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from framer_adapters._loop import Loop

__all__ = ["HANGUP", "READ", "WRITE", "Endpoint", "Hangups"]

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

HANGUP: Final = 4
"""To wait for nothing but that the connection is lost; only Linux can tell of that alone."""


class Endpoint:
    """A socket in a loop, and what to do with it: a connection, or one that listens.

    Attributes:
        loop: the loop.
        sock: the socket, which does not block.
        events: what it waits for.
    """

    __slots__ = ("events", "loop", "sock")

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        self.loop: Loop = loop
        self.sock: socket.socket = sock
        self.events: int = 0
        loop.endpoints.add(self)
        sock.settimeout(0)

    def ready(self, events: int, /) -> None:
        """Do what can be done without waiting, now that the socket is ready for `events`."""
        raise NotImplementedError

    def end(self, _error: Exception | None, /) -> None:
        """Close the socket, because of an error or None; harmless a second time."""
        self.wait_for(0)
        self.sock.close()
        self.loop.endpoints.discard(self)

    def wait_for(self, events: int) -> None:
        """Have `ready` called for these events, which may be none; a change is a system call."""
        if events != self.events:
            selector, before, now = self.loop.selector, self.events & ~HANGUP, events & ~HANGUP
            if self.events & HANGUP:
                self.loop.hangups.remove(self)
            if before and now:
                selector.modify(self.sock, now, self)
            elif before:
                selector.unregister(self.sock)
            elif now:
                selector.register(self.sock, now, self)
            self.events = events
            if events & HANGUP:
                self.loop.hangups.add(self)


class Hangups:
    """Endpoints that wait for nothing but the loss of their connections.

    The standard selectors want to be told of at least one event, but epoll tells of a reset
    even if it is asked for none. So these are in an epoll of their own, which is in the selector.
    Where there is no epoll nobody tells of them.

    Args:
        selector: that of the loop.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._endpoints: dict[int, Endpoint] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll is not None:
            selector.register(self._epoll, READ, self)

    def add(self, endpoint: Endpoint) -> None:
        """Call ``endpoint.ready(HANGUP)`` when its connection is lost."""
        if self._epoll is not None:
            self._endpoints[endpoint.sock.fileno()] = endpoint
            self._epoll.register(endpoint.sock, 0)

    def remove(self, endpoint: Endpoint) -> None:
        """Do not."""
        if self._epoll is not None:
            del self._endpoints[endpoint.sock.fileno()]
            self._epoll.unregister(endpoint.sock)

    def ready(self, _events: int, /) -> None:
        """Call those whose connections are lost."""
        assert self._epoll is not None  # noqa: S101 - for the type checkers: who else calls this?
        for fd, _ in self._epoll.poll(0):
            if fd in self._endpoints:
                self._endpoints[fd].ready(HANGUP)

    def close(self) -> None:
        """Close it."""
        if self._epoll is not None:
            self._epoll.close()
