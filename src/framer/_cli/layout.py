"""Bytes on lines: offset, hex and text side by side, as wide as the terminal allows.

A line is a list of (text, style), which comes out the same with colours and without:
brackets in the hex column say what the colours say.
What the bytes are is `dissect`'s to know; here are rows, columns and characters.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

from framer._cli.dissect import Kind, Part, Strip
from framer._cli.failures import number_of

Line = list[tuple[str, str]]
Cell = tuple[int, Kind]  # a byte, and what it is

BRACKETS: Final[dict[Kind | None, str]] = {"prefix": "()", "terminator": "[]", "broken": "{}"}
LABEL_WIDTH: Final = 4
HEAD_ROWS: Final = 8
TAIL_ROWS: Final = 3
MOST_COLUMNS: Final = 32


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters beyond ASCII, or what stands for them."""

    other: str
    gap: str
    arrow: str
    pictures: bool  # of control characters

    def text(self, data: bytes) -> str:
        """Give bytes as characters: what they say where they say something."""
        return "".join(map(self._character, data.decode("utf-8", "replace")))

    def _character(self, character: str) -> str:
        if self.pictures and character < " ":
            return chr(0x2400 + ord(character))
        if character == "\ufffd" or not character.isprintable():
            return self.other
        return character if self.pictures or character.isascii() else self.other


UNICODE: Final = Glyphs("·", "…", "→", pictures=True)
ASCII: Final = Glyphs(".", "...", "->", pictures=False)


def glyphs_for(encoding: str) -> Glyphs:
    """Choose what an encoding can say."""
    try:
        "·…→␀".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide everything is."""

    width: int  # of the terminal, in characters
    offset_width: int
    glyphs: Glyphs
    base: int = 0  # offset at which the stream begins
    full: bool = False  # whether long parts are shown whole

    @property
    def columns(self) -> int:
        """How many bytes a row has."""
        room = (self.width - self.indent - 2) // 4
        return max(4, min(room // 8 * 8 or 4, MOST_COLUMNS))

    @property
    def indent(self) -> int:
        """How many characters there are before the hex column."""
        return LABEL_WIDTH + 1 + self.offset_width + 1

    @property
    def head_size(self) -> int | None:
        """How many bytes of a long part need to be kept."""
        return None if self.full else HEAD_ROWS * self.columns

    def header(self, legend: str) -> Line:
        """Give the line above all the others."""
        room = 3 * self.columns + 1
        hexadecimal = f" hex  {legend}" if len(legend) + 6 <= room else " hex"
        start = f"{'#':>{LABEL_WIDTH}} {'offset':>{self.offset_width}} "
        return [(f"{start}{hexadecimal:<{room}} text", "note")]

    def rows(self, label: str, parts: Sequence[Part]) -> Iterator[Line]:
        """Give the rows of parts that follow one another, without the middle of long ones."""
        for start, cells, left_out in self._stretches(parts):
            yield from self._stretch_rows(label, start, cells)
            label = ""
            if left_out:
                what = f"{number_of(left_out, 'byte')} left out, --full shows them"
                yield from self.note(f"{self.glyphs.gap} {what} {self.glyphs.gap}", "note")

    def prefix_row(self, label: str, part: Part, meaning: str) -> Line:
        """Give the row of a prefix, with what it means for its text."""
        cells = _cells(part.strip.head, part.kind)
        head = self._row_head(label, part.start)
        return [*head, *self._hex(cells, None, None), (f" {meaning}", part.kind)]

    def note(self, text: str, style: str, label: str = "") -> Iterator[Line]:
        """Give lines that say something about the rows before."""
        room = max(24, self.width - self.indent - 1)
        for line in textwrap.wrap(text, room, break_on_hyphens=False) or [""]:
            yield [
                (f"{label:>{LABEL_WIDTH}}", "frame"),
                (" " * (self.indent - 3), ""),
                (line, style),
            ]
            label = ""

    def brief(self, strip: Strip) -> str:
        """Give bytes as Python writes them, without the middle of long ones."""
        head, tail, left_out = self._visible(strip)
        if not left_out:
            return repr(head)
        return f"{head!r} {self.glyphs.gap} {tail!r}, {number_of(strip.size, 'byte')}"

    def _visible(self, strip: Strip) -> tuple[bytes, bytes, int]:
        """Give the beginning, the end, and how many bytes between them are left out."""
        kept = bytes(strip.head + strip.tail)
        columns = self.columns
        if self.full or strip.size <= (HEAD_ROWS + TAIL_ROWS) * columns:
            return kept, b"", 0
        # The rows go on below the gap as if there were none.
        tail_size = (strip.size - 1) % columns + 1 + (TAIL_ROWS - 1) * columns
        head = kept[: HEAD_ROWS * columns]
        return head, kept[-tail_size:], strip.size - len(head) - tail_size

    def _stretches(self, parts: Sequence[Part]) -> Iterator[tuple[int, list[Cell], int]]:
        start = parts[0].start
        cells: list[Cell] = []
        for part in parts:
            head, tail, left_out = self._visible(part.strip)
            cells += _cells(head, part.kind)
            if left_out:
                yield start, cells, left_out
                start = part.start + part.strip.size - len(tail)
                cells = _cells(tail, part.kind)
        yield start, cells, 0

    def _stretch_rows(self, label: str, start: int, cells: list[Cell]) -> Iterator[Line]:
        for at in range(0, len(cells), self.columns):
            end = at + self.columns
            before = cells[at - 1][1] if at else None
            after = cells[end][1] if end < len(cells) else None
            row = cells[at:end]
            head = self._row_head(label, start + at)
            yield [*head, *self._hex(row, before, after), (" ", ""), *self._text(row)]
            label = ""

    def _row_head(self, label: str, offset: int) -> Line:
        return [
            (f"{label:>{LABEL_WIDTH}} ", "frame"),
            (f"{self.base + offset:>{self.offset_width}} ", "offset"),
        ]

    def _hex(self, cells: list[Cell], before: Kind | None, after: Kind | None) -> Line:
        line: Line = []
        kind = before
        for at, (byte, next_kind) in enumerate(cells):
            line.append(_between(kind if at else None, next_kind, continues=kind == next_kind))
            line.append((f"{byte:02x}", next_kind))
            kind = next_kind
        line.append(_between(kind, None, continues=kind == after))
        line.append(("   " * (self.columns - len(cells)), ""))
        return line

    def _text(self, cells: list[Cell]) -> Line:
        return [
            (self.glyphs.text(bytes(byte for byte, _ in run)), kind)
            for kind, run in groupby(cells, key=itemgetter(1))
        ]


def _cells(data: Iterable[int], kind: Kind) -> list[Cell]:
    return [(byte, kind) for byte in data]


def _between(left: Kind | None, right: Kind | None, *, continues: bool) -> tuple[str, str]:
    """Give the character between two bytes: a bracket where one kind ends and another begins."""
    if continues:
        return " ", right or left or ""
    if right in BRACKETS:
        return BRACKETS[right][0], right or ""
    if left in BRACKETS:
        return BRACKETS[left][1], left or ""
    return " ", ""
