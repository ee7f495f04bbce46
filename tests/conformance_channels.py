"""The suite that every adapter's channels pass: see `conformance`."""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import socket
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import (
    DEADLINE,
    Background,
    Log,
    Peer,
    Recorder,
    client_tls,
    connect,
    digest,
    let_time_pass,
    no_more_files,
    nothing_leaks,
    pair,
    server_tls,
    wait_until,
)
from worlds import World

from framer import (
    PENDING,
    Channel,
    Framer,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    Terminator,
    UsageError,
)
from framer._producers import Pending

MIB = 1 << 20

# What a peer that does not read may cost: two buffers of the kernel, and some of ours.
BOUND = 4 * MIB

IDLE = 0.3

# More than a peer's kernel takes at once, so that some of it is lost when a connection is reset;
# and more than one read takes, so that some of it is unread at the close.
LAST_WORD = b"the last word " * 20_000
UNREAD = b"nobody reads this" * 30_000


# What an adapter may log of one lack of descriptors.
MANY_ERRORS = 20


class Fault(Exception):
    """What hooks and producers raise here."""


class Conformance:
    """What both suites have."""

    world: ClassVar[World]

    @pytest.fixture(autouse=True)
    def _clean(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        """Nothing is left behind, and no error was logged that the test has not looked at."""
        caplog.set_level(logging.INFO)
        self.world.warm_up()
        with nothing_leaks():
            yield
        assert errors(caplog) == []


def errors(caplog: pytest.LogCaptureFixture) -> list[BaseException | str]:
    """Say what was logged as an error, and forget it."""
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    caplog.clear()
    found = [record.exc_info[1] if record.exc_info else None for record in records]
    return [error or record.getMessage() for error, record in zip(found, records, strict=True)]


def hurry(world: World, monkeypatch: pytest.MonkeyPatch, name: str, seconds: float) -> None:
    """Make a figure of the adapter smaller, wherever in its package it is."""
    package = world.module_name.rpartition(".")[0] or world.module_name
    assert world.module
    for module in list(sys.modules):
        if module.startswith(package) and hasattr(sys.modules[module], name):
            monkeypatch.setattr(sys.modules[module], name, seconds)


class Echo(Recorder):
    """Sends every line back."""

    terminator = b"\r\n"
    peak = 0

    def frame_received(self, frame: bytes) -> None:
        """Send it back."""
        self.push(frame + b"\r\n")
        type(self).peak = max(type(self).peak, len(self.output))


class Streaming(Recorder):
    """Takes frames in pieces."""

    frame_received: Any = Channel.frame_received

    def data_received(self, chunk: bytes) -> None:
        """Take note."""
        self.log.add("data", chunk)

    def terminator_found(self, matched: bytes | int) -> None:
        """Take note."""
        self.log.add("found", matched)


class Upgrading(Recorder):
    """Changes to TLS when asked, and greets inside."""

    terminator = b"\r\n"

    def frame_received(self, frame: bytes) -> None:
        """Start TLS, or send it back."""
        super().frame_received(frame)
        if frame == b"STARTTLS":
            self.push(b"220 ready\r\n")
            self.start_tls(server_tls())
            self.push(b"welcome\r\n")
        else:
            self.push(frame + b"\r\n")


class Numbers:
    """A producer of numbered chunks that counts what it was asked for."""

    def __init__(self, count: int, size: int = 65536) -> None:
        self.count = count
        self.size = size
        self.asked = 0
        self.closed = 0

    def more(self) -> bytes:
        """Give the next chunk."""
        if self.asked == self.count:
            return b""
        self.asked += 1
        return self.chunk(self.asked)

    def chunk(self, number: int) -> bytes:
        """Make a chunk that is like no other."""
        return number.to_bytes(8, "big") * (self.size // 8)

    def close(self) -> None:
        """Count it."""
        self.closed += 1

    @property
    def all(self) -> bytes:
        """All chunks together."""
        return b"".join(map(self.chunk, range(1, self.count + 1)))


class ChannelSuite(Conformance):
    """What holds for channels in every world."""

    def serve(self, make: Callable[[Log], Channel], log: Log, *args: Any, **options: Any) -> Any:
        """Serve channels that write into one log."""
        return self.world.channel_server(lambda: make(log), *args, **options)

    # Bytes in, frames handled, bytes out

    def test_echo_however_it_is_cut_in_two(self) -> None:
        """Chunking does not matter: every cut of a stream gives the same answers."""
        wire, log = b"spam\r\n\r\neggs\rand\nham\r\n", Log()
        with self.serve(Echo, log) as address:
            for cut in range(1, len(wire)):
                with connect(address) as peer:
                    peer.send(wire[:cut])
                    complete = wire[: wire.rfind(b"\r\n", 0, cut) + 2] if cut > 5 else b""
                    assert peer.read(len(complete)) == complete
                    peer.send(wire[cut:])
                    assert peer.read(len(wire) - len(complete)) == wire[len(complete) :]

    def test_echo_byte_by_byte(self) -> None:
        """A peer that sends a byte at a time is answered as any other."""
        wire, log = b"".join(b"line %d\r\n" % i for i in range(100)), Log()
        with self.serve(Echo, log) as address, connect(address) as peer:
            peer.send_each(wire)
            assert peer.read(len(wire)) == wire

    def test_echo_of_anything_cut_anywhere(self) -> None:
        """Whatever lines, cut at random: all come back, in order."""

        @settings(max_examples=20)
        @given(st.lists(st.binary(max_size=30)), st.randoms(use_true_random=False))
        def check(lines: list[bytes], rand: random.Random) -> None:
            wire = b"".join(line + b"\r\n" for line in lines)
            framer = Framer(b"\r\n")
            framer.receive_data(wire)
            echo = b"".join(frame + b"\r\n" for frame in framer.frames())
            with connect(address) as peer:
                while wire:
                    cut = rand.randint(1, len(wire))
                    peer.send(wire[:cut])
                    wire = wire[cut:]
                assert peer.read(len(echo)) == echo

        log = Log()
        with self.serve(Echo, log) as address:
            check()

    def test_one_read_is_answered_with_one_send(self) -> None:
        """All that the frames of one read push goes out together (A8), seen by the peer."""
        wire, log = b"%038d\r\n" % 7 * 500, Log()
        with self.serve(Echo, log) as address, connect(address) as peer:
            if peer.segments is None:
                pytest.skip("this system does not count segments")
            peer.send(wire)
            assert peer.read(len(wire)) == wire
            assert peer.segments == 1, f"{peer.segments} sends"

    def test_a_hook_sets_another_terminator(self) -> None:
        """The very next byte obeys it, though it came in the same read."""

        class Counting(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.log.add("frame", frame)
                self.terminator = int(frame) if self.terminator == b"\n" else b"\n"

        log = Log()
        with self.serve(Counting, log) as address, connect(address) as peer:
            peer.send(b"5\na\nb\nc2\n\n\n3\n")
            peer.send_each(b"xyz")
            peer.end()
            log.wait("lost")
        assert log.all("frame") == [b"5", b"a\nb\nc", b"2", b"\n\n", b"3", b"xyz"]

    def test_partial_writes(self) -> None:
        """Pushes and producers go out in order, byte for byte, through a very small buffer."""
        rand, wire = random.Random(7), b""

        class Talker(Recorder):
            def connection_made(self) -> None:
                nonlocal wire
                for i in range(60):
                    chunks = [rand.randbytes(rand.randint(1, 9000)) for _ in range(3)]
                    wire += b"".join(chunks)
                    if i % 2:
                        self.push_producer(chunks)
                    else:
                        for chunk in chunks:
                            self.push(chunk)
                self.close_when_done()

        with pair() as (sock, peer):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            log = Log()
            with self.world.run_channel(Talker(log), sock) as running:
                data = bytearray()
                while chunk := peer.sock.recv(rand.randint(1, 5000)):
                    data += chunk
                peer.sock.close()
                running.result()
        assert digest(data) == digest(wire)
        assert log.entries == [("lost", None)]

    # Hooks

    def test_the_order_of_hooks(self) -> None:
        """Made, frames, the end of the peer, lost without an error; each once."""
        log = Log()
        with self.serve(Recorder, log) as address:
            with connect(address) as peer:
                peer.send(b"a\nb\n")
                peer.end()
                assert peer.read_all() == b""
            log.wait("lost")
        names = [name for name, _ in log.entries]
        assert names == ["made", "frame", "frame", "eof", "lost"]
        assert log.all("lost") == [None]

    def test_the_order_of_hooks_when_streaming(self) -> None:
        """Frames in pieces are delivered as they arrive."""
        log = Log()
        with self.serve(Streaming, log) as address, connect(address) as peer:
            peer.send(b"spam")
            log.wait("data")
            peer.send(b"\n\n")
            peer.end()
            log.wait("lost")
        assert log.entries[1:] == [
            ("data", b"spam"),
            ("found", b"\n"),
            ("found", b"\n"),
            ("eof", None),
            ("lost", None),
        ]

    def test_a_channel_may_speak_first(self) -> None:
        """What `connection_made` pushes goes out without the peer having said a word."""

        class Greeting(Echo):
            def connection_made(self) -> None:
                self.push(b"220 hello\r\n")

        log = Log()
        with self.serve(Greeting, log) as address, connect(address) as peer:
            assert peer.read_line() == b"220 hello\r\n"
            peer.send(b"x\r\n")
            assert peer.read_line() == b"x\r\n"

    @pytest.mark.parametrize(
        "hook",
        [
            "connection_made",
            "frame_received",
            "data_received",
            "terminator_found",
            "framing_error",
            "eof_received",
            "tls_started",
            "connection_lost",
        ],
    )
    def test_a_hook_that_raises(self, hook: str, caplog: pytest.LogCaptureFixture) -> None:
        """Only that channel is closed, and hears of it; the error is logged; the others live."""
        log = Log()
        fault = Fault(hook)
        bases: dict[str, type[Recorder]] = {
            "data_received": Streaming,
            "terminator_found": Streaming,
            "tls_started": Upgrading,
        }

        def raising(_channel: Channel, *_args: object) -> None:
            log.add("raised")
            raise fault

        faulty = type("Faulty", (bases.get(hook, Recorder),), {hook: raising, "max_frame_size": 9})
        made: Iterator[Callable[[Log], Channel]] = iter([Echo, faulty, Echo])
        with (
            self.world.channel_server(lambda: next(made)(log)) as address,
            connect(address) as first,
        ):
            first.send(b"x\r\n")
            assert first.read(3) == b"x\r\n"
            with connect(address) as peer:
                if hook == "tls_started":
                    peer.send(b"STARTTLS\r\n")
                    assert peer.read_line() == b"220 ready\r\n"
                    with contextlib.suppress(OSError):
                        peer.start_tls()
                elif hook != "connection_made":
                    peer.send(b"too long a line" if hook == "framing_error" else b"x\n")
                if hook in {"eof_received", "connection_lost"}:
                    peer.end()
                assert peer.read_until_gone() in {b"", b"welcome\r\n"}
                log.wait("raised")
            if hook != "connection_lost":
                assert log.wait("lost") is fault
            first.send(b"y\r\n")
            assert first.read(3) == b"y\r\n"
            with connect(address) as later:
                later.send(b"z\r\n")
                assert later.read(3) == b"z\r\n"
        assert len(log.all("raised")) == 1
        assert errors(caplog) == [fault]

    def test_what_a_hook_pushed_before_it_raised_is_dropped(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody knows whether it is right; so it does not go out."""

        class Faulty(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.push(b"half an answer")
                raise Fault

        log = Log()
        with self.serve(Faulty, log) as address, connect(address) as peer:
            peer.send(b"x\n")
            assert peer.read_until_gone() == b""
            assert isinstance(log.wait("lost"), Fault)
        assert len(errors(caplog)) == 1

    def test_a_frame_that_is_too_long(self) -> None:
        """The hook is called at the limit, and by default the connection ends properly."""

        class Short(Recorder):
            max_frame_size = 4

        log = Log()
        with self.serve(Short, log) as address, connect(address) as peer:
            peer.send(b"four\nfive!")
            assert peer.read_all() == b""
            peer.sock.close()
            assert log.wait("lost") is None
        assert log.all("frame") == [b"four"]
        assert [type(error) for error in log.all("framing_error")] == [FrameTooLarge]

    def test_a_frame_that_is_skipped(self) -> None:
        """The hook may say so and carry on."""

        class Skipping(Echo):
            max_frame_size = 4

            def framing_error(self, exc: FramingError) -> None:
                self.push(b"too long\r\n")
                self.framer.skip_frame()

        log = Log()
        with self.serve(Skipping, log) as address, connect(address) as peer:
            peer.send(b"four\r\n" + b"five!" * 50_000 + b"\r\nmore\r\n")
            assert peer.read(22) == b"four\r\ntoo long\r\nmore\r\n"

    def test_a_frame_that_is_cut_off(self) -> None:
        """The end inside a frame is an error of framing, not a frame."""
        log = Log()
        with self.serve(Recorder, log) as address, connect(address) as peer:
            peer.send(b"whole\nhal")
            peer.end()
            assert peer.read_all() == b""
            assert log.wait("lost") is None
        assert log.all("frame") == [b"whole"]
        (error,) = log.all("framing_error")
        assert isinstance(error, IncompleteFrame)
        assert error.partial == b"hal"
        assert log.all("eof") == []

    # Ends

    @pytest.mark.parametrize("tls", [False, True])
    def test_close_when_done(self, tls: bool) -> None:
        """All that was pushed goes out, producers too; no frame is delivered any more."""
        numbers = Numbers(40)

        class Closing(Recorder):
            def frame_received(self, frame: bytes) -> None:
                super().frame_received(frame)
                self.push(b"head")
                self.push_producer(numbers)
                self.push(b"tail")
                self.close_when_done()

        log = Log()
        with self.serve(Closing, log, tls=tls) as address, connect(address, tls=tls) as peer:
            peer.send(b"x\ny\n")
            assert digest(peer.read_all()) == digest(b"head" + numbers.all + b"tail")
            peer.sock.close()
            assert log.wait("lost") is None
        assert log.all("frame") == [b"x"]
        assert len(log.all("lost")) == numbers.closed == 1

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_file(self, tls: bool, tmp_path: Path) -> None:
        """A file goes out whole between two pushes, from where it stands, and is closed."""
        content = random.Random(7).randbytes(3 * MIB)
        path = tmp_path / "file"
        path.write_bytes(b"skipped" + content)
        file = path.open("rb")
        file.seek(7)

        class Sending(Recorder):
            def connection_made(self) -> None:
                self.push(b"head")
                self.push_producer(file)
                self.push(b"tail")
                self.close_when_done()

        log = Log()
        with self.serve(Sending, log, tls=tls) as address, connect(address, tls=tls) as peer:
            assert digest(peer.read_all()) == digest(b"head" + content + b"tail")
            peer.sock.close()
            assert log.wait("lost") is None
        assert file.closed

    def test_discard(self) -> None:
        """Nothing more goes out, not even what was pushed before, and the connection ends."""

        class Discarding(Recorder):
            def frame_received(self, frame: bytes) -> None:
                super().frame_received(frame)
                self.push(b"never")
                self.discard()

        log = Log()
        with self.serve(Discarding, log) as address, connect(address) as peer:
            peer.send(b"x\ny\n")
            assert peer.read_until_gone() == b""
            peer.sock.close()
            log.wait("lost")
        assert log.all("frame") == [b"x"]
        assert log.all("lost") == [None]

    def test_the_peer_ends_first(self) -> None:
        """After the end of the peer a channel may go on sending, for as long as it likes."""
        numbers = Numbers(30)

        class Late(Recorder):
            def eof_received(self) -> bool:
                self.log.add("eof")
                self.push_producer(self.chunks())
                return True

            def chunks(self) -> Iterator[bytes]:
                while chunk := numbers.more():
                    yield chunk
                self.close_when_done()

        log = Log()
        with self.serve(Late, log) as address, connect(address) as peer:
            peer.send(b"x\n")
            peer.end()
            assert digest(peer.read_all()) == digest(numbers.all)
            assert log.wait("lost") is None
        assert [name for name, _ in log.entries] == ["made", "frame", "eof", "lost"]

    def test_the_last_word_is_not_lost(self) -> None:
        """A peer that is still sending can read why it is turned away (HTTP's 431)."""

        class Strict(Recorder):
            max_frame_size = 1024

            def framing_error(self, exc: FramingError) -> None:
                self.push(b"431 too large")
                self.close_when_done()

        log = Log()
        with self.serve(Strict, log) as address, connect(address) as peer:
            peer.send(b"x" * MIB)
            peer.end()
            assert peer.read_all() == b"431 too large"
            assert log.wait("lost") is None

    @pytest.mark.parametrize("tls", [False, True])
    def test_the_last_word_is_read_in_front_of_what_nobody_reads(
        self, tls: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However much the peer has sent that is dropped, it can read all of the answer (A6)."""
        hurry(self.world, monkeypatch, "LINGER", DEADLINE)

        class Refusing(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.push(LAST_WORD)
                self.close_when_done()

        log = Log()
        with self.serve(Refusing, log, tls=tls) as address, connect(address, tls=tls) as peer:
            peer.send(b"x\n" + UNREAD)
            assert digest(peer.read_all()) == digest(LAST_WORD)
            peer.sock.close()
            assert log.wait("lost") is None

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_peer_that_never_ends(self, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor does a peer that stays for ever keep the connection for ever."""
        hurry(self.world, monkeypatch, "LINGER", 0.1)

        class Brief(Recorder):
            def connection_made(self) -> None:
                self.push(b"bye")
                self.close_when_done()

        log = Log()
        with self.serve(Brief, log, tls=tls) as address, connect(address, tls=tls) as peer:
            assert peer.read_all() == b"bye"
            assert log.wait("lost") is None

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_peer_that_never_stops(self, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor one that goes on sending: the time is counted from the last word."""
        hurry(self.world, monkeypatch, "LINGER", 0.1)

        class Brief(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.close_when_done()

        log = Log()
        with self.serve(Brief, log, tls=tls) as address, connect(address, tls=tls) as peer:
            with contextlib.suppress(OSError):
                while not log.all("lost"):
                    peer.send(b"x\n" * 5000)
            assert log.wait("lost") is None

    def test_a_server_that_stops(self) -> None:
        """Conversations end with their server, and each channel hears of it."""
        log = Log()
        with contextlib.ExitStack() as stack:
            with self.serve(Echo, log) as address:
                for _ in range(3):
                    peer = stack.enter_context(connect(address))
                    peer.send(b"x\r\nhalf")
                    assert peer.read(3) == b"x\r\n"
            log.wait("lost", 3)
        assert len(log.all("lost")) == 3

    # Resets

    @pytest.mark.parametrize("tls", [False, True])
    def test_all_that_came_in_before_the_end(self, tls: bool) -> None:
        """However much of it waits to be read when the end is there already, it is delivered."""
        log, gone = Log(), threading.Event()

        class Late(Streaming):
            def terminator_found(self, matched: bytes | int) -> None:
                self.framer.terminator = None
                assert gone.wait(DEADLINE)

        with self.serve(Late, log, tls=tls) as address, connect(address, tls=tls) as peer:
            peer.send(b"\n" + UNREAD)
            if isinstance(peer.sock, ssl.SSLSocket):
                peer.sock.settimeout(0)
                with pytest.raises(ssl.SSLWantReadError):
                    peer.sock.unwrap()  # says farewell, and does not wait for an answer
            peer.end()
            gone.set()
            log.wait("lost")
            assert digest(b"".join(log.all("data"))) == digest(UNREAD)

    def test_a_reset_at_every_byte(self) -> None:
        """All frames that were complete before it are delivered, then comes the error (A6)."""
        wire = b"one\ntwo\n\nthree\n"
        logs: list[Log] = []

        def make() -> Channel:
            logs.append(Log())
            return Recorder(logs[-1])

        with self.world.channel_server(make) as address:
            for cut in range(len(wire) + 1):
                peer = connect(address)
                peer.send(wire[:cut])
                peer.reset()
                wait_until(lambda count=cut: len(logs) > count, "the connection")  # type: ignore[misc]
                error = logs[cut].wait("lost")
                assert logs[cut].all("frame") == wire[:cut].split(b"\n")[:-1], cut
                assert isinstance(error, self.world.lost_errors), cut
        assert all(len(log.all("lost")) == 1 for log in logs)

    def test_a_reset_while_sending(self) -> None:
        """The channel hears of it, its producer is closed, others go on."""
        numbers, log = Numbers(1000), Log()

        class Sending(Echo):
            def frame_received(self, frame: bytes) -> None:
                super().frame_received(frame)
                if frame == b"GET":
                    self.push_producer(numbers)

        with self.serve(Sending, log) as address, connect(address) as other:
            peer = connect(address)
            peer.send(b"GET\r\n")
            peer.read(100_000)
            peer.reset()
            assert isinstance(log.wait("lost"), self.world.lost_errors)
            other.send(b"x\r\n")
            assert other.read(3) == b"x\r\n"
        assert numbers.closed == 1
        assert numbers.asked < 1000

    def test_a_reset_that_a_send_sees_first(self) -> None:
        """Also then all that had come in before is delivered."""
        gone = threading.Event()

        class Answering(Recorder):
            def frame_received(self, frame: bytes) -> None:
                super().frame_received(frame)
                if frame == b"go":
                    gone.wait(DEADLINE)  # so that the next thing done is to send
                self.push(frame + b"\n")

        log = Log()
        with self.serve(Answering, log) as address:
            peer = connect(address)
            peer.send(b"go\n")
            log.wait("frame")
            peer.send(b"one\ntwo\nhal")
            peer.reset()
            gone.set()
            assert isinstance(log.wait("lost"), self.world.lost_errors), log.entries
        if not self.world.drops_unread:
            assert log.all("frame") == [b"go", b"one", b"two"], log.entries
        assert [name for name, _ in log.entries if name not in {"made", "frame"}] == ["lost"]

    def test_a_producer_that_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """It ends its own connection; what came before it in the queue may go out."""

        def chunks() -> Iterator[bytes]:
            yield b"chunk"
            raise Fault

        class Sending(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.push_producer(chunks())

        log = Log()
        with self.serve(Sending, log) as address, connect(address) as other:
            with connect(address) as peer:
                peer.send(b"x\n")
                assert peer.read_until_gone() in {b"", b"chunk"}
                assert isinstance(log.wait("lost"), Fault)
            other.end()
            assert other.read_all() == b""
        assert [type(error) for error in errors(caplog)] == [Fault]

    # Peers that do not read, and time

    def test_a_peer_that_does_not_read(self, tmp_path: Path) -> None:
        """It costs bounded memory, reading pauses, others live; then every byte is there (A3)."""

        class Watched(Echo):
            pass

        log, line = Log(), b"%062d\r\n" % 7
        with self.serve(Watched, log, str(tmp_path / "s")) as address, connect(address) as peer:
            sent = peer.flood(line * 1000, BOUND)
            with connect(address) as other:
                other.send(b"x\r\n")
                assert other.read(3) == b"x\r\n"
            assert 0 < Watched.peak <= 4 * 65536
            with Background(peer.read_all) as reading:
                rest = line * 200
                peer.send(rest[sent % len(line) :])
                sent += len(rest) - sent % len(line)
                peer.end()
                assert digest(reading.result()) == digest(line * (sent // len(line)))

    def test_a_producer_waits_for_its_peer(self, tmp_path: Path) -> None:
        """It is asked for no more than goes out, and a little."""
        numbers, log = Numbers(400), Log()

        class Sending(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.push_producer(numbers)
                self.close_when_done()

        with self.serve(Sending, log, str(tmp_path / "s")) as address, connect(address) as peer:
            peer.send(b"x\n")
            head = peer.read(1)
            with connect(address) as other:  # so it has had its turn
                other.end()
                other.read_all()
            assert numbers.asked * numbers.size <= BOUND
            assert digest(head + peer.read_all()) == digest(numbers.all)
        assert numbers.closed == 1

    def test_hearing_while_sending(self) -> None:
        """A command is heard while the answer to the one before is still going out."""
        if not self.world.full_duplex:
            pytest.skip("this world sends or receives")
        stopped: list[bool] = []

        class Sending(Recorder):
            def frame_received(self, frame: bytes) -> None:
                super().frame_received(frame)
                if frame == b"STOP":
                    stopped.append(True)
                else:
                    self.push_producer(self.chunks())
                    self.push(b"stopped")

            def chunks(self) -> Iterator[bytes]:
                while not stopped:
                    yield b"x" * 50_000
                self.close_when_done()

        log = Log()
        with self.serve(Sending, log) as address, connect(address) as peer:
            peer.send(b"GET\n")
            peer.read(200_000)
            peer.send(b"STOP\n")
            log.wait("frame", 2)
            data = peer.read_all()
            assert data.strip(b"x") == b"stopped"
            peer.sock.close()
            assert log.wait("lost") is None

    def test_a_silent_peer_is_let_go(self) -> None:
        """Neither a byte received nor one taken for the idle timeout: the channel hears why."""
        log = Log()
        with self.serve(Recorder, log, idle_timeout=IDLE) as address, connect(address) as peer:
            peer.send(b"x\n")
            assert peer.read_until_gone() == b""
            assert isinstance(log.wait("lost"), TimeoutError)

    def test_a_peer_that_takes_nothing_is_let_go(self, tmp_path: Path) -> None:
        """The same for one that leaves us sitting on what we have to say."""
        numbers = Numbers(400)

        class Sending(Recorder):
            def connection_made(self) -> None:
                self.push_producer(numbers)

        log, path = Log(), str(tmp_path / "s")
        with self.serve(Sending, log, path, idle_timeout=IDLE) as address, connect(address):
            assert isinstance(log.wait("lost"), TimeoutError)
        assert numbers.closed == 1

    def test_a_slow_peer_is_not_let_go(self) -> None:
        """A byte now and then is enough, be it one that it sends."""
        log = Log()
        with self.serve(Echo, log, idle_timeout=IDLE) as address, connect(address) as peer:
            for _ in range(6):
                peer.send(b"x")
                let_time_pass(IDLE / 4)
            peer.send(b"\r\n")
            assert peer.read(8) == b"xxxxxx\r\n"
            assert log.all("lost") == []

    def test_a_peer_that_reads_slowly_is_not_let_go(self, tmp_path: Path) -> None:
        """Or one that it takes."""
        numbers = Numbers(40)

        class Sending(Recorder):
            def connection_made(self) -> None:
                self.push_producer(numbers)
                self.close_when_done()

        log, path = Log(), str(tmp_path / "s")
        with (
            self.serve(Sending, log, path, idle_timeout=IDLE) as address,
            connect(address) as peer,
        ):
            data = b""
            for _ in range(6):
                data += peer.read(2 * numbers.size)
                let_time_pass(IDLE / 4)
            data += peer.read_all()
            assert digest(data) == digest(numbers.all)

    # Pushes from elsewhere

    def test_a_producer_that_is_woken(self) -> None:
        """A producer that has nothing yet is not polled; the hook of another channel wakes it."""
        if not self.world.pushes_from_elsewhere:
            pytest.skip("this world has a thread a channel")
        items: deque[bytes] = deque()
        asked = itertools.count()
        waiting: list[Channel] = []

        class Waiting(Recorder):
            def connection_made(self) -> None:
                waiting.append(self)
                self.push_producer(self.chunks())
                self.push(b"end")
                self.log.add("waiting")

            def chunks(self) -> Iterator[bytes | Pending]:
                chunk = b""
                while chunk != b"stop":
                    next(asked)
                    chunk = items.popleft() if items else b""
                    yield chunk or PENDING

        class Feeding(Recorder):
            def frame_received(self, frame: bytes) -> None:
                items.append(frame)
                waiting[0].output.wake()

        log = Log()
        makers: Iterator[type[Recorder]] = iter([Waiting, Feeding])
        with (
            self.world.channel_server(lambda: next(makers)(log)) as address,
            connect(address) as peer,
            connect(address) as feeder,
        ):
            log.wait("waiting")
            for i in range(20):
                feeder.send(b"item %02d\n" % i)
                assert peer.read(7) == b"item %02d" % i
            feeder.send(b"stop\n")
            assert peer.read(7) == b"stopend"
        assert next(asked) < 100

    def test_a_push_from_another_channel(self) -> None:
        """Everybody in the room hears at once what one of them says; so also when one leaves."""
        if not self.world.pushes_from_elsewhere:
            pytest.skip("this world has a thread a channel")
        room: list[Channel] = []

        class Chat(Recorder):
            def connection_made(self) -> None:
                super().connection_made()
                room.append(self)

            def frame_received(self, frame: bytes) -> None:
                for channel in room:
                    channel.push(frame + b"\n")
                    if frame == b"kick" and channel is not self:
                        channel.close_when_done()
                    elif frame == b"drop" and channel is not self:
                        channel.discard()

            def connection_lost(self, exc: Exception | None) -> None:
                room.remove(self)
                super().connection_lost(exc)

        log = Log()
        with (
            self.serve(Chat, log) as address,
            connect(address) as one,
            connect(address) as two,
            connect(address) as three,
        ):
            log.wait("made", 3)
            for i in range(5):
                for speaker in (one, two, three):
                    speaker.send(b"line %d\n" % i)
                    for peer in (one, two, three):
                        assert peer.read(7) == b"line %d\n" % i
            one.send(b"kick\n")
            assert one.read(5) == two.read_all() == three.read_all() == b"kick\n"
            two.sock.close()
            three.sock.close()
            log.wait("lost", 2)
            with connect(address) as four:
                log.wait("made", 4)
                one.send(b"drop\n")
                assert four.read_until_gone() == b""
                assert one.read(5) == b"drop\n"
                four.sock.close()
                log.wait("lost", 3)
        assert log.all("lost") == [None] * 4

    # TLS

    def test_tls(self) -> None:
        """Lines in records of any size come back."""
        wire, log = b"".join(b"line %d\r\n" % i for i in range(200)), Log()
        with self.serve(Echo, log, tls=True) as address, connect(address, tls=True) as peer:
            peer.send_each(wire[:300])
            peer.send(wire[300:])
            assert peer.read(len(wire)) == wire

    def test_tls_that_ends_properly(self) -> None:
        """Either side says goodbye, so that nobody can cut a conversation short unnoticed."""
        log = Log()
        with self.serve(Echo, log, tls=True) as address:
            with connect(address, tls=True) as peer:
                peer.send(b"x\r\n")
                assert peer.read(3) == b"x\r\n"
                with peer.sock.unwrap():  # type: ignore[attr-defined]  # waits for theirs
                    assert log.wait("lost") is None
            assert [name for name, _ in log.entries] == ["made", "eof", "lost"]

    def test_tls_with_somebody_who_does_not_speak_it(self) -> None:
        """Only that connection ends, and no channel hears its words."""
        log = Log()
        with self.serve(Echo, log, tls=True) as address, connect(address, tls=True) as other:
            with connect(address) as peer:
                peer.send(b"GET / HTTP/1.0\r\n\r\n")
                peer.read_until_gone()
            other.send(b"x\r\n")
            assert other.read(3) == b"x\r\n"
        assert log.all("frame") == []

    def test_tls_with_somebody_who_says_nothing(self) -> None:
        """The idle timeout bounds the handshake, too."""
        log = Log()
        with (
            self.serve(Echo, log, tls=True, idle_timeout=IDLE) as address,
            connect(address) as peer,
        ):
            assert peer.read_until_gone() == b""

    def test_tls_and_a_peer_that_does_not_read(self) -> None:
        """Encrypted output is bounded as well, and all of it comes when it is read."""
        numbers, log = Numbers(200), Log()

        class Sending(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.push_producer(numbers)
                self.close_when_done()

        with self.serve(Sending, log, tls=True) as address, connect(address, tls=True) as peer:
            peer.send(b"x\n")
            assert digest(peer.read_all()) == digest(numbers.all)

    def test_start_tls(self) -> None:
        """What was pushed before is in plain text, all after it encrypted, also a push at once."""
        log = Log()
        with self.serve(Upgrading, log) as address, connect(address) as peer:
            peer.send(b"plain\r\n")
            assert peer.read(7) == b"plain\r\n"
            peer.send(b"STARTTLS\r\n")
            assert peer.sock.recv(65536) == b"220 ready\r\n"
            peer.start_tls()
            assert peer.read(9) == b"welcome\r\n"
            peer.send(b"secret\r\nand more\r\n")
            assert peer.read(18) == b"secret\r\nand more\r\n"
            peer.sock.close()
            log.wait("lost")
        names = [name for name, _ in log.entries]
        assert names[:6] == ["made", "frame", "frame", "tls", "frame", "frame"]
        assert len(log.all("tls")) == len(log.all("lost")) == 1

    def test_start_tls_before_anything_else(self) -> None:
        """The first hook may ask for it; what the peer has sent by then is the handshake's."""

        class Encrypted(Echo):
            def connection_made(self) -> None:
                self.start_tls(server_tls())

        log = Log()
        with self.serve(Encrypted, log) as address:
            for _ in range(5):
                with connect(address, tls=True) as peer:
                    peer.send(b"secret\r\n")
                    assert peer.read(8) == b"secret\r\n"
        assert len(log.all("tls")) == len(log.all("lost")) == 5

    def test_start_tls_as_a_client(self) -> None:
        """A channel may be the one that shakes hands first."""

        class Client(Recorder):
            def connection_made(self) -> None:
                self.push(b"STARTTLS\n")

            def frame_received(self, frame: bytes) -> None:
                super().frame_received(frame)
                if frame == b"220 ready":
                    self.start_tls(client_tls(), server_hostname="localhost")
                else:
                    self.close_when_done()

            def tls_started(self) -> None:
                super().tls_started()
                self.push(b"hello\n")

        log = Log()
        with pair() as (sock, peer), self.world.run_channel(Client(log), sock) as running:
            assert peer.read(9) == b"STARTTLS\n"
            peer.send(b"220 ready\n")
            peer.start_tls(server_side=True)
            assert peer.read(6) == b"hello\n"
            peer.send(b"bye\n")
            assert peer.read_all() == b""
            peer.sock.close()
            running.result()
        assert log.entries == [
            ("frame", b"220 ready"),
            ("tls", None),
            ("frame", b"bye"),
            ("lost", None),
        ]

    def test_start_tls_with_the_wrong_name(self) -> None:
        """A certificate that is not the one asked for ends the conversation."""

        class Client(Recorder):
            def frame_received(self, frame: bytes) -> None:
                self.start_tls(client_tls(), server_hostname="example.org")

        log = Log()
        with pair() as (sock, peer), self.world.run_channel(Client(log), sock) as running:
            peer.send(b"220 ready\n")
            with contextlib.suppress(OSError):
                peer.start_tls(server_side=True)
                peer.read_until_gone()
            peer.sock.close()
            running.result()
            assert isinstance(log.wait("lost"), (ssl.SSLError, *self.world.lost_errors))
        assert log.all("tls") == []

    def test_start_tls_with_words_smuggled_in_behind(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What came in plain text with the request is refused (CVE-2011-0411; A4)."""
        log = Log()
        with self.serve(Upgrading, log) as address, connect(address) as peer:
            peer.send(b"STARTTLS\r\nEVIL\r\n")
            assert peer.read_until_gone() == b""
            assert isinstance(log.wait("lost"), UsageError)
        assert log.all("frame") == [b"STARTTLS"]
        assert [type(error) for error in errors(caplog)] == [UsageError]

    @pytest.mark.parametrize("wait", [False, True])
    def test_start_tls_with_words_smuggled_in_later(
        self, wait: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What comes in plain text after it is taken for a handshake, and fails as such."""
        log = Log()
        with self.serve(Upgrading, log) as address, connect(address) as peer:
            peer.send(b"STARTTLS\r\n")
            if wait:
                assert peer.read_line() == b"220 ready\r\n"
            peer.send(b"EVIL\r\nEVIL\r\n")
            peer.read_until_gone()
            assert log.wait("lost") is not None
        assert log.all("frame") == [b"STARTTLS"]
        assert log.all("tls") == []
        errors(caplog)  # if both came in one read, it is a UsageError

    # Addresses, crowds, and a machine at its limits

    def test_a_unix_socket(self, tmp_path: Path) -> None:
        """A path in place of a host and a port; its socket is gone with the server."""
        path, log = tmp_path / "s", Log()
        with self.serve(Echo, log, str(path)) as address, connect(address) as peer:
            peer.send(b"x\r\n")
            assert peer.read(3) == b"x\r\n"
        with pytest.raises(OSError, match=r"refused|No such file"):
            connect(str(path))

    def test_a_unix_socket_whose_server_died(self, tmp_path: Path) -> None:
        """The socket that it left behind is replaced."""
        path, log = str(tmp_path / "s"), Log()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        with self.serve(Echo, log, path) as address, connect(address) as peer:
            peer.send(b"x\r\n")
            assert peer.read(3) == b"x\r\n"

    def test_ipv6(self) -> None:
        """The same over the other one."""
        log = Log()
        with self.serve(Echo, log, "::1") as address, connect(address) as peer:
            peer.send(b"x\r\n")
            assert peer.read(3) == b"x\r\n"

    def test_many_at_once(self) -> None:
        """Two hundred conversations, interleaved."""
        log = Log()
        with self.serve(Echo, log) as address, contextlib.ExitStack() as stack:
            peers = [stack.enter_context(connect(address)) for _ in range(200)]
            for round_ in range(2):
                for i, peer in enumerate(peers):
                    peer.send(b"%d of %d\r\n" % (i, round_))
                for i, peer in enumerate(reversed(peers)):
                    line = b"%d of %d\r\n" % (199 - i, round_)
                    assert peer.read(len(line)) == line
            assert len(log.all("made")) == 200

    def test_out_of_descriptors(self, caplog: pytest.LogCaptureFixture) -> None:
        """A server that can accept nobody for a while says so, and does when it can again (A7)."""
        log = Log()
        with self.serve(Echo, log) as address, connect(address) as before:
            before.send(b"x\r\n")
            assert before.read(3) == b"x\r\n"
            caplog.clear()
            with Peer(socket.socket()) as peer:
                with no_more_files():
                    peer.sock.connect(address)
                    if not self.world.drops_without_files:
                        wait_until(lambda: caplog.records, "a word in the log")
                    before.send(b"y\r\n")
                    assert before.read(3) == b"y\r\n"
                    # Nor does it fill the log, however long the queue of those who wait may be.
                    assert len(errors(caplog)) <= MANY_ERRORS
                if not self.world.drops_without_files:
                    peer.send(b"z\r\n")
                    assert peer.read(3) == b"z\r\n"
            with connect(address) as later:
                later.send(b"z\r\n")
                assert later.read(3) == b"z\r\n"
        errors(caplog)

    # One conversation alone

    def test_run_channel(self) -> None:
        """It returns at the end of the conversation, and has closed the connection."""
        log = Log()
        with pair() as (sock, peer), self.world.run_channel(Echo(log), sock) as running:
            peer.send(b"x\r\n")
            assert peer.read(3) == b"x\r\n"
            peer.end()
            assert peer.read_all() == b""
            running.result()
            assert sock.fileno() == -1
        assert [name for name, _ in log.entries] == ["made", "eof", "lost"]

    def test_run_channel_with_a_hook_that_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """It raises nothing: the error is the channel's, and is logged."""

        class Faulty(Recorder):
            def frame_received(self, frame: bytes) -> None:
                raise Fault

        log = Log()
        with pair() as (sock, peer), self.world.run_channel(Faulty(log), sock) as running:
            peer.send(b"x\n")
            assert peer.read_until_gone() == b""
            running.result()
        assert isinstance(log.wait("lost"), Fault)
        assert [type(error) for error in errors(caplog)] == [Fault]

    def test_run_channel_with_a_reset(self) -> None:
        """Likewise what the connection does."""
        log = Log()
        with pair(tcp=True) as (sock, peer), self.world.run_channel(Recorder(log), sock) as running:
            peer.send(b"x\nhal")
            log.wait("frame")
            peer.reset()
            running.result()
        assert log.all("frame") == [b"x"]
        assert isinstance(cast("Exception", log.wait("lost")), self.world.lost_errors)

    def test_run_channel_with_a_silent_peer(self) -> None:
        """The idle timeout is there, too."""
        log = Log()
        with (
            pair() as (sock, peer),
            self.world.run_channel(Recorder(log), sock, idle_timeout=IDLE) as running,
        ):
            assert peer.read_until_gone() == b""
            running.result()
        assert isinstance(log.wait("lost"), TimeoutError)

    def test_a_terminator_of_any_kind(self) -> None:
        """To the end of the stream, say: the frame comes with the end, and before `eof`."""

        class ToTheEnd(Recorder):
            terminator: Terminator = None
            max_frame_size = None

        log = Log()
        with self.serve(ToTheEnd, log) as address, connect(address) as peer:
            data = b"x" * MIB
            peer.send(data)
            peer.end()
            assert log.wait("lost") is None
        assert [digest(frame) for frame in log.all("frame")] == [digest(data)]
        assert [name for name, _ in log.entries] == ["made", "frame", "eof", "lost"]
