"""The protocols below the adapter for asyncio, over real sockets, under its own event loop."""
# ruff: noqa: D102 - a hook of a stub needs no docstring
# ruff: noqa: ASYNC110 - the loop is to turn

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from peers import client_tls, pair, server_tls

import framer_adapters._protocols as module
from framer import PENDING, Channel, Framer, OutputQueue, Pending, TlsRequest, UsageError
from framer_adapters._protocols import ChannelProtocol, StreamProtocol

T = TypeVar("T")
MIB = 1 << 20


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine within ten seconds; nothing may be reported to the loop."""
    unheard: list[dict[str, Any]] = []

    async def main() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        async with asyncio.timeout(10):
            return await coroutine

    result = asyncio.run(main())
    assert unheard == []
    return result


class Stream:
    """A stream protocol on a socket, what it took, and the other end."""

    def __init__(self, protocol: StreamProtocol, taken: list[bytes], peer: socket.socket) -> None:
        self.protocol, self.taken, self.peer = protocol, taken, peer
        self.output = protocol.output

    async def drain(self, idle_timeout: float | None = None, *, to_the_end: bool = True) -> None:
        await self.protocol.drain(idle_timeout, to_the_end=to_the_end)

    async def finish(self) -> None:
        self.protocol.finish()
        await asyncio.wait([self.protocol.closed])

    async def read(self, size: int) -> bytes:
        """Read so much at the other end."""
        loop, data = asyncio.get_running_loop(), b""
        while len(data) < size and (chunk := await loop.sock_recv(self.peer, size)):
            data += chunk
        return data


@contextlib.asynccontextmanager
async def streams(*, tcp: bool = False) -> AsyncGenerator[Stream]:
    """Take over a pair of asyncio's own streams."""
    with pair(tcp=tcp) as (sock, peer):
        peer.sock.setblocking(False)
        protocol, taken = StreamProtocol(), list[bytes]()
        protocol.attach(taken.append, OutputQueue())
        protocol.take_over(*await asyncio.open_connection(sock=sock))
        yield Stream(protocol, taken, peer.sock)
        protocol.end(None)
        await asyncio.sleep(0)


