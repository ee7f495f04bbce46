r"""What a person types after an option, and the value that it stands for.

Each function takes the text of one argument, as argparse hands it over,
and raises argparse.ArgumentTypeError with a message that says what would have been right;
but for `words_for`, which goes the other way.
"""

import os
import re
from argparse import ArgumentTypeError
from typing import Final, Literal

from framer import ANY_NEWLINE, LengthPrefix, Netstring, Terminator, VarintPrefix
from framer._cli.forms import escape, unescape

_SIZE = re.compile(r"([0-9]+)([KMG]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_LENGTH_PREFIX = re.compile(r"u([0-9]+)(be|le)?([+-][0-9]+)?", re.IGNORECASE)
_FLAGS: Final[dict[type, str]] = {
    VarintPrefix: "--varint",
    Netstring: "--netstring",
    type(ANY_NEWLINE): "--any-newline",
}


def delimiter(text: str) -> bytes:
    r"""Read a delimiter, with backslash escapes: `\r\n` is CR LF."""
    try:
        value = unescape(os.fsencode(text))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    if not value:
        raise ArgumentTypeError("a delimiter has at least one byte")
    return value


def size(text: str) -> int:
    """Read a number of bytes: 1500, 64K, 1M, 1G, in powers of 1024."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a size; write 1500, 64K, 1M or 1G")
    return int(found[1]) * _UNITS[found[2].upper()]


def positive_size(text: str) -> int:
    """Read a number of bytes that is not 0."""
    value = size(text)
    if value == 0:
        raise ArgumentTypeError("a frame of this size would never use up the stream; at least 1")
    return value


def limit(text: str) -> int | None:
    """Read a size, or `none`."""
    return None if text == "none" else size(text)


def length_prefix(text: str) -> LengthPrefix:
    """Read a length prefix: u32be, u16le, u8, u32be-4."""
    found = _LENGTH_PREFIX.fullmatch(text)
    bits = int(found[1]) if found else 0
    if found is None or bits not in range(8, 65, 8):
        raise ArgumentTypeError(
            f"{text!r} is not a length prefix; write u32be, u16le, u8 (8 to 64 bits), "
            "and +N or -N after it if the payload is longer or shorter than the number says"
        )
    order: Literal["big", "little"] = "little" if (found[2] or "be").lower() == "le" else "big"
    return LengthPrefix(bits // 8, order, adjust=int(found[3] or 0))


def cuts(text: str) -> list[int]:
    """Read the offsets at which the stream is cut: 5,9."""
    try:
        values = sorted({int(part) for part in text.split(",")})
    except ValueError:
        values = []
    if not values or values[0] < 1:
        raise ArgumentTypeError(f"{text!r} are no cuts; write offsets with commas between: 5,9")
    return values


def count(text: str) -> int:
    """Read how many frames, at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a number of frames; write 1 or more")
    return int(text)


def words_for(terminator: Terminator) -> list[str]:
    """Give the words that a person would type for a terminator of the command line."""
    match terminator:
        case bytes():
            return ["--delimiter", escape(terminator).decode()]
        case tuple():
            return [word for delimiter in terminator for word in words_for(delimiter)]
        case int():
            return ["--size", str(terminator)]
        case LengthPrefix():
            return ["--length-prefix", _length_prefix_text(terminator)]
        case _:
            return [_FLAGS[type(terminator)]]


def _length_prefix_text(prefix: LengthPrefix) -> str:
    order = "be" if prefix.byteorder == "big" else "le"
    adjust = f"{prefix.adjust:+}" if prefix.adjust else ""
    return f"u{prefix.size * 8}{order}{adjust}"
