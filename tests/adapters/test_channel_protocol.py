"""What runs a channel under asyncio, over real sockets."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable

import pytest
from peers import pair, server_tls
from protocols import Log, failing, run, shake_hands

from framer import Channel, UsageError
from framer_adapters._channel_protocol import ChannelProtocol

MIB = 1 << 20


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
        tls, outgoing = shake_hands(sock)
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
