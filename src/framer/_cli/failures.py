"""How a command ends when it cannot go on: a message, what to do next, and an exit status.

The core's errors carry numbers; the words for someone at a terminal are put together here.
"""

from typing import Final

from framer import (
    ANY_NEWLINE,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    MalformedFrame,
    Terminator,
)
from framer._cli.forms import escape

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
CLOSED_PIPE: Final = 141  # 128 + SIGPIPE


class CommandError(Exception):
    """The command ends here."""

    def __init__(self, message: str, advice: str = "", status: int = FAILED) -> None:
        super().__init__(message, advice)
        self.message = message
        self.advice = advice
        self.status = status

    def __str__(self) -> str:
        return "\n".join(filter(None, (f"framer: {self.message}", self.advice)))


def what_is_wrong(error: FramingError, terminator: Terminator, base: int = 0) -> str:
    """Say in words why no frame can be made here, of a stream that begins at offset `base`."""
    match error:
        case FrameTooLarge():
            return _too_large(error, terminator)
        case IncompleteFrame():
            return _incomplete(error, terminator)
        case MalformedFrame():
            return f"byte {base + error.position} breaks the framing: {error.reason}"
        case _:
            return str(error)


def _too_large(error: FrameTooLarge, terminator: Terminator) -> str:
    limit = error.max_frame_size
    if error.announced is not None:
        announced = number_of(error.announced, "byte")
        return f"the frame is too large: {announced} announced, the limit is {limit:,}"
    return f"the frame is too large: no {name_of(terminator)} after {number_of(limit, 'byte')}"


def _incomplete(error: IncompleteFrame, terminator: Terminator) -> str:
    received, expected = error.received, error.expected
    if expected is not None and received == expected:
        return "the stream ends before a frame does: only its last byte is missing"
    if expected is not None:
        return f"the stream ends inside a frame: {received:,} of {number_of(expected, 'byte')}"
    if isinstance(terminator, (bytes, tuple)) or terminator is ANY_NEWLINE:
        there = number_of(received, "byte")
        return f"the stream ends inside a frame: {there} and no {name_of(terminator)}"
    return "the stream ends inside the prefix of a frame"


def name_of(terminator: Terminator) -> str:
    """Say which bytes end a frame."""
    if isinstance(terminator, bytes):
        return escape(terminator).decode()
    if isinstance(terminator, tuple):
        return " or ".join(map(name_of, terminator))
    return "line break"


def number_of(count: int, noun: str) -> str:
    """Say how many: `1 byte`, `2,048 bytes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
