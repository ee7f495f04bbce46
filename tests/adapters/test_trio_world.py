"""What trio says for itself, one method after the other: over sockets, memory, pipes and TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from peers import client_tls, server_tls
from trio_streams import memory, read_all, run, sockets, tcp

from framer import Framer, OutputQueue, TlsRequest
from framer_adapters._trio_world import TrioWorld

WORLD = TrioWorld()


async def encrypted() -> tuple[trio.abc.Stream, trio.SSLStream[trio.abc.Stream]]:
    """Put TLS on one of two streams; the other one is the client's."""
    ours, theirs = memory()
    peer = trio.SSLStream(theirs, client_tls(), server_hostname="localhost")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.do_handshake)
        request = TlsRequest(Framer(), server_tls(), server_side=True)
        stream = await WORLD.wrap(ours, request, None)
    return stream, peer


def test_tasks() -> None:
    """They are those of a nursery."""

    async def main() -> None:
        done = trio.Event()

        async def task() -> None:
            await trio.lowlevel.checkpoint()
            done.set()

        async with WORLD.open_tasks() as tasks:
            tasks.start_soon(task)
        assert done.is_set()

    run(main)


def test_what_comes_in() -> None:
    """It is bytes, whatever the stream gives; the end is b"", before which others have a turn."""

    async def main() -> None:
        source = trio.testing.MemoryReceiveStream()  # gives bytearrays
        source.put_data(b"spam")
        source.put_eof()
        stream = trio.StapledStream(trio.testing.MemorySendStream(), source)
        data = await WORLD.receive(stream)
        assert (type(data), data) == (bytes, b"spam")
        with trio.testing.assert_checkpoints():
            assert await WORLD.receive(stream) == b""

    run(main)


def test_a_socket_tells_how_much_went() -> None:
    """That is what the peer gets."""

    async def main() -> None:
        ours, theirs = sockets()
        assert WORLD.knows_what_went(ours)
        sent = await WORLD.send(ours, memoryview(bytes(1 << 20)))
        assert 0 < sent < 1 << 20
        await WORLD.close(ours)
        assert await read_all(theirs) == bytes(sent)
        await WORLD.close(theirs)

    run(main)


def test_other_streams_send_all() -> None:
    """How much went, when that is cancelled, nobody knows."""

    async def main() -> None:
        ours, theirs = memory()
        assert not WORLD.knows_what_went(ours)
        assert await WORLD.send(ours, b"spam") == 4
        assert await theirs.receive_some() == b"spam"

    run(main)


def test_a_lost_connection() -> None:
    """It is what trio's own streams raise, of which the system's error is the cause."""

    async def main() -> None:
        ours, theirs = await tcp()
        await WORLD.close(theirs)
        ours.socket.shutdown(trio.socket.SHUT_WR)
        with pytest.raises(WORLD.lost, match="Broken pipe") as caught:
            await WORLD.send(ours, b"spam")
        assert isinstance(caught.value.__cause__, BrokenPipeError)
        await WORLD.close(ours)

    run(main)


def test_a_file(tmp_path: Path) -> None:
    """The kernel sends it over a socket; over anything else it is read."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    async def main() -> None:
        ours, theirs = sockets()
        output = OutputQueue()
        output.push_producer(path.open("rb"))
        assert not await WORLD.send_file(memory()[0], output)
        with trio.testing.assert_checkpoints():
            assert await WORLD.send_file(ours, output)
        assert output.data_to_send() == b""  # of the file nothing is left
        assert not await WORLD.send_file(ours, output)
        await WORLD.close(ours)
        assert await read_all(theirs) == b"0123456789"
        await WORLD.close(theirs)

    run(main)


def test_a_file_for_which_there_is_no_room(tmp_path: Path) -> None:
    """The next send waits for room, or tells that the connection is lost."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    async def main() -> None:
        ours, theirs = sockets()
        await WORLD.send(ours, bytes(1 << 20))
        output = OutputQueue()
        output.push_producer(path.open("rb"))
        assert not await WORLD.send_file(ours, output)
        await WORLD.close(theirs)
        assert not await WORLD.send_file(ours, output)
        assert output.data_to_send() == b"0123456789"
        output.discard()
        await WORLD.close(ours)

    run(main)


def test_tls() -> None:
    """It is there when `wrap` returns."""

    async def main() -> None:
        stream, peer = await encrypted()
        assert await WORLD.send(stream, b"spam") == 4
        assert await peer.receive_some() == b"spam"
        await WORLD.close(stream)
        await WORLD.close(peer)

    run(main)


def test_whose_hands_are_shaken() -> None:
    """Those of a stream that has not done so; other streams have none."""

    async def main() -> None:
        ours, theirs = memory()
        client = trio.SSLStream(theirs, client_tls(), server_hostname="localhost")
        server = trio.SSLStream(ours, server_tls(), server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            await WORLD.shake_hands(server)
        await client.send_all(b"spam")
        assert await WORLD.receive(server) == b"spam"
        await WORLD.shake_hands(ours)

    run(main)


def test_taking_tls_off() -> None:
    """Its farewell goes through, but it neither waits for an answer nor closes what is below."""

    async def main() -> None:
        stream, peer = await encrypted()
        below = WORLD.take_from_tls(stream)
        assert below is not None
        assert WORLD.take_from_tls(below) is None
        await stream.wait_send_all_might_not_block()
        with pytest.raises(trio.WouldBlock):
            await stream.receive_some()
        await stream.aclose()
        assert await peer.receive_some() == b""
        await WORLD.send(below, b"plain")
        assert await peer.transport_stream.receive_some() == b"plain"

    run(main)


def test_the_end() -> None:
    """It is that of one direction, where there is such a thing."""

    async def main() -> None:
        ours, theirs = sockets()
        await WORLD.end(ours)
        assert await WORLD.receive(theirs) == b""
        await WORLD.send(theirs, b"spam")
        assert await WORLD.receive(ours) == b"spam"
        await WORLD.close(ours)
        await WORLD.close(theirs)
        stream, peer = await encrypted()
        with pytest.raises(NotImplementedError):
            await WORLD.end(stream)
        await WORLD.close(stream)
        await WORLD.close(peer)

    run(main)


def test_closing() -> None:
    """It does not wait, not even for a farewell."""

    async def main() -> None:
        stream, peer = await encrypted()
        before = trio.current_time()
        await WORLD.close(stream)
        assert trio.current_time() == before
        with pytest.raises(WORLD.lost):
            await peer.receive_some()

    run(main)
