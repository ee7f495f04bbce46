"""check_stream: every adapter of ours passes it, and one that breaks a promise does not."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
import trio
from stream_pairs import (
    Broken,
    Wrapped,
    anyio_pair,
    asyncio_pair,
    blocking_pair,
    memory_pair,
    pair_of,
    trio_pair,
)

import framer_adapters.blocking as of_blocking
from framer import UsageError
from framer.testing import CheckFailed, check_stream
from framer.testing._conformance import _run


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


class AllOrNothing(of_blocking.FramedStream):
    """Cannot end one direction alone, as if it were over TLS."""

    def send_eof(self) -> None:
        """Refuse."""
        raise UsageError("it cannot end one direction alone")


def test_streams_that_cannot_end_one_direction_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They pass as well; closing one of them waits for the other side."""
    monkeypatch.setattr(of_blocking, "LINGER", 0.01)
    assert check_stream(pair_of(AllOrNothing)) is None


class Silent(Broken):
    """Sends no frame."""

    def send_frame(self, payload: Any) -> None:
        """Send nothing."""


def test_a_stream_that_breaks_a_promise() -> None:
    """The failure says which one, what its case is called, and what was there instead."""
    with pytest.raises(CheckFailed, match=r"(?s)as they were when they were sent.*\(sending\): "):
        check_stream(pair_of(Silent))


class Lazy(Wrapped):
    """Raises in the background what breaks a promise."""

    async def send_frame(self, payload: bytes) -> None:
        """Raise, if there is much."""
        if payload.isdigit():
            raise LookupError("too much")
        await self.stream.send_frame(payload)


def test_a_stream_that_breaks_a_promise_in_the_background() -> None:
    """It is not the group of a nursery that is told, but what is wrong."""

    def make_pair() -> tuple[Any, Any]:
        here, there = memory_pair()
        return Lazy(here), Lazy(there)

    with pytest.raises(CheckFailed, match="LookupError: too much"):
        trio.run(check_stream, make_pair)


def test_a_stream_that_does_not_block() -> None:
    """A stream without aclose() that waits for a loop is not what it says."""
    with pytest.raises(CheckFailed, match="waits for a loop"):
        _run(asyncio.sleep(0))
