"""The server that is soaked: ``python -m soak.server ADAPTER``, in a process of its own.

It echoes lines, with a channel on one port and with a FramedStream on another,
and with the defaults of the adapter but for two figures: so that a peer that is idle
is seen in seconds, and that a line that is too long is one of two thousand bytes.

It prints its ports, as JSON, and then answers each line of its standard input with a line:

    stats     how many conversations are open, what the process holds, what is wrong
    limit     let it have no descriptor above half of those that it has now
    unlimit   let it have as many as before
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import logging
import os
import resource
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from framer import Channel, Framer, OutputQueue

__all__ = ["ADAPTERS", "HOST", "IDLE_TIMEOUT", "LINE"]

ADAPTERS = ["blocking", "selectors", "asyncio", "uvloop", "trio", "anyio"]
HOST = "127.0.0.1"
IDLE_TIMEOUT = 8.0
LINE = 2000
"""The longest line, in bytes."""


class Counts:
    """What conversations add up to; threads may change it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open = self.begun = self.frames = self.bytes = self.most = 0

    def begin(self) -> None:
        """A conversation begins."""
        with self.lock:
            self.begun += 1
            self.open += 1
            self.most = max(self.most, self.open)

    def end(self) -> None:
        """A conversation ends."""
        with self.lock:
            self.open -= 1

    def frame(self, size: int) -> None:
        """A line is echoed."""
        with self.lock:
            self.frames += 1
            self.bytes += size


COUNTS = Counts()


class Complaints(logging.Handler):
    """Keeps what an adapter logs as a fault of ours, and counts the lack of descriptors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.faults: list[str] = []
        self.starved = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OSError) and error.errno in {23, 24}:  # ENFILE, EMFILE
            self.starved += 1
        elif len(self.faults) < 20:
            self.faults.append(f"{record.getMessage()}: {error!r}")


class Echo(Channel):
    """Echoes lines; every eighth by way of a producer."""

    max_frame_size = LINE

    def connection_made(self) -> None:
        """Count."""
        COUNTS.begin()

    def frame_received(self, frame: bytes, /) -> None:
        """Echo."""
        COUNTS.frame(len(frame) + 1)
        if frame and frame[0] < 32:
            self.push_producer(iter([frame, b"\n"]))
        else:
            self.push(frame + b"\n")

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Count."""
        COUNTS.end()


def handle(stream: Any) -> None:
    """Do the same with a stream that blocks."""
    COUNTS.begin()
    try:
        for frame in stream:
            COUNTS.frame(len(frame) + 1)
            stream.send_frame(frame)
    finally:
        COUNTS.end()


async def handle_async(stream: Any) -> None:
    """Do the same with one that is awaited."""
    COUNTS.begin()
    try:
        async for frame in stream:
            COUNTS.frame(len(frame) + 1)
            await stream.send_frame(frame)
    finally:
        COUNTS.end()


