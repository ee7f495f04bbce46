"""What idle connections cost: memory, and the time of the one that is served among them.

    python tests/bench/idle.py [--connections 10000] [--quick] [--json FILE] [--only PART ...]

The servers are those of echo.py, each in a process of its own (``echo.py --serve NAME``).
One connection asks and is answered, a line at a time: how long that takes is measured
while it is alone, and again when all the others are there.
Each of these has had one line echoed, so it is not merely in the kernel's queue, and then
says nothing. Every line that comes back is held against the one that went out.

Memory is what the process has resident (VmRSS) with them less what it had before, a connection;
the buffers of the kernel are not in it, and are the same for all servers.
Both processes are kept on one CPU, where that can be said,
because waking another one takes longer than the answer, and hardly ever the same time.

The limit of open files is raised as far as this process may; if that does not do
for so many connections, it says so and has as many as it can.
It needs /proc, so it is for Linux, and for the table the extra `cli`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
LINE = b"%040d\r\n"
PATIENCE = 30.0  # seconds
BATCH = 64  # connections to open before each of them is answered: asyncio's backlog is 100
PER_ADDRESS = 10_000  # connections from one address: some 28 000 ports are to be had
SPARE_FILES = 64  # for all that is no connection
SETTLING = 200  # requests before the clock

CONTENDERS = [
    "framer selectors Channel",
    "framer asyncio Channel",
    "framer asyncio Channel, uvloop",
    "asyncio streams",
    "asyncio streams, uvloop",
    "asyncio.Protocol, a write a read",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds from a line to its echo."""

    p50: float
    p99: float


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What one server had to say for itself."""

    server: str
    connections: int
    bytes_a_connection: float
    alone: Latency
    among_idle: Latency


class Skipped(Exception):
    """The server cannot run here, or is wrong."""


Tell = Callable[[str], None]


def raise_limit(wanted: int) -> int:
    """Let this process and the servers have so many connections; return how many they may have."""
    files = wanted + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        # Only root may raise the hard limit.
        for limits in ((files, max(hard, files)), (min(files, hard), hard)):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                break
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)


@contextlib.contextmanager
def started(name: str) -> Generator[tuple[subprocess.Popen[str], int]]:
    """Start a server of echo.py; give its process and its port."""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("echo.py"), "--serve", name],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield process, _port(process, errors)
        finally:
            process.kill()


def _port(process: subprocess.Popen[str], errors: IO[str]) -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        errors.seek(0)
        raise Skipped(["it said nothing", *errors.read().strip().split("\n")][-1])
    return int(line)


def resident(process: subprocess.Popen[str]) -> int:
    """Return how many bytes of memory a process has resident."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Skipped("the server is gone")


def connect(port: int, number: int) -> socket.socket:
    """Open the n-th connection, from one of the addresses of the loopback network."""
    source = (f"127.0.0.{2 + number // PER_ADDRESS}", 0)
    sock = socket.create_connection((HOST, port), PATIENCE, source)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def hold(sock: socket.socket, line: bytes) -> None:
    """Receive the echo of a line."""
    echo = b""
    while len(echo) < len(line):
        data = sock.recv(65536)
        if not data:
            raise Skipped("the server has closed a connection")
        echo += data
    if echo != line:
        raise Skipped(f"{line!r} came back as {echo!r}")


def ask(sock: socket.socket, requests: int, numbers: Iterator[int]) -> Latency:
    """Send a line, wait for its echo, and so on."""
    nanoseconds: list[int] = []
    for number in itertools.islice(numbers, requests):
        line = LINE % number
        before = time.perf_counter_ns()
        sock.sendall(line)
        hold(sock, line)
        nanoseconds.append(time.perf_counter_ns() - before)
    percentiles = statistics.quantiles(nanoseconds, n=100)
    return Latency(percentiles[49] / 1000, percentiles[98] / 1000)


def warm_up(port: int, numbers: Iterator[int]) -> None:
    """Have one conversation from beginning to end.

    It is the end that counts. asyncio reads into 256 KiB, which glibc maps and unmaps
    for each read, until a read that brought nothing, such as the last one, has taught it better.
    Before that a request takes twice the time.
    """
    with connect(port, 0) as sock:
        ask(sock, SETTLING, numbers)
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1):
            raise Skipped("it said more than it was asked")


