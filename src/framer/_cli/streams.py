"""Where bytes come from and go to: files, standard input, standard output.

Reads are unbuffered: a read gives what a pipe has right now, and a chunk of a file.
So whoever writes out all that came of one read before the next one is prompt on a pipe
and has large batches on a file, without ever asking which of the two it is.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from framer._cli.failures import USAGE, CommandError

CHUNK_SIZE = 256 * 1024
STANDARD = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """An open stream of bytes."""

    path: str
    read: Callable[[int], bytes]
    size: int | None  # None where nobody knows: pipes and devices

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard input" if self.path == STANDARD else self.path

    def chunks(self) -> Iterator[bytes]:
        """Give the stream as it comes, in chunks of `CHUNK_SIZE` at most."""
        while chunk := self.read(CHUNK_SIZE):
            yield chunk

    def skip(self, count: int) -> None:
        """Drop the first `count` bytes, or all there are."""
        while count and (chunk := self.read(min(count, CHUNK_SIZE))):
            count -= len(chunk)


@contextmanager
def open_source(path: str) -> Generator[Source]:
    """Open a file for reading, or standard input where the path is `-`."""
    if path == STANDARD:
        yield _standard_input()
        return
    with _open_file(path) as file:
        # FileIO.read(n) is one read of the system, straight into the bytes that it returns.
        yield Source(path, file.read, _size_of(file.fileno()))


def output() -> BinaryIO:
    """Give standard output for bytes."""
    stream: object = sys.stdout
    if stream is None:
        raise CommandError("there is no standard output", "Do not close it: framer writes to it.")
    return sys.stdout.buffer


def hush() -> None:
    """Let nothing more be written to standard output, for whoever read it has gone.

    Python writes out what is left in its buffer as it ends, and would complain about the pipe.
    """
    with suppress(OSError, AttributeError, ValueError):
        descriptor = sys.stdout.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)


def _standard_input() -> Source:
    stream: object = sys.stdin
    if stream is None:
        raise CommandError("there is no standard input", "Name a file.", USAGE)
    buffer = sys.stdin.buffer
    read = getattr(buffer, "read1", buffer.read)
    return Source(STANDARD, read, None)


def _open_file(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb", buffering=0)
    except OSError as error:
        raise CommandError(
            f"{path}: {error.strerror}",
            "Name a file that can be read, or - for standard input.",
            USAGE,
        ) from None


def _size_of(descriptor: int) -> int | None:
    status = os.fstat(descriptor)
    return status.st_size if stat.S_ISREG(status.st_mode) else None