class Slow:
    """A producer that has nothing until it is told."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def more(self) -> bytes | Pending:
        return self.chunks.pop(0) if self.chunks else PENDING


def failing(error: Exception) -> Iterator[bytes]:
    """Give a line, then fail."""
    yield b"line"
    raise error


class BadClose(list[bytes]):
    def close(self) -> None:
        raise ValueError("close")


# -- What both have -----------------------------------------------------------------------------


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


def test_taking_over_what_is_lost() -> None:
    """Who uses it hears so."""

    async def main() -> None:
        with pair() as (sock, _):
            reader, writer = await asyncio.open_connection(sock=sock)
            writer.transport.abort()
            await asyncio.sleep(0)
            protocol = StreamProtocol()
            protocol.attach(lambda _: None, OutputQueue())
            protocol.take_over(reader, writer)
            with pytest.raises(ConnectionAbortedError):
                protocol.check()
            with pytest.raises(ConnectionAbortedError):
                await protocol.more(None)

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


# -- Streams ------------------------------------------------------------------------------------


def test_reading_one_chunk_ahead() -> None:
    """With nobody there to receive nothing more is read, and then it goes on."""

    async def main() -> None:
        async with streams() as stream:
            receiving = asyncio.create_task(stream.protocol.more(None))
            await asyncio.sleep(0)
            stream.peer.send(b"one")
            await receiving
            stream.peer.send(b"two")
            while not stream.protocol.paused:
                await asyncio.sleep(0)
            stream.peer.send(b"three")
            await asyncio.sleep(0.002)
            assert stream.taken == [b"one", b"two"]
            await stream.protocol.more(None)
            assert stream.taken == [b"one", b"two", b"three"]

    run(main())


def test_producers_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    """The error goes to who waits for it, else to the log; what is behind goes out."""

    async def main() -> None:
        async with streams() as stream:

            async def send(producer: Iterator[bytes]) -> None:
                stream.output.push_producer(producer)
                await stream.drain()

            first, second = send(failing(ValueError("mine"))), send(failing(ValueError("theirs")))
            results = await asyncio.gather(first, second, return_exceptions=True)
            assert [str(error) for error in results] == ["mine", "theirs"]
            stream.output.push_producer(failing(ValueError("nobody's")))
            stream.output.push(b"innocent")
            await stream.drain()
            assert await stream.read(20) == b"linelinelineinnocent"
            await stream.drain()

    run(main())
    assert "nobody's" in caplog.text
    assert "theirs" not in caplog.text


def test_a_send_that_need_not_wait() -> None:
    """It goes out when the loop has its turn."""

    async def main() -> None:
        async with streams() as stream:
            stream.output.push(b"x")
            await stream.drain(to_the_end=False)
            assert stream.output
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


def test_losing_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    """Senders and receivers hear of it; what producers say to that is logged."""

    async def main() -> None:
        async with streams() as stream:
            receiving = asyncio.create_task(stream.protocol.more(None))
            stream.output.push_producer(Slow())
            stream.output.push_producer(BadClose([b"x"]))
            draining = asyncio.create_task(stream.drain())
            await asyncio.sleep(0)
            stream.protocol.end(None)
            for task in (receiving, draining):
                with pytest.raises(ConnectionAbortedError):
                    await task

    run(main())
    assert "close" in caplog.text


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


def test_an_idle_peer() -> None:
    """Who waits is told; who does not, is not; and a byte counts."""

    async def main() -> None:
        async with streams() as stream:
            for waiting in (stream.protocol.more(0.01), stream.drain(0.01)):
                stream.output.push_producer(Slow())
                with pytest.raises(TimeoutError, match=r"0\.01 seconds"):
                    await waiting
            stream.protocol.watch(0.01)
            stream.protocol.watch(None)
            await asyncio.sleep(0.02)
            stream.protocol.check()

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


def behind_the_handshake(sock: socket.socket, line: bytes) -> ssl.SSLObject:
    """Shake hands as a client, and send a line together with the last of it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(MIB))
    tls.write(line)
    sock.sendall(outgoing.read())
    tls.write(b"and another")
    sock.sendall(outgoing.read())
    return tls


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


def test_the_last_words_of_a_stream() -> None:
    """What the peer goes on sending is read, and dropped, until it ends."""

    async def main() -> None:
        async with streams(tcp=True) as stream:
            stream.output.push(bytes(MIB))
            await stream.drain()
            stream.peer.send(b"not read")
            receiving = asyncio.create_task(stream.protocol.more(None))
            await asyncio.sleep(0)
            closing = asyncio.create_task(stream.finish())
            with pytest.raises(ConnectionAbortedError):
                await receiving
            stream.peer.send(b"nor this")
            assert await stream.read(MIB + 1) == bytes(MIB)
            assert not closing.done()
            stream.peer.shutdown(socket.SHUT_WR)
            await closing
            assert stream.taken in ([b""], [b"not read", b""])

    run(main())


def test_a_stream_closed_when_the_peer_has_ended() -> None:
    """There is nothing to wait for."""

    async def main() -> None:
        async with streams() as stream:
            stream.peer.shutdown(socket.SHUT_WR)
            await stream.protocol.more(None)
            await stream.finish()
            assert stream.protocol.closed.done()

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


# -- Channels -----------------------------------------------------------------------------------


