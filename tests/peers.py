"""The other side of every conversation in the conformance suite: plain sockets in plain threads.

A `Peer` knows nothing of framer and nothing of any runtime, so it cannot share their mistakes.
Every wait in here has a deadline: what hangs fails, and says where it hangs.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

import trustme

from framer import Channel, FramingError, Terminator

__all__ = [
    "DEADLINE",
    "Address",
    "Background",
    "Log",
    "Peer",
    "Recorder",
    "client_tls",
    "connect",
    "digest",
    "let_time_pass",
    "no_more_files",
    "nothing_leaks",
    "pair",
    "server_tls",
    "wait_until",
]

T = TypeVar("T")

DEADLINE: Final = 10.0
"""Seconds after which something that should happen at once is taken not to happen."""

Address: TypeAlias = tuple[str, int] | str
"""Where a server listens: a host and a port, or the path of a Unix socket."""


# Waiting


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Return when it is true; fail at the deadline."""
    deadline = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {DEADLINE} s")
        pause.wait(0.002)


def let_time_pass(seconds: float) -> None:
    """Do nothing. It is for timeouts, which wait for nothing else."""
    threading.Event().wait(seconds)


class Background(Generic[T]):
    """A function that runs in a thread of its own; `result` returns or raises what it did.

    >>> with Background(lambda: 6 * 7) as answer:
    ...     answer.result()
    42
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as exc:  # noqa: BLE001 - raised in the other thread
            self._error = exc

    @property
    def ended(self) -> bool:
        """Whether it has returned or raised."""
        return not self._thread.is_alive()

    def result(self, timeout: float = 2 * DEADLINE) -> T:
        """Wait for the end."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            frame = sys._current_frames().get(self._thread.ident or 0)
            where = "".join(traceback.format_stack(frame)[-8:]) if frame else "?"
            raise AssertionError(f"still running after {timeout} s, here:\n{where}")
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame
        return self._results[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, *_: object) -> None:
        if exc_type is None and (self._error is not None or not self.ended):
            self.result()
        self._thread.join(DEADLINE)


# Sockets


