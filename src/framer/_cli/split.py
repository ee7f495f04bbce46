"""`framer split`: the frames of a stream, written down.

What comes of one chunk is written in one go before the next chunk is read,
some thousand frames at a time, so that neither a frame costs a call of its own
nor a chunk full of empty frames grows on its way out.
A sink takes frames and writes them; it writes what it has when the framing breaks, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from framer import Framer, FrameTooLarge, FramingError, IncompleteFrame
from framer._cli.failures import CommandError, number_of, what_is_wrong
from framer._cli.forms import escape_lines, hex_lines, json_line
from framer._cli.offsets import Offsets
from framer._cli.progress import progress
from framer._cli.streams import Source, open_source, output

if TYPE_CHECKING:
    from framer._cli.options import Options

BATCH: Final = 8192


def run(options: Options) -> int:
    """Run the command."""
    framer = options.framer()
    with open_source(options.path) as source:
        splitter = Splitter(framer, _sink(options, framer), options.skip_oversize)
        try:
            splitter.run(source)
        except FramingError as error:
            raise _explained(error, splitter, options, source) from None
        finally:
            splitter.report()
    return 0


class Sink(Protocol):
    """Where frames go."""

    frames: int  # how many it has taken
    skipped: int  # how many were too large to be taken

    def receive_data(self, chunk: bytes) -> None:
        """Take note of the bytes that the next frames come from."""
        ...

    def take(self, frames: Iterator[bytes]) -> None:
        """Take all the frames there are."""
        ...

    def skip(self) -> None:
        """Take note that the next frame is left out."""
        ...

    def close(self) -> None:
        """Write what there is to say at the end."""
        ...


@dataclass(slots=True)
class Splitter:
    """Takes a source through a framer to a sink."""

    framer: Framer
    sink: Sink
    skip_oversize: bool
    skipped_start: int | None = None  # where the last frame began that was skipped

    def run(self, source: Source) -> None:
        """Split the whole source."""
        out = output()
        try:
            with progress(source) as advance:
                for chunk in source.chunks():
                    self.sink.receive_data(chunk)
                    self.framer.receive_data(chunk)
                    self._drain()
                    out.flush()
                    advance(len(chunk))
            self.framer.receive_eof()
            self._drain()
        finally:
            self.sink.close()

    def report(self) -> None:
        """Say what was left out."""
        if self.sink.skipped:
            frames = number_of(self.sink.skipped, "frame")
            sys.stderr.write(f"framer: skipped {frames} that had too many bytes\n")

    def number_of_broken(self, error: FramingError) -> int:
        """Tell which frame it is that broke."""
        done = self.sink.frames + self.sink.skipped
        # The end of the stream in the middle of one that is being skipped is no frame of its own.
        return done if error.frame_start == self.skipped_start else done + 1

    def _drain(self) -> None:
        while True:
            try:
                self.sink.take(self.framer.frames())
                return
            except FrameTooLarge as error:
                if not self.skip_oversize:
                    raise
                self.sink.skip()
                self.skipped_start = error.frame_start
                self.framer.skip_frame()


class BatchSink:
    """Writes frames as `render` makes bytes of them."""

    def __init__(self, render: Callable[[list[bytes]], bytes], out: BinaryIO) -> None:
        self.frames = 0
        self.skipped = 0
        self._render = render
        self._out = out

    def receive_data(self, chunk: bytes) -> None:
        """Nothing: where a frame stands in the stream does not show."""

    def take(self, frames: Iterator[bytes]) -> None:
        """Write all the frames there are."""
        count = BATCH
        while count == BATCH:
            batch: list[bytes] = []
            try:
                for frame in islice(frames, BATCH):
                    batch.append(frame)  # noqa: PERF402 - must survive an error half way
            finally:
                count = len(batch)
                self.frames += count
                self.write(batch)

    def skip(self) -> None:
        """Count the frame that is left out."""
        self.skipped += 1

    def write(self, batch: list[bytes]) -> None:
        """Write some frames."""
        self._out.write(self._render(batch))

    def close(self) -> None:
        """Nothing: it is all written."""


class CountSink(BatchSink):
    """Counts frames and the bytes in them, and writes the two numbers at the end."""

    def __init__(self, out: BinaryIO) -> None:
        super().__init__(b"".join, out)
        self._size = 0

    def write(self, batch: list[bytes]) -> None:
        """Write nothing yet."""
        self._size += sum(map(len, batch))

    def close(self) -> None:
        """Write how many frames there were and how many bytes were in them."""
        self._out.write(f"{self.frames} frames {self._size} bytes\n".encode())


class JsonSink:
    """Writes frames as JSON Lines, which say where in the stream each payload is."""

    def __init__(self, framer: Framer, out: BinaryIO) -> None:
        self.frames = 0
        self.skipped = 0
        self._out = out
        self._offsets = Offsets(framer)

    def receive_data(self, chunk: bytes) -> None:
        """Take note of the bytes that the next frames come from."""
        self._offsets.receive_data(chunk)

    def take(self, frames: Iterator[bytes]) -> None:
        """Write all the frames there are."""
        batch: list[str] = []
        try:
            for frame in frames:
                self.frames += 1
                start = self._offsets.payload_start(frame)
                batch.append(json_line(self.frames + self.skipped, start, frame))
                if len(batch) == BATCH:
                    self._write(batch)
        finally:
            self._write(batch)

    def skip(self) -> None:
        """Count the frame that is left out, and look for where the next one is."""
        self.skipped += 1
        self._offsets.restart()

    def close(self) -> None:
        """Nothing: it is all written."""

    def _write(self, batch: list[str]) -> None:
        self._out.write("".join(batch).encode())
        batch.clear()


_RENDERINGS: dict[str, Callable[[list[bytes]], bytes]] = {
    "raw": b"".join,
    "lines": escape_lines,
    "hex": hex_lines,
}


def _sink(options: Options, framer: Framer) -> Sink:
    out = output()
    match options.output:
        case "json":
            return JsonSink(framer, out)
        case "count":
            return CountSink(out)
        case kind:
            return BatchSink(_RENDERINGS[kind], out)


def _explained(
    error: FramingError, splitter: Splitter, options: Options, source: Source
) -> CommandError:
    number = splitter.number_of_broken(error)
    where = f"{source.name}: frame {number:,}, which starts at byte {error.frame_start}"
    wrong = what_is_wrong(error, options.terminator)
    look = f"See it with: {options.explain_command(error.frame_start)}"
    return CommandError(f"{where}: {wrong}", f"{_advice(error)}\n{look}")


def _advice(error: FramingError) -> str:
    match error:
        case FrameTooLarge():
            return (
                "Raise --max-frame-size, or leave such frames out with --skip-oversize; "
                "if no frame should be that large: is it framed in another way?"
            )
        case IncompleteFrame():
            return (
                "The frames before it are written. "
                "Was the stream cut short, or is it framed in another way?"
            )
        case _:
            return (
                "The frames before it are written; where the next would start, nobody can tell. "
                "Is it framed in another way?"
            )
