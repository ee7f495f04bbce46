"""What anyio says for itself: how it receives, sends, shakes hands and closes."""

from __future__ import annotations

import contextlib
import ssl
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, cast

import anyio
import anyio.lowlevel
from anyio.abc import AnyByteStream, ByteStream, TaskGroup
from anyio.streams.tls import TLSStream

from framer import TlsRequest
from framer_adapters._common import certificate_name, server_side
from framer_adapters._sockets import SEND_SIZE
from framer_adapters._task_world import TaskWorld

__all__ = ["AnyioWorld"]


class AnyioWorld(TaskWorld):
    """How anyio receives, sends and closes."""

    runtime: ClassVar[Any] = anyio
    lost: ClassVar[tuple[type[Exception], ...]] = (
        ConnectionError,
        ssl.SSLError,
        anyio.BrokenResourceError,
    )
    peer_errors: ClassVar[tuple[type[Exception], ...]] = (*lost, TimeoutError, anyio.EndOfStream)
    send_size: ClassVar[int] = SEND_SIZE

    def open_tasks(self) -> AbstractAsyncContextManager[TaskGroup]:
        return anyio.create_task_group()

    async def receive(self, transport: AnyByteStream) -> bytes:
        try:
            while not (data := await transport.receive()):
                pass  # an object may be empty, and is no end
            return data
        except anyio.EndOfStream:
            await anyio.lowlevel.cancel_shielded_checkpoint()
            return b""

    async def send(self, transport: AnyByteStream, data: bytes | memoryview) -> int:
        await transport.send(bytes(data))
        return len(data)

    async def wrap(
        self, transport: AnyByteStream, request: TlsRequest, host: str | None
    ) -> TLSStream:
        return await TLSStream.wrap(
            transport,
            server_side=server_side(request),
            hostname=certificate_name(request, host),
            ssl_context=cast("ssl.SSLContext", request.context),
        )

    def take_from_tls(self, transport: AnyByteStream) -> AnyByteStream | None:
        if not isinstance(transport, TLSStream):
            return None
        below = transport.transport_stream
        transport.transport_stream = _Mute(below)
        return below

    async def end(self, transport: AnyByteStream) -> None:
        try:
            await transport.send_eof()
        except NotImplementedError:
            raise
        except RuntimeError as exc:  # of uvloop: it is lost already
            raise anyio.BrokenResourceError from exc

    async def close(self, transport: AnyByteStream) -> None:
        with contextlib.suppress(*self.lost):
            await anyio.aclose_forcefully(transport)


class _Mute(ByteStream):
    """What TLS says farewell through: it sends, and neither receives nor closes."""

    def __init__(self, transport: AnyByteStream) -> None:
        self._transport = transport

    async def send(self, item: bytes) -> None:
        await self._transport.send(item)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        raise anyio.WouldBlock

    async def send_eof(self) -> None:
        """TLS does not ask for this."""

    async def aclose(self) -> None:
        """Leave that to who has what is below."""