class Log(Channel):
    """Write down what happens; change to TLS, close or fail when told to."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def frame_received(self, frame: bytes) -> None:
        self.log.append(frame)
        if frame == b"fail":
            raise ValueError("the hook's")
        if frame == b"tls":
            self.push(b"go\n")
            self.start_tls(server_tls())
        elif frame == b"quit":
            self.push(b"bye\n")
            self.close_when_done()
        else:
            self.push(frame + b"\n")

    def tls_started(self) -> None:
        self.log.append("tls")

    def eof_received(self) -> bool | None:
        self.log.append("eof")
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.log.append(type(exc))


def converse(
    script: Callable[[socket.socket], object],
    channel: Channel | None = None,
    idle_timeout: float | None = None,
) -> list[object]:
    """Run a channel against a script of blocking calls; say what it wrote down."""
    log = Log()
    chosen = channel or log

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            protocol = ChannelProtocol(lambda: chosen, idle_timeout)
            pair_ = await asyncio.open_connection(sock=sock)
            talking = asyncio.create_task(asyncio.to_thread(script, peer.sock))
            protocol.take_over(*pair_)
            await asyncio.wait([protocol.closed])
            await talking
            await asyncio.sleep(0)

    run(main())
    return log.log


def read(sock: socket.socket, size: int) -> bytes:
    """Read exactly so much, or up to the end."""
    data = b""
    while len(data) < size and (chunk := sock.recv(size - len(data))):
        data += chunk
    return data


def end(sock: socket.socket) -> None:
    """Send no more, and read to the end."""
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(MIB):
        pass


def test_a_channel_and_the_end() -> None:
    """Its answer goes out, and it hears of the end."""

    def script(sock: socket.socket) -> None:
        sock.sendall(b"x\n")
        assert read(sock, 2) == b"x\n"
        end(sock)

    assert converse(script) == [b"x", "eof", type(None)]


def test_the_last_word_of_a_channel() -> None:
    """After it the connection stays until the peer has ended its stream."""

    def script(sock: socket.socket) -> None:
        sock.sendall(b"quit\nand more\n")
        assert read(sock, 100) == b"bye\n"
        sock.sendall(b"and more\n")
        end(sock)

    assert converse(script, idle_timeout=10) == [b"quit", type(None)]


def test_a_channel_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Its connection is closed."""

    def script(sock: socket.socket) -> None:
        sock.sendall(b"fail\n")
        assert sock.recv(1) == b""

    assert converse(script) == [b"fail", ValueError]
    assert "the hook's" in caplog.text


def test_a_channel_whose_last_hook_fails(caplog: pytest.LogCaptureFixture) -> None:
    """That is logged as well."""

    class Bad(Channel):
        def frame_received(self, frame: bytes) -> None:
            raise ValueError(frame)

        def eof_received(self) -> bool | None:
            raise ValueError("at the end")

        def connection_lost(self, exc: Exception | None) -> None:
            raise ValueError("at the very end")

    def script(sock: socket.socket) -> None:
        sock.sendall(b"x\n")
        assert sock.recv(1) == b""

    converse(script, Bad())
    converse(end, Bad())
    logged = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert logged == ["at the very end"] * 2


def test_a_factory_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Its connection is closed."""

    def factory() -> Channel:
        raise ValueError("no channel")

    async def main() -> None:
        with pair() as (sock, _):
            protocol = ChannelProtocol(factory, None)
            protocol.take_over(*await asyncio.open_connection(sock=sock))
            assert protocol.closed.done()
            await asyncio.sleep(0)

    run(main())
    assert "no channel" in caplog.text


def test_a_producer_of_a_channel_that_fails() -> None:
    """It ends the conversation."""
    log = Log()
    log.push_producer(failing(ValueError("the producer's")))
    assert converse(end, log) == []
    assert log.log == [ValueError]


def test_a_channel_whose_peer_does_not_read() -> None:
    """Reading waits for sending, and goes on afterwards; all is answered."""
    line = b"x" * 60_000 + b"\n"

    def script(sock: socket.socket) -> None:
        sock.settimeout(0.05)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while True:
                sent += sock.send(line[sent % len(line) :])
        sock.settimeout(10)
        missing = -sent % len(line)
        whole = sent - (len(line) - missing) if missing else sent
        assert read(sock, whole) == line * (whole // len(line))
        sock.sendall(line[len(line) - missing :] if missing else b"")
        end(sock)

    assert set(converse(script)) == {line[:-1], "eof", type(None)}


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


def test_a_peer_that_talks_but_does_not_read() -> None:
    """What it says is dropped when the channel is closing, so it is let go all the same."""

    class Brief(Log):
        def connection_made(self) -> None:
            self.push(bytes(8 * MIB))
            self.close_when_done()

    def script(sock: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                sock.sendall(b"x")
                time.sleep(0.001)

    brief = Brief()
    converse(script, brief, idle_timeout=0.04)
    assert brief.log == [TimeoutError]


def test_a_silent_peer_of_a_channel() -> None:
    """It is let go."""

    def script(sock: socket.socket) -> None:
        assert sock.recv(1) == b""

    assert converse(script, idle_timeout=0.01) == [TimeoutError]


@pytest.mark.parametrize("ends", [False, True])
def test_what_comes_with_the_end_of_the_handshake(ends: bool) -> None:
    """A client's Finished, a line and its close_notify in one go: nothing is lost."""

    def script(sock: socket.socket) -> None:
        sock.sendall(b"tls\n")
        assert read(sock, 3) == b"go\n"
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(MIB))
        if not ends:
            tls.write(b"quit\n")
        with contextlib.suppress(ssl.SSLError):
            tls.unwrap()
        sock.sendall(outgoing.read())
        while sock.recv(MIB):
            pass

    said: list[object] = ["eof"] if ends else [b"quit"]
    assert converse(script) == [b"tls", "tls", *said, type(None)]


