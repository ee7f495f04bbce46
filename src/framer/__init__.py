"""framer: cut a byte stream into frames, and send answers, without doing any I/O.

`Framer` takes bytes in and gives events or whole frames out;
`OutputQueue` takes bytes and producers in and gives bytes out;
a `Channel` is the two together, one conversation.
"""

from __future__ import annotations

from framer._channel import Channel
from framer._events import Data, EndOfStream, Event, TerminatorFound
from framer._exceptions import (
    FramerError,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    MalformedFrame,
    UsageError,
)
from framer._framer import Framer
from framer._output import OutputQueue
from framer._producers import PENDING, Pending, Producer
from framer._terminators import (
    ANY_NEWLINE,
    AnyNewline,
    LengthFrom,
    LengthPrefix,
    Netstring,
    Terminator,
    VarintPrefix,
    encode_frame,
)
from framer._tls import Leftover, TlsRequest

__version__ = "0.1.0"

__compiled__: bool = not hasattr(Framer.receive_data, "__code__")
"""Whether the hot half of the core was compiled when this was built (docs/performance.md)."""

__all__ = [
    # Bytes in
    "Framer",
    "Event",
    "Data",
    "TerminatorFound",
    "EndOfStream",
    # What ends a frame
    "Terminator",
    "ANY_NEWLINE",
    "AnyNewline",
    "LengthPrefix",
    "VarintPrefix",
    "Netstring",
    "LengthFrom",
    "encode_frame",
    # Bytes out
    "OutputQueue",
    "Producer",
    "PENDING",
    "Pending",
    # The two together
    "Channel",
    "TlsRequest",
    "Leftover",
    # Errors
    "FramerError",
    "FramingError",
    "FrameTooLarge",
    "IncompleteFrame",
    "MalformedFrame",
    "UsageError",
]


def _claim_names() -> None:
    """Let each name be documented, pickled and printed as the one that users import."""
    for name in __all__:
        public = globals()[name]
        if callable(public):
            public.__module__ = __name__


_claim_names()
