"""Small parsers with one bug each, and some without, to see what finds the bugs.

Each bug is of a kind that real parsers had, or have: some of them, from the package index,
are in docs/found-in-the-wild.md. Each parser is as short as such code mostly is.
`battery` is all of the kit at its default settings, the same for every parser;
nothing in it knows what bug to look for.
"""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from framer.testing import (
    CheckFailed,
    Make,
    Subject,
    Vacuous,
    callback_subject,
    check_aliasing,
    check_chunking,
    check_coalescing,
    check_limit,
    check_linear,
    check_only_raises,
    check_prefixes,
    check_prompt,
    chunked,
    splits,
    streams,
    transcript,
)
from framer.testing._chunking import expected
from framer.testing._merging import Errors, Merge, Rules

__all__ = [
    "BUGS",
    "DEFAULT",
    "GOOD",
    "STRATEGIES",
    "Parser",
    "battery",
    "examples_until_found",
    "once",
]

CRLF = b"\r\n"
LIMIT = 12


@dataclass(frozen=True)
class Parser:
    """A parser, and what a user of the kit would say about it."""

    make: Make
    kind: str
    frames: tuple[bytes, ...] = (b"spam\r\n", b"\r\n", b"a\rb\n\r\n", b"eggs and\r\n")
    merge: Merge = ()
    raises: tuple[type[Exception], ...] = (ValueError,)
    frame_of_size: Callable[[int], bytes] | None = None
    errors: Errors = "outcome"
    prompt: bool = True
    tells_half_messages: bool = False
    counts_work: bool = False

    @property
    def name(self) -> str:
        """What the class is called."""
        return getattr(self.make, "__name__", repr(self.make))


def line_of_size(size: int) -> bytes:
    """Make a line."""
    return b"x" * size + CRLF


def record(payload: bytes) -> bytes:
    """Make a record with a length of two bytes in front."""
    return struct.pack(">H", len(payload)) + payload


RECORDS = (record(b"spam"), record(b""), record(b"eggs and"), record(b"\0\1"))


# Parsers of lines that end with CRLF


class GoodLines:
    """Lines with a limit, as they should be."""

    def __init__(self) -> None:
        self.buffer: bytes = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        while True:
            line, found, rest = self.buffer.partition(CRLF)
            if len(line.removesuffix(b"\r") if not found else line) > LIMIT:
                raise ValueError("too long")
            if not found:
                return
            self.buffer = rest
            yield line

    def close(self) -> Iterator[bytes]:
        if self.buffer:
            raise ValueError("half a line")
        return iter(())


