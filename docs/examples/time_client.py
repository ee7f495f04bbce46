"""A client of the Time Protocol (RFC 868), whose only frame is one of four bytes.

    python time_client.py --port 3737           # --adapter blocking, selectors, trio, anyio

A frame that ends by count needs no other check: three bytes and the end of the stream are
an `IncompleteFrame`, not a strange date, and bytes behind the fourth are never looked at.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from serving import ADAPTERS, converse
from time_server import SIZE, unix_time

from framer import Channel, FramingError


class TimeClient(Channel):
    """Take the time of a server.

    Attributes:
        moment: what the server said, None until then.
        error: why it said nothing that is a time, else None.
    """

    terminator = SIZE

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.moment: datetime | None = None
        self.error: Exception | None = None

    def frame_received(self, frame: bytes) -> None:
        """Take the answer, and nothing that comes behind it."""
        self.moment = datetime.fromtimestamp(unix_time(frame, near=self.clock()), UTC)
        self.close_when_done()

    def framing_error(self, exc: FramingError) -> None:
        """Take no part of an answer for an answer."""
        self.error = exc
        self.close_when_done()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note how it ended, if it did without a word (as RFC 868 wants of who has no clock)."""
        if self.moment is None and self.error is None:
            self.error = exc or EOFError("the server closed the connection without an answer")


def main() -> int:
    """Show the time of a server and return the exit status."""
    parser = argparse.ArgumentParser(description="Ask a server for the time (RFC 868).")
    parser.add_argument("--adapter", choices=ADAPTERS, default="asyncio")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=37)
    options = parser.parse_args()
    client = TimeClient()
    try:
        converse(client, options.host, options.port, options.adapter)
    except OSError as exc:
        client.error = exc
    if client.moment is None:
        print(f"time_client: {client.error}", file=sys.stderr)
        return 1
    print(f"{client.moment:%Y-%m-%d %H:%M:%S} UTC")
    return 0


if __name__ == "__main__":
    sys.exit(main())
