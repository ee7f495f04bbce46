"""The Time Protocol (RFC 868): four bytes that say what time it is, and that was all.

    python time_server.py --port 3737           # --adapter blocking, selectors, trio, anyio
    python time_client.py --port 3737
    rdate -p -o 3737 127.0.0.1

The four bytes are a big-endian number of seconds since 1900, which is too small a number for
2036-02-07 06:28:16 UTC: from then on it starts again at 0, as that of NTP does. The server sends
the time modulo 2^32, and the client takes the one that is nearest to its own clock of all the
times that this may be (`unix_time`); so the two understand each other in any year, as long as
the client is wrong by less than 68 years.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from serving import main

from framer import Channel

SIZE: Final = 4  # bytes
ERA: Final = 1 << 8 * SIZE  # seconds after which the number starts again
EPOCH: Final = 2_208_988_800  # seconds from 1900 to 1970


def encode_time(unix: float) -> bytes:
    """Write a time, in seconds since 1970, as the protocol does."""
    return (int(unix // 1 + EPOCH) % ERA).to_bytes(SIZE, "big")


def unix_time(answer: bytes, near: float) -> int:
    r"""Return the time, in seconds since 1970, that `answer` means to one in whose time it came.

    >>> unix_time(b"\x00\x00\x00\x00", near=2_085_978_000)  # some minutes before the wrap
    2085978496
    """
    seconds = int.from_bytes(answer, "big") - EPOCH
    return seconds + ERA * round((near - seconds) / ERA)


class TimeServer(Channel):
    """One client. Nothing that it says matters: the channel closes before it could be heard."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock

    def connection_made(self) -> None:
        """Say what time it is."""
        self.push(encode_time(self.clock()))
        self.close_when_done()


if __name__ == "__main__":
    main(TimeServer, "Tell the time (RFC 868).")
