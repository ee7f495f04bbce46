"""One connection in the loop of `selectors`: its phases, and all that a socket can do to it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from loops import Clock, Echo, Quitter, Recorder, turns
from peers import client_tls, server_tls

from framer import PENDING, Channel, Pending, Terminator, TlsRequest
from framer_adapters import _connection
from framer_adapters._common import LINGER
from framer_adapters._connection import Connection
from framer_adapters._endpoints import READ, WRITE
from framer_adapters._loop import Loop
from framer_adapters._sockets import SEND_SIZE
from framer_adapters.selectors import connect, serve_channel

BIG = 4 << 20  # more than a socket holds


class Wire(socket.socket):
    """A socket that does as it is told before it does its work."""

    sends: list[int]
    takes: int | None
    errors: dict[str, list[Exception]]

    @classmethod
    def of(cls, sock: socket.socket, **errors: list[Exception]) -> Wire:
        """Take over a socket; `errors` are what its methods raise first."""
        wire = cls(sock.family, sock.type, sock.proto, fileno=sock.detach())
        wire.sends, wire.takes, wire.errors = [], None, errors
        return wire

    def fail(self, method: str) -> None:
        """Raise what is next."""
        if self.errors.get(method):
            raise self.errors[method].pop(0)

    def recv(self, *args: Any) -> bytes:
        """Fail, or read."""
        self.fail("recv")
        return super().recv(*args)

    def send(self, data: Any, *args: Any) -> int:
        """Fail, or send as much as it takes."""
        self.fail("send")
        sent = super().send(memoryview(data)[: self.takes], *args)
        self.sends.append(sent)
        return sent

    def sendmsg(self, buffers: Any, *_: Any) -> int:
        """Send as one."""
        return self.send(b"".join(buffers))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets; the left one does not block."""
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(0)
        yield left, right


@pytest.fixture
def tcp() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets, over loopback; the left one does not block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
    with left, right:
        left.settimeout(0)
        yield left, right


def read(loop: Loop, sock: socket.socket, until: Callable[[bytes], object]) -> bytes:
    """Read at the other end while the loop runs, till that is true of what came, or to the end."""
    got = bytearray()

    def come() -> bool:
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            data = sock.recv(1 << 20)
            got.extend(data)
            return not data or bool(until(bytes(got)))
        return False

    turns(loop, come)
    return bytes(got)


def tls_peer(loop: Loop, sock: socket.socket) -> ssl.SSLSocket:
    """Shake hands at the other end while the loop runs; it can tell what was cut off."""
    client = client_tls().wrap_socket(
        sock,
        server_hostname="localhost",
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,
    )

    def shaken() -> bool:
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
            return True
        return False

    turns(loop, shaken)
    return client


