"""What is below streams and channels of asyncio, over real sockets, under its own event loop."""
# ruff: noqa: ASYNC110 - the loop is to turn

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from peers import Peer, client_tls, pair, server_tls
from protocols import Log, behind_the_handshake, failing, run, streams

import framer_adapters._protocol as module
from framer import Channel, Framer, OutputQueue, TlsRequest
from framer_adapters._channel_protocol import ChannelProtocol
from framer_adapters._protocol import ConnectionProtocol
from framer_adapters._stream_protocol import StreamProtocol

MIB = 1 << 20


def test_taking_over_what_a_reader_holds() -> None:
    """Bytes that it holds come first, then the end."""

    async def main() -> None:
        with pair() as (sock, peer):
            reader, writer = await asyncio.open_connection(sock=sock)
            peer.send(b"one\ntwo")
            peer.end()
            assert await reader.readline() == b"one\n"
            while not (reader.at_eof() or b"two" in cast("Any", reader)._buffer):
                await asyncio.sleep(0)
            await asyncio.sleep(0.002)
            protocol, taken = StreamProtocol(), list[bytes]()
            protocol.attach(taken.append, OutputQueue())
            protocol.take_over(reader, writer)
            assert taken == [b"two", b""]
            protocol.end(None)
            await writer.wait_closed()

    run(main())


def test_taking_over_what_is_reset() -> None:
    """What had come in before comes first, then the error."""
    log = Log()

    async def main() -> None:
        with pair(tcp=True) as (sock, _):
            reader, writer = await asyncio.open_connection(sock=sock)
            reader.feed_data(b"x\n")
            writer.transport.abort()
            reader.set_exception(ConnectionResetError())
            protocol = ChannelProtocol(lambda: log, None)
            protocol.take_over(reader, writer)
            assert protocol.closed.done()
            await asyncio.sleep(0)

    run(main())
    assert log.log == [b"x", ConnectionResetError]


def test_what_is_taken_at_once_is_a_sign_of_life(tmp_path: Path) -> None:
    """The transport never says that it has room again, for it always had."""
    path = tmp_path / "file"
    path.write_bytes(b"x")

    async def main() -> None:
        async with streams() as stream:
            stream.protocol._alive = False
            stream.output.push(b"x")
            stream.protocol.flush()
            assert stream.protocol._alive
            stream.protocol._alive = False
            stream.output.push_producer(path.open("rb"))
            stream.protocol.flush()
            assert stream.protocol._alive
            stream.protocol._alive = False
            stream.output.push(bytes(8 * MIB))
            stream.protocol.flush()
            assert not stream.protocol._alive

    run(main())


def test_a_file_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads it says what is wrong, and then it is gone; nothing goes round in circles."""

    def broken(*_: object) -> int:
        raise ValueError("send_file")

    path = tmp_path / "file"
    path.touch()
    monkeypatch.setattr(module, "send_file", broken)

    async def main() -> None:
        async with streams() as stream:
            file = path.open("rb")
            file.close()
            stream.output.push_producer(file)
            with pytest.raises(ValueError, match="closed file"):
                await stream.drain()
            assert not stream.output

    run(main())


def test_many_chunks_of_a_producer() -> None:
    """Others have their turn now and then."""
    turns: list[int] = []

    async def main() -> None:
        async with streams() as stream:
            asyncio.get_running_loop().call_soon(turns.append, 1)
            stream.output.push_producer([b"%02d" % number for number in range(40)])
            await stream.drain()
            assert turns == [1]
            assert await stream.read(80) == b"".join(b"%02d" % number for number in range(40))

    run(main())


def test_a_file_and_a_peer_that_reads_late(tmp_path: Path) -> None:
    """What the kernel does not take at once it takes later."""
    path, content = tmp_path / "file", bytes(range(256)) * 20_000
    path.write_bytes(content)

    async def main() -> None:
        async with streams() as stream:
            stream.output.push(b"<")
            stream.output.push_producer(path.open("rb"))
            stream.output.push(b">")
            draining = asyncio.create_task(stream.drain())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert stream.protocol.full
            assert await stream.read(len(content) + 2) == b"<" + content + b">"
            await draining

    run(main())


def test_a_file_when_the_socket_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transport sees it as well, and says so."""

    def broken(*_: object) -> int:
        raise BrokenPipeError

    path = tmp_path / "file"
    path.write_bytes(b"x")
    monkeypatch.setattr(module, "send_file", broken)

    async def main() -> None:
        async with streams() as stream:
            stream.output.push_producer(path.open("rb"))
            await stream.drain()
            assert await stream.read(1) == b"x"

    run(main())


