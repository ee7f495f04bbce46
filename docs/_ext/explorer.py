"""The explorer: some bytes, a terminator, where the bytes are cut; and what comes out at which cut.

This runs in two places.
In the reader's browser it is called for each change that the reader makes.
When the site is built it is called once, for what the page shows before that, or instead of it.
So the page is written here, as HTML, and the script beside it does no more than to put it in place.

What the reader types for a terminator is evaluated: it is Python, and runs in their own browser.
Hence nothing of it is ever taken from the address of the page, which may be somebody else's.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import framer
from framer import (
    Data,
    EndOfStream,
    Framer,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    MalformedFrame,
    Terminator,
    TerminatorFound,
)
from framer._cli.dissect import Dissector

MOST_BYTES: Final = 200
"""How many bytes the page takes. For each of them `verdict` goes through all of them once more,
and that must not keep a reader waiting who types."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Something to begin with."""

    title: str
    terminator: str
    text: str
    cuts: tuple[int, ...]


SAMPLES: Final = (
    Sample("Lines that end in CRLF", r'b"\r\n"', r"EHLO mail\r\nNOOP\r\nQU", (7, 10)),
    Sample(
        "The end of a mail, CRLF . CRLF",
        r'b"\r\n.\r\n"',
        r"Hi\r\n\r\n..\r\n.\r\nQUIT\r\n",
        (3, 9, 11),
    ),
    Sample("LF or CRLF", r'(b"\n", b"\r\n")', r"one\ntwo\r\nthree\r", (4, 8)),
    Sample("Any newline", "ANY_NEWLINE", r"unix\nold mac\rdos\r\n\r\nrest", (13, 17)),
    Sample("A count of bytes", "5", "helloworldbye", (3, 8)),
    Sample("All up to the end", "None", "GIF89a ...", (3,)),
    Sample("A length in two bytes", "LengthPrefix(2)", r"\x00\x05hello\x00\x00\x00\x03bye", (1, 4)),
    Sample(
        "A length that counts itself",
        'LengthPrefix(2, "little", adjust=-2)',
        r"\x07\x00hello\x02\x00\x01\x00",
        (1, 4),
    ),
    Sample("A varint, as protobuf has it", "VarintPrefix()", r"\x05hello\x83\x00bye", (7,)),
    Sample("Netstrings", "Netstring()", "5:hello,0:,03:bye,", (1, 9)),
    Sample(
        "Redis bulk strings",
        r'LengthFrom(b"\r\n", lambda header: int(header[1:]), footer=b"\r\n")',
        r"$5\r\nhello\r\n$3\r\nbye!\r\n",
        (2, 8),
    ),
)


@dataclass(slots=True)
class Request:
    """What the reader has put in."""

    text: str
    terminator: str
    cuts: Sequence[int] = ()
    max_frame_size: int | None = 65536
    frames: bool = False  # whole frames, else events
    end: bool = True  # whether the stream ends behind the last byte


@dataclass(slots=True)
class Step:
    """What came in at once, and what came out."""

    received: bytes | None  # None: the end of the stream
    came_out: list[object] = field(default_factory=list[object])
    buffered: int = 0


class InputError(Exception):
    """What the reader has put in cannot be; the message says why."""


ESCAPES: Final = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\x00", "\\": b"\\"}
_PIECE: Final = re.compile(r"\\x([0-9a-fA-F]{2})|\\([rnt0\\])|(\\)|([^\\]+)")


def to_bytes(text: str) -> bytes:
    r"""Read bytes as the reader writes them: text, and ``\r \n \t \0 \\ \x2a``.

    Raises:
        InputError: a backslash has nothing of this behind it, or there are too many bytes.
    """
    data = b""
    for match in _PIECE.finditer(text):
        number, letter, stray, plain = match.groups()
        if stray:
            raise InputError(
                r"a backslash stands for nothing here; there are \r \n \t \0 \\ and \x00 to \xff"
            )
        if number:
            data += bytes.fromhex(number)
        else:
            data += ESCAPES[letter] if letter else plain.encode()
    if len(data) > MOST_BYTES:
        raise InputError(f"these are {len(data)} bytes, and the page takes {MOST_BYTES}")
    return data


def to_terminator(expression: str) -> Terminator:
    """Evaluate what the reader wants to end a frame, with all names of framer at hand.

    Raises:
        InputError: it is nothing, no Python, or no terminator.
    """
    if not expression.strip():
        raise InputError(r'what ends a frame? b"\r\n" may, or 5, or Netstring()')
    names = {name: getattr(framer, name) for name in framer.__all__}
    try:
        terminator = eval(expression, names)  # noqa: S307 - see above
        Framer(terminator)
    except SyntaxError as error:
        raise InputError(f"SyntaxError: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{type(error).__name__}: {error}") from error
    return terminator  # type: ignore[no-any-return] # Framer has just checked it


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """Cut the bytes; a cut is how many of them stand before it."""
    start = 0
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]:
        if cut > start:
            yield data[start:cut]
        start = cut


def steps(request: Request, data: bytes, terminator: Terminator) -> Iterator[Step]:
    """Receive piece after piece, and take what comes out after each."""
    reader = Framer(terminator, max_frame_size=request.max_frame_size)
    for piece in [*pieces(data, request.cuts), *([None] if request.end else [])]:
        step = Step(piece)
        if piece is None:
            reader.receive_eof()
        else:
            reader.receive_data(piece)
        step.came_out.extend(coming_out(reader, frames=request.frames))
        step.buffered = reader.buffered
        yield step
        last = step.came_out[-1] if step.came_out else None
        if isinstance(last, (IncompleteFrame, MalformedFrame)):
            return


