"""How fast lines come out, against the best that Python can do and against what people use.

    python tests/bench/lines.py [--lines 100000] [--rounds 7]

Every contender gets the same chunks and has to find the same lines.
Rounds are interleaved, so that a busy machine is busy for all of them;
what is printed is the median, in nanoseconds a line, and as a multiple of the limit:
one `bytes.split` a chunk, with no limit on sizes, no end of stream and no types checked.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

from framer import Framer, TerminatorFound

Chunks = list[bytes]

DELIMITER = b"\r\n"
LINE = b"x" * 40 + DELIMITER
CHUNK_SIZES = (65536, 4096, 1460, 17, 1)


def limit(chunks: Chunks) -> int:
    """Split each chunk, and keep the rest for the next one."""
    count, rest = 0, b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(DELIMITER)
        for _ in lines:
            count += 1
    return count


def frames(chunks: Chunks) -> int:
    """Loop over Framer.frames()."""
    count, framer = 0, Framer(DELIMITER)
    for chunk in chunks:
        framer.receive_data(chunk)
        for _ in framer.frames():
            count += 1
    return count


def next_frame(chunks: Chunks) -> int:
    """Call Framer.next_frame() for each line."""
    count, framer = 0, Framer(DELIMITER)
    for chunk in chunks:
        framer.receive_data(chunk)
        while framer.next_frame() is not None:
            count += 1
    return count


def events(chunks: Chunks) -> int:
    """Loop over Framer.events()."""
    count, framer = 0, Framer(DELIMITER)
    for chunk in chunks:
        framer.receive_data(chunk)
        for event in framer.events():
            count += isinstance(event, TerminatorFound)
    return count


def asyncio_streamreader(chunks: Chunks) -> int:
    """Await readuntil() of asyncio.StreamReader; it is fed whenever it runs out."""

    async def read() -> int:
        count, reader = 0, asyncio.StreamReader()
        for chunk in chunks:
            reader.feed_data(chunk)
            complete = chunk.count(LINE[-1])
            for _ in range(complete):
                await reader.readuntil(DELIMITER)
            count += complete
        return count

    return asyncio.run(read())


CONTENDERS: list[Callable[[Chunks], int]] = [
    limit,
    frames,
    next_frame,
    events,
    asyncio_streamreader,
]


def measure(chunks: Chunks, lines: int, rounds: int) -> dict[str, float]:
    """Seconds a contender, the median of the interleaved rounds."""
    seconds: dict[str, list[float]] = {contender.__name__: [] for contender in CONTENDERS}
    for _ in range(rounds):
        for contender in CONTENDERS:
            before = time.perf_counter()
            count = contender(chunks)
            seconds[contender.__name__].append(time.perf_counter() - before)
            if count != lines:
                raise SystemExit(f"{contender.__name__} found {count} lines of {lines}")
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    """Measure, and print one row a chunk size."""
    parser = argparse.ArgumentParser(description="How fast lines come out.")
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"{'chunk':>7}", *(f"{contender.__name__:>21}" for contender in CONTENDERS))
    for size in CHUNK_SIZES:
        lines = options.lines if size > 1 else options.lines // 10
        data = LINE * lines
        chunks = [data[start : start + size] for start in range(0, len(data), size)]
        medians = measure(chunks, lines, options.rounds)
        cells = (
            f"{seconds / lines * 1e9:9.0f} ns {seconds / medians['limit']:6.2f} x"
            for seconds in medians.values()
        )
        print(f"{size:7}", *(f"{cell:>21}" for cell in cells))


if __name__ == "__main__":
    main()
