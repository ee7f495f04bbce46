"""The ways to cut a stream: `splits`.

Which ways find bugs was measured (tests/bench/seeded_bugs.py).
A cut in two at every place finds more than any other way for its price:
most mistakes need one cut at the one wrong place, and here none is left out.
Byte by byte is what people try first; it finds what needs many cuts,
and misses what needs something whole in front of or behind the cut.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import pairwise

__all__ = ["cut_at", "cuts_of", "splits"]


def splits(data: bytes, *, k: int = 8, seed: int = 0) -> Iterator[list[bytes]]:
    """Ways to cut a stream: whole, byte by byte, every cut in two, and `k` seeded cuts in more.

    The same arguments give the same ways, in the same order, in every run.
    No piece is empty, and no way comes twice in a row; the only way to cut nothing is no piece.

    Args:
        data: the stream.
        k: how many ways with two cuts or more to draw; there may be no room for any.
        seed: what those are drawn with.

    There are about as many ways as bytes, so the work of a check grows with their square:
    some hundred bytes are a good size, some thousand are slow.

    >>> list(splits(b"abc", k=0))
    [[b'abc'], [b'a', b'b', b'c'], [b'a', b'bc'], [b'ab', b'c']]
    """
    data = bytes(data)
    size = len(data)
    yield cut_at(data, ())
    if size > 2:  # two bytes, one by one, are a cut in two
        yield cut_at(data, range(1, size))
    for place in range(1, size):
        yield cut_at(data, (place,))
    if size > 3:  # three bytes have but one way with two cuts, and that is byte by byte
        rng = random.Random(seed)
        for _ in range(k):
            # Few cuts as often as many: a sample of half the places is nearly byte by byte.
            count = min(size - 2, rng.choice((2, 2, 3, 4, 6, 8, size // 2)))
            yield cut_at(data, sorted(rng.sample(range(1, size), max(count, 2))))


def cut_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The pieces of *data* between these offsets; none is empty."""
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def cuts_of(chunks: Iterable[bytes]) -> list[int]:
    """The offsets between these pieces: what `cut_at` was given."""
    places: list[int] = []
    offset = 0
    for chunk in chunks:
        offset += len(chunk)
        places.append(offset)
    return places[:-1]
