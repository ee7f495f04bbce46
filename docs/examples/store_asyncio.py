"""The store, unchanged, in the loop of a new program: asyncio's.

The new part is a server of its own: it tells how many values there are.

    python store_asyncio.py
"""

from __future__ import annotations

import asyncio
import signal
from functools import partial

from framer_adapters import asynchat, asyncore
from framer_adapters.asyncio import FramedStream, serve

asynchat.install(force=True)

from store_server import StoreServer  # noqa: E402 - now it finds what it imports


async def count(store: StoreServer, stream: FramedStream) -> None:
    """Answer each line by the number of values."""
    async for _ in stream:
        await stream.send_frame(b"%d" % len(store.values))


async def main() -> None:
    """Serve the old and the new until SIGTERM."""
    store = StoreServer("127.0.0.1", 0)
    old = asyncio.create_task(asyncore.run_in_asyncio())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, old.cancel)
    async with await serve(partial(count, store), "127.0.0.1", 0, b"\n") as new:
        print(f"listening on 127.0.0.1 port {store.port}", flush=True)
        print(f"counting on 127.0.0.1 port {new.port}", flush=True)
        try:
            await old
        except asyncio.CancelledError:
            asyncore.close_all()


if __name__ == "__main__":
    asyncio.run(main())
