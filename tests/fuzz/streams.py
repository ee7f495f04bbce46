"""A framer and a stream, against the oracle: any terminator, any limit, any chunks.

After every chunk the framer has to have said what a function says that sees all of them at once,
and the same again at the end, in frames and in events. FrameTooLarge is skipped each time.
"""

from __future__ import annotations

from typing import Literal

from fuzz.choices import Choices
from oracle import KINDS, check, number

from framer import Framer, LengthFrom, LengthPrefix, Netstring, Terminator, VarintPrefix

__all__ = ["run"]

LIMITS = [None, 0, 1, 2, 3, 5, 8, 20]

MOST = 80
"""How many bytes a stream has at the most: the oracle takes their square."""


def run(data: bytes) -> None:
    """Cut a stream with a framer, and with the oracle."""
    choices = Choices(data)
    terminator = pick_terminator(choices)
    limit = choices.pick(LIMITS)
    chunks: list[bytes] = []
    while choices and sum(map(len, chunks)) < MOST:
        if chunk := choices.chunk(12):
            chunks.append(chunk)
    check(b"".join(chunks), terminator, limit, ways=[chunks])


def pick_terminator(choices: Choices) -> Terminator:
    """Decide on one of the usual terminators, or make one up."""
    if choices.flag():
        terminator, _ = choices.pick(KINDS)
        return terminator
    made = make_terminator(choices)
    try:
        Framer(made)
    except ValueError:  # such as delimiters of which one is in another
        return b"\n"
    return made


def make_terminator(choices: Choices) -> Terminator:
    """Make one up, which may be none."""
    match choices.number(5):
        case 0:
            return choices.word(b"ab", 8)
        case 1:
            return tuple(choices.word(b"abc", 4) for _ in range(1 + choices.number(2)))
        case 2:
            order: Literal["big", "little"] = "little" if choices.flag() else "big"
            return LengthPrefix(1 + choices.number(7), order, adjust=choices.number(12) - 6)
        case 3:
            return VarintPrefix(1 + choices.number(10))
        case 4:
            return Netstring()
        case _:
            headers: list[bytes | tuple[bytes, ...] | int] = [b";", (b";", b"::"), 1, 2]
            return LengthFrom(
                choices.pick(headers),
                number,
                footer=choices.word(b"\r\n;0", 3),
                keep_header=choices.flag(),
                max_header_size=2 + choices.number(4),
            )
