"""How time grows with the input, for what brings others to their knees: straight lines."""

from __future__ import annotations

import time
from collections.abc import Callable

from framer import Framer, LengthPrefix

__all__ = ["growth"]

STEPS = (1, 2, 3, 4, 6, 8)
ROUNDS = 3


def growth(*, quick: bool) -> dict[str, list[tuple[int, float]]]:
    """For each kind of attack, (bytes, seconds of the CPU), the best of some runs.

    The sizes take turns, so that a machine that is slow for a while is slow for all of them.
    """
    scale = 1 if quick else 4
    attacks: dict[str, tuple[int, Callable[[int], None]]] = {
        "one long line, a byte at a time": (20_000, _single_bytes),
        "empty frames in one feed": (100_000, _empty_lines),
        "empty frames with a prefix": (100_000, _empty_prefixed),
        "b'a' * 4000 + b'b' against a stream of a": (100_000, _hostile),
        "bare LF where CRLF is meant": (100_000, _similar),
        "a new terminator at each frame": (40_000, _changes),
    }
    points: dict[str, list[tuple[int, float]]] = {}
    for name, (unit, attack) in attacks.items():
        sizes = [unit * scale * step for step in STEPS]
        rounds = [[_clock(attack, size) for size in sizes] for _ in range(ROUNDS)]
        points[name] = list(zip(sizes, map(min, *rounds), strict=True))
    return points


def _clock(attack: Callable[[int], None], size: int) -> float:
    before = time.process_time()
    attack(size)
    return time.process_time() - before


def _single_bytes(size: int) -> None:
    framer = Framer(b"\r\n", max_frame_size=None)
    for _ in range(size):
        framer.receive_data(b"x")
        for _ in framer.frames():
            pass


def _in_chunks(framer: Framer, data: bytes) -> None:
    for start in range(0, len(data), 4096):
        framer.receive_data(data[start : start + 4096])
        for _ in framer.frames():
            pass


def _empty_lines(size: int) -> None:
    framer = Framer(b"\n")
    framer.receive_data(b"\n" * size)
    for _ in framer.frames():
        pass


def _empty_prefixed(size: int) -> None:
    framer = Framer(LengthPrefix(1))
    framer.receive_data(bytes(size))
    for _ in framer.frames():
        pass


def _hostile(size: int) -> None:
    _in_chunks(Framer(b"a" * 4000 + b"b", max_frame_size=None), b"a" * size)


def _similar(size: int) -> None:
    _in_chunks(Framer(b"\r\n", max_frame_size=None), b"\n" * size)


def _changes(size: int) -> None:
    framer = Framer(b"\n")
    framer.receive_data(b"12\nab" * (size // 5))
    for count, _ in enumerate(framer.frames()):
        framer.terminator = b"\n" if count % 2 else 2
