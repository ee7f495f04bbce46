r"""The options of the command line, and the help that goes with them.

`split`, `join` and `explain` take the same framing options, so that what one of them said about
a stream can be handed to the next.
`Options` is what they come to: one object with a type for each, whichever command it is for.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from framer import ANY_NEWLINE, Framer, LengthPrefix, Netstring, VarintPrefix
from framer._cli import values
from framer._cli.failures import USAGE, CommandError
from framer._cli.streams import STANDARD

if TYPE_CHECKING:
    from framer import Terminator


DEFAULT_LIMIT: Final = 16 * 1024 * 1024

_DESCRIPTION = """\
Cut captured byte streams into frames, put them back together, and look at them.
"""

_EPILOG = r"""
examples:
  framer explain --delimiter '\r\n' smtp.bin     see what is in a stream
  framer split --length-prefix u32be log.bin     one frame a line
  framer split --varint in.bin --output json | jq -c .text

exit status:
  0 all went well; 1 the framing breaks, or bad input; 2 wrong usage, or a file that cannot be
  opened; 130 Ctrl-C; 141 whoever read the output has gone.

`framer COMMAND --help` says more.
"""

_SPLIT = r"""Write the frames of a stream.

Reads in chunks, so a file of any size costs one chunk of memory and the largest frame.
On a pipe each frame is out as soon as it is whole."""

_SPLIT_EPILOG = r"""
outputs:
  lines   a frame a line; control bytes, backslashes and what is not UTF-8 are written as
          \n \r \t \\ \xNN, so `framer join` gives back the very bytes
  json    a frame a line: {"frame": 1, "offset": 0, "size": 5, "text": "hello"}, with "base64"
          for "text" where it is not UTF-8; offset and size say where the payload is
  hex     a frame a line, in hexadecimal digits
  raw     the payloads with nothing between them
  count   how many frames and how many bytes of payload

examples:
  framer split --delimiter '\r\n' session.bin
  framer split --delimiter '\r\n' --delimiter '\n' session.bin     whichever comes first
  framer split --length-prefix u16le --output hex records.bin
  tcpdump ... | framer split --any-newline -
  framer split --max-frame-size 64K --skip-oversize log --output count

Where the framing breaks, the frames before are written, a message says at which byte,
and the exit status is 1.
"""

_JOIN = r"""Make a framed stream of frames that are written down.

The inverse of `framer split` with the same framing options: it gives back the very bytes."""

_JOIN_EPILOG = r"""
input:
  lines   a frame a line, with the escapes \n \r \t \0 \\ \xNN
  json    a frame a line: {"text": "hello"} or {"base64": "aGVsbG8="}; other keys do not matter,
          nor do empty lines
  hex     a frame a line, in hexadecimal digits

examples:
  printf 'EHLO me\nQUIT\n' | framer join --delimiter '\r\n' | nc mail 25
  framer split --netstring in --output json | jq -c 'select(.size < 9)' | framer join \
      --netstring --input json > out

What does not come back as it was: with --any-newline every line ends in \n; with several
--delimiter every frame ends in the first; and lengths come back in the shortest way to write
them, which a varint need not have been (81 00 for 1).
"""

_EXPLAIN = r"""Show a stream byte by byte, frame by frame.

Prefixes are in (), terminators in [], bytes that break the framing in {}; on a terminal they are
in colour too. The exit status is 1 if a frame is oversize or the framing breaks."""

_EXPLAIN_EPILOG = r"""
examples:
  framer explain --delimiter '\r\n' smtp.bin
  framer explain --length-prefix u32be --frames 5 log.bin
  framer explain --length-prefix u32be --offset 81920 log.bin    from there on
  framer explain --delimiter '\r\n' --cuts 5,9 smtp.bin          as if it arrived in 3 pieces
  framer explain --color always smtp.bin | less -R

