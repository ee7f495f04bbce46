"""What the adapters share that have plain sockets under them: how to listen, connect, and send."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import selectors
import socket
import ssl
import stat
import time
from pathlib import Path
from typing import Final, Protocol, TypeAlias, TypeGuard, cast

from framer import OutputQueue, TlsRequest
from framer_adapters._common import Host, certificate_name, server_side, unix_path

__all__ = [
    "ACCEPT_PAUSE",
    "OUT_OF_RESOURCES",
    "SEND_SIZE",
    "Piece",
    "close",
    "dial",
    "listen",
    "next_piece",
    "remove_unix_socket",
    "send_file",
    "send_piece",
    "set_no_delay",
    "wait_until_writable",
    "wrap_socket",
]

SEND_SIZE: Final = 1 << 18
"""How many bytes to offer to one system call: about what a kernel takes."""

OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What accept() says when this machine can take no more connections for the time being."""

ACCEPT_PAUSE: Final = 0.1
"""For how many seconds to accept nothing then: who waits goes on waiting, and others are served."""

SENDFILE_SIZE: Final = 1 << 30


Piece: TypeAlias = bytes | memoryview | io.BufferedReader | io.FileIO
"""What can be sent at once."""

_Identity: TypeAlias = tuple[str, int, int, int]
"""The absolute path of a file, its device, its number there, and when it was made."""

_made: dict[str, _Identity] = {}  # the Unix sockets of this process, by the path that was given


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


def listen(host: Host, port: int | None) -> list[socket.socket]:
    """Listen at each address that a host has, or at the path of a Unix socket.

    All have the same port, also when it is 0 and the system chooses.
    At a path the socket of a server that is gone is replaced.

    Raises:
        OSError: an address cannot be had. Nothing is left open.
        TypeError: see `unix_path`.
    """
    path = unix_path(host, port)
    listeners: list[socket.socket]
    if path is not None:
        if path.startswith("\0"):  # an abstract name, which is no file
            return [_listen(socket.AF_UNIX, 0, path)]
        _replace_unix_socket(path)
        listeners = [_listen(socket.AF_UNIX, 0, path)]
        _made[path] = cast("_Identity", _identity(path))
        return listeners
    name = cast("str | None", host) or None
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners = []
    with contextlib.ExitStack() as opened:
        for family, _, protocol, _, address in dict.fromkeys(found):
            same = listeners[0].getsockname()[1] if listeners else port
            where = (address[0], same, *address[2:])
            listeners.append(opened.enter_context(_listen(family, protocol, where)))
        opened.pop_all()
    return listeners


def _listen(family: int, protocol: int, address: object) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM, protocol)  # asyncio looks at the protocol
    try:
        if family != socket.AF_UNIX and os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)  # type: ignore[arg-type]  # of whatever shape the family has
        listener.listen(socket.SOMAXCONN)
    except OSError:
        listener.close()
        raise
    return listener


def remove_unix_socket(path: str) -> None:
    """Remove the socket that `listen` has made at `path`, if it is still that one."""
    made = _made.pop(path, None)
    if made is not None and made == _identity(made[0]):
        Path(made[0]).unlink(missing_ok=True)


def _replace_unix_socket(path: str) -> None:
    """Remove the socket of a server that is gone; one that answers, or no socket at all, stays."""
    if _identity(path) is not None and Path(path).is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink(missing_ok=True)


def _identity(path: str) -> _Identity | None:
    """Tell one file from another that has its name; None if there is none."""
    with contextlib.suppress(FileNotFoundError):
        found = Path(path).stat()
        return str(Path(path).absolute()), found.st_dev, found.st_ino, found.st_mtime_ns
    return None


def dial(host: Host, port: int | None, timeout: float | None) -> socket.socket:
    """Connect to a host, or to the path of a Unix socket; `timeout` is the socket's from then on.

    Raises:
        OSError: no connection; TimeoutError is such. Nothing is left open.
        TypeError: see `unix_path`.
    """
    path = unix_path(host, port)
    if path is None:
        sock = socket.create_connection((cast("str", host), port), timeout)
        set_no_delay(sock)
        return sock
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def set_no_delay(sock: socket.socket) -> None:
    """Send small messages at once: the queue has gathered already what belongs together."""
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def wrap_socket(sock: socket.socket, request: TlsRequest, host: str | None) -> ssl.SSLSocket:
    """Put TLS on a socket, without shaking hands yet; `host` is what it is connected to.

    Raises:
        ValueError: see `certificate_name`.
    """
    return cast("ssl.SSLContext", request.context).wrap_socket(
        sock,
        server_side=server_side(request),
        server_hostname=certificate_name(request, host),
        do_handshake_on_connect=False,
    )


