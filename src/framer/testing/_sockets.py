"""What code under test takes for a socket: `FakeSocket`.

It has what blocking code calls on a connected socket, and behaves as one does,
whatever it is that bytes come from and go to: that is for two methods of a subclass.
No module that does I/O is needed for it.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, Self, TypeAlias

__all__ = ["Buffer", "FakeSocket", "Sign"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says

Buffer: TypeAlias = bytes | bytearray | memoryview

MOST_REFUSALS: Final = 1000
"""After so many refusals in a row, code that asks again and again is taken never to stop."""


class Sign(Enum):
    """What is there instead of bytes."""

    WAIT = "nothing for the moment"
    BLOCKED = "nothing until the program does something else"


class FakeSocket:
    """A connected stream socket, blocking at first, with which nothing is connected."""

    family: int = 1  # AF_UNIX: nobody looks for a port there
    type: int = 1
    proto: int = 0

    def __init__(self) -> None:
        self.closed: bool = False
        self._timeout: float | None = None
        self._refusals = 0

    # What bytes come from and go to

    def _receive(self, max_size: int) -> bytes | Sign:
        raise NotImplementedError

    def _accept(self, data: bytes) -> int | Sign:
        raise NotImplementedError

    def _refuse_for_ever(self, what: str) -> Exception:
        raise NotImplementedError

    # What code under test calls

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """At most so many bytes; b"" is the end."""
        self._check(flags)
        while True:
            data = self._receive(bufsize)
            if not isinstance(data, Sign):
                self._refusals = 0
                return data
            self._refuse(data, "recv")

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0) -> int:
        """Like `recv`, into a buffer; returns how many bytes there are."""
        view = memoryview(buffer).cast("B")
        data = self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def send(self, data: Buffer, flags: int = 0) -> int:
        """Send some of it; returns how many bytes that were."""
        self._check(flags)
        data = bytes(data)
        while True:
            count = self._accept(data)
            if not isinstance(count, Sign):
                self._refusals = 0
                return count
            self._refuse(count, "send")

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        """Send all of it."""
        data = bytes(data)
        while data:
            data = data[self.send(data, flags) :]

    def sendmsg(self, buffers: Iterable[Buffer], *rest: Any) -> int:
        """Send some of what is in these buffers."""
        if any(rest):
            raise NotImplementedError("a FakeSocket sends no ancillary data, flags or addresses")
        return self.send(b"".join(buffers))

    def makefile(
        self, mode: str = "r", buffering: int | None = None, **text: Any
    ) -> io.RawIOBase | io.BufferedIOBase | io.TextIOWrapper:
        """Wrap it in a file, as `socket.socket.makefile` does."""
        raw = _SocketFile(self, reading="r" in mode or "w" not in mode, writing="w" in mode)
        if buffering == 0:
            return raw
        size = buffering if buffering is not None and buffering > 0 else io.DEFAULT_BUFFER_SIZE
        buffered: io.BufferedIOBase
        if raw.readable() and raw.writable():
            buffered = io.BufferedRWPair(raw, raw, size)
        else:
            buffered = (io.BufferedReader if raw.readable() else io.BufferedWriter)(raw, size)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, **text)  # type: ignore[arg-type]  # all of them will do

    def settimeout(self, timeout: float | None) -> None:
        """None: wait for ever; 0: never; else: raise TimeoutError where it would have to wait."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        """What was set."""
        return self._timeout

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as a socket has it
        """Wait, or never do so."""
        self._timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        """Whether it may wait."""
        return self._timeout != 0

    def shutdown(self, how: int) -> None:
        """Nothing follows from it."""
        self._check(0)

    def setsockopt(self, *option: Any) -> None:
        """Nothing follows from it."""

    def getsockname(self) -> str:
        """A socket without a name, as those of a pair are."""
        return ""

    def getpeername(self) -> str:
        """The same for the other side."""
        return ""

    def fileno(self) -> int:
        """There is no descriptor."""
        return -1

    def close(self) -> None:
        """Nothing works any more."""
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # What happens where there are no bytes

    def _check(self, flags: int) -> None:
        if flags:
            raise NotImplementedError("a FakeSocket has no flags")
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _refuse(self, sign: Sign, what: str) -> None:
        """Raise what a socket would; return if it is one that waits, and the wait is over."""
        self._refusals += 1
        if self._timeout is None:
            if sign is Sign.WAIT:
                return
            raise self._refuse_for_ever(what)
        if self._refusals >= MOST_REFUSALS:
            raise self._refuse_for_ever(what)
        if self._timeout:
            raise TimeoutError("timed out")
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class _SocketFile(io.RawIOBase):
    def __init__(self, sock: FakeSocket, *, reading: bool, writing: bool) -> None:
        self._sock = sock
        self._reading = reading
        self._writing = writing

    def readable(self) -> bool:
        return self._reading

    def writable(self) -> bool:
        return self._writing

    def readinto(self, buffer: Any, /) -> int | None:
        try:
            return self._sock.recv_into(buffer)
        except BlockingIOError:
            return None

    def write(self, data: Any, /) -> int | None:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return None