NO_COLOR (https://no-color.org) turns colours off; so does a terminal that is none.
"""


class Options(argparse.Namespace):
    """What was asked for."""

    command: str
    path: str
    # How frames end; at most one of them is given.
    delimiter: list[bytes] | None
    any_newline: bool
    size: int | None
    length_prefix: LengthPrefix | None
    varint: bool
    netstring: bool
    # One command's or the other's.
    max_frame_size: int | None
    skip_oversize: bool
    output: str
    input: str
    frames: int
    offset: int
    cuts: list[int] | None
    full: bool
    color: str

    @property
    def terminator(self) -> Terminator:
        """What ends a frame."""
        if self.any_newline:
            return ANY_NEWLINE
        if self.varint:
            return VarintPrefix()
        if self.netstring:
            return Netstring()
        return self.size or self.length_prefix or self._delimiters()

    def _delimiters(self) -> bytes | tuple[bytes, ...]:
        delimiters = self.delimiter or [b"\n"]
        return delimiters[0] if len(delimiters) == 1 else tuple(delimiters)

    def framer(self) -> Framer:
        """Make the framer that was asked for.

        Raises:
            CommandError: there is no such framer.
        """
        limit = self.max_frame_size
        if self.size is not None and limit is not None and self.size > limit:
            raise CommandError(
                f"--size {self.size} is more than --max-frame-size {limit}",
                "Raise --max-frame-size.",
                USAGE,
            )
        try:
            return Framer(self.terminator, max_frame_size=limit)
        except ValueError as error:
            raise CommandError(f"--delimiter: {error}", status=USAGE) from None

    def explain_command(self, offset: int) -> str:
        """Give the command that shows the stream from `offset` on."""
        path = "FILE" if self.path == STANDARD else self.path
        start = ["--offset", str(offset)] if offset else []
        words = ["framer", "explain", *self._framing_words(), *start, path]
        return shlex.join(words)

    def _framing_words(self) -> list[str]:
        words = values.words_for(self.terminator) if self.terminator != b"\n" else []
        if self.max_frame_size == DEFAULT_LIMIT:
            return words
        return [*words, "--max-frame-size", str(self.max_frame_size).lower()]


def parse(argv: Sequence[str] | None) -> Options:
    """Read the command line; end the program where it is wrong, or asks for help."""
    return _parser().parse_args(argv, namespace=Options())


class _Version(argparse.Action):
    """Print the version; only then is it worth the time to look it up."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="say which version this is")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        try:
            version = metadata.version("sansio-framer")
        except metadata.PackageNotFoundError:
            version = "(not installed, so of no version)"
        sys.stdout.write(f"framer {version}\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _command(argparse.ArgumentParser, "framer", _DESCRIPTION, _EPILOG)
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, add_to, description, epilog in _COMMANDS:
        summary = description.partition("\n")[0].rstrip(".").lower()
        usage = f"framer {name} [FRAMING] [OPTIONS] [FILE]"
        more = {"usage": usage, "help": summary}
        add_to(_command(commands.add_parser, name, description, epilog, **more))
    return parser


def _command(
    make: Callable[..., argparse.ArgumentParser],
    name: str,
    description: str,
    epilog: str,
    **more: str,
) -> argparse.ArgumentParser:
    return make(
        name,
        **more,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_split(parser: argparse.ArgumentParser) -> None:
    _add_framing(parser)
    _add_limit(parser)
    parser.add_argument(
        "--skip-oversize",
        action="store_true",
        help="leave out frames that are too large, and say at the end how many",
    )
    parser.add_argument(
        "--output",
        choices=("raw", "lines", "json", "hex", "count"),
        default="lines",
        help="what to write (default: lines)",
    )
    _add_path(parser, "the stream")


def _add_join(parser: argparse.ArgumentParser) -> None:
    _add_framing(parser)
    parser.set_defaults(max_frame_size=None)
    parser.add_argument(
        "--input",
        choices=("lines", "json", "hex"),
        default="lines",
        help="how the frames are written down (default: lines)",
    )
    _add_path(parser, "the frames")


def _add_explain(parser: argparse.ArgumentParser) -> None:
    _add_framing(parser)
    _add_limit(parser)
    add = parser.add_argument
    add("--frames", type=values.count, default=100, metavar="N", help="stop after N (default: 100)")
    add("--offset", type=values.size, default=0, metavar="N", help="start at byte N of the stream")
    add(
        "--full",
        action="store_true",
        help="show long frames whole, not only how they begin and end",
    )
    add(
        "--cuts",
        type=values.cuts,
        metavar="N,N...",
        help="show the stream as if it arrived in pieces, cut at these offsets, "
        "and which event came out at which piece",
    )
    add(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: on a terminal (auto, the default), always or never",
    )
    _add_path(parser, "the stream")


def _add_path(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "path",
        nargs="?",
        default=STANDARD,
        metavar="FILE",
        help=f"where {what} is; - or nothing for standard input",
    )


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-frame-size",
        type=values.limit,
        default=DEFAULT_LIMIT,
        metavar="N",
        help="the most bytes that a frame may have: 1500, 64K, 1M, or none for no limit "
        "(default: 16M)",
    )


def _add_framing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "framing, or where a frame ends", r"one of these; --delimiter '\n' if none is given"
    )
    add = group.add_mutually_exclusive_group().add_argument
    add(
        "--delimiter",
        action="append",
        type=values.delimiter,
        metavar="TEXT",
        help=r"at these bytes, with escapes: \r \n \t \0 \\ \xNN; "
        "given several times: at the first of them",
    )
    add("--any-newline", action="store_true", help="at CR, LF or CRLF")
    add("--size", type=values.positive_size, metavar="N", help="after N bytes")
    add(
        "--length-prefix",
        type=values.length_prefix,
        metavar="TYPE",
        help="after as many bytes as a number before it says: u8, u16be, u24le, u32be, ... u64le; "
        "u32be-4 if the number counts its own four bytes too",
    )
    add("--varint", action="store_true", help="likewise, a varint (protobuf's delimited streams)")
    add("--netstring", action="store_true", help="likewise, in decimal digits: 5:hello,")


_COMMANDS: Final = (
    ("split", _add_split, _SPLIT, _SPLIT_EPILOG),
    ("join", _add_join, _JOIN, _JOIN_EPILOG),
    ("explain", _add_explain, _EXPLAIN, _EXPLAIN_EPILOG),
)
