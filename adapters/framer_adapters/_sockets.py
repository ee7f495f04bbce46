"""What the adapters share that have plain sockets under them: how to listen, and how to send."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import socket
import ssl
import stat
from pathlib import Path
from typing import Final, Protocol, TypeGuard, cast

from framer import OutputQueue, TlsRequest
from framer_adapters._common import Host, certificate_name, server_side, unix_path

__all__ = [
    "OUT_OF_RESOURCES",
    "SEND_SIZE",
    "close",
    "listen",
    "remove_unix_socket",
    "send_file",
    "send_some",
    "set_no_delay",
    "wrap_socket",
]

SEND_SIZE: Final = 1 << 18
"""How many bytes to offer to one system call: about what a kernel takes."""

OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What accept() says when this machine can take no more connections for the time being."""

SENDFILE_SIZE: Final = 1 << 30


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
    if path is not None:
        remove_unix_socket(path)
        return [_listen(socket.AF_UNIX, 0, path)]
    name = cast("str | None", host) or None
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
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
    """Remove the socket at `path`, before or after use; what is no socket stays."""
    with contextlib.suppress(FileNotFoundError):
        if Path(path).is_socket():
            Path(path).unlink()


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


def send_some(sock: socket.socket, output: OutputQueue) -> int:
    """Send as much of what is next as one system call takes, and remove it from the queue.

    After a BlockingIOError or TimeoutError over TLS the same bytes have to be offered again,
    which they are, if nothing has been discarded meanwhile.

    Returns:
        How many bytes that were; 0 when the queue has nothing to send now.

    Raises:
        OSError: from the socket; BlockingIOError and TimeoutError among them. Nothing is lost.
        Exception: what a producer raises.
    """
    if output.producer is not None and not isinstance(sock, ssl.SSLSocket):
        sent = send_file(sock, output)
        if sent:
            return sent
    data = output.next_buffer(SEND_SIZE)
    sent = sock.send(data) if data else 0
    output.advance(sent)
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
    """Whether its bytes are those of a file on disk: a GzipFile, say, has a descriptor, too."""
    raw = producer.raw if type(producer) is io.BufferedReader else producer
    return type(raw) is io.FileIO and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def close(sock: socket.socket) -> None:
    """Close a socket without waiting; over TLS tell the peer that nothing was cut off."""
    if isinstance(sock, ssl.SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            sock.settimeout(0)
            sock.unwrap()  # sends close_notify, and raises because that of the peer is not there
    sock.close()
