r"""What type checkers know of `framer`: checked by `make types`, never run.

`assert_type` says what a checker has to infer, neither less nor more.
What it has to refuse carries two comments, one for each checker,
and both checkers complain of a comment that silences nothing:
so a line that they no longer refuse is an error, too.
"""

from __future__ import annotations

import array
import io
from collections.abc import Callable, Iterator
from typing import Literal, assert_never, assert_type

from framer import (
    ANY_NEWLINE,
    PENDING,
    AnyNewline,
    Channel,
    Data,
    EndOfStream,
    Event,
    Framer,
    FramerError,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    Leftover,
    LengthFrom,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    OutputQueue,
    Pending,
    Producer,
    Terminator,
    TerminatorFound,
    TlsRequest,
    UsageError,
    VarintPrefix,
    encode_frame,
)

# -- Bytes in --------------------------------------------------------------------------------


def a_framer_gives_frames_and_events(framer: Framer) -> None:
    """Frames are bytes; events are a union of three; None is only said by those that take one."""
    assert_type(framer.frames(), Iterator[bytes])
    assert_type(framer.next_frame(), bytes | None)
    assert_type(framer.events(), Iterator[Event])
    assert_type(framer.next_event(), Data | TerminatorFound | EndOfStream | None)
    assert_type(framer.buffered, int)
    assert_type(framer.take_buffered(), bytes)
    assert_type(framer.max_frame_size, int | None)


