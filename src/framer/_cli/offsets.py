"""Where in the stream the frames are, for those who want to find them there again.

A frame starts where the one before it ends,
and how much of it is prefix and trailer (a delimiter, or a netstring's comma) follows
from the size of its payload, or from the trailer, which is in what was received last.
So the framer, which would know, is not asked:
to ask for `Framer.buffered` stops it from cutting out many frames at once.
It has to be asked after frames that were skipped,
and where a prefix may be longer than it need be, which is so for varints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from framer import ANY_NEWLINE, Framer, LengthPrefix, Netstring, Terminator, VarintPrefix

NEWLINES: Final = (b"\r\n", b"\r", b"\n")


class Offsets:
    """Where in the stream the payload of the frame starts that a framer has just given.

    Ask of every frame, before the framer receives more.
    """

    def __init__(self, framer: Framer) -> None:
        self._framer = framer
        self._terminator = framer.terminator
        self._trailers = _trailers(framer.terminator)
        self._longest = max(map(len, self._trailers))
        self._received = 0
        self._recent = b""  # the end of what was received, where it says which trailer it is
        self._next: int | None = 0  # where the next frame starts, if that is known

    def receive_data(self, chunk: bytes) -> None:
        """Take note of what the framer is about to receive."""
        if self._next == self._received and self._is_split_newline(chunk):
            self._next = self._received + 1
        self._received += len(chunk)
        if len(self._trailers) > 1:
            # One may be cut in two, so the last bytes of the chunk before are needed as well.
            self._recent = self._recent[-self._longest :] + chunk

    def restart(self) -> None:
        """Take note that a frame is skipped, and nobody knows yet where the next one starts."""
        self._next = None

    def payload_start(self, frame: bytes) -> int:
        """Give the offset of the payload of the frame that came just now."""
        if self._next is None or isinstance(self._terminator, VarintPrefix):
            self._next = self._received - self._framer.buffered
            return self._next - self._size_before(self._next) - len(frame)
        start = self._next + self._prefix_size(len(frame))
        end = start + len(frame)
        self._next = end + self._size_after(end)
        return start

    def _is_split_newline(self, chunk: bytes) -> bool:
        """Tell whether the last line ended at a CR, and here is the LF that goes with it."""
        is_any = self._terminator is ANY_NEWLINE
        return is_any and self._recent.endswith(b"\r") and chunk.startswith(b"\n")

    def _prefix_size(self, size: int) -> int:
        match self._terminator:
            case LengthPrefix(size=prefix_size):
                return prefix_size
            case Netstring():
                return len(str(size)) + 1
            case _:
                return 0

    def _size_after(self, offset: int) -> int:
        """Tell how long the trailer is that starts there."""
        at = offset - self._received + len(self._recent)
        return self._size_of_trailer(lambda trailer: self._recent.startswith(trailer, at))

    def _size_before(self, offset: int) -> int:
        """Tell how long the trailer is that ends there."""
        at = offset - self._received + len(self._recent)
        return self._size_of_trailer(lambda trailer: self._recent.endswith(trailer, 0, at))

    def _size_of_trailer(self, fits: Callable[[bytes], bool]) -> int:
        """Give the size of the longest that fits: of CRLF and LF it is CRLF."""
        if len(self._trailers) == 1:
            return self._longest
        return max(len(trailer) for trailer in self._trailers if fits(trailer))


def _trailers(terminator: Terminator) -> tuple[bytes, ...]:
    """Tell what can stand behind a payload."""
    match terminator:
        case bytes():
            return (terminator,)
        case tuple():
            return terminator
        case Netstring():
            return (b",",)
        case _:
            return NEWLINES if terminator is ANY_NEWLINE else (b"",)
