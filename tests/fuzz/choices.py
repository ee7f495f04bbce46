"""Bytes as decisions: how a target turns what a fuzzer gives it into something to do.

One byte is one decision, so that a fuzzer that changes a byte changes one thing,
and what it found can be read.
When the bytes are at an end every decision is the first of its options.
It needs nothing that only the fuzzer has, so the same bytes do the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Choices"]

T = TypeVar("T")


class Choices:
    """The decisions that are in some bytes, taken one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether any are left."""
        return self._at < len(self._data)

    def number(self, most: int) -> int:
        """Decide on a number from 0 to `most`, which is under 256."""
        if not self:
            return 0
        self._at += 1
        return self._data[self._at - 1] % (most + 1)

    def flag(self) -> bool:
        """Decide between no and yes."""
        return self.number(1) == 1

    def pick(self, options: Sequence[T]) -> T:
        """Decide on one of the options."""
        return options[self.number(len(options) - 1)]

    def chunk(self, most: int) -> bytes:
        """Take some of the bytes as they are: none, or up to `most`."""
        size = self.number(most)
        start, self._at = self._at, min(self._at + size, len(self._data))
        return self._data[start : self._at]

    def word(self, alphabet: bytes, most: int) -> bytes:
        """Make up some bytes of a small alphabet: none, or up to `most`."""
        return bytes(self.pick(alphabet) for _ in range(self.number(most)))

    def pieces(self, data: bytes) -> list[bytes]:
        """Decide how to cut some bytes: none of the pieces is empty."""
        cut: list[bytes] = []
        while data:
            size = 1 + self.number(min(len(data), 256) - 1) if self else len(data)
            cut.append(data[:size])
            data = data[size:]
        return cut
