r"""framer.testing: find out whether a parser gives the same, however the network cuts the bytes.

For any parser of a stream of bytes: built on framer, on h11, on ``asyncio.Protocol``, or by hand.

>>> from framer.testing import check_chunking
>>> class Lines:
...     def __init__(self):
...         self.rest = b""
...
...     def feed(self, data):
...         *lines, self.rest = (self.rest + data).split(b"\r\n")
...         return lines
>>> check_chunking(Lines, b"spam\r\n\r\neggs\r\n").events
[b'spam', b'', b'eggs']

A *subject* is what makes a parser for one stream: a function without arguments, or a class.
What it returns has ``feed(data)``, which returns the events that this brought,
and may have ``close()``, which returns what the end of the stream brings.

A check that fails raises `CheckFailed`, an AssertionError, which says what to do to see it again.
So they work under pytest, in a ``unittest.TestCase``, in properties of hypothesis, and by hand.
They give the same in every run. docs/testing-your-parser.md shows it all, step by step.

The checks need nothing but Python. `streams`, `chunked` and `ParserMachine` need hypothesis,
which the extra `testing` brings; ``Script.trio()`` and ``Script.anyio()`` need those two.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from framer.testing._chunking import check_chunking
from framer.testing._conformance import check_stream
from framer.testing._failures import CheckFailed, NotDeterministic, Vacuous
from framer.testing._limits import check_limit, check_linear
from framer.testing._ownership import check_aliasing, check_output, check_roundtrip
from framer.testing._script import Script, ScriptedSocket
from framer.testing._splits import splits
from framer.testing._strategies import chunked, hypothesis_missing, streams
from framer.testing._subjects import (
    callback_subject,
    feed_subject,
    framer_subject,
    pull_subject,
)
from framer.testing._timing import (
    check_coalescing,
    check_only_raises,
    check_prefixes,
    check_prompt,
)
from framer.testing._transcripts import Make, NotASubject, Subject, Transcript, transcript
from framer.testing._worlds import protocol_subject, recv_subject

if TYPE_CHECKING:
    from framer.testing._machine import ParserMachine

__all__ = [
    # Subjects
    "Make",
    "Subject",
    "framer_subject",
    "pull_subject",
    "feed_subject",
    "callback_subject",
    "protocol_subject",
    "recv_subject",
    # What comes out
    "splits",
    "transcript",
    "Transcript",
    # Checks
    "check_chunking",
    "check_prompt",
    "check_prefixes",
    "check_coalescing",
    "check_limit",
    "check_only_raises",
    "check_roundtrip",
    "check_aliasing",
    "check_output",
    "check_linear",
    "check_stream",
    # For hypothesis
    "streams",
    "chunked",
    "ParserMachine",
    # A peer with a script
    "Script",
    "ScriptedSocket",
    # Failures
    "CheckFailed",
    "Vacuous",
    "NotDeterministic",
    "NotASubject",
]


def _claim_names() -> None:
    """Let each name be documented, pickled and printed as the one that users import."""
    for name in __all__:
        public = globals().get(name)
        if isinstance(public, type | FunctionType):
            public.__module__ = __name__


def __getattr__(name: str) -> Any:
    """Import what is built on hypothesis when it is asked for first."""
    if name != "ParserMachine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from framer.testing._machine import ParserMachine  # noqa: PLC0415 - see above
    except ImportError as exc:
        raise hypothesis_missing(name) from exc
    ParserMachine.__module__ = __name__
    globals()[name] = ParserMachine
    return ParserMachine


_claim_names()