def what_a_framer_receives(framer: Framer, buffer: bytearray, view: memoryview) -> None:
    """Anything bytes-like; neither text nor a list of numbers nor nothing."""
    framer.receive_data(b"bytes")
    framer.receive_data(buffer)
    framer.receive_data(view)
    framer.receive_data("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    framer.receive_data([1, 2])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    framer.receive_data(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    framer.receive_data(array.array("B"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def next_frame_is_none_or_bytes(framer: Framer) -> bytes:
    """Who forgets that there may be no frame is told so."""
    frame = framer.next_frame()
    frame.upper()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    return b"" if frame is None else assert_type(frame, bytes)


def a_match_of_events_is_complete(event: Event) -> int:
    """With the three of them everything is said: `assert_never` proves it."""
    match event:
        case Data(chunk):
            return len(assert_type(chunk, bytes))
        case TerminatorFound(matched):
            assert_type(matched, bytes | int)
            return 0
        case EndOfStream():
            return 0
        case _:
            assert_never(event)


def a_match_of_events_that_forgets_one(event: Event) -> None:
    """With two of them it is not."""
    match event:
        case Data():
            pass
        case TerminatorFound():
            pass
        case _:
            assert_never(event)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def events_are_values(data: Data) -> None:
    """They do not change, and have nothing but what they say."""
    data.chunk = b""  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    data.size  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # noqa: B018
    Data("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_framer_is_final() -> None:
    """It is used, not extended."""

    class Mine(Framer):  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues, reportUnusedClass]
        pass


# -- What ends a frame -----------------------------------------------------------------------


def every_terminator(framer: Framer, length_of: Callable[[bytes], int]) -> None:
    """Each kind may be given, set, and got back."""
    kinds: list[Terminator] = [
        b"\r\n",
        (b"\n", b"\r\n"),
        ANY_NEWLINE,
        5,
        None,
        LengthPrefix(2, "little", adjust=-2),
        VarintPrefix(max_bytes=5),
        Netstring(),
        LengthFrom(b"\r\n", length_of, footer=b"\r\n", keep_header=True, max_header_size=9),
        LengthFrom((b"\n", b"\r\n"), length_of),
        LengthFrom(4, length_of),
    ]
    for kind in kinds:
        Framer(kind, max_frame_size=None)
        framer.terminator = kind
        assert_type(encode_frame(b"", kind), bytes)


def what_is_no_terminator(framer: Framer) -> None:
    """Text, floats and lists end nothing."""
    Framer("\n")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Framer([b"\n"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Framer((b"\n", "\r"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    framer.terminator = 1.5  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    Framer(b"\n", 10)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Framer(b"\n", max_frame_size="10")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    encode_frame("text", b"\n")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def what_prefixes_take() -> None:
    """The order of bytes is one of two words; `adjust` is given by name; prefixes do not change."""
    prefix = LengthPrefix(4)
    assert_type(prefix.byteorder, Literal["big", "little"])
    LengthPrefix(4, "network")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LengthPrefix(4, "big", 1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    prefix.size = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    LengthFrom(b"\n", int)
    LengthFrom(b"\n", str)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LengthFrom(None, int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_match_of_terminators_is_complete(terminator: Terminator) -> str:
    """The union can be taken apart, to its last member."""
    match terminator:
        case bytes() | tuple():
            return "delimited"
        case AnyNewline():
            return "lines"
        case int():
            return "counted"
        case None:
            return "to the end"
        case LengthPrefix() | VarintPrefix() | Netstring() | LengthFrom():
            return "announced"
        case _:
            assert_never(terminator)


# -- Bytes out -------------------------------------------------------------------------------


class HasMore:
    """A producer of the oldest shape."""

    def more(self) -> bytes:
        """End at once."""
        return b""


class HasOther:
    """No producer at all."""

    def less(self) -> bytes:
        """Give what nobody asks for."""
        return b""


def chunks() -> Iterator[bytes | Pending]:
    """A producer that has nothing yet, and then something."""
    yield PENDING
    yield b"spam"


def what_a_queue_takes(out: OutputQueue, file: io.BufferedReader, raw: io.FileIO) -> None:
    """Bytes are pushed; files, iterables and what has more() are producers; text is neither."""
    out.push(b"bytes")
    out.push(bytearray())
    out.push(memoryview(b""))
    out.push("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    out.push(file)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    producers: list[Producer] = [file, raw, io.BytesIO(), chunks(), [b"a", bytearray()], HasMore()]
    for producer in producers:
        out.push_producer(producer)
    out.push_producer(HasOther())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    out.push_producer(["text"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    out.push_producer(io.StringIO())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def what_a_queue_gives(out: OutputQueue) -> None:
    """Bytes, or views of them, and what state it is in."""
    assert_type(out.data_to_send(), bytes)
    assert_type(out.buffers(), list[memoryview])
    assert_type(out.next_buffer(), bytes | memoryview)
    assert_type((out.closing, out.done, out.congested), tuple[bool, bool, bool])
    assert_type(len(out), int)
    assert_type(out.on_ready, Callable[[], object] | None)
    out.done = True  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    out.advance(1.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def pending_is_one_of_a_kind(chunk: bytes | Pending) -> bytes:
    """A comparison with it tells bytes from nothing yet."""
    if chunk is PENDING:
        return b""
    return assert_type(chunk, bytes)


# -- The two together ------------------------------------------------------------------------


class Lines(Channel):
    """Settings in the class, and the hook for whole frames."""

    terminator: Terminator = b"\r\n"
    max_frame_size = 1024

    def __init__(self, name: str) -> None:
        """Arguments of its own are its own affair."""
        self.name = name

    def frame_received(self, frame: bytes, /) -> None:
        """Set another kind of terminator, as a protocol with bodies does."""
        self.terminator = len(frame)
        self.push(frame)


class Stream(Channel):
    """The hooks for frames as they arrive."""

    def data_received(self, chunk: bytes, /) -> None:
        """See that there are bytes."""
        assert_type(chunk, bytes)

    def terminator_found(self, matched: bytes | int, /) -> None:
        """See what ended them."""
        assert_type(self.framer, Framer)
        assert_type(self.output, OutputQueue)


class Wrong(Channel):
    """Hooks and settings of other types than the channel has."""

    terminator = "\n"  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def frame_received(self, frame: str, /) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Expect text."""


def what_a_channel_is() -> None:
    """Its arguments are those of its __init__, and its attributes those of the base."""
    lines = Lines("spam")
    assert_type(lines.terminator, Terminator)
    assert_type(lines.tls_request, TlsRequest | None)
    assert_type(lines.hook_error, BaseException | None)
    assert_type((lines.closing, lines.closed), tuple[bool, bool])
    Lines()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Lines(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    lines.push("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def what_start_tls_takes(channel: Channel, leftover: Leftover) -> None:
    """What is left in plain text is refused or discarded; nothing else can be said."""
    assert_type(leftover, Literal["refuse", "discard"])
    channel.start_tls(object(), leftover=leftover)
    channel.start_tls(object(), leftover="keep")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    channel.start_tls(object(), True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# -- Errors ----------------------------------------------------------------------------------


def every_number_is_an_attribute(framer: Framer) -> None:
    """One `except` a case, and no message has to be parsed."""
    try:
        framer.next_frame()
    except FrameTooLarge as error:
        assert_type((error.max_frame_size, error.announced), tuple[int, int | None])
    except IncompleteFrame as error:
        assert_type((error.partial, error.received, error.expected), tuple[bytes, int, int | None])
    except MalformedFrame as error:
        assert_type((error.reason, error.position), tuple[str, int])
    except FramingError as error:
        assert_type(error.frame_start, int)
        error.position  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # noqa: B018


def whose_fault_it_is(usage: UsageError, framing: FramingError) -> None:
    """A misuse is a RuntimeError, what the peer did is none; both are framer's."""
    both: list[FramerError] = [usage, framing]
    runtime: list[RuntimeError] = [
        usage,
        framing,  # type: ignore[list-item]  # pyright: ignore[reportAssignmentType]
    ]
    del both, runtime
