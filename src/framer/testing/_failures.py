"""What a check that fails has to say, and how it looks on a terminal.

Whoever reads it wants to know at once: what was fed, what came out, where that is wrong,
and what to type to see it again. So that is what it shows, in that order, in 80 columns.
The same is in attributes, for programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from framer.testing._merging import Rules
    from framer.testing._transcripts import Transcript

__all__ = ["CheckFailed", "NotDeterministic", "Vacuous", "again", "compare", "describe", "short"]

WIDTH: Final = 80
NEARBY: Final = 3
"""How many events to show before and behind the first that differs."""


class CheckFailed(AssertionError):
    """A check found the subject at fault.

    Attributes:
        split: the pieces of the stream with which it can be seen, as few as there can be;
            None where the way it is cut is not the point.
        transcripts: what came out; where two were compared, the one that was expected first.
        difference: the number of the first event that differs,
            which is the number of events if only the error differs; None if none were compared.
    """

    def __init__(
        self,
        message: str,
        *,
        split: Sequence[bytes] | None = None,
        transcripts: Iterable[Transcript] = (),
        difference: int | None = None,
    ) -> None:
        super().__init__(message)
        self.split: list[bytes] | None = None if split is None else list(split)
        self.transcripts: tuple[Transcript, ...] = tuple(transcripts)
        self.difference = difference


class Vacuous(CheckFailed):
    """Nothing came out, so nothing was checked."""


class NotDeterministic(CheckFailed):
    """The same bytes, cut in the same way, gave different events."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two columns."""

    title: str
    transcript: Transcript


def again(call: str, *transcripts: Transcript) -> str:
    """What to type to see it again."""
    calls = [call] if call else []
    calls += [f"transcript(make, {seen.chunks!r})" for seen in transcripts]
    return "\n".join(["to see it again:", *(f"    {call}" for call in calls)])


def describe(chunks: Sequence[bytes]) -> str:
    """How a stream was cut, for people."""
    if len(chunks) < 2:
        return f"in one piece:\n    {short(b''.join(chunks), WIDTH - 4)}"
    ends = list(accumulate(map(len, chunks)))[:-1]
    places = ", ".join(map(str, ends[:8])) + (", ..." if len(ends) > 8 else "")
    lines, line = [f"in {len(chunks)} pieces, cut at {places}:"], "   "
    for chunk in chunks[:40]:
        piece = short(chunk, WIDTH - 5)
        if len(line) + 1 + len(piece) > WIDTH:
            lines.append(line)
            line = "   "
        line += " " + piece
    return "\n".join([*lines, line + (" ..." if len(chunks) > 40 else "")])


def compare(left: Side, right: Side, rules: Rules, place: int) -> str:
    """Two transcripts side by side, around the place where they first differ, which is marked."""
    columns = [_rows(left.transcript, rules), _rows(right.transcript, rules)]
    width = (WIDTH - 9) // 2
    lines = [f"      {left.title:{width}} | {right.title}".rstrip()]
    first = max(0, place - NEARBY)
    if first:
        lines.append(f"      ({first} before that are the same)")
    longest = max(map(len, columns))
    for number in range(first, min(place + NEARBY + 1, longest)):
        cells = [column[number] if number < len(column) else "" for column in columns]
        mark = ">" if number == place else " "
        where = _first_difference(*cells) if number == place else 0
        texts = [_clip(cell, width, where) for cell in cells]
        lines.append(f"{mark} {number:3} {texts[0]:{width}} | {texts[1]}".rstrip())
    if longest > place + NEARBY + 1:
        lines.append(f"      ({longest - place - NEARBY - 1} more behind that)")
    marked = [column[place] if place < len(column) else "" for column in columns]
    if max(map(len, marked)) > width:
        sides = zip((left.title, right.title), marked, strict=True)
        lines += ["", *(f"{place}, {title}: {short(cell, 600)}" for title, cell in sides)]
    return "\n".join(lines)


def _rows(transcript: Transcript, rules: Rules) -> list[str]:
    """Each event and the offset where it came out, and how it ended."""
    rows = [f"@{seen.offset} {_text(seen.value)}" for seen in rules.seen(transcript)]
    if transcript.error is None:
        return [*rows, "(the end, no error)"]
    return [*rows, f"@{transcript.error_offset} {_text(transcript.error)}"]


def _text(value: Any) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return repr(value)


def _first_difference(a: str, b: str) -> int:
    """Where the second halves of two rows begin to differ; offsets may always differ."""
    a, b = a.partition(" ")[2], b.partition(" ")[2]
    for place, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return place
    return min(len(a), len(b))


def _clip(text: str, width: int, place: int = 0) -> str:
    """As much of a row as fits, with the place in it that matters."""
    if len(text) <= width:
        return text
    head, _, rest = text.partition(" ")
    room = width - len(head) - 1
    start = max(0, place - room // 2)
    if not start:
        return f"{head} {rest[: room - 3]}..."
    return f"{head} ...{rest[start + 3 :][: room - 6]}..."


def short(thing: Any, width: int) -> str:
    """The repr of something, or the beginning and the end of it."""
    text = thing if isinstance(thing, str) else repr(thing)
    if len(text) <= width:
        return text
    half = (width - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"
