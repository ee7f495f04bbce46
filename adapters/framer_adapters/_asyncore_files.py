"""A descriptor that passes for a socket, so that a channel can be run on a pipe or a terminal."""

from __future__ import annotations

import os
import socket
import warnings

__all__ = ["file_wrapper"]


class file_wrapper:  # noqa: N801 - the name it always had
    """A copy of a file descriptor, with the few methods of a socket that a dispatcher calls.

    The copy is made by ``os.dup``; the original stays the caller's.
    It has to be closed: one that is forgotten closes itself, with a ResourceWarning.

    Args:
        fd: the descriptor.

    Raises:
        OSError: it is not open.

    Attributes:
        fd: the copy; -1 when it is closed.
    """

    fd: int = -1

    def __init__(self, fd: int) -> None:
        self.fd = os.dup(fd)

    def __del__(self) -> None:
        if self.fd >= 0:
            warnings.warn(f"unclosed file {self!r}", ResourceWarning, stacklevel=1, source=self)
            self.close()

    def recv(self, bufsize: int, /) -> bytes:
        """Read so many bytes at the most; b"" at the end of the file."""
        return os.read(self.fd, bufsize)

    def send(self, data: bytes | bytearray | memoryview, /) -> int:
        """Write some of the bytes; return how many."""
        return os.write(self.fd, data)

    read = recv
    write = send

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int:
        """Answer the one question that a dispatcher has: there is no error.

        Raises:
            NotImplementedError: it was another question.
        """
        if (level, optname, buflen or None) == (socket.SOL_SOCKET, socket.SO_ERROR, None):
            return 0
        raise NotImplementedError("a file has no socket options, but for SO_ERROR, which is 0")

    def close(self) -> None:
        """Close the copy; harmless a second time."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def fileno(self) -> int:
        """Return the number of the copy; -1 when it is closed."""
        return self.fd
