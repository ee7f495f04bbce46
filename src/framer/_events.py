r"""What `Framer.events` gives: three small final values, compared by their contents.

A frame is any number of `Data` followed by one `TerminatorFound`::

    b"ab\r\n\r\n"  ->  Data(b"ab")  TerminatorFound(b"\r\n")  TerminatorFound(b"\r\n")

and a stream that ends between two frames ends with one `EndOfStream`.
`Event` is their union, so that a type checker can see that a ``match`` handles all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, final

__all__ = ["Data", "EndOfStream", "Event", "TerminatorFound"]


@final
@dataclass(frozen=True, slots=True, init=False)
class Data:
    """Some payload of the current frame; never empty.

    How the payload of a frame is divided into `Data` depends on how the network cut the stream.
    Everything else about it does not.
    """

    chunk: bytes

    def __init__(self, chunk: bytes) -> None:
        # A frozen dataclass's own __init__ takes twice as long, and there is one a frame.
        set_chunk(self, chunk)


set_chunk: Callable[[Data, bytes], None] = vars(Data)["chunk"].__set__
new_data: Callable[[type[Data]], Data] = object.__new__
"""`new_data(Data)` and then `set_chunk()` are `Data(chunk)` without the call in Python."""


@final
@dataclass(frozen=True, slots=True)
class TerminatorFound:
    r"""The current frame is complete.

    Attributes:
        matched: what ended the frame.
            The delimiter or the footer, as bytes;
            for CRLF under ANY_NEWLINE that is ``b"\r"``, which ended the line;
            the payload length, as int, for a count and for a length prefix without a footer;
            ``b""`` where the end of the stream ended it.
    """

    matched: bytes | int


@final
@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The stream ended between two frames. It comes once."""


@lru_cache(maxsize=1024)
def length_found(length: int) -> TerminatorFound:
    """`TerminatorFound(length)`, which takes six times as long (bench: u32, events)."""
    return TerminatorFound(length)


Event: TypeAlias = Data | TerminatorFound | EndOfStream
"""What `Framer.events` gives: `Data`, `TerminatorFound` or `EndOfStream`."""
