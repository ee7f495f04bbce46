"""The promises of a FramedStream: one that breaks any of them is told which, and how."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import trio
from stream_pairs import Broken, Wrapped, asyncio_pair, memory_pair, pair_of

from framer import FramerError, IncompleteFrame
from framer.testing import CheckFailed, check_stream


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


def test_streams_that_break_none() -> None:
    """They pass, under trio and under asyncio."""
    trio.run(check_stream, memory_pair)
    asyncio.run(check_stream(asyncio_pair))