def test_what_is_to_be_told_of_a_connection() -> None:
    """It is, when it is made."""
    made: list[bool] = []

    async def main() -> None:
        with pair() as (sock, _):
            protocol = ChannelProtocol(Log, None)
            protocol.made = lambda: made.append(True)
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: protocol, sock=sock)
            protocol.end(None)
            await asyncio.sleep(0)

    run(main())
    assert made == [True]


def test_a_failed_send_and_what_had_come_in() -> None:
    """It is read nevertheless."""

    async def main() -> None:
        async with streams(tcp=True) as stream:
            receiving = asyncio.create_task(stream.protocol.more(None))
            await asyncio.sleep(0)
            stream.protocol.pause_reading()
            stream.peer.send(b"last words")
            stream.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            stream.peer.close()
            stream.output.push(b"x")
            await receiving
            assert stream.taken == [b"last words"]
            with pytest.raises(ConnectionError):
                await stream.protocol.more(None)

    run(main())


def test_a_stream_over_tls() -> None:
    """Both sides shake hands; the end of the one is the end of the other."""

    async def main() -> None:
        left, right = socket.socketpair()
        ends: list[tuple[StreamProtocol, list[bytes]]] = []
        for sock in (left, right):
            taken: list[bytes] = []
            protocol = StreamProtocol()
            protocol.attach(taken.append, OutputQueue())
            protocol.take_over(*await asyncio.open_connection(sock=sock))
            ends.append((protocol, taken))
        (server, _), (client, taken) = ends
        framer = Framer(b"\n")
        await asyncio.gather(
            server.start_tls(TlsRequest(framer, server_tls()), None, None),
            client.start_tls(TlsRequest(framer, client_tls()), "localhost", None),
        )
        server.output.push(b"secret")
        await client.more(None)
        assert taken == [b"secret"]
        server.transport.close()
        await asyncio.wait([server.closed, client.closed])
        assert taken == [b"secret", b""]

    run(main())


async def both_over_tls() -> tuple[StreamProtocol, StreamProtocol]:
    """Connect a server and a client."""
    ends: list[StreamProtocol] = []
    for sock in socket.socketpair():
        ends.append(StreamProtocol())
        ends[-1].attach(lambda _: None, OutputQueue())
        ends[-1].take_over(*await asyncio.open_connection(sock=sock))
    framer = Framer(b"\n")
    await asyncio.gather(
        ends[0].start_tls(TlsRequest(framer, server_tls()), None, None),
        ends[1].start_tls(TlsRequest(framer, client_tls()), "localhost", None),
    )
    return ends[0], ends[1]


@pytest.mark.parametrize("begun_here", [True, False])
def test_the_end_of_a_stream_over_tls(begun_here: bool) -> None:
    """It is closed, by asyncio itself where nobody knows what is below TLS."""

    async def main() -> None:
        server, client = await both_over_tls()
        if not begun_here:
            server.below = None
        server.finish()
        await asyncio.wait([server.closed, client.closed])
        client.pause_reading()  # is harmless by then

    run(main())


def test_a_stream_that_is_lost_in_the_end() -> None:
    """There is nothing left to do."""

    async def main() -> None:
        async with streams() as stream:
            stream.protocol.finish()
            stream.protocol.end(None)
            await asyncio.sleep(0)
            assert stream.protocol.closed.done()

    run(main())


def test_a_handshake_that_cannot_begin() -> None:
    """What came in by then is nobody's."""

    async def main() -> None:
        async with streams() as stream:
            with pytest.raises(TypeError):
                await stream.protocol.start_tls(TlsRequest(Framer(b"\n"), object()), "host", None)
            await asyncio.sleep(0)

    run(main())


def test_what_comes_to_a_stream_right_behind_the_handshake() -> None:
    """It is there, and so is what comes later."""

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            protocol, taken = StreamProtocol(), list[bytes]()
            protocol.attach(taken.append, OutputQueue())
            protocol.take_over(*await asyncio.open_connection(sock=sock))
            client = asyncio.create_task(asyncio.to_thread(behind_the_handshake, peer.sock, b"x"))
            await protocol.start_tls(TlsRequest(Framer(b"\n"), server_tls()), None, None)
            await client
            while b"".join(taken) != b"xand another":
                await protocol.more(None)
            protocol.end(None)
            await asyncio.sleep(0)

    run(main())


def test_a_stream_closed_in_its_handshake() -> None:
    """Who waits for that hears so."""

    async def main() -> None:
        async with streams() as stream:
            request = TlsRequest(Framer(b"\n"), server_tls())
            shaking = asyncio.create_task(stream.protocol.start_tls(request, None, None))
            await asyncio.sleep(0.002)
            stream.protocol.transport.abort()
            with pytest.raises(ConnectionAbortedError):
                await shaking

    run(main())


