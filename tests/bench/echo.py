"""How fast bytes go through a server over loopback: framer's adapters, and what people use.

    python tests/bench/echo.py [--quick] [--json FILE] [--only PART ...] [--workload PART ...]

Each server is a process of its own, and so is the load, which is this one:
plain non-blocking sockets and one poll, as cheap as it can be in Python.
It holds every byte that comes back against the one that has to come,
and a server that is wrong, or silent for `PATIENCE` seconds, is out of the table with a reason.

In the echo workloads no connection ever has more lines under way than its window.
As many lines as have come back are sent in one go.
So whoever answers once a read gets a windowful with each read,
and whoever answers once a line pays for a system call, and a wake-up of the load, a line.
Each server is started before the clock, and warmed up.

Where the two processes run counts for more than what they do, and left alone the kernel
decides it anew all the time, so it is said (``--pin``, where there is sched_setaffinity).
With one connection one of them always waits for the other. On one CPU that is a switch,
and what is measured is the work of both. On two it is the wake-up of an idle CPU,
several times the work of a line, and on a virtual machine more: it makes all servers alike.
So one connection is measured both ways; the rest keeps two CPUs busy, and has them.

asynchat leaves Nagle's algorithm on: where many lines are under way the kernel joins its sends,
but the last ones of a round wait for a delayed acknowledgement, some 40 ms.
That is a third of a round of ``--quick``, and makes asynchat look slower than it is; so there
is another, with TCP_NODELAY, which all the rest have, and to say how many times we are faster
takes the faster of the two, and long rounds.

Rounds are interleaved, so that a busy machine is busy for all servers; what is printed is the
median, and how many times that is the median of a baseline in the same rounds.
What cannot be imported here, such as asynchat after Python 3.11, is listed at the end, and why.
It needs epoll or poll, so not Windows, and for the tables the extra `cli`.

A contender takes a `Job`, announces its port, and serves until it is killed::

    @contender("asyncio streams")
    def streams(job: Job) -> None: ...

`WORKLOADS` names those of each workload.
To look into one of them: ``py-spy record -- python tests/bench/echo.py --serve NAME``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import importlib
import json
import mmap
import os
import platform
import random
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from pathlib import Path
from typing import Any

from framer import Channel

HOST = "127.0.0.1"
END = b"\r\n"
SIZE = 40 + len(END)  # of a line
READ = 65536  # bytes to ask for in one read, for all servers that say so
FILE_READ = 262144
PATIENCE = 15.0  # seconds
WARM_UP = 2000  # lines
MOST_LINES = 1_000_000  # in a round
LONGEST_LIFE = 3600  # seconds of a server, should nobody be left to kill it
MIB = 1024 * 1024


# What a server is to do


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """To echo lines, or to send a file to whoever connects."""

    file: str

    def announce(self, port: int) -> None:
        """Tell the load where to connect: the server listens now."""
        print(port, flush=True)

    def channel(self) -> Channel:
        """Make a channel that does the job."""
        return Sender(self.file) if self.file else Echo()


class Echo(Channel):
    terminator = END

    def frame_received(self, frame: bytes) -> None:
        """Send the line back."""
        self.push(frame + END)


class Sender(Channel):
    def __init__(self, path: str) -> None:
        self.path = path

    def connection_made(self) -> None:
        """Send the file."""
        self.push_producer(open(self.path, "rb"))  # noqa: PTH123, SIM115 - the queue closes it
        self.close_when_done()


Contender = Callable[[Job], None]
CONTENDERS: dict[str, Contender] = {}

FRAMER = "framer"
STREAMS = "asyncio streams"
ASYNCHAT = "asynchat"
ASYNCHAT_AT_ONCE = "asynchat, TCP_NODELAY"
SENDFILE = "bare sendfile loop"
READ_AND_SEND = "bare read/send loop"


def contender(name: str) -> Callable[[Contender], Contender]:
    """Register a server by its name in the tables."""

    def register(serve: Contender) -> Contender:
        CONTENDERS[name] = serve
        return serve

    return register


def on_both_loops(
    name: str,
) -> Callable[[Callable[[Job], Coroutine[Any, Any, None]]], None]:
    """Register a coroutine twice: with the loop of asyncio and with that of uvloop."""

    def register(serve: Callable[[Job], Coroutine[Any, Any, None]]) -> None:
        contender(name)(lambda job: asyncio.run(serve(job)))
        contender(f"{name}, uvloop")(lambda job: load("uvloop").run(serve(job)))

    return register


def load(module: str) -> Any:
    """Import what may be missing, when it is its turn; the servers stay small that way."""
    return importlib.import_module(module)


def adapter(name: str) -> Any:
    """Import an adapter."""
    return load(f"framer_adapters.{name}")


# framer


@contender(f"{FRAMER} selectors Channel")
def selectors_channel(job: Job) -> None:
    """Serve a Channel with the selectors adapter."""
    with adapter("selectors").serve_channel(job.channel, HOST, 0) as server:
        job.announce(server.port)
        server.serve_forever()


@on_both_loops(f"{FRAMER} asyncio Channel")
async def asyncio_channel(job: Job) -> None:
    """Serve a Channel with the asyncio adapter."""
    async with await adapter("asyncio").serve_channel(job.channel, HOST, 0) as server:
        job.announce(server.port)
        await server.serve_forever()


@contender(f"{FRAMER} blocking Channel")
def blocking_channel(job: Job) -> None:
    """Serve a Channel with the blocking adapter."""
    with adapter("blocking").serve_channel(job.channel, HOST, 0) as server:
        job.announce(server.port)
        server.serve_forever()


async def in_trio(job: Job, serve: Callable[..., Awaitable[object]], *args: object) -> None:
    """Start a server in a nursery and announce the port of its first listener."""
    async with load("trio").open_nursery() as nursery:
        listeners = await nursery.start(serve, *args)
        job.announce(listeners[0].socket.getsockname()[1])


@contender(f"{FRAMER} trio Channel")
def trio_channel(job: Job) -> None:
    """Serve a Channel with the trio adapter."""
    load("trio").run(in_trio, job, adapter("trio").serve_channel, job.channel, HOST, 0)


async def anyio_channel(job: Job) -> None:
    """Serve a Channel with the anyio adapter."""
    anyio = load("anyio")
    async with anyio.create_task_group() as group:
        listener = await group.start(adapter("anyio").serve_channel, job.channel, HOST, 0)
        job.announce(listener.extra_attributes[anyio.abc.SocketAttribute.local_port]())


@contender(f"{FRAMER} anyio Channel")
def anyio_on_asyncio(job: Job) -> None:
    """Serve a Channel with the anyio adapter, on asyncio."""
    load("anyio").run(anyio_channel, job)


@contender(f"{FRAMER} anyio Channel, uvloop")
def anyio_on_uvloop(job: Job) -> None:
    """Serve a Channel with the anyio adapter, on uvloop."""
    load("uvloop")  # anyio goes on without it
    load("anyio").run(anyio_channel, job, backend_options={"use_uvloop": True})


@contender(f"{FRAMER} anyio Channel, trio")
def anyio_on_trio(job: Job) -> None:
    """Serve a Channel with the anyio adapter, on trio."""
    load("anyio").run(anyio_channel, job, backend="trio")


async def echo_frames(stream: Any) -> None:
    """Handle a FramedStream of any world that waits with await."""
    async for frame in stream:
        await stream.send_frame(frame)


@on_both_loops(f"{FRAMER} asyncio FramedStream")
async def asyncio_stream(job: Job) -> None:
    """Serve a FramedStream with the asyncio adapter."""
    async with await adapter("asyncio").serve(echo_frames, HOST, 0, END) as server:
        job.announce(server.port)
        await server.serve_forever()


@contender(f"{FRAMER} trio FramedStream")
def trio_stream(job: Job) -> None:
    """Serve a FramedStream with the trio adapter."""
    load("trio").run(in_trio, job, adapter("trio").serve, echo_frames, HOST, 0, END)


@contender(f"{FRAMER} blocking FramedStream")
def blocking_stream(job: Job) -> None:
    """Serve a FramedStream with the blocking adapter."""

    def echo(stream: Any) -> None:
        for frame in stream:
            stream.send_frame(frame)

    with adapter("blocking").serve(echo, HOST, 0, END) as server:
        job.announce(server.port)
        server.serve_forever()


# What people use


@on_both_loops(STREAMS)
async def asyncio_streams(job: Job) -> None:
    """Read a line, write it, drain."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    job.announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class EchoLines(asyncio.Protocol):
    """By hand, with a write for each line."""

    transport: Any  # that of uvloop is no asyncio.Transport
    rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Write each line that is complete."""
        *lines, self.rest = (self.rest + data).split(END)
        for line in lines:
            self.transport.write(line + END)


class EchoReads(EchoLines):
    """By hand, with a write for all lines of a read."""

    def data_received(self, data: bytes) -> None:
        """Write all lines that are complete."""
        *lines, self.rest = (self.rest + data).split(END)
        if lines:
            self.transport.write(b"".join([line + END for line in lines]))


async def serve_protocol(job: Job, protocol: type[asyncio.Protocol]) -> None:
    """Serve a protocol of asyncio."""
    server = await asyncio.get_running_loop().create_server(protocol, HOST, 0)
    job.announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


on_both_loops("asyncio.Protocol, a write a line")(lambda job: serve_protocol(job, EchoLines))
on_both_loops("asyncio.Protocol, a write a read")(lambda job: serve_protocol(job, EchoReads))


def serve_asynchat(job: Job, *, no_delay: bool) -> None:
    """Serve lines with the module that Python 3.12 removed."""
    import asynchat  # noqa: PLC0415 - not in every Python
    import asyncore  # noqa: PLC0415

    class Chat(asynchat.async_chat):
        def __init__(self, sock: socket.socket) -> None:
            super().__init__(sock)
            self.set_terminator(END)
            self.line: list[bytes] = []

        def collect_incoming_data(self, data: bytes) -> None:
            self.line.append(data)

        def found_terminator(self) -> None:
            line, self.line = b"".join(self.line), []
            self.push(line + END)

    class Listener(asyncore.dispatcher):
        def handle_accepted(self, sock: socket.socket, addr: object) -> None:
            if no_delay:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Chat(sock)

    listener = Listener()
    listener.create_socket()
    listener.bind((HOST, 0))
    listener.listen(128)
    assert listener.socket is not None
    job.announce(listener.socket.getsockname()[1])
    asyncore.loop()


@contender(ASYNCHAT)
def async_chat(job: Job) -> None:
    """Serve it as it is; so the kernel holds small sends back, to join them (Nagle)."""
    serve_asynchat(job, no_delay=False)


@contender(ASYNCHAT_AT_ONCE)
def async_chat_at_once(job: Job) -> None:
    """Serve it with sockets that send at once, like those of all others here."""
    serve_asynchat(job, no_delay=True)


@contender("Twisted LineOnlyReceiver")
def twisted_lines(job: Job) -> None:
    """Serve a protocol of Twisted in the reactor that it chooses."""
    reactor, protocol = load("twisted.internet.reactor"), load("twisted.internet.protocol")
    basic: Any = load("twisted.protocols.basic")

    class EchoReceiver(basic.LineOnlyReceiver):  # type: ignore[misc]
        def connectionMade(self) -> None:  # noqa: N802 - Twisted's
            self.transport.setTcpNoDelay(True)

        def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's
            self.sendLine(line)

    factory = protocol.Factory.forProtocol(EchoReceiver)
    job.announce(reactor.listenTCP(0, factory, interface=HOST).getHost().port)
    reactor.run()


def serve_trio(job: Job, echo: Callable[[Any], Awaitable[None]]) -> None:
    """Serve a handler of trio streams."""
    trio = load("trio")

    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host=HOST)
        job.announce(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(echo, listeners)

    trio.run(main)


@contender("trio by hand, a send a line")
def trio_lines(job: Job) -> None:
    """Send each line."""

    async def echo(stream: Any) -> None:
        rest = b""
        async for data in stream:
            *lines, rest = (rest + data).split(END)
            for line in lines:
                await stream.send_all(line + END)

    serve_trio(job, echo)


@contender("trio by hand, a send a read")
def trio_reads(job: Job) -> None:
    """Send all lines of a read."""

    async def echo(stream: Any) -> None:
        rest = b""
        async for data in stream:
            *lines, rest = (rest + data).split(END)
            await stream.send_all(b"".join([line + END for line in lines]))

    serve_trio(job, echo)


def serve_threads(job: Job, handle: Callable[[socket.socket], None]) -> None:
    """Serve a handler of sockets, a thread a connection."""

    def run(sock: socket.socket) -> None:
        with sock, contextlib.suppress(ConnectionError):
            handle(sock)

    with socket.create_server((HOST, 0)) as listener:
        job.announce(listener.getsockname()[1])
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=run, args=(sock,), daemon=True).start()


@contender("thread by hand, a send a line")
def thread_lines(job: Job) -> None:
    """Read a line of a buffered file, send it."""

    def echo(sock: socket.socket) -> None:
        with sock.makefile("rb") as lines:
            for line in lines:
                sock.sendall(line)

    serve_threads(job, echo)


@contender("thread by hand, a send a read")
def thread_reads(job: Job) -> None:
    """Send all lines of a read."""

    def echo(sock: socket.socket) -> None:
        rest = b""
        while data := sock.recv(READ):
            *lines, rest = (rest + data).split(END)
            sock.sendall(b"".join([line + END for line in lines]))

    serve_threads(job, echo)


@contender(SENDFILE)
def sendfile(job: Job) -> None:
    """Have the kernel send the file."""

    def send(sock: socket.socket) -> None:
        with Path(job.file).open("rb") as file:
            offset = 0
            while sent := os.sendfile(sock.fileno(), file.fileno(), offset, 1 << 30):
                offset += sent

    serve_threads(job, send)


@contender(READ_AND_SEND)
def read_and_send(job: Job) -> None:
    """Read the file and send it."""

    def send(sock: socket.socket) -> None:
        with Path(job.file).open("rb", buffering=0) as file:
            while data := file.read(READ):
                sock.sendall(data)

    serve_threads(job, send)


# The load


class WrongBytes(Exception):
    """What came is not what had to come."""


Measure = Callable[[int, float], tuple[float, float]]
"""Takes a port and how much to do, about; returns how much was done, and in how many seconds."""


class Peer:
    """A connection of the load; offsets are those of the stream that all connections share."""

    __slots__ = ("end", "received", "sent", "sock")

    def __init__(self, port: int, start: int, end: int) -> None:
        self.sock = socket.create_connection((HOST, port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = self.sent = start
        self.end = end

    def begin(self, stream: bytes) -> None:
        """Have the first line echoed, for that means that the server has accepted us."""
        end = self.sent + SIZE
        self.sock.sendall(stream[self.sent : end])
        echo = b""
        while len(echo) < SIZE and (data := self.sock.recv(READ)):
            echo += data
        if echo != stream[self.sent : end]:
            raise WrongBytes(f"{echo[:60]!r} for the first line")
        self.received = self.sent = end
        self.sock.setblocking(False)

    def finish(self) -> None:
        """Close, and hold the server to having said no more than it should."""
        self.sock.settimeout(PATIENCE)
        self.sock.shutdown(socket.SHUT_WR)
        if extra := self.sock.recv(READ):
            raise WrongBytes(f"{len(extra)} bytes more than were sent")


class Lines:
    """The stream of numbered lines: connection i of n sends the i-th part of it."""

    def __init__(self) -> None:
        self.stream = b""

    def grow(self, lines: int) -> None:
        """Have at least so many lines."""
        have = len(self.stream) // SIZE
        self.stream += b"".join([b"%040d\r\n" % number for number in range(have, lines)])

    def echo(
        self, connections: int, in_flight: int, port: int, amount: float
    ) -> tuple[float, float]:
        """Have about `amount` lines echoed; return how many they were, and the seconds."""
        each = max(int(amount) // connections, in_flight) + 1
        self.grow(each * connections)
        with contextlib.ExitStack() as stack:
            peers = [
                Peer(port, number * each * SIZE, (number + 1) * each * SIZE)
                for number in range(connections)
            ]
            for peer in peers:
                stack.enter_context(peer.sock)
                peer.begin(self.stream)
            seconds = self._run(peers, in_flight * SIZE)
            for peer in peers:
                peer.finish()
        return (each - 1) * connections, seconds

    def _run(self, peers: list[Peer], window: int) -> float:
        stream = self.stream
        by_fd = {peer.sock.fileno(): peer for peer in peers}
        with contextlib.ExitStack() as stack:
            poll = _poller(stack, by_fd)
            left = len(peers)
            before = time.perf_counter()
            for peer in peers:
                may_send = min(peer.sent + window, peer.end)
                peer.sent += peer.sock.send(stream[peer.sent : may_send])
            while left:
                ready = poll()
                if not ready:
                    raise TimeoutError(f"no line came back for {PATIENCE} seconds")
                for fd, _ in ready:
                    peer = by_fd[fd]
                    data = peer.sock.recv(READ)
                    received = peer.received + len(data)
                    if not data or received > peer.sent or stream[peer.received : received] != data:
                        raise WrongBytes(f"{data[:60]!r} at byte {peer.received}")
                    peer.received = received
                    may_send = min(received - received % SIZE + window, peer.end)
                    if peer.sent < may_send:
                        peer.sent += peer.sock.send(stream[peer.sent : may_send])
                    elif received == peer.end:
                        left -= 1
            return time.perf_counter() - before


def _poller(stack: contextlib.ExitStack, fds: Iterable[int]) -> Callable[[], list[tuple[int, int]]]:
    """Return what waits for input on descriptors: epoll, or else poll."""
    if hasattr(select, "epoll"):
        epoll = stack.enter_context(select.epoll())
        for fd in fds:
            epoll.register(fd, select.EPOLLIN)
        return lambda: epoll.poll(PATIENCE)
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return lambda: poll.poll(PATIENCE * 1000)


def download(path: str, port: int, amount: float) -> tuple[float, float]:
    """Receive the file; return its size in MiB, and the seconds."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as wanted:
        before = time.perf_counter()
        with socket.create_connection((HOST, port), PATIENCE) as sock:
            received = 0
            while data := sock.recv(FILE_READ):
                if wanted[received : received + len(data)] != data:
                    raise WrongBytes(f"at byte {received} of the file")
                received += len(data)
        seconds = time.perf_counter() - before
        if received != len(wanted):
            raise WrongBytes(f"{received} bytes of {len(wanted)}")
        return received / MIB, seconds


