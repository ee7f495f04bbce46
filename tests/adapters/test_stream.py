"""What a FramedStream is in every asynchronous world, in one that has no loop at all."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import (
    Data,
    EndOfStream,
    FrameTooLarge,
    IncompleteFrame,
    TerminatorFound,
    TlsRequest,
    UsageError,
)
from framer_adapters._stream import AsyncFramedBase, BusyGuard, run_handler

T = TypeVar("T")


class BusyError(Exception):
    pass


class ClosedError(Exception):
    pass


class TheEnd(Exception):
    pass


class Memory(AsyncFramedBase):
    """A stream over a list of what is received: bytes, or an error to raise."""

    _end_of_stream = TheEnd

    def __init__(self, *received: bytes | Exception, **settings: Any) -> None:
        super().__init__(settings.get("terminator", b"\n"), settings.get("max_frame_size", 65536))
        self._receiving = BusyGuard(BusyError, "receiving")
        self.received = list(received)
        self.sent: list[bytes] = []
        self.during_fill: Callable[[], object] | None = None

    async def send_eof(self) -> None:
        """Take no more."""
        self.output.close_when_done()

    async def aclose(self) -> None:
        """Take note."""
        self.sent.append(b"closed")

    def _check_open(self) -> None:
        if self.output.closing:
            raise ClosedError

    async def _fill(self) -> None:
        await asyncio.sleep(0)
        if self.during_fill is not None:
            self.during_fill()
        item = self.received.pop(0) if self.received else b""
        if isinstance(item, Exception):
            raise item
        self._take(item)

    async def _flush(self, *, to_the_end: bool = False) -> None:
        while data := self.output.data_to_send():
            self.sent.append(data)
        self.sent.append(b"all" if to_the_end else b"now")

    async def _shake_hands(self, request: TlsRequest) -> None:
        self.sent.append(b"hello from %r" % str(request.context).encode())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it, in a loop that it does not know of."""
    return asyncio.run(coroutine)


async def collect(stream: Memory) -> list[bytes]:
    """Iterate."""
    return [frame async for frame in stream]


CHUNKS = st.lists(st.sampled_from([b"a", b"b\r", b"\n"]), max_size=6).map(b"".join)


@given(st.lists(CHUNKS))
def test_frames_until_the_end(chunks: list[bytes]) -> None:
    """They are those of a naive split, whatever the chunks; a rest without its end is an error."""
    *frames, rest = b"".join(chunks).split(b"\n")
    stream = Memory(*filter(None, chunks))
    if rest:
        with pytest.raises(IncompleteFrame):
            run(collect(stream))
        return
    assert run(collect(stream)) == frames
    with pytest.raises(TheEnd, match="has ended"):
        run(stream.receive_frame())


def test_events_until_the_end() -> None:
    """Payload as it arrives; the end of the stream is an event once, and then an error."""

    async def scenario() -> None:
        stream = Memory(b"a", b"b\n")
        events = [await stream.receive_event() for _ in range(4)]
        assert events == [Data(b"a"), Data(b"b"), TerminatorFound(b"\n"), EndOfStream()]
        with pytest.raises(TheEnd):
            await stream.receive_event()

    run(scenario())


def test_nothing_is_read_while_frames_are_there() -> None:
    """What came in with one read is delivered before the next, and before its error."""

    async def scenario() -> None:
        stream = Memory(b"a\nb\nc", ConnectionResetError())
        assert [await stream.receive_frame(), await stream.receive_frame()] == [b"a", b"b"]
        assert len(stream.received) == 1
        with pytest.raises(ConnectionResetError):
            await stream.receive_frame()
        assert stream.framer.take_buffered() == b"c"

    run(scenario())


def test_framing_errors_are_framers_own() -> None:
    """And they leave the stream as usable as the framer is."""

    async def scenario() -> None:
        stream = Memory(b"too long\nok\n", max_frame_size=3)
        with pytest.raises(FrameTooLarge):
            await stream.receive_frame()
        stream.framer.skip_frame()
        assert await stream.receive_frame() == b"ok"

    run(scenario())


@pytest.mark.parametrize("method", ["receive_frame", "receive_event"])
def test_one_receives_at_a_time(method: str) -> None:
    """The second gets the error at once, and the first its frame."""

    async def scenario() -> None:
        stream = Memory(b"a\n")
        refused: list[type[Exception]] = []

        async def second() -> None:
            for receive in (stream.receive_frame, stream.receive_event):
                with pytest.raises(BusyError):
                    await receive()
            with pytest.raises(BusyError):
                await stream.start_tls(Any)  # type: ignore[arg-type]  # it is not looked at
            refused.append(BusyError)

        first = asyncio.create_task(getattr(stream, method)())
        await asyncio.sleep(0)
        await second()
        assert await first in (b"a", Data(b"a"))
        assert refused

    run(scenario())


