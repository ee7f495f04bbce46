"""What the tests of the examples share: the examples as programs, and Channels cut in every way.

A program is started as a reader would start it, with warnings as errors, and always stopped.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import IO, TypeVar, cast

import pytest

from framer import Channel
from framer.testing import check_chunking
from framer.testing._splits import cut_at

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
TIMEOUT = 30.0  # seconds, for one answer
LIFETIME = 120.0  # seconds, for a program that many tests share

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Program:
    """A server that runs: where it listens, and what it prints behind the line that says so."""

    port: int
    output: IO[bytes]


@contextlib.contextmanager
def started(*command: str | Path) -> Generator[subprocess.Popen[bytes]]:
    """Start a program, and kill it in the end, or if it takes too long."""
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=EXAMPLES,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    watchdog = threading.Timer(LIFETIME, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


@contextlib.contextmanager
def serving(*command: str | Path) -> Generator[Program]:
    """Have Python run an example that serves; it has to end well at SIGTERM, without a word."""
    with started(sys.executable, "-W", "error", "-X", "faulthandler", *command) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(b"listening on "):
            process.kill()
            pytest.fail(f"{command}: {line!r}\n{process.communicate()[1].decode()}")
        yield Program(int(line.split()[-1]), process.stdout)
        process.send_signal(signal.SIGTERM)
        try:
            _, errors = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # it shows where it hangs
            _, errors = process.communicate()
        if process.returncode or errors:
            pytest.fail(f"{command}: exit status {process.returncode}\n{errors.decode()}")


def run(*command: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, give it `data` to read, and return what came of it."""
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        check=False,
        cwd=EXAMPLES,
        input=data,
        timeout=TIMEOUT,
    )


def run_example(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Have Python run an example to its end."""
    return run(sys.executable, "-W", "error", *command)


def tool(name: str, package: str) -> str:
    """Return the path of a program that is not ours, or skip the test where it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name} (Debian package {package})")
    return path


# Channels without I/O.


def converse(channel: Channel, pieces: Sequence[bytes], *, eof: bool = False) -> bytes:
    """Give a channel what its peer sends, cut as it is, and return all that it answers."""
    answers: list[bytes] = []
    channel.connection_made()
    for piece in pieces:
        if channel.tls_request is None:  # else the rest is the handshake's
            channel.receive_data(piece)
        answers.extend(iter(channel.output.data_to_send, b""))
    if eof:
        channel.receive_eof()
    answers.extend(iter(channel.output.data_to_send, b""))
    if channel.output.done:
        channel.receive_loss()
    assert channel.hook_error is None
    return b"".join(answers)


class Looked:
    """A subject whose only event is what `look` sees in all its pieces."""

    def __init__(self, look: Callable[[list[bytes]], object]) -> None:
        self.look = look
        self.pieces: list[bytes] = []

    def feed(self, data: bytes) -> tuple[()]:
        """Keep a piece."""
        self.pieces.append(data)
        return ()

    def close(self) -> list[object]:
        """Look."""
        return [self.look(self.pieces)]


def check_cuttings(look: Callable[[list[bytes]], T], data: bytes, most: int = 3) -> T:
    """Assert that `look` sees the same however `data` is cut, and return that.

    It is cut in every way into as many pieces as `most`, and byte by byte.
    """
    places = range(1, len(data))
    few = (cut_at(data, cuts) for count in range(most) for cuts in combinations(places, count))
    seen = check_chunking(partial(Looked, look), data, ways=[[data], cut_at(data, places), *few])
    if seen.error is not None:
        raise seen.error
    return cast("T", seen.events[0])
