"""What people use today, and idioms that they write by hand.

Each is fed as its documentation says, by calls in memory, with no socket and no event loop
more than it needs; limits on sizes are raised where the workload needs it.
Where a rival's way to get a frame is a coroutine, the coroutine is driven by hand
as long as data is there: it never waits, which flatters it, for its event loop costs it nothing.

A rival that is not installed, or is not on this Python, is left out, and the report says so.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import warnings
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, cast

from bench.workloads import HEADER_END, Workload, body_size

__all__ = ["RIVALS", "Missing"]

Take = Callable[[Any], object]  # some give a bytearray; it is left as it is
Contender = Callable[[Workload, Sequence[bytes], Take], None]

CRLF = b"\r\n"
HUGE = 1 << 30
RIVALS: dict[str, list[Contender]] = {}


class Missing(Exception):
    """The rival is not installed here."""


def rival(*kinds: str) -> Callable[[Contender], Contender]:
    """Let a function take part in the workloads of these kinds."""

    def register(contender: Contender) -> Contender:
        for kind in kinds:
            RIVALS.setdefault(kind, []).append(contender)
        return contender

    return register


def load(name: str) -> Any:
    """A module of a rival."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as error:
        raise Missing(str(error)) from error


# -- Idioms that people write ---------------------------------------------------------------


