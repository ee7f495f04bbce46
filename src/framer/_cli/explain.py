"""`framer explain`: a stream as a person wants to see it.

Frame by frame, or with `--cuts` piece by piece.
On a terminal the lines are in rich's colours; where it is not installed, or nobody wants
colours, they are the same lines without.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, assert_never

from framer import (
    EndOfStream,
    Framer,
    FramingError,
    LengthPrefix,
    Netstring,
    TerminatorFound,
    VarintPrefix,
)
from framer._cli.arrivals import Arrivals, Outcome, Piece
from framer._cli.dissect import Dissector, Frame, Part, Strip
from framer._cli.failures import FAILED, USAGE, CommandError, name_of, number_of, what_is_wrong
from framer._cli.layout import Layout, Line, glyphs_for
from framer._cli.streams import Source, open_source, output

if TYPE_CHECKING:
    from framer._cli.options import Options

Show = Callable[[Line], None]

STYLES: Final = {
    "": "",
    "frame": "bold",
    "offset": "dim",
    "payload": "",
    "prefix": "cyan",
    "terminator": "bold magenta",
    "skipped": "yellow",
    "broken": "bold white on red",
    "unread": "dim",
    "note": "dim",
    "wrong": "bold red",
    "piece": "bold blue",
}


def run(options: Options) -> int:
    """Run the command."""
    framer = options.framer()
    output()  # complains if there is none
    show = _show(options.color)
    with open_source(options.path) as source:
        view = View(options, framer, _layout(options, source), show)
        source.skip(options.offset)
        show(view.layout.header(_legend(framer)))
        if options.cuts is None:
            view.show_frames(source)
        else:
            view.show_pieces(source, options.cuts)
    return FAILED if view.is_wrong else 0


@dataclass(slots=True)
class View:
    """Shows a stream."""

    options: Options
    framer: Framer
    layout: Layout
    show: Show
    is_wrong: bool = False  # whether a frame is oversize or broken

    def show_frames(self, source: Source) -> None:
        """Show it frame by frame."""
        dissector = Dissector(self.framer, self.layout.head_size)
        whole = 0
        end = 0
        for frame in dissector.frames(source.chunks()):
            self._show_frame(frame)
            whole += frame.is_whole
            end = frame.end
            if frame.number == self.options.frames and frame.is_final:
                self._how_to_go_on(end)
                return
        self._note(f"{number_of(whole, 'whole frame')} in {number_of(end, 'byte')}")

    def show_pieces(self, source: Source, cuts: Sequence[int]) -> None:
        """Show it piece by piece, and what came of each."""
        offset = self.options.offset
        cuts = [cut - offset for cut in cuts if cut > offset]
        arrivals = Arrivals(self.framer, self.layout.head_size, self.options.frames)
        for piece in arrivals.pieces(source.chunks(), cuts):
            self._show_piece(piece)
        if arrivals.frame > self.options.frames:
            self._note(f"that was all of the first {number_of(self.options.frames, 'frame')}")

    def _show_frame(self, frame: Frame) -> None:
        label = str(frame.number)
        for group in _groups(frame.parts):
            kind = group[0].kind
            if kind == "prefix":
                self._show_prefix(label, group[0], frame)
            else:
                self._show_rows("skip" if kind == "skipped" else label, group)
            label = label if kind == "skipped" else ""
        if frame.error is not None:
            self._show_error(frame.error, label)
        sys.stdout.flush()

    def _show_prefix(self, label: str, part: Part, frame: Frame) -> None:
        meaning = number_of(frame.payload_size, "byte") if frame.is_whole else ""
        self.show(self.layout.prefix_row(label, part, meaning))

    def _show_rows(self, label: str, parts: Sequence[Part]) -> None:
        for line in self.layout.rows(label, parts):
            self.show(line)

    def _show_error(self, error: FramingError, label: str = "") -> None:
        self.is_wrong = True
        wrong = what_is_wrong(error, self.framer.terminator, self.options.offset)
        for line in self.layout.note(wrong, "wrong", label):
            self.show(line)

    def _show_piece(self, piece: Piece) -> None:
        self.show([(_title(piece, self.options.offset), "piece")])
        if piece.strip.size:
            self._show_rows("", [Part("unread", piece.start, piece.strip)])
        for number, outcome in piece.outcomes:
            self._show_outcome(number, outcome)
        if piece.held_back:
            self._note(f"{number_of(piece.held_back, 'byte')} held back: {self._why_held_back()}")
        sys.stdout.flush()

    def _show_outcome(self, number: int, outcome: Outcome) -> None:
        if isinstance(outcome, FramingError):
            self._show_error(outcome, str(number))
            return
        label = "" if isinstance(outcome, EndOfStream) else str(number)
        text, style = self._outcome(outcome)
        for line in self.layout.note(f"{self.layout.glyphs.arrow} {text}", style, label):
            self.show(line)

    def _outcome(self, outcome: Strip | TerminatorFound | EndOfStream) -> tuple[str, str]:
        match outcome:
            case Strip():
                return f"Data({self.layout.brief(outcome)})", "payload"
            case TerminatorFound(matched):
                return f"TerminatorFound({matched!r})", "terminator"
            case EndOfStream():
                return "EndOfStream()", "terminator"
            case _:
                assert_never(outcome)

    def _why_held_back(self) -> str:
        terminator = self.framer.terminator
        if isinstance(terminator, (bytes, tuple)):
            return f"could be the start of {name_of(terminator)}"
        return "a prefix that is not complete"

    def _how_to_go_on(self, end: int) -> None:
        frames = number_of(self.options.frames, "frame")
        self._note(f"that was {frames}; --frames N shows more. What follows:")
        # On a line of its own and never wrapped, to be copied.
        self.show([(self.options.explain_command(self.options.offset + end), "note")])

    def _note(self, text: str) -> None:
        for line in self.layout.note(text, "note"):
            self.show(line)


def _groups(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Give the parts that share rows; prefixes and what was skipped have their own."""
    for _, group in groupby(parts, key=_row_kind):
        yield list(group)


