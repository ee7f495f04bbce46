"""Run a `Channel` under the adapter of your choice, as a server or as a client.

The examples that are Channels know nothing of I/O, so one word picks who does it:
``python http_files.py --adapter trio``. Every adapter has the same names, so what is below is
mostly how each world is started; the one that is chosen is the only one that is imported.
"""

from __future__ import annotations

import argparse
import signal
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import Any, Final

from framer import Channel

ADAPTERS: Final = ("blocking", "selectors", "asyncio", "trio", "anyio")


def serve(
    factory: Callable[[], Channel],
    host: str,
    port: int,
    adapter: str = "asyncio",
    *,
    tls: ssl.SSLContext | None = None,
    on_ready: Callable[[int], object] | None = None,
) -> None:
    """Run a channel of `factory` for each connection, until SIGINT.

    Once it listens it calls `on_ready` with the port, which by default prints a line.
    """

    def ready(port: int) -> None:
        if on_ready is not None:
            on_ready(port)
        else:
            print(f"listening on {host} port {port}", flush=True)

    start = import_module(f"framer_adapters.{adapter}").serve_channel
    start = partial(start, factory, host, port, tls=tls)
    try:
        if adapter in {"blocking", "selectors"}:
            with start() as server:
                if adapter == "selectors" and threading.current_thread() is threading.main_thread():
                    server.loop.stop_on(signal.SIGINT)  # else it comes in the middle of anything
                ready(server.port)
                server.serve_forever()
        else:
            run(adapter, partial(serve_async, adapter, start, ready))
    except* KeyboardInterrupt:  # in a group it is where there are nurseries
        pass


async def serve_async(
    adapter: str, start: Callable[..., Awaitable[Any]], ready: Callable[[int], object]
) -> None:
    """Serve until cancelled, in a world where functions are asynchronous."""
    world = import_module(adapter)
    if adapter == "asyncio":
        async with await start() as server:
            ready(server.port)
            await server.serve_forever()
    elif adapter == "trio":
        async with world.open_nursery() as nursery:
            listeners = await nursery.start(start)
            ready(listeners[0].socket.getsockname()[1])
    else:
        async with world.create_task_group() as group:
            listener = await group.start(start)
            ready(listener.extra(world.abc.SocketAttribute.local_port))  # noqa: S610 - no Django


def converse(
    channel: Channel,
    host: str,
    port: int,
    adapter: str = "asyncio",
    *,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Connect, and run the channel of a client to its end.

    Raises OSError if nobody is there; but selectors has `connection_lost` tell the channel.
    """
    module = import_module(f"framer_adapters.{adapter}")
    if adapter == "selectors":
        with module.Loop() as loop:
            module.connect(channel, host, port, loop=loop, tls=tls)
            loop.run()
    elif adapter == "blocking":
        connection = socket.create_connection((host, port))
        if tls is not None:
            connection = tls.wrap_socket(connection, server_hostname=host)
        module.run_channel(channel, connection)
    else:
        world, address = import_module(adapter), (host, port)

        async def connected() -> None:
            if adapter == "asyncio":
                transport = await world.open_connection(*address, ssl=tls)
            elif adapter == "anyio":
                transport = await world.connect_tcp(*address, ssl_context=tls)
            elif tls is None:
                transport = await world.open_tcp_stream(*address)
            else:
                transport = await world.open_ssl_over_tcp_stream(*address, ssl_context=tls)
            await module.run_channel(channel, transport)

        run(adapter, connected)


def run(adapter: str, function: Callable[[], Any]) -> None:
    """Start the world and run an asynchronous function in it."""
    import_module(adapter).run(function() if adapter == "asyncio" else function)


def interrupt(_signal: int, _frame: object) -> None:
    """Make of one signal the other, which every world knows how to end at."""
    signal.raise_signal(signal.SIGINT)


def main(factory: Callable[[], Channel], description: str) -> None:
    """Serve as the command line says until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--adapter", choices=ADAPTERS, default="asyncio")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="by default any that is free")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background of a shell
    signal.signal(signal.SIGTERM, interrupt)
    serve(factory, options.host, options.port, options.adapter)
