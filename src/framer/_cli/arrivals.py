"""A stream that arrives in pieces, and which events came of which piece.

This is what `framer explain --cuts` shows, and what a program sees on a socket.
The events, joined, are the same wherever the cuts are; when they come out is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from framer import Data, EndOfStream, Framer, FrameTooLarge, FramingError, TerminatorFound
from framer._cli.dissect import Happening, Strip, happenings

Outcome = Strip | TerminatorFound | EndOfStream | FramingError  # a Strip is payload


@dataclass(slots=True)
class Piece:
    """What arrived at once, and what came of it."""

    number: int
    start: int
    strip: Strip
    outcomes: list[tuple[int, Outcome]] = field(default_factory=list[tuple[int, Outcome]])
    held_back: int = 0  # how many bytes the framer cannot tell what they are yet
    is_end: bool = False  # what came of the end of the stream


def cut(chunks: Iterable[bytes], cuts: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Give the chunks, cut at these offsets as well, each with the number of its piece."""
    ahead = list(reversed(cuts))
    number = 1
    offset = 0
    for chunk in chunks:
        rest = chunk
        while ahead and ahead[-1] < offset + len(rest):
            size = ahead.pop() - offset
            if size:
                yield number, rest[:size]
            number += 1
            offset += size
            rest = rest[size:]
        yield number, rest
        offset += len(rest)


class Arrivals:
    """Feeds pieces to a framer and takes down what comes of each."""

    def __init__(self, framer: Framer, head_size: int | None, most_frames: int) -> None:
        self.frame = 1
        self._framer = framer
        self._head_size = head_size
        self._most_frames = most_frames
        self._offset = 0

    def pieces(self, chunks: Iterable[bytes], cuts: Sequence[int]) -> Iterator[Piece]:
        """Give the pieces, and then the end of the stream."""
        for number, group in groupby(cut(chunks, cuts), key=itemgetter(0)):
            piece = Piece(number, self._offset, Strip(self._head_size))
            for _, chunk in group:
                self._receive(chunk, piece)
                if self._is_over(piece):
                    break
            if self._is_over(piece):
                yield piece
                return
            piece.held_back = self._framer.buffered
            yield piece
        self._framer.receive_eof()
        end = Piece(0, self._offset, Strip(self._head_size), is_end=True)
        self._take_down(end)
        yield end

    def _is_over(self, piece: Piece) -> bool:
        """Tell whether there are frames enough, or can be no more."""
        if self.frame > self._most_frames:
            return True
        last = piece.outcomes[-1][1] if piece.outcomes else None
        return isinstance(last, FramingError) and not isinstance(last, FrameTooLarge)

    def _receive(self, chunk: bytes, piece: Piece) -> None:
        piece.strip.add(chunk)
        self._offset += len(chunk)
        self._framer.receive_data(chunk)
        self._take_down(piece)

    def _take_down(self, piece: Piece) -> None:
        for happening in happenings(self._framer):
            self._add(happening, piece)
            if self.frame > self._most_frames:
                return

    def _add(self, happening: Happening, piece: Piece) -> None:
        if isinstance(happening, Data):
            self._add_payload(happening.chunk, piece)
            return
        piece.outcomes.append((self.frame, happening))
        if isinstance(happening, (TerminatorFound, FrameTooLarge)):
            self.frame += 1

    def _add_payload(self, chunk: bytes, piece: Piece) -> None:
        """Join it to the payload before it: one piece is one arrival, however it was read."""
        last = piece.outcomes[-1][1] if piece.outcomes else None
        if not isinstance(last, Strip):
            last = Strip(self._head_size)
            piece.outcomes.append((self.frame, last))
        last.add(chunk)
