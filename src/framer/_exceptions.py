"""Everything that framer raises of its own accord, split by whose fault it is.

::

    FramerError
    ├── FramingError          the peer broke the framing
    │   ├── FrameTooLarge         more payload than max_frame_size
    │   ├── IncompleteFrame       the stream ended inside a frame
    │   └── MalformedFrame        a prefix, header or footer that cannot be
    └── UsageError            the program misused the object; nothing changed
                              (a RuntimeError, too)

Two rules.
Every number in a message is also an attribute,
so that nobody has to parse a message.
And no attribute depends on how the network happened to cut the stream:
the same bytes give the same error.

Values of the wrong type or range that a program passes in are plain TypeError and ValueError,
as everywhere in Python.
"""

from __future__ import annotations

from typing import TypeVar

__all__ = [
    "FrameTooLarge",
    "FramerError",
    "FramingError",
    "IncompleteFrame",
    "MalformedFrame",
    "UsageError",
]


E = TypeVar("E", bound=BaseException)


class FramerError(Exception):
    """The base of every error that is framer's own.

    Catch `FramingError` to handle a misbehaving peer;
    a `UsageError` is a bug in the program and is better left to surface.
    """


class UsageError(FramerError, RuntimeError):
    """The program called something at a moment when it makes no sense.

    The call had no effect:
    the object is in the state it was in before, and no byte is lost.
    The message says what to call instead.
    """


class FramingError(FramerError):
    """The peer sent something that is not a frame.

    Attributes:
        frame_start: the offset in the stream, in bytes from its start,
            of the first byte (prefix or header included) of the frame that broke.
    """

    frame_start: int

    def __repr__(self) -> str:
        # It goes into logs: of the peer's bytes how many there are, and not they themselves.
        return f"{type(self).__name__}({', '.join(map(_brief, self.args))})"


class FrameTooLarge(FramingError):
    """A frame has more payload than ``max_frame_size``.

    It is raised as soon as that is certain, and again at every further attempt to read.
    Call `Framer.skip_frame` to drop the rest of the frame and carry on with the next,
    or close the connection.

    Attributes:
        max_frame_size: the limit, in bytes of payload.
        announced: the payload length that a prefix, a header or a count announced, in bytes;
            None for a frame that ends at a delimiter, whose length nobody knows yet.
        frame_start: see `FramingError`.
    """

    def __init__(self, max_frame_size: int, announced: int | None, frame_start: int) -> None:
        super().__init__(max_frame_size, announced, frame_start)
        self.max_frame_size = max_frame_size
        self.announced = announced
        self.frame_start = frame_start

    def __str__(self) -> str:
        size = "has" if self.announced is None else f"announces {_words(self.announced)} bytes,"
        return (
            f"the frame at offset {self.frame_start} {size} "
            f"more than max_frame_size={self.max_frame_size} bytes of payload; "
            f"skip_frame() drops it and carries on with the next"
        )


class IncompleteFrame(FramingError):
    """The stream ended inside a frame.

    Nothing more will come.
    What did come is in `partial`, and `Framer.take_buffered` still hands over the raw bytes.

    Attributes:
        partial: the payload that `Framer.frames` had collected, as bytes;
            empty after `Framer.events`, which delivers it as it arrives.
        received: how many bytes of payload arrived.
        expected: how many bytes of payload should have;
            None where nobody knows (a delimiter, or a prefix that is itself incomplete).
        frame_start: see `FramingError`.
    """

    def __init__(
        self, partial: bytes, received: int, expected: int | None, frame_start: int
    ) -> None:
        super().__init__(partial, received, expected, frame_start)
        self.partial = partial
        self.received = received
        self.expected = expected
        self.frame_start = frame_start

    def __str__(self) -> str:
        of = "" if self.expected is None else f" of {_words(self.expected)}"
        return (
            f"the stream ended inside the frame at offset {self.frame_start}, "
            f"after {self.received}{of} bytes of payload and before the frame's end; "
            f"the peer closed too early, or the terminator is not the one it uses"
        )


class MalformedFrame(FramingError):
    """A prefix, header or footer is not what the framing demands.

    Where the next frame starts is anybody's guess from here on,
    so the framer raises this again at every further attempt to read.
    Close the connection;
    `Framer.take_buffered` still hands over the bytes, for a log.

    Attributes:
        reason: what is wrong, in a few words.
        position: the offset in the stream, in bytes from its start, of the first bad byte.
        frame_start: see `FramingError`.
    """

    def __init__(self, reason: str, position: int, frame_start: int) -> None:
        super().__init__(reason, position, frame_start)
        self.reason = reason
        self.position = position
        self.frame_start = frame_start

    def __str__(self) -> str:
        return (
            f"{self.reason}, at offset {self.position} "
            f"in the frame that starts at offset {self.frame_start}; "
            f"close the connection, there is no telling where the next frame starts"
        )


def caused_by(cause: BaseException | None, error: E) -> E:
    """Return *error* as ``raise error from cause`` would raise it.

    mypyc leaves out the ``from`` of a ``raise``, without a word.
    """
    error.__cause__ = cause
    return error


def _brief(value: object) -> str:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return _words(value) if isinstance(value, int) else repr(value)


def _words(length: int) -> str:
    """Write *length*, also one so long that Python refuses to write it out."""
    return str(length) if length < 1 << 64 else "2**64 or more"
