"""check_stream: what every FramedStream does, whoever has written its adapter.

What that is, `_stream_cases` says, case by case. Streams that block pass the same cases:
their methods are made asynchronous by name,
and a coroutine that never waits runs to its end in one go.
Cases that need two things at once are left out for these.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Self, TypeAlias, cast

from framer.testing._failures import CheckFailed
from framer.testing._stream_cases import AT_ONCE, CASES, at_once

__all__ = ["check_stream"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says

Pair: TypeAlias = tuple[Any, Any]


def check_stream(make_pair: Callable[[], Pair | Awaitable[Pair]]) -> Any:
    r"""Check that a FramedStream of an adapter does what those of framer's own adapters do.

    Args:
        make_pair: makes two such streams that are connected to each other, and is called
            once for each case. Their terminator is ``b"\n"``, and `max_frame_size` 65536.
            It may be an ``async def``.

    Returns:
        For streams that block: None, when all is done.
        For others a coroutine, to be awaited under their runtime:
        ``asyncio.run(check_stream(make_pair))``, ``trio.run(check_stream, make_pair)``.

    Raises:
        CheckFailed: it says which case failed, and how.

    >>> import socket
    >>> from framer.testing import check_stream
    >>> from framer_adapters.blocking import FramedStream
    >>> def make_pair():
    ...     here, there = socket.socketpair()
    ...     return FramedStream(here), FramedStream(there)
    >>> check_stream(make_pair)
    """
    if inspect.iscoroutinefunction(make_pair):
        return _check_all(make_pair)
    pair = make_pair()
    if inspect.isawaitable(pair) or hasattr(pair[0], "aclose"):
        return _check_all(_first(pair, make_pair))
    return _run(_check_all(_first(pair, make_pair)))


def _first(
    pair: Pair | Awaitable[Pair], make_pair: Callable[[], Pair | Awaitable[Pair]]
) -> Callable[[], Awaitable[Pair]]:
    """Make pairs, the one that is there already first."""
    waiting = [pair]

    async def make() -> Pair:
        made = waiting.pop() if waiting else make_pair()
        return await made if inspect.isawaitable(made) else made

    return make


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to its end what never waits for a loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise CheckFailed("a stream without aclose() is taken to block, and this one waits for a loop")


async def _check_all(make_pair: Callable[[], Awaitable[Pair]]) -> None:
    for case in CASES:
        here, there = await make_pair()
        blocking = not hasattr(here, "aclose")
        if blocking:
            here, there = _Blocking(here), _Blocking(there)
        try:
            if not (blocking and case in AT_ONCE):
                await case(here, there)
        except Exception as exc:
            fault: Any = exc
            while isinstance(fault, ExceptionGroup):  # of a nursery
                fault = cast("Any", fault).exceptions[0]
            raise CheckFailed(
                f"{inspect.getdoc(case)}\n\nThis does not hold ({case.__name__.strip('_')}):"
                f" {type(fault).__name__}: {fault}"
            ) from exc
        finally:
            # Both at once: who closes waits for the other to end.
            if blocking:
                from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only here

                with ThreadPoolExecutor(1) as elsewhere:
                    closing = elsewhere.submit(here.close)
                    there.close()
                    closing.result()
            else:
                await at_once(here.aclose, there.aclose)


class _Blocking:
    """A stream that blocks, with methods that are asynchronous by name."""

    def __init__(self, stream: Any) -> None:
        object.__setattr__(self, "_stream", stream)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, "close" if name == "aclose" else name)
        if name in {"framer", "output"} or not callable(found):
            return found

        async def call(*args: Any) -> Any:
            return found(*args)

        return call

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._stream, name, value)

    def close(self) -> None:
        self._stream.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for frame in self._stream:
            yield frame

    async def __aenter__(self) -> Self:
        self._stream.__enter__()
        return self

    async def __aexit__(self, *exc_info: object) -> Any:
        return self._stream.__exit__(*exc_info)
