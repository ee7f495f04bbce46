"""The suite that every adapter's streams pass: see `conformance`."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import time
from collections.abc import Iterator
from functools import partial
from io import BufferedReader
from itertools import permutations
from pathlib import Path

import pytest
from conformance_channels import (
    BOUND,
    IDLE,
    LAST_WORD,
    MIB,
    UNREAD,
    Conformance,
    Fault,
    Numbers,
    errors,
    hurry,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import (
    DEADLINE,
    Background,
    Log,
    client_tls,
    connect,
    digest,
    let_time_pass,
    pair,
    server_tls,
)
from worlds import Stream

from framer import (
    ANY_NEWLINE,
    PENDING,
    Data,
    EndOfStream,
    FrameTooLarge,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    Terminator,
    TerminatorFound,
    UsageError,
    VarintPrefix,
    encode_frame,
)
from framer._producers import Pending

SHORT = 0.002


async def echo(stream: Stream) -> None:
    """Send every frame back."""
    async for frame in stream:
        await stream.send_frame(frame)


class StreamSuite(Conformance):
    """What holds for a FramedStream in every world."""

    @pytest.fixture(autouse=True)
    def _short_farewells(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Peers here rarely end first, and then closing takes as long as it may."""
        hurry(self.world, monkeypatch, "LINGER", 0.05)

    def test_what_every_stream_does(self) -> None:
        """Two that are connected to each other pass framer.testing.check_stream.

        It holds what an adapter of anybody has to do, without servers, TLS, faults or deadlines.
        Those are below, and what takes the errors of this world, or a look at its socket.
        """
        self.world.check_pairs()

    # Frames in

    def test_echo_of_anything_cut_anywhere(self) -> None:
        """Whatever lines, cut at random: all come back, in order."""

        @settings(max_examples=10)
        @given(st.lists(st.binary(max_size=30)), st.randoms(use_true_random=False))
        def check(lines: list[bytes], rand: random.Random) -> None:
            rest = wire = b"".join(encode_frame(line, LengthPrefix(2)) for line in lines)
            with connect(address) as peer:
                while rest:
                    cut = rand.randint(1, len(rest))
                    peer.send(rest[:cut])
                    rest = rest[cut:]
                peer.end()
                assert peer.read_all() == wire

        with self.world.stream_server(echo, terminator=LengthPrefix(2)) as address:
            check()

    def test_terminators_that_change(self) -> None:
        """Each kind, set between any two frames; the very next byte obeys."""
        kinds: list[tuple[Terminator, bytes]] = [
            (b"\r\n", b"line"),
            (ANY_NEWLINE, b"any"),
            (7, b"counted"),
            (LengthPrefix(4), b"prefixed\n"),
            (Netstring(), b"net:,"),
            (VarintPrefix(), b"v" * 300),
            ((b";", b"|"), b"one of two"),
            (0, b""),
        ] * 2
        wire = b"".join(encode_frame(payload, kind) for kind, payload in kinds) + b"to\nthe end"
        for step in (1, 7, len(wire)):
            with pair() as (sock, peer):

                async def scenario(stream: Stream) -> None:
                    for kind, payload in kinds:
                        stream.terminator = kind
                        assert stream.terminator == kind
                        assert await stream.receive_frame() == payload
                    stream.terminator = None
                    assert await stream.receive_frame() == b"to\nthe end"
                    with pytest.raises(self.world.end_of_stream):
                        await stream.receive_frame()

                def script(step: int = step) -> None:
                    for i in range(0, len(wire), step):
                        peer.send(wire[i : i + step])
                    peer.end()

                with Background(script):
                    self.world.run_stream(scenario, sock)

    def test_the_end(self) -> None:
        """Iteration ends, and receiving raises what this world raises, again and again (A1)."""

        async def scenario(stream: Stream) -> None:
            assert [frame async for frame in stream] == [b"a", b"", b"b"]
            assert [frame async for frame in stream] == []
            for _ in range(2):
                with pytest.raises(self.world.end_of_stream):
                    await stream.receive_frame()

        with pair() as (sock, peer):
            peer.send(b"a\n\nb\n")
            peer.end()
            self.world.run_stream(scenario, sock)

    def test_events(self) -> None:
        """Payload as it arrives, the ends of frames, the end of the stream once, then the error."""

        async def scenario(stream: Stream) -> None:
            assert await stream.receive_event() == Data(b"spam")
            peer.send(b"\neggs\n")
            peer.end()
            assert await stream.receive_event() == TerminatorFound(b"\n")
            assert await stream.receive_event() == Data(b"eggs")
            assert await stream.receive_event() == TerminatorFound(b"\n")
            assert await stream.receive_event() == EndOfStream()
            for _ in range(2):
                with pytest.raises(self.world.end_of_stream):
                    await stream.receive_event()

        with pair() as (sock, peer):
            peer.send(b"spam")
            self.world.run_stream(scenario, sock)

    def test_framing_errors(self) -> None:
        """They are framer's own in every world (A1), and say the same."""

        async def broken(stream: Stream) -> None:
            for _ in range(2):
                with pytest.raises(FrameTooLarge):
                    await stream.receive_frame()
            stream.framer.skip_frame()
            assert await stream.receive_frame() == b"more"
            stream.terminator = Netstring()
            peer.send(b"x")
            for _ in range(2):
                with pytest.raises(MalformedFrame):
                    await stream.receive_frame()
            assert stream.framer.take_buffered() == b"x"

        with pair() as (sock, peer):
            peer.send(b"too long\nmore\n")
            self.world.run_stream(broken, sock, max_frame_size=5)

    def test_a_receive_that_times_out_at_every_byte(self) -> None:
        """Nothing of a slow frame is lost, however often one gives up waiting for it (A2)."""
        wire = encode_frame(b"a slow frame", LengthPrefix(2)) * 2

        async def scenario(stream: Stream) -> None:
            frames: list[bytes] = []
            for i in range(len(wire)):
                peer.send(wire[i : i + 1])
                with contextlib.suppress(self.world.timeout_error):
                    async with self.world.timeout(stream, SHORT if i % 2 else 0):
                        frames.append(await stream.receive_frame())
            peer.end()
            frames += [frame async for frame in stream]
            assert frames == [b"a slow frame"] * 2

        with pair() as (sock, peer):
            self.world.run_stream(scenario, sock, LengthPrefix(2))

    def test_an_event_that_times_out(self) -> None:
        """The same for frames in pieces: each byte comes once."""
        wire = b"spam\neggs\n"

        async def scenario(stream: Stream) -> bytes:
            seen = b""
            for i in range(len(wire)):
                peer.send(wire[i : i + 1])
                with contextlib.suppress(self.world.timeout_error):
                    while True:
                        async with self.world.timeout(stream, SHORT):
                            event = await stream.receive_event()
                            seen += event.chunk if isinstance(event, Data) else b"\n"
            return seen

        with pair() as (sock, peer):
            assert self.world.run_stream(scenario, sock) == wire

    def test_two_in_the_same_receive(self) -> None:
        """The second is told that the first is there, and the first gets the frame (A5)."""
        frames: list[bytes] = []

        async def scenario(stream: Stream) -> None:
            async def receive() -> None:
                try:
                    frames.append(await stream.receive_frame())
                except self.world.busy_error:
                    peer.send(b"frame\n")

            await self.world.gather(receive, receive)

        with pair() as (sock, peer):
            self.world.run_stream(scenario, sock)
        assert frames == [b"frame"]

    def test_a_reset(self) -> None:
        """What came in before it is delivered, then the error, and again the error (A6)."""

        async def scenario(stream: Stream) -> None:
            peer.send(b"".join(b"%d\n" % i for i in range(1000)) + b"hal")
            assert await stream.receive_frame() == b"0"
            peer.reset()
            for i in range(1, 1000):
                assert await stream.receive_frame() == b"%d" % i
            for _ in range(2):
                with pytest.raises(self.world.lost_errors):
                    await stream.receive_frame()

        with pair(tcp=True) as (sock, peer):
            self.world.run_stream(scenario, sock)

    def test_a_reset_that_a_send_sees_first(self) -> None:
        """Also then: what had come in before can be received."""

        async def scenario(stream: Stream) -> None:
            peer.send(b"first\nzero\n")
            assert await stream.receive_frame() == b"first"
            peer.send(b"one\ntwo\n")
            peer.reset()
            with pytest.raises(self.world.lost_errors):
                for _ in range(10):
                    await stream.send(b"x" * 100_000)
            assert await stream.receive_frame() == b"zero"
            if not self.world.drops_unread:
                assert await stream.receive_frame() == b"one"
                assert await stream.receive_frame() == b"two"
            with pytest.raises(self.world.lost_errors):
                await stream.receive_frame()

        with pair(tcp=True) as (sock, peer):
            self.world.run_stream(scenario, sock)

    # Bytes out

    def test_sending_more_than_fits(self) -> None:
        """All of it arrives, in order; when `send` returns, little of it is left in memory."""
        data = random.Random(7).randbytes(4 * MIB)

        async def scenario(stream: Stream) -> None:
            await stream.send(data)
            assert len(stream.output) <= 65536
            await stream.send(b"end")

        with pair() as (sock, peer), Background(peer.read_all) as reading:
            self.world.run_stream(scenario, sock)
            assert digest(reading.result()) == digest(data + b"end")

    def test_a_peer_that_does_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who sends to it waits, in bounded memory; what went out is what should (A3)."""
        hurry(self.world, monkeypatch, "CLOSE_TIMEOUT", 0.2)
        lines = b"%063d\n" % 7 * 500

        async def scenario(stream: Stream) -> int:
            sent = 0
            with contextlib.suppress(self.world.timeout_error):
                while sent < BOUND:
                    async with self.world.timeout(stream, 0.2):
                        await stream.send(lines)
                    sent += len(lines)
            assert len(stream.output) <= 4 * 65536
            return sent

        with pair() as (sock, peer):
            sent = self.world.run_stream(scenario, sock)
            data = peer.read_until_gone()
        assert 0 < sent < BOUND
        assert digest(data) == digest((lines * (BOUND // len(lines)))[: len(data)])

    def test_a_send_that_timed_out(self) -> None:
        """What follows is either what should, or an error: never bytes that do not belong there."""
        data = bytes(range(256)) * 8192
        outcome: list[str] = []

        async def scenario(stream: Stream) -> None:
            with pytest.raises(self.world.timeout_error):
                async with self.world.timeout(stream, 0.05):
                    await stream.send(data)
                    await stream.send(data)
            reading.append(Background(peer.read_until_gone))
            try:
                await stream.send(b"end")
            except self.world.lost_errors:
                outcome.append("broken")
            else:
                outcome.append("whole")

        reading: list[Background[bytes]] = []
        with pair() as (sock, peer):
            self.world.run_stream(scenario, sock)
            received = reading[0].result()
        if outcome == ["whole"]:
            received = received.removesuffix(b"end")
            assert digest(received) in {digest(data), digest(data * 2)}
        else:
            assert (data * 2).startswith(received)

    def test_two_senders(self) -> None:
        """They take turns: what one send sends is in one piece."""
        pieces = [bytes([65 + i]) * 300_000 for i in range(4)]

        async def scenario(stream: Stream) -> None:
            await self.world.gather(*(partial(stream.send, piece) for piece in pieces))

        with pair() as (sock, peer), Background(peer.read_all) as reading:
            self.world.run_stream(scenario, sock)
            data = reading.result()
        assert digest(data) in {digest(b"".join(order)) for order in permutations(pieces)}

    def test_sending_while_receiving(self) -> None:
        """One task sends while another receives; neither waits for the other."""
        data = b"x" * MIB

        async def scenario(stream: Stream) -> None:
            async def send() -> None:
                await stream.send(data)

            async def receive() -> None:
                assert await stream.receive_frame() == b"first"
                peer_may_read.append(True)
                assert await stream.receive_frame() == b"second"

            await self.world.gather(send, receive)

        def script() -> None:
            peer.send(b"first\n")
            assert digest(peer.read(len(data))) == digest(data)
            peer.send(b"second\n")

        peer_may_read: list[bool] = []
        with pair() as (sock, peer), Background(script):
            self.world.run_stream(scenario, sock)
        assert peer_may_read

    def test_producers(self) -> None:
        """Each is sent to its end and closed, between what was sent before and after."""
        numbers = Numbers(20)

        async def scenario(stream: Stream) -> None:
            await stream.send(b"head")
            await stream.send_producer(numbers)
            assert numbers.closed == 1
            await stream.send_producer([b"spam", b"eggs"])
            await stream.send_producer([])
            await stream.send(b"tail")

        with pair() as (sock, peer), Background(peer.read_all) as reading:
            self.world.run_stream(scenario, sock)
            assert digest(reading.result()) == digest(b"head" + numbers.all + b"spameggstail")

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_large_file(self, tls: bool, tmp_path: Path) -> None:
        """Every byte of it arrives, by ``sendfile`` or not, and the file is closed."""
        size = (8 if tls else 50) * MIB
        path = tmp_path / "file"
        path.write_bytes(random.Random(7).randbytes(MIB) * (size // MIB))
        files: list[BufferedReader] = []

        async def send(stream: Stream) -> None:
            await stream.send(b"head")
            file = path.open("rb")
            files.append(file)
            file.seek(3)
            await stream.send_producer(file)
            await stream.send(b"tail")

        with (
            self.world.stream_server(send, tls=tls) as address,
            connect(address, tls=tls) as peer,
        ):
            assert digest(peer.read_all()) == digest(b"head" + path.read_bytes()[3:] + b"tail")
        assert files[0].closed

    def test_a_producer_that_raises(self) -> None:
        """What it raises comes out; what was sent before has gone; the stream goes on."""
        closed: list[bool] = []

        def chunks() -> Iterator[bytes]:
            try:
                yield b"chunk"
                raise Fault
            finally:
                closed.append(True)

        async def scenario(stream: Stream) -> None:
            with pytest.raises(Fault):
                await stream.send_producer(chunks())
            assert closed
            await stream.send(b"more")

        with pair() as (sock, peer):
            self.world.run_stream(scenario, sock)
            assert peer.read_all() == b"chunkmore"

    def test_a_producer_that_has_nothing_yet(self) -> None:
        """It is asked again when it is woken, by another task, and not before."""
        items: list[bytes] = []
        asked: list[bool] = []

        def chunks() -> Iterator[bytes | Pending]:
            chunk = b""
            while chunk != b"stop":
                asked.append(True)
                chunk = items.pop() if items else b""
                yield chunk or PENDING

        async def scenario(stream: Stream) -> None:
            async def send() -> None:
                await stream.send_producer(chunks())

            async def feed() -> None:
                for _ in range(5):
                    items.append(await stream.receive_frame())
                    stream.output.wake()

            await self.world.gather(send, feed)

        def script() -> None:
            for item in (b"one\n", b"two\n", b"three\n", b"four\n", b"stop\n"):
                peer.send(item)
                assert peer.read(len(item) - 1) == item[:-1]

        with pair() as (sock, peer), Background(script):
            self.world.run_stream(scenario, sock)
        assert len(asked) < 50

    def test_send_eof(self) -> None:
        """The peer sees the end after all that was sent, and can still answer."""

        async def scenario(stream: Stream) -> None:
            stream.output.push(b"pushed")
            await stream.send_eof()
            assert await stream.receive_frame() == b"answer"
            with pytest.raises((*self.world.closed_errors, UsageError)):
                await stream.send(b"more")
            assert await stream.receive_frame() == b"another"

        def script() -> None:
            assert peer.read_all() == b"pushed"
            peer.send(b"answer\nanother\n")

        with pair() as (sock, peer), Background(script):
            self.world.run_stream(scenario, sock)

    # Closing

    def test_closing(self) -> None:
        """What is left is sent; a second time does nothing; afterwards nothing works."""

        async def scenario(stream: Stream) -> None:
            assert await stream.receive_frame() == b"x"
            stream.output.push(b"last word")
            await stream.aclose()
            await stream.aclose()
            assert sock.fileno() == -1
            with pytest.raises(self.world.closed_errors):
                await stream.send(b"more")
            with pytest.raises(self.world.closed_errors):
                await stream.receive_frame()

        with pair() as (sock, peer):
            peer.send(b"x\n")
            self.world.run_stream(scenario, sock)
            assert peer.read_all() == b"last word"

    def test_closing_with_a_producer_left(self) -> None:
        """What it gives is sent as well, and it is closed."""
        numbers = Numbers(5)

        async def scenario(stream: Stream) -> None:
            stream.output.push_producer(numbers)

        with pair() as (sock, peer), Background(peer.read_all) as reading:
            self.world.run_stream(scenario, sock)
            assert digest(reading.result()) == digest(numbers.all)
        assert numbers.closed == 1

    def test_closing_on_a_peer_that_does_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It takes no longer than it may, and what could not be sent is let go (A6)."""
        hurry(self.world, monkeypatch, "CLOSE_TIMEOUT", 0.2)
        numbers = Numbers(1000)

        async def scenario(stream: Stream) -> float:
            stream.output.push_producer(numbers)
            before = time.monotonic()
            await stream.aclose()
            return time.monotonic() - before

        with pair() as (sock, peer):
            assert self.world.run_stream(scenario, sock) < 7
            assert sock.fileno() == -1
            peer.read_until_gone()
        assert numbers.closed == 1

    @pytest.mark.parametrize("tls", [False, True])
    def test_the_last_word_is_read_in_front_of_what_nobody_reads(
        self, tls: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However much the peer has sent that is dropped, it can read all of the answer (A6)."""
        hurry(self.world, monkeypatch, "LINGER", DEADLINE)

        async def handler(stream: Stream) -> None:
            assert await stream.receive_frame() == b"x"
            stream.output.push(LAST_WORD)

        with (
            self.world.stream_server(handler, tls=tls) as address,
            connect(address, tls=tls) as peer,
        ):
            peer.send(b"x\n" + UNREAD)
            assert digest(peer.read_all()) == digest(LAST_WORD)

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_peer_that_never_stops(self, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """It does not keep the stream open: the time is counted from the last word."""
        hurry(self.world, monkeypatch, "LINGER", 0.1)
        log = Log()

        async def handler(stream: Stream) -> None:
            assert await stream.receive_frame() == b"x"
            await stream.aclose()
            log.add("closed")

        with (
            self.world.stream_server(handler, tls=tls) as address,
            connect(address, tls=tls) as peer,
        ):
            with contextlib.suppress(OSError):
                while not log.all("closed"):
                    peer.send(b"x\n" * 5000)
            log.wait("closed")

    def test_a_context_manager(self) -> None:
        """An error that leaves the block closes the stream, too, and comes out as it is."""

        async def scenario(stream: Stream) -> None:
            async with stream as same:
                assert same is stream
                raise Fault

        with pair() as (sock, peer):
            with pytest.raises(Fault):
                self.world.run_stream(scenario, sock)
            assert sock.fileno() == -1
            assert peer.read_all() == b""

    # TLS

    @pytest.mark.parametrize("tls", [False, True])
    def test_connect(self, tls: bool) -> None:
        """A client and a server, both ours."""

        async def scenario(stream: Stream) -> None:
            for size in (1, 1000, 60_000):
                await stream.send_frame(b"x" * size)
                assert digest(await stream.receive_frame()) == digest(b"x" * size)

        with self.world.stream_server(echo, tls=tls) as address:
            self.world.run_client(
                scenario, address, tls=tls, server_hostname="localhost" if tls else None
            )

    def test_connect_checks_the_name(self) -> None:
        """The certificate has to be for the host connected to, or for the name that was given."""

        async def scenario(stream: Stream) -> None:
            await stream.send_frame(b"x")
            assert await stream.receive_frame() == b"x"

        with self.world.stream_server(echo, tls=True) as address:
            self.world.run_client(scenario, address, tls=True)  # 127.0.0.1 is in it, too
            with pytest.raises((ssl.SSLError, *self.world.lost_errors)):
                self.world.run_client(scenario, address, tls=True, server_hostname="example.org")

    def test_connect_to_nobody(self) -> None:
        """It is an OSError in every world."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
        with pytest.raises(OSError):
            self.world.run_client(echo, address)

    def test_tls(self) -> None:
        """Byte by byte and all at once; and the end is one that nobody can forge."""
        wire = b"".join(b"line %d\n" % i for i in range(200))
        with (
            self.world.stream_server(echo, tls=True) as address,
            connect(address, tls=True) as peer,
        ):
            peer.send_each(wire[:300])
            peer.send(wire[300:])
            assert peer.read(len(wire)) == wire
            with peer.sock.unwrap():  # type: ignore[attr-defined]  # waits for theirs
                pass

    def test_send_eof_over_tls(self) -> None:
        """TLS cannot end one direction alone, so it is refused, and nothing has changed."""

        async def handler(stream: Stream) -> None:
            with pytest.raises(UsageError):
                await stream.send_eof()
            await echo(stream)

        with (
            self.world.stream_server(handler, tls=True) as address,
            connect(address, tls=True) as peer,
        ):
            peer.send(b"x\n")
            assert peer.read(2) == b"x\n"

    def test_start_tls(self) -> None:
        """What was sent before is in plain text, all after it encrypted."""

        async def scenario(stream: Stream) -> None:
            assert await stream.receive_frame() == b"STARTTLS"
            stream.output.push(b"220 ready\n")
            await stream.start_tls(server_tls())
            await stream.send(b"welcome\n")
            assert await stream.receive_frame() == b"secret"
            assert await stream.receive_frame() == b"and more"

        def script() -> None:
            peer.send(b"STARTTLS\n")
            assert peer.read_line() == b"220 ready\n"
            peer.start_tls()
            assert peer.read(8) == b"welcome\n"
            peer.send(b"secret\nand more\n")
            assert peer.read_all() == b""
            peer.sock.close()

        with pair() as (sock, peer), Background(script):
            self.world.run_stream(scenario, sock)

    def test_start_tls_as_a_client(self) -> None:
        """The context says which side it is for; the name is the one to check."""

        async def scenario(stream: Stream) -> None:
            assert await stream.receive_frame() == b"220 ready"
            await stream.start_tls(client_tls(), server_hostname="localhost")
            await stream.send_frame(b"hello")
            assert await stream.receive_frame() == b"bye"

        def script() -> None:
            peer.send(b"220 ready\n")
            peer.start_tls(server_side=True)
            assert peer.read(6) == b"hello\n"
            peer.send(b"bye\n")
            assert peer.read_all() == b""
            peer.sock.close()

        with pair() as (sock, peer), Background(script):
            self.world.run_stream(scenario, sock)

    def test_start_tls_with_plain_text_left(self) -> None:
        """It is refused, and nothing changed: the bytes can be looked at (A4)."""

        async def scenario(stream: Stream) -> None:
            assert await stream.receive_frame() == b"STARTTLS"
            with pytest.raises(UsageError):
                await stream.start_tls(server_tls())
            assert await stream.receive_frame() == b"EVIL"
            await stream.send(b"554 no\n")

        with pair() as (sock, peer):
            peer.send(b"STARTTLS\nEVIL\n")
            self.world.run_stream(scenario, sock)
            assert peer.read_until_gone() == b"554 no\n"

    def test_start_tls_that_discards_plain_text(self) -> None:
        """If told so it drops them, and they are never seen."""

        async def scenario(stream: Stream) -> None:
            assert await stream.receive_frame() == b"STARTTLS"
            stream.output.push(b"220 ready\n")
            await stream.start_tls(server_tls(), leftover="discard")
            assert await stream.receive_frame() == b"secret"

        def script() -> None:
            peer.send(b"STARTTLS\nEVIL\n")
            assert peer.read_line() == b"220 ready\n"
            peer.start_tls()
            peer.send(b"secret\n")
            assert peer.read_all() == b""
            peer.sock.close()

        with pair() as (sock, peer), Background(script):
            self.world.run_stream(scenario, sock)

    def test_start_tls_that_fails(self) -> None:
        """Plain text in place of a handshake is an error, and never delivered."""

        async def scenario(stream: Stream) -> None:
            assert await stream.receive_frame() == b"STARTTLS"
            stream.output.push(b"220 ready\n")
            with pytest.raises((ssl.SSLError, *self.world.lost_errors)):
                await stream.start_tls(server_tls())
            assert not stream.framer.buffered

        def script() -> None:
            peer.send(b"STARTTLS\n")
            assert peer.read_line() == b"220 ready\n"
            peer.send(b"EVIL\nEVIL\n")
            peer.read_until_gone()

        with pair() as (sock, peer), Background(script):
            self.world.run_stream(scenario, sock)

    # Servers

    def test_a_handler_that_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is logged, its connection is closed, and the others live."""

        async def handler(stream: Stream) -> None:
            async for frame in stream:
                if frame == b"raise":
                    raise Fault
                await stream.send_frame(frame)

        with self.world.stream_server(handler) as address, connect(address) as other:
            other.send(b"x\n")
            assert other.read(2) == b"x\n"
            with connect(address) as peer:
                peer.send(b"raise\n")
                assert peer.read_until_gone() == b""
            other.send(b"y\n")
            assert other.read(2) == b"y\n"
        assert [type(error) for error in errors(caplog)] == [Fault]

    def test_a_handler_that_returns(self) -> None:
        """Its stream is closed when all that it sent has gone."""
        data = b"x" * MIB

        async def handler(stream: Stream) -> None:
            stream.output.push(data)

        with self.world.stream_server(handler) as address, connect(address) as peer:
            assert digest(peer.read_all()) == digest(data)

    def test_a_peer_that_goes_away(self) -> None:
        """A reset is the peer's doing: not an error of the program, and nobody else's business."""
        with self.world.stream_server(echo) as address, connect(address) as other:
            for _ in range(3):
                peer = connect(address)
                peer.send(b"x\nhal")
                assert peer.read(2) == b"x\n"
                peer.reset()
            other.send(b"y\n")
            assert other.read(2) == b"y\n"

    def test_a_silent_peer_is_let_go(self) -> None:
        """The handler hears of it with the error that timeouts are in its world."""
        log = Log()

        async def handler(stream: Stream) -> None:
            try:
                await echo(stream)
            except self.world.timeout_error as exc:
                log.add("timeout", exc)

        with (
            self.world.stream_server(handler, idle_timeout=IDLE) as address,
            connect(address) as peer,
        ):
            peer.send(b"x\n")
            assert peer.read_until_gone() == b"x\n"
            log.wait("timeout")

    def test_a_slow_peer_is_not_let_go(self) -> None:
        """A byte now and then is enough."""
        with (
            self.world.stream_server(echo, idle_timeout=IDLE) as address,
            connect(address) as peer,
        ):
            for _ in range(6):
                peer.send(b"x")
                let_time_pass(IDLE / 4)
            peer.send(b"\n")
            assert peer.read(7) == b"xxxxxx\n"

    def test_a_peer_that_takes_nothing_is_let_go(self, tmp_path: Path) -> None:
        """The same for one that leaves us sitting on what we have to say."""
        log = Log()

        async def handler(stream: Stream) -> None:
            try:
                for _ in range(BOUND // 65536):
                    await stream.send(bytes(65536))
            except self.world.timeout_error as exc:
                log.add("timeout", exc)
                stream.output.discard()

        path = str(tmp_path / "s")
        with (
            self.world.stream_server(handler, path, idle_timeout=IDLE) as address,
            connect(address),
        ):
            log.wait("timeout")

    def test_a_handshake_that_does_not_come(self) -> None:
        """The idle timeout bounds it."""
        with (
            self.world.stream_server(echo, tls=True, idle_timeout=IDLE) as address,
            connect(address) as peer,
        ):
            assert peer.read_until_gone() == b""

    def test_a_unix_socket(self, tmp_path: Path) -> None:
        """A path in place of a host and a port, for both sides."""

        async def scenario(stream: Stream) -> None:
            await stream.send_frame(b"x")
            assert await stream.receive_frame() == b"x"

        with self.world.stream_server(echo, str(tmp_path / "s")) as address:
            self.world.run_client(scenario, address)

    def test_ipv6(self) -> None:
        """The same over the other one."""

        async def scenario(stream: Stream) -> None:
            await stream.send_frame(b"x")
            assert await stream.receive_frame() == b"x"

        with self.world.stream_server(echo, "::1") as address:
            self.world.run_client(scenario, address)

    def test_a_server_that_stops(self) -> None:
        """Conversations end with their server."""
        with contextlib.ExitStack() as stack:
            with self.world.stream_server(echo) as address:
                peers = [stack.enter_context(connect(address)) for _ in range(3)]
                for peer in peers:
                    peer.send(b"x\nhalf")
                    assert peer.read(2) == b"x\n"
            assert [peer.read_until_gone() for peer in peers] == [b""] * 3
