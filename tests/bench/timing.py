"""How long each contender takes for each workload in each size of chunks.

First every contender has to hand over every payload, or it is out.
Then all of them run by turns, round after round, so that a busy machine is busy for all;
the median of a contender's rounds counts, in time of the CPU, for nothing here waits.
The fastest of the bare loops is the limit.

In the timed rounds ``take`` is `callable`, the cheapest function of one argument that there is.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import statistics
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.bare import BARE
from bench.ours import OURS
from bench.rivals import RIVALS, Missing
from bench.workloads import Workload, cut

from framer import Data, TerminatorFound

__all__ = ["Cell", "Wrong", "check", "contenders", "measure", "total_bytes"]

Take = Callable[[Any], object]
Run = Callable[[Sequence[bytes], Take], None]

PATIENCE = 2  # seconds, for the first run of a contender


class Wrong(AssertionError):
    """A contender did not give the payloads."""


class TooSlow(Exception):
    """A contender did not end in time."""


@dataclass
class Cell:
    """One workload in chunks of one size."""

    workload: str
    chunk_size: int
    frames: int
    nanoseconds: dict[str, float] = field(default_factory=dict[str, float])
    left_out: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def limit(self) -> float:
        """Nanoseconds a frame of the fastest bare loop."""
        return min(value for name, value in self.nanoseconds.items() if name.startswith("bare "))

    def ratio(self, name: str) -> float:
        """How many times the limit."""
        return self.nanoseconds[name] / self.limit


def total_bytes(workload: Workload, chunk_size: int, *, quick: bool) -> int:
    """How long a stream is: some milliseconds for the fastest.

    The one line of 64 MiB has 16 MiB in a quick run, and a quarter of one in chunks of 17 and 1.
    """
    if workload.size > 1 << 20:
        large = workload.size // 4 if quick else workload.size
        return large if chunk_size > 17 else 1 << 18
    total = {17: 1 << 18, 1: 1 << 16}.get(chunk_size, 1 << 21)
    return total // 4 if quick else total


def contenders(workload: Workload) -> dict[str, Run]:
    """All that take part in this workload, by name."""
    bare = {f"bare {run.__name__}": run for run in BARE[workload.kind]}
    ours = {f"framer {run.__name__}": partial(run, workload) for run in OURS[workload.kind]}
    rivals = {
        run.__name__.replace("_", " "): partial(run, workload)
        for run in RIVALS.get(workload.kind, ())
    }
    return {**bare, **ours, **rivals}


def check(run: Run, chunks: Sequence[bytes], payloads: Sequence[bytes]) -> None:
    """Raise unless a contender gives the very payloads."""
    taken: list[Any] = []
    run(chunks, taken.append)
    if taken and isinstance(taken[0], (Data, TerminatorFound)):
        taken = list(_joined(taken))
    if taken != payloads:
        good = sum(1 for a, b in zip(taken, payloads, strict=False) if a == b)
        raise Wrong(f"{len(taken)} payloads of {len(payloads)}, {good} of them right")


def _joined(events: Sequence[Any]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    for event in events:
        if isinstance(event, Data):
            pieces.append(event.chunk)
        else:
            yield b"".join(pieces)
            pieces.clear()


def measure(
    workload: Workload,
    chunk_size: int,
    *,
    rounds: int,
    quick: bool,
    without: Collection[str] = (),
) -> Cell:
    """Check all contenders but those *without* which it is to be, then measure them."""
    payloads = workload.payloads(total_bytes(workload, chunk_size, quick=quick))
    chunks = cut(workload.encode(payloads), chunk_size)
    cell = Cell(workload.name, chunk_size, len(payloads))
    runs: dict[str, Run] = {}
    for name, run in contenders(workload).items():
        if name in without:
            cell.left_out[name] = "takes too long"
            continue
        try:
            with _alarm(PATIENCE):
                check(run, chunks, payloads)
            runs[name] = run
        except (Missing, TooSlow) as error:
            cell.left_out[name] = str(error) or f"takes more than {PATIENCE} s"
    del payloads
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    gc.freeze()
    if workload.size > 1 << 20:
        rounds = 1 if quick else 3  # A second each
    for _ in range(rounds):
        for name, run in runs.items():
            before = time.process_time()
            run(chunks, callable)
            seconds[name].append(time.process_time() - before)
    gc.unfreeze()
    for name, times in seconds.items():
        cell.nanoseconds[name] = statistics.median(times) / cell.frames * 1e9
    return cell


@contextlib.contextmanager
def _alarm(seconds: int) -> Generator[None]:
    """Raise TooSlow after so long, where the platform can."""

    def ring(number: int, frame: object) -> None:
        raise TooSlow

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
