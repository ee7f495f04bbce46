"""The line echo server: each line comes back as it came.

As a `Channel` it is three hooks, of which only the first is the program; the other two say what
becomes of a line that is too long and of one that has no end, where many an echo server hangs up.
As a handler of a `FramedStream` it is a loop of two lines, below.

    python echo_lines.py --port 7007            # --adapter blocking, selectors, trio, anyio
    nc -N 127.0.0.1 7007

A client may send any number of lines at once: what one read brings is answered in one send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving import main

from framer import Channel, FrameTooLarge, FramingError, IncompleteFrame

if TYPE_CHECKING:
    from framer_adapters import anyio, asyncio, blocking, trio


class EchoLines(Channel):
    """One client. A line ends at LF; a CR before it is a part of the line, and comes back, too."""

    terminator = b"\n"
    max_frame_size = 4096

    def frame_received(self, frame: bytes) -> None:
        """Echo a line."""
        self.push(frame + b"\n")

    def framing_error(self, exc: FramingError) -> None:
        """Drop a line that is too long and say so; echo the last one without the end it lacks."""
        if isinstance(exc, FrameTooLarge):
            self.push(b"a line of more than %d bytes was dropped\n" % exc.max_frame_size)
            self.framer.skip_frame()
        elif isinstance(exc, IncompleteFrame):
            self.push(exc.partial)


# The same for those who would rather write a loop: handlers, for serve() of their world.


def echo(stream: blocking.FramedStream) -> None:
    """Echo the lines of a client to their end, in a thread of its own."""
    for line in stream:
        stream.send_frame(line)


async def echo_async(
    stream: asyncio.FramedStream | trio.FramedStream | anyio.FramedStream,
) -> None:
    """Echo the lines of a client to their end, in a task of asyncio, trio or anyio."""
    async for line in stream:
        await stream.send_frame(line)


if __name__ == "__main__":
    main(EchoLines, "Echo lines.")