def reset(sock: socket.socket) -> None:
    """Close as if the machine had gone."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def add(
    loop: Loop,
    channel: Channel,
    sock: socket.socket,
    *,
    tls: ssl.SSLContext | None = None,
    idle_timeout: float | None = None,
    server_hostname: str | None = None,
) -> Connection:
    """Run a channel on a socket."""
    how = None
    if tls is not None:
        how = TlsRequest(channel.framer, tls, server_hostname=server_hostname)
    return Connection(loop, channel, sock, idle_timeout=idle_timeout, tls=how)


# In and out


def test_what_one_read_brings_is_answered_with_one_send(loop: Loop, pair: Any) -> None:
    """Two hundred frames, one recv, one send."""
    left, right = pair
    wire, channel = Wire.of(right), Echo()
    add(loop, channel, wire)
    left.send(b"spam\n" * 200)
    assert read(loop, left, lambda got: len(got) >= 1000) == b"spam\n" * 200
    assert wire.sends == [1000]


def test_hooks_are_called_by_run_alone(loop: Loop, pair: Any) -> None:
    """Not by add(): who calls that may be a hook."""
    channel = Recorder()
    add(loop, channel, pair[1])
    assert channel.heard == []
    loop.run_until(lambda: False, 0)
    assert channel.heard == ["made"]


@pytest.mark.parametrize("error", [BlockingIOError, InterruptedError])
def test_every_byte_may_take_several_attempts(loop: Loop, pair: Any, error: type[OSError]) -> None:
    """One byte a send, and errors that are none in between: nothing is lost or said twice."""
    left, right = pair
    wire = Wire.of(right, send=[error() for _ in range(50)], recv=[error() for _ in range(5)])
    wire.takes = 1
    add(loop, Echo(), wire)
    left.send(b"spam and eggs\n")
    assert read(loop, left, lambda got: got[-1:] == b"\n") == b"spam and eggs\n"
    assert wire.sends == [1] * 14


def test_an_endless_producer_does_not_starve_others(loop: Loop, pair: Any) -> None:
    """So many sends a turn; the other connection is served in between."""

    class Endless(Recorder):
        def connection_made(self) -> None:
            self.push_producer(iter(lambda: b"x", b""))

    wire = Wire.of(pair[1])
    add(loop, Endless(), wire)
    loop.run_until(lambda: False, 0)
    loop.run_until(lambda: False, 0)
    assert len(wire.sends) == 2 * _connection.SENDS_A_TURN


def test_a_producer_that_is_woken_while_it_is_asked(loop: Loop, pair: Any) -> None:
    """What it gave by then was PENDING; it is asked again all the same."""
    channel = Recorder()

    def give() -> Iterator[bytes | Pending]:
        channel.output.wake()
        yield PENDING
        yield b"spam"

    add(loop, channel, pair[1])
    channel.push_producer(give())
    assert read(loop, pair[0], len) == b"spam"


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError, ConnectionAbortedError, BlockingIOError, ssl.SSLWantReadError],
)
def test_a_producer_that_raises(loop: Loop, pair: Any, error: type[Exception]) -> None:
    """The channel hears of it, and nobody else is hurt."""

    def give() -> Iterator[bytes]:
        yield b"spam"
        raise error

    channel = Recorder()
    add(loop, channel, pair[1])
    channel.push_producer(give())
    turns(loop, lambda: channel.closed)
    assert [type(exc) for exc in channel.lost] == [error]
    assert pair[0].recv(100) == b"spam"
    assert pair[0].recv(100) == b""


def test_a_producer_whose_own_connection_is_lost(loop: Loop, pair: Any) -> None:
    """That is not this connection, so nothing is read as if it were broken."""

    def give() -> bytes:
        raise ConnectionResetError

    channel = Recorder()
    pair[0].send(b"spam\n")
    channel.push_producer(iter(give, b""))
    add(loop, channel, pair[1])
    turns(loop, lambda: channel.closed)
    assert channel.heard == ["made"]
    assert [type(exc) for exc in channel.lost] == [ConnectionResetError]


def test_channels_that_talk_to_one_another(loop: Loop) -> None:
    """A chat: what a hook of one pushes into the others goes out, in the same turn, in one send."""
    ends = [socket.socketpair() for _ in range(3)]
    members: list[Channel] = []

    class Member(Recorder):
        def frame_received(self, frame: bytes) -> None:
            for member in members:
                member.push(frame + b"\n")

    wires = [Wire.of(inner) for _, inner in ends]
    for wire in wires:
        members.append(Member())
        add(loop, members[-1], wire)
    loop.run_until(lambda: False, 0)
    for number, (outer, _) in enumerate(ends):
        outer.send(b"%d\n" % number)
    loop.run_until(lambda: False, 0)
    for outer, _ in ends:
        assert sorted(outer.recv(100).split()) == [b"0", b"1", b"2"]
        outer.close()
    assert all(sum(wire.sends) == 6 for wire in wires)


# The end


@pytest.mark.parametrize("tls", [False, True])
def test_a_channel_that_is_closing_before_it_is_connected(loop: Loop, pair: Any, tls: bool) -> None:
    """It says what it was to say, and hears of no connection."""
    left, right = pair
    channel = Recorder()
    channel.push(b"busy\n")
    channel.close_when_done()
    add(loop, channel, right, tls=server_tls() if tls else None)
    peer = tls_peer(loop, left) if tls else left
    with peer:
        assert read(loop, peer, lambda _: False) == b"busy\n"
    turns(loop, lambda: channel.closed)
    assert channel.heard == []
    assert channel.lost == [None]


def test_the_last_word_arrives_though_the_peer_goes_on_talking(loop: Loop, tcp: Any) -> None:
    """What comes is read and dropped, or else a reset would take the last word away."""
    left, right = tcp
    channel = Quitter()
    add(loop, channel, right)
    left.send(b"quit\n" + b"more\n" * 10000)
    turns(loop, lambda: channel.output.done)
    left.send(b"still more\n" * 1000)
    assert read(loop, left, lambda _: False) == b"bye\n"
    assert channel.lost == []
    left.shutdown(socket.SHUT_WR)
    turns(loop, lambda: channel.closed)
    assert channel.heard == ["made", b"quit"]
    assert channel.lost == [None]


def test_a_peer_that_never_ends_is_waited_for_a_while(loop: Loop, clock: Clock, pair: Any) -> None:
    """And no longer, whatever it sends."""
    left, right = pair
    channel = Quitter()
    connection = add(loop, channel, right)
    left.send(b"quit\n")
    read(loop, left, lambda _: False)
    left.send(b"more\n")
    loop.run_until(lambda: False, 0)
    connection.ready(READ)  # and there is nothing
    assert not channel.closed
    clock.now += LINGER
    turns(loop, lambda: channel.closed)
    assert channel.lost == [None]
    assert not loop.run_until(lambda: False)


def test_a_reset_after_the_last_word_is_no_error(loop: Loop, tcp: Any) -> None:
    """All that mattered has been said."""
    left, right = tcp
    channel = Quitter()
    add(loop, channel, right)
    left.send(b"quit\n")
    assert read(loop, left, lambda _: False) == b"bye\n"
    reset(left)
    turns(loop, lambda: channel.closed)
    assert channel.lost == [None]


class Patient(Recorder):
    """Goes on when the peer has ended, but has nothing to say."""

    def eof_received(self) -> bool | None:
        """Go on."""
        super().eof_received()
        return True


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll tells of a reset alone")
@pytest.mark.parametrize("kind", ["tcp", "pair"])
def test_a_peer_that_has_ended_and_goes_away(loop: Loop, kind: str, request: Any) -> None:
    """It is noticed though nothing is waited for: there is no idle timeout here."""
    left, right = request.getfixturevalue(kind)
    channel = Patient()
    add(loop, channel, right)
    left.shutdown(socket.SHUT_WR)
    turns(loop, lambda: "eof" in channel.heard)
    for _ in range(9):
        loop.run_until(lambda: False, 0)
    assert not channel.closed
    reset(left)
    turns(loop, lambda: channel.closed)
    assert [type(error) for error in channel.lost] == [BrokenPipeError]


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll tells of a reset alone")
def test_a_reset_while_a_producer_has_nothing_yet(loop: Loop, tcp: Any) -> None:
    """What had come in is delivered, and the producer is closed."""

    class Waiting(Recorder):
        terminator: Terminator = 4

        def frame_received(self, frame: bytes) -> None:
            super().frame_received(frame)
            if frame == b"TLS!":
                self.push_producer([PENDING])
                self.start_tls(server_tls())

    left, right = tcp
    channel = Waiting()
    add(loop, channel, right)
    left.send(b"TLS!")
    turns(loop, lambda: channel.tls_request is not None)
    reset(left)
    turns(loop, lambda: channel.closed)
    assert [type(error) for error in channel.lost] == [ConnectionResetError]


@pytest.mark.parametrize(
    ("then", "frames"),
    [([], 20), ([ConnectionResetError()], 4)],
    ids=["then an end", "then another error"],
)
def test_what_came_before_a_broken_pipe(
    loop: Loop, pair: Any, monkeypatch: Any, then: list[Exception], frames: int
) -> None:
    """Reading on ends with the stream, with an error, or when it is enough."""
    monkeypatch.setattr(_connection, "RECEIVE_SIZE", 10)
    left, right = pair
    wire, channel = Wire.of(right, send=[BrokenPipeError()]), Echo()

    def first(frame: bytes) -> None:
        channel.heard.append(frame)
        channel.push(frame)
        if len(channel.heard) == 4:
            wire.errors["recv"] = then

    channel.frame_received = first  # type: ignore[method-assign]
    add(loop, channel, wire)
    left.send(b"spam\n" * 20)
    left.shutdown(socket.SHUT_WR)
    turns(loop, lambda: channel.closed)
    assert channel.heard == ["made", *[b"spam"] * frames]
    assert [type(exc) for exc in channel.lost] == [BrokenPipeError]


def test_a_broken_pipe_that_goes_on_giving(loop: Loop, pair: Any, monkeypatch: Any) -> None:
    """It is read so many times, and no more."""
    monkeypatch.setattr(_connection, "RECEIVE_SIZE", 5)
    monkeypatch.setattr(_connection, "READS_AT_THE_END", 3)
    wire, channel = Wire.of(pair[1], send=[BrokenPipeError()]), Echo()
    add(loop, channel, wire)
    pair[0].send(b"spam\n" * 20)
    turns(loop, lambda: channel.closed)
    assert channel.heard == ["made", *[b"spam"] * 4]


# Hooks


def test_what_is_no_exception_passes(loop: Loop, pair: Any) -> None:
    """KeyboardInterrupt in a hook: this connection is gone, and the loop can go on."""

    class Bad(Recorder):
        def frame_received(self, frame: bytes) -> None:
            raise KeyboardInterrupt

    bad, good = Bad(), Recorder()
    other, inner = socket.socketpair()
    add(loop, bad, pair[1])
    add(loop, good, inner)
    pair[0].send(b"spam\n")
    other.send(b"eggs\n")
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert bad.closed
    assert pair[0].recv(1) == b""
    other.close()
    loop.run()
    assert good.heard == ["made", b"eggs", "eof"]


def test_hooks_that_end_others_of_the_same_turn(loop: Loop) -> None:
    """Both have something to read; who comes first ends the other one, and itself."""
    channels: list[Killer] = []

    class Killer(Recorder):
        def frame_received(self, frame: bytes) -> None:
            super().frame_received(frame)
            for channel in channels:
                channel.discard()

    ends = [socket.socketpair() for _ in range(4)]
    for _, inner in ends:
        channels.append(Killer())
        add(loop, channels[-1], inner)
    loop.run_until(lambda: False, 0)
    for outer, _ in ends:
        outer.send(b"die\n")
    turns(loop, lambda: any(b"die" in channel.heard for channel in channels))
    for outer, _ in ends:
        outer.close()
    loop.run()
    assert [channel.lost for channel in channels] == [[None]] * 4
    assert sum(b"die" in channel.heard for channel in channels) == 1


def test_events_of_a_connection_that_has_ended(loop: Loop, pair: Any) -> None:
    """The selector spoke of it in the same breath; it does nothing, and ends once."""
    channel = Recorder()
    ended = add(loop, channel, pair[1])
    loop.run_until(lambda: False, 0)
    ended.end(None)
    ended.end(ValueError())
    ended.ready(READ)
    assert channel.lost == [None]


# Idle timeouts


def test_an_idle_peer(loop: Loop, clock: Clock, pair: Any) -> None:
    """It is gone when it has been idle for that long, and not before."""
    channel = Echo()
    add(loop, channel, pair[1], idle_timeout=60)
    loop.run_until(lambda: False, 0)
    for _ in range(5):
        clock.now += 59
        pair[0].send(b"spam\n")
        read(loop, pair[0], len)
        loop.run_until(lambda: False, 0)
    for step in (1, 58.875):
        clock.now += step
        loop.run_until(lambda: False, 0)
    assert not channel.closed
    clock.now += 0.125
    loop.run_until(lambda: False, 0)
    assert [type(exc) for exc in channel.lost] == [TimeoutError]
    assert pair[0].recv(1) == b""
    assert not loop.run_until(lambda: False)


def test_a_peer_that_only_takes_is_not_idle(loop: Loop, clock: Clock, pair: Any) -> None:
    """Bytes that go out are a sign of life."""
    channel = Recorder()
    add(loop, channel, pair[1], idle_timeout=60)
    for _ in range(5):
        channel.push(b"spam")
        read(loop, pair[0], len)
        clock.now += 40
    assert not channel.closed


# TLS


class Stubborn(ssl.SSLSocket):
    """Wants something else at first, as TLS may."""

    wants: dict[str, list[Exception]]

    def fail(self, method: str) -> None:
        """Raise what is next."""
        if self.wants.get(method):
            raise self.wants[method].pop(0)

    def do_handshake(self, block: bool = False) -> None:
        """Fail, or go on."""
        self.fail("handshake")
        super().do_handshake(block)

    def unwrap(self) -> socket.socket:
        """Fail, or say that this is the end."""
        self.fail("unwrap")
        return super().unwrap()

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Fail, or read."""
        self.fail("recv")
        return super().recv(buflen, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        """Fail, or send."""
        self.fail("send")
        return super().send(data, flags)


@pytest.mark.parametrize("size", [65536, 7])
@pytest.mark.parametrize("upgrade", [False, True])
def test_tls(
    loop: Loop,
    monkeypatch: Any,
    size: int,
    upgrade: bool,
) -> None:
    """From the start, and by start_tls; with a small read much is decrypted that is not ready."""
    monkeypatch.setattr(_connection, "RECEIVE_SIZE", size)

    class Server(Echo):
        def frame_received(self, frame: bytes) -> None:
            super().frame_received(frame)
            if frame == b"STARTTLS":
                self.start_tls(server_tls())

    class Client(Recorder):
        def connection_made(self) -> None:
            super().connection_made()
            self.push(b"STARTTLS\n" if upgrade else b"spam\n" * 1000)

        def frame_received(self, frame: bytes) -> None:
            super().frame_received(frame)
            if frame == b"STARTTLS":
                self.start_tls(client_tls())
                self.push(b"spam\n" * 1000)
            elif len(self.heard) == 1001 + 2 * upgrade:
                self.close_when_done()

    client, channels = Client(), list[Server]()

    def make() -> Server:
        channels.append(Server())
        return channels[-1]

    tls = (None, None) if upgrade else (server_tls(), client_tls())
    with serve_channel(make, "127.0.0.1", 0, tls=tls[0], loop=loop) as server:
        connect(client, "127.0.0.1", server.port, loop=loop, tls=tls[1])
        turns(loop, lambda: client.closed and channels[0].closed)
    start = ["made", b"STARTTLS", "tls"] if upgrade else ["made"]
    assert client.heard == [*start, *[b"spam"] * 1000]
    assert client.lost == channels[0].lost == [None]


def test_much_over_tls_to_a_slow_peer(loop: Loop, pair: Any) -> None:
    """More than a socket takes, so the same bytes are offered again."""

    class Sink(Recorder):
        terminator: Terminator = None
        max_frame_size = None

    source, sink = Recorder(), Sink()
    add(loop, source, pair[1], tls=server_tls())
    add(loop, sink, pair[0], tls=client_tls(), server_hostname="localhost")
    source.push(os.urandom(1 << 16) * (BIG >> 16))
    source.close_when_done()
    loop.run()
    assert [len(cast("bytes", heard)) for heard in sink.heard[1:2]] == [BIG]
    assert source.lost == sink.lost == [None]


@pytest.mark.parametrize(
    ("method", "want"),
    [
        ("handshake", ssl.SSLWantWriteError),
        ("recv", ssl.SSLWantReadError),
        ("recv", ssl.SSLWantWriteError),
        ("send", ssl.SSLWantReadError),
        ("send", ssl.SSLWantWriteError),
    ],
)
def test_tls_wants_the_other_thing(
    loop: Loop,
    pair: Any,
    method: str,
    want: type[Exception],
) -> None:
    """A handshake has to write, a read has to write, a write has to read: all go on."""
    left, right = pair
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    class Once(Stubborn):
        wants = {"handshake": [], "recv": [], "send": []}  # noqa: RUF012 - as it should be

    context.sslsocket_class = Once
    Once.wants[method].append(want())

    class Pinger(Echo):
        def connection_made(self) -> None:
            self.push(b"ping\n")

    echo, client = Echo(), Pinger()
    add(loop, echo, right, tls=server_tls())
    add(loop, client, left, tls=context, server_hostname="localhost")
    turns(loop, lambda: client.heard.count(b"ping") > 3)
    assert not Once.wants[method]


def test_an_ssl_socket_may_have_shaken_hands_or_not(loop: Loop, pair: Any) -> None:
    """Both are taken; what is decrypted already is not forgotten."""
    left, right = pair
    right.settimeout(0)
    server = server_tls().wrap_socket(right, server_side=True, do_handshake_on_connect=False)
    client = client_tls().wrap_socket(
        left, server_hostname="localhost", do_handshake_on_connect=False
    )
    channel = Recorder()
    add(loop, channel, server)

    def shaken() -> bool:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    turns(loop, shaken)
    client.send(b"spam\n")
    turns(loop, lambda: channel.heard == ["made", b"spam"])
    channel.push(b"eggs\nham\n")
    loop.run_until(lambda: False, 0)
    assert client.recv(5) == b"eggs\n"
    other = Recorder()
    add(loop, other, client)
    loop.run_until(lambda: False, 0)
    assert other.heard == ["made", b"ham"]


def test_a_certificate_that_nobody_trusts(
    loop: Loop, pair: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Both channels hear of it, neither of a connection."""
    caplog.set_level(logging.INFO)
    server, client = Recorder(), Recorder()
    add(loop, server, pair[1], tls=server_tls())
    add(loop, client, pair[0], tls=ssl.create_default_context(), server_hostname="localhost")
    loop.run()
    assert [isinstance(exc, ssl.SSLError) for exc in server.lost] == [True]
    assert [type(exc) for exc in client.lost] == [ssl.SSLCertVerificationError]
    assert server.heard == client.heard == []


def test_tls_without_a_name_to_hold_it_against(loop: Loop, pair: Any) -> None:
    """A fault of the program, of which the channel hears."""
    channel = Recorder()
    add(loop, channel, pair[1], tls=ssl.create_default_context())
    loop.run()
    assert [type(exc) for exc in channel.lost] == [ValueError]


def test_an_idle_handshake(loop: Loop, clock: Clock, pair: Any) -> None:
    """A timeout bounds it."""
    channel = Recorder()
    add(loop, channel, pair[1], tls=server_tls(), idle_timeout=60)
    loop.run_until(lambda: False, 0)
    clock.now += 60
    loop.run()
    assert [type(exc) for exc in channel.lost] == [TimeoutError]


def test_to_give_up_in_a_handshake(loop: Loop, pair: Any) -> None:
    """discard() from elsewhere ends it."""
    channel = Recorder()
    add(loop, channel, pair[1], tls=server_tls())
    loop.run_until(lambda: False, 0)
    channel.discard()
    loop.run()
    assert channel.lost == [None]


@pytest.mark.parametrize("cut", [False, True])
def test_a_peer_over_tls_can_tell_what_was_cut_off(
    loop: Loop,
    pair: Any,
    cut: bool,
) -> None:
    """A proper end says so in TLS; a hook that raised does not."""

    class Server(Recorder):
        def connection_made(self) -> None:
            self.push(b"spam")

        def frame_received(self, frame: bytes) -> None:
            if cut:
                raise ZeroDivisionError
            self.close_when_done()

    channel = Server()
    add(loop, channel, pair[1], tls=server_tls())
    with tls_peer(loop, pair[0]) as client:
        assert read(loop, client, len) == b"spam"
        client.send(b"end\n")
        with pytest.raises(ssl.SSLEOFError) if cut else contextlib.nullcontext():
            assert read(loop, client, len) == b""
    loop.run()
    assert channel.closed


def test_a_producer_that_raises_over_tls(loop: Loop, pair: Any) -> None:
    """It was the last in the queue, and yet the peer sees that something was cut off."""

    def give() -> Iterator[bytes]:
        yield b"spam"
        raise BlockingIOError

    channel = Recorder()
    channel.push_producer(give())
    add(loop, channel, pair[1], tls=server_tls())
    with tls_peer(loop, pair[0]) as client:
        assert read(loop, client, len) == b"spam"
        with pytest.raises(ssl.SSLEOFError):
            read(loop, client, len)
    assert [type(exc) for exc in channel.lost] == [BlockingIOError]


def test_the_last_word_over_tls_though_the_peer_goes_on_talking(loop: Loop, tcp: Any) -> None:
    """What comes is read and dropped below TLS, and the peer sees that nothing was cut off."""
    channel = Quitter()
    add(loop, channel, tcp[1], tls=server_tls(), idle_timeout=60)
    with tls_peer(loop, tcp[0]) as client:
        client.send(b"quit\n" + b"more\n" * 10000)
        turns(loop, lambda: channel.output.done)
        client.send(b"still more\n" * 1000)
        assert read(loop, client, lambda _: False) == b"bye\n"
        assert channel.lost == []
    turns(loop, lambda: channel.closed)
    assert channel.heard == ["made", b"quit"]
    assert channel.lost == [None]


def test_the_end_over_tls_waits_till_it_can_be_said(loop: Loop, pair: Any) -> None:
    """What is full of our last words does not take the end at once."""

    class Full(Stubborn):
        wants = {"unwrap": [ssl.SSLWantWriteError(), ssl.SSLWantWriteError()]}  # noqa: RUF012

    context = server_tls()
    context.sslsocket_class = Full
    channel = Quitter()
    add(loop, channel, pair[1], tls=context)
    with tls_peer(loop, pair[0]) as client:
        client.send(b"quit\n")
        assert read(loop, client, lambda _: False) == b"bye\n"
    turns(loop, lambda: channel.closed)
    assert channel.lost == [None]
    assert Full.wants == {"unwrap": []}


def refuse(loop: Loop, channel: Channel, pair: Any) -> ssl.SSLSocket:
    """Have a channel push more over TLS than its socket takes; return the other end."""
    connection = add(loop, channel, pair[1], tls=server_tls())
    client = tls_peer(loop, pair[0])
    channel.push(b"d" * BIG)
    turns(loop, lambda: connection.events & WRITE)
    return client


@pytest.mark.parametrize("word", [b"bye\n", b"bye" * BIG])
def test_a_last_word_after_what_tls_refused(loop: Loop, pair: Any, word: bytes) -> None:
    """What was begun is sent to its end, though it was discarded; then comes the word."""
    channel = Recorder()
    with refuse(loop, channel, pair) as client:
        channel.output.discard()
        channel.push(word)
        channel.close_when_done()
        got = read(loop, client, lambda _: False)
    assert got.lstrip(b"d") == word
    assert len(got) < BIG + len(word)
    turns(loop, lambda: channel.closed)
    assert channel.lost == [None]


def test_what_tls_refused_is_sent_though_nothing_follows(loop: Loop, pair: Any) -> None:
    """A peer can make nothing of half a record; later on all goes on as ever."""
    channel = Recorder()
    with refuse(loop, channel, pair) as client:
        channel.output.discard()
        read(loop, client, lambda got: len(got) == SEND_SIZE)
        channel.push(b"spam")
        assert read(loop, client, len) == b"spam"


@pytest.mark.parametrize("how", ["channel", "loop"])
def test_to_give_up_what_tls_refused(loop: Loop, pair: Any, how: str) -> None:
    """The connection ends at once, and the peer sees that something was cut off."""
    channel = Recorder()
    with refuse(loop, channel, pair) as client:
        if how == "channel":
            channel.discard()
            turns(loop, lambda: channel.closed)
        else:
            channel.output.discard()
            loop.close()
        client.settimeout(20)
        with pytest.raises(ssl.SSLEOFError):
            while client.recv(BIG):
                pass
    assert channel.lost == [None]
