"""A frame as it is on the wire and as it comes out, byte by byte, for any terminator.

Nothing here knows how a frame is built.
`encode_frame` writes the one, a `Framer` gives the other, and a `Dissector`, which does no more
than to watch that framer, tells which bytes were prefix, payload and footer.
So a diagram shows what framer does.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import Final

from explorer import to_bytes, to_terminator

from framer import Framer, LengthFrom, LengthPrefix, Terminator, VarintPrefix, encode_frame
from framer._cli.dissect import Dissector

Parts = list[tuple[str, bytes]]
"""What kind of bytes, and the bytes."""

MOST_CELLS: Final = 24
"""How many bytes of a part are shown; of a longer one the middle is left out."""

CONTROLS: Final = {0x0D: "CR", 0x0A: "LF", 0x20: "SP"}


@dataclass(frozen=True, slots=True)
class Diagram:
    """One frame, before and after."""

    terminator: Terminator
    before: Parts
    after: Parts


def draw(expression: str, payload: str, wire: str | None = None) -> Diagram:
    """Look what becomes of one frame.

    Args:
        expression: the terminator, in Python.
        payload: what is framed, written as in the explorer.
        wire: the frame on the wire, for a terminator that cannot write it.

    Raises:
        InputError: an argument cannot be read.
        ValueError: the frame does not come out as it went in.
    """
    terminator = to_terminator(expression)
    content = to_bytes(payload)
    data = encode_frame(content, terminator) if wire is None else to_bytes(wire)
    framer = Framer(terminator)
    framer.receive_data(data)
    framer.receive_eof()
    [frame] = framer.frames()
    before = _parts(terminator, data)
    kept = isinstance(terminator, LengthFrom) and terminator.keep_header
    after = [part for part in before if part[0] == "payload" or (kept and part[0] == "prefix")]
    if b"".join(part for _, part in after) != frame or (not kept and frame != content):
        raise ValueError(f"{expression} makes {frame!r} of {data!r}, and not {payload!r}")
    return Diagram(terminator, before, after)


def _parts(terminator: Terminator, data: bytes) -> Parts:
    if isinstance(terminator, LengthFrom):
        terminator = replace(terminator, keep_header=False)  # that the header can be told apart
    [frame] = Dissector(Framer(terminator), None).frames([data])
    return [(part.kind, bytes(part.strip.head + part.strip.tail)) for part in frame.parts]


def to_html(diagram: Diagram) -> str:
    """Write the diagram as HTML."""
    in_hex = isinstance(diagram.terminator, (LengthPrefix, VarintPrefix))
    before = _row("on the wire", diagram.before, in_hex=in_hex)
    after = _row("the frame", diagram.after, in_hex=in_hex)
    return (
        f'<div class="bytes">{before}<span class="becomes" aria-hidden="true"></span>{after}</div>'
    )


NAMES: Final = {"prefix": "prefix", "payload": "payload", "terminator": "footer"}


def _row(title: str, parts: Parts, *, in_hex: bool) -> str:
    size = sum(len(data) for _, data in parts)
    boxes = "".join(
        f'<span class="part"><span class="cells">{_cells(kind, data, in_hex=in_hex)}</span>'
        f'<span class="name">{NAMES[kind]}, {len(data)}</span></span>'
        for kind, data in parts
    )
    return f'<div class="row"><span class="title">{title}, {size} bytes</span>{boxes}</div>'


def _cells(kind: str, data: bytes, *, in_hex: bool) -> str:
    shown = [_cell(byte, in_hex=in_hex and kind == "prefix") for byte in data]
    if len(shown) > MOST_CELLS:
        shown[MOST_CELLS - 2 : -1] = ["…"]
    return "".join(f'<span class="byte {kind}">{text}</span>' for text in shown)


def _cell(byte: int, *, in_hex: bool) -> str:
    if in_hex or not 0x20 <= byte < 0x7F:
        return CONTROLS.get(byte, f"{byte:02x}") if not in_hex else f"{byte:02x}"
    return CONTROLS.get(byte) or html.escape(chr(byte))
