"""Pairs of streams of each adapter, and streams that break their promises."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import anyio
import anyio.abc
import trio
import trio.testing

import framer_adapters.anyio as of_anyio
import framer_adapters.asyncio as of_asyncio
import framer_adapters.blocking as of_blocking
import framer_adapters.trio as of_trio

__all__ = [
    "Broken",
    "Wrapped",
    "anyio_pair",
    "asyncio_pair",
    "blocking_pair",
    "memory_pair",
    "pair_of",
    "trio_pair",
]


def blocking_pair() -> tuple[Any, Any]:
    """Make two blocking streams."""
    here, there = socket.socketpair()
    return of_blocking.FramedStream(here), of_blocking.FramedStream(there)


def memory_pair() -> tuple[Any, Any]:
    """Make two of trio's."""
    here, there = trio.testing.memory_stream_pair()
    return of_trio.FramedStream(here), of_trio.FramedStream(there)


async def asyncio_pair() -> tuple[Any, Any]:
    """Make two of asyncio's."""
    here, there = [await asyncio.open_connection(sock=sock) for sock in socket.socketpair()]
    return of_asyncio.FramedStream(here), of_asyncio.FramedStream(there)


async def anyio_pair() -> tuple[Any, Any]:
    """Make two of anyio's."""
    kind = anyio.abc.UNIXSocketStream
    here, there = [await kind.from_socket(sock) for sock in socket.socketpair()]
    return of_anyio.FramedStream(here), of_anyio.FramedStream(there)


async def trio_pair() -> tuple[Any, Any]:
    """Make two of trio's."""
    return memory_pair()


def pair_of(kind: type[of_blocking.FramedStream]) -> Callable[[], tuple[Any, Any]]:
    """Make pairs of such streams."""

    def make_pair() -> tuple[Any, Any]:
        here, there = socket.socketpair()
        return kind(here), kind(there)

    return make_pair


class Broken(of_blocking.FramedStream):
    """Breaks a promise: a subclass says which."""


class Wrapped:
    """A stream of trio's with something else in its place."""

    def __init__(self, stream: Any) -> None:
        vars(self)["stream"] = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.stream, name, value)

    def __aiter__(self) -> Any:
        return self.stream.__aiter__()

    async def __aenter__(self) -> Any:
        await self.stream.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> Any:
        return await self.stream.__aexit__(*exc_info)