class LimitWithoutTerminatorOnly(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = (self.buffer + data).split(CRLF)
        yield from lines
        if len(self.buffer.removesuffix(b"\r")) > LIMIT:
            raise ValueError("too long")


class LimitWithTerminatorOnly(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = (self.buffer + data).split(CRLF)
        for line in lines:
            if len(line) > LIMIT:
                raise ValueError("too long")
            yield line


class LimitOffByOneOnOnePath(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = (self.buffer + data).split(CRLF)
        for line in lines:
            if len(line) > LIMIT:
                raise ValueError("too long")
            yield line
        if len(self.buffer.removesuffix(b"\r")) >= LIMIT:
            raise ValueError("too long")


class PartialTerminatorCounted(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = (self.buffer + data).split(CRLF)
        for line in lines:
            if len(line) > LIMIT:
                raise ValueError("too long")
            yield line
        if len(self.buffer) > LIMIT:
            raise ValueError("too long")


class LeftoverOfFailedFrameParsed(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = (self.buffer + data).split(CRLF)
        for line in lines:
            yield line if len(line) <= LIMIT else b"500 too long"
        if len(self.buffer.removesuffix(b"\r")) > LIMIT:
            self.buffer = b""
            yield b"500 too long"


class CarriageReturnLost(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = (self.buffer + data.removesuffix(b"\r")).split(b"\n")
        return iter([line.removesuffix(b"\r") for line in lines])


class NewlineLostAtStart(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        return super().feed(data.removeprefix(b"\n"))


class TextCutInTheMiddle(GoodLines):
    def feed(self, data: bytes) -> Iterator[Any]:
        return iter([line.decode() for line in super().feed(data.decode().encode())])


class TextIgnoredAtTheCut(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        return super().feed(data.decode(errors="ignore").encode())


class SecondMessageDropped(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        line, found, _ = self.buffer.partition(CRLF)
        if found:
            self.buffer = b""
            yield line


class OneMessageForEachChunk(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        line, found, rest = (self.buffer + data).partition(CRLF)
        self.buffer = rest if found else line
        if found:
            yield line


class RecursionOnABurst(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        lines: list[bytes] = []
        self.buffer += data
        self.handle(lines)
        return iter(lines)

    def handle(self, lines: list[bytes]) -> None:
        line, found, rest = self.buffer.partition(CRLF)
        if found:
            self.buffer = rest
            lines.append(line)
            self.handle(lines)


class HeldUntilTheNext(GoodLines):
    def __init__(self) -> None:
        super().__init__()
        self.last: bytes | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        for line in super().feed(data):
            if self.last is not None:
                yield self.last
            self.last = line

    def close(self) -> Iterator[bytes]:
        return iter([] if self.last is None else [self.last])


class HeldUntilTheEnd(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        return iter(())

    def close(self) -> Iterator[bytes]:
        return iter(self.buffer.split(CRLF)[:-1])


class EndOfChunkIsEndOfLine(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        if not self.buffer.endswith(CRLF):
            return iter(())
        line, self.buffer = self.buffer[:-2], b""
        return iter([line])


class NoBufferAtAll:
    def feed(self, data: bytes) -> Iterator[bytes]:
        return iter([line for line in data.split(CRLF) if line])


class ChunksStripped(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        return super().feed(data.strip(b" ") if data != b" " else data)


class SearchInNewDataOnly(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        while CRLF in data:
            place = data.index(CRLF)
            line, data, self.buffer = self.buffer + data[:place], data[place + 2 :], b""
            yield line
        self.buffer += data


class SearchFromTooFar(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        start = len(self.buffer)
        self.buffer += data
        while (place := self.buffer.find(CRLF, start)) >= 0:
            yield self.buffer[:place]
            self.buffer = self.buffer[place + 2 :]
            start = 0


class LastLineLostAtTheEnd(GoodLines):
    def __init__(self) -> None:
        super().__init__()
        self.fresh = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        lines = list(super().feed(data))
        self.fresh = not lines
        return iter(lines)

    def close(self) -> Iterator[bytes]:
        return iter([self.buffer] if self.buffer and self.fresh else [])


class ShortReadIsTheEnd(GoodLines):
    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        if len(data) == 8:
            return iter(())
        lines = self.buffer.split(CRLF)[:-1]
        self.buffer = b""
        return iter(lines)


class KindSeenInTheFirstChunk(GoodLines):
    def __init__(self) -> None:
        super().__init__()
        self.kind: str | None = None

    def feed(self, data: bytes) -> Iterator[Any]:
        self.kind = self.kind or ("new" if data.startswith(b"spam") else "old")
        for line in super().feed(data):
            yield self.kind, line


class EmptyLineCrashes(GoodLines):
    def feed(self, data: bytes) -> Iterator[Any]:
        for line in super().feed(data):
            yield line[0], line


class SharedBetweenConnections:
    buffer: ClassVar[list[bytes]] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer.append(data)
        return iter(b"".join(self.buffer).split(CRLF)[:-1])


class KeptInTheClass:
    buffer: ClassVar[bytes] = b""

    def __init__(self) -> None:
        KeptInTheClass.buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, KeptInTheClass.buffer = (self.buffer + data).split(CRLF)
        return iter(lines)


class QuadraticSearch(GoodLines):
    work = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        while (place := self.buffer.find(CRLF)) >= 0:
            yield self.buffer[:place]
            self.buffer = self.buffer[place + 2 :]
        QuadraticSearch.work += len(self.buffer)


class QuadraticSlices(GoodLines):
    work = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        while (place := self.buffer.find(CRLF)) >= 0:
            yield self.buffer[:place]
            self.buffer = self.buffer[place + 2 :]
            QuadraticSlices.work += len(self.buffer)


# Parsers of lines that end in any way


class GoodAnyNewline:
    """CR, LF or CRLF, as it should be."""

    def __init__(self) -> None:
        self.buffer = b""
        self.after_cr = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self.after_cr and data:
            data = data.removeprefix(b"\n")
            self.after_cr = False
        self.buffer += data
        self.after_cr = self.buffer.endswith(b"\r")
        *lines, self.buffer = re.split(rb"\r\n|\r|\n", self.buffer)
        return iter(lines)


class NewlineCutInTwo(GoodAnyNewline):
    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = re.split(rb"\r\n|\r|\n", self.buffer + data)
        return iter(lines)


# Parsers of records with a length in front


class GoodRecords:
    """Two bytes of length, and the payload, as it should be."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data
        while len(self.buffer) >= 2:
            (size,) = struct.unpack_from(">H", self.buffer)
            if len(self.buffer) < 2 + size:
                return
            payload = bytes(self.buffer[2 : 2 + size])
            del self.buffer[: 2 + size]
            yield payload

    def close(self) -> Iterator[Any]:
        if self.buffer:
            raise ValueError("half a record")
        return iter(())


class LengthCutInTwo(GoodRecords):
    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data
        while self.buffer:
            (size,) = struct.unpack(">H", self.buffer[:2])
            if len(self.buffer) < 2 + size:
                return
            yield bytes(self.buffer[2 : 2 + size])
            del self.buffer[: 2 + size]


class HalfALengthDropped(GoodRecords):
    def feed(self, data: bytes) -> Iterator[Any]:
        if not self.buffer and len(data) < 2:
            return iter(())
        return super().feed(data)


class PayloadTakenAsItIs(GoodRecords):
    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data
        while len(self.buffer) >= 2:
            (size,) = struct.unpack_from(">H", self.buffer)
            yield bytes(self.buffer[2 : 2 + size])
            del self.buffer[: 2 + size]


class ExactlyOneRecord(GoodRecords):
    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data
        if len(self.buffer) >= 2:
            (size,) = struct.unpack_from(">H", self.buffer)
            if len(self.buffer) == 2 + size:
                yield bytes(self.buffer[2:])
                self.buffer.clear()


class EmptyRecordWaits(GoodRecords):
    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data
        while self.buffer:
            if not self.size:
                if len(self.buffer) < 2:
                    return
                (self.size,) = struct.unpack_from(">H", self.buffer)
                del self.buffer[:2]
            if len(self.buffer) < max(self.size, 1):
                return
            yield bytes(self.buffer[: self.size])
            del self.buffer[: self.size]
            self.size = 0


class CleanEndInsideARecord(GoodRecords):
    def close(self) -> Iterator[Any]:
        return iter(())


class CallersBufferKept:
    def __init__(self) -> None:
        self.pieces: list[memoryview] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.pieces.append(memoryview(data))
        whole = b"".join(self.pieces)
        *lines, rest = whole.split(CRLF)
        if lines:
            self.pieces = [memoryview(data)[len(data) - len(rest) :]]
            if len(rest) > len(data):
                self.pieces = [memoryview(rest)]
        return iter(lines)


class OwnBufferHandedOut(GoodRecords):
    def __init__(self) -> None:
        super().__init__()
        self.payload = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        for payload in super().feed(data):
            self.payload[:] = payload
            yield self.payload


class EmptyRecordForEver(GoodRecords):
    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data
        while len(self.buffer) >= 2:
            (size,) = struct.unpack_from(">H", self.buffer)
            if len(self.buffer) < 2 + size:
                return
            yield bytes(self.buffer[2 : 2 + size])
            if size:
                del self.buffer[: 2 + size]


class UnmaskedInPlace(GoodRecords):
    def feed(self, data: Any) -> Iterator[Any]:
        masked = bytearray(data) if isinstance(data, bytes) else data
        for place, byte in enumerate(masked):
            masked[place] = byte ^ 0x20
        return super().feed(bytes(byte ^ 0x20 for byte in masked))


@dataclass
class Record:
    payload: list[int]


class EventUsedAgain(GoodRecords):
    def __init__(self) -> None:
        super().__init__()
        self.record = Record([])

    def feed(self, data: bytes) -> Iterator[Any]:
        for payload in super().feed(data):
            self.record.payload[:] = payload
            yield self.record


# Parsers of what is escaped, encoded, or ended by something longer


class GoodSlip:
    """SLIP: END is 0xC0, and 0xDB escapes; as it should be."""

    def __init__(self) -> None:
        self.payload = bytearray()
        self.escaped = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for byte in data:
            if self.escaped:
                self.payload.append({0xDC: 0xC0, 0xDD: 0xDB}.get(byte, byte))
                self.escaped = False
            elif byte == 0xDB:
                self.escaped = True
            elif byte == 0xC0:
                yield bytes(self.payload)
                self.payload.clear()
            else:
                self.payload.append(byte)


class EscapeLostAtTheCut(GoodSlip):
    def feed(self, data: bytes) -> Iterator[bytes]:
        self.escaped = False
        return super().feed(data)


class DotUnstuffedInEachChunk:
    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data.replace(b"\r\n..", b"\r\n.")
        while b"\r\n.\r\n" in self.buffer:
            message, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
            yield message


class BoundaryCutInTwo:
    def __init__(self) -> None:
        self.inside = False

    def feed(self, data: bytes) -> Iterator[Any]:
        first, *rest = data.split(b"--END")
        if first:
            yield "data", first
        for piece in rest:
            yield ("end",)
            if piece:
                yield "data", piece


class VarintCutInTwo:
    def __init__(self) -> None:
        self.buffer = b""
        self.size: int | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        value = shift = 0
        for byte in data:
            if self.size is None:
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    self.size, value, shift = value, 0, 0
            else:
                self.buffer += bytes([byte])
            if self.size == len(self.buffer):
                yield self.buffer
                self.buffer, self.size = b"", None


class NumberCutInTwo:
    def __init__(self) -> None:
        self.buffer = ""

    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data.decode("ascii")
        while text := self.buffer.lstrip():
            try:
                value, end = json.JSONDecoder().raw_decode(text)
            except ValueError:
                return
            self.buffer = text[end:]
            yield value


class HeadersInOneChunk:
    def __init__(self) -> None:
        self.left = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        while data:
            if not self.left:
                header, found, data = data.partition(b"\r\n\r\n")
                if not found:
                    raise ValueError("no headers")
                self.left = int(header.partition(b":")[2])
                yield "header", header
            body, data = data[: self.left], data[self.left :]
            self.left -= len(body)
            if body:
                yield "body", body


# Parsers that are good, and do not look it


class GoodContinuedLines(GoodLines):
    """A line that begins with a blank goes on with the one before, which has to wait for it."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.buffer += data
        while (end := re.search(rb"\r\n(?=[^ ])", self.buffer)) is not None:
            line, self.buffer = self.buffer[: end.start()], self.buffer[end.end() :]
            yield line.replace(CRLF, b"")

    def close(self) -> Iterator[bytes]:
        return iter([self.buffer.replace(CRLF, b"")] if self.buffer else [])


class GoodWithManyErrors(GoodLines):
    """Has an error for each kind of fault, and tells the first that it sees, before any line."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.buffer = (self.buffer + data).split(CRLF)
        if len(self.buffer.removesuffix(b"\r")) > LIMIT or any(len(x) > LIMIT for x in lines):
            raise OverflowError("too long")
        for line in lines:
            line.decode("ascii")
            if b"\0" in line:
                raise LookupError("no such command")
        return iter(lines)

    def close(self) -> Iterator[bytes]:
        if self.buffer:
            raise EOFError("half a line")
        return iter(())


class CallsBack:
    """Calls for each piece of a payload, and at the end of it."""

    def __init__(self, calls: Any) -> None:
        self.calls = calls

    def feed(self, data: bytes) -> None:
        first, *rest = data.split(b";")
        for end, piece in [(False, first), *((True, piece) for piece in rest)]:
            if end:
                self.calls.on_end()
            if piece:
                self.calls.on_data(piece)

    def finish(self) -> None:
        self.calls.on_eof()


def good_callbacks() -> Subject:
    """Calls back, with payload in as many pieces as there are chunks."""
    return callback_subject(CallsBack, close="finish")()


NEWLINES = (b"a\n", b"b\r\n", b"\n", b"c\rd\n", b"\r\n")
UTF8 = ("żółć\r\n".encode(), b"plain\r\n", "€\r\n".encode())
SLIP = (b"spam\xc0", b"\xc0", b"a\xdb\xdcb\xc0", b"\xdb\xdd\xc0")

GOOD: list[Parser] = [
    Parser(GoodLines, "CRLF lines", frame_of_size=line_of_size, tells_half_messages=True),
    Parser(GoodAnyNewline, "any newline", frames=NEWLINES),
    Parser(GoodRecords, "records", frames=RECORDS, tells_half_messages=True),
    Parser(GoodSlip, "SLIP", frames=SLIP),
    Parser(
        GoodContinuedLines,
        "lines that go on",
        frames=(b"a: b\r\n", b"c: d\r\n e\r\n", b"f:\r\n \r\n g\r\n"),
        prompt=False,
    ),
    Parser(
        GoodWithManyErrors,
        "an error for each fault",
        frames=(b"spam\r\n", b"\r\n", b"\0\r\n", b"\xff\r\n", b"\0" * 20 + CRLF),
        raises=(OverflowError, LookupError, UnicodeError, EOFError),
        errors="any",
        prompt=False,
        frame_of_size=line_of_size,
        tells_half_messages=True,
    ),
    Parser(good_callbacks, "calls back", frames=(b"spam;", b";", b"eggs and;"), merge=("on_data",)),
]
"""Parsers without a bug: what finds one here is wrong."""

BUGS: list[Parser] = [
    Parser(
        LimitWithoutTerminatorOnly,
        "the limit is checked only when no terminator was found",
        frame_of_size=line_of_size,
    ),
    Parser(
        LimitWithTerminatorOnly,
        "the limit is checked only when the terminator was found, so memory has none",
        frame_of_size=line_of_size,
    ),
    Parser(
        LimitOffByOneOnOnePath,
        "the limit is > on one path and >= on the other",
        frame_of_size=line_of_size,
    ),
    Parser(
        PartialTerminatorCounted,
        "half of a terminator counts as payload",
        frame_of_size=line_of_size,
    ),
    Parser(
        LeftoverOfFailedFrameParsed,
        "the rest of a line that was too long is parsed as a command",
        frames=(b"spam\r\n", b"x" * 20 + CRLF, b"eggs\r\n"),
    ),
    Parser(CarriageReturnLost, "a carriage return at the end of a chunk is dropped"),
    Parser(NewlineLostAtStart, "a newline at the start of a chunk is dropped"),
    Parser(TextCutInTheMiddle, "each chunk is decoded by itself", frames=UTF8),
    Parser(TextIgnoredAtTheCut, "each chunk is decoded, and errors ignored", frames=UTF8),
    Parser(SecondMessageDropped, "of two messages in one chunk the second is dropped"),
    Parser(OneMessageForEachChunk, "each chunk lets out one message, the others wait"),
    Parser(RecursionOnABurst, "each message is handled inside the one before"),
    Parser(HeldUntilTheNext, "a message comes out when the next one is complete"),
    Parser(HeldUntilTheEnd, "everything comes out at the end of the stream"),
    Parser(EndOfChunkIsEndOfLine, "only a terminator at the end of a chunk counts"),
    Parser(NoBufferAtAll, "each chunk is taken for whole messages"),
    Parser(ChunksStripped, "blanks at the ends of a chunk are stripped"),
    Parser(SearchInNewDataOnly, "the terminator is looked for in the new chunk only"),
    Parser(SearchFromTooFar, "the search goes on behind the last byte of the old data"),
    Parser(LastLineLostAtTheEnd, "the last line without an end comes out only sometimes"),
    Parser(ShortReadIsTheEnd, "a read that does not fill the buffer is taken for the last"),
    Parser(KindSeenInTheFirstChunk, "the first chunk says of which kind the stream is"),
    Parser(EmptyLineCrashes, "an empty message raises IndexError"),
    Parser(SharedBetweenConnections, "the buffer is an attribute of the class"),
    Parser(KeptInTheClass, "the buffer is an attribute of the class, emptied by each new one"),
    Parser(QuadraticSearch, "each chunk is searched from the start", counts_work=True),
    Parser(QuadraticSlices, "each message copies what is behind it", counts_work=True),
    Parser(NewlineCutInTwo, "CRLF cut in two ends two lines", frames=NEWLINES),
    Parser(LengthCutInTwo, "half of a length raises struct.error", frames=RECORDS),
    Parser(HalfALengthDropped, "half of a length is dropped", frames=RECORDS),
    Parser(
        PayloadTakenAsItIs, "the payload is expected in the chunk of its length", frames=RECORDS
    ),
    Parser(ExactlyOneRecord, "a record counts only if nothing follows it", frames=RECORDS),
    Parser(EmptyRecordWaits, "an empty record waits for the next byte", frames=RECORDS),
    Parser(
        CleanEndInsideARecord,
        "a stream that ends inside a record ends cleanly",
        frames=RECORDS,
        tells_half_messages=True,
    ),
    Parser(CallersBufferKept, "a view of the caller's buffer is kept"),
    Parser(OwnBufferHandedOut, "what comes out is a buffer that is used again", frames=RECORDS),
    Parser(EventUsedAgain, "what comes out is an object that is used again", frames=RECORDS),
    Parser(UnmaskedInPlace, "what is unmasked is written into the buffer fed", frames=RECORDS),
    Parser(EmptyRecordForEver, "an empty record comes out for ever", frames=RECORDS),
    Parser(EscapeLostAtTheCut, "an escape at the end of a chunk is forgotten", frames=SLIP),
    Parser(
        DotUnstuffedInEachChunk,
        "dots are unstuffed in each chunk by itself",
        frames=(b"hi\r\n.\r\n", b"a\r\n..b\r\n.\r\n", b"\r\n..\r\n.\r\n"),
    ),
    Parser(
        BoundaryCutInTwo,
        "a boundary that is cut in two is data",
        frames=(b"spam--END", b"--END", b"a-b--END"),
        merge=("data",),
    ),
    Parser(
        VarintCutInTwo,
        "a varint that is cut in two starts anew",
        frames=(b"\x04spam", b"\x00", b"\x81\x01" + b"x" * 129),
    ),
    Parser(NumberCutInTwo, "a number that is cut in two is two numbers", frames=(b"17 ", b"[1] ")),
    Parser(
        HeadersInOneChunk,
        "headers are expected in one chunk",
        frames=(b"Size:4\r\n\r\nspam", b"Size:0\r\n\r\n"),
        merge=("body",),
    ),
]


# All of the kit


def battery(parser: Parser, data: bytes) -> None:
    """Hold one stream to everything that can be said of any."""
    make, merge = parser.make, parser.merge
    check_chunking(make, data, merge=merge, errors=parser.errors)
    check_prefixes(make, data, merge=merge, errors=parser.errors)
    check_aliasing(make, data)
    check_only_raises(make, data, *parser.raises)


def once(parser: Parser) -> None:
    """Hold a parser to what needs no stream that was drawn."""
    make, frames = parser.make, parser.frames
    if parser.prompt:
        check_prompt(make, frames)
    check_coalescing(make, frames[0], merge=parser.merge)
    if parser.frame_of_size is not None:
        check_limit(make, parser.frame_of_size, LIMIT)
    if parser.tells_half_messages:
        ends = accumulate(map(len, frames), initial=0)
        check_prefixes(make, b"".join(frames), errors=parser.errors, complete=ends)
    if parser.counts_work:
        counted: Any = make
        size = len(frames[0])
        for data_of_size in (
            lambda length: frames[0] * (length // size),
            lambda length: b"x" * length + frames[0],
        ):
            check_linear(make, data_of_size, clock=lambda: counted.work / 1e6)


def _same(parser: Parser, data: bytes, ways: Sequence[Sequence[bytes]]) -> None:
    """Compare ways to cut with the whole, and nothing else."""
    rules = Rules.of(parser.merge)
    whole = expected(parser.make, data, rules)
    for chunks in ways:
        if rules.difference(whole, transcript(parser.make, chunks)) is not None:
            raise CheckFailed("differs", split=chunks)


# Ways to look for bugs

Frames = tuple[bytes, ...]


def random_chunks(_frames: Frames) -> st.SearchStrategy[list[bytes]]:
    """Bytes of any value, cut anywhere."""
    return chunked(st.binary(min_size=1, max_size=60))


def chunked_streams(frames: Frames) -> st.SearchStrategy[list[bytes]]:
    """Streams of frames, cut anywhere."""
    return chunked(streams(*frames))


def whole_streams(frames: Frames) -> st.SearchStrategy[bytes]:
    """Streams of frames, for a check that cuts them."""
    return streams(*frames)


@dataclass(frozen=True)
class Strategy:
    """What is drawn, and what is done with it."""

    drawn: Callable[[Frames], st.SearchStrategy[Any]]
    check: Callable[[Parser, Any], object]


DEFAULT = "the default"

STRATEGIES: dict[str, Strategy] = {
    "random bytes, random cuts": Strategy(
        random_chunks, lambda parser, chunks: _same(parser, b"".join(chunks), [chunks])
    ),
    "random cuts": Strategy(
        chunked_streams, lambda parser, chunks: _same(parser, b"".join(chunks), [chunks])
    ),
    "byte by byte": Strategy(
        whole_streams,
        lambda parser, data: _same(parser, data, [[data[i : i + 1] for i in range(len(data))]]),
    ),
    "all cuts in two": Strategy(
        whole_streams,
        lambda parser, data: _same(
            parser, data, [way for way in splits(data, k=0) if len(way) == 2]
        ),
    ),
    "check_chunking": Strategy(
        whole_streams, lambda parser, data: check_chunking(parser.make, data, merge=parser.merge)
    ),
    DEFAULT: Strategy(whole_streams, battery),
}
"""Ways to look for bugs, the poorest first."""


@cache
def examples_of(
    drawn: Callable[[Frames], st.SearchStrategy[Any]], frames: Frames, number: int, examples: int
) -> list[Any]:
    """The examples that hypothesis draws with a seed; they are the same for all who ask for them.

    To draw them takes longer than most checks do.
    """
    seen: list[Any] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(drawn(frames))
    def run(example: Any) -> None:
        seen.append(example)

    run()
    return seen


def examples_until_found(
    parser: Parser, strategy: str, number: int, *, examples: int = 100
) -> int | None:
    """Count the examples that it takes to find a bug, with a seed.

    None: it is not found; 0: what the default checks without an example finds it.
    """
    way = STRATEGIES[strategy]
    SharedBetweenConnections.buffer.clear()
    if strategy == DEFAULT and _finds(once, parser):
        return 0
    frames = () if way.drawn is random_chunks else parser.frames
    for count, example in enumerate(examples_of(way.drawn, frames, number, examples), 1):
        if _finds(way.check, parser, example):
            return count
    return None


def _finds(check: Callable[..., object], *args: object) -> bool:
    try:
        check(*args)
    except Vacuous:
        return False
    except CheckFailed:
        return True
    return False
