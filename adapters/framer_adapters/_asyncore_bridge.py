"""A map of channels in an asyncio loop: `framer_adapters.asyncore.run_in_asyncio`.

A turn is the one of `asyncore.loop`, but for the waiting, which is asyncio's::

    selector with all channels ──▶ its own descriptor, watched by asyncio ──▶ poll2(0)

asyncio never learns the channels' descriptors, only the selector's.
So whoever closes a channel takes nothing away that asyncio watches,
and the number can be used again at once, by one of asyncio's own connections, too.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

from framer_adapters._asyncore_polling import Map, waiting

__all__ = ["run"]


async def run(timeout: float, channels: Map, turn: Callable[[float, Map], object]) -> None:  # noqa: ASYNC109 - of a turn
    """Run turns until there are no more channels; wait `timeout` seconds between two, at most."""
    while channels:
        with selectors.DefaultSelector() as selector:
            await _wait(selector, channels, timeout)
        turn(0.0, channels)


async def _wait(selector: selectors.BaseSelector, channels: Map, timeout: float) -> None:  # noqa: ASYNC109
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    masks = waiting(dict(channels.items()), selectors.EVENT_READ, selectors.EVENT_WRITE)
    for fd, mask in masks.items():
        try:
            selector.register(fd, mask)
        except (OSError, ValueError):
            # A plain file, which is ever ready, or none at all: the turn will see.
            loop.call_soon(woken.set)
    fileno: Callable[[], int] | None = getattr(selector, "fileno", None)
    if fileno is None:
        raise NotImplementedError("this platform has no selector that asyncio could watch")
    timer = loop.call_later(timeout, woken.set)
    loop.add_reader(fileno(), woken.set)
    try:
        await woken.wait()
    finally:
        loop.remove_reader(fileno())
        timer.cancel()