def test_cancelled_receives_lose_nothing() -> None:
    """Nor do they leave the stream busy."""

    async def scenario() -> None:
        stream = Memory(b"a", b"b\n")
        first = asyncio.create_task(stream.receive_frame())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await stream.receive_frame() == b"ab"

    run(scenario())


def test_sending() -> None:
    """Bytes as they are, frames with their terminator, producers to their end, in order."""

    async def scenario() -> None:
        stream = Memory()
        stream.output.push(b"before ")
        await stream.send(b"data")
        await stream.send_frame(b"frame")
        await stream.send_producer([b"one", b"two"])
        await stream.send_eof()
        assert stream.sent == [
            b"before data",
            b"now",
            b"frame\n",
            b"now",
            b"one",
            b"two",
            b"all",
        ]
        for refused in (stream.send(b"x"), stream.send_frame(b"x"), stream.send_producer([b"x"])):
            with pytest.raises(ClosedError):
                await refused

    run(scenario())


def test_start_tls() -> None:
    """What was pushed goes out before, and nothing is read between."""

    async def scenario() -> None:
        stream = Memory(b"secret\n")
        stream.output.push(b"go ahead")
        context: Any = "me"
        await stream.start_tls(context)
        assert stream.sent == [b"go ahead", b"all", b"hello from b'me'"]
        assert len(stream.received) == 1
        assert await stream.receive_frame() == b"secret"

    run(scenario())


def test_start_tls_with_plain_text_left() -> None:
    """It is refused before anything is done, or dropped (CVE-2011-0411)."""

    async def scenario() -> None:
        stream = Memory(b"STARTTLS\nevil\n")
        assert await stream.receive_frame() == b"STARTTLS"
        context: Any = "me"
        with pytest.raises(UsageError, match="5 bytes of plain text"):
            await stream.start_tls(context)
        assert stream.sent == []
        await stream.start_tls(context, leftover="discard")
        with pytest.raises(TheEnd):
            await stream.receive_frame()

    run(scenario())


def test_start_tls_with_plain_text_that_comes_meanwhile() -> None:
    """Where a loop receives by itself, something may come in while the last of it goes out."""

    class Receiving(Memory):
        async def _flush(self, *, to_the_end: bool = False) -> None:
            await super()._flush(to_the_end=to_the_end)
            self._take(b"evil\n")

    async def scenario() -> None:
        stream = Receiving()
        context: Any = "me"
        with pytest.raises(UsageError, match="5 bytes of plain text"):
            await stream.start_tls(context)
        assert stream.sent == [b"all"]
        await stream.start_tls(context, leftover="discard")
        assert stream.framer.buffered == 0

    run(scenario())


def test_nothing_is_sent_while_tls_starts() -> None:
    """It would go out in plain text, or in the middle of the handshake; afterwards it may."""

    class Slow(Memory):
        async def _shake_hands(self, request: TlsRequest) -> None:
            await asyncio.sleep(0)
            for refused in (self.send(b"x"), self.send_producer([b"x"]), self.start_tls(Any)):  # type: ignore[arg-type]  # it is not looked at
                with pytest.raises(UsageError, match="so wait"):
                    await refused

    async def scenario() -> None:
        stream = Slow()
        context: Any = "me"
        await stream.start_tls(context)
        await stream.send(b"secret")
        assert stream.sent == [b"all", b"secret", b"now"]

    run(scenario())


def test_it_is_a_context_manager() -> None:
    """It is closed at the end, also by an error."""

    async def scenario() -> None:
        stream = Memory()
        with pytest.raises(KeyError):
            async with stream as same:
                assert same is stream
                raise KeyError
        assert stream.sent == [b"closed"]

    run(scenario())


def test_a_handler_and_its_stream() -> None:
    """It gets the stream, after a handshake if there is a context; then that is closed."""
    stream = Memory(b"one\n")

    async def handler(given: Memory) -> None:
        assert given is stream
        given.output.push(await given.receive_frame())
        await given.send(b"!")

    run(run_handler(handler, stream))
    assert stream.sent == [b"one!", b"now", b"closed"]
    stream, context = Memory(b"one\n"), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    run(run_handler(handler, stream, context))
    assert stream.sent[1].startswith(b"hello from")
    assert stream.sent[-3:] == [b"one!", b"now", b"closed"]


def test_a_handler_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, before the stream is closed, and goes no further; so is what closing raises."""

    class Stubborn(Memory):
        async def aclose(self) -> None:
            assert "the handler's" in caplog.text
            raise KeyError("a producer's")

    async def handler(_: Memory) -> None:
        raise KeyError("the handler's")

    run(run_handler(handler, Stubborn()))
    assert "a producer's" in caplog.text


def test_a_handler_whose_peer_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    """That is a line of information, in the words of each world."""

    async def handler(stream: Memory) -> None:
        await stream.receive_frame()

    with caplog.at_level(logging.INFO):
        run(run_handler(handler, Memory(), peer_errors=(TheEnd,)))
    assert caplog.messages == ["connection lost: TheEnd: the peer has ended the stream"]