class Peer:
    """A connected socket with a timeout, and what scripts do with it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(data)

    def send_each(self, data: bytes) -> None:
        """Send byte by byte."""
        for i in range(len(data)):
            self.sock.sendall(data[i : i + 1])

    def end(self) -> None:
        """Send no more, but go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def read(self, size: int) -> bytes:
        """Read exactly this many bytes."""
        data = bytearray()
        while len(data) < size:
            chunk = self.sock.recv(min(size - len(data), 1 << 20))
            if not chunk:
                raise EOFError(f"the end after {len(data)} bytes of {size}")
            data += chunk
        return bytes(data)

    def read_line(self) -> bytes:
        r"""Read up to and with a newline, and not a byte more."""
        line = b""
        while not line.endswith(b"\n"):
            line += self.read(1)
        return line

    def read_all(self) -> bytes:
        """Read to the end of the stream."""
        return b"".join(iter(lambda: self.sock.recv(1 << 20), b""))

    def read_until_gone(self) -> bytes:
        """Read to the end, be it a proper one or a reset; what came before that is returned."""
        data = bytearray()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while chunk := self.sock.recv(1 << 20):
                data += chunk
        return bytes(data)

    def flood(self, data: bytes, limit: int) -> int:
        """Send it over and over until nothing more goes out for a while; say how many bytes went.

        Raises:
            AssertionError: `limit` bytes went out, and there is no end to it.
        """
        self.sock.settimeout(0.3)
        sent = 0
        try:
            while sent < limit:
                sent += self.sock.send(data[sent % len(data) :])
        except TimeoutError:
            self.sock.settimeout(DEADLINE)
            return sent
        raise AssertionError(f"{sent} bytes went out, and the other side has read them all")

    def reset(self) -> None:
        """Cut the connection the hard way: the other side gets a reset, not an end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def start_tls(self, *, server_side: bool = False) -> None:
        """Shake hands."""
        if server_side:
            self.sock = server_tls().wrap_socket(self.sock, server_side=True)
        else:
            self.sock = client_tls().wrap_socket(self.sock, server_hostname="localhost")

    @property
    def segments(self) -> int | None:
        """How many segments of data have come in; None where the system does not tell.

        Over loopback without Nagle's algorithm a small send is a segment,
        unless many are under way, and then it is still far more than one.
        """
        if not sys.platform.startswith("linux"):
            return None
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int(struct.unpack_from("=I", info, 152)[0]) if len(info) >= 156 else None


def connect(address: Address, *, tls: bool = False) -> Peer:
    """Connect to a server."""
    if isinstance(address, str):
        peer = Peer(socket.socket(socket.AF_UNIX))
        try:
            peer.sock.connect(address)
        except OSError:
            peer.sock.close()
            raise
    else:
        peer = Peer(socket.create_connection(address, DEADLINE))
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        try:
            peer.start_tls()
        except BaseException:
            peer.sock.close()
            raise
    return peer


@contextlib.contextmanager
def pair(*, tcp: bool = False) -> Generator[tuple[socket.socket, Peer]]:
    """Make two connected sockets, the one for the world under test, the other for the test."""
    if tcp:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            there = socket.create_connection(listener.getsockname())
            here, _ = listener.accept()
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        here, there = socket.socketpair()
    with here, Peer(there) as peer:
        yield here, peer


# TLS


_LOCK = threading.Lock()  # for a cache makes two, if two threads ask at once


def _authority() -> trustme.CA:
    with _LOCK:
        return _make_authority()


@functools.cache
def _make_authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def server_tls() -> ssl.SSLContext:
    """Make the context of a server called localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert("localhost", "127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@functools.cache
def client_tls() -> ssl.SSLContext:
    """Make the context of a client that trusts it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority().configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
    return context


# Channels that can be watched from another thread


class Log:
    """What hooks were called with, in order, of all channels that share it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._entries: list[tuple[str, Any]] = []

    def add(self, name: str, value: object = None) -> None:
        """Take note."""
        with self._condition:
            self._entries.append((name, value))
            self._condition.notify_all()

    @property
    def entries(self) -> list[tuple[str, Any]]:
        """All of them so far."""
        with self._condition:
            return self._entries.copy()

    def all(self, name: str) -> list[Any]:
        """What all entries of that name have for a value."""
        return [value for entry, value in self.entries if entry == name]

    def wait(self, name: str, count: int = 1) -> Any:
        """Wait for so many entries of that name, and return the value of the last of those."""
        with self._condition:
            if not self._condition.wait_for(lambda: len(self.all_now(name)) >= count, DEADLINE):
                raise AssertionError(f"waited for {name!r} {count} times: {self._entries[-20:]}")
            return self.all_now(name)[count - 1]

    def all_now(self, name: str) -> list[Any]:
        """As `all`, for who holds the lock."""
        return [value for entry, value in self._entries if entry == name]


class Recorder(Channel):
    """Takes note of every hook, and does nothing else: the base of most channels in the suite."""

    terminator: Terminator = b"\n"

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def connection_made(self) -> None:
        """Take note."""
        self.log.add("made", self)

    def frame_received(self, frame: bytes) -> None:
        """Take note."""
        self.log.add("frame", frame)

    def framing_error(self, exc: FramingError) -> None:
        """Take note, and close."""
        self.log.add("framing_error", exc)
        self.close_when_done()

    def eof_received(self) -> bool | None:
        """Take note; the channel closes."""
        self.log.add("eof")
        return None

    def tls_started(self) -> None:
        """Take note."""
        self.log.add("tls")

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note."""
        self.log.add("lost", exc)


# What is left behind


def digest(data: bytes | bytearray) -> str:
    """Tell long strings apart without pytest showing how they differ."""
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()}"


def _open_files() -> set[str]:
    """Name every open descriptor by number and what it is; nothing where the system hides them."""
    files: set[str] = set()
    with contextlib.suppress(FileNotFoundError):
        for fd in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                files.add(f"{fd.name}: {fd.readlink()}")
    return files


def _threads() -> set[threading.Thread]:
    """All but those that trio keeps for a while, in case of more names to look up."""
    return {thread for thread in threading.enumerate() if "Trio thread" not in thread.name}


@contextlib.contextmanager
def nothing_leaks() -> Generator[None]:
    """Fail if a thread or a descriptor is left open, or if only the collector has closed it."""
    gc.freeze()  # what tests before have left is theirs, and need not be looked through
    threads, files = _threads(), _open_files()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)
            yield
            wait_until(lambda: _threads() <= threads, "the end of all threads")
            gc.collect()
    finally:
        gc.unfreeze()
    left = [str(warning.message) for warning in caught if warning.category is ResourceWarning]
    if left:
        raise AssertionError(f"closed by nobody but the garbage collector: {left}")
    if _open_files() - files:
        raise AssertionError(f"left open: {sorted(_open_files() - files)}")


@contextlib.contextmanager
def no_more_files() -> Generator[None]:
    """Have this process open no descriptor more, for a while."""
    import resource  # noqa: PLC0415 - not on Windows

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(file.split(":")[0]) for file in _open_files())
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 16, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for fd in taken:
            os.close(fd)