def next_piece(sock: socket.socket, output: OutputQueue) -> Piece:
    """Look what is next in the queue: a plain file for the kernel to send, or bytes.

    Returns:
        What to give to `send_piece`; b"" when there is nothing now.

    Raises:
        Exception: what a producer raises, so that nobody takes it for an error of the socket.
    """
    file = output.producer
    if file is not None and not isinstance(sock, ssl.SSLSocket) and _is_plain(file):
        return file
    return output.next_buffer(SEND_SIZE)


def send_piece(sock: socket.socket, output: OutputQueue, piece: Piece) -> int:
    """Send as much of `next_piece` as one system call takes, and remove it from the queue.

    Over TLS, what was refused with ``ssl.SSLWantWriteError`` has to be offered again as it was,
    even if it has been discarded meanwhile.

    Returns:
        How many bytes that were; 0 at the end of a file.

    Raises:
        OSError: from the socket; BlockingIOError and TimeoutError among them. Nothing is lost.
    """
    if not isinstance(piece, bytes | memoryview):
        if sent := send_file(sock, output):
            return sent
        piece = output.next_buffer(SEND_SIZE)
    sent = sock.send(piece) if piece else 0
    try:  # without a context manager, which costs as much as the send: `tests/bench/echo.py`
        output.advance(sent)
    except ValueError:  # it has been discarded
        return sent
    return sent


def send_file(sock: _HasFileno, output: OutputQueue) -> int:
    """Have the kernel send some of the plain file that is next in the queue.

    Returns:
        How many bytes it took. 0: something else is next, or the file is at its end,
        or the kernel cannot do it; so read.

    Raises:
        BlockingIOError, InterruptedError, ConnectionError: from the socket. Nothing is lost.
    """
    file = output.producer
    if not (_is_plain(file) and hasattr(os, "sendfile")):
        return 0
    offset = file.tell()
    try:
        sent = os.sendfile(sock.fileno(), file.fileno(), offset, SENDFILE_SIZE)
    except (BlockingIOError, InterruptedError, ConnectionError):
        raise
    except OSError:  # who reads and sends will see whether it is the file, or the socket
        return 0
    file.seek(offset + sent)
    return sent


def _is_plain(producer: object) -> TypeGuard[io.BufferedReader | io.FileIO]:
    """Whether its bytes are those of a file on disk: a GzipFile, say, has a descriptor, too.

    One that was closed is none: who reads it will be told.
    """
    raw = producer.raw if type(producer) is io.BufferedReader else producer
    if type(raw) is not io.FileIO or raw.closed:
        return False
    return stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def close(sock: socket.socket, linger: float | None = None) -> None:
    """Close a socket; over TLS tell the peer that nothing was cut off.

    Args:
        sock: the socket.
        linger: for how many seconds at the most to wait for the end of what the peer sends,
            and drop it: see `LINGER`. None: not at all.
    """
    deadline = time.monotonic() + (linger or 0)
    with contextlib.closing(sock), contextlib.suppress(OSError, TypeError, ValueError):
        if isinstance(sock, ssl.SSLSocket):
            _say_farewell(sock, deadline)
        if linger is not None:
            _linger(sock, deadline)


def _say_farewell(sock: ssl.SSLSocket, deadline: float) -> None:
    """Send TLS's own end of the stream, and do not wait for that of the peer."""
    sock.settimeout(0)
    while True:
        try:
            sock.unwrap()
        except ssl.SSLWantWriteError:
            wait_until_writable(sock, max(deadline - time.monotonic(), 0.001))
        except (ssl.SSLError, ValueError):  # the peer goes on sending, or has not shaken hands
            return
        else:
            return


def wait_until_writable(sock: socket.socket, timeout: float | None) -> None:
    """Wait until the kernel takes more.

    Raises:
        BlockingIOError: `timeout` is 0.
        TimeoutError: it took nothing for so many seconds.
    """
    if timeout == 0:
        raise BlockingIOError("the socket does not block, so give it a timeout")
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        if not selector.select(timeout):
            raise TimeoutError("the peer took nothing in time")


def _linger(sock: socket.socket, deadline: float) -> None:
    """End our direction, and read to the end of the other, below TLS if there is any."""
    raw = socket.socket
    raw.shutdown(sock, socket.SHUT_WR)
    while (left := deadline - time.monotonic()) > 0:
        raw.settimeout(sock, left)
        if not raw.recv(sock, SEND_SIZE):
            return