def coming_out(reader: Framer, *, frames: bool) -> Iterator[object]:
    """Take what there is, errors too; a frame that is too large is skipped."""
    while True:
        try:
            yield from reader.frames() if frames else reader.events()
            return
        except FrameTooLarge as error:
            yield error
            reader.skip_frame()
        except FramingError as error:
            yield error
            return


def joined(came_out: Iterable[object]) -> list[object]:
    """Join `Data` that follows `Data`, for that alone depends on the cuts."""
    whole: list[object] = []
    for item in came_out:
        if isinstance(item, Data) and whole and isinstance(whole[-1], Data):
            whole[-1] = Data(whole[-1].chunk + item.chunk)
        else:
            whole.append(item)
    return whole


def transcript(request: Request, data: bytes, terminator: Terminator) -> list[str]:
    """Write down all that comes out, joined; errors with everything that they say."""
    came_out = (item for step in steps(request, data, terminator) for item in step.came_out)
    return [words(item) for item in joined(came_out)]


def words(item: object) -> str:
    """Write down one thing that came out."""
    return f"{type(item).__name__}: {item}" if isinstance(item, Exception) else repr(item)


def kinds(data: bytes, terminator: Terminator, max_frame_size: int | None) -> list[str]:
    """Tell of each byte what it is: prefix, payload, terminator, skipped, broken or unread."""
    found: list[str] = []
    reader = Framer(terminator, max_frame_size=max_frame_size)
    for frame in Dissector(reader, None).frames([data]):
        for part in frame.parts:
            found += [part.kind] * part.strip.size
    return (found + ["unread"] * len(data))[: len(data)]


# The page


def glyph(byte: int) -> str:
    """Write a byte as the reader would."""
    for letter, data in ESCAPES.items():
        if byte == data[0] and letter != "\\":
            return f"\\{letter}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"


def strip(data: bytes, cuts: Sequence[int], found: Sequence[str]) -> str:
    """Write the bytes, coloured by what they are, with a button to cut between any two."""
    cells: list[str] = []
    for index, byte in enumerate(data):
        if index:
            pressed = "true" if index in cuts else "false"
            cells.append(
                f'<button type="button" class="cut" data-cut="{index}" tabindex="-1" '
                f'aria-pressed="{pressed}" '
                f'aria-label="cut before byte {index}"></button>'
            )
        text = html.escape(glyph(byte)) if byte != 0x20 else "&nbsp;"
        title = f"byte {index}: 0x{byte:02x}, {found[index]}"
        cells.append(f'<span class="byte {found[index]}" title="{title}">{text}</span>')
    return "".join(cells) or '<span class="nothing">no bytes</span>'


CLASSES: Final[dict[type, str]] = {
    Data: "data",
    bytes: "data",
    TerminatorFound: "found",
    EndOfStream: "end",
}


def table(all_steps: Iterable[Step]) -> str:
    """Write what came in, and beside it what came out."""
    rows: list[str] = []
    for number, step in enumerate(all_steps, 1):
        came_in = "receive_eof()" if step.received is None else html.escape(repr(step.received))
        items = "".join(
            f'<li class="{CLASSES.get(type(item), "error")}"><code>{html.escape(words(item))}'
            "</code></li>"
            for item in step.came_out
        )
        out = f"<ul>{items}</ul>" if items else '<span class="nothing">nothing yet</span>'
        rows.append(
            f"<tr><td>{number}</td><td><code>{came_in}</code></td><td>{out}</td>"
            f"<td>{step.buffered}</td></tr>"
        )
    return "".join(rows)


def verdict(request: Request, data: bytes, terminator: Terminator) -> str:
    """Say what the same bytes give, cut in other ways: the very same."""
    expected = transcript(request, data, terminator)
    others = [(), tuple(range(1, len(data))), *((cut,) for cut in range(1, len(data)))]
    for cuts in others:
        other = Request(
            request.text,
            request.terminator,
            cuts,
            request.max_frame_size,
            request.frames,
            request.end,
        )
        found = transcript(other, data, terminator)
        if found != expected:
            return f"Cut at {list(cuts)} they give something else, which is a bug: {found}"
    return (
        f"Cut in {len(others)} other ways (not at all, at every byte, in two at each place), "
        "these bytes give the same."
    )


def page(request: Request) -> dict[str, Any]:
    """Make all that changes on the page; or a `problem`, and then nothing else changes."""
    try:
        data = to_bytes(request.text)
        terminator = to_terminator(request.terminator)
        return {"problem": "", **_parts(request, data, terminator)}
    except InputError as error:
        return {"problem": str(error)}
    except Exception as error:  # noqa: BLE001 - of a length_of() that the reader wrote
        return {"problem": f"{type(error).__name__}: {error}"}


def _parts(request: Request, data: bytes, terminator: Terminator) -> dict[str, Any]:
    cuts = sorted({cut for cut in request.cuts if 0 < cut < len(data)})
    return {
        "size": len(data),
        "cuts": cuts,
        "strip": strip(data, cuts, kinds(data, terminator, request.max_frame_size)),
        "steps": table(steps(request, data, terminator)),
        "verdict": html.escape(verdict(request, data, terminator)),
    }


def answer(question: str) -> str:
    """Do as `page` does, for a script: JSON in, JSON out."""
    return json.dumps(page(Request(**json.loads(question))))
