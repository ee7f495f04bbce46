"""How TLS begins and ends under asyncio, over real sockets."""
# ruff: noqa: D102 - a hook of a stub needs no docstring
# ruff: noqa: ASYNC110 - the loop is to turn

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from peers import Peer, digest, pair, server_tls
from protocols import behind_the_handshake, run

import framer_adapters._handshakes as module
from framer_adapters._handshakes import Farewell, Handshake, Secured

MIB = 1 << 20


# -- The beginning ------------------------------------------------------------------------------


class Early(Secured):
    """Take over from a `Handshake`, and write down what comes."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.ended = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> bytearray:
        self.buffer = bytearray(MIB)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self.buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        self.log.append(data)

    def eof_received(self) -> None:
        self.ended.set_result(None)


def test_a_handshake_of_which_some_was_read_too_early() -> None:
    """As uvloop does; and what comes right behind it is there, too."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pair(tcp=True) as (sock, peer):

            def made(handshake: Handshake) -> None:
                handshake.data_received(b"".join(hello))

            sock.setblocking(False)
            client = asyncio.create_task(asyncio.to_thread(behind_the_handshake, peer.sock, b"x"))
            early = Early()
            hello = [await loop.sock_recv(sock, MIB)]
            handshake = Handshake(early, made, server_tls(), None)
            await loop.connect_accepted_socket(lambda: handshake, sock)
            await handshake.task
            await client
            while b"".join(early.log) != b"xand another":
                await asyncio.sleep(0)
            handshake._plain.abort()
            await asyncio.sleep(0)

    run(main())


def test_what_came_before_a_handshake_was_told_of() -> None:
    """It is handed on, and the end of it, too."""

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            early = Early()
            handshake = Handshake(early, lambda _: None, server_tls(), None)
            loop = asyncio.get_running_loop()
            client = asyncio.create_task(asyncio.to_thread(behind_the_handshake, peer.sock, b"x"))
            await loop.connect_accepted_socket(lambda: handshake, sock)
            while handshake._plain.get_protocol() is handshake:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            handshake.data_received(b"<")
            handshake.eof_received()
            await handshake.task
            await client
            assert early.log[0] == b"<"
            assert early.ended.done()
            handshake._plain.abort()
            await asyncio.sleep(0)

    run(main())


@pytest.mark.parametrize("ends", ["fails", "is stopped", "never begins"])
def test_a_handshake_that(ends: str) -> None:
    """The connection is closed."""

    def made(handshake: Handshake) -> None:
        if ends == "never begins":
            handshake.eof_received()  # as uvloop may call it

    def make() -> Handshake:
        return Handshake(Early(), made, server_tls(), None)

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            loop = asyncio.get_running_loop()
            _, handshake = await loop.connect_accepted_socket(make, sock)
            if ends == "fails":
                peer.send(b"no handshake\n")
            elif ends == "is stopped":
                handshake.stop()
            await asyncio.wait([handshake.task])
            handshake.stop()
            await asyncio.sleep(0)
            assert sock.fileno() == -1

    run(main())


# -- The end ------------------------------------------------------------------------------------


class Ours(Secured):
    """A protocol that says much and nothing more."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.made, self.lost = loop.create_future(), loop.create_future()

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(MIB)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made.set_result(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


async def secured(peer: Peer, sock: Any) -> Ours:
    """Shake hands."""
    ours = Ours()
    handshake = Handshake(ours, lambda _: None, server_tls(), None)
    client = asyncio.create_task(asyncio.to_thread(peer.start_tls))
    await asyncio.get_running_loop().connect_accepted_socket(lambda: handshake, sock)
    await handshake.task
    await client
    assert ours.below is handshake._plain
    return ours


@pytest.mark.parametrize("size", [0, 100, 8 * MIB])
@pytest.mark.parametrize("unread", [0, MIB])
def test_all_is_sent_before_the_farewell(size: int, unread: int) -> None:
    """However much that is, and whatever the peer has sent; and TLS ends as it should."""

    def script(peer: Peer) -> None:
        peer.send(bytes(unread))
        assert digest(peer.read_all()) == digest(bytes(size))
        peer.send(b"and more")
        peer.sock.close()

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            ours = await secured(peer, sock)
            tls = ours.made.result()
            tls.write(bytes(size))
            assert ours.below is not None
            Farewell(tls, ours.below).begin()
            await asyncio.to_thread(script, peer)
            assert await ours.lost is None

    run(main())


def test_a_peer_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for any longer than a while."""
    monkeypatch.setattr(module, "LINGER", 0.01)

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            ours = await secured(peer, sock)
            assert ours.below is not None
            Farewell(ours.made.result(), ours.below).begin()
            assert await ours.lost is None

    run(main())


def test_a_connection_that_is_closing_already() -> None:
    """There is nothing to say."""

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            ours = await secured(peer, sock)
            assert ours.below is not None
            ours.below.abort()
            Farewell(ours.made.result(), ours.below).begin()
            assert await ours.lost is None

    run(main())


def test_a_connection_that_is_lost_in_the_end() -> None:
    """It is lost, and no more is heard of it."""

    async def main() -> None:
        with pair(tcp=True) as (sock, peer):
            ours = await secured(peer, sock)
            ours.made.result().write(bytes(8 * MIB))
            assert ours.below is not None
            Farewell(ours.made.result(), ours.below).begin()
            peer.reset()
            assert isinstance(await ours.lost, ConnectionError)

    run(main())


class Layer(asyncio.Protocol):
    """TLS, as far as a farewell has to do with it; and its transport, and the one below."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.size = 1

    def __getattr__(self, name: str) -> Callable[..., None]:
        def do(*_args: object) -> None:
            self.did.append(name)

        return do

    def get_protocol(self) -> asyncio.Protocol:
        return self

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self.size

    def pause_writing(self) -> None:
        self.did.append("pause_writing")

    def resume_writing(self) -> None:
        self.did.append("resume_writing")


def test_a_farewell_to_who_takes_it_late() -> None:
    """TLS hears of it, for it may hold back some; our direction is ended when all has gone."""

    async def main() -> None:
        layer: Any = Layer()
        farewell = Farewell(layer, layer)
        farewell.begin()
        farewell.pause_writing()
        farewell.resume_writing()
        await asyncio.sleep(0)
        assert "write_eof" not in layer.did
        layer.size = 0
        for _ in range(2):
            farewell.resume_writing()
            await asyncio.sleep(0)
        assert layer.did.count("write_eof") == 1
        assert layer.did.count("resume_writing") == 3
        assert layer.did.count("pause_writing") == 1
        farewell.connection_lost(None)

    run(main())