def test_a_channel_whose_handshake_fails() -> None:
    """It hears of it."""

    def script(sock: socket.socket) -> None:
        sock.sendall(b"tls\n")
        assert read(sock, 3) == b"go\n"
        sock.sendall(b"no handshake\n" * 10)
        with contextlib.suppress(ConnectionError):
            end(sock)

    assert converse(script) == [b"tls", ssl.SSLError]


def test_words_smuggled_in_before_the_handshake() -> None:
    """They are refused if they are there, and else taken for a handshake."""

    def script(sock: socket.socket) -> None:
        sock.sendall(b"tls\nEVIL\n")
        with contextlib.suppress(ConnectionError):
            end(sock)

    assert converse(script) == [b"tls", UsageError]


def test_a_handshake_waits_for_what_was_pushed_before() -> None:
    """All of it is plain text."""

    class Big(Log):
        def connection_made(self) -> None:
            self.push(bytes(8 * MIB))
            self.start_tls(server_tls())

    def script(sock: socket.socket) -> None:
        assert read(sock, 8 * MIB) == bytes(8 * MIB)
        end(sock)

    big = Big()
    converse(script, big)
    assert big.log == [ConnectionResetError]


def test_plain_text_is_never_taken_for_what_came_encrypted() -> None:
    """Not even if a transport reads on that was paused, as that of uvloop does: it is TLS's."""

    class Early(Log):
        def connection_made(self) -> None:
            self.start_tls(server_tls())

    early = Early()

    async def main() -> None:
        with pair() as (sock, _):
            protocol = ChannelProtocol(lambda: early, None)
            protocol.take_over(*await asyncio.open_connection(sock=sock))
            protocol.data_received(b"EV")
            protocol.data_received(b"IL\n" * 10)
            await asyncio.wait([protocol.closed])

    run(main())
    assert early.log == [ssl.SSLError]


def test_a_handshake_of_which_some_was_read_too_early() -> None:
    """It goes on with that."""

    class Early(Log):
        def connection_made(self) -> None:
            self.start_tls(server_tls())

    early = Early()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pair(tcp=True) as (sock, peer):
            sock.setblocking(False)
            client = asyncio.create_task(asyncio.to_thread(peer.start_tls))
            hello = await loop.sock_recv(sock, MIB)
            protocol = ChannelProtocol(lambda: early, None)
            protocol.take_over(*await asyncio.open_connection(sock=sock))
            protocol.data_received(hello)
            await client
            await loop.run_in_executor(None, peer.send, b"quit\n")
            assert await loop.run_in_executor(None, peer.read_all) == b"bye\n"
            peer.sock.close()
            await asyncio.wait([protocol.closed])

    run(main())
    assert early.log == ["tls", b"quit", type(None)]


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
