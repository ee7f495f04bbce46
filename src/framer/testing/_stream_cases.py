"""The cases of check_stream: each is a promise that every FramedStream makes.

A case is one coroutine, which gets two streams that are connected to each other:
what *there* sends, *here* receives. The docstring of a case says what it holds,
and is what a failure says first.

No runtime is imported: the one that is running is found among the modules that are loaded.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

from framer import (
    ANY_NEWLINE,
    Data,
    EndOfStream,
    FramerError,
    FrameTooLarge,
    IncompleteFrame,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    Terminator,
    TerminatorFound,
    UsageError,
    encode_frame,
)
from framer.testing._failures import CheckFailed
from framer.testing._splits import splits

__all__ = ["AT_ONCE", "CASES", "at_once"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says

Case: TypeAlias = Callable[[Any, Any], Coroutine[Any, Any, None]]


# What cases are made of


def _expect(seen: object, wanted: object) -> None:
    if seen != wanted:
        raise CheckFailed(f"it was {seen!r}, and should have been {wanted!r}")


async def _error(call: Callable[[], Awaitable[object]], kind: type[Exception]) -> Exception:
    """What a call raises, which has to be of this kind."""
    try:
        result = await call()
    except kind as exc:
        return exc
    raise CheckFailed(f"{kind.__name__} should have been raised, and {result!r} was returned")


async def _half_close(stream: Any) -> None:
    """End what a stream sends, where that can be done alone: who closes does not wait for it then.

    TLS cannot, and its streams take a little longer.
    """
    with contextlib.suppress(UsageError):
        await stream.send_eof()


async def _all(stream: Any) -> list[bytes]:
    return [frame async for frame in stream]


# The cases


async def _frames(here: Any, there: Any) -> None:
    """Frames come out, in order, however what was sent is cut."""
    frames = [b"spam", b"", b"eggs\rand\nham"]
    wire = b"".join(frame + b"\r\n" for frame in frames)
    here.terminator = b"\r\n"
    for chunks in splits(wire):
        sent, received = b"", 0
        for chunk in chunks:
            await there.send(chunk)
            sent += chunk
            for frame in frames[received : sent.count(b"\r\n")]:  # as soon as it is there
                _expect(await here.receive_frame(), frame)
                received += 1


async def _terminators(here: Any, there: Any) -> None:
    """A terminator may be set between any two frames, and the very next byte obeys it."""
    kinds: list[tuple[Terminator, bytes]] = [
        (b"\r\n", b"line"),
        (ANY_NEWLINE, b"any"),
        (7, b"counted"),
        (LengthPrefix(4), b"prefixed\n"),
        (Netstring(), b"net:,"),
        ((b";", b"|"), b"one of two"),
        (0, b""),
        (b"\n", b"the last"),
    ]
    await there.send(b"".join(encode_frame(payload, kind) for kind, payload in kinds))
    for kind, payload in kinds:
        here.terminator = kind
        _expect(here.terminator, kind)
        _expect(await here.receive_frame(), payload)


async def _end(here: Any, there: Any) -> None:
    """At the end of the stream iteration ends, and receiving raises, the same again and again."""
    await _half_close(here)
    await there.send(b"a\n\nb\n")
    await there.aclose()
    _expect(await _all(here), [b"a", b"", b"b"])
    _expect(await _all(here), [])
    first = await _error(here.receive_frame, Exception)
    second = await _error(here.receive_frame, Exception)
    _expect(type(second), type(first))
    if isinstance(first, FramerError):
        raise CheckFailed(f"the end between two frames is no framing error: {first!r}")


async def _events(here: Any, there: Any) -> None:
    """Events come as they arrive, the end of the stream once, and then its error."""
    await _half_close(here)
    await there.send(b"spam")
    _expect(await here.receive_event(), Data(b"spam"))
    await there.send(b"\n\n")
    await there.aclose()
    _expect(await here.receive_event(), TerminatorFound(b"\n"))
    _expect(await here.receive_event(), TerminatorFound(b"\n"))
    _expect(await here.receive_event(), EndOfStream())
    await _error(here.receive_event, Exception)


async def _framing_errors(here: Any, there: Any) -> None:
    """Framing errors are framer's own, repeat, and let the program go on."""
    here.framer.max_frame_size = 5
    await there.send(b"too long\nmore\nx")
    for _ in range(2):
        await _error(here.receive_frame, FrameTooLarge)
    here.framer.skip_frame()
    _expect(await here.receive_frame(), b"more")
    here.terminator = Netstring()
    for _ in range(2):
        await _error(here.receive_frame, MalformedFrame)
    _expect(here.framer.take_buffered(), b"x")


async def _incomplete(here: Any, there: Any) -> None:
    """A stream that ends inside a frame is incomplete, and says what there was."""
    await _half_close(here)
    await there.send(b"whole\nhal")
    await there.aclose()
    _expect(await here.receive_frame(), b"whole")
    for _ in range(2):
        error = await _error(here.receive_frame, IncompleteFrame)
        _expect(getattr(error, "partial", None), b"hal")


