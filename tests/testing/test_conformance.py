"""check_stream: every adapter of ours passes it, and one that breaks a promise does not."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import anyio
import anyio.abc
import pytest
import trio
import trio.testing

import framer_adapters.anyio as of_anyio
import framer_adapters.asyncio as of_asyncio
import framer_adapters.blocking as of_blocking
import framer_adapters.trio as of_trio
from framer import FramerError, IncompleteFrame, UsageError
from framer.testing import CheckFailed, check_stream
from framer.testing._conformance import _run


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


def test_blocking() -> None:
    """Streams that block are checked at once."""
    assert check_stream(blocking_pair) is None


def test_trio() -> None:
    """Trio's are checked under trio; make_pair need not be asynchronous."""
    trio.run(check_stream, memory_pair)


def test_asyncio() -> None:
    """Asyncio's are checked under asyncio."""
    asyncio.run(check_stream(asyncio_pair))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(backend: str) -> None:
    """Anyio's under either."""
    anyio.run(check_stream, anyio_pair, backend=backend)


def test_a_pair_that_is_awaited() -> None:
    """A function may also return what is to be awaited."""
    trio.run(check_stream, trio_pair)


async def trio_pair() -> tuple[Any, Any]:
    """Make two of trio's."""
    return memory_pair()


class AllOrNothing(of_blocking.FramedStream):
    """Cannot end one direction alone, as if it were over TLS."""

    def send_eof(self) -> None:
        """Refuse."""
        raise UsageError("it cannot end one direction alone")


def test_streams_that_cannot_end_one_direction_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They pass as well; closing one of them waits for the other side."""
    monkeypatch.setattr(of_blocking, "LINGER", 0.01)
    assert check_stream(pair_of(AllOrNothing)) is None


class Broken(of_blocking.FramedStream):
    """Breaks a promise: a subclass says which."""


class NoEnd(Broken):
    """Gives an empty frame at the end."""

    def receive_frame(self) -> bytes:
        """Give it."""
        try:
            return super().receive_frame()
        except EOFError:
            return b""


class FramingEnd(Broken):
    """Takes the end for a framing error."""

    def receive_frame(self) -> bytes:
        """Raise it."""
        try:
            return super().receive_frame()
        except EOFError as exc:
            raise FramerError from exc


class LosesCr(Broken):
    """Gives frames without a CR that is payload."""

    def receive_frame(self) -> bytes:
        """Lose it."""
        return super().receive_frame().replace(b"\r", b"")


class Delays(Broken):
    """Keeps the caller's bytearray until the next send."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.kept: list[Any] = []

    def send(self, data: Any) -> None:
        """Keep it, or send what was kept first."""
        if isinstance(data, bytearray):
            self.kept.append(data)
            return
        super().send(b"".join([*self.kept, data]))
        self.kept.clear()


class Leaks(Broken):
    """Refuses a frame, and sends it all the same."""

    def send_frame(self, payload: Any) -> None:
        """Send it."""
        try:
            super().send_frame(payload)
        except ValueError:
            self.send(payload)
            raise


class ForgetsPart(Broken):
    """Does not say what there was of a frame."""

    def receive_frame(self) -> bytes:
        """Forget it."""
        try:
            return super().receive_frame()
        except IncompleteFrame as exc:
            exc.partial = b""
            raise


class ClosesAtOnce(Broken):
    """Loses what was pushed when it is closed."""

    def close(self) -> None:
        """Lose it."""
        self.output.discard()
        super().close()


class LosesOutput(Broken):
    """Loses what was pushed."""

    def send(self, data: Any) -> None:
        """Lose it."""
        self.output.discard()
        super().send(data)


def pair_of(kind: type[of_blocking.FramedStream]) -> Callable[[], tuple[Any, Any]]:
    """Make pairs of such streams."""

    def make_pair() -> tuple[Any, Any]:
        here, there = socket.socketpair()
        return kind(here), kind(there)

    return make_pair


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (LosesCr, "Frames come out, in order.*b'eggsand"),
        (Delays, "as they were when they were sent.*it was b'XXXtwothree'"),
        (Leaks, "as they were when they were sent.*MalformedFrame"),
        (ForgetsPart, "is incomplete, and says what there was.*it was b''"),
        (ClosesAtOnce, "and with the close.*it was \\[\\]"),
        (NoEnd, "At the end of the stream iteration ends.*should have been raised, and b''"),
        (FramingEnd, "no framing error"),
        (LosesOutput, "What was pushed to `output`.*it was b'two', and should have been b'onetwo'"),
    ],
)
def test_streams_that_break_a_promise(kind: type[Broken], told: str) -> None:
    """The failure says which promise, and how it was broken."""
    with pytest.raises(CheckFailed, match=f"(?s){told}"):
        check_stream(pair_of(kind))


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


class Slow(Wrapped):
    """Loses the last line."""

    async def send_frame(self, payload: bytes) -> None:
        """Lose it, if there is much."""
        if int(payload.isdigit() and payload) != 299:
            await self.stream.send_frame(payload)


class Patient(Wrapped):
    """Gives the second of two receives a frame of its own."""

    peer: Any

    async def receive_frame(self) -> bytes:
        """Make one up."""
        try:
            return bytes(await self.stream.receive_frame())
        except trio.BusyResourceError:
            await self.peer.send(b"frame\n")
            return b"none"


class Hasty(Wrapped):
    """Raises when it is cancelled."""

    async def receive_frame(self) -> bytes:
        """Raise."""
        try:
            return bytes(await self.stream.receive_frame())
        except trio.Cancelled:
            raise LookupError from None


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Slow, "More than fits anywhere.*299 lines came, of 300"),
        (Patient, r"The second of two receives.*the two receives gave"),
        (Hasty, "A receive that is cancelled"),
    ],
)
def test_asynchronous_streams_that_break_a_promise(kind: type[Wrapped], told: str) -> None:
    """The same for what needs two things at once."""

    def make_pair() -> tuple[Any, Any]:
        here, there = memory_pair()
        wrapped = kind(here)
        vars(wrapped)["peer"] = there
        return wrapped, kind(there)

    with pytest.raises(CheckFailed, match=f"(?s){told}"):
        trio.run(check_stream, make_pair)


def test_a_receive_that_fails_when_it_is_cancelled() -> None:
    """Under asyncio, too, it is told."""

    class Failing(Wrapped):
        async def receive_frame(self) -> bytes:
            try:
                return bytes(await self.stream.receive_frame())
            except asyncio.CancelledError:
                raise LookupError from None

    async def make_pair() -> tuple[Any, Any]:
        here, there = await asyncio_pair()
        return Failing(here), there

    with pytest.raises(CheckFailed, match="A receive that is cancelled"):
        asyncio.run(check_stream(make_pair))


def test_a_stream_that_does_not_block() -> None:
    """A stream without aclose() that waits for a loop is not what it says."""
    with pytest.raises(CheckFailed, match="waits for a loop"):
        _run(asyncio.sleep(0))