@rival("lines")
def bytearray_find(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Append to a bytearray, find, slice, delete: the idiom of countless programs."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while (end := buffer.find(CRLF)) >= 0:
            take(buffer[:end])
            del buffer[: end + 2]


@rival("lines")
def partition(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Append to bytes and partition, frame by frame; quadratic in the size of a chunk."""
    if len(chunks[0]) > 4096:
        raise Missing("it takes seconds for such chunks")
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        while CRLF in buffer:
            line, _, buffer = buffer.partition(CRLF)
            take(line)


@rival("u32")
def bytearray_prefix(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """The same with a length in front."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= 4:
            end = 4 + int.from_bytes(buffer[:4], "big")
            if len(buffer) < end:
                break
            take(buffer[4:end])
            del buffer[:end]


# -- The standard library -------------------------------------------------------------------


def run(step: Coroutine[Any, Any, bytes]) -> bytes:
    """Drive a coroutine that has all it needs."""
    try:
        step.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # a coroutine of bytes returns them
    raise RuntimeError("it waits, though its data is there")


def _stream_reader() -> asyncio.StreamReader:
    return asyncio.StreamReader(limit=HUGE, loop=asyncio.new_event_loop())


def _close(reader: asyncio.StreamReader) -> None:
    loop: asyncio.AbstractEventLoop = vars(reader)["_loop"]
    loop.close()


@rival("lines")
def asyncio_streams(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """asyncio.StreamReader.readuntil()."""
    reader = _stream_reader()
    ends = 0
    rest = b""
    for chunk in chunks:
        reader.feed_data(chunk)
        ends = (rest + chunk).count(CRLF)
        rest = chunk[-1:]
        for _ in range(ends):
            take(run(reader.readuntil(CRLF))[:-2])
    _close(reader)


@rival("u32")
def asyncio_streams_prefix(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """asyncio.StreamReader.readexactly(), twice."""
    reader = _stream_reader()
    buffer: bytearray = vars(reader)["_buffer"]  # to see how much there is
    length = -1
    for chunk in chunks:
        reader.feed_data(chunk)
        while True:
            if length < 0:
                if len(buffer) < 4:
                    break
                length = int.from_bytes(run(reader.readexactly(4)), "big")
            if len(buffer) < length:
                break
            take(run(reader.readexactly(length)))
            length = -1
    _close(reader)


@rival("http")
def asyncio_streams_http(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """asyncio.StreamReader: readuntil() and readexactly() by turns."""
    reader = _stream_reader()
    buffer: bytearray = vars(reader)["_buffer"]  # to see how much there is
    need = -1
    for chunk in chunks:
        reader.feed_data(chunk)
        while True:
            if need < 0:
                if HEADER_END not in buffer:
                    break
                header = run(reader.readuntil(HEADER_END))[:-4]
                take(header)
                need = body_size(header)
            if len(buffer) < need:
                break
            take(run(reader.readexactly(need)))
            need = -1
    _close(reader)


class _Source(io.RawIOBase):
    """A raw stream whose reads give the chunks."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = iter(chunks)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = next(self._chunks, b"")
        buffer[: len(chunk)] = chunk
        return len(chunk)


@rival("lines")
def buffered_reader(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """io.BufferedReader.readline(), what socket.makefile() gives: blocking, and ends at LF."""
    reader = io.BufferedReader(_Source(chunks), buffer_size=1 << 16)
    for line in reader:
        take(line.removesuffix(CRLF))


@rival("lines")
def asynchat(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """asynchat.async_chat, of 3.11 or as it is on PyPI for newer Pythons."""
    load("asyncore")
    base: Any = load("asynchat").async_chat
    arriving = iter(chunks)

    class Chat(base):  # type: ignore[misc]  # a class of an untyped module
        ac_in_buffer_size = HUGE

        def __init__(self) -> None:
            base.__init__(self, None, map={})
            self.set_terminator(CRLF)
            self.parts: list[bytes] = []

        def recv(self, size: int) -> bytes:
            return next(arriving)

        def collect_incoming_data(self, data: bytes) -> None:
            self.parts.append(data)

        def found_terminator(self) -> None:
            take(b"".join(self.parts))
            self.parts.clear()

    chat = Chat()
    for _ in chunks:
        chat.handle_read()


# -- From PyPI ------------------------------------------------------------------------------


@rival("lines")
def anyio_buffered(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """anyio.streams.buffered.BufferedByteReceiveStream.receive_until()."""
    module = load("anyio.streams.buffered")
    stream = module.BufferedByteReceiveStream(_Never())
    rest = b""
    for chunk in chunks:
        stream.feed_data(chunk)
        ends = (rest + chunk).count(CRLF)
        rest = chunk[-1:]
        for _ in range(ends):
            take(run(stream.receive_until(CRLF, HUGE)))


class _Never:
    """The stream below, which is not asked: all was fed before."""


@rival("lines")
def h11_receive_buffer(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """h11's ReceiveBuffer.maybe_extract_next_line()."""
    buffer = load("h11._receivebuffer").ReceiveBuffer()
    for chunk in chunks:
        buffer += chunk
        while (line := buffer.maybe_extract_next_line()) is not None:
            take(line[:-2])


@rival("lines")
def websockets_reader(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """StreamReader.read_line() of websockets, a generator."""
    reader = load("websockets.streams").StreamReader()
    line = reader.read_line(HUGE)
    for chunk in chunks:
        reader.feed_data(chunk)
        while True:
            try:
                next(line)
                break
            except StopIteration as stop:
                take(stop.value[:-2])
                line = reader.read_line(HUGE)


@rival("u32")
def websockets_exact(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """StreamReader.read_exact() of websockets, twice."""
    reader: Any = load("websockets.streams").StreamReader()

    def exactly(size: int) -> Generator[None, None, bytes]:
        data: bytes = yield from cast("Generator[None, None, bytes]", reader.read_exact(size))
        return data

    def frames() -> Generator[None]:
        while True:
            length = int.from_bytes((yield from exactly(4)), "big")
            take((yield from exactly(length)))

    running = frames()
    for chunk in chunks:
        reader.feed_data(chunk)
        next(running)


def _twisted(base: str, hook: str, take: Take) -> Any:
    """A protocol of twisted.protocols.basic whose hook takes."""
    protocols = load("twisted.protocols.basic")

    def received(self: object, data: bytes) -> None:
        take(data)

    names: dict[str, Any] = {hook: received, "MAX_LENGTH": HUGE, "delimiter": CRLF}
    protocol = type("Taker", (getattr(protocols, base),), names)()
    protocol.makeConnection(_Transport())
    return protocol


class _Transport:
    """What a protocol of Twisted asks of its transport."""

    disconnecting = False


@rival("lines")
def twisted_line_receiver(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """LineReceiver of Twisted."""
    protocol = _twisted("LineReceiver", "lineReceived", take)
    for chunk in chunks:
        protocol.dataReceived(chunk)


@rival("lines")
def twisted_line_only(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Twisted's LineOnlyReceiver."""
    protocol = _twisted("LineOnlyReceiver", "lineReceived", take)
    for chunk in chunks:
        protocol.dataReceived(chunk)


@rival("u32")
def twisted_int32(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Twisted's Int32StringReceiver."""
    protocol = _twisted("Int32StringReceiver", "stringReceived", take)
    for chunk in chunks:
        protocol.dataReceived(chunk)


@rival("netstring")
def twisted_netstring(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Twisted's NetstringReceiver."""
    protocol = _twisted("NetstringReceiver", "stringReceived", take)
    for chunk in chunks:
        protocol.dataReceived(chunk)


@rival("lines")
def tornado_iostream(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Tornado's IOStream.read_until(), over a stream that reads the chunks."""
    base: Any = load("tornado.iostream").BaseIOStream

    class Stream(base):  # type: ignore[misc]  # a class without a type here
        arriving = iter(chunks)

        def fileno(self) -> int:
            return -1

        def close_fd(self) -> None:
            pass

        def read_from_fd(self, buf: Any) -> int | None:
            chunk = next(self.arriving, b"")
            buf[: len(chunk)] = chunk
            return len(chunk) or None

        def _add_io_state(self, state: int) -> None:
            raise EOFError

    async def read() -> None:
        stream = Stream(read_chunk_size=1 << 16, max_buffer_size=HUGE)
        try:
            while True:
                take((await stream.read_until(CRLF))[:-2])
        except EOFError:
            pass

    asyncio.run(read())


@rival("u32")
def tricycle_exact(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """BufferedReceiveStream.receive_exactly() of tricycle, twice."""
    if len(chunks) > 10_000:
        raise Missing("it takes seconds, and trio cannot be stopped from outside")
    tricycle, trio = load("tricycle"), load("trio")
    arriving = iter(chunks)

    base: Any = trio.abc.ReceiveStream

    class Source(base):  # type: ignore[misc]  # a class without a type here
        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            return next(arriving, b"")

        async def aclose(self) -> None:
            pass

    async def read() -> None:
        stream = tricycle.BufferedReceiveStream(Source())
        try:
            while True:
                length = int.from_bytes(await stream.receive_exactly(4), "big")
                take(await stream.receive_exactly(length))
        except ValueError:  # the end
            pass

    trio.run(read)
