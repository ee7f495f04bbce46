"""What runs a channel under asyncio: the transport calls it, and it calls the channel.

::

    data_received() ──▶ channel.receive_data() ──▶ all answers of that read in one write
                             │
                             └──▶ _settle(): close, shake hands, or have reading wait for sending

No task is needed but for a handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from framer import Channel, TlsRequest
from framer_adapters._common import end_channel
from framer_adapters._protocol import ConnectionProtocol

__all__ = ["ChannelProtocol"]


class ChannelProtocol(ConnectionProtocol):
    """What runs a channel: the rules are at the top of ``framer/_channel.py``."""

    channel: Channel

    def __init__(self, factory: Callable[[], Channel], idle_timeout: float | None) -> None:
        super().__init__()
        self._factory, self._idle_timeout = factory, idle_timeout
        self._handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.channel = Channel()  # for `lost`
        try:
            self.channel = self._factory()
        except Exception as exc:  # noqa: BLE001 - logged
            self.end(exc)
            return
        self.output = self.channel.output
        self.output.on_ready = self._on_ready = self.flush_soon
        self.watch(self._idle_timeout)
        self._call(self.channel.connection_made)

    def data_received(self, data: bytes) -> None:
        channel, output = self.channel, self.output
        if channel.tls_request is not None and self._keeps_for_tls(data):
            return
        if output.closing:  # so it is dropped, and no sign of life
            return
        self._alive = True
        output.on_ready = None  # we send when all frames have been handled
        try:
            channel.receive_data(data)
        except Exception as exc:  # noqa: BLE001 - logged
            self.end(exc)
        output.on_ready = self._on_ready  # which is None if the connection is gone by now
        # As flush() does, but straight to the point: "request and response" in tests/bench/echo.py.
        if not (self.full or self.paused or output.closing) and output.producer is None:
            if answer := output.data_to_send():
                self.transport.write(answer)
            if not output:
                return
        self.flush()

    def eof_received(self) -> bool:
        self._ended = True
        if self.channel.tls_request is not None and self.transport.get_protocol() is not self:
            self._call(self.channel.receive_tls)
        self._call(self.channel.receive_eof)
        return not (self.tls or self._finishing)  # whether the transport stays open

    def _keeps_for_tls(self, data: bytes) -> bool:
        """Tell whether these bytes are of the handshake; else that has come to its end just now.

        Reading has been paused; but uvloop does read straight after `connection_made`.
        Then the transport still has us for its protocol.
        """
        if self.transport.get_protocol() is self:
            self._early.append(data)
            self.transport.pause_reading()
            return True
        self._call(self.channel.receive_tls)
        return False

    def _call(self, receive: Callable[[], None]) -> None:
        try:
            receive()
        except Exception as exc:  # noqa: BLE001 - logged
            self.end(exc)
        self.flush()

    def flush(self) -> None:
        super().flush()
        if self.output or self.output.closing or self.paused:
            self._settle()

    def _settle(self) -> None:
        """Close, shake hands, or have reading wait for sending."""
        output, request = self.output, self.channel.tls_request
        if self.closed.done() or self._handshake is not None:
            return
        if self.channel.closed:  # because a hook has raised
            self.end(None)
        elif output.done and not self.full:
            self.finish()
        elif request is not None:
            self.tls = True
            self.pause_reading()
            if request.ready:
                self._handshake = self.loop.create_task(self._shake_hands(request))
        elif output.congested or (output.closing and self.full):
            self.pause_reading()
        else:
            self.resume_reading()

    async def _shake_hands(self, request: TlsRequest) -> None:
        with contextlib.suppress(Exception):  # the channel has been told
            await self.start_tls(request, None, self._idle_timeout)
            self._handshake = None
            self._call(self.channel.receive_tls)

    def lost(self, exc: Exception | None) -> None:
        end_channel(self.channel, None if self._finishing else exc)
