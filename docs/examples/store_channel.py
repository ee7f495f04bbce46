"""The store, rewritten as a `Channel`: it knows nothing of sockets, and runs under any adapter.

python store_channel.py --adapter trio
"""

from __future__ import annotations

from functools import partial

from serving import main

from framer import Channel, Terminator


class Store(Channel):
    """One client."""

    terminator: Terminator = b"\r\n"
    max_frame_size = 1 << 20  # of a line, and of a value

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.values = values
        self.name = b""  # of the value that comes in, if one does

    def frame_received(self, frame: bytes, /) -> None:
        """Do what a line says, or store a value."""
        if self.name:
            self.values[self.name] = frame
            self.name = b""
            self.terminator = b"\r\n"
            self.push(b"STORED\r\n")
            return
        match frame.split():
            case [b"PUT", name, size] if size.isdigit():
                self.name, self.terminator = name, int(size)
            case [b"GET", name] if name in self.values:
                value = self.values[name]
                self.push(b"VALUE %d\r\n" % len(value))
                self.push(value)
            case [b"GET", _]:
                self.push(b"NOTHING\r\n")
            case [b"QUIT"]:
                self.close_when_done()
            case _:
                self.push(b"ERROR\r\n")


if __name__ == "__main__":
    main(partial(Store, {}), "Store values.")
