"""What trio and anyio say for themselves, and how both sign off."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import anyio
import anyio.abc
import pytest
import trio
from peers import client_tls, server_tls
from trio_streams import BIG, Pair, Recorder, memory, read_all, run, settle, sockets

import framer_adapters.anyio
from framer_adapters._common import LINGER
from framer_adapters.trio import FramedStream


async def encrypted(
    ours: trio.abc.Stream, theirs: trio.abc.Stream
) -> tuple[FramedStream, trio.SSLStream[trio.abc.Stream]]:
    """Shake hands, and let both hear the end of it."""
    stream = FramedStream(ours)
    peer = trio.SSLStream(theirs, client_tls(), server_hostname="localhost")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(stream.start_tls, server_tls()))
        nursery.start_soon(peer.do_handshake)
    return stream, peer


@pytest.mark.parametrize("pair", [memory, sockets])
def test_the_last_word_over_tls(pair: Callable[[], Pair]) -> None:
    """It can be read, with the proper end of TLS, though the peer has sent what nobody reads."""

    async def main() -> None:
        stream, peer = await encrypted(*pair())
        for _ in range(9):
            await peer.send_all(b"nobody reads this\n" * 9)
        assert await stream.receive_frame() == b"nobody reads this"
        stream.output.push(b"the last word")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.aclose)
            assert await read_all(peer) == b"the last word"
            with pytest.raises(trio.ClosedResourceError):
                await stream.send_eof()
            await peer.send_all(b"nor this\n")
            await peer.transport_stream.aclose()

    run(main)


def test_a_farewell_that_nobody_hears() -> None:
    """Closing takes no longer than it may; nor does it wait for who receives."""

    async def main() -> None:
        stream, peer = await encrypted(*memory())
        before = trio.current_time()
        await stream.aclose()
        assert trio.current_time() - before == pytest.approx(LINGER, abs=0.5)
        await trio.aclose_forcefully(peer)
        stream, peer = await encrypted(*sockets())
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await stream.receive_frame()

            nursery.start_soon(receive)
            await settle()
            await stream.aclose()
            assert await read_all(peer) == b""
        await trio.aclose_forcefully(peer)

    run(main)


def test_a_world_that_says_as_little_as_it_can() -> None:
    """It has files read, and a send that breaks off has sent nobody knows what."""
    ours, theirs = socket.socketpair()

    async def main() -> None:
        transport = await anyio.abc.UNIXSocketStream.from_socket(ours)
        stream = framer_adapters.anyio.FramedStream(transport)
        with anyio.move_on_after(0.01):
            await stream.send_producer([BIG] * 8)
        with pytest.raises(anyio.BrokenResourceError, match="broke off"):
            await stream.send(b"more")
        theirs.close()
        await stream.aclose()

    anyio.run(main)


def test_a_channel_in_such_a_world() -> None:
    """There is no handshake that it would have to make up for."""
    ours, theirs = socket.socketpair()
    theirs.sendall(b"quit\n")
    theirs.shutdown(socket.SHUT_WR)
    channel = Recorder()

    async def main() -> None:
        transport = await anyio.abc.UNIXSocketStream.from_socket(ours)
        await framer_adapters.anyio.run_channel(channel, transport)

    anyio.run(main)
    assert (channel.frames, channel.lost) == ([b"quit"], [None])
    assert theirs.recv(100) == b"bye\n"
    theirs.close()
