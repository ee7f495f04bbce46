"""A connection in a `Loop` that has yet to be made: each address of the peer is tried in turn.

It is one phase more, `_connecting`, before those of `Connection`; see the diagram there.
The addresses come from an iterator, which may look them up when it is asked for the first,
so whatever goes wrong is the channel's to hear of, in ``connection_lost(exc)``.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any, Final

from framer import Channel, TlsRequest
from framer_adapters._connection import Connection
from framer_adapters._endpoints import WRITE
from framer_adapters._loop import Loop

__all__ = ["OutgoingConnection"]

_IN_PROGRESS: Final = {errno.EINPROGRESS, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS)}


class OutgoingConnection(Connection):
    """A connection that has yet to be made: each address is tried in turn.

    `addresses` are pairs of a family and an address; the rest is as in `Connection`.
    """

    __slots__ = ("_addresses",)

    def __init__(
        self,
        loop: Loop,
        channel: Channel,
        addresses: Iterator[tuple[int, Any]],
        *,
        idle_timeout: float | None,
        tls: TlsRequest | None,
        host: str | None,
    ) -> None:
        none = socket.socket()  # until there is one
        super().__init__(loop, channel, none, idle_timeout=idle_timeout, tls=tls, host=host)
        self._addresses = addresses
        self._phase = OutgoingConnection._connecting

    def _connecting(self, events: int) -> None:
        if self._channel.output.done:
            self.end(None)
        elif not self.events:
            self._try_next(OSError("there is no address"))
        elif events:
            self.wait_for(0)
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._try_next(OSError(code, os.strerror(code)))
            else:
                self._begin(0)

    def _try_next(self, failure: OSError) -> None:
        """Try the next address, `failure` being what became of the one before."""
        for family, address in self._addresses:
            self.sock.close()
            try:
                self.sock = socket.socket(family, socket.SOCK_STREAM)
                self.sock.settimeout(0)
                self.sock.connect(address)
            except OSError as exc:
                failure = exc
                if exc.errno in _IN_PROGRESS:
                    self.wait_for(WRITE)
                    return
            else:
                self._begin(0)
                return
        raise failure
