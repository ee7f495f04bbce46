"""`framer join`: a framed stream from frames written down, the inverse of `framer split`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framer import Framer, IncompleteFrame, encode_frame
from framer._cli.failures import CommandError
from framer._cli.forms import READERS
from framer._cli.progress import progress
from framer._cli.streams import Source, open_source, output

if TYPE_CHECKING:
    from framer import Terminator
    from framer._cli.options import Options


def run(options: Options) -> int:
    """Run the command."""
    options.framer()  # complains where the framing options make no sense
    reader = Reader(READERS[options.input], options.terminator, options.input == "json")
    out = output()
    with open_source(options.path) as source, progress(source) as advance:
        for lines, size in _lines(source):
            out.writelines(reader.frames(lines, source))
            out.flush()
            advance(size)
    return 0


@dataclass(slots=True)
class Reader:
    """Makes framed bytes of lines, and knows the number of the line it is at."""

    read: Callable[[bytes], bytes]
    terminator: Terminator
    skips_empty: bool  # an empty line is an empty frame, but no JSON
    number: int = 0

    def frames(self, lines: Iterator[bytes], source: Source) -> Iterator[bytes]:
        """Give each line's frame, framed.

        Raises:
            CommandError: a line is no frame, or a frame does not go with the terminator.
        """
        for line in lines:
            self.number += 1
            if self.skips_empty and not line.strip():
                continue
            try:
                yield encode_frame(self.read(line), self.terminator)
            except ValueError as error:
                raise CommandError(
                    f"{source.name}: line {self.number}: {error}",
                    "The frames before it are written. Correct the line, or see "
                    "`framer join --help` for other framings and forms.",
                ) from None


def _lines(source: Source) -> Iterator[tuple[Iterator[bytes], int]]:
    """Give the lines of each chunk with its size; the last one needs no newline."""
    framer = Framer(b"\n", max_frame_size=None)
    for chunk in source.chunks():
        framer.receive_data(chunk)
        yield framer.frames(), len(chunk)
    framer.receive_eof()
    try:
        framer.next_frame()
    except IncompleteFrame as error:
        yield iter([error.partial]), 0