def fill(
    stack: contextlib.ExitStack, port: int, connections: int, numbers: Iterator[int]
) -> Iterator[int]:
    """Open connections that are idle after one line; give how many there are now and then."""
    for start in range(0, connections, BATCH):
        batch: list[tuple[socket.socket, bytes]] = []
        for number in range(start, min(start + BATCH, connections)):
            sock, line = stack.enter_context(connect(port, number)), LINE % next(numbers)
            sock.sendall(line)
            batch.append((sock, line))
        for sock, line in batch:
            hold(sock, line)
        yield start + len(batch)


def measure(name: str, connections: int, requests: int, tell: Tell) -> Cost:
    """Measure one server."""
    numbers = itertools.count()
    # The connections are closed when the server is gone.
    with contextlib.ExitStack() as stack, started(name) as (process, port):
        warm_up(port, numbers)
        served = stack.enter_context(connect(port, 0))
        ask(served, SETTLING, numbers)
        tell(f"{name}, alone")
        alone = ask(served, requests, numbers)
        before = resident(process)
        for count in fill(stack, port, connections - 1, numbers):
            tell(f"{name}, {count} idle")
        memory = (resident(process) - before) / (connections - 1)
        ask(served, SETTLING, numbers)
        tell(f"{name}, among the idle")
        among_idle = ask(served, requests, numbers)
    return Cost(name, connections, memory, alone, among_idle)


@contextlib.contextmanager
def progress() -> Generator[Tell]:
    """Give a function to call with what comes now; it draws on stderr."""
    from rich.console import Console  # noqa: PLC0415 - the figures come without it

    with Console(stderr=True).status("") as status:
        yield status.update


def show(costs: list[Cost], skipped: dict[str, str]) -> None:
    """Print the table."""
    from rich.console import Console  # noqa: PLC0415 - the figures come without it
    from rich.table import Table  # noqa: PLC0415

    connections = max((cost.connections for cost in costs), default=0)
    console = Console(width=None if sys.stdout.isatty() else 110)
    table = Table(title=f"{connections:,} connections, one of them served")
    table.add_column("server", no_wrap=True)
    table.add_column("bytes a connection", justify="right")
    for when in ("alone", "among idle"):
        for percentile in ("p50", "p99"):
            table.add_column(f"{percentile} {when}, us", justify="right")
    for cost in costs:
        latencies = (cost.alone.p50, cost.alone.p99, cost.among_idle.p50, cost.among_idle.p99)
        table.add_row(
            cost.server,
            f"{cost.bytes_a_connection:,.0f}",
            *(f"{latency:.1f}" for latency in latencies),
        )
    if costs:
        console.print(table)
    for name, reason in skipped.items():
        console.print(f"skipped: {name}: {reason}", style="yellow", markup=False)


def main() -> None:
    """Measure, print the table, and write it as JSON if that is wanted."""
    parser = argparse.ArgumentParser(description="What idle connections cost.")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=0, help="to measure the latency with")
    parser.add_argument("--quick", action="store_true", help="few requests")
    parser.add_argument("--only", nargs="+", default=[""], help="servers by part of the name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    connections = raise_limit(options.connections)
    if connections < options.connections:
        print(f"this machine allows {connections} connections, not {options.connections}")
    if connections < 2:
        raise SystemExit("there have to be two: one that is served, and one that is idle")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    costs: list[Cost] = []
    skipped: dict[str, str] = {}
    with progress() as tell:
        for name in CONTENDERS:
            if not any(part.lower() in name.lower() for part in options.only):
                continue
            requests = options.requests or (1000 if options.quick else 10_000)
            try:
                costs.append(measure(name, connections, requests, tell))
            except (Skipped, OSError) as exc:
                skipped[name] = str(exc)
    show(costs, skipped)
    if options.json:
        figures = {
            "python": sys.version,
            "platform": platform.platform(),
            "connections": connections,
            "servers": [dataclasses.asdict(cost) for cost in costs],
            "skipped": skipped,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
