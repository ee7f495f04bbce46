"""TLS under asyncio: how it begins, and how it ends, which asyncio by itself does not do well.

::

       before                       between                        after

    our protocol               our protocol                    our protocol
         │                          │ SSL transport                 ╎
         │                     asyncio's TLS                    asyncio's TLS ◀─ has said farewell
         │                          │                               ╎
    plain transport            plain transport                 plain transport ─▶ Farewell

A server shakes hands by itself, for with ``create_server(ssl=...)`` nobody could close
a connection meanwhile. And it takes what is below away from TLS in the end: that would reset
the connection as soon as the peer says anything but farewell.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable
from typing import cast

from framer_adapters._common import CLOSE_TIMEOUT, LINGER, log_error

__all__ = ["Farewell", "Handshake", "Secured", "hand_over"]


class Secured(asyncio.BufferedProtocol):
    """What has TLS below it, and is told what is below that.

    Attributes:
        below: the transport that TLS sends through; None without TLS, or where nobody knows.
    """

    below: asyncio.Transport | None = None

    def data_received(self, data: bytes) -> None:
        """Something came in that has not been read into the buffer."""


class Handshake(asyncio.Protocol):
    """A connection to a server before `protocol` hears of it: first they shake hands."""

    task: asyncio.Task[None]
    _plain: asyncio.Transport

    def __init__(
        self,
        protocol: Secured,
        made: Callable[[Handshake], object],
        context: ssl.SSLContext,
        idle_timeout: float | None,
    ) -> None:
        self._protocol, self._made = protocol, made
        self._context, self._idle_timeout = context, idle_timeout
        self._early: list[bytes] = []  # what nobody could be given yet
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._plain = cast("asyncio.Transport", transport)
        self._plain.pause_reading()
        self.task = asyncio.get_running_loop().create_task(self._shake_hands())
        self._made(self)

    def stop(self) -> None:
        """Close, unless they have shaken hands."""
        if self.task.cancel():
            self._plain.abort()

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def eof_received(self) -> None:
        self._ended = True
        if self._plain.get_protocol() is self:  # under uvloop, before it could begin
            self.stop()

    async def _shake_hands(self) -> None:
        loop, protocol = asyncio.get_running_loop(), self._protocol
        loop.call_soon(self._begin)
        try:
            tls = await loop.start_tls(
                self._plain,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._idle_timeout,
                ssl_shutdown_timeout=CLOSE_TIMEOUT,
            )
        except Exception as exc:  # noqa: BLE001 - logged
            log_error(exc)
            self._plain.abort()
            return
        transport = cast("asyncio.Transport", tls)
        transport.set_protocol(protocol)
        protocol.below = self._plain
        protocol.connection_made(transport)
        for data in self._early:  # it came right behind the handshake
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()

    def _begin(self) -> None:
        early, self._early = self._early, []
        hand_over(early, self._plain)


def hand_over(early: Iterable[bytes], plain: asyncio.Transport) -> None:
    """Give to TLS, which has the transport now, what came in before it had.

    There is something because uvloop starts to read when a connection is made,
    even if the protocol has paused that.
    """
    tls = cast("asyncio.BufferedProtocol", plain.get_protocol())
    data = b"".join(early)
    while data:
        buffer = memoryview(tls.get_buffer(len(data)))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        tls.buffer_updated(size)
        data = data[size:]


class Farewell(asyncio.Protocol):
    """The end of a connection with TLS: all is sent, then the peer has a while to read it.

    Args:
        tls: the transport of TLS; nothing will be written to it any more.
        plain: what is below.
    """

    def __init__(self, tls: asyncio.Transport, plain: asyncio.Transport) -> None:
        self._tls, self._plain = tls, plain
        self._layer = cast("asyncio.Protocol", plain.get_protocol())  # asyncio's TLS
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Have TLS say farewell, and then read in its place, and drop it."""
        plain = self._plain
        self._tls.close()
        if plain.is_closing():
            return
        plain.pause_reading()
        plain.set_protocol(self)
        plain.set_write_buffer_limits(0)
        plain.resume_reading()
        self._end_when_sent()

    def pause_writing(self) -> None:
        self._layer.pause_writing()

    def resume_writing(self) -> None:
        self._layer.resume_writing()
        self._end_when_sent()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._layer.connection_lost(exc)

    def _end_when_sent(self) -> None:
        if self._tls.get_write_buffer_size() or self._plain.get_write_buffer_size():
            return
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LINGER, self._plain.abort)
            loop.call_soon(self._write_eof)  # not in resume_writing(), or it is done twice

    def _write_eof(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # it is lost, and we shall be told
            self._plain.write_eof()
