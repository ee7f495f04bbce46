"""What objects cost while they are idle, and what a frame of 64 MiB takes and leaves behind."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

from bench.rivals import Missing, load

from framer import Channel, Framer, LengthPrefix, OutputQueue

__all__ = ["big_frame", "idle_bytes"]

COUNT = 1000
BIG = 1 << 26


class Silent(Channel):
    """A channel that does nothing with what it gets."""

    def frame_received(self, frame: bytes, /) -> None:
        """Drop it."""


def idle_bytes() -> dict[str, float]:
    """Bytes of one idle object of each kind, all that belongs to it alone included."""
    loop = asyncio.new_event_loop()
    makers: dict[str, Callable[[], Any]] = {
        "framer Framer": lambda: Framer(b"\r\n"),
        "framer OutputQueue": OutputQueue,
        "framer Channel": Silent,
        "bytearray": bytearray,
        "asyncio StreamReader": lambda: asyncio.StreamReader(loop=loop),
        "h11 ReceiveBuffer": lambda: load("h11._receivebuffer").ReceiveBuffer(),
        "websockets StreamReader": lambda: load("websockets.streams").StreamReader(),
        "Twisted LineReceiver": lambda: load("twisted.protocols.basic").LineReceiver(),
        "asynchat": lambda: load("asynchat").async_chat(None, map={}),
    }
    sizes: dict[str, float] = {}
    for name, make in makers.items():
        try:
            make()
        except Missing:
            continue
        kept: list[Any] = [None] * COUNT
        gc.collect()
        tracemalloc.start()
        for index in range(COUNT):
            kept[index] = make()
        sizes[name] = tracemalloc.get_traced_memory()[0] / COUNT
        tracemalloc.stop()
    loop.close()
    return sizes


def big_frame() -> dict[str, tuple[float, float]]:
    """For a frame of 64 MiB in chunks of 64 KiB: peak and what is kept, as multiples of it."""
    return {
        "framer frames(), line": _frames(b"\r\n", b"", b"\r\n"),
        "framer frames(), u32 prefix": _frames(LengthPrefix(4), BIG.to_bytes(4, "big"), b""),
        "framer events(), line": _events(),
        "asyncio StreamReader": _measured(_asyncio),
    }


def _measured(work: Callable[[bytes], object]) -> tuple[float, float]:
    """What *work* takes at most, and what the object that it returns keeps."""
    chunk = b"x" * 65536
    gc.collect()
    tracemalloc.start()
    kept = work(chunk)
    gc.collect()
    retained, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return peak / BIG, retained / BIG


def _frames(terminator: Any, head: bytes, tail: bytes) -> tuple[float, float]:
    def work(chunk: bytes) -> Framer:
        framer = Framer(terminator, max_frame_size=None)
        framer.receive_data(head)
        for _ in range(BIG // len(chunk)):
            framer.receive_data(chunk)
            assert framer.next_frame() is None or not tail
        framer.receive_data(tail)
        for frame in framer.frames():
            assert len(frame) == BIG
        return framer

    return _measured(work)


def _events() -> tuple[float, float]:
    def work(chunk: bytes) -> Framer:
        framer = Framer(b"\r\n", max_frame_size=None)
        for _ in range(BIG // len(chunk)):
            framer.receive_data(chunk)
            for _ in framer.events():
                pass
        return framer

    return _measured(work)


def _asyncio(chunk: bytes) -> object:
    async def read() -> asyncio.StreamReader:
        reader = asyncio.StreamReader(limit=BIG * 2)
        for _ in range(BIG // len(chunk)):
            reader.feed_data(chunk)
        reader.feed_data(b"\r\n")
        assert len(await reader.readuntil(b"\r\n")) == BIG + 2
        return reader

    return asyncio.run(read())