def trim() -> None:
    """Have malloc give back what it keeps for later, where it can: that is no leak."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if malloc_trim is not None:
        malloc_trim(0)


def stats(complaints: Complaints) -> dict[str, Any]:
    """Say what there is, after a collection of garbage."""
    gc.collect()
    trim()
    alive = {
        kind.__name__: sum(isinstance(thing, kind) for thing in gc.get_objects())
        for kind in (Channel, Framer, OutputQueue)
    }
    rss = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "open": COUNTS.open,
        "begun": COUNTS.begun,
        "most": COUNTS.most,
        "frames": COUNTS.frames,
        "bytes": COUNTS.bytes,
        "alive": alive,
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "rss": rss * resource.getpagesize(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "starved": complaints.starved,
        "faults": complaints.faults,
    }


def control(complaints: Complaints, commands: TextIO) -> None:
    """Answer questions until there are no more; then end the process as it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for line in commands:
        answer: dict[str, Any] = {}
        match line.strip():
            case "stats":
                answer = stats(complaints)
            case "limit":
                used = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(used // 2, 8), hard))
            case "unlimit":
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            case command:
                answer = {"unknown": command}
        print(json.dumps(answer), flush=True)
    os._exit(0)


def ready(**ports: int) -> None:
    """Say where it listens, and begin to answer."""
    print(json.dumps(ports), flush=True)


SETTINGS: dict[str, Any] = {"idle_timeout": IDLE_TIMEOUT}
STREAM_SETTINGS: dict[str, Any] = {**SETTINGS, "max_frame_size": LINE}


def serve_blocking() -> None:
    """Serve with threads."""
    adapter: Any = importlib.import_module("framer_adapters.blocking")
    channels = adapter.serve_channel(Echo, HOST, 0, **SETTINGS)
    streams = adapter.serve(handle, HOST, 0, **STREAM_SETTINGS)
    threading.Thread(target=channels.serve_forever, daemon=True).start()
    ready(channel=channels.port, stream=streams.port)
    streams.serve_forever()


def serve_selectors() -> None:
    """Serve with the loop of selectors, which has channels alone."""
    adapter: Any = importlib.import_module("framer_adapters.selectors")
    with adapter.serve_channel(Echo, HOST, 0, **SETTINGS) as server:
        ready(channel=server.port)
        server.serve_forever()


async def serve_asyncio() -> None:
    """Serve in an event loop."""
    adapter: Any = importlib.import_module("framer_adapters.asyncio")
    channels = await adapter.serve_channel(Echo, HOST, 0, **SETTINGS)
    streams = await adapter.serve(handle_async, HOST, 0, **STREAM_SETTINGS)
    ready(channel=channels.port, stream=streams.port)
    async with channels:
        await streams.serve_forever()


async def serve_trio() -> None:
    """Serve in a nursery."""
    trio: Any = importlib.import_module("trio")
    adapter: Any = importlib.import_module("framer_adapters.trio")
    async with trio.open_nursery() as nursery:
        channels = await nursery.start(partial(adapter.serve_channel, Echo, HOST, 0, **SETTINGS))
        streams = await nursery.start(
            partial(adapter.serve, handle_async, HOST, 0, **STREAM_SETTINGS)
        )
        ready(
            channel=channels[0].socket.getsockname()[1], stream=streams[0].socket.getsockname()[1]
        )


async def serve_anyio() -> None:
    """Serve in a task group."""
    anyio: Any = importlib.import_module("anyio")
    adapter: Any = importlib.import_module("framer_adapters.anyio")
    port = importlib.import_module("anyio.abc").SocketAttribute.local_port
    async with anyio.create_task_group() as group:
        channels = await group.start(partial(adapter.serve_channel, Echo, HOST, 0, **SETTINGS))
        streams = await group.start(
            partial(adapter.serve, handle_async, HOST, 0, **STREAM_SETTINGS)
        )
        ready(channel=channels.extra(port), stream=streams.extra(port))  # noqa: S610 - no Django


def main() -> None:
    """Serve until the standard input ends."""
    complaints = Complaints()
    log = logging.getLogger("framer_adapters")
    log.addHandler(complaints)
    log.propagate = False
    for name in ("asyncio", "trio", "anyio"):
        logging.getLogger(name).addHandler(complaints)
    threading.Thread(target=control, args=(complaints, sys.stdin), daemon=True).start()
    starts: dict[str, Callable[[], object]] = {
        "blocking": serve_blocking,
        "selectors": serve_selectors,
        "asyncio": lambda: importlib.import_module("asyncio").run(serve_asyncio()),
        "uvloop": lambda: importlib.import_module("uvloop").run(serve_asyncio()),
        "trio": lambda: importlib.import_module("trio").run(serve_trio),
        "anyio": lambda: importlib.import_module("anyio").run(serve_anyio),
    }
    starts[sys.argv[1]]()


if __name__ == "__main__":
    main()
