r"""A store of values, as it was written for asyncore and asynchat. It is here to be migrated.

    the client                       the server
    PUT name size, and so many bytes STORED
    GET name                         VALUE size, and so many bytes; or NOTHING
    QUIT                             (closes)

Python 3.11 runs it; from 3.12 on the modules that it imports are gone.
docs/migrating.md has three ways out: store_installed.py, store_asyncio.py and store_channel.py.
"""

from __future__ import annotations

import asynchat
import asyncore
import signal
import socket
from types import FrameType
from typing import cast


class Store(asynchat.async_chat):
    """One client."""

    def __init__(self, sock: socket.socket, values: dict[bytes, bytes]) -> None:
        asynchat.async_chat.__init__(self, sock)
        self.set_terminator(b"\r\n")
        self.values = values
        self.received: list[bytes] = []
        self.name = b""  # of the value that comes in, if one does

    def collect_incoming_data(self, data: bytes) -> None:
        """Keep a piece of a line, or of a value."""
        self.received.append(data)

    def found_terminator(self) -> None:
        """Do what a line says, or store a value."""
        frame = b"".join(self.received)
        self.received.clear()
        if self.name:
            self.store(frame)
            return
        match frame.split():
            case [b"PUT", name, size] if size.isdigit():
                self.name = name
                self.set_terminator(int(size))
                if int(size) == 0:  # which means "never" to asynchat
                    self.store(b"")
            case [b"GET", name] if name in self.values:
                value = self.values[name]
                self.push(b"VALUE %d\r\n" % len(value) + value)
            case [b"GET", _]:
                self.push(b"NOTHING\r\n")
            case [b"QUIT"]:
                self.close_when_done()
            case _:
                self.push(b"ERROR\r\n")

    def store(self, value: bytes) -> None:
        """Store a value, and go back to lines."""
        self.values[self.name] = value
        self.name = b""
        self.set_terminator(b"\r\n")
        self.push(b"STORED\r\n")


class StoreServer(asyncore.dispatcher):
    """Whoever connects gets at the same values."""

    def __init__(self, host: str, port: int) -> None:
        asyncore.dispatcher.__init__(self)
        self.values: dict[bytes, bytes] = {}
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.set_reuse_addr()
        self.bind((host, port))
        self.listen(100)
        self.port: int = cast("socket.socket", self.socket).getsockname()[1]

    def handle_accepted(self, sock: socket.socket, _addr: object) -> None:
        """Serve him."""
        Store(sock, self.values)


def stop(_signal: int, _frame: FrameType | None) -> None:
    """Leave the loop."""
    raise asyncore.ExitNow


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, stop)
    server = StoreServer("127.0.0.1", 0)
    print(f"listening on 127.0.0.1 port {server.port}", flush=True)
    try:
        asyncore.loop()
    except (asyncore.ExitNow, KeyboardInterrupt):
        asyncore.close_all()


if __name__ == "__main__":
    main()
