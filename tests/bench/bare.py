"""The limit: the best that plain Python can do for one workload, with no framer at all.

No limit on sizes, no end of stream, no errors, no other terminator: nothing but the cutting.
For some workloads several ways are here; the fastest of them in a cell is its limit.

Each function gets the chunks, and calls ``take`` with each payload.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import repeat
from struct import Struct, iter_unpack

from bench.workloads import HEADER_END, body_size

__all__ = ["BARE"]

Take = Callable[[bytes], object]
Contender = Callable[[Sequence[bytes], Take], None]

CRLF = b"\r\n"
BARE: dict[str, list[Contender]] = {}


def bare(*kinds: str) -> Callable[[Contender], Contender]:
    """Let a function take part in the workloads of these kinds."""

    def register(contender: Contender) -> Contender:
        for kind in kinds:
            BARE.setdefault(kind, []).append(contender)
        return contender

    return register


@bare("lines")
def split(chunks: Sequence[bytes], take: Take) -> None:
    """Split each chunk, and keep the rest for the next one."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(CRLF)
        for line in lines:
            take(line)


@bare("lines")
def split_if_lf(chunks: Sequence[bytes], take: Take) -> None:
    """Only keep what brings no LF; else split."""
    pieces: list[bytes] = []
    for chunk in chunks:
        pieces.append(chunk)
        if 10 in chunk:
            *lines, rest = b"".join(pieces).split(CRLF)
            pieces = [rest]
            for line in lines:
                take(line)


@bare("lines")
def readline(chunks: Sequence[bytes], take: Take) -> None:
    """Search for LF alone, in C, and take the CRLF away; a bare LF would need more."""
    pieces: list[bytes] = []
    for chunk in chunks:
        pieces.append(chunk)
        if 10 in chunk:
            buffer = b"".join(pieces)
            cut = buffer.rindex(10) + 1
            pieces = [buffer[cut:]]
            for line in map(bytes.removesuffix, BytesIO(buffer[:cut]), repeat(CRLF)):
                take(line)


@bare("lines")
def find_lf(chunks: Sequence[bytes], take: Take) -> None:
    """Gather long lines piece by piece, without joining what is not needed."""
    held = BytesIO()
    for chunk in chunks:
        start = 0
        while (end := chunk.find(10, start)) >= 0:
            if held.tell():
                held.write(chunk[start : end + 1])
                take(held.getvalue()[:-2] if held.tell() < 1 << 20 else _without_crlf(held))
                held = BytesIO()
            else:
                take(chunk[start : end - 1])
            start = end + 1
        held.write(chunk[start:] if start else chunk)


def _without_crlf(held: BytesIO) -> bytes:
    """Cut in place: slicing would copy it all."""
    held.truncate(held.tell() - 2)
    return held.getvalue()


@bare("u32")
def u32(chunks: Sequence[bytes], take: Take) -> None:
    """Unpack at an offset, slice; keep what is too short to look at."""
    read = Struct(">I").unpack_from
    pieces: list[bytes] = []
    held, need = 0, 4
    for chunk in chunks:
        pieces.append(chunk)
        held += len(chunk)
        if held < need:
            continue
        buffer = b"".join(pieces) if len(pieces) > 1 else chunk
        start, end, need = 0, len(buffer), 4
        while start + 4 <= end:
            (length,) = read(buffer, start)
            after = start + 4 + length
            if after > end:
                need = 4 + length
                break
            take(buffer[start + 4 : after])
            start = after
        pieces = [buffer[start:]]
        held = end - start


@bare("varint")
def varint(chunks: Sequence[bytes], take: Take) -> None:
    """The same for a varint, the one byte that most are first."""
    rest = b""
    for chunk in chunks:
        buffer = rest + chunk
        start, end = 0, len(buffer)
        while start < end:
            length = buffer[start]
            body = start + 1
            if length > 0x7F:
                if body == end:
                    break
                length += (buffer[body] - 1) << 7  # Two bytes are enough here.
                body += 1
            if body + length > end:
                break
            take(buffer[body : body + length])
            start = body + length
        rest = buffer[start:]


@bare("netstring")
def netstring(chunks: Sequence[bytes], take: Take) -> None:
    """The same for a number in digits; the comma is believed to be there."""
    rest = b""
    for chunk in chunks:
        buffer = rest + chunk
        start, end = 0, len(buffer)
        while (colon := buffer.find(58, start)) > 0:
            after = colon + 1 + int(buffer[start:colon])
            if after >= end:
                break
            take(buffer[colon + 1 : after])
            start = after + 1
        rest = buffer[start:]


@bare("records")
def records(chunks: Sequence[bytes], take: Take) -> None:
    """All whole ones of a chunk at once."""
    pieces: list[bytes] = []
    held = 0
    for chunk in chunks:
        pieces.append(chunk)
        held += len(chunk)
        if held >= 16:
            buffer = b"".join(pieces)
            held &= 15
            cut = len(buffer) - held
            pieces = [buffer[cut:]]
            for (record,) in iter_unpack("16s", buffer[:cut]):
                take(record)


@bare("http")
def http(chunks: Sequence[bytes], take: Take) -> None:
    """Find the empty line, slice, count, slice."""
    pieces: list[bytes] = []
    held = need = 0  # need: bytes of body; 0 in a header block
    for chunk in chunks:
        pieces.append(chunk)
        held += len(chunk)
        if held < need or (not need and 10 not in chunk):
            continue
        buffer = b"".join(pieces) if len(pieces) > 1 else chunk
        start, end = 0, len(buffer)
        while True:
            if need:
                if end - start < need:
                    break
                take(buffer[start : start + need])
                start += need
            found = buffer.find(HEADER_END, start)
            if found < 0:
                need = 0
                break
            header = buffer[start:found]
            take(header)
            start = found + 4
            need = body_size(header)
        pieces = [buffer[start:]]
        held = end - start