def _row_kind(part: Part) -> str:
    return part.kind if part.kind in {"prefix", "skipped"} else ""


def _title(piece: Piece, offset: int) -> str:
    if piece.is_end:
        return "end of the stream"
    return (
        f"piece {piece.number}: {number_of(piece.strip.size, 'byte')} from {piece.start + offset}"
    )


def _legend(framer: Framer) -> str:
    """Say what the brackets mean that this stream can have."""
    match framer.terminator:
        case bytes() | tuple():
            return "[terminator]"
        case int():
            return ""
        case Netstring():
            return "(prefix) [footer]"
        case LengthPrefix() | VarintPrefix():
            return "(prefix)"
        case _:
            return "[newline]"


def _layout(options: Options, source: Source) -> Layout:
    width = shutil.get_terminal_size().columns
    offset_width = max(6, len(str(source.size or options.offset)))
    glyphs = glyphs_for(sys.stdout.encoding or "ascii")
    return Layout(width, offset_width, glyphs, base=options.offset, full=options.full)


def _show(color: str) -> Show:
    """Choose how lines are written."""
    if color == "always" or (color == "auto" and _has_colors()):
        try:
            return _colored()
        except ImportError:
            if color == "always":
                raise CommandError(
                    "colours need rich, which is not installed",
                    "Install it: pip install 'sansio-framer[cli]'",
                    USAGE,
                ) from None
    return _show_plain


def _has_colors() -> bool:
    environ = os.environ
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _show_plain(line: Line) -> None:
    sys.stdout.write("".join(text for text, _ in line).rstrip() + "\n")


def _runs(line: Line) -> Iterator[tuple[str, str]]:
    """Join neighbours of the same style, which makes a fraction of the escape sequences."""
    for style, run in groupby(line, key=lambda piece: STYLES[piece[1]]):
        yield "".join(text for text, _ in run), style


def _colored() -> Show:
    from rich.console import Console
    from rich.text import Text

    # Captured and written by us: what rich does about a closed pipe is not what we do.
    # Eight colours are what every terminal has, in the shades that its owner chose.
    console = Console(force_terminal=True, color_system="standard", no_color=False)

    def show(line: Line) -> None:
        with console.capture() as written:
            console.print(Text.assemble(*_runs(line)), soft_wrap=True)
        sys.stdout.write(written.get())

    return show