async def _sending(here: Any, there: Any) -> None:
    """Bytes, mutable ones too, and frames go out as they were when they were sent."""
    mutable = bytearray(b"one")
    await there.send(mutable)
    mutable[:] = b"XXX"
    await there.send(memoryview(b"two"))
    await there.send(b"")
    await there.send_frame(b"three")
    await _error(lambda: there.send_frame(b"two\nlines"), ValueError)
    there.terminator = Netstring()
    await there.send_frame(b"four")
    _expect(await here.receive_frame(), b"onetwothree")
    here.terminator = Netstring()
    _expect(await here.receive_frame(), b"four")


async def _output(here: Any, there: Any) -> None:
    """What was pushed to `output` goes first with the next send, and with the close."""
    await _half_close(here)
    there.output.push(b"one")
    await there.send(b"two\n")
    _expect(await here.receive_frame(), b"onetwo")
    there.output.push(b"three\n")
    await there.aclose()
    _expect(await _all(here), [b"three"])


async def _producers(here: Any, there: Any) -> None:
    """A producer's chunks go out in their place."""
    await there.send_producer(b"%d\n" % number for number in range(100))
    await there.send(b"end\n")
    seen = [await here.receive_frame() for _ in range(101)]
    _expect(seen, [*(b"%d" % number for number in range(100)), b"end"])


async def _closing(here: Any, there: Any) -> None:
    """To close twice is harmless, and a stream that was closed does nothing any more."""
    await _half_close(here)
    await there.aclose()
    await there.aclose()
    await _error(lambda: there.send(b"more"), Exception)
    await _error(there.receive_frame, Exception)
    _expect(await _all(here), [])


async def _context(here: Any, there: Any) -> None:
    """A stream is a context manager, which closes it, and lets an error through as it is."""
    await _half_close(here)
    fault = LookupError("the program's own")
    seen: list[object] = []
    try:
        async with there as same:
            seen.append(same is there)
            raise fault
    except LookupError as exc:
        seen.append(exc)
    _expect(seen, [True, fault])
    await _error(lambda: there.send(b"more"), Exception)
    _expect(await _all(here), [])


async def _both_directions(here: Any, there: Any) -> None:
    """Both sides can send, and what one receives has nothing to do with what it sends."""
    await there.send_frame(b"question")
    await here.send_frame(b"another")
    _expect(await here.receive_frame(), b"question")
    await here.send_frame(b"answer")
    _expect(await there.receive_frame(), b"another")
    _expect(await there.receive_frame(), b"answer")


async def _much(here: Any, there: Any) -> None:
    """More than fits anywhere goes through, while the other side reads."""
    await _half_close(here)
    lines = [b"%04000d" % number for number in range(300)]

    async def send() -> None:
        for line in lines:
            await there.send_frame(line)
        await there.aclose()

    async def receive() -> None:
        seen = await _all(here)
        if seen != lines:
            raise CheckFailed(f"{len(seen)} lines came, of {len(lines)}, or not the same ones")

    await at_once(send, receive)


async def _given_up(here: Any, there: Any) -> None:
    """A receive that is cancelled loses nothing: the next one goes on."""
    await _half_close(here)
    seen: list[bytes] = []

    async def receive() -> None:
        seen.append(await here.receive_frame())

    for byte in b"slow\nand\n":
        await there.send(bytes([byte]))
        await cancelled(receive)
    await there.aclose()
    seen += await _all(here)
    _expect(seen, [b"slow", b"and"])


async def _busy(here: Any, there: Any) -> None:
    """The second of two receives at once is told so, and the first gets the frame."""
    seen: list[object] = []

    async def receive() -> None:
        try:
            seen.append(await here.receive_frame())
        except Exception as exc:  # noqa: BLE001 - each world has its own error for it
            seen.append(type(exc))
            await there.send(b"frame\n")

    await at_once(receive, receive)
    if len(seen) != 2 or seen[1] != b"frame" or isinstance(seen[0], bytes):
        raise CheckFailed(f"the two receives gave {seen!r}")


CASES: Final[list[Case]] = [
    _frames,
    _terminators,
    _end,
    _events,
    _framing_errors,
    _incomplete,
    _sending,
    _output,
    _producers,
    _closing,
    _context,
    _both_directions,
    _much,
    _given_up,
    _busy,
]

AT_ONCE: Final[list[Case]] = [_much, _given_up, _busy]
"""Cases in which two things happen at once."""


# Two things at once, in the runtime that is running


def _trio() -> Any:
    """The module, if it is trio that is running."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None


async def at_once(*functions: Callable[[], Coroutine[Any, Any, None]]) -> None:
    if trio := _trio():
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)
    else:
        async with sys.modules["asyncio"].TaskGroup() as group:
            for function in functions:
                group.create_task(function())


async def cancelled(function: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it until it waits, and cancel it then."""
    if trio := _trio():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(function)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return
    asyncio = sys.modules["asyncio"]
    task = asyncio.ensure_future(function())
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
