"""What the benchmarks frame: streams of each kind, made from a seed, and what must come out.

A workload is a list of payloads and the stream that they make.
Sizes vary around the one in the name, as they do in life; a size of 40 is drawn from 20 to 60.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from framer import LengthFrom, LengthPrefix, Netstring, Terminator, VarintPrefix, encode_frame

__all__ = ["CHUNK_SIZES", "HEADER_END", "WORKLOADS", "Workload", "body_size", "cut"]

CHUNK_SIZES = (65536, 4096, 1460, 17, 1)
HEADER_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Workload:
    """A kind of stream.

    Attributes:
        name: for the command line and the JSON.
        title: for tables and pictures.
        kind: which contenders take part: those that can frame this.
        terminator: what `Framer` is given.
        size: bytes of payload in a frame, on average.
        encode: makes the stream of the payloads.
    """

    name: str
    title: str
    kind: str
    terminator: Terminator
    size: int
    encode: Callable[[Sequence[bytes]], bytes]

    def payloads(self, total: int) -> list[bytes]:
        """Payloads of some *total* bytes, at least one; the same ones each time."""
        rng = random.Random(self.name)
        if self.kind == "http":
            return _messages(rng, total)
        if self.size > 100_000:
            sizes = [min(self.size, total)]
        elif self.kind == "records":
            sizes = [self.size] * (total // self.size)
        else:
            count = max(total // self.size, 1)
            sizes = [rng.randint(self.size // 2, self.size * 3 // 2) for _ in range(count)]
        letters = bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz ", k=4096))
        return [_letters(letters, rng.randrange(4096), size) for size in sizes]


def _letters(letters: bytes, start: int, size: int) -> bytes:
    return (letters[start:] + letters * (size // len(letters) + 1))[:size]


def _messages(rng: random.Random, total: int) -> list[bytes]:
    """Header blocks and bodies by turns."""
    messages: list[bytes] = []
    while total > 0:
        body = b"x" * rng.randint(50, 150)
        header = b"POST /%d HTTP/1.1\r\nHost: example.org\r\nContent-Length: %d" % (
            rng.randrange(10**6),
            len(body),
        )
        messages += [header, body]
        total -= len(header) + len(body)
    return messages


def body_size(header: bytes) -> int:
    """How many bytes of body follow this header block; all contenders read it so."""
    return int(header[header.rindex(b" ") :])


def _frames(terminator: Terminator) -> Callable[[Sequence[bytes]], bytes]:
    return lambda payloads: b"".join(encode_frame(payload, terminator) for payload in payloads)


def _http(payloads: Sequence[bytes]) -> bytes:
    headers, bodies = payloads[::2], payloads[1::2]
    return b"".join(
        header + HEADER_END + body for header, body in zip(headers, bodies, strict=True)
    )


def _workload(name: str, title: str, kind: str, terminator: Terminator, size: int) -> Workload:
    return Workload(name, title, kind, terminator, size, _frames(terminator))


WORKLOADS = {
    workload.name: workload
    for workload in (
        _workload("lines-40", "CRLF lines, 40 B", "lines", b"\r\n", 40),
        _workload("lines-200", "CRLF lines, 200 B", "lines", b"\r\n", 200),
        _workload("lines-8k", "CRLF lines, 8 KiB", "lines", b"\r\n", 8192),
        _workload("lines-64m", "one CRLF line of 64 MiB", "lines", b"\r\n", 1 << 26),
        _workload("u32-40", "u32 prefixes, 40 B", "u32", LengthPrefix(4), 40),
        _workload("u32-1k", "u32 prefixes, 1 KiB", "u32", LengthPrefix(4), 1024),
        _workload("u32-64k", "u32 prefixes, 64 KiB", "u32", LengthPrefix(4), 65536),
        _workload("netstring-40", "netstrings, 40 B", "netstring", Netstring(), 40),
        _workload("varint-40", "varint prefixes, 40 B", "varint", VarintPrefix(), 40),
        _workload("records-16", "records of 16 B", "records", 16, 16),
        Workload(
            "http",
            "header block, then body by count",
            "http",
            LengthFrom(HEADER_END, body_size, keep_header=True),
            100,
            _http,
        ),
    )
}


def cut(stream: bytes, size: int) -> list[bytes]:
    """The stream in chunks of *size* bytes."""
    return [stream[start : start + size] for start in range(0, len(stream), size)]
