"""Soak an adapter: ``make soak MINUTES=5 ADAPTER=trio CONNECTIONS=5000``.

A server runs in a process of its own, and peers of all kinds (see clients.py) come and go,
as many at a time as is asked for, in rounds of half a minute.
In the middle of each round the server is left without descriptors for a while.
After each round all peers leave, and then it is counted: conversations, objects, descriptors,
threads, memory. Nothing may be lost, and nothing may be left.

Everything is on 127.0.0.1, and bounded in time and in number. The same seed draws the same peers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from soak.clients import KINDS, Client
from soak.server import ADAPTERS, HOST, IDLE_TIMEOUT, LINE

ROUND = 30.0
"""Seconds of coming and going in a round."""

STARVED = (0.5, 0.6)
"""From which part of a round to which there are no descriptors."""

LEAVING = 120.0
"""For how many seconds the peers may still be there after that."""

COMING = 1000
"""How many of the connections at a time are of peers that come and go; the others are lodgers."""

RATE = 400
"""How many peers may come in a second …"""

AT_ONCE = 100
"""… and at once, should this process have stood still."""

GROWTH = 16 << 20
"""How many bytes the server may grow from the end of the first round to that of the last."""

SHARE = 512 << 10
"""How many bytes a connection may cost at the worst: a frame, the queue, one read, and overhead."""

THREADED = 1000
"""How many connections at the most where each has a thread."""

TURNS_AWAY = {"uvloop"}
"""Where who comes while there are no descriptors is closed at once, and not kept waiting.

It is libuv that does; the adapter never hears of it. Whoever was heard is not excused by this.
"""

AFTERWARDS = 2.0
"""How many seconds later a peer may come to know of it."""


@dataclass
class Tally:
    """What came of it."""

    adapter: str
    ended: Counter[str] = field(default_factory=Counter[str])
    turned_away: int = 0
    verified: int = 0
    problems: list[str] = field(default_factory=list[str])
    rounds: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gap: float = 0.0  # the longest time in which we did nothing ourselves

    def note(self, client: Client, *, starved: bool) -> None:
        """A peer has ended, perhaps while the server had no descriptors."""
        self.ended[client.kind] += 1
        self.verified += client.verified
        if client.outcome and not client.verified and starved and self.adapter in TURNS_AWAY:
            self.turned_away += 1
        elif client.outcome and len(self.problems) < 20:
            self.problems.append(client.outcome)


class Server:
    """The process that is soaked."""

    def __init__(self, adapter: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "soak.server", adapter]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        try:
            self.ports: list[int] = list(self._answer().values())
        except BaseException:
            self.__exit__()
            raise

    def ask(self, command: str) -> dict[str, Any]:
        """Give a command, and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server has died, with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Crowd:
    """The peers that are there, and the selector that drives them."""

    def __init__(self, ports: list[int], seed: int, tally: Tally) -> None:
        self.random = random.Random(seed)
        self.ports = ports
        self.tally = tally
        self.selector = selectors.DefaultSelector()
        self.clients: dict[Client, int] = {}  # and what each of them waits for
        self.swept = self.turned = time.monotonic()
        self.starved = 0.0  # when the server had no descriptors last

    def turn(self) -> None:
        """Let whoever can do something."""
        found = self.selector.select(0.02)
        now = time.monotonic()
        self.tally.gap = max(self.tally.gap, now - self.turned)
        self.turned = now
        for key, events in found:
            client: Client = key.data
            if events & selectors.EVENT_READ and client.outcome is None:
                client.read(now)
            if events & selectors.EVENT_WRITE and client.outcome is None:
                client.write(now)
            self.see(client, now)
        if now - self.swept > 0.1:
            self.swept = now
            for client in list(self.clients):
                client.tick(now)
                self.see(client, now)

    def come(self, kind: str | None = None) -> None:
        """Have one more, of any kind."""
        kind = kind or self.random.choices(list(KINDS), list(KINDS.values()))[0]
        address = (HOST, self.random.choice(self.ports))
        client = Client(kind, address, LINE, self.random.getrandbits(64), time.monotonic())
        self.clients[client] = 0
        self._wait_for(client, selectors.EVENT_WRITE)

    def see(self, client: Client, now: float) -> None:
        """Take note that it has ended, or of what it waits for."""
        if client.outcome is None:
            read = selectors.EVENT_READ if client.wants_read(now) else 0
            self._wait_for(client, read | (selectors.EVENT_WRITE if client.wants_write(now) else 0))
        elif client in self.clients:
            self._wait_for(client, 0)
            del self.clients[client]
            client.close()
            self.tally.note(client, starved=now - self.starved < AFTERWARDS)

    def _wait_for(self, client: Client, events: int) -> None:
        before, self.clients[client] = self.clients[client], events
        if not before and events:
            self.selector.register(client.sock, events, client)
        elif before and not events:
            self.selector.unregister(client.sock)
        elif before != events:
            self.selector.modify(client.sock, events, client)


def soak_round(server: Server, crowd: Crowd, connections: int, seconds: float) -> Iterator[float]:
    """Have peers come and go, then have them leave; say how far the round is."""
    for number in range(connections - COMING):
        crowd.come("lodger")
        if not number % AT_ONCE:
            crowd.turn()
            yield 0.0
    begin = time.monotonic()
    came, starving = 0, False
    while (elapsed := time.monotonic() - begin) < seconds:
        if starving != (STARVED[0] <= elapsed / seconds < STARVED[1]):
            starving = not starving
            server.ask("limit" if starving else "unlimit")
        for _ in range(min(int(elapsed * RATE) - came, connections - len(crowd.clients), AT_ONCE)):
            crowd.come()
        came = int(elapsed * RATE)  # who did not fit in does not come later
        if starving:
            crowd.starved = time.monotonic()
        crowd.turn()
        yield elapsed / seconds
    if starving:
        server.ask("unlimit")
    for client in crowd.clients:
        if client.kind == "lodger":
            client.leave()
    while crowd.clients and time.monotonic() - begin < seconds + LEAVING:
        crowd.turn()
        yield 1.0
    for client in list(crowd.clients):
        client.fail("it is still there", reset=True)
        crowd.see(client, time.monotonic())