def test_a_stream_whose_handshake_fails() -> None:
    """The error comes out, and the connection is gone."""

    async def main() -> None:
        async with streams() as stream:
            with pytest.raises(ValueError, match="server_hostname"):
                await stream.protocol.start_tls(TlsRequest(Framer(b"\n"), client_tls()), None, None)
            with pytest.raises(ValueError, match="server_hostname"):
                stream.protocol.check()
        async with streams() as stream:
            request = TlsRequest(Framer(b"\n"), client_tls())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.protocol.start_tls(request, "localhost", None), 0.005)
            with pytest.raises(ConnectionAbortedError):
                stream.protocol.check()

    run(main())


def test_the_end_is_sent_once() -> None:
    """Not while the transport tells that it has room: then it would end the stream again itself."""

    class Transport:
        """What a channel's protocol needs of one, and what it did in which order."""

        def __init__(self) -> None:
            self.did: list[str] = []

        def get_write_buffer_limits(self) -> tuple[int, int]:
            return 0, 0

        def get_write_buffer_size(self) -> int:
            return 0

        def __getattr__(self, name: str) -> Callable[..., bool]:
            def note(*_: object, **__: object) -> bool:
                self.did.append(name)
                return name == "can_write_eof"

            return note

    class Brief(Channel):
        def connection_made(self) -> None:
            self.push(b"x" * MIB)
            self.close_when_done()

    async def main() -> None:
        protocol, transport = ChannelProtocol(Brief, None), Transport()
        protocol.tls = True  # so that nobody asks for a socket
        protocol.connection_made(cast("asyncio.Transport", transport))
        protocol.pause_writing()
        while protocol.output:
            protocol.output.data_to_send()
        protocol.resume_writing()
        assert "write_eof" not in transport.did
        await asyncio.sleep(0)
        assert transport.did.count("write_eof") == 1
        protocol.connection_lost(None)

    run(main())


def test_a_buffer_for_all_that_tls_has() -> None:
    """There is room for it, and the connections of a loop share what there is."""

    async def scenario() -> None:
        one, other = StreamProtocol(), StreamProtocol()
        usual = one.get_buffer(-1)
        assert other.get_buffer(1) is usual
        larger = one.get_buffer(200_000)
        assert len(larger) > 200_000 + module.TLS_RECORD
        assert one.get_buffer(-1) is larger
        assert other.get_buffer(100_000) is larger

    run(scenario())


class Plain(ConnectionProtocol):
    """No more than every protocol has."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[object] = []

    def data_received(self, data: bytes) -> None:
        """Take note."""
        self.received.append(data)

    def eof_received(self) -> bool:
        """Take note, and stay."""
        self._ended = True
        return not self._finishing

    def lost(self, exc: Exception | None) -> None:
        """Take note."""
        self.received.append(exc)


@contextlib.asynccontextmanager
async def plain() -> AsyncGenerator[tuple[Plain, Peer]]:
    """Connect one."""
    with pair(tcp=True) as (sock, peer):
        protocol = Plain()
        protocol.take_over(*await asyncio.open_connection(sock=sock))
        yield protocol, peer
        await asyncio.wait([protocol.closed])
        await asyncio.sleep(0)


def test_what_is_taken_for_an_end() -> None:
    """A producer that fails, and a peer that does nothing, unless somebody else minds."""

    async def main() -> None:
        async with plain() as (protocol, _):
            error = ValueError("the producer's")
            protocol.output.push_producer(failing(error))
            protocol.flush()
            protocol.flush()
        assert protocol.received == [error]
        async with plain() as (protocol, _):
            protocol.watch(0.01)
        assert [type(error) for error in protocol.received] == [TimeoutError]

    run(main())


@pytest.mark.parametrize("peer_ends_first", [True, False])
def test_finishing(peer_ends_first: bool) -> None:
    """It ends its direction, and waits for the end of the other unless that is there."""

    async def main() -> None:
        async with plain() as (protocol, peer):
            protocol.watch(60)
            if peer_ends_first:
                peer.end()
                while not protocol._ended:
                    await asyncio.sleep(0)
            protocol.pause_reading()
            protocol.finish()
            protocol.finish()
            await asyncio.sleep(0)
            peer.end()
        assert protocol.received == [None]

    run(main())


def test_a_handshake_of_which_some_was_read_before() -> None:
    """TLS is given it first."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pair(tcp=True) as (sock, peer):
            sock.setblocking(False)
            client = asyncio.create_task(asyncio.to_thread(peer.start_tls))
            hello = await loop.sock_recv(sock, MIB)
            protocol = Plain()
            protocol.take_over(*await asyncio.open_connection(sock=sock))
            protocol._early.append(hello)
            await protocol.start_tls(TlsRequest(Framer(b"\n"), server_tls()), None, None)
            await client
            protocol.end(None)
            await asyncio.sleep(0)

    run(main())