def write_file(path: str, size: int) -> None:
    """Write a file no two MiB of which are alike."""
    block = random.Random(3).randbytes(MIB - 8)
    with Path(path).open("wb") as file:
        file.writelines(number.to_bytes(8, "big") + block for number in range(size // MIB))


# What is measured


@dataclasses.dataclass(frozen=True, slots=True)
class Workload:
    """Who does what, and against whom that is held."""

    name: str
    unit: str
    contenders: list[str]
    baselines: tuple[str, ...]
    pin: str
    connections: int = 0  # 0: it is the file
    in_flight: int = 0


FOR_FILES = [
    f"{FRAMER} selectors Channel",
    f"{FRAMER} asyncio Channel",
    f"{FRAMER} asyncio Channel, uvloop",
    f"{FRAMER} blocking Channel",
    f"{FRAMER} trio Channel",
    f"{FRAMER} anyio Channel",
    SENDFILE,
    READ_AND_SEND,
]
FOR_LINES = [name for name in CONTENDERS if name not in {SENDFILE, READ_AND_SEND}]


def echo(name: str, connections: int, in_flight: int, pin: str = "apart") -> Workload:
    """Describe an echo workload."""
    return Workload(
        name,
        "lines/s",
        FOR_LINES,
        (STREAMS, ASYNCHAT, ASYNCHAT_AT_ONCE),
        pin,
        connections,
        in_flight,
    )


WORKLOADS = [
    echo("1 connection, 128 lines in flight, on one CPU", 1, 128, "together"),
    echo("1 connection, 128 lines in flight, on two CPUs", 1, 128),
    echo("64 connections, 16 lines in flight each", 64, 16),
    echo("request and response, 1 connection, on one CPU", 1, 1, "together"),
    echo("request and response, 1 connection, on two CPUs", 1, 1),
    echo("request and response, 64 connections", 64, 1),
    Workload("a file by producer", "MiB/s", FOR_FILES, (SENDFILE, READ_AND_SEND), "apart"),
]

PINS = {"apart": (0, 1), "together": (0, 0), "no": (None, None)}
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(nth: int | None, process: int = 0) -> None:
    """Keep a process, or this one, on the n-th CPU that this one had; None: on any of them."""
    if CPUS:
        os.sched_setaffinity(process, CPUS if nth is None else {CPUS[nth % len(CPUS)]})


class Server:
    """A contender in a process of its own.

    Attributes:
        port: where it listens; 0 if it does not.
        reason: why it is out of the race; empty if it is not.
    """

    def __init__(self, name: str, file: str, cpu: int | None) -> None:
        self.name = name
        self.reason = ""
        self.port = 0
        self.rates: list[float] = []
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - close() closes it
        self.process = subprocess.Popen(
            [
                sys.executable,
                __file__,
                "--serve",
                name,
                "--file",
                file,
            ],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        pin(cpu, self.process.pid)

    def wait(self) -> None:
        """Wait until it listens, or has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            self.port = int(line)
        else:
            self.errors.seek(0)
            self.reason = ["it said nothing", *self.errors.read().strip().split("\n")][-1]

    def round(self, measure: Measure, amount: float) -> float:
        """Measure once; return the rate, or 0 if it is out of the race from now on."""
        if self.reason:
            return 0
        try:
            done, seconds = measure(self.port, amount)
        except (WrongBytes, OSError) as exc:
            self.reason = f"{type(exc).__name__}: {exc}"
            return 0
        return done / seconds

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How long to measure, and which servers."""

    rounds: int
    seconds: float  # a round
    file_size: int
    only: list[str]
    workloads: list[str]
    pinned: str | None

    def pin(self, workload: Workload) -> tuple[int | None, int | None]:
        """Return the CPU of the load and that of the server."""
        return PINS[self.pinned or workload.pin]

    def contenders(self, workload: Workload) -> list[str]:
        """Choose from those of a workload; the baselines are always in."""
        return [
            name
            for name in workload.contenders
            if name in workload.baselines
            or not self.only
            or any(part.lower() in name.lower() for part in self.only)
        ]

    def chosen(self) -> list[Workload]:
        """Choose from the workloads."""
        return [
            workload
            for workload in WORKLOADS
            if not self.workloads or any(part in workload.name for part in self.workloads)
        ]


Tell = Callable[[str], None]


def run(workload: Workload, options: Options, lines: Lines, tell: Tell) -> list[Server]:
    """Measure all contenders of a workload in turns; those with no port have a reason instead."""
    with contextlib.ExitStack() as stack:
        path = ""
        if not workload.connections:
            path = str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "file")
            write_file(path, options.file_size)
        cpus = options.pin(workload)
        pin(cpus[0])
        servers = [Server(name, path, cpus[1]) for name in options.contenders(workload)]
        for server in servers:
            stack.callback(server.close)
        for server in servers:
            server.wait()

        def measure(port: int, amount: float) -> tuple[float, float]:
            if path:
                return download(path, port, amount)
            return lines.echo(workload.connections, workload.in_flight, port, amount)

        amounts: dict[str, float] = {}
        for server in servers:
            tell(f"{server.name}, warming up")
            rate = server.round(measure, WARM_UP)
            amounts[server.name] = min(rate * options.seconds, MOST_LINES)
        for number in range(options.rounds):
            for server in servers:
                tell(f"{server.name}, round {number + 1}")
                if rate := server.round(measure, amounts[server.name]):
                    server.rates.append(rate)
    return servers


def median(server: Server) -> float:
    """Return the rate to show; 0 for a server that is out of the race."""
    return 0 if server.reason else statistics.median(server.rates)


def show(console: Any, workload: Workload, servers: list[Server]) -> None:
    """Print the table of a workload."""
    from rich.table import Table  # noqa: PLC0415 - servers do without it

    against = {server.name: median(server) for server in servers}
    table = Table(title=workload.name, title_justify="left", title_style="bold")
    table.add_column("server", no_wrap=True)
    table.add_column(f"{workload.unit}, median", justify="right")
    table.add_column("slowest to fastest", justify="right")
    for name in workload.baselines:
        table.add_column(f"x {name}", justify="right")
    for server in sorted(servers, key=median, reverse=True):
        if server.reason:
            continue
        rate = median(server)
        ratios = [
            f"{rate / against[name]:.2f}" if against[name] else "-" for name in workload.baselines
        ]
        spread = f"{min(server.rates):,.0f} to {max(server.rates):,.0f}"
        style = "green" if server.name.startswith(FRAMER) else None
        table.add_row(server.name, f"{rate:,.0f}", spread, *ratios, style=style)
    console.print(table)
    for server in servers:
        if server.reason:
            what = "failed" if server.port else "skipped"
            console.print(f"{what}: {server.name}: {server.reason}", style="yellow", markup=False)
    console.print()


def report(workload: Workload, options: Options, servers: list[Server]) -> dict[str, object]:
    """Return what the table says, for JSON."""
    return {
        "workload": workload.name,
        "unit": workload.unit,
        "pinned": options.pinned or workload.pin,
        "connections": workload.connections,
        "in_flight": workload.in_flight,
        "medians": {server.name: median(server) for server in servers if not server.reason},
        "rounds": {server.name: server.rates for server in servers if not server.reason},
        "failed": {s.name: s.reason for s in servers if s.reason and s.port},
        "skipped": {s.name: s.reason for s in servers if s.reason and not s.port},
    }


@contextlib.contextmanager
def progress(total: int) -> Generator[Tell]:
    """Give a function to call before each round with what comes now; it draws on stderr."""
    from rich.console import Console  # noqa: PLC0415 - servers do without it
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=total)

        def tell(what: str) -> None:
            bar.update(task, description=what, refresh=True)
            bar.advance(task)

        yield tell


def compare(options: Options) -> list[dict[str, object]]:
    """Measure all workloads, and print each when it is done."""
    from rich.console import Console  # noqa: PLC0415 - servers do without it

    console, lines = Console(width=None if sys.stdout.isatty() else 110), Lines()
    reports: list[dict[str, object]] = []
    chosen = options.chosen()
    total = sum(len(options.contenders(workload)) for workload in chosen) * (options.rounds + 1)
    with progress(total) as tell:
        for workload in chosen:
            servers = run(workload, options, lines, tell)
            show(console, workload, servers)
            reports.append(report(workload, options, servers))
    return reports


def serve(name: str, file: str) -> None:
    """Be one of the servers, until somebody kills it."""
    signal.alarm(LONGEST_LIFE)
    CONTENDERS[name](Job(file))


def main() -> None:
    """Measure, print the tables, and write them as JSON if that is wanted."""
    parser = argparse.ArgumentParser(description="How fast bytes go through a server.")
    parser.add_argument("--quick", action="store_true", help="short rounds, and few")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0, help="of a round of lines")
    parser.add_argument("--only", nargs="+", default=[], help="servers by part of the name")
    parser.add_argument("--workload", nargs="+", default=[], help="workloads by part of the name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--serve", choices=CONTENDERS, metavar="NAME", help="be that server")
    parser.add_argument("--file", default="", help="what to send when serving; empty: echo lines")
    parser.add_argument("--pin", choices=PINS, help="how to share out CPUs, for all workloads")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.file)
        return
    quick: bool = arguments.quick
    options = Options(
        rounds=arguments.rounds or (3 if quick else 7),
        seconds=arguments.seconds or (0.1 if quick else 1.0),
        file_size=(128 if quick else 1024) * MIB,
        only=arguments.only,
        workloads=arguments.workload,
        pinned=arguments.pin,
    )
    reports = compare(options)
    if arguments.json:
        machine = {"python": sys.version, "platform": platform.platform(), "cpus": os.cpu_count()}
        arguments.json.write_text(
            json.dumps({**machine, "quick": quick, "workloads": reports}, indent=2) + "\n"
        )
    if any(workload["failed"] for workload in reports):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