def settle(server: Server, before: dict[str, Any], tally: Tally) -> None:
    """Wait until the server has nothing left of a round, and say what it still has."""
    deadline = time.monotonic() + 3 * IDLE_TIMEOUT
    while (problems := left(now := server.ask("stats"), before)) and time.monotonic() < deadline:
        time.sleep(0.2)
    tally.rounds.append(now)
    tally.problems += problems
    tally.problems += [f"the server complains: {fault}" for fault in now["faults"]]


def left(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """List what is there and should not be."""
    found: list[str] = [f"{now['open']} conversations are open"] if now["open"] else []
    found += [
        f"{now[name]} {name}, where there were {before[name]}"
        for name in ("descriptors", "threads")
        if now[name] > before[name]
    ]
    found += [
        f"{count} objects of {kind} are alive"
        for kind, count in now["alive"].items()
        if count > before["alive"][kind]
    ]
    return found


def judge(tally: Tally, before: dict[str, Any]) -> None:
    """Look at the memory, and whether there was anything to look at."""
    first, last = tally.rounds[0], tally.rounds[-1]
    if last["rss"] - first["rss"] > GROWTH:
        tally.problems.append(f"memory grew from {first['rss']:,} to {last['rss']:,} bytes")
    if last["peak"] - before["rss"] > SHARE * last["most"]:
        tally.problems.append(f"{last['peak']:,} bytes at the worst for {last['most']} connections")
    if not (tally.verified and last["frames"]):
        tally.problems.append("nothing was echoed at all")
    if tally.gap > IDLE_TIMEOUT / 2:
        tally.problems.append(f"void: the peers themselves stood still for {tally.gap:.1f} seconds")


def soak(adapter: str, options: argparse.Namespace, progress: Progress) -> Tally:
    """Soak one adapter."""
    tally = Tally(adapter)
    connections = min(options.connections, THREADED if adapter == "blocking" else 1 << 20)
    seconds = options.minutes * 60
    rounds = max(round(seconds / (ROUND + 15)), 2)
    task = progress.add_task(adapter, total=rounds, open=0, ended=0, verified=0, note="")
    with Server(adapter) as server:
        before = server.ask("stats")
        crowd = Crowd(server.ports, options.seed, tally)
        for number in range(rounds):
            for part in soak_round(server, crowd, connections, min(ROUND, seconds / rounds)):
                progress.update(
                    task,
                    completed=number + part * 0.9,
                    open=len(crowd.clients),
                    ended=tally.ended.total(),
                    verified=tally.verified / 1e6,
                )
            settle(server, before, tally)
            rss = tally.rounds[-1]["rss"] / 1e6
            progress.update(task, completed=number + 1, note=f"{rss:.0f} MB after a round")
        crowd.selector.close()
    judge(tally, before)
    return tally


def report(tally: Tally, console: Console) -> None:
    """Say what came of it, in figures and in words."""
    last = tally.rounds[-1]
    sizes = " ".join(f"{each['rss'] / 1e6:.0f}" for each in tally.rounds)
    console.print(
        f"\n[bold]{tally.adapter}[/bold]: {tally.ended.total():,} peers, "
        f"{last['most']:,} at a time, {last['frames']:,} frames, "
        f"{tally.verified / 1e6:,.1f} MB came back as they should; "
        f"{last['starved']} accepts without descriptors, {tally.turned_away} turned away; "
        f"{last['descriptors']} descriptors; {last['peak'] / 1e6:.0f} MB at the worst, "
        f"after each round {sizes} MB",
        highlight=False,
    )
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(tally.ended.items()))
    console.print(f"  {kinds}", highlight=False)
    for problem in tally.problems:
        console.print(f"  problem: {problem}", style="red", markup=False)


def main() -> int:
    """Read the arguments, and soak; the status is how many adapters have a problem."""
    parser = argparse.ArgumentParser(prog="soak", description="Soak the adapters.")
    parser.add_argument("adapters", nargs="*", metavar="ADAPTER", help=", ".join(ADAPTERS))
    parser.add_argument("--minutes", type=float, default=2.0, help="for each adapter; default 2")
    parser.add_argument("--connections", type=int, default=1000, help="at a time; default 1000")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := set(options.adapters) - set(ADAPTERS):
        parser.error(f"no adapter {', '.join(sorted(unknown))}: there are {', '.join(ADAPTERS)}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.connections + 100 > hard:
        parser.error(f"{options.connections} connections want more than {hard} descriptors")
    console = Console()
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[open]:>5,} open {task.fields[ended]:>7,} ended"),
        TextColumn("{task.fields[verified]:>7,.1f} MB {task.fields[note]}"),
        TimeElapsedColumn(),
    )
    bad = 0
    with Progress(*columns, console=console) as progress:
        for adapter in options.adapters or ADAPTERS:
            tally = soak(adapter, options, progress)
            report(tally, console)
            bad += bool(tally.problems)
    return bad


if __name__ == "__main__":
    sys.exit(main())
