"""What trio says for itself: how it receives, sends, shakes hands and closes."""

from __future__ import annotations

import contextlib
import ssl
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, cast

import trio

from framer import OutputQueue, TlsRequest
from framer_adapters._common import RECEIVE_SIZE, certificate_name, server_side
from framer_adapters._sockets import send_file
from framer_adapters._task_world import TaskWorld

__all__ = ["TrioWorld"]


class TrioWorld(TaskWorld):
    """How trio receives, sends and closes."""

    runtime: ClassVar[Any] = trio
    lost: ClassVar[tuple[type[Exception], ...]] = (trio.BrokenResourceError,)
    peer_errors: ClassVar[tuple[type[Exception], ...]] = (
        trio.BrokenResourceError,
        trio.EndOfChannel,
        trio.TooSlowError,
    )

    def open_tasks(self) -> AbstractAsyncContextManager[trio.Nursery]:
        return trio.open_nursery()

    async def receive(self, transport: trio.abc.Stream) -> bytes:
        data = await transport.receive_some(RECEIVE_SIZE)
        if not data:
            await trio.lowlevel.cancel_shielded_checkpoint()
        return bytes(data)

    async def send(self, transport: trio.abc.Stream, data: bytes | memoryview) -> int:
        if type(transport) is not trio.SocketStream:
            await transport.send_all(data)
            return len(data)
        try:
            return await transport.socket.send(data)
        except OSError as exc:
            raise trio.BrokenResourceError(f"socket connection broken: {exc}") from exc

    async def send_file(self, transport: trio.abc.Stream, output: OutputQueue) -> bool:
        if output.producer is not None and type(transport) is trio.SocketStream:
            with contextlib.suppress(BlockingIOError, ConnectionError):  # send() waits, or fails
                if send_file(transport.socket, output):
                    await trio.lowlevel.checkpoint()
                    return True
        return False

    def knows_what_went(self, transport: trio.abc.Stream) -> bool:
        return type(transport) is trio.SocketStream

    async def wrap(
        self, transport: trio.abc.Stream, request: TlsRequest, host: str | None
    ) -> trio.abc.Stream:
        encrypted = trio.SSLStream(
            transport,
            cast("ssl.SSLContext", request.context),
            server_side=server_side(request),
            server_hostname=certificate_name(request, host),
        )
        await encrypted.do_handshake()
        return encrypted

    async def shake_hands(self, transport: trio.abc.Stream) -> None:
        if (do_handshake := getattr(transport, "do_handshake", None)) is not None:
            await do_handshake()

    def take_from_tls(self, transport: trio.abc.Stream) -> trio.abc.Stream | None:
        below: trio.abc.Stream | None = getattr(transport, "transport_stream", None)
        if below is not None:
            transport.transport_stream = _Mute(below)  # type: ignore[attr-defined]
        return below

    async def end(self, transport: trio.abc.Stream) -> None:
        if not isinstance(transport, trio.abc.HalfCloseableStream):
            raise NotImplementedError
        await transport.send_eof()

    async def close(self, transport: trio.abc.Stream) -> None:
        await trio.aclose_forcefully(transport)


class _Mute(trio.abc.Stream):
    """What TLS says farewell through: it sends, and neither receives nor closes."""

    def __init__(self, transport: trio.abc.Stream) -> None:
        self._transport = transport

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._transport.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """TLS does not ask for this to say farewell."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        raise trio.WouldBlock

    async def aclose(self) -> None:
        """Leave that to who has what is below."""
